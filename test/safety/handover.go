package safety

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/test/e2e"
)

// stage is a step of a deploy at which something happens to the process that leads: it is at the step when at says so of one of
// its calls, which has its effect, and whose reply is lost or late.
type stage struct {
	name  string
	enter func(w *e2e.World)
	ask   func(w *e2e.World)
	at    func(w *e2e.World, call e2e.Wire) bool
	ends  func(w *e2e.World) bool // as asked
	// turns is what somebody asks for while the first process is away and another has done what was asked before, so that what
	// the first one had decided is wrong when it comes back; nil for nothing.
	turns   func(w *e2e.World)
	turned  func(w *e2e.World) bool
	servers int // that are launched up to the end
}

// stages are the steps, each twice: when memory has been written for its calls, which are made next, and at the first of them.
func stages() []stage {
	settled := func(w *e2e.World) { w.Settled() }
	inPreview := func(w *e2e.World) { w.InPreview() }
	live := func(w *e2e.World) { w.Live() }
	asks := func(phase v1alpha1.Phase) func(w *e2e.World) { return func(w *e2e.World) { w.Phase("web", phase) } }
	previews := func(w *e2e.World) { w.Deploy("web", "v2", v1alpha1.PhasePreview) }
	return []stage{
		{"launch decided", settled, previews, newMemory, shown, nil, nil, 4},
		{"launch called", settled, previews, calls("RunInstances"), shown, nil, nil, 4},
		{"register decided", inPreview, asks(v1alpha1.PhaseLive), memory, promoted, asks(v1alpha1.PhaseRolledBack), shown, 4},
		{"register called", inPreview, asks(v1alpha1.PhaseLive), calls("RegisterTargets"), promoted, nil, nil, 4},
		{"health awaited", inPreview, asks(v1alpha1.PhaseLive), awaitingHealth, promoted, asks(v1alpha1.PhaseRolledBack), shown, 4},
		switching,
		{"switch called", inPreview, asks(v1alpha1.PhaseLive), calls("DeregisterTargets"), promoted, nil, nil, 4},
		{"rollback decided", live, asks(v1alpha1.PhaseRolledBack), memory, shown, asks(v1alpha1.PhaseLive), promoted, 4},
		{"rollback called", live, asks(v1alpha1.PhaseRolledBack), calls("RegisterTargets"), shown, nil, nil, 4},
		{"end decided", live, asks(v1alpha1.PhaseComplete), ending, completed, nil, nil, 4},
		{"end called", live, asks(v1alpha1.PhaseComplete), calls("TerminateInstances"), completed, nil, nil, 4},
	}
}

// switching is the stage at which a process that comes back can do the most harm: it has passed the gate, and takes the old version
// out of production next, which somebody has gone back to meanwhile.
var switching = stage{
	name:  "switch decided",
	enter: func(w *e2e.World) { w.Settled() },
	ask:   func(w *e2e.World) { w.Deploy("web", "v2", v1alpha1.PhaseLive) },
	at: func(w *e2e.World, call e2e.Wire) bool {
		return memory(w, call) && healthyIn(w, edgePool) && healthyIn(w, "api")
	},
	ends:    promoted,
	turns:   func(w *e2e.World) { w.Phase("web", v1alpha1.PhaseRolledBack) },
	turned:  shown,
	servers: 4,
}

// calls: the process calls that action of AWS.
func calls(action string) func(*e2e.World, e2e.Wire) bool {
	return func(_ *e2e.World, call e2e.Wire) bool { return call.What == action }
}

// memory: it writes down what it is about to do.
func memory(_ *e2e.World, call e2e.Wire) bool {
	return strings.HasPrefix(call.What, "PUT controllerrevisions/")
}

// newMemory is that of the new version: of its launch.
func newMemory(w *e2e.World, call e2e.Wire) bool {
	old := w.Servers("v1")
	return memory(w, call) && len(old) > 0 && !strings.HasSuffix(call.What, "/"+old[0].Tags[cloud.TagRevision])
}

// awaitingHealth: it looks for the health of servers that it has registered in production.
func awaitingHealth(w *e2e.World, call e2e.Wire) bool {
	return call.What == "DescribeTargetHealth" && w.Registered(edgePool, "v2") == 2 && w.Registered("api", "v2") == 2
}

// healthyIn: production finds both servers of v2 healthy.
func healthyIn(w *e2e.World, pool string) bool { return w.Versions(pool)["v2"] == 2 }

// ending: it writes down that it ends servers: they are tagged so already.
func ending(w *e2e.World, call e2e.Wire) bool {
	old := w.Servers("v1")
	return memory(w, call) && len(old) > 0 && old[0].Tags[cloud.TagRole] == "retired"
}

