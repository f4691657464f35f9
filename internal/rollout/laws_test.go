package rollout

import (
	"fmt"
	"slices"
	"time"
)

// The laws, checked on the truth of the world at every single call. Nothing here asks the core what it believes, and
// nothing here uses its guards: a guard that is wrong is wrong here in another way.

// checkDecision checks what must hold for every decision, before anything is done with it.
func (w *world) checkDecision(in Input, d Decision) {
	w.t.Helper()
	w.checkReport(d)
	if conditionOf(d, CondReady).True && !in.Spec.Deleting {
		w.checkReady(d)
	}
}

// checkReport: all conditions are there, in their order and with a reason; kstatus can read them.
func (w *world) checkReport(d Decision) {
	w.t.Helper()
	conditions := []ConditionType{CondReady, CondReconciling, CondStalled, CondPreviewReady, CondPromoted, CondRollbackAvailable,
		CondAwaitingDecision, CondBlind}
	if len(d.Report.Conditions) != len(conditions) {
		w.t.Fatalf("%d conditions: %v", len(d.Report.Conditions), d.Report.Conditions)
	}
	is := map[ConditionType]bool{}
	for i, c := range d.Report.Conditions {
		if c.Type != conditions[i] {
			w.t.Fatalf("condition %d is %s, not %s", i, c.Type, conditions[i])
		}
		if c.Reason == "" {
			w.t.Fatalf("condition %s has no reason in stage %s", c.Type, d.Report.Stage)
		}
		is[c.Type] = c.True
	}
	if trues := count(is[CondReady], is[CondReconciling], is[CondStalled]); trues != 1 {
		w.t.Fatalf("of Ready, Reconciling and Stalled %d are True: %v", trues, d.Report.Conditions)
	}
	if d.Report.Stage == "" || d.Report.Message == "" {
		w.t.Fatalf("nothing is said of the stage: %+v", d.Report)
	}
}

func count(is ...bool) int {
	n := 0
	for _, b := range is {
		if b {
			n++
		}
	}
	return n
}

// checkReady: Ready is said only where production really is served as asked, by one fleet.
func (w *world) checkReady(d Decision) {
	w.t.Helper()
	serving := d.Report.Stable
	if d.Report.Live || serving == nil {
		serving = d.Report.Candidate
	}
	if d.Report.Stable == nil && !d.Report.Live {
		return // a first version in Preview: nobody serves production yet
	}
	for _, ref := range w.declared {
		if ref.use != UseProduction {
			continue
		}
		if n := w.healthyIn(w.pool(ref.id), serving.Revision); n < w.asked() {
			w.t.Fatalf("Ready is said while %d of %d servers of %s are healthy in %s", n, w.asked(), serving.Revision, ref.id)
		}
	}
}

func (w *world) asked() int {
	asked := (w.spec.Replicas*w.spec.MinHealthyPercent + 99) / 100
	return max(1, asked)
}

// healthyIn counts the servers of a revision that are ours and healthy in the pool.
func (w *world) healthyIn(b *balancer, revision string) int {
	n := 0
	for _, m := range w.machines {
		if m.owner == uid && m.Revision == revision && w.healthy(b, m.ID) {
			n++
		}
	}
	return n
}

// checkAction checks one call before it takes effect.
func (w *world) checkAction(d Decision, a Action) {
	w.t.Helper()
	if a.Reason() == "" {
		w.t.Fatalf("%T without a reason", a)
	}
	w.lawBlind(d, a)
	w.lawForeign(a)
	w.lawPaused(d, a)
	switch a := a.(type) {
	case Launch:
		w.lawToken(a)
	case Deregister:
		w.lawRemoval(d, a)
	case Terminate:
		w.lawEnd(a)
	}
}

// lawBlind is law 2: what could not be read removes nothing and launches nothing.
func (w *world) lawBlind(d Decision, a Action) {
	w.t.Helper()
	in := w.input
	if in.World.ServersErr != "" {
		if _, joins := a.(Register); !joins {
			w.t.Fatalf("law 2: %T while EC2 cannot be read: %s", a, a.Reason())
		}
	}
	_, deregisters := a.(Deregister)
	_, terminates := a.(Terminate)
	if in.Spec.Deleting || (!deregisters && !terminates) {
		return
	}
	for _, p := range in.World.Pools {
		b := w.pool(p.ID)
		longGone := b.gone && w.now.Sub(b.goneAt) >= 5*time.Minute
		if p.Use != UseReleased && !p.Readable() && (deregisters || !longGone) {
			w.t.Fatalf("law 2: %T while %s cannot be read: %s", a, p.ID, a.Reason())
		}
	}
	_ = d
}

