package v1alpha1

// The condition types of a Release. Ready, Reconciling and Stalled follow kstatus: Reconciling and Stalled are never
// True together, and Ready is only ever a summary of the others.
const (
	// ConditionReady surfaces True when what the effective phase asks for is so.
	ConditionReady = "Ready"
	// ConditionReconciling surfaces True when Slipway is on its way there and needs nobody.
	ConditionReconciling = "Reconciling"
	// ConditionStalled surfaces True when Slipway cannot get there unless a person changes something.
	ConditionStalled = "Stalled"
	// ConditionPreviewReady surfaces True when the candidate can be looked at: healthy in every test pool.
	ConditionPreviewReady = "PreviewReady"
	// ConditionPromoted surfaces True when the candidate passed the gate and no stable server is left in production.
	ConditionPromoted = "Promoted"
	// ConditionRollbackAvailable surfaces True when a fleet runs that production could be given back to.
	ConditionRollbackAvailable = "RollbackAvailable"
	// ConditionAwaitingDecision surfaces True when the next step is a person's.
	ConditionAwaitingDecision = "AwaitingDecision"
	// ConditionBlind surfaces True when AWS cannot be read: nothing is removed until it can be.
	ConditionBlind = "Blind"
)

// Reasons of Ready. Where Stalled or Reconciling is True, Ready=False takes its reason.
const (
	// ReasonPreviewReady surfaces when Preview was asked for and the candidate is healthy in every test pool; also of
	// PreviewReady.
	ReasonPreviewReady = "PreviewReady"
	// ReasonLive surfaces when Live was asked for and the candidate alone serves production; also of Promoted.
	ReasonLive = "Live"
	// ReasonRolledBack surfaces when RolledBack was asked for and the stable fleet serves production; also of
	// Promoted=False.
	ReasonRolledBack = "RolledBack"
	// ReasonComplete surfaces when Complete was asked for, the candidate is the stable fleet and the former one is
	// gone; also of Promoted.
	ReasonComplete = "Complete"
	// ReasonUnhealthy surfaces when fewer servers are healthy than the phase asks for, though the phase was reached;
	// also of PreviewReady=False.
	ReasonUnhealthy = "Unhealthy"
	// ReasonPaused surfaces while spec.paused is set, which holds up whatever there is to do: of Reconciling and
	// AwaitingDecision.
	ReasonPaused = "Paused"
)

// Reasons of Reconciling.
const (
	// ReasonResolving surfaces when the image or the user data of a new revision is being looked up.
	ReasonResolving = "Resolving"
	// ReasonAdopting surfaces when servers that existed before are being tagged as the stable fleet.
	ReasonAdopting = "Adopting"
	// ReasonLaunching surfaces when servers of a fleet are being launched, or boot: a new fleet, more replicas, or
	// replacements for dead ones.
	ReasonLaunching = "Launching"
	// ReasonPreviewing surfaces when the candidate is on the test pools and not yet healthy in all of them.
	ReasonPreviewing = "Previewing"
	// ReasonPromoting surfaces when the candidate is in production beside the stable fleet, and the gate is not
	// passed.
	ReasonPromoting = "Promoting"
	// ReasonSwitching surfaces when the gate is passed and the stable fleet is leaving production.
	ReasonSwitching = "Switching"
	// ReasonUndoing surfaces when a promotion that did not reach its gate is being taken back.
	ReasonUndoing = "Undoing"
	// ReasonRollingBack surfaces when the stable fleet is going back into production.
	ReasonRollingBack = "RollingBack"
	// ReasonCompleting surfaces when the candidate becomes the stable fleet.
	ReasonCompleting = "Completing"
	// ReasonRetiring surfaces when a former fleet is being drained and terminated.
	ReasonRetiring = "Retiring"
	// ReasonRetrying surfaces when AWS refused a call for a passing reason and it is tried again.
	ReasonRetrying = "Retrying"
	// ReasonDeleting surfaces when the Release is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonSettled surfaces when there is nothing left to do: of Reconciling=False, and of Stalled=False where nobody
	// has to change anything.
	ReasonSettled = "Settled"
)

