package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Foresee plays what comes next, with Decide itself and a world in which all goes well (future.go): what is launched runs, who is
// registered is healthy, who leaves is drained, and nobody interferes. It is how a plan is made.

// Bounds of a foresight.
const (
	// foreseenPasses is the most passes that are played; the longest way, from nothing to Complete, takes about thirty.
	foreseenPasses = 2000
	// foreseenQuiet is how long nothing may happen before it counts as the end, beside health.minReadySeconds. It is longer than any
	// clock of Decide that no spec sets, the longest of which is absentAfter.
	foreseenQuiet = 30 * time.Minute
	// foreseenStep is the longest step of time between two passes: less than longUnseen, or clocks begin anew.
	foreseenStep = 2 * time.Minute
)

// Foresight is what Foresee expects.
type Foresight struct {
	// Steps are the passes that do something, in order. The actions of one step are carried out at once, in no order.
	Steps []Step
	// First and Last are how Decide describes the first and the last pass.
	First, Last Report
	// Before and After are what is read before the first step and after the last. Servers that do not exist yet are called
	// i-new-1, i-new-2 and so on.
	Before, After World
	// Reached: at the end the world is as the effective phase wants it, and nothing is left to do. Else it goes no further than
	// Last.Message says: something has to be mended, or somebody has to decide.
	Reached bool
	// Unrecorded: the declared revision is not recorded yet, and what comes after that depends on it. Nothing is foreseen from there on.
	Unrecorded bool
	// Gone: a deletion has nothing left to do.
	Gone bool
}

// Step is one pass that does something.
type Step struct {
	// At is how long after the beginning it comes at the earliest: as if AWS took no time at all for anything.
	At      time.Duration
	Stage   Stage
	Actions []Action
	// World is what the step was decided on: the zones of who is terminated, for one.
	World World
	// Before is what was waited for since the step before, in the words of the last pass that did nothing; empty where there was none.
	Before string
}

// Foresee tells what Decide will do from here on if all goes well. sent are the actions that were carried out since the world was read:
// it takes them for done. It is pure, total and bounded, and changes nothing that it is given. Servers that are sick now are assumed to
// recover; what cannot be read stays so.
func Foresee(in Input, sent []Action) Foresight {
	f := newFuture(in, sent)
	var seen Foresight
	quiet, said := time.Duration(0), ""
	for pass := range foreseenPasses {
		d := Decide(f.in)
		seen.Last, seen.Gone, seen.Unrecorded = d.Report, d.Gone, d.NeedTarget
		if pass == 0 {
			seen.First, seen.Before = d.Report, f.snapshot()
		}
		if len(d.Actions) > 0 {
			seen.Steps = append(seen.Steps, Step{At: f.in.Now.Sub(in.Now), Stage: d.Report.Stage, Actions: d.Actions, World: f.snapshot(), Before: said})
			quiet, said = 0, ""
		} else {
			said = d.Report.Message
		}
		f.act(d)
		changed := f.settle()
		rests := !changed && len(d.Actions) == 0 && (d.After == 0 || quiet > foreseenQuiet+in.Spec.Health.MinReady)
		if rests || d.Gone || d.NeedTarget {
			break
		}
		step := min(max(d.After, confirmEvery, quiet/2), foreseenStep)
		quiet += step
		f.in.Now = f.in.Now.Add(step)
	}
	seen.After = f.snapshot()
	seen.Reached = seen.Gone || seen.Last.ready()
	return seen
}

// ready: the world is as the effective phase wants it.
func (r Report) ready() bool {
	return slices.ContainsFunc(r.Conditions, func(c Condition) bool { return c.Type == CondReady && c.True })
}

// newcomer names a server that a foresight launches.
func newcomer(n int) string { return fmt.Sprintf("i-new-%d", n) }
