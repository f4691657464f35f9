package rollout

// Reasons of conditions, as api/v1alpha1/conditions.go documents them. The words are the same there; a test holds the two
// together.
const (
	// Going well.
	ReasonComplete         = "Complete"
	ReasonLive             = "Live"
	ReasonPreviewReady     = "PreviewReady"
	ReasonHealthNotChecked = "HealthNotChecked"
	ReasonRolledBack       = "RolledBack"
	ReasonSettled          = "Settled"
	ReasonNoCandidate      = "NoCandidate"
	ReasonNotNeeded        = "NotNeeded"
	ReasonReadable         = "Readable"
	ReasonRollbackPossible = "StandbyRunning"

	// On the way.
	ReasonLaunching   = "Launching"
	ReasonPreviewing  = "Previewing"
	ReasonPromoting   = "Promoting"
	ReasonSwitching   = "Switching"
	ReasonRollingBack = "RollingBack"
	ReasonUndoing     = "Undoing"
	ReasonCompleting  = "Completing"
	ReasonRetiring    = "Retiring"
	ReasonAdopting    = "Adopting"
	ReasonDeleting    = "Deleting"
	ReasonResolving   = "Resolving"

	// Somebody has to do something, or wait.
	ReasonPaused              = "Paused"
	ReasonNothingToRollBackTo = "NothingToRollBackTo"
	ReasonPromotionFailed     = "PromotionFailed"
	ReasonAutoRolledBack      = "AutoRolledBack"
	ReasonHealthTimeout       = "HealthTimeout"
	ReasonLaunchTimeout       = "LaunchTimeout"
	ReasonLaunchFailed        = "LaunchFailed"
	ReasonUnsafe              = "Unsafe"
	ReasonStandbyShort        = "StandbyShort"
	ReasonUnhealthy           = "Unhealthy"
	ReasonFormerServersFound  = "FormerServersFound"
	ReasonPoolUnreadable      = "PoolUnreadable"
	ReasonServersUnreadable   = "ServersUnreadable"
	ReasonPoolNotFound        = "PoolNotFound"
	ReasonPoolNotInUse        = "PoolNotInUse"
	ReasonPoolHeldByAnother   = "PoolHeldByAnother"
	ReasonPoolUnsupported     = "PoolUnsupported"
	ReasonPoolRefusesServers  = "PoolRefusesServers"
	ReasonInvalidOverride     = "InvalidOverride"
	ReasonPoolClaimedTwice    = "PoolClaimedTwice"
	ReasonTooManyServers      = "TooManyServers"
	ReasonRevisionLost        = "RevisionLost"

	// What the provider refuses.
	ReasonNoCapacity              = "NoCapacity"
	ReasonQuotaExceeded           = "QuotaExceeded"
	ReasonAccessDenied            = "AccessDenied"
	ReasonThrottled               = "Throttled"
	ReasonInvalidParameter        = "InvalidParameter"
	ReasonImageMalformed          = "ImageMalformed"
	ReasonImageNotFound           = "ImageNotFound"
	ReasonImageNotAvailable       = "ImageNotAvailable"
	ReasonImageParameterNotFound  = "ImageParameterNotFound"
	ReasonSubnetNotFound          = "SubnetNotFound"
	ReasonSecurityGroupNotFound   = "SecurityGroupNotFound"
	ReasonKeyPairNotFound         = "KeyPairNotFound"
	ReasonInstanceProfileNotFound = "InstanceProfileNotFound"
	ReasonUserDataTooLarge        = "UserDataTooLarge"
	ReasonSecretNotFound          = "SecretNotFound"
	ReasonSecretKeyNotFound       = "SecretKeyNotFound"

	// What the class refuses.
	ReasonClassNotFound     = "ClassNotFound"
	ReasonClassChanged      = "ClassChanged"
	ReasonWrongAccount      = "WrongAccount"
	ReasonNotAllowedByClass = "NotAllowedByClass"
)