// lawForeign is law 6: nothing of anybody else is touched.
func (w *world) lawForeign(a Action) {
	w.t.Helper()
	servers := map[string][]string{}
	switch a := a.(type) {
	case Register:
		servers["Register"] = a.Servers
	case Deregister:
		servers["Deregister"] = a.Servers
	case Terminate:
		servers["Terminate"] = a.Servers
	case Tag:
		if a.Adopt {
			for _, id := range a.Servers {
				if !slices.ContainsFunc(w.adopting, func(s Server) bool { return s.ID == id }) {
					w.t.Fatalf("law 6: %s is adopted, and nobody asked for it", id)
				}
			}
			return
		}
		servers["Tag"] = a.Servers
	}
	for verb, list := range servers {
		if len(list) == 0 {
			w.t.Fatalf("%s of nothing", verb)
		}
		for _, id := range list {
			if m := w.machine(id); m == nil || m.owner != uid {
				w.t.Fatalf("law 6: %s of %s, which is not ours", verb, id)
			}
		}
	}
}

// lawPaused: paused stops every call but an explicit rollback and deletion, and under it nothing is ended.
func (w *world) lawPaused(d Decision, a Action) {
	w.t.Helper()
	if !w.spec.Paused || w.spec.Deleting {
		return
	}
	byPerson := w.spec.Phase == PhaseRolledBack || (w.spec.Override.Phase == PhaseRolledBack && w.now.Before(w.spec.Override.ExpiresAt))
	_, terminates := a.(Terminate)
	if !byPerson || terminates {
		w.t.Fatalf("%T under spec.paused: %s", a, a.Reason())
	}
	_ = d
}

// lawToken is law 5: the token is in etcd before the call, and no place is launched twice.
func (w *world) lawToken(l Launch) {
	w.t.Helper()
	revision := w.etcd.find(l.Revision)
	if revision == nil {
		w.t.Fatalf("law 5: a launch for %s, which is not in etcd", l.Revision)
		return
	}
	i := slices.IndexFunc(revision.Launches, func(a Attempt) bool { return a.Token == l.Attempt.Token })
	if i < 0 || !revision.Launches[i].Open {
		w.t.Fatalf("law 5: token of attempt %d is not in etcd as open", l.Attempt.Number)
	}
	if fmt.Sprint(revision.Launches[i]) != fmt.Sprint(l.Attempt) {
		w.t.Fatalf("law 5: the parameters of attempt %d differ from those in etcd", l.Attempt.Number)
	}
	if len(l.Attempt.Token) == 0 || len(l.Attempt.Token) > 64 || len(l.Attempt.Places) == 0 {
		w.t.Fatalf("law 5: malformed attempt %+v", l.Attempt)
	}
	if w.tokens[l.Attempt.Token] != nil || w.asking[l.Attempt.Token] {
		return // asked again: EC2 launches nothing new
	}
	w.asking[l.Attempt.Token] = true
	have := 0
	for _, m := range w.machines {
		if m.owner == uid && m.Revision == l.Revision && m.good() {
			have++
		}
	}
	open := 0
	for _, a := range revision.Launches {
		if a.Open && w.tokens[a.Token] == nil {
			open += len(a.Places)
		}
	}
	if have+open > w.spec.Replicas {
		w.t.Fatalf("law 5: %d servers of %s are there and %d asked for, of %d", have, l.Revision, open, w.spec.Replicas)
	}
}

// good: the server is alive and nothing is known against it.
func (m *machine) good() bool {
	return (m.State == StatePending || m.State == StateRunning) && !m.Impaired && !m.Hold
}

// lawRemoval is law 1: a healthy server leaves production only if enough healthy ones stay.
func (w *world) lawRemoval(d Decision, a Deregister) {
	w.t.Helper()
	b := w.pool(a.Pool.ID)
	if w.spec.Deleting || !slices.Contains(w.declared, poolRef{b.ID, UseProduction}) {
		return
	}
	var leaving, staying []*machine
	for _, m := range w.machines {
		switch {
		case m.owner != uid || !w.healthy(b, m.ID):
		case slices.Contains(a.Servers, m.ID):
			leaving = append(leaving, m)
		default:
			staying = append(staying, m)
		}
	}
	if len(leaving) == 0 {
		return
	}
	need := w.asked()
	if w.rollingBack(d, a) {
		need = 1
	}
	if len(staying) < need {
		w.t.Fatalf("law 1: %d healthy servers leave %s, %d stay of %d: %s", len(leaving), b.ID, len(staying), need, a.Why)
	}
	if b.ZonalOnly {
		w.lawZones(b, leaving, staying, need)
	}
}

