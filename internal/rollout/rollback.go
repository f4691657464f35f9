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

// mustRestore: production is to be served by stable for now, and somebody else of ours is in it; or was, and no good reading
// has shown yet that it left. A candidate that is wanted there and has not begun waits until then; one that was being undone
// and is wanted again goes on from where it is.
func (v *view) mustRestore() bool {
	if v.stable == nil || v.takesOver() || v.overtakes() {
		return false
	}
	return slices.ContainsFunc(v.fleets, func(f *fleet) bool {
		wanted := f == v.stable || f == v.candidate && v.wantsCandidate()
		return !wanted && !v.spared(f) && (!f.Promotion.StartedAt.IsZero() || v.inProduction(f))
	})
}

// restoresInVain: stable has been on its way back for longer than anybody should wait.
func (v *view) restoresInVain() bool {
	began, restoring := v.in.Soft.Since["restore/"+v.stable.Name]
	return restoring && v.in.Now.Sub(began) > v.patience()
}

// overtakes: stable does not come back, and a newer version that is wanted stands ready. It goes in beside the others; who is
// to leave leaves after its gate.
func (v *view) overtakes() bool {
	return v.wantsCandidate() && v.restoresInVain() && v.isPreviewReady() && v.unfit() == Problem{}
}

// spared: nobody knows yet whether the fleet is the one that the spec describes, and nobody asked to go back.
func (v *view) spared(f *fleet) bool { return v.unknown(f) && v.phase != PhaseRolledBack }

// undone forgets the promotions that are being undone, once a good reading shows that nobody of them is in production. One that nobody was
// taken out for may have been read before it came in.
func (v *view) undone() {
	unseen := slices.ContainsFunc(v.pools(UseProduction), func(p Pool) bool { return !p.Readable() })
	if unseen || v.in.World.ServersErr != "" {
		return
	}
	for _, f := range v.fleets {
		if f.Promotion.StartedAt.IsZero() || len(f.Promotion.Cohort) > 0 || v.inProduction(f) {
			continue
		}
		if coming := readingLag - v.in.Now.Sub(f.Promotion.StartedAt); coming > 0 && !f.hasLeft() {
			v.again(min(coming, v.step()))
			continue
		}
		f.standDown()
	}
}

// undo forgets how far the revision came. That it was on its way is remembered until it is undone.
func (r *Revision) undo() {
	undone := Promotion{StartedAt: r.Promotion.StartedAt}
	r.standDown()
	r.Promotion = undone
}

// restore puts stable back and then takes everybody else out of production.
func (v *view) restore() {
	for _, f := range v.fleets {
		if f != v.stable && !v.spared(f) {
			f.undo()
		}
	}
	_, begun := v.in.Soft.Since["restore/"+v.stable.Name]
	stuck := v.lasting("restore/"+v.stable.Name, true, v.patience())
	v.putBack(begun)
	v.fill(v.stable, RoleStable, "keep the stable fleet whole")
	switch {
	case !begun:
		v.again(confirmEvery)
		v.wait(fmt.Sprintf("a look that shows stable version %s in production", v.stable.label))
	case !v.rollbackGate():
		v.tellLack(stuck)
	case v.giveBack():
		v.again(v.step())
	default: // nobody may leave yet, or nobody can be seen there
		v.again(stuckEvery)
	}
}

// putBack registers the running stable servers. The first time it registers all of them, whatever the readings say: they
// may be of before our own Deregister, and registering twice does no harm.
func (v *view) putBack(begun bool) {
	production, running := v.pools(UseProduction), v.stable.running()
	if begun {
		v.insist(production, v.stable, running)
		v.join(production, v.stable, running, "put the stable version back")
		return
	}
	for _, p := range production {
		if p.nowhere() || len(running) == 0 {
			continue
		}
		v.soft.Since["insist/"+p.ID] = v.in.Now
		v.stable.notePool(p.ID)
		v.do(Register{Pool: p, Servers: ids(running), Why: fmt.Sprintf("put the stable version back: %s of version %s into %s",
			listed(ids(running)), v.stable.label, p.Label())})
	}
}

