package rollout

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkDecide is what one pass has to decide, for fleets of several sizes on two production pools:
//
//	settled     one fleet, which serves
//	promoting   the candidate is in both pools beside the stable fleet, and not healthy yet
//	switching   the gate has passed, and the stable fleet leaves
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{3, 100, 1000} {
		for name, in := range map[string]Input{"settled": settledCase(n), "promoting": promotingCase(n, false), "switching": promotingCase(n, true)} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					Decide(in)
				}
			})
		}
	}
}

// settledCase is a Release whose n servers serve in two pools.
func settledCase(n int) Input {
	in := newCase()
	in.Spec.Version, in.Spec.Target, in.Spec.Replicas, in.Spec.Phase = "1", "web-1", n, PhaseComplete
	in.Memory.Revisions = in.Memory.Revisions[:1]
	in.World.Servers = nil
	servers := addFleet(&in, "1", n)
	in.World.Pools = []Pool{aPool("edge", UseProduction, servers...), aPool("more", UseProduction, servers...), aPool("preview", UseTest)}
	in.Memory.Revisions[0].Pools = []string{"edge", "more", "preview"}
	return in
}

// promotingCase adds n servers of the next version, registered in both pools: on their way, or healthy and past the gate.
func promotingCase(n int, passed bool) Input {
	in := settledCase(n)
	stable := ids(in.World.Servers)
	in.Spec.Version, in.Spec.Target, in.Spec.Phase = "2", "web-2", PhaseLive
	next := newCase().Memory.Revisions[1]
	fresh := addFleet(&in, "2", n)
	next.Pools = []string{"edge", "more", "preview"}
	next.Promotion = Promotion{StartedAt: epoch.Add(-time.Minute), Cohort: fresh, Pools: []string{"edge", "more"}}
	if passed {
		next.GateAt = epoch.Add(-time.Second)
	}
	in.Memory.Revisions = append(in.Memory.Revisions, next)
	for i, id := range []string{"edge", "more"} {
		in.World.Pools[i] = aPool(id, UseProduction, append(append([]string{}, stable...), fresh...)...)
		for m := range in.World.Pools[i].Members {
			if !passed && m >= len(stable) {
				in.World.Pools[i].Members[m].State = MemberRegistering
			}
		}
	}
	in.World.Pools[2] = aPool("preview", UseTest, fresh...)
	return in
}

// addFleet adds n servers of a version, and gives their IDs.
func addFleet(in *Input, version string, n int) (added []string) {
	for i := range n {
		id := fmt.Sprintf("i-%s%06d", version, i)
		added = append(added, id)
		in.World.Servers = append(in.World.Servers, aServer(id, version, string(rune('a'+i%2))))
		if version == "1" {
			in.World.Servers[len(in.World.Servers)-1].Role = RoleStable
		}
	}
	return added
}

// The benchmarks measure what they say: nothing to do, a wait for health, a removal from both pools.
func TestBenchmarksMeasureWhatTheySay(t *testing.T) {
	for name, test := range map[string]struct {
		in    Input
		stage Stage
		calls int
	}{
		"settled": {settledCase(3), StageSettled, 0}, "promoting": {promotingCase(3, false), StagePromoting, 0},
		"switching": {promotingCase(3, true), StageSwitching, 2},
	} {
		if d := Decide(test.in); d.Report.Stage != test.stage || len(d.Actions) != test.calls {
			t.Errorf("%s: stage %s, %v", name, d.Report.Stage, words(d.Actions))
		}
	}
}
