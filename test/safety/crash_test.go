//go:build !race

package safety

import (
	"regexp"
	"slices"
	"testing"
	"testing/synctest"

	"slipway.dev/slipway/test/e2e"
)

// chosen are the scenarios to play: the canonical ones, or all of them; and of these, those that somebody asked for.
func chosen(t *testing.T) []e2e.Scenario {
	all := e2e.All()
	if !*deep {
		all = slices.DeleteFunc(all, func(s e2e.Scenario) bool { return !slices.Contains(canonical, s.Name) })
		if len(all) != len(canonical) {
			t.Fatalf("of %d canonical scenarios there are %d", len(canonical), len(all))
		}
	}
	asked, err := regexp.Compile(*scenarios)
	if err != nil {
		t.Fatalf("-safety.scenarios: %v", err)
	}
	all = slices.DeleteFunc(all, func(s e2e.Scenario) bool { return !asked.MatchString(s.Name) })
	if len(all) == 0 {
		t.Fatalf("-safety.scenarios=%s is in the name of no scenario", *scenarios)
	}
	return all
}

// TestCrashPoints kills the manager at every call that it makes in a scenario, one run each. A scenario of which no run was played fails.
func TestCrashPoints(t *testing.T) {
	lots := deal(t, func(t *testing.T, _ int, s e2e.Scenario) []turn {
		var trace []step
		var end string
		if !run(t, "undisturbed", "crash/"+s.Name, func(t *testing.T) { trace, end = play(t, s, e2e.Plain(), "") }) {
			return nil
		}
		all := classes(trace)
		t.Logf("%d calls, %d points, %d classes", len(trace), 3*len(trace), len(all))
		total.add(func(r *report) { r.Scenarios++; r.PointsTotal += 3 * len(trace) })
		var turns []turn
		for i := 0; i < len(all); i += *every {
			point := all[i][i%len(all[i])]
			turns = append(turns, turn{s.Name + "/" + point.String(), func(t *testing.T) {
				run(t, "again", "crash/"+s.Name+"/"+point.String(), func(t *testing.T) { crash(t, s, point, end) })
				total.add(func(r *report) { r.PointsRun += len(all[i]) })
			}})
		}
		return turns
	})
	for _, without := range take(t, pointsShare, lots) {
		t.Errorf("of %q no crash was played (-safety.budget=%s)", without, *budget)
	}
}

// crash plays a scenario with a crash, and requires the end that it has without one.
func crash(t *testing.T, s e2e.Scenario, p Point, end string) {
	if _, got := play(t, s, e2e.Plain(), end, p); got != end {
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
