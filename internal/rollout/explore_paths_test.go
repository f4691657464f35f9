package rollout

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// Paths of the small world, for whoever can walk them in a world that is closer to AWS. test/safety does so on the local AWS, with
// the controller around the core, and compares the ends: what the search proves of the model then holds of more than the model.
//
// A path begins with a Release that was just made, and is a random walk through the steps of the search: people, passes with and
// without faults, what AWS owes and what is done to it. AWS delivers before time passes, as the local AWS does within seconds. At
// its end everything that lasts is mended, and the world goes on fairly until it rests.

var (
	pathsFile = flag.String("rollout.paths", "", "write paths of the small worlds, and their ends, to this `file`")
	pathCount = flag.Int("rollout.pathcount", 1000, "how many paths")
	pathSeed  = flag.Uint64("rollout.pathseed", 1, "other paths")
)

// path is a walk. Servers are named RELEASE/VERSION/N: the n-th that was launched of a version.
type path struct {
	World         string     `json:"world"`
	Seed          uint64     `json:"seed"`
	Replicas      int        `json:"replicas"`
	Zones         int        `json:"zones"`
	CompleteAfter int        `json:"completeAfter,omitempty"` // in seconds
	Begin         []pathSpec `json:"begin"`                   // the Releases as they are made
	Steps         []pathStep `json:"steps"`
	End           []pathEnd  `json:"end"` // for each Release
}

// pathSpec is what people declare.
type pathSpec struct {
	Phase    Phase             `json:"phase,omitempty"`
	PhaseFor string            `json:"phaseFor,omitempty"`
	Version  string            `json:"version"`
	Replicas int               `json:"replicas"`
	Paused   bool              `json:"paused,omitempty"`
	Retry    string            `json:"retry,omitempty"`
	Deleted  bool              `json:"deleted,omitempty"`
	Override *pathOverride     `json:"override,omitempty"`
	Pools    map[string]string `json:"pools"` // what each is used for
}

type pathOverride struct {
	Version string `json:"version"`
	Phase   Phase  `json:"phase"`
	Seconds int    `json:"seconds"` // it expires in
}

// pathStep is one step.
type pathStep struct {
	// Do is edit, settle, wait, pass, or the words of the search for what happens to a server or a pool ("%s dies").
	Do      string    `json:"do"`
	Release int       `json:"release,omitempty"`
	Spec    *pathSpec `json:"spec,omitempty"` // after the edit
	Server  string    `json:"server,omitempty"`
	Pool    string    `json:"pool,omitempty"`
	Seconds int       `json:"seconds,omitempty"`
	// Crash says that the process ends with the pass: after so many writes, or with the calls made that Calls says.
	Crash  bool `json:"crash,omitempty"`
	Writes int  `json:"writes,omitempty"` // -1: all
	// Calls are what became of the calls: done, refused, lost or rejected, by verb and pool.
	Calls map[string]string `json:"calls,omitempty"`
	// Before is the world before an edit.
	Before []pathEnd `json:"before,omitempty"`
}

// pathEnd is a Release and what is its own, as a world can be compared by.
type pathEnd struct {
	Gone    bool           `json:"gone,omitempty"`
	Stable  string         `json:"stable,omitempty"` // its version
	Stage   string         `json:"stage,omitempty"`
	Phase   string         `json:"phase,omitempty"`
	Servers map[string]int `json:"servers,omitempty"` // by version and role
	Pools   map[string]int `json:"pools,omitempty"`   // members that are not leaving, by pool and version
}

