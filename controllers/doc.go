// Package controllers is the Kubernetes side of Slipway: it reads a Release and everything around it, has package rollout
// decide, carries out what was decided, and reports.
//
// # What is read
//
//	observe.go        one reading of everything, and what of the spec the core decides on
//	shard.go          whether it is this controller's; of several in a cluster each has a part
//	class.go          the ReleaseClass: where and as whom; allow.go: what may be used there
//	world.go          servers and pools
//	adoption.go       servers of a former object of the same name, and those to be taken over
//	claims.go         whose pool it is; rivals.go: who else claims it
//	sources.go        whether Secrets and parameters are still what they were
//
// # What is remembered
//
// A revision is an apps/v1 ControllerRevision that the Release owns. Its data, which the API server refuses to change, is
// everything that a server is made of (revision_data.go); its annotations are what cannot be read back from spec and AWS:
//
//	slipway.dev/memory   launches, stable sequence number, verdict, times (memory.go, memory_codec.go)
//	slipway.dev/claims   the pools that the Release claims, on the newest revision only
//	slipway.dev/class    the class, account and region that the Release began in
//
// Only Update with the resourceVersion that was read writes them, and always before the calls that they cover. A pass that
// meets a conflict has made none of those calls and starts again. User data from a Secret or ConfigMap is copied into an
// immutable Secret named as the revision (userdata.go); launches are made from these copies alone (launchrequest.go). What a
// former Release of the same name left behind gives way (owned.go).
//
// A revision whose record was deleted while its servers run is lost: what must be known of it until its servers are gone
// (the pools that they are in) is kept in a ControllerRevision that holds nothing else.
//
// # What is done
//
// release_controller.go is the table of contents: observe, decide, remember, act, report.
package controllers
