package rollout

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	report "slipway.dev/slipway/test/figures"
)

// A small world, exhausted. The rapid worlds of property_test.go sample long lives of large worlds; this search goes through
// every state of small ones, in all orders, with the real Decide:
//
//	      people                    ┌──────────── one Release, or two that want the same pool ───────────┐
//	phase, version, replicas,  ──▶  │  observe ─▶ Decide ─▶ claim ─▶ remember ─▶ act ─▶ record           │
//	paused, retry, override,        │                    ▲        ▲           ▲     ▲                    │
//	pools, adopt, deleted           │     a crash: etcd stays, the process forgets; any call of the pass │
//	                                │     done, refused, or done and its answer lost                     │
//	                                └──────────────────────────────┬─────────────────────────────────────┘
//	      AWS, at any time                                         ▼
//	a server runs, is shown, passes its first checks,      pools  preview (test)   edge (production)   api (production)
//	is drained, dies, gets sick, stops; a reading fails           fleets of 2 servers, a stranger in every pool
//	or tells of before; no room; a pool is deleted
//	      time: half a minute passes, or six minutes
//
// What a state is made of, and what keeps their number finite:
//
//	servers    2 fleets × 2 servers (3 fleets with a third version): state × role × what they are in each of 3 pools;
//	           named by order, so 5 seats in a pool make for two servers of one launch 5·6/2 = 15 pairs and not 25
//	time       now is always epoch. An age is young or past what Decide compares it with: 2 values for a clock, where
//	           seconds up to the longest would be 360. Clocks that only decide what is said count for nothing
//	numbers    of revisions, launches and claims count by their order
//	people     and faults come so often as the world says: edits × faults is what makes worlds large
//
// The full product of all edits and all faults was not tried: it is cut into worlds that are exhausted each (scopes), all
// edits without faults, then one kind of faults at a time with one edit before, between or after. Two Releases have fleets of
// two servers and no faults but each other, or of one server with crashes and refused calls. Cut in all of them: a pass over one Release is one step but for crashes and for
// a race of two Releases to a pool, so AWS changes nothing between a reading and the calls that follow from it; what left a
// pool in one call is drained at once; EC2 shows an ended server until minutes pass; servers that end leave their pools at
// once.
//
// In every state the laws hold on the truth, at every call (explore_laws_test.go); in the worlds that say so the guards alone
// keep them whatever a stage plans (explore_guards_test.go). And from every state, with faults gone, every fair run comes to
// rest as asked (explore_cycles_test.go).
//
// `go test ./internal/rollout -run TestExplore` takes seconds; with -rollout.explore=large it takes far longer, and prints a
// line of JSON. Of a large world that is too large for the bounds it says so, and how far it came; docs/safety.md has the figures. A
// violation prints the shortest way to it in words.

var (
	explore = flag.String("rollout.explore", "", "`large`: search the large worlds and print a line of JSON")
	only    = flag.String("rollout.only", "", "explore only the worlds of these names, with commas between them")
	addTo   = flag.String("rollout.report", "", "report of `make safety` or `make nightly` that the figures are added to")
	limit   = flag.Int("rollout.limit", 20_000_000, "how many states of a world are searched")
	most    = flag.Duration("rollout.most", 0, "how long a world is searched; 0: no end")
)

func TestExplore(t *testing.T) {
	large := *explore == "large"
	if large {
		defer debug.SetGCPercent(debug.SetGCPercent(300))
	}
	all := &figures{
		Rules: map[string]int{}, Guards: map[string]int{}, Probes: map[string]int{}, Phases: map[string]int{}, Worlds: map[string]worldFigures{},
		Unfinished: map[string]string{},
	}
	for _, s := range chosenScopes(t, large) {
		x := newSearch(s, Decide)
		found := x.run(bounds{*limit, *most})
		t.Logf("%s: %d states, %d transitions, %.1f s", s.name, len(x.parents), x.transitions, x.took.Seconds())
		all.add(x)
		switch {
		case found != nil:
			t.Errorf("%s: %s", s.name, found)
		case x.unfinished != "" && large:
			t.Logf("%s is not exhausted: %s", s.name, x.unfinished)
		case x.unfinished != "":
			t.Errorf("%s is not exhausted: %s", s.name, x.unfinished)
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
	if *addTo != "" {
		members := map[string]any{}
		if err := errors.Join(json.Unmarshal(text, &members), report.Add(*addTo, members)); err != nil {
			t.Error(err)
		}
	}
}

// chosenScopes are the worlds that somebody asked for; all where nobody did.
func chosenScopes(t *testing.T, large bool) []*scope {
	all := scopes(large)
	if *only == "" {
		return all
	}
	names := strings.Split(*only, ",")
	some := slices.DeleteFunc(all, func(s *scope) bool { return !slices.Contains(names, s.name) })
	if len(some) != len(names) {
		t.Fatalf("-rollout.only=%s: of these worlds there are %d", *only, len(some))
	}
	return some
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
	Seconds     float64                 `json:"exploration_seconds"`
	Worlds      map[string]worldFigures `json:"exploration"`
	// Unfinished are the worlds that the bounds ended, and why.
	Unfinished map[string]string `json:"exploration_unfinished"`
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
	if x.unfinished != "" {
		f.Unfinished[x.scope.name] = x.unfinished
	}
	for what, n := range x.tally {
		kind, subject, _ := strings.Cut(what, " ")
		map[string]map[string]int{"rule": f.Rules, "phase": f.Phases, "guard": f.Guards, "probe": f.Probes}[kind][subject] += n
	}
}
