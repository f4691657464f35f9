package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// acted are the actions of all passes from now until the world is at rest, in the words of foreseen.
func (w *world) acted() []string {
	w.t.Helper()
	var all []string
	w.runFor(4*time.Hour, func() bool {
		all = append(all, words(w.last.Actions)...)
		if len(w.last.Actions) > 0 {
			all = append(all, stepEnds)
		}
		return false
	})
	return lineUp(all)
}

// foreseen are the steps of a foresight. Servers that are launched get the names that the world will give them.
func (w *world) foreseen(f Foresight) []string {
	var all []string
	for _, s := range f.Steps {
		all = append(append(all, words(s.Actions)...), stepEnds)
	}
	for n := 9; n > 0; n-- { // from the back: i-new-1 begins like i-new-10
		for i := range all {
			all[i] = strings.ReplaceAll(all[i], newcomer(n), fmt.Sprintf("i-%02d", w.next+n))
		}
	}
	return lineUp(all)
}

const stepEnds = "|"

// lineUp is a line for each step, and those who end at last: the actions of one step have no order, and an end waits for time alone,
// beside everything else.
func lineUp(actions []string) []string {
	var steps, step, ends []string
	for _, action := range actions {
		switch {
		case strings.HasPrefix(action, "Terminate"):
			ends = append(ends, action)
		case action != stepEnds:
			step = append(step, action)
		case len(step) > 0:
			slices.Sort(step)
			steps, step = append(steps, strings.Join(step, " + ")), nil
		}
	}
	slices.Sort(ends)
	return append(steps, ends...)
}

// ask is the input of the next pass under a phase, with the declared revision recorded where it is needed.
func (w *world) ask(phase Phase, deleting bool) Input {
	w.spec.Phase, w.spec.Deleting, w.spec.TerminateOnDelete = phase, deleting, true
	in := w.observe()
	if Decide(in).NeedTarget {
		in.Memory.Revisions = append(in.Memory.Revisions, w.recorded(w.spec.Version))
		slices.SortFunc(in.Memory.Revisions, func(a, b Revision) int { return strings.Compare(a.Name, b.Name) })
		in.Spec.Target = revisionOf(w.spec.Version)
	}
	return in
}

// In a world in which all goes well, everything comes as foreseen: the same actions in the same steps.
func TestForeseeIsWhatComes(t *testing.T) {
	begins := map[string]func(reporter) *world{
		"nothing": func(t reporter) *world { return newWorld(t) }, "v1": stable1, "v2 in Preview": preview2, "v2 Live": live2, "three pools": pools3,
		"v2 in Preview, three pools": pools3preview2, "strangers": strangers, "by zone": zonal1, "no test pool": noTest1, "made by hand": handmade,
	}
	for name, begin := range begins {
		for _, version := range []string{"1", "2", "3"} {
			for _, phase := range []Phase{PhasePreview, PhaseLive, PhaseRolledBack, PhaseComplete, PhaseNone, "deletion"} {
				t.Run(fmt.Sprintf("%s, then %s %s", name, version, phase), func(t *testing.T) {
					w := begin(t)
					w.run()
					w.spec.Version = version
					if phase == PhaseRolledBack { // once one of another version is over, what is declared is looked up, and nobody foresees that
						w.spec.PhaseFor = version
					}
					asked, deleting := phase, phase == "deletion"
					if deleting {
						asked = PhaseLive
					}
					f := Foresee(w.ask(asked, deleting), nil)
					want := w.foreseen(f)
					if got := w.acted(); !slices.Equal(got, want) {
						t.Errorf("foreseen:\n  %s\nand what came:\n  %s", strings.Join(want, "\n  "), strings.Join(got, "\n  "))
					}
					if ready := conditionOf(w.last, CondReady).True; f.Reached != (ready || deleting) {
						t.Errorf("reached is %v, and Ready is %v: %s", f.Reached, ready, f.Last.Message)
					}
				})
			}
		}
	}
}

// And it changes nothing that it is given, answers the same twice, and ends.
func TestForeseeIsPure(t *testing.T) {
	w := preview2(t)
	w.run()
	in, again := w.ask(PhaseComplete, false), w.ask(PhaseComplete, false)
	first := Foresee(in, nil)
	if !reflect.DeepEqual(in, again) {
		t.Error("the input changed")
	}
	if second := Foresee(in, nil); !reflect.DeepEqual(first, second) {
		t.Error("it foresees something else the second time")
	}
	if !reflect.DeepEqual(first.Before, in.World) || reflect.DeepEqual(first.After, in.World) {
		t.Error("before is what was read, and after is not")
	}
}

func TestForeseeWhatStops(t *testing.T) {
	tests := []struct {
		name               string
		begin              func(reporter) *world
		change             func(*Input)
		reached, notRecord bool
		steps              int
		says               string
	}{
		{"a verdict", preview2, func(in *Input) {
			in.Spec.Phase = PhaseLive
			in.Memory.find("web-2").Verdict = Verdict{Reason: ReasonPromotionFailed, Why: "it was sick"}
		}, false, false, 0, "it was sick"},
		{"a pool that cannot be read", preview2, func(in *Input) {
			in.Spec.Phase = PhaseLive
			for i := range in.World.Pools {
				if in.World.Pools[i].Use == UseProduction {
					in.World.Pools[i].Err = "Throttling"
				}
			}
		}, false, false, 0, "Throttling"},
		{"a pause", preview2, func(in *Input) { in.Spec.Phase, in.Spec.Paused = PhaseLive, true }, false, false, 0, "spec.paused"},
		{"a version that nobody looked up", preview2, func(in *Input) { in.Spec.Version, in.Spec.Target = "3", "" }, false, true, 0, "version 3"},
		{"nothing to roll back to", newWorld2, func(in *Input) { in.Spec.Phase = PhaseRolledBack }, false, false, 0, "nothing to roll back"},
		{"who is sick recovers", preview2, func(in *Input) {
			in.Spec.Phase = PhaseLive
			for i := range in.World.Pools {
				in.World.Pools[i].Members = slices.Clone(in.World.Pools[i].Members)
				for n := range in.World.Pools[i].Members {
					in.World.Pools[i].Members[n].State = MemberUnhealthy
				}
			}
		}, true, false, 3, "is Live"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := test.begin(t)
			w.run()
			in := w.observe()
			test.change(&in)
			f := Foresee(in, nil)
			if f.Reached != test.reached || f.Unrecorded != test.notRecord || len(f.Steps) != test.steps || !strings.Contains(f.Last.Message, test.says) {
				t.Errorf("reached %v, unrecorded %v, %d steps: %s", f.Reached, f.Unrecorded, len(f.Steps), f.Last.Message)
			}
		})
	}
}

func newWorld2(t reporter) *world { return stable1(t) }
