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

// Reasons of Ready. Ready=False takes the reason of Stalled or Reconciling where one of them is True.
const (
	// ReasonPreviewReached surfaces when Preview was asked for and the candidate is healthy in every test pool.
	ReasonPreviewReached = "PreviewReached"
	// ReasonLiveReached surfaces when Live was asked for and the candidate serves production.
	ReasonLiveReached = "LiveReached"
	// ReasonRolledBackReached surfaces when RolledBack was asked for and the stable fleet serves production.
	ReasonRolledBackReached = "RolledBackReached"
	// ReasonCompleteReached surfaces when Complete was asked for, the candidate is stable and the former fleet is gone.
	ReasonCompleteReached = "CompleteReached"
	// ReasonUnhealthy surfaces when the phase was reached but fewer servers are healthy now than it asks for.
	ReasonUnhealthy = "Unhealthy"
	// ReasonPaused surfaces when spec.paused holds up what is left to do.
	ReasonPaused = "Paused"
)

// Reasons of Reconciling.
const (
	// ReasonSpecChanged surfaces when a new generation of the spec was seen for the first time.
	ReasonSpecChanged = "SpecChanged"
	// ReasonResolving surfaces when the image or the user data of a new revision is being looked up.
	ReasonResolving = "Resolving"
	// ReasonAdopting surfaces when servers that existed before are being tagged as the stable fleet.
	ReasonAdopting = "Adopting"
	// ReasonLaunching surfaces when servers of a fleet are being launched or boot.
	ReasonLaunching = "Launching"
	// ReasonPreviewing surfaces when the candidate is registered with the test pools and not healthy in all of them.
	ReasonPreviewing = "Previewing"
	// ReasonPromoting surfaces when the candidate is going into production.
	ReasonPromoting = "Promoting"
	// ReasonUndoing surfaces when a promotion that did not reach its gate is being taken back.
	ReasonUndoing = "Undoing"
	// ReasonRollingBack surfaces when the stable fleet is going back into production.
	ReasonRollingBack = "RollingBack"
	// ReasonCompleting surfaces when the candidate becomes the stable fleet.
	ReasonCompleting = "Completing"
	// ReasonRetiring surfaces when a former fleet is being drained and terminated.
	ReasonRetiring = "Retiring"
	// ReasonRepairing surfaces when dead servers are being replaced.
	ReasonRepairing = "Repairing"
	// ReasonScaling surfaces when a fleet grows or shrinks to spec.replicas.
	ReasonScaling = "Scaling"
	// ReasonPoolsChanging surfaces when a pool that was added is being filled, or one that was removed is let go.
	ReasonPoolsChanging = "PoolsChanging"
	// ReasonRetrying surfaces when AWS refused a call for a passing reason and it is tried again.
	ReasonRetrying = "Retrying"
	// ReasonDeleting surfaces when the Release is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonSettled surfaces, with Reconciling=False, when there is nothing left to do.
	ReasonSettled = "Settled"
)

// Reasons of Stalled that are about the class.
const (
	// ReasonClassNotFound surfaces when the ReleaseClass that className names does not exist.
	ReasonClassNotFound = "ClassNotFound"
	// ReasonNoDefaultClass surfaces when className is not set and no ReleaseClass is marked as default.
	ReasonNoDefaultClass = "NoDefaultClass"
	// ReasonManyDefaultClasses surfaces when className is not set and several ReleaseClasses are marked as default.
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
	// ReasonNameTooLong surfaces when namespace/name does not fit into an EC2 tag or the name of a revision.
	ReasonNameTooLong = "NameTooLong"
)

