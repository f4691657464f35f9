package rollout

import (
	"fmt"
	"slices"
	"time"
)

// This file holds every change of memory that is not part of a stage: which revision is the candidate, which one is
// stable, and which verdicts stand.

// name settles who is stable, who is the candidate and who is kept, after it has remembered what the target changes.
func (v *view) name() {
	v.numberStable()
	v.undone()
	if target := v.memory.find(v.in.Spec.Target); target != nil {
		v.retarget(target)
		v.resume(target)
	}
	v.assign()
	v.recallLive()
}

// recallLive remembers what the pools show of a candidate that was taken over from a former Release, or whose record was lost:
// it has production for itself, and nothing is known of how it came there. Without that, no phase at all would take it out.
func (v *view) recallLive() {
	c := v.candidate
	if c == nil || v.stable == nil || v.isLive(c) || !c.GateAt.IsZero() || !c.Promotion.StartedAt.IsZero() || c.launched() {
		return
	}
	v.recall(c, v.stable)
}

// recall remembers that a fleet is Live where it is in every production pool and the one to fall back to is in none.
func (v *view) recall(f, fallback *fleet) {
	if v.blindness() != "" {
		return
	}
	var all []string
	for _, p := range v.pools(UseProduction) {
		if len(p.registered(f.all())) == 0 || len(p.registered(fallback.all())) > 0 {
			return
		}
		all = append(all, p.ID)
	}
	f.LiveAt, f.Promotion = v.in.Now, Promotion{StartedAt: v.in.Now, Pools: all}
}

// launched: some server of the fleet came from a launch that memory knows.
func (f *fleet) launched() bool {
	return slices.ContainsFunc(f.Launches, func(a Attempt) bool { return a.Token != "" })
}

// numberStable remembers a stable fleet that only role tags tell of: a reading of EC2 that fails must not make the fleet to
// fall back to disappear.
func (v *view) numberStable() {
	if r := v.stableRevision(); r != nil && r.StableSeq == 0 {
		r.StableSeq = v.nextSeq()
	}
}

// retarget makes the target the revision that was declared last.
//
//	candidate before    target now          what is remembered
//	not Live            another one         target gets the next number; the candidate is retired by being neither
//	Live                a third one         the candidate becomes stable (the fleet before it is kept until target is Live),
//	                                        unless there is a verdict against it
//	any                 the stable one      target gets the next number; there is no candidate, and rollback.go gives
//	                                        production back to stable
func (v *view) retarget(target *Revision) {
	last, stable := v.lastDeclared(), v.stableRevision()
	if last != nil && last.Name == target.Name {
		return
	}
	if target != stable {
		if last != nil && last != stable && !last.LiveAt.IsZero() && last.Verdict.Reason == "" {
			last.StableSeq, last.Completed = v.nextSeq(), false
		}
		target.standDown()
	}
	if target.Retired {
		target.Retired, target.StableSeq, target.Completed = false, 0, false
	}
	target.Number = v.nextNumber()
	if last != nil {
		target.Retry = last.Retry
	}
	for i := range v.memory.Revisions {
		v.memory.Revisions[i].Verdict = Verdict{}
	}
}

// resume makes stable the Live candidate again, with the fleet before it to fall back to, where it became stable only
// because another revision was declared, and is declared again before that one was Live. Under Preview and RolledBack it
// stays stable: those would take it out of production, and who cancels a deploy does not ask for that. While the other one is on its
// way it stays stable, too, and is put back first: it may have left production a moment ago, whatever readings say. The other one may be the
// fleet before it, which was sent to production once more: then it is Live anew once production is its own again.
func (v *view) resume(target *Revision) {
	asks := forward(v.in.Spec.Phase) || v.in.Spec.Phase == PhaseNone
	underway := func(r Revision) bool { return r.Name != target.Name && !r.Promotion.StartedAt.IsZero() }
	if target != v.stableRevision() || target.Completed || !asks || slices.ContainsFunc(v.memory.Revisions, underway) {
		return
	}
	fallback := v.fallbackOf(target)
	if fallback == nil {
		return
	}
	if target.LiveAt.IsZero() {
		v.recall(v.fleet(target.Name), fallback)
	}
	if !target.LiveAt.IsZero() {
		target.StableSeq = 0
	}
}

// standDown forgets how far the revision was on its way into production: what comes next begins anew.
func (r *Revision) standDown() {
	r.Promotion, r.GateAt, r.LiveAt, r.Ready = Promotion{}, time.Time{}, time.Time{}, Stopwatch{}
}

// lastDeclared is the revision with the highest number.
func (v *view) lastDeclared() *Revision {
	return highest(v.memory.Revisions, func(r Revision) int64 { return r.Number })
}

