package rollout

import (
	"encoding/json"
	"flag"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
)

var (
	only  = flag.String("rollout.only", "", "explore only the world of this name")
	limit = flag.Int("rollout.limit", 20_000_000, "how many states a world may have")
)

var explore = flag.String("rollout.explore", "", "`large`: exhaust the large worlds and print a line of JSON")

func TestExplore(t *testing.T) {
	large := *explore == "large"
	if large {
		defer debug.SetGCPercent(debug.SetGCPercent(300))
	}
	all := &figures{Rules: map[string]int{}, Guards: map[string]int{}, Probes: map[string]int{}, Phases: map[string]int{}, Worlds: map[string]worldFigures{}}
	for _, s := range scopes(large) {
		if *only != "" && s.name != *only {
			continue
		}
		x := newSearch(s, Decide)
		found := x.run(*limit)
		t.Logf("%s: %d states, %d transitions, %.1f s", s.name, len(x.parents), x.transitions, x.took.Seconds())
		all.add(x)
		if found != nil {
			t.Errorf("%s: %s", s.name, found)
		}
	}
	if *only == "" {
		all.checkComplete(t)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", text)
	if large {
		fmt.Println(string(text))
	}
}

// checkComplete: every rule and every guard fired. A guard that no plan ever ran into fired for what no stage plans.
func (f *figures) checkComplete(t *testing.T) {
	for _, r := range rules() {
		if f.Rules[string(r.stage)] == 0 {
			t.Errorf("the rule for %s never fired", r.stage)
		}
	}
	for _, e := range effectives() {
		if f.Phases[string(e.rule)] == 0 {
			t.Errorf("the rule for the phase %s never fired", e.rule)
		}
	}
	for _, g := range guards {
		if f.Guards[g.law]+f.Probes[g.law] == 0 {
			t.Errorf("the guard for %s never fired", g.law)
		}
	}
}

// figures are what a search is judged by.
type figures struct {
	States      int                     `json:"states"`
	Transitions int                     `json:"transitions"`
	Rules       map[string]int          `json:"rules_fired"`
	Phases      map[string]int          `json:"phase_rules_fired"`
	Guards      map[string]int          `json:"guards_fired"`
	Probes      map[string]int          `json:"guards_probed"` // fired when offered what no stage plans
	Seconds     float64                 `json:"seconds"`
	Worlds      map[string]worldFigures `json:"worlds"`
}

type worldFigures struct {
	States      int     `json:"states"`
	Transitions int     `json:"transitions"`
	Seconds     float64 `json:"seconds"`
}

func (f *figures) add(x *search) {
	f.States += len(x.parents)
	f.Transitions += x.transitions
	f.Seconds += x.took.Seconds()
	f.Worlds[x.scope.name] = worldFigures{len(x.parents), x.transitions, x.took.Seconds()}
	for what, n := range x.tally {
		kind, subject, _ := strings.Cut(what, " ")
		map[string]map[string]int{"rule": f.Rules, "phase": f.Phases, "guard": f.Guards, "probe": f.Probes}[kind][subject] += n
	}
}
