package rollout

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// scope says what can happen in a small world, and how often.
type scope struct {
	name     string
	replicas int
	versions []string
	subnets  []string
	layouts  [][]layout // for each Release: the one that it begins with, and those that it may be edited to
	spec     Spec       // what no edit changes

	edits, faults int

	// edits
	noPhase, pausing, scaling, deleting, retrying, overriding, adopting bool
	// faults
	deaths, flips, stops, holds, blindness, deletedPools, capacity, crashes, refusals bool
	// what AWS may do at any time
	lag, staleness, zonal bool
	halves                bool // time passes by three minutes, not six: of two long clocks one rings before the other

	probing bool // the guards are offered everything, in every state

	begin func(*scope) []*micro
}

// fairness names the steps that happen in the end wherever they stay possible.
type fairness int8

const (
	unfair fairness = iota - 1
	fairDelivery
	fairShort
	fairLong
	fairMend
	fairPass // of the first Release; that of the second comes next
	_
	fairKinds
)

// expansion collects what can come of one state.
type expansion struct {
	scope   *scope
	core    func(Input) Decision
	from    *micro
	tally   map[string]int
	telling bool // work out words
	acted   bool // the step being added is a pass that called or wrote something
	broken  string
	note    pathStep      // the step being added, where its words do not say all
	passed  time.Duration // the time that passes in it
	buffer  []byte
	out     []successor
}

type successor struct {
	state  *micro
	digest digest
	fair   fairness
	acted  bool
	broken string // the law that the step broke
	words  string
	note   pathStep      // the step, for those who walk it elsewhere
	passed time.Duration // how much time
}

func (e *expansion) violate(broken string) {
	if e.broken == "" {
		e.broken = broken
	}
}

func (e *expansion) add(next *micro, fair fairness, words string, subject any) {
	s := successor{state: next, digest: next.digest(&e.buffer), fair: fair, acted: e.acted, broken: e.broken}
	if e.telling {
		s.words = fmt.Sprintf(words, subject)
		s.note, s.passed = e.noted(words, subject), e.passed
	}
	e.out, e.broken, e.note = append(e.out, s), "", pathStep{}
}

// expand works out every step from a state, always in the same order.
func (e *expansion) expand(from *micro) []successor {
	e.from, e.out, e.broken = from, nil, ""
	for r := range from.releases {
		if !from.releases[r].gone {
			if e.scope.probing {
				e.probe(r)
			}
			e.passes(r)
		}
	}
	e.races()
	e.deliveries()
	e.time()
	e.mend()
	e.worldFaults()
	for r := range from.releases {
		e.userEdits(r)
	}
	return e.out
}

// edge is a step that fairness is about.
type edge struct {
	to    uint32
	step  uint16
	fair  fairness
	acted bool
}

// search is the breadth-first search through all states of a scope.
type search struct {
	scope *scope
	core  func(Input) Decision

	seen    map[digest]uint32
	parents []uint32
	steps   []uint16 // which step of its parent's leads to a state
	short   []bool   // the state lacks something that is asked for
	edgesAt []int
	edges   []edge
	roots   []*micro
	tally   map[string]int

	transitions int
	took        time.Duration
	unfinished  string // why the search ended before all was seen; empty where it did not
}

// bounds are how many states a search may see, and how long it may take; 0: no end.
type bounds struct {
	states int
	time   time.Duration
}

// passed says which of them a search has come to; empty for none.
func (b bounds) passed(states int, began time.Time) string {
	switch {
	case b.states > 0 && states > b.states:
		return fmt.Sprintf("more than %d states", b.states)
	case b.time > 0 && time.Since(began) > b.time:
		return fmt.Sprintf("more than %s", b.time)
	}
	return ""
}

// finding is what a search found wrong.
type finding struct {
	what  string
	trace string
}

func (f *finding) String() string { return f.what + "\n" + f.trace }

func newSearch(s *scope, core func(Input) Decision) *search {
	return &search{scope: s, core: core, seen: map[digest]uint32{}, tally: map[string]int{}}
}

const noParent = ^uint32(0)

// run searches until nothing is new, or something is wrong, or the bounds are passed: then the laws were held against every step that was
// seen, and nothing is known of progress, for the graph lacks its ends.
func (x *search) run(most bounds) *finding {
	began := time.Now()
	defer func() { x.took = time.Since(began) }()
	x.roots = x.scope.begin(x.scope)
	var level []*micro
	var buffer []byte
	for n, root := range x.roots {
		if _, known := x.enter(root.digest(&buffer), noParent, uint16(n)); !known { //nolint:gosec // roots are few
			level = append(level, root)
		}
	}
	first := 0
	for len(level) > 0 {
		var next []*micro
		for at := 0; at < len(level); at += batch {
			part := level[at:min(at+batch, len(level))]
			found, wrong := x.merge(first+at, x.expandAll(part))
			if wrong != nil {
				return wrong
			}
			next = append(next, found...)
			clear(part) // what was expanded is not needed any more
			if x.unfinished = most.passed(len(x.parents), began); x.unfinished != "" {
				return nil
			}
		}
		first += len(level)
		level = next
	}
	x.edgesAt = append(x.edgesAt, len(x.edges))
	return x.stuck()
}

