package cloud

// Keys of the tags on every server. Cluster to Role are set in the launch call itself (Cluster by the provider, from its
// class); Role alone is changed afterwards. Adopt and Hold are put on by hand and never written by Slipway.
const (
	TagCluster  = "slipway.dev/cluster"  // uid of the cluster, or its name where a flag gives one
	TagRelease  = "slipway.dev/release"  // namespace/name
	TagOwner    = "slipway.dev/owner"    // uid of the Release
	TagRevision = "slipway.dev/revision" // name of the ControllerRevision
	TagVersion  = "slipway.dev/version"  // spec.version
	TagRole     = "slipway.dev/role"     // a rollout.Role
	TagName     = "Name"                 // what the console shows
	TagAdopt    = "slipway.dev/adopt"    // by hand: the Release (namespace/name) that may adopt this server
	TagHold     = "slipway.dev/hold"     // by hand, any value: leave this server alone
)
