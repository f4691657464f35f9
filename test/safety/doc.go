// Package safety shows that the laws hold when things go wrong: the scenarios of test/e2e are played again and again on the local
// AWS and an API in memory, in virtual time, with the real manager, which is killed at every call that it makes (crash.go).
//
//	run       a scenario on its own: its calls are the trace, the world at its end is what it should be
//	points    for each call of the trace: killed before it, after its effect with the reply lost, after the reply
//	verdict   the laws held at every call, the scenario went its way, and the world at its end is the same
//
// What is killed is internal/operator's manager, as main makes it, with all of its goroutines: a bubble of synctest does not end
// while one is left. Another takes its place after a second and knows what etcd and AWS tell it.
//
//	make safety                                       a set for each change
//	make safety-deep BUDGET=2h                        all scenarios, as far as the time reaches
//	make repro SEED='crash/RolledBack, and Live again/17/lost'   one run again, with its calls
package safety