// stableRevision is the revision with the highest stable sequence number; a retired one is not stable any more. Where none
// has one, the role tags speak: they are what is left when ControllerRevisions were lost, or when servers were adopted.
func (v *view) stableRevision() *Revision {
	remembered := func(r Revision) int64 {
		if r.Retired {
			return 0
		}
		return r.StableSeq
	}
	if r := highest(v.memory.Revisions, remembered); r != nil {
		return r
	}
	newest := func(r Revision) int64 {
		var at int64
		for _, s := range v.in.World.Servers {
			if s.Revision == r.Name && s.Role == RoleStable && alive(s) {
				at = max(at, s.Launched.Unix(), 1)
			}
		}
		return at
	}
	return highest(v.memory.Revisions, newest)
}

// highest finds the revision with the highest rank above zero; nil if none has one.
func highest(revisions []Revision, rank func(Revision) int64) *Revision {
	var best *Revision
	for i := range revisions {
		if n := rank(revisions[i]); n > 0 && (best == nil || n > rank(*best)) {
			best = &revisions[i]
		}
	}
	return best
}

func (v *view) nextNumber() int64 {
	if r := v.lastDeclared(); r != nil {
		return r.Number + 1
	}
	return 1
}

func (v *view) nextSeq() int64 {
	if r := highest(v.memory.Revisions, func(r Revision) int64 { return r.StableSeq }); r != nil {
		return r.StableSeq + 1
	}
	return 1
}

// fallbackOf is the fleet that was stable before this stable revision and is still kept.
func (v *view) fallbackOf(stable *Revision) *fleet {
	before := highest(v.memory.Revisions, func(r Revision) int64 {
		if r.Name == stable.Name || r.Retired || len(v.fleet(r.Name).all()) == 0 {
			return 0
		}
		return r.StableSeq
	})
	if before == nil {
		return nil
	}
	return v.fleet(before.Name)
}

// assign points stable, candidate and kept at their fleets, and marks as retired what nothing can bring back.
func (v *view) assign() {
	v.stable, v.candidate, v.kept = nil, nil, nil
	stable, last := v.stableRevision(), v.lastDeclared()
	if stable != nil {
		v.stable = v.fleet(stable.Name)
	}
	if last != nil && last != stable {
		v.candidate = v.fleet(last.Name)
	}
	if stable == nil {
		return
	}
	before := v.fallbackOf(stable)
	if before == nil || before == v.candidate {
		return
	}
	if stable.Completed || v.isLive(v.candidate) {
		before.Retired = true
		return
	}
	v.kept = before
}

// isLive: the gate was passed and no stable server was left in a production pool.
func (v *view) isLive(f *fleet) bool { return f != nil && !f.LiveAt.IsZero() }

// judge clears the verdicts that somebody answered and passes the new ones. An override clears none.
func (v *view) judge() {
	v.heedRetry()
	c := v.candidate
	if c == nil {
		return
	}
	asks := v.in.Spec.Phase == PhasePreview || v.in.Spec.Phase == PhaseRolledBack
	if v.in.Spec.Target == c.Name && asks && !v.overridden() {
		c.Verdict = Verdict{}
		return
	}
	if c.Verdict.Reason != "" || v.in.Spec.Paused || v.stable == nil {
		return
	}
	if v.blindness() != "" {
		v.haltSince(lastJudged, shortKind)
		v.keepJudged()
		return
	}
	v.judgePromotion(c)
	v.judgeLive(c)
}

// heedRetry forgets verdict and failed launches when the annotation slipway.dev/retry has a new value.
func (v *view) heedRetry() {
	f := v.candidate
	if f == nil {
		f = v.stable
	}
	if f == nil || v.in.Spec.Retry == f.Retry {
		return
	}
	f.Retry = v.in.Spec.Retry
	f.Verdict = Verdict{}
	for _, f := range v.fleets {
		for i := range f.Launches { // kept, because numbers must not repeat and a server may not be seen yet
			a := &f.Launches[i]
			a.Pardoned, a.Failure = a.Pardoned || !a.Open, Failure{}
		}
	}
}

// judgePromotion rejects a promotion that does not reach the gate in time. Past the gate no clock undoes anything, and one
// that is at the gate when somebody looks again is not late.
func (v *view) judgePromotion(c *fleet) {
	if len(c.Promotion.Cohort) == 0 || !c.GateAt.IsZero() || !c.Stopped.IsZero() || v.gateLack(c) == "" {
		return
	}
	if left := v.timeLeft(c); left > 0 {
		v.again(left)
		return
	}
	c.Verdict = Verdict{
		Reason: ReasonPromotionFailed, At: v.in.Now,
		Why: fmt.Sprintf("version %s did not become healthy in every production pool within %s: %s", c.label, v.gateTime(), v.gateLack(c)),
	}
}

