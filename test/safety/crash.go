package safety

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// When is the moment of a call at which the process is killed.
type When string

// The moments.
const (
	Before When = "before" // the call is never made
	Lost   When = "lost"   // it has its effect, and the process never hears of it
	After  When = "after"  // the process gets its reply, and makes no other call
)

// moments are all.
var moments = []When{Before, Lost, After}

// Point is one moment at which a process can be killed: at the n-th call of its world, counted from 0.
type Point struct {
	Call int
	When When
}

func (p Point) String() string { return fmt.Sprintf("%d/%s", p.Call, p.When) }

// errCrash is what a call gets that kills its process.
var errCrash = errors.New("crash")

// crasher counts the calls of a world's processes, and kills the one that comes to its point.
type crasher struct {
	world  *e2e.World
	points []Point // none, one or two

	mu      sync.Mutex
	trace   []step
	crashes int
}

// step is one call of a trace, and when it was made.
type step struct {
	e2e.Wire
	at time.Time
}

// canonical are the scenarios whose crash points are all played for each change, and an eighth by real processes: the ways of a Release, once each.
var canonical = []string{
	"the first deploy goes through Preview to Complete",
	"a second version goes through Preview, Live and Complete",
	"RolledBack, and Live again",
	"the phase Preview in the middle of a promotion undoes it",
	"a promotion that never gets healthy is undone with a verdict, and tried again on request",
	"auto-rollback when the live candidate falls sick",
	"hand-made servers are adopted, and retired at Complete",
	"deletion with Terminate when load balancer and subnet are gone",
}

// counts: AWS calls, and writes to Kubernetes but for the lease. To die before a reading of Kubernetes is to die after the call before it.
func counts(call e2e.Wire) bool { return !call.Lease && (call.To == e2e.ToAWS || call.Writes) }

// tap implements e2e.Tap.
func (c *crasher) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	if !counts(call) {
		return send()
	}
	c.mu.Lock()
	at := len(c.trace)
	c.trace = append(c.trace, step{call, time.Now()})
	c.mu.Unlock()
	i := slices.IndexFunc(c.points, func(p Point) bool { return p.Call == at })
	if i < 0 {
		return send()
	}
	c.mu.Lock()
	c.crashes++
	c.mu.Unlock()
	return killed(call.By, c.points[i].When, send)
}

// killed makes a call in which the process is killed.
func killed(p *e2e.Process, when When, send func() (*http.Response, error)) (*http.Response, error) {
	switch when {
	case Before:
		p.Crash()
		return nil, errCrash
	case Lost:
		_, _ = send()
		p.Crash()
		return nil, errCrash
	}
	response, err := send()
	p.Crash()
	return response, err
}

// play plays a scenario in the bubble that it is called in, with crashes at the points, and gives the calls that were made and the
// world as it is at the end. It is given time to come to the one that it has without crashes: want; "" where that is to be found out.
func play(t *testing.T, s e2e.Scenario, temper e2e.Temper, want string, points ...Point) (trace []step, end string) {
	c := &crasher{points: points}
	end = c.play(t, s, temper, want)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trace, end
}

func (c *crasher) play(t *testing.T, s e2e.Scenario, temper e2e.Temper, want string) (end string) {
	c.world = newWorld(t, s.Name, temper, c.tap)
	s.Run(c.world)
	c.world.Pass(quietly) // for one that is killed at the last call
	// One that began only then, or shortly before, has to see for itself what is wrong, before it can say so.
	began, late := c.world.Clock.Now(), want != "" && c.world.Recovers()
	for late && c.world.Summary() != want && c.world.Clock.Now().Sub(began) < settles {
		c.world.Pass(quietly)
	}
	return c.world.Summary()
}

// newWorld makes a world in a bubble, with a manager that looks after it. Its delays depend on the name.
func newWorld(t *testing.T, name string, temper e2e.Temper, tap e2e.Tap) *e2e.World {
	clock := e2e.NewBubble()
	t.Cleanup(func() { clock.Advance(time.Minute) }) // for calls that are still under way
	store, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return e2e.NewManned(named{t, name}, store, clock, temper, tap)
}

// classes parts the points of a trace into those that a killed process cannot tell apart: it leaves behind what is in AWS and in
// etcd, and the time of day, and these are the same at two points with the same writes behind them in the same second: while a switch waits,
// the looks are less than a second apart. Events are no such writes, for nobody reads them back.
//
//	       read       write          read    read (1 s later)
//	before lost after before lost after … …  before lost after
//	\___ class 1 ____________/ \__ class 2 __/ \__ class 3 __/
//
// Of each class one point is played, in turn one of each moment where it has them.
func classes(trace []step) [][]Point {
	type class struct {
		at     time.Time
		writes int
	}
	var all [][]Point
	index, writes := map[class]int{}, 0
	add := func(c class, p Point) {
		i, known := index[c]
		if !known {
			i = len(all)
			index[c] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], p)
	}
	for n, s := range trace {
		at := s.at.Truncate(time.Second)
		add(class{at, writes}, Point{n, Before})
		if isStep(s.Wire) {
			writes++
		}
		add(class{at, writes}, Point{n, Lost})
		add(class{at, writes}, Point{n, After})
	}
	return all
}

// named is a test under another name, which gives each run of a scenario the same AWS.
type named struct {
	*testing.T
	name string
}

// Name implements e2e.T.
func (n named) Name() string { return n.name }
