package rollout

import (
	"fmt"
	"slices"
	"time"
)

// A promotion, step by step. Each step is a pass or more; what is remembered is written before the calls of that step.
//
//	begin    remember when it began and which servers were healthy in Preview (the cohort) → Register in all production pools
//	gate     every server of the cohort healthy in every production pool, health.consecutive passes in a row
//	switch   remember the gate                                  → Deregister stable from all production pools
//	live     no stable server is left: remember since when      → take the candidate off the test pools
//
// Until "live" another phase or revision undoes it (rollback.go).

// promote takes the next step. The candidate is ready in Preview, or the promotion has begun. The gate is met by a reading
// that shows the whole cohort healthy, so it began after their Register; that of a server which comes later is no part of it.
func (v *view) promote() {
	c := v.candidate
	v.enrol(c)
	v.muster()
	if lack := v.gateLack(c); lack != "" {
		soon := unhurried(v.in.Now.Sub(c.Promotion.StartedAt))
		for _, p := range v.pools(UseProduction) {
			if p.Denied != "" {
				v.stall(ReasonAccessDenied, fmt.Sprintf("version %s cannot be registered in %s: %s", c.label, p.Label(), p.Denied))
			}
		}
		v.wait(fmt.Sprintf("version %s to be healthy in every production pool: %s", c.label, lack))
		if v.stable == nil && v.timeLeft(c) <= 0 {
			soon = stuckEvery
			v.stall(ReasonPromotionFailed, fmt.Sprintf("version %s is not healthy in every production pool after %s: %s; it stays there, because there is "+
				"no stable version to put in its place; mend the servers, or declare another version", c.label, v.gateTime(), lack))
		}
		v.again(max(v.step(), soon))
		return
	}
	v.soft.GoodPasses = v.in.Soft.GoodPasses + 1
	if v.soft.GoodPasses < v.in.Spec.Health.Consecutive {
		v.again(confirmEvery)
		v.wait("the next good health reading to confirm the last")
		return
	}
	c.GateAt = v.in.Now
	c.Promotion.Pools = nil
	for _, p := range v.pools(UseProduction) {
		c.Promotion.Pools = append(c.Promotion.Pools, p.ID)
	}
	slices.Sort(c.Promotion.Pools)
	v.switchOver()
}

// muster keeps the candidate whole while it goes into production, and puts in whoever may.
func (v *view) muster() {
	c := v.candidate
	v.fill(c, RoleCandidate, "keep the candidate whole")
	v.join(v.pools(UseTest), c, v.wanted(c), "show the candidate on the test pool")
	v.join(v.pools(UseProduction), c, v.promotable(), "promote")
}

// gateTime is how long a promotion may take to its gate.
func (v *view) gateTime() time.Duration { return v.healthTime(UseProduction) }

// healthTime is how long servers may take to be healthy in the pools of one use.
func (v *view) healthTime(use PoolUse) time.Duration {
	return v.in.Spec.Health.Timeout + v.slowness(use)
}

// slowness is the time that pools of one use need beside that: a network load balancer takes minutes to register a server.
func (v *view) slowness(use PoolUse) time.Duration {
	if slices.ContainsFunc(v.pools(use), func(p Pool) bool { return p.Kind == KindNLB }) {
		return nlbExtra
	}
	return 0
}

// timeLeft is how much of that the promotion has left; none where it is not above zero.
func (v *view) timeLeft(c *fleet) time.Duration {
	return v.gateTime() - v.in.Now.Sub(c.Promotion.StartedAt)
}

// enrol remembers the cohort: who was healthy in Preview when the promotion began. A cohort that cannot pass any more,
// because a server of it is gone or more are asked for now, is enrolled again once Preview is healthy; its clock goes on.
func (v *view) enrol(c *fleet) {
	ready := ids(v.previewReady())
	gone := func(id string) bool {
		return !slices.ContainsFunc(c.servers, func(s Server) bool { return s.ID == id })
	}
	switch {
	case len(c.Promotion.Cohort) == 0:
		c.Promotion = Promotion{StartedAt: v.in.Now, Cohort: ready}
		v.soft.Since[watching+c.Name] = v.in.Now
	case len(ready) < v.asked:
	case len(c.Promotion.Cohort) < v.asked || slices.ContainsFunc(c.Promotion.Cohort, gone):
		c.Promotion.Cohort = ready
	}
}

