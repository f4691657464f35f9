package safety

import (
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
type way struct {
	name, from, to string
	// rolls: the next one stands by before the first is told to end, as when a Deployment rolls. Else it is started when the first has
	// ended, as where only one pod fits.
	rolls bool
}

// upgrade is a world whose first manager leads, and what watches it.
type upgrade struct {
	way
	*e2e.World
	o           *watcher
	first, next *e2e.Process
}

func (v way) begin(t *testing.T, on e2e.Machine) *upgrade {
	u := &upgrade{way: v, o: &watcher{}}
	on.Manager = v.from
	u.World = e2e.NewReal(t, on, e2e.Plain(), u.o.tap)
	u.first = u.Process()
	u.Until("the first leads", func() bool { return u.o.leads(u.first) })
	if v.rolls {
		u.next = u.StartFrom(v.to)
	}
	return u
}

// replaced waits until the first, which was told to end, has ended, and the next one leads.
func (u *upgrade) replaced() {
	u.UntilWithin("the first has ended", comeback, func() bool { return ended(u.first) })
	if u.next == nil {
		u.next = u.StartFrom(u.to)
	}
	u.Until("the next one leads", func() bool { return u.o.leads(u.next) })
}

// looks are the pools that the next one has asked for their health.
func (u *upgrade) looks() int {
	pools := map[string]bool{}
	for _, e := range u.AWS.Ledger() {
		if e.Call != nil && e.Call.Who.AccessKey == u.next.Key && (e.Call.Action == "DescribeTargetHealth" || e.Call.Action == "DescribeInstanceHealth") {
			pools[e.Call.Params.Get("TargetGroupArn")+e.Call.Params.Get("LoadBalancerName")] = true
		}
	}
	return len(pools)
}

// atRest replaces the manager where nothing is to be done: nothing is done, and no server is taken for another version's. What is asked
// for then is done.
func (v way) atRest(t *testing.T, on e2e.Machine, d decision) {
	u := v.begin(t, on)
	d.enter(u.World)
	u.Steady("v1", "v2")
	u.Mark()
	u.first.Stop()
	u.replaced()
	u.Until("the next one has looked at all pools", func() bool { return u.looks() == allPools })
	u.Pass(comeback)
	if m := u.Mutations(); len(m) > 0 {
		t.Fatalf("nobody asked for anything, and the next one calls %v\n%s", m, u.Story())
	}
	u.Phase("web", d.asks)
	u.end(t, d.ends, d.servers)
}

// underway replaces the manager in the midst of a deploy, which ends as asked.
func (v way) underway(t *testing.T, on e2e.Machine, s stage) {
	u := v.begin(t, on)
	s.enter(u.World)
	u.Steady("v1", "v2")
	s.ask(u.World)
	var struck atomic.Bool
	u.o.strikes(func(call e2e.Wire) bool { return call.By == u.first && s.at(u.World, call) }, func() {
		u.first.Stop()
		struck.Store(true)
	})
	u.Until("it is told to end, "+s.name, struck.Load)
	u.replaced()
	u.end(t, s.ends, s.servers)
}

func (u *upgrade) end(t *testing.T, ends func(*e2e.World) bool, servers int) {
	u.Until("it ends as asked", func() bool { return ends(u.World) })
	if u.Launched() != servers {
		t.Errorf("%d servers were launched, and should be %d", u.Launched(), servers)
	}
	if t.Failed() {
		t.Log(u.Story())
	}
}
