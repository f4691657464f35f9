//go:build !race

package safety

import (
	"slices"
	"testing"
	"testing/synctest"

	"slipway.dev/slipway/test/e2e"
)

// canonical are the scenarios whose crash points are all played for each change: the ways of a Release, once each.
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

// chosen are the scenarios to play: the canonical ones, or all of them.
func chosen(t *testing.T) []e2e.Scenario {
	all := e2e.All()
	if *deep {
		return all
	}
	some := slices.DeleteFunc(all, func(s e2e.Scenario) bool { return !slices.Contains(canonical, s.Name) })
	if len(some) != len(canonical) {
		t.Fatalf("of %d canonical scenarios there are %d", len(canonical), len(some))
	}
	return some
}

// TestCrashPoints kills the manager at every call that it makes in a scenario, one run each.
func TestCrashPoints(t *testing.T) {
	for _, s := range chosen(t) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var trace []step
			var end string
			if !run(t, "undisturbed", "crash/"+s.Name, func(t *testing.T) { trace, end = play(t, s, e2e.Plain()) }) {
				return
			}
			all := classes(trace)
			t.Logf("%d calls, %d points, %d classes", len(trace), 3*len(trace), len(all))
			total.add(func(r *report) { r.Scenarios++; r.PointsTotal += 3 * len(trace) })
			for i := 0; i < len(all) && !late(pointsShare); i += *every {
				point := all[i][i%len(all[i])]
				run(t, point.String(), "crash/"+s.Name+"/"+point.String(), func(t *testing.T) { crash(t, s, point, end) })
				total.add(func(r *report) { r.PointsRun += len(all[i]) })
			}
		})
	}
}

// crash plays a scenario with a crash, and requires the end that it has without one.
func crash(t *testing.T, s e2e.Scenario, p Point, end string) {
	if _, got := play(t, s, e2e.Plain(), p); got != end {
		t.Errorf("at the end the world is\n%s\nand should be\n%s", got, end)
	}
}

// run plays one world in a bubble of its own, and counts it. A world that fails tells how to play it again.
func run(t *testing.T, name, seed string, world func(t *testing.T)) bool {
	ok := t.Run(name, func(t *testing.T) { synctest.Test(t, world) })
	total.add(func(r *report) {
		r.Runs++
		if !ok {
			r.Violations++
			r.Failed = append(r.Failed, seed)
		}
	})
	if !ok {
		t.Logf("again, with every call: make repro SEED='%s'", seed)
	}
	return ok
}