// promotable are the servers that go into production: the cohort, and whoever became healthy in Preview since.
func (v *view) promotable() []Server {
	ready := ids(v.previewReady())
	return slices.DeleteFunc(v.candidate.running(), func(s Server) bool {
		return !slices.Contains(v.candidate.Promotion.Cohort, s.ID) && !slices.Contains(ready, s.ID)
	})
}

// gateLack says what the gate still lacks in this reading; empty when it is met. A pool that could not be read passes no
// check; and a server of the cohort that died lacks for ever: the promotion then runs into its time-out.
func (v *view) gateLack(c *fleet) string {
	pools := v.pools(UseProduction)
	cohort := slices.DeleteFunc(c.running(), func(s Server) bool { return !slices.Contains(c.Promotion.Cohort, s.ID) })
	healthy := healthyEverywhere(pools, cohort)
	switch {
	case v.in.World.ServersErr != "":
		return "EC2 cannot be read: " + v.in.World.ServersErr
	case len(healthy) >= max(v.asked, len(c.Promotion.Cohort)):
		return ""
	case len(cohort) < len(c.Promotion.Cohort):
		return fmt.Sprintf("%d of the %d servers that were healthy in Preview do not run any more",
			len(c.Promotion.Cohort)-len(cohort), len(c.Promotion.Cohort))
	case len(cohort) < v.asked:
		return fmt.Sprintf("the promotion began with %d servers and %d are asked for now", len(c.Promotion.Cohort), v.asked)
	}
	return fmt.Sprintf("%d of %d are%s", len(healthy), len(cohort), v.sickWords(pools, c))
}

// switchOver takes stable out of production; the candidate has passed the gate.
func (v *view) switchOver() {
	c := v.candidate
	if blind := v.blindness(); blind != "" {
		v.wait("a look at every pool: " + blind)
		v.again(v.step())
		return
	}
	if v.stable != nil && v.leave(v.pools(UseProduction), v.stable, v.stable.all(), "switch to version "+c.label) {
		v.wait("the old version to leave production")
		return
	}
	if hidden := v.concealed(); hidden != "" {
		v.wait(hidden)
		v.again(v.step())
		return
	}
	v.goLive()
}

// concealed says which server of the stable fleet a production pool sends requests to while EC2 does not show it; empty if there is none. It
// is ours, by memory, and leaves as soon as EC2 shows it again: until then the candidate does not serve alone. What EC2 leaves out for
// absentAfter is gone, whatever a pool says.
func (v *view) concealed() string {
	if v.stable == nil {
		return ""
	}
	for _, id := range v.unaccounted(v.stable) {
		if p := v.serves(id); p != nil {
			return fmt.Sprintf("EC2 to show server %s of version %s again, which is still in %s", id, v.stable.label, p.Label())
		}
	}
	return ""
}

// serves is a production pool that sends requests to the server, or nil.
func (v *view) serves(id string) *Pool {
	for _, p := range v.pools(UseProduction) {
		if m, in := p.member(id); in && m.State != MemberDraining {
			return &p
		}
	}
	return nil
}

// goLive remembers that the candidate is Live and forgets that any other revision was.
func (v *view) goLive() {
	for _, f := range v.fleets {
		if f != v.candidate {
			f.standDown()
		}
	}
	v.candidate.LiveAt = v.in.Now
	v.wait("a look that shows version " + v.candidate.label + " alone in production")
	v.again(v.step())
}

// serve keeps a Live candidate in production and everything else of ours out of the way.
func (v *view) serve() {
	c := v.candidate
	v.fill(c, RoleCandidate, "keep the Live fleet whole")
	v.join(v.pools(UseProduction), c, v.wanted(c), "serve")
	v.leave(v.pools(UseTest), c, c.all(), "Live: leave the test pool")
	if v.stable != nil {
		v.leave(v.pools(UseProduction), v.stable, v.stable.all(), "version "+c.label+" is Live")
		v.leave(v.pools(UseTest), v.stable, v.stable.all(), "stand by for a rollback, in no pool")
		v.aside(func() { v.fill(v.stable, RoleStable, "keep the fleet to fall back to whole") })
	}
	v.trim(c)
	v.trim(v.stable)
	if lack := v.serviceLack(c); lack != "" && v.in.World.ServersErr == "" {
		v.wait("production to be whole: " + lack)
		v.again(stuckEvery)
	}
	v.countReady()
}

