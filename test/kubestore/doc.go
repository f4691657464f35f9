// Package kubestore is a Kubernetes API in memory, for tests that need thousands of worlds or a clock of their own: a
// client.Client that keeps what the controllers rely on.
//
//	what                          how the API server does it, and this package
//	generation                    one more for each change outside of metadata and status, and for the beginning of a deletion
//	resourceVersion               one counter for all writes; a write that changes nothing is none
//	conflicts                     an update of an older resourceVersion, or of another uid, is refused
//	status                        a part of its own: an update leaves it alone, an update of it leaves all else alone
//	finalizers                    an object with some stays, marked as deleted, until the last is gone
//	definitions                   defaults, pruning, schema and CEL rules of config/crd, by the API server's own libraries
//	namespaces                    nothing is created in one that is not there
//
// What it does not have, it refuses: server-side apply, paged lists, selection by other fields than name and namespace. There
// is no garbage collection by owner, as there is none in a control plane without kube-controller-manager; and no managedFields.
//
// TestSameAsTheAPIServer holds it to its word: random operations get the same answers from it and from a real API server.
package kubestore