func TestPaths(t *testing.T) {
	if *pathsFile == "" {
		*pathCount = 20 // they can be made
	}
	paths, seed := make([]path, 0, *pathCount), *pathSeed<<32
	worlds := slices.DeleteFunc(scopes(true), func(s *scope) bool { return !slices.Contains(walked, s.name) })
	for ; len(paths) < *pathCount; seed++ {
		p, ok := samplePath(worlds[int(seed)%len(worlds)], seed) //nolint:gosec // worlds are few
		if ok {
			paths = append(paths, p)
		}
	}
	t.Logf("%d paths, %d walks that did not come to rest", len(paths), int(seed-*pathSeed<<32)-len(paths)) //nolint:gosec // both are small
	if *pathsFile == "" {
		return
	}
	text, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*pathsFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// walked are the worlds that paths are taken from: those whose faults a person, or the network, can bring about.
var walked = []string{"edits", "way", "versions", "knobs", "calls", "servers", "held", "zones", "rivals"}

// starts are the edits that lead to where a path begins; the Release comes to rest after each but the last, and after that too where
// it may be edited later.
func starts() [][]func(*microRelease) {
	ask := func(phase Phase) func(*microRelease) { return func(rel *microRelease) { rel.ask(phase) } }
	done, live := ask(PhaseComplete), declares("2", PhaseLive)
	return [][]func(*microRelease){
		{ask(PhaseLive)}, {done}, {done, declares("2", PhasePreview)}, {done, live}, {done, live, ask(PhaseRolledBack)}, {done, live, ask(PhaseComplete)},
	}
}

// walk is a path in the making.
type walk struct {
	of     *scope
	dice   *rand.Rand
	state  *micro
	path   path
	names  map[int]string // of servers
	counts map[string]int
}

func samplePath(of *scope, seed uint64) (path, bool) {
	w := &walk{
		of: of, dice: rand.New(rand.NewPCG(seed, 1)), state: fresh(of), names: map[int]string{}, counts: map[string]int{}, //nolint:gosec // no secret
		path: path{World: of.name, Seed: seed, Replicas: of.replicas, Zones: len(of.subnets), CompleteAfter: int(of.spec.CompleteAfter / time.Second)},
	}
	w.state.edits, w.state.faults = 0, 0
	for r := range w.state.releases {
		w.path.Begin = append(w.path.Begin, specOfPath(&w.state.releases[r]))
	}
	begin := starts()[w.dice.IntN(len(starts()))]
	for n, edit := range begin {
		before := w.ends(w.state)
		next := w.state.clone()
		edit(&next.releases[0])
		w.note(pathStep{Do: "edit", Spec: new(specOfPath(&next.releases[0])), Before: before}, next)
		if n < len(begin)-1 || of.edits > 0 && w.dice.IntN(2) == 0 {
			if !w.settle() {
				return path{}, false
			}
		}
	}
	w.state.edits, w.state.faults = of.edits, of.faults
	for range 4 + w.dice.IntN(40) {
		w.step()
	}
	w.mend()
	if !w.settle() {
		return path{}, false
	}
	w.path.End = w.ends(w.state)
	return w.path, true
}

// note goes a step.
func (w *walk) note(step pathStep, next *micro) {
	w.path.Steps, w.state = append(w.path.Steps, step), next
	for i := range next.servers {
		if m := &next.servers[i]; w.names[m.id] == "" {
			of := fmt.Sprintf("%d/%s", m.owner, m.version)
			w.names[m.id] = fmt.Sprintf("%s/%d", of, w.counts[of])
			w.counts[of]++
		}
	}
}

func (w *walk) expand(of *scope) []successor {
	e := &expansion{scope: of, core: Decide, tally: map[string]int{}, telling: true}
	return e.expand(w.state)
}

// step goes one of the steps that there are: most often a pass, or what AWS owes.
func (w *walk) step() {
	quiet := *w.of
	quiet.probing = false
	all := w.expand(&quiet)
	var buffer []byte
	here := w.state.digest(&buffer)
	owed := slices.ContainsFunc(all, func(s successor) bool { return s.fair == fairDelivery })
	kinds := map[string][]successor{}
	for _, s := range all {
		kind := s.kind()
		if s.digest != here && (!owed || kind != "wait") {
			kinds[kind] = append(kinds[kind], s)
		}
	}
	sum, weights := 0, map[string]int{"pass": 8, "owed": 8, "wait": 2, "mend": 1, "edit": 3, "ending": 4, "fault": 3}
	for kind := range kinds {
		sum += weights[kind]
	}
	if sum == 0 {
		return
	}
	at := w.dice.IntN(sum)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if at -= weights[kind]; at < 0 {
			w.take(kinds[kind][w.dice.IntN(len(kinds[kind]))])
			return
		}
	}
}

// kind groups successors.
func (s successor) kind() string {
	switch {
	case s.fair == fairDelivery:
		return "owed"
	case s.fair == fairShort, s.fair == fairLong:
		return "wait"
	case s.fair == fairMend:
		return "mend"
	case s.fair >= fairPass:
		return "pass"
	case s.note.Do == "pass":
		return "ending"
	case s.note.Do == "edit":
		return "edit"
	}
	return "fault"
}