// Reasons of Stalled that are about the class.
const (
	// ReasonClassNotFound surfaces when the ReleaseClass that className names does not exist.
	ReasonClassNotFound = "ClassNotFound"
	// ReasonNoDefaultClass surfaces when className is not set and no ReleaseClass is marked as the default.
	ReasonNoDefaultClass = "NoDefaultClass"
	// ReasonManyDefaultClasses surfaces when className is not set and several ReleaseClasses are marked as the
	// default.
	ReasonManyDefaultClasses = "ManyDefaultClasses"
	// ReasonClassChanged surfaces when class, account or region differ from those that the Release began in.
	ReasonClassChanged = "ClassChanged"
	// ReasonWrongAccount surfaces when the credentials belong to another account than the class names.
	ReasonWrongAccount = "WrongAccount"
	// ReasonNotAllowedByClass surfaces when the class does not allow the namespace, a pool, an instance profile, a
	// subnet, a security group or the image's owner.
	ReasonNotAllowedByClass = "NotAllowedByClass"
	// ReasonTooManyServers surfaces when the fleets would need more servers than the class's maxServersPerRelease.
	ReasonTooManyServers = "TooManyServers"
	// ReasonNameTooLong surfaces when namespace/name does not fit into an EC2 tag, or name into that of a revision.
	ReasonNameTooLong = "NameTooLong"
)

// Reasons of Stalled that are about the image and the template.
const (
	// ReasonImageMalformed surfaces when AWS refuses the form of the image id, or the SSM parameter holds none.
	ReasonImageMalformed = "ImageMalformed"
	// ReasonImageNotFound surfaces when the image does not exist in this region, or no image matches the selector.
	ReasonImageNotFound = "ImageNotFound"
	// ReasonImageNotAvailable surfaces when the image exists and cannot be launched: pending, failed, disabled or
	// deregistered.
	ReasonImageNotAvailable = "ImageNotAvailable"
	// ReasonImageParameterNotFound surfaces when the SSM parameter does not exist.
	ReasonImageParameterNotFound = "ImageParameterNotFound"
	// ReasonSubnetNotFound surfaces when a subnet does not exist in this region.
	ReasonSubnetNotFound = "SubnetNotFound"
	// ReasonSecurityGroupNotFound surfaces when a security group does not exist in the subnets' VPC.
	ReasonSecurityGroupNotFound = "SecurityGroupNotFound"
	// ReasonKeyPairNotFound surfaces when the key pair does not exist in this region.
	ReasonKeyPairNotFound = "KeyPairNotFound"
	// ReasonInstanceProfileNotFound surfaces when the IAM instance profile does not exist.
	ReasonInstanceProfileNotFound = "InstanceProfileNotFound"
	// ReasonUserDataTooLarge surfaces when user data, after replacement, is larger than EC2's 16384 bytes.
	ReasonUserDataTooLarge = "UserDataTooLarge"
	// ReasonSecretNotFound surfaces when the Secret of userData.secretRef does not exist or may not be read.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretKeyNotFound surfaces when the Secret of userData.secretRef does not have the key.
	ReasonSecretKeyNotFound = "SecretKeyNotFound"
	// ReasonConfigMapNotFound surfaces when the ConfigMap of userData.configMapRef does not exist or may not be read.
	ReasonConfigMapNotFound = "ConfigMapNotFound"
	// ReasonConfigMapKeyNotFound surfaces when the ConfigMap of userData.configMapRef does not have the key.
	ReasonConfigMapKeyNotFound = "ConfigMapKeyNotFound"
	// ReasonInvalidParameter surfaces when EC2 refuses something else in the template; the message has EC2's words.
	ReasonInvalidParameter = "InvalidParameter"
)

// Reasons of Stalled that are about the pools.
const (
	// ReasonPoolNotFound surfaces when a load balancer or target group does not exist in this account and region.
	ReasonPoolNotFound = "PoolNotFound"
	// ReasonPoolNotInUse surfaces when no listener forwards to a target group, so that its targets never become
	// healthy.
	ReasonPoolNotInUse = "PoolNotInUse"
	// ReasonPoolUnsupported surfaces when a target group does not take instances: its target type is ip, lambda or
	// alb. Also when servers are to be adopted that are in it on another port than its own.
	ReasonPoolUnsupported = "PoolUnsupported"
	// ReasonPoolClaimedTwice surfaces when two pools of this Release turn out to be one in AWS.
	ReasonPoolClaimedTwice = "PoolClaimedTwice"
	// ReasonPoolHeldByAnother surfaces when another Release holds a pool: this one gets no calls to any until it drops
	// it.
	ReasonPoolHeldByAnother = "PoolHeldByAnother"
	// ReasonPoolRefusesServers surfaces when AWS refuses to register servers: they are in another VPC, or the pool is
	// full.
	ReasonPoolRefusesServers = "PoolRefusesServers"
)