// batch is how many states are expanded before what is new is noted.
const batch = 2048

// expanded is what came of one state.
type expanded struct {
	out   []successor
	short bool
}

// expandAll expands states on all processors.
func (x *search) expandAll(states []*micro) []expanded {
	results := make([]expanded, len(states))
	workers := runtime.GOMAXPROCS(0)
	tallies := make([]map[string]int, workers)
	var running sync.WaitGroup
	for w := range workers {
		tallies[w] = map[string]int{}
		running.Go(func() {
			e := &expansion{scope: x.scope, core: x.core, tally: tallies[w]}
			for i := w; i < len(states); i += workers {
				results[i] = expanded{e.expand(states[i]), states[i].lacks(x.scope) != ""}
			}
		})
	}
	running.Wait()
	for _, tally := range tallies {
		for what, n := range tally {
			x.tally[what] += n
		}
	}
	return results
}

// merge notes what is new among what came of the states from id on.
func (x *search) merge(id int, results []expanded) ([]*micro, *finding) {
	var found []*micro
	for i, result := range results {
		from := uint32(id + i) //nolint:gosec // states are fewer
		x.edgesAt = append(x.edgesAt, len(x.edges))
		x.short = append(x.short, result.short)
		for step, s := range result.out {
			x.transitions++
			to, known := x.enter(s.digest, from, uint16(step)) //nolint:gosec // steps are few
			if s.broken != "" {
				return nil, &finding{s.broken, x.tell(from) + x.tellStep(from, step)}
			}
			if !known {
				found = append(found, s.state)
			}
			if s.fair != unfair {
				x.edges = append(x.edges, edge{to, uint16(step), s.fair, s.acted}) //nolint:gosec // steps are few
			}
		}
		results[i] = expanded{}
	}
	return found, nil
}

func (x *search) enter(d digest, parent uint32, step uint16) (id uint32, known bool) {
	if id, known = x.seen[d]; known {
		return id, true
	}
	id = uint32(len(x.parents)) //nolint:gosec // states are fewer
	x.seen[d] = id
	x.parents, x.steps = append(x.parents, parent), append(x.steps, step)
	return id, false
}

// replay walks from a root to a state again, and tells each step.
func (x *search) replay(id uint32) (state *micro, words []string) {
	var way []uint16
	at := id
	for ; x.parents[at] != noParent; at = x.parents[at] {
		way = append(way, x.steps[at])
	}
	state = x.roots[x.steps[at]]
	for _, step := range slices.Backward(way) {
		s := x.follow(state, int(step))
		state, words = s.state, append(words, s.words)
	}
	return state, words
}

func (x *search) follow(from *micro, step int) successor {
	e := &expansion{scope: x.scope, core: x.core, tally: map[string]int{}, telling: true}
	return e.expand(from)[step]
}

// tell is the shortest way to a state in words.
func (x *search) tell(id uint32) string {
	_, words := x.replay(id)
	var text strings.Builder
	for n, line := range words {
		fmt.Fprintf(&text, "  %3d  %s\n", n+1, line)
	}
	return text.String()
}

func (x *search) tellStep(from uint32, step int) string {
	state, _ := x.replay(from)
	return "       " + x.follow(state, step).words + "\n" + state.String()
}

// String describes a state for a trace.
func (s *micro) String() string {
	var text strings.Builder
	for r := range s.releases {
		rel := &s.releases[r]
		fmt.Fprintf(&text, "    Release %d: phase %s for %q, version %s, %d replicas, paused %t, deleting %t, gone %t, retry %q, override %s, pools%s\n", r+1,
			orNone(rel.phase), rel.phaseFor, rel.version, rel.replicas, rel.paused, rel.deleting, rel.gone, rel.retry, rel.override.Phase, rel.layout.words())
		for _, v := range rel.memory.Revisions {
			fmt.Fprintf(&text, "      remembers %+v\n", v)
		}
		for _, key := range slices.Sorted(keysOf(rel.soft.Since)) {
			fmt.Fprintf(&text, "      clock %s: %s\n", key, epoch.Sub(rel.soft.Since[key]))
		}
	}
	for i := range s.servers {
		m := &s.servers[i]
		fmt.Fprintf(&text, "    %s of Release %d, version %s, %s, %s, sick %t, seats %v\n", serverName(m.id), m.owner+1, m.version, m.state, m.role, m.sick, m.seats)
	}
	fmt.Fprintf(&text, "    dark %v, EC2 dark %t, lost %v, full %t\n", s.dark, s.darkEC2, s.lost, s.full)
	return text.String()
}
