package safety

import (
	"slices"
	"sync/atomic"
	"testing"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// decision is where a deploy stays until a person decides, and what somebody asks for after the upgrade.
type decision struct {
	name    string
	enter   func(w *e2e.World)
	asks    v1alpha1.Phase
	ends    func(w *e2e.World) bool
	servers int // that are launched up to the end
}

var decisions = []decision{
	{"in Preview", func(w *e2e.World) { w.InPreview() }, v1alpha1.PhaseLive, promoted, 4},
	{"at Live", func(w *e2e.World) { w.Live() }, v1alpha1.PhaseRolledBack, shown, 4},
	{"at Live, and then Complete", func(w *e2e.World) { w.Live() }, v1alpha1.PhaseComplete, completed, 4},
	{"at RolledBack", func(w *e2e.World) { w.RolledBack() }, v1alpha1.PhaseLive, promoted, 4},
}

// allPools are the world's: one for tests and two for production.
const allPools = 3

// way is an upgrade, or one that is taken back: from the one manager's binary to the other, both with the definitions of the newer.
type way struct{ name, from, to string }

// replaced ends a world's manager as a Deployment does, and starts the next.
func (v way) replaced(w *e2e.World, o *watcher, first *e2e.Process) {
	w.UntilWithin("the manager has ended", comeback, func() bool { return ended(first) })
	second := w.StartFrom(v.to)
	w.Until("the next one leads", func() bool { return o.leads(second) })
}

// atRest replaces the manager where nothing is to be done: nothing is done, and no server is taken for another version's. What is asked
// for then is done.
func (v way) atRest(t *testing.T, on e2e.Machine, d decision) {
	o, w, first := v.begin(t, on)
	d.enter(w)
	w.Steady("v1", "v2")
	w.Mark()
	first.Stop()
	v.replaced(w, o, first)
	w.Until("the next one has looked at all pools", func() bool {
		looks := slices.DeleteFunc(o.after(o.elected(w.Process())), func(s sighting) bool { return s.What != "DescribeTargetHealth" })
		return len(looks) >= allPools
	})
	w.Pass(comeback)
	if m := w.Mutations(); len(m) > 0 {
		t.Fatalf("nobody asked for anything, and the next one calls %v\n%s", m, w.Story())
	}
	w.Phase("web", d.asks)
	v.end(t, w, d.ends, d.servers)
}

// underway replaces the manager in the midst of a deploy, which ends as asked.
func (v way) underway(t *testing.T, on e2e.Machine, s stage) {
	o, w, first := v.begin(t, on)
	s.enter(w)
	w.Steady("v1", "v2")
	s.ask(w)
	var struck atomic.Bool
	o.strikes(func(call e2e.Wire) bool { return call.By == first && s.at(w, call) }, func() {
		first.Stop()
		struck.Store(true)
	})
	w.Until("it is told to end, "+s.name, struck.Load)
	v.replaced(w, o, first)
	v.end(t, w, s.ends, s.servers)
}

func (v way) begin(t *testing.T, on e2e.Machine) (*watcher, *e2e.World, *e2e.Process) {
	o := &watcher{}
	on.Manager = v.from
	w := e2e.NewReal(t, on, e2e.Plain(), o.tap)
	first := w.Process()
	w.Until("the first leads", func() bool { return o.leads(first) })
	return o, w, first
}

func (v way) end(t *testing.T, w *e2e.World, ends func(*e2e.World) bool, servers int) {
	w.Until("it ends as asked", func() bool { return ends(w) })
	if w.Launched() != servers {
		t.Errorf("%d servers were launched, and should be %d", w.Launched(), servers)
	}
	if t.Failed() {
		t.Log(w.Story())
	}
}
