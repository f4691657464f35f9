// Package laws holds what a controller does to the local AWS against the laws of the design, on the ground truth, at the moment of
// every call and every event: for each test that uses the local AWS, and for the demo.
//
//	                 a call of the controller ──▶ hear ──▶ judge it before its effect ─┐
//	localaws.Cloud                                                                      ├─▶ Broken
//	                 an event: a server runs, a health check ends, … ──▶ look ──────────┘
//
// What a Release asks for, and what etcd remembers of it, is read from Kubernetes at that moment ([scene]); who is registered, healthy
// or draining is what AWS truly has, not what it answers. Nothing of the product is used but the names of tags: a mistake in the
// product is not made twice.
//
//	law 1  removal.go   enough healthy servers of ours stay in a production pool that some leave
//	law 4  end.go       what is terminated is in no pool that its Release knows of (known.go), for 30 s, and nobody holds it
//	law 5  launch.go    the token is in etcd, and no fleet gets more servers than were asked for
//	law 6  watch.go     what is touched is ours
//	law 7  end.go       the fleet to fall back to is kept, by what etcd remembers and by what production had
//	       launch.go    all servers of a revision are launched from one image with one user data
//	       entry.go     what enters production was asked for, and found healthy by the test pools
//	       end.go       a deletion leaves nothing behind that it was to take along
//	       gates.go     a fleet gives production back, passes the gate or is completed only once every production pool is ready for it
//	       held.go      nothing is changed in AWS for a Release without our finalizer, and no status is about an older generation than the last
//	       told.go      a status that says Live or Complete is true
//	       steady.go    pools go on answering, and with no other version than a test says
//
// Laws 2, 3 and 10 show in these and in where a scenario ends: calls are judged by what is so and not by what was read, so that a failed
// or empty reading that is taken for evidence (law 2) is a breach where the call that follows does harm, and none where it does not.
// 8, 9 and 11 are about Kubernetes, and checked there (test/e2e).
package laws
