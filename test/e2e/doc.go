// Package e2e holds the everyday life of a Release as named scenarios: the real reconciler and the real AWS adapters on a
// real API server and the local AWS, which keeps the ground truth.
//
//	API server (real)  ◀── the scenario applies and edits Releases, as a person does
//	      ▲
//	      │ Reconcile, called directly, when the Release is due
//	      ▼
//	controllers + awscloud ──▶ local AWS in the same process, on a virtual clock
//	                               ▲
//	                               └── internal/laws looks at every call before and after it takes effect
//
// Time stands still while the controller works and jumps to the next thing that is due: a look at a Release, or an event
// in AWS. So a scenario of an hour takes seconds, and a run can be repeated.
//
// The same scenarios are played on three kinds of worlds, which differ in who makes the passes:
//
//	NewWorld    the scenario itself, between two events              virtual time   this package
//	NewManned   a manager as main makes it, in a synctest bubble     virtual time   test/safety, crash points and faults
//	NewReal     the manager's binary, in a process of its own        real time      test/safety, killed and frozen managers
//
// A scenario asserts the world and not the calls: which versions the load balancers really send requests to, which servers
// really run. The laws are checked in all of them. Scenarios are registered in All, so that other suites can replay
// them under faults and crashes.
package e2e