// Reasons of Stalled that are about launching, permissions and limits in AWS.
const (
	// ReasonQuotaExceeded surfaces when the account's quota of servers, vCPUs or volumes is used up.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonNoCapacity surfaces when EC2 has no capacity for any of the instance types in a subnet.
	ReasonNoCapacity = "NoCapacity"
	// ReasonAccessDenied surfaces when IAM denies a call, or the role cannot be assumed.
	ReasonAccessDenied = "AccessDenied"
	// ReasonLaunchFailed surfaces when three launches for one place failed within an hour, or servers terminate as
	// they boot.
	ReasonLaunchFailed = "LaunchFailed"
	// ReasonLaunchTimeout surfaces when servers of a fleet did not run within health.launchTimeout.
	ReasonLaunchTimeout = "LaunchTimeout"
	// ReasonHealthTimeout surfaces when the candidate was not healthy in every test pool within health.timeout.
	ReasonHealthTimeout = "HealthTimeout"
)

// Reasons of Stalled that are about the deploy itself.
const (
	// ReasonPromotionFailed surfaces when a promotion did not reach its gate within health.timeout and was undone;
	// also of Promoted=False.
	ReasonPromotionFailed = "PromotionFailed"
	// ReasonAutoRolledBack surfaces when promotion.autoRollback took the candidate out of production; also of
	// Promoted=False.
	ReasonAutoRolledBack = "AutoRolledBack"
	// ReasonNothingToRollBackTo surfaces when RolledBack was asked for and there is no stable fleet to give production
	// to; also of RollbackAvailable=False.
	ReasonNothingToRollBackTo = "NothingToRollBackTo"
	// ReasonInvalidOverride surfaces when spec.override expires more than 7 days from now, and therefore does not count if its
	// phase is Live; or names a revision that never was, and does not count either.
	ReasonInvalidOverride = "InvalidOverride"
	// ReasonUnsafe surfaces when taking servers out of production would leave too few healthy ones, so that both
	// fleets stay in; and before a promotion of which that is foreseen, because a zone would be left without servers.
	ReasonUnsafe = "Unsafe"
	// ReasonRevisionLost surfaces when the record of a fleet's revision is gone: it serves and is rolled back to, and
	// no server can be added to it.
	ReasonRevisionLost = "RevisionLost"
	// ReasonFormerServersFound surfaces when servers of a deleted Release of this name run; the message gives the line
	// to add to spec.adopt, and nothing is launched before. Also where spec.adopt names an owner that no server has.
	ReasonFormerServersFound = "FormerServersFound"
	// ReasonDefect surfaces when pass after pass over this Release ends in a panic, which is a bug of Slipway's own: it is left
	// where the panic leaves it, and tried again every 30 s, and at once with another spec.
	ReasonDefect = "Defect"
)

// Reasons of the other conditions.
const (
	// ReasonNoCandidate surfaces when no revision is being deployed: of PreviewReady and Promoted.
	ReasonNoCandidate = "NoCandidate"
	// ReasonHealthNotChecked surfaces when there is no test pool, so that the candidate runs and nothing checked its
	// health: of PreviewReady.
	ReasonHealthNotChecked = "HealthNotChecked"
	// ReasonStandbyRunning surfaces when the stable fleet runs and production can be given back to it, though its
	// health is not known while it is in no pool: of RollbackAvailable.
	ReasonStandbyRunning = "StandbyRunning"
	// ReasonStandbyShort surfaces when fewer stable servers run than are asked for: of RollbackAvailable.
	ReasonStandbyShort = "StandbyShort"
	// ReasonNotNeeded surfaces when the condition does not apply now: the stable fleet serves as it is, or nobody is
	// waited for: of RollbackAvailable and AwaitingDecision.
	ReasonNotNeeded = "NotNeeded"
	// ReasonThrottled surfaces when AWS throttles a call: of Reconciling.
	ReasonThrottled = "Throttled"
	// ReasonPoolUnreadable surfaces when the members or the health of a pool cannot be read: of Blind.
	ReasonPoolUnreadable = "PoolUnreadable"
	// ReasonServersUnreadable surfaces when the servers cannot be read from EC2: of Blind.
	ReasonServersUnreadable = "ServersUnreadable"
	// ReasonReadable surfaces when everything was read lately: of Blind=False.
	ReasonReadable = "Readable"
)