func (w *walk) take(s successor) {
	step := s.note
	switch step.Do {
	case "edit":
		step.Spec, step.Before = new(specOfPath(&s.state.releases[step.Release])), w.ends(w.state)
	case "wait":
		step.Seconds = int(s.passed / time.Second)
	default:
		if m := w.state.server(step.Server); m != nil {
			step.Server = w.names[m.id]
		}
	}
	w.note(step, s.state)
}

// mend ends whatever lasts.
func (w *walk) mend() {
	for {
		all := w.expand(w.of)
		at := slices.IndexFunc(all, func(s successor) bool { return s.fair == fairMend })
		if at < 0 {
			return
		}
		w.take(all[at])
	}
}

// settle goes on fairly, and at once, until the world rests.
func (w *walk) settle() bool {
	quiet := *w.of
	quiet.probing, quiet.crashes, quiet.refusals = false, false, false
	s, edits, faults := w.state.clone(), w.state.edits, w.state.faults
	s.edits, s.faults = 0, 0
	for range 400 {
		e := &expansion{scope: &quiet, core: Decide, tally: map[string]int{}}
		next := soonest(e.expand(s), s)
		if next == nil {
			s.edits, s.faults = edits, faults
			w.note(pathStep{Do: "settle"}, s)
			return s.lacks(w.of) == ""
		}
		s = next
	}
	return false
}

// soonest is the next step of a fair run in which nothing is late; nil where none changes anything.
func soonest(all []successor, from *micro) *micro {
	var buffer []byte
	here := from.digest(&buffer)
	for _, kind := range []fairness{fairDelivery, fairPass, fairPass + 1, fairShort, fairLong} {
		for _, s := range all {
			if s.fair == kind && s.digest != here {
				return s.state
			}
		}
	}
	return nil
}

func specOfPath(rel *microRelease) pathSpec {
	spec := pathSpec{
		Phase: rel.phase, PhaseFor: rel.phaseFor, Version: rel.version, Replicas: rel.replicas, Paused: rel.paused, Retry: rel.retry,
		Deleted: rel.deleting, Pools: map[string]string{},
	}
	for p, use := range rel.layout {
		if use != "" {
			spec.Pools[poolNames[p]] = string(use)
		}
	}
	if o := rel.override; o.Revision != "" {
		spec.Override = &pathOverride{versionOf(o.Revision), o.Phase, int(o.ExpiresAt.Sub(epoch) / time.Second)}
	}
	return spec
}

// ends describe the world.
func (w *walk) ends(s *micro) []pathEnd {
	all := make([]pathEnd, len(s.releases))
	for r := range s.releases {
		end := &all[r]
		*end = pathEnd{Servers: map[string]int{}, Pools: map[string]int{}}
		for i := range s.servers {
			m := &s.servers[i]
			if m.owner != r || !m.alive() {
				continue
			}
			end.Servers[m.version+" "+string(m.role)]++
			for p, seat := range m.seats {
				if seat == seatComing || seat == seatServing {
					end.Pools[poolNames[p]+" "+m.version]++
				}
			}
		}
		if end.Gone = s.releases[r].gone; end.Gone {
			continue
		}
		if stable := s.stable(r); stable != "" {
			end.Stable = versionOf(stable)
		}
		report := Decide(s.observe(r, w.of)).Report
		end.Stage, end.Phase = string(report.Stage), string(report.Phase)
	}
	return all
}

// noted is the step that is being added, as far as its words tell.
func (e *expansion) noted(words string, subject any) pathStep {
	step := e.note
	if step.Do != "" {
		return step
	}
	step.Do = words
	switch name := fmt.Sprint(subject); {
	case slices.Contains(poolNames[:], name):
		step.Pool = name
	case step.Server == "":
		step.Server = name
	}
	return step
}

// calls tells what becomes of the calls of a pass.
func (end ending) calls(p *pass) map[string]string {
	all := map[string]string{}
	for n, a := range p.out.Actions {
		launch, name, fate := false, verbOf(a), "done"
		switch a := a.(type) {
		case Register:
			name += " " + a.Pool.ID
		case Deregister:
			name += " " + a.Pool.ID
		case Launch:
			launch = true
		}
		switch bit := uint(1) << n; {
		case end.done&bit == 0 && end.reject && launch:
			fate = "rejected"
		case end.done&bit == 0:
			fate = "refused"
		case end.answered&bit == 0 && !end.crash:
			fate = "lost"
		}
		if other, twice := all[name]; twice && other != fate {
			fate = "mixed"
		}
		all[name] = fate
	}
	return all
}