// serviceLack says in which production pool a fleet has fewer healthy servers than asked for; empty when in none.
func (v *view) serviceLack(f *fleet) string {
	if v.in.World.ServersErr != "" {
		return "EC2 cannot be read: " + v.in.World.ServersErr
	}
	for _, p := range v.pools(UseProduction) {
		if n := len(p.healthy(f.all())); n < v.asked {
			return fmt.Sprintf("%d of %d servers of version %s are healthy in %s%s", n, v.asked, f.label, p.Label(), v.sickWords([]Pool{p}, f))
		}
	}
	return ""
}

// productionLack is how many of the healthy servers that are asked for the worst production pool lacks, whichever of our fleets the
// others are of; 0 where production is well. It is a fact about production and not about the way on: it hangs on no stage and no
// verdict. It is nil where no fleet of ours has production yet, and where what can be read does not tell (law 2).
func (v *view) productionLack(stage Stage) *int {
	pools := v.pools(UseProduction)
	serves := v.stable != nil || v.isLive(v.candidate)
	over := stage == StageDeleting || stage == StageEstranged
	if !serves || over || v.in.World.ServersErr != "" || len(pools) == 0 {
		return nil
	}
	least, most := v.lacks(pools)
	if least == 0 && most > 0 {
		return nil
	}
	return &least
}

// lacks is how many healthy servers the worst of the pools lacks: at least, and if nothing is well that could not be read.
func (v *view) lacks(pools []Pool) (least, most int) {
	var ours []Server
	for _, f := range v.fleets {
		ours = append(ours, f.all()...)
	}
	for _, p := range pools {
		most = max(most, v.asked-len(p.healthy(ours)))
		if p.Readable() {
			least = max(least, v.asked-len(p.maybeHealthy(ours)))
		}
	}
	return least, most
}

// countReady runs the stopwatch of completeAfter: only while the candidate serves as asked, seen with open eyes. Time in which
// nobody looked does not count: where the last look was long ago, or another process's, it begins again from what was spent.
// Memory changes only when it starts or stops, and now and then, so that a restart does not lose all of it.
func (v *view) countReady() {
	c := v.candidate
	if v.in.Spec.CompleteAfter <= 0 || !v.isLive(c) || v.blindness() != "" || v.serviceLack(c) != "" {
		v.stopReady()
		return
	}
	v.soft.Since[counted+c.Name] = v.in.Now
	watched := v.watchedUntil(c)
	if gap := !watched.Equal(v.in.Now); c.Ready.Since.IsZero() || gap || v.in.Now.Sub(c.Ready.Since) >= max(v.in.Spec.CompleteAfter/4, time.Hour) {
		c.Ready = Stopwatch{Spent: c.Ready.Elapsed(watched), Since: v.in.Now}
	}
}

// counted is the clock that shows when this process last saw a candidate serve as asked.
const counted = "counted/"

// watchedUntil is the moment up to which the stopwatch may count: now, or when somebody last looked.
func (v *view) watchedUntil(c *fleet) time.Time {
	looked, known := v.in.Soft.Since[counted+c.Name]
	switch {
	case !known:
		return c.Ready.Since
	case v.in.Now.Sub(looked) > longUnseen:
		return looked
	}
	return v.in.Now
}

// stopReady stops the stopwatch of completeAfter.
func (v *view) stopReady() {
	if c := v.candidate; c != nil && !c.Ready.Since.IsZero() {
		c.Ready = Stopwatch{Spent: c.Ready.Elapsed(v.watchedUntil(c))}
	}
}

// complete makes the Live candidate the stable fleet: the point of no return, one write. It needs a fresh reading of the
// asked-for healthy servers in every production pool.
func (v *view) complete() {
	c := v.candidate
	lack := v.serviceLack(c)
	if blind := v.blindness(); blind != "" {
		lack = blind
	}
	if lack != "" {
		v.serve()
		refused := "Complete would end the fleet to fall back to, and is refused while the candidate is not whole: " + lack +
			"; mend it, or set spec.phase to RolledBack"
		if v.stable == nil {
			refused = "Complete is refused while the first version is not whole: " + lack + "; mend it, or set spec.phase to Live until it is"
		}
		v.stall(ReasonUnhealthy, refused)
		return
	}
	c.StableSeq, c.Completed = v.nextSeq(), true
	c.standDown()
	v.again(confirmEvery)
	v.wait("the former version to be retired")
}
