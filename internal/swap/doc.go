// Package swap reads from the ledger of the local AWS how long it took to exchange the fleet that serves, whoever did it: the
// demo measures the product by it, and the benchmark the product beside others.
//
// What counts is the time from the edit of spec.phase to the effect of the last Deregister in production. Most of it is AWS's own:
// from the first Register's effect until AWS finds the last server of the incoming fleet healthy in the last pool. That is the
// bound, which nobody can beat without giving up safety; what is ours is the time above it.
//
//	edit accepted      first Register            last server healthy       last Deregister
//	      ├───── ours ───────┼──────── the bound ────────┼────── ours ───────────┤
package swap
