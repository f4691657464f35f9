package safety

import (
	"flag"
	"slices"
	"sync"
	"testing"

	"slipway.dev/slipway/test/e2e"
)

var (
	realAll  = flag.Bool("safety.real", false, "real processes: all stages and incidents, and the crash points")
	together = flag.Int("safety.together", 4, "worlds in real time at a time: they are idle most of it")
	places   = sync.OnceValue(func() chan struct{} { return make(chan struct{}, *together) })
)

// openHall gives what worlds in real time are played on.
func openHall(t *testing.T) e2e.Machine {
	t.Helper()
	machine, err := realTime.open(buildFlags...)
	if err != nil {
		t.Fatal(err)
	}
	return machine
}

// playReal plays a world in real time, beside some others. A world that fails tells how to play it again.
func playReal(t *testing.T, name, seed string, world func(t *testing.T, on e2e.Machine)) (ok bool) {
	return t.Run(name, func(t *testing.T) {
		on := openHall(t)
		places() <- struct{}{}
		defer func() { <-places() }()
		if late(1) {
			t.Log("not played: the time is used up")
			return
		}
		defer func() {
			total.add(func(r *report) {
				r.APIServerRuns++
				if t.Failed() {
					r.Violations++
					r.Failed = append(r.Failed, seed)
				}
			})
			if t.Failed() {
				t.Logf("again: make repro SEED='%s'", seed)
			}
		}()
		world(t, on)
	})
}

// TestRealHandover has two managers, and something happens to the one that leads.
func TestRealHandover(t *testing.T) {
	for _, s := range stages() {
		for _, i := range incidents {
			quick := s.name == switching.name && (i.name == "killed" || i.name == "frozen")
			if !quick && !*realAll {
				continue
			}
			name := i.name + ", " + s.name
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				playReal(t, "played", "handover/"+name, func(t *testing.T, on e2e.Machine) { s.handover(t, on, i) })
			})
		}
	}
}

// TestRealCrashPoints kills the manager's process at an eighth of the points of the canonical scenarios. In real time they take 3 to 15 minutes each.
func TestRealCrashPoints(t *testing.T) {
	if !*realAll {
		return
	}
	for i, s := range e2e.All() {
		if slices.Contains(canonical, s.Name) {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				realPoints(t, s, i)
			})
		}
	}
}

func realPoints(t *testing.T, s e2e.Scenario, from int) {
	undisturbed := &killer{}
	end := "" // also that of a Release that was deleted
	seed := "real/" + s.Name
	if !playReal(t, "undisturbed", seed, func(t *testing.T, on e2e.Machine) { end = undisturbed.play(t, on, s) }) || len(undisturbed.trace) == 0 {
		return
	}
	trace := undisturbed.trace
	total.add(func(r *report) { r.APIServerScenarios++; r.APIServerPointsTotal += 3 * len(trace) })
	some := eighth(trace, from)
	t.Logf("%d calls, %d classes of points are played", len(trace), len(some))
	for i, class := range some {
		point := class[i%len(class)]
		t.Run(point.String(), func(t *testing.T) {
			t.Parallel()
			playReal(t, "played", seed+"/"+point.String(), func(t *testing.T, on e2e.Machine) { realPoint(t, on, s, class, point, end) })
		})
	}
}

// realPoint plays a scenario with SIGKILL at a point, and requires the end that it has without one.
func realPoint(t *testing.T, on e2e.Machine, s e2e.Scenario, class []Point, point Point, end string) {
	k := &killer{point: &point}
	got := k.play(t, on, s)
	if k.killed.IsZero() {
		t.Logf("the run made %d calls and did not come to %s", len(k.trace), point)
		total.add(func(r *report) { r.APIServerPointsMissed += len(class) })
		return
	}
	if got != end {
		t.Errorf("at the end the world is\n%s\nand should be\n%s", got, end)
	}
	total.add(func(r *report) { r.APIServerPointsRun += len(class) })
}
