package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A rollback, and the undoing of a promotion that was not finished: the same steps.
//
//	restore   forget that the gate was passed              → Register stable in all production pools
//	gate      every running stable server healthy in every production pool; or, health.rollbackTimeout after the
//	          first one was, at least one in each          → Deregister everybody else of ours from production
//	show      nobody else is left in production            → Register the candidate in the test pools
//
// Nothing here looks at the candidate's health, launches anything for it, or needs an image, a Secret or a window.

// mustRestore: production is to be served by stable, and somebody else of ours is in it or was about to be.
func (v *view) mustRestore() bool {
	if v.stable == nil || v.wantsCandidate() {
		return false
	}
	if c := v.candidate; c != nil && (!c.Promotion.StartedAt.IsZero() || !c.GateAt.IsZero()) {
		return true
	}
	return slices.ContainsFunc(v.fleets, func(f *fleet) bool { return f != v.stable && v.inProduction(f) })
}

// restore puts stable back and then takes everybody else out of production.
func (v *view) restore() {
	for _, f := range v.fleets {
		if f != v.stable {
			f.standDown()
		}
	}
	production := v.pools(UseProduction)
	v.join(production, v.stable, v.stable.running(), "put the stable version back")
	v.fill(v.stable, RoleStable, "replace a lost stable server")
	v.again(stepEvery)
	if !v.rollbackGate() {
		words := v.sickWords(production, v.stable)
		v.wait(fmt.Sprintf("stable version %s to be healthy in production again%s", v.stable.Version, words))
		if v.lasting("restore/"+v.stable.Name, true, v.patience()) {
			v.stall(ReasonUnsafe, fmt.Sprintf("both versions stay in production, because stable version %s is not healthy there%s; mend its servers, and it goes on by itself",
				v.stable.Version, words))
		}
		return
	}
	for _, f := range v.fleets {
		if f != v.stable {
			v.leave(v.healthierPools(f), f, f.all(), "give production back to version "+v.stable.Version)
		}
	}
}

// patience is how long stable may take to be back before a person should look.
func (v *view) patience() time.Duration {
	if v.slowPools() {
		return v.in.Spec.Health.RollbackTimeout + nlbExtra
	}
	return v.in.Spec.Health.RollbackTimeout
}

// healthierPools are the production pools that a fleet may leave: all of them when a person asked; after an automatic
// rollback only those in which stable is healthier than what leaves.
func (v *view) healthierPools(f *fleet) []Pool {
	pools := v.pools(UseProduction)
	if f.Verdict.Reason != ReasonAutoRolledBack {
		return pools
	}
	return slices.DeleteFunc(pools, func(p Pool) bool {
		return len(p.healthy(v.stable.all())) <= len(p.healthy(f.all()))
	})
}

// rollbackGate: stable is back as far as anybody will wait for it. It is about the stable fleet only.
func (v *view) rollbackGate() bool {
	pools, running := v.pools(UseProduction), v.stable.running()
	all := len(healthyEverywhere(pools, running)) == len(running)
	each := len(running) > 0 && !slices.ContainsFunc(pools, func(p Pool) bool { return len(p.healthy(running)) == 0 })
	waited := v.lasting("rollback/"+v.stable.Name, each, v.in.Spec.Health.RollbackTimeout)
	return each && (all || waited)
}

// stand keeps stable in production while nobody else is to be there.
func (v *view) stand() {
	if v.stable == nil {
		return
	}
	v.join(v.pools(UseProduction), v.stable, v.wanted(v.stable), "serve")
	v.leave(v.pools(UseTest), v.stable, v.stable.all(), "the stable version is not for the test pool")
	v.fill(v.stable, RoleStable, "replace a lost stable server")
	v.trim(v.stable)
	if lack := v.serviceLack(v.stable); lack != "" {
		v.wait("production to be whole: " + lack)
		v.again(stepEvery * 5)
	}
}

// showRejected puts a candidate that was rolled back on the test pools, for a look at what went wrong. Nothing is
// launched for it.
func (v *view) showRejected() {
	v.join(v.pools(UseTest), v.candidate, v.candidate.running(), "show the rejected candidate on the test pool")
}

// blindness says what cannot be seen; empty when everything can. It freezes removals (law 2).
func (v *view) blindness() string {
	var words []string
	if v.in.World.ServersErr != "" {
		words = append(words, "EC2 cannot be read: "+v.in.World.ServersErr)
	}
	for _, p := range v.in.World.Pools {
		if p.Use != UseReleased && !p.Readable() {
			words = append(words, fmt.Sprintf("pool %s cannot be read: %s", p.Name, p.Err))
		}
	}
	return strings.Join(words, "; ")
}
