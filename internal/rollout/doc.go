// Package rollout decides. Given what is asked for (Spec), what is remembered (Memory), one reading of the world (World) and
// the time, Decide says what to do now, what to remember first, how to describe it, and when to look again. It imports the
// standard library only, does no I/O, has no clock, and changes nothing that it is given.
//
// # How a pass goes
//
//	newView     sort the servers into fleets                             view.go
//	name        which fleet is stable, candidate, kept                   memory.go
//	judge       verdicts: failed promotions, automatic rollbacks         memory.go
//	settlePhase which phase counts                                       phase.go
//	enter       the first stage that matches, and what it plans          state.go and a file per stage
//	guard       the laws, as filters over that plan                      guard.go
//	report      status and conditions in words                           report.go
//
// # The stages
//
//	           declare a version
//	                  │
//	                  ▼    healthy        Live                             Complete
//	Settled ──▶  Preparing ──────▶ Preview ───▶ Promoting ─▶ Switching ─▶ Live ───────▶ Completing ─▶ Settled
//	                  ▲                             └─────┬─────┘          │
//	                  │ Live again                        ▼                │ RolledBack, Preview, verdict
//	              RolledBack ◀────────────────────── RollingBack ◀─────────┘
//
// Beside every stage goes on what needs no stage: retired fleets leave the pools and end, role tags follow the roles.
//
// # What comes next
//
// Foresee plays Decide on, against a world in which all goes well: a plan is made of that (foresee.go, future.go).
//
// # The laws
//
//  1. Add before remove: holdRemoval, holdZone; nobody counts who left a moment ago: distrust.
//  2. A reading that failed removes nothing, launches nothing, passes no check: holdBlind, fill, Pool.healthy.
//  3. Health is judged server by server: Pool.healthy.
//  4. A server ends only when it is ours, out of every pool, and over: holdEnd, inPool.
//  5. A launch token is in memory before the launch; one launch for a place: holdLaunch.
//  6. Strangers are not touched: holdForeign.
//  7. The fleet to fall back to is kept: over, and restore needs nothing but stable servers that run.
//
// Tests check them on a world of their own, at every action, under crashes, failed readings and random edits.
package rollout
