package rollout

import (
	"slices"
	"strings"
	"testing"
)

// A search that finds nothing shows something only where it finds what is there: each of these cores has a defect, and the
// same search finds it in the same worlds.
func TestExploreFindsPlantedDefects(t *testing.T) {
	changed := func(change func(Input, *Decision)) func(Input) Decision {
		return func(in Input) Decision {
			d := Decide(in)
			d.Actions = slices.Clone(d.Actions)
			change(in, &d)
			return d
		}
	}
	pool := func(in Input, id string) Pool {
		return in.World.Pools[slices.IndexFunc(in.World.Pools, func(p Pool) bool { return p.ID == id })]
	}
	for name, planted := range map[string]struct {
		core func(Input) Decision
		want string
	}{
		"stable leaves before the gate": {changed(func(in Input, d *Decision) {
			if d.Report.Stage == StagePromoting && d.Report.Stable != nil {
				d.Actions = append(d.Actions, Deregister{Pool: pool(in, "edge"), Servers: d.Report.Stable.Servers, Why: "planted"})
			}
		}), "law 1"},
		"the retired fleet is ended where it stands": {changed(func(_ Input, d *Decision) {
			for _, fleet := range d.Report.Retired {
				d.Actions = append(d.Actions, Terminate{Servers: fleet.Servers, Why: "planted"})
			}
		}), "law 4"},
		"the standby is ended once the candidate is Live": {changed(func(_ Input, d *Decision) {
			if d.Report.Live && d.Report.Stable != nil && d.Report.Stage == StageLive && len(d.Actions) == 0 {
				d.Actions = append(d.Actions, Terminate{Servers: d.Report.Stable.Servers, Why: "planted"})
			}
		}), "law "},
		"a launch that is not remembered": {changed(func(in Input, d *Decision) {
			for i := range d.Memory.Revisions {
				if n := len(d.Memory.Revisions[i].Launches); n > 0 && len(in.Memory.Revisions) == len(d.Memory.Revisions) && len(in.World.Servers) == 0 {
					d.Memory.Revisions[i].Launches = nil
				}
			}
		}), "law 5"},
		"strangers are swept out": {changed(func(in Input, d *Decision) {
			if d.Report.Stage == StageLive {
				d.Actions = append(d.Actions, Deregister{Pool: pool(in, "edge"), Servers: []string{stranger}, Why: "planted"})
			}
		}), "law 6"},
		"the test pool is entered and left for ever": {changed(func(in Input, d *Decision) {
			p := pool(in, "preview")
			if d.Report.Stage == StageLive && d.Report.Stable != nil && len(d.Actions) == 0 && len(p.Members) == 1 {
				d.Actions = append(d.Actions, Register{Pool: p, Servers: d.Report.Stable.Servers, Why: "planted"})
			}
		}), "for ever"},
		"nobody ever leaves": {changed(func(_ Input, d *Decision) {
			d.Actions = slices.DeleteFunc(d.Actions, func(a Action) bool { _, leaves := a.(Deregister); return leaves })
		}), "for ever"},
	} {
		t.Run(name, func(t *testing.T) {
			of := scopes(false)[1]
			if planted.want == "law 4" {
				of = scopes(false)[0]
			}
			of.probing = false
			found := newSearch(of, planted.core).run(bounds{*limit, *most})
			if found == nil || !strings.Contains(found.what, planted.want) {
				t.Fatalf("found %v, not %q", found, planted.want)
			}
			if !strings.Contains(found.trace, "a pass: ") {
				t.Fatalf("no trace in words:\n%s", found)
			}
			t.Logf("%s", found)
		})
	}
}