// Reasons of Stalled that are about the image and the template.
const (
	// ReasonImageMalformed surfaces when AWS, or the value of the SSM parameter, gives no well-formed image id.
	ReasonImageMalformed = "ImageMalformed"
	// ReasonImageNotFound surfaces when the image does not exist in this region, or no image matches the selector.
	ReasonImageNotFound = "ImageNotFound"
	// ReasonImageNotAvailable surfaces when the image exists and cannot be launched: pending, failed or deregistered.
	ReasonImageNotAvailable = "ImageNotAvailable"
	// ReasonImageParameterNotFound surfaces when the SSM parameter does not exist.
	ReasonImageParameterNotFound = "ImageParameterNotFound"
	// ReasonInstanceTypeNotFound surfaces when EC2 does not know an instance type, or it does not fit the image.
	ReasonInstanceTypeNotFound = "InstanceTypeNotFound"
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
	// ReasonInvalidTemplate surfaces when EC2 refuses something else in the template; the message has EC2's words.
	ReasonInvalidTemplate = "InvalidTemplate"
)

// Reasons of Stalled that are about the pools.
const (
	// ReasonPoolNotFound surfaces when a load balancer or target group does not exist in this account and region.
	ReasonPoolNotFound = "PoolNotFound"
	// ReasonPoolNotInUse surfaces when no listener forwards to a target group: its targets never become healthy.
	ReasonPoolNotInUse = "PoolNotInUse"
	// ReasonPoolUnsupported surfaces when a target group does not take instances: its target type is ip, lambda or alb.
	ReasonPoolUnsupported = "PoolUnsupported"
	// ReasonPoolClaimedTwice surfaces when two pools of this Release turn out to be one in AWS.
	ReasonPoolClaimedTwice = "PoolClaimedTwice"
	// ReasonPoolHeldByAnother surfaces when another Release holds a pool, and this one gets no calls to any.
	ReasonPoolHeldByAnother = "PoolHeldByAnother"
	// ReasonPoolRefusesServers surfaces when AWS refuses to register servers: another VPC, or the pool is full.
	ReasonPoolRefusesServers = "PoolRefusesServers"
)

// Reasons of Stalled that are about launching, permissions and limits in AWS.
const (
	// ReasonQuotaExceeded surfaces when the account's quota of servers, vCPUs or volumes is used up.
	ReasonQuotaExceeded = "QuotaExceeded"
	// ReasonNoCapacity surfaces when EC2 has no capacity for any of the instance types in any of the subnets.
	ReasonNoCapacity = "NoCapacity"
	// ReasonAccessDenied surfaces when IAM denies a call, or the role cannot be assumed; also of Blind.
	ReasonAccessDenied = "AccessDenied"
	// ReasonLaunchFailed surfaces when three launches for one place failed within an hour, or servers die as they boot.
	ReasonLaunchFailed = "LaunchFailed"
	// ReasonLaunchTimeout surfaces when a fleet was not healthy within health.launchTimeout.
	ReasonLaunchTimeout = "LaunchTimeout"
)

// Reasons of Stalled that are about the deploy itself.
const (
	// ReasonPromotionFailed surfaces when a promotion did not reach its gate within health.timeout; also of Promoted.
	ReasonPromotionFailed = "PromotionFailed"
	// ReasonAutoRolledBack surfaces when promotion.autoRollback took the candidate out; also of Promoted.
	ReasonAutoRolledBack = "AutoRolledBack"
	// ReasonIllegalPhase surfaces when the effective phase cannot follow what is; the message gives those that can.
	ReasonIllegalPhase = "IllegalPhase"
	// ReasonInvalidOverride surfaces when spec.override names no known revision or expires more than 7 days from now.
	ReasonInvalidOverride = "InvalidOverride"
	// ReasonUndoBlocked surfaces when taking one fleet out of production would leave too few healthy servers: both
	// stay in.
	ReasonUndoBlocked = "UndoBlocked"
	// ReasonCompleteBlocked surfaces when Complete waits because too few servers of the candidate are healthy.
	ReasonCompleteBlocked = "CompleteBlocked"
	// ReasonRevisionUnknown surfaces when a fleet has no recorded revision and would need a server launched.
	ReasonRevisionUnknown = "RevisionUnknown"
	// ReasonFormerServersFound surfaces when servers of a deleted Release of this name run; the message gives the
	// line to add to spec.adopt, and nothing is launched until then.
	ReasonFormerServersFound = "FormerServersFound"
	// ReasonNotStalled surfaces, with Stalled=False, when nobody has to change anything.
	ReasonNotStalled = "NotStalled"
)