// promoted: v2 is Live, and nothing is on the test pool.
func promoted(w *e2e.World) bool { return w.Ready("web") && w.Serves("v2") && w.Empty(testPool) }

// shown: v1 serves, and v2 is on the test pool.
func shown(w *e2e.World) bool { return w.Ready("web") && w.Serves("v1") && w.Only(testPool, "v2") }

// completed: the old version is gone.
func completed(w *e2e.World) bool {
	return w.Ready("web") && w.Serves("v2") && len(w.Servers("v1")) == 0
}

// absence is how long something lasts that ends.
const absence = 30 * time.Second

// incident is what happens to the process that leads.
type incident struct {
	name   string
	strike func(p *e2e.Process) (mend func())
	leaves bool // it leads no more
	lasts  bool // and comes back
}

func kills(p *e2e.Process) func()   { p.Kill(); return nil }
func stops(p *e2e.Process) func()   { p.Stop(); return nil }
func freezes(p *e2e.Process) func() { p.Freeze(); return p.Thaw }

func parts(from ...string) func(p *e2e.Process) func() {
	return func(p *e2e.Process) func() { p.MayEnd(); return p.Part(from...) }
}

var incidents = []incident{
	{"killed", kills, true, false},
	{"told to end", stops, true, false},
	{"frozen", freezes, true, true},
	{"parted from Kubernetes", parts(e2e.ToKube), true, true},
	{"parted from AWS", parts(e2e.ToAWS), false, true},
	{"parted from both", parts(e2e.ToKube, e2e.ToAWS), true, true},
}

// comeback is how long a process is looked at that has come back, and should end.
const comeback = 15 * time.Second

// handover plays a stage with two managers, of which the one that leads meets an incident there. The laws hold, production always
// has a server, the deploy ends as asked, nothing is launched twice, and once the other has the lease no call of the first one comes
// by that changes anything in AWS or Kubernetes. (A call that had left it before comes by before, and may have its effect.)
func (s stage) handover(t *testing.T, on e2e.Machine, i incident) {
	o := &watcher{}
	w := e2e.NewReal(t, on, e2e.Plain(), o.tap)
	first := w.Process()
	w.Until("the first leads", func() bool { return o.leads(first) })
	second := w.Start()
	s.enter(w)
	w.Steady("v1", "v2")
	s.ask(w)
	var struck atomic.Pointer[func()]
	began := o.strikes(func(call e2e.Wire) bool { return call.By == first && s.at(w, call) }, func() {
		mend := i.strike(first)
		struck.Store(&mend)
	})
	w.Until("the first is "+i.name+", "+s.name, func() bool { return struck.Load() != nil })
	if i.leaves {
		w.UntilWithin("the second leads", time.Minute, func() bool { return o.leads(second) })
	}
	if i.leaves || !i.lasts {
		w.Until("it ends as asked", func() bool { return s.ends(w) })
		if i.lasts && s.turns != nil {
			s.turns(w)
			w.Until("it ends as asked then", func() bool { return s.turned(w) })
		}
	}
	if i.lasts {
		w.Pass(time.Until(began().Add(absence)))
		(*struck.Load())()
	}
	s.judge(t, w, o, first, second, i)
	if i.leaves {
		h := o.measure(first, second)
		t.Logf("nobody called for %s, and nobody wrote for %s", h.toCall, h.toWrite)
		total.add(func(r *report) { r.noteHandover(i.name, h) })
	}
}

// judge looks at a process that comes back, and at the world at the end.
func (s stage) judge(t *testing.T, w *e2e.World, o *watcher, first, second *e2e.Process, i incident) {
	last := s.ends
	if i.leaves {
		w.UntilWithin("the first has ended", comeback, func() bool { return ended(first) })
		for _, c := range o.after(o.elected(second)) {
			if c.By == first && c.Writes {
				t.Errorf("the first calls %s after the second has the lease", c.What)
			}
		}
		w.Start() // as kubelet does
		w.Pass(5 * time.Second)
		if i.lasts && s.turns != nil {
			last = s.turned
		}
	} else if o.leads(second) || ended(first) {
		t.Error("the second leads, although the first can renew its lease")
	}
	w.Until("it is as asked at the end", func() bool { return last(w) })
	if w.Launched() != s.servers {
		t.Errorf("%d servers were launched, and should be %d", w.Launched(), s.servers)
	}
	if t.Failed() {
		t.Log(w.Story())
	}
}

func ended(p *e2e.Process) bool {
	select {
	case <-p.Ended:
		return true
	default:
		return false
	}
}