// tellLack says what the way back still lacks.
func (v *view) tellLack(stuck bool) {
	words := v.sickWords(v.pools(UseProduction), v.stable)
	if blind := v.blindness(); blind != "" {
		words = " as far as anybody can see (" + blind + ")"
	}
	v.wait(fmt.Sprintf("stable version %s to be healthy in production again%s", v.stable.label, words))
	if !stuck {
		v.again(v.step())
		return
	}
	v.again(stuckEvery)
	v.stall(ReasonUnsafe, fmt.Sprintf("nobody is taken out of production, because stable version %s is not healthy there%s; "+
		"once it is, this goes on by itself", v.stable.label, words))
}

// giveBack takes everybody but stable out of production, and reports whether anybody is to leave.
func (v *view) giveBack() (leaves bool) {
	for _, f := range v.fleets {
		if f != v.stable && !v.spared(f) && v.leave(v.healthierPools(f), f, f.all(), "give production back to version "+v.stable.label) {
			v.wait("version " + f.label + " to leave production")
			leaves = true
		}
	}
	return leaves
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
				listed(ids(servers)), f.label, p.Label())})
		}
	}
}

// patience is how long stable may take to be back before a person should look.
func (v *view) patience() time.Duration {
	return v.in.Spec.Health.RollbackTimeout + v.slowness(UseProduction)
}

// healthierPools are the production pools that a fleet may leave: all of them when a person asked; after an automatic
// rollback only those in which stable is healthier than what leaves.
func (v *view) healthierPools(f *fleet) []Pool {
	pools := v.pools(UseProduction)
	if f.Verdict.Reason != ReasonAutoRolledBack || v.phaseRule != RuleVerdict {
		return pools
	}
	return slices.DeleteFunc(pools, func(p Pool) bool {
		return len(p.healthy(v.stable.all())) <= len(p.maybeHealthy(f.all()))
	})
}

// rollbackGate: stable is back as far as anybody will wait for it. It is about the stable fleet only. The clock stands, and
// the gate is closed, while production cannot be read. A server that EC2 does not show for now is waited for like one that is not
// healthy, and so is one that left a moment ago (left.go).
func (v *view) rollbackGate() bool {
	clock := "rollback/" + v.stable.Name
	if v.in.World.ServersErr != "" || slices.ContainsFunc(v.pools(UseProduction), func(p Pool) bool { return !p.Readable() }) {
		v.keep(clock)
		return false
	}
	pools, running := v.pools(UseProduction), v.stable.running()
	awaited := v.awaited(running)
	all := len(v.unaccounted(v.stable)) == 0 && len(healthyEverywhere(pools, awaited)) == len(awaited)
	each := len(running) > 0 && !slices.ContainsFunc(pools, func(p Pool) bool { return len(p.healthy(running)) == 0 })
	waited := v.lasting(clock, each, v.in.Spec.Health.RollbackTimeout)
	return each && (all || waited)
}

// awaited are the stable servers that a rollback waits for: those that were there when it began. What is launched beside it
// is not waited for, unless there is nobody else.
func (v *view) awaited(running []Server) []Server {
	began, restoring := v.in.Soft.Since["restore/"+v.stable.Name]
	there := slices.DeleteFunc(slices.Clone(running), func(s Server) bool { return restoring && s.Launched.After(began) })
	if len(there) == 0 {
		return running
	}
	return there
}

// stand keeps stable in production while nobody else is to be there.
func (v *view) stand() {
	if v.stable == nil {
		return
	}
	for _, f := range v.fleets {
		if f != v.stable && v.spared(f) && v.inProduction(f) {
			v.wait(fmt.Sprintf("version %s, which serves, to be known as what is declared, or as not", f.label))
			return
		}
	}
	v.join(v.pools(UseProduction), v.stable, v.wanted(v.stable), "serve")
	v.leave(v.pools(UseTest), v.stable, v.stable.all(), "the stable version is not for the test pool")
	v.fill(v.stable, RoleStable, "keep the stable fleet whole")
	v.trim(v.stable)
	if lack := v.serviceLack(v.stable); lack != "" && v.in.World.ServersErr == "" {
		v.wait("production to be whole: " + lack)
		v.again(stuckEvery)
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
		v.again(stuckEvery) // somebody looks at it there
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
			words = append(words, fmt.Sprintf("pool %s cannot be read: %s", p.Label(), p.Err))
		}
	}
	return strings.Join(words, "; ")
}