// Reasons of PreviewReady.
const (
	// ReasonCandidateHealthy surfaces when every server of the candidate is healthy in every test pool.
	ReasonCandidateHealthy = "CandidateHealthy"
	// ReasonHealthNotChecked surfaces when there is no test pool: the servers run, and nothing checked their health.
	ReasonHealthNotChecked = "HealthNotChecked"
	// ReasonCandidateStarting surfaces when the candidate has too few running servers.
	ReasonCandidateStarting = "CandidateStarting"
	// ReasonCandidateUnhealthy surfaces when servers of the candidate run and are not healthy in a test pool.
	ReasonCandidateUnhealthy = "CandidateUnhealthy"
	// ReasonCandidateInProduction surfaces when the candidate serves production and is on no test pool.
	ReasonCandidateInProduction = "CandidateInProduction"
	// ReasonNoCandidate surfaces when no revision is being deployed; also of Promoted.
	ReasonNoCandidate = "NoCandidate"
)

// Reasons of Promoted. ReasonPromotionFailed, ReasonAutoRolledBack and ReasonNoCandidate occur here too.
const (
	// ReasonInProduction surfaces when the candidate, and no stable server, is in every production pool.
	ReasonInProduction = "InProduction"
	// ReasonGateWaiting surfaces when the candidate is registered in production and not healthy in every pool.
	ReasonGateWaiting = "GateWaiting"
	// ReasonNotPromoted surfaces when the candidate was not promoted.
	ReasonNotPromoted = "NotPromoted"
	// ReasonRolledBack surfaces when the candidate was rolled back.
	ReasonRolledBack = "RolledBack"
)

// Reasons of RollbackAvailable.
const (
	// ReasonStandbyRunning surfaces when the stable fleet runs in no pool; its health is then not known.
	ReasonStandbyRunning = "StandbyRunning"
	// ReasonStableInProduction surfaces when the stable fleet serves production as it is.
	ReasonStableInProduction = "StableInProduction"
	// ReasonStandbyIncomplete surfaces when fewer stable servers run than are asked for; a rollback uses those.
	ReasonStandbyIncomplete = "StandbyIncomplete"
	// ReasonStandbyNotRepaired surfaces when the stable fleet was adopted without its revision: it is rolled back to,
	// and what dies of it is not replaced.
	ReasonStandbyNotRepaired = "StandbyNotRepaired"
	// ReasonStandbyGone surfaces when no stable server runs.
	ReasonStandbyGone = "StandbyGone"
	// ReasonNoStableFleet surfaces when this is the first revision, or it is Complete: there is nothing to go back to.
	ReasonNoStableFleet = "NoStableFleet"
)

// Reasons of AwaitingDecision.
const (
	// ReasonPreviewWaits surfaces when the preview is ready: promote it, or change version.
	ReasonPreviewWaits = "PreviewWaits"
	// ReasonRejectedWaits surfaces when the candidate was rolled back and is kept for a look: promote it again, or
	// change version.
	ReasonRejectedWaits = "RejectedWaits"
	// ReasonNothingToDecide surfaces when no person is waited for.
	ReasonNothingToDecide = "NothingToDecide"
)

// Reasons of Blind. ReasonAccessDenied occurs here too.
const (
	// ReasonThrottled surfaces when AWS throttles the reads.
	ReasonThrottled = "Throttled"
	// ReasonPoolUnreadable surfaces when the members or the health of a pool cannot be read.
	ReasonPoolUnreadable = "PoolUnreadable"
	// ReasonServersUnreadable surfaces when the servers cannot be read from EC2.
	ReasonServersUnreadable = "ServersUnreadable"
	// ReasonReadingsFresh surfaces, with Blind=False, when everything was read lately.
	ReasonReadingsFresh = "ReadingsFresh"
)