// shortKind is the kind of clocks by which a Live candidate is judged: since when it falls short in a pool.
const shortKind = "short"

// lastJudged is the clock of the pass before, where a Live candidate may be taken back.
const lastJudged = "looked/live"

func (v *view) keepJudged() {
	if v.in.Spec.AutoRollback {
		v.soft.Since[lastJudged] = v.in.Now
	}
}

// judgeLive takes back a Live candidate that fell short in a pool that had accepted it. It needs somewhere to go: the
// asked-for stable servers running. A reading that fails in between takes nothing away of the time that was seen.
func (v *view) judgeLive(c *fleet) {
	ready := v.in.Spec.AutoRollback && v.isLive(c) && len(v.stable.running()) >= v.asked
	v.keepJudged()
	if v.in.Spec.AutoRollback {
		v.grown(c)
	}
	for _, p := range v.pools(UseProduction) {
		if !slices.Contains(c.Promotion.Pools, p.ID) {
			continue // added later: its ill health moves nothing elsewhere
		}
		healthy, due := len(p.maybeHealthy(c.all())), v.due(c)
		short := ready && healthy < due
		if short {
			v.again(max(previewEvery, v.step())) // half a minute of it is counted
		}
		if v.lasting(shortKind+"/"+p.ID, short, autoRollbackAfter) {
			c.Verdict = Verdict{
				Reason: ReasonAutoRolledBack, At: v.in.Now,
				Why: fmt.Sprintf("version %s had %d of %d healthy servers in %s for %s", c.label, healthy, due, p.Label(), autoRollbackAfter),
			}
		}
	}
}

// grown takes into the cohort whoever a Live candidate has more of than it was promoted with, once they are healthy in every pool. Where more are
// asked for, those boot first, and nothing is wrong with the version meanwhile; once they were there they are missed like the others, by whatever
// process looks.
func (v *view) grown(c *fleet) {
	var accepted []Pool
	for _, p := range v.pools(UseProduction) {
		if slices.Contains(c.Promotion.Pools, p.ID) {
			accepted = append(accepted, p)
		}
	}
	n := len(c.Promotion.Cohort)
	if healthy := ids(healthyEverywhere(accepted, c.all())); v.isLive(c) && n > 0 && n < v.asked && len(accepted) > 0 && len(healthy) >= v.asked {
		c.Promotion.Cohort = healthy
	}
}

// due is how many healthy servers of a Live candidate are to be in a pool.
func (v *view) due(c *fleet) int {
	if n := len(c.Promotion.Cohort); n > 0 {
		return min(v.asked, n)
	}
	return v.asked
}

// clocks lets the clock of a promotion run only while somebody can judge it. It stands while the Release is paused, while
// something cannot be read (nothing could be undone then), and while a permission to register is missing. It begins anew
// where this process sees the promotion for the first time, because nobody may have looked, or called, for long.
func (v *view) clocks() {
	c := v.candidate
	if c == nil {
		return
	}
	if !c.Ready.Since.IsZero() {
		v.keep(counted + c.Name) // when somebody last looked; longUnseen bounds what that is worth
	}
	underway := len(c.Promotion.Cohort) > 0 && c.GateAt.IsZero()
	if v.in.Spec.Paused || underway && (v.blindness() != "" || v.denied()) {
		if c.Stopped.IsZero() {
			c.Stopped = v.in.Now
		}
	} else {
		v.startClock(c, underway)
	}
	if underway {
		v.soft.Since[watching+c.Name] = v.in.Now
	}
}

// denied: we may not register servers in some production pool until somebody permits it.
func (v *view) denied() bool {
	return slices.ContainsFunc(v.pools(UseProduction), func(p Pool) bool { return p.Denied != "" })
}

// startClock lets the clock of a promotion run on from where it stood.
func (v *view) startClock(c *fleet, underway bool) {
	_, watched := v.in.Soft.Since[watching+c.Name]
	stood := time.Duration(0)
	if !c.Stopped.IsZero() {
		stood = v.in.Now.Sub(c.Stopped)
	}
	c.Stopped = time.Time{}
	switch {
	case c.Promotion.StartedAt.IsZero():
	case underway && !watched:
		c.Promotion.StartedAt = v.in.Now
	default:
		c.Promotion.StartedAt = c.Promotion.StartedAt.Add(stood)
	}
}

// watching is the clock that shows that this process has seen a promotion before.
const watching = "promoting/"
