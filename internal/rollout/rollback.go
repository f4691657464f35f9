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
//	show      a good reading shows nobody else there       → Register the candidate in the test pools
//
// Nothing here looks at the candidate's health, launches anything for it, or needs an image, a Secret or a window.

// mustRestore: production is to be served by stable, and somebody else of ours is in it; or was, and no good reading has
// shown yet that it left.
func (v *view) mustRestore() bool {
	if v.stable == nil || v.wantsCandidate() {
		return false
	}
	return slices.ContainsFunc(v.fleets, func(f *fleet) bool {
		return f != v.stable && (!f.Promotion.StartedAt.IsZero() || v.inProduction(f))
	})
}

// undone forgets the promotions that are being undone, once a good reading shows that nobody of them is in production.
func (v *view) undone() {
	unseen := slices.ContainsFunc(v.pools(UseProduction), func(p Pool) bool { return !p.Readable() })
	if unseen || v.in.World.ServersErr != "" {
		return
	}
	for _, f := range v.fleets {
		if !f.Promotion.StartedAt.IsZero() && len(f.Promotion.Cohort) == 0 && !v.inProduction(f) {
			f.standDown()
		}
	}
}

// undo forgets how far the revision came. That it was on its way is remembered until it is undone.
func (r *Revision) undo() {
	started := r.Promotion.StartedAt
	r.standDown()
	r.Promotion.StartedAt = started
}

// restore puts stable back and then takes everybody else out of production.
func (v *view) restore() {
	for _, f := range v.fleets {
		if f != v.stable {
			f.undo()
		}
	}
	production := v.pools(UseProduction)
	v.insist(production, v.stable, v.stable.running())
	v.join(production, v.stable, v.stable.running(), "put the stable version back")
	v.fill(v.stable, RoleStable, "keep the stable fleet whole")
	v.again(stepEvery)
	if !v.rollbackGate() {
		words := v.sickWords(production, v.stable)
		if blind := v.blindness(); blind != "" {
			words = " as far as anybody can see (" + blind + ")"
		}
		v.wait(fmt.Sprintf("stable version %s to be healthy in production again%s", v.stable.Version, words))
		if v.lasting("restore/"+v.stable.Name, true, v.patience()) {
			v.stall(ReasonUnsafe, fmt.Sprintf("both versions stay in production, because stable version %s is not healthy there%s; "+
				"once it is, this goes on by itself", v.stable.Version, words))
		}
		return
	}
	for _, f := range v.fleets {
		if f != v.stable && v.leave(v.healthierPools(f), f, f.all(), "give production back to version "+v.stable.Version) {
			v.wait("version " + f.Version + " to leave production")
		}
	}
}

// insist registers servers in pools that cannot be read, and again every half minute: a rollback does not wait for eyes.
func (v *view) insist(pools []Pool, f *fleet, servers []Server) {
	for _, p := range pools {
		if p.Readable() || p.Missing || len(servers) == 0 || !slices.Contains(f.Pools, p.ID) {
			continue
		}
		if v.lasting("insist/"+p.ID, true, retryEvery) || v.soft.Since["insist/"+p.ID].Equal(v.in.Now) {
			v.soft.Since["insist/"+p.ID] = v.in.Now
			v.do(Register{Pool: p, Servers: ids(servers), Why: fmt.Sprintf("put the stable version back, unseen: %s of version %s into %s",
				counted(len(servers)), f.Version, p.Name)})
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
	if f.Verdict.Reason != ReasonAutoRolledBack || v.phaseRule != RuleVerdict {
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
	each := v.in.World.ServersErr == "" && len(running) > 0 && !slices.ContainsFunc(pools, func(p Pool) bool { return len(p.healthy(running)) == 0 })
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
	v.fill(v.stable, RoleStable, "keep the stable fleet whole")
	v.trim(v.stable)
	if lack := v.serviceLack(v.stable); lack != "" && v.in.World.ServersErr == "" {
		v.wait("production to be whole: " + lack)
		v.again(stepEvery * 5)
	}
}

// reject keeps stable in production and the rejected candidate on the test pools.
func (v *view) reject() {
	v.stand()
	v.showRejected()
	v.trim(v.candidate)
}

// showRejected puts a candidate that was rolled back on the test pools, for a look at what went wrong. Nothing is
// launched for it.
func (v *view) showRejected() {
	c := v.candidate
	v.join(v.pools(UseTest), c, v.wanted(c), "show the rejected candidate on the test pool")
	coming := len(c.running()) > 0 && len(v.previewReady()) < len(c.running())
	if coming && !v.lasting("shown/"+c.Name, true, v.in.Spec.Health.Timeout) {
		v.again(stepEvery * 5) // somebody looks at it there
	}
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
