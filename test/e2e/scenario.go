package e2e

import (
	"maps"
	"slices"

	"slipway.dev/slipway/internal/laws"
)

// Scenario is one story from the everyday life of a Release.
type Scenario struct {
	// Name says what happens, in the words of an operator. It is unique.
	Name string
	// Run plays it; it fails through the world's T.
	Run func(w *World)
}

// All are all scenarios, in a fixed order.
func All() []Scenario {
	return slices.Concat(lifecycle, versions, servers, policy, stages, pools, figures, class, defects, gitops(), badInput())
}

// expect fails the scenario where something is not so.
func (w *World) expect(is bool, what string, args ...any) {
	w.Helper()
	if !is {
		w.Fatalf("expected that "+what+"\n%s", append(args, w.Story())...)
	}
}

// countRepeated is count for a controller that was started anew on the way: where readings lag, and after trouble, it may repeat what has
// an effect once only. What starts servers is counted exactly, and so are the calls that end some.
func (w *World) countRepeated(step string, want map[string]int) {
	w.Helper()
	w.counted(step, want, w.temper.Lags || w.troubled())
}

func (w *World) counted(step string, want map[string]int, repeats bool) {
	w.Helper()
	got := w.Mutations()
	for action, n := range want {
		if repeats && action != runInstances && got[action] > n {
			got[action] = n
		}
	}
	if n := w.endings(); repeats && n > 0 {
		got[terminateInstances] = n
	}
	if !maps.Equal(got, want) {
		w.Fatalf("%s: mutations are %v and should be %v\n%s", step, w.Mutations(), want, w.Story())
	}
}

// endings counts the controller's calls since Mark that ended a server which no earlier one had ended.
func (w *World) endings() int {
	ended, n := map[string]bool{}, 0
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call == nil || e.Call.Action != terminateInstances || e.Call.Who.AccessKey == personKey {
			continue
		}
		fresh := slices.DeleteFunc(laws.Targets(e.Call.Params), func(id string) bool { return ended[id] })
		for _, id := range fresh {
			ended[id] = true
		}
		if len(fresh) > 0 {
			n++
		}
	}
	return n
}

// count compares the controller's mutations since Mark with what they should be, exactly; one that was killed may repeat calls
// that it does not know of.
func (w *World) count(step string, want map[string]int) {
	w.Helper()
	w.counted(step, want, w.crashed.Load())
}