// rollingBack: stable is being put back, and only others leave. Then stable must be healthy in every production pool.
func (w *world) rollingBack(d Decision, a Deregister) bool {
	w.t.Helper()
	stable := w.stable()
	if stable == "" || d.Report.Stage != StageRollingBack {
		return false
	}
	for _, id := range a.Servers {
		if w.machine(id).Revision == stable {
			return false
		}
	}
	for _, ref := range w.declared {
		if ref.use == UseProduction && w.healthyIn(w.pool(ref.id), stable) == 0 {
			w.t.Fatalf("law 1: %s leaves before stable is back in %s", a.Servers, ref.id)
		}
	}
	return true
}

// stable is the revision that production falls back to, by what etcd or the role tags say.
func (w *world) stable() string {
	best, seq := "", int64(0)
	for _, r := range w.etcd.Revisions {
		if r.StableSeq > seq && !r.Retired {
			best, seq = r.Name, r.StableSeq
		}
	}
	if best != "" {
		return best
	}
	for _, m := range w.machines {
		if m.owner == uid && m.Role == RoleStable && m.ended.IsZero() {
			best = m.Revision
		}
	}
	return best
}

func (w *world) lawZones(b *balancer, leaving, staying []*machine, need int) {
	w.t.Helper()
	zones := map[string]bool{}
	for _, m := range w.machines {
		if ms := b.members[m.ID]; m.owner == uid && ms != nil && ms.leaving.IsZero() && m.ended.IsZero() {
			zones[m.Zone] = true
		}
	}
	share := max(1, need/len(zones))
	if w.spec.Replicas < len(zones) {
		return // so few servers cannot be everywhere
	}
	for _, m := range leaving {
		n := 0
		for _, s := range staying {
			if s.Zone == m.Zone {
				n++
			}
		}
		if n < share {
			w.t.Fatalf("law 1: %d healthy servers stay in %s of %s, %d are needed", n, m.Zone, b.ID, share)
		}
	}
}

// lawEnd is law 4, and with it law 7.
func (w *world) lawEnd(a Terminate) {
	w.t.Helper()
	for _, id := range a.Servers {
		m := w.machine(id)
		for _, b := range w.balancers {
			if b.gone || !w.known4(b, m) {
				continue
			}
			if _, in := b.members[id]; in {
				w.t.Fatalf("law 4: %s is terminated while it is in %s", id, b.ID)
			}
			if out := b.left[id]; w.now.Sub(out) < 30*time.Second {
				w.t.Fatalf("law 4: %s is terminated %s after it left %s", id, w.now.Sub(out), b.ID)
			}
		}
		if m.Hold {
			w.t.Fatalf("law 4: %s is terminated while a person holds it", id)
		}
		if !w.spec.Deleting && w.needed(m) {
			w.t.Fatalf("law 7: %s of %s is terminated while it is needed: %s", id, m.Revision, a.Why)
		}
	}
}

// known4: the spec names the pool, or it was by our hand that the fleet came into it.
func (w *world) known4(b *balancer, m *machine) bool {
	return b.ours[m.Revision] || slices.ContainsFunc(w.declared, func(r poolRef) bool { return r.id == b.ID })
}

// needed: the server belongs to a fleet that serves, is being deployed or is to be fallen back to, it is in order, and it is not one
// too many.
func (w *world) needed(m *machine) bool {
	if !slices.Contains(w.fleetsToKeep(), m.Revision) || !m.good() {
		return false
	}
	good := 0
	for _, other := range w.machines {
		if other.owner == uid && other.Revision == m.Revision && other.good() && other.ended.IsZero() {
			good++
		}
	}
	return good <= w.spec.Replicas
}

// fleetsToKeep are, by what etcd says: stable, the revision declared last, and the fleet that was stable before a Live
// revision took its place, as long as the newest one is not Live.
func (w *world) fleetsToKeep() []string {
	var stable, before, last Revision
	for _, r := range w.etcd.Revisions {
		if r.Number > last.Number {
			last = r
		}
		if r.Retired {
			continue
		}
		switch {
		case r.StableSeq > stable.StableSeq:
			stable, before = r, stable
		case r.StableSeq > before.StableSeq:
			before = r
		}
	}
	keep := []string{w.stable(), last.Name}
	if before.Name != "" && !stable.Completed && (last.Name == stable.Name || last.LiveAt.IsZero()) {
		keep = append(keep, before.Name)
	}
	return keep
}
