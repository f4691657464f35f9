package rollout

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden stories anew")

// A story is a rollout told step by step. Its text is compared with testdata/<name>.golden, so that a change of behavior
// is read as a change of a story.
type story struct {
	text  strings.Builder
	began time.Time
	stage Stage
}

// step is one thing that happens, and its name in the story. What follows from it is played until nothing changes any
// more, unless the step says otherwise.
type step struct {
	title string
	do    func(*world)
	play  func(*world) // nil: until the world is at rest
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

// pass tells a pass in which something happened: a new stage, memory, calls.
func (s *story) pass(w *world, d Decision) {
	lines := changes(w.input.Memory, d.Memory)
	for _, a := range d.Actions {
		lines = append(lines, fmt.Sprintf("%-10s %s", verbOf(a), a.Reason()))
	}
	lines = append(lines, answers(d.Memory, w.etcd)...)
	if len(lines) == 0 && d.Report.Stage == s.stage {
		return
	}
	s.stage = d.Report.Stage
	s.say("  %7s  %s", short(w.now.Sub(s.began)), d.Report.Stage)
	for _, line := range lines {
		s.say("             %s", line)
	}
}

// rest tells how the world looks when a step is over.
func (s *story) rest(w *world, calls map[string]int) {
	d := w.last
	var is []string
	for _, c := range d.Report.Conditions {
		if c.True {
			word := string(c.Type)
			if c.Reason != word {
				word += "(" + c.Reason + ")"
			}
			is = append(is, word)
		}
	}
	phase := string(d.Report.Phase)
	if phase == "" {
		phase = "none"
	}
	s.say("           = %s, phase %s by rule %s, may become %v", d.Report.Stage, phase, d.Report.PhaseRule, d.Report.Allowed)
	s.say("             %s", strings.Join(is, " "))
	s.say("             %s", d.Report.Message)
	for _, b := range w.balancers {
		s.say("             %s: %s", b.ID, w.memberWords(b))
	}
	var total []string
	for _, verb := range []string{"Launch", "Register", "Deregister", "Tag", "Terminate"} {
		if n := w.calls[verb] - calls[verb]; n > 0 {
			total = append(total, fmt.Sprintf("%d %s", n, verb))
		}
	}
	if len(total) > 0 {
		s.say("             calls: %s", strings.Join(total, ", "))
	}
	s.say("")
}

// memberWords says which versions are in a pool, and how.
func (w *world) memberWords(b *balancer) string {
	counts := map[string]int{}
	for id, ms := range b.members {
		m := w.machine(id)
		state := "sick"
		switch {
		case !ms.leaving.IsZero():
			state = "draining"
		case w.healthy(b, id):
			state = "healthy"
		case m.ended != (time.Time{}):
			state = "dead"
		}
		who := "version " + m.Version
		if m.owner != uid {
			who = "a stranger's"
		}
		counts[who+" "+state]++
	}
	var words []string
	for who, n := range counts {
		words = append(words, fmt.Sprintf("%d of %s", n, who))
	}
	slices.Sort(words)
	if len(words) == 0 {
		return "empty"
	}
	return strings.Join(words, ", ")
}

// changes are the words for what a decision remembers anew.
func changes(before, after Memory) []string {
	var lines []string
	for _, r := range after.Revisions {
		old := before.find(r.Name)
		if old == nil {
			old = &Revision{}
		}
		if words := difference(facts(*old), facts(r)); len(words) > 0 {
			lines = append(lines, fmt.Sprintf("remember   %s: %s", r.Name, strings.Join(words, ", ")))
		}
	}
	return lines
}

// answers are the words for what launches brought.
func answers(before, after Memory) []string {
	var lines []string
	for _, r := range after.Revisions {
		old := before.find(r.Name)
		for i, a := range r.Launches {
			if old == nil || i >= len(old.Launches) || !old.Launches[i].Open || a.Open {
				continue
			}
			switch {
			case a.Failure.Kind != FailureNone:
				lines = append(lines, fmt.Sprintf("  attempt %d of %s: %s", a.Number, r.Name, a.Failure.Message))
			default:
				lines = append(lines, fmt.Sprintf("  attempt %d of %s: %s", a.Number, r.Name, strings.Join(a.Servers, " ")))
			}
		}
	}
	return lines
}

// facts are the parts of a revision's memory that a reader of a story wants to see change.
func facts(r Revision) []string {
	list := make([]string, 0, 12)
	add := func(is bool, format string, args ...any) {
		if is {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(r.Number > 0, "number %d", r.Number)
	add(r.StableSeq > 0, "stable %d", r.StableSeq)
	add(r.Completed, "completed")
	add(r.Retired, "retired")
	add(r.Lost, "lost")
	add(len(r.Promotion.Cohort) > 0, "promotion of %s", strings.Join(r.Promotion.Cohort, " "))
	add(!r.Promotion.StartedAt.IsZero() && len(r.Promotion.Cohort) == 0, "promotion to be undone")
	add(!r.GateAt.IsZero(), "gate passed")
	add(!r.LiveAt.IsZero(), "live")
	add(r.Verdict.Reason != "", "verdict %s", r.Verdict.Reason)
	add(!r.Ready.Since.IsZero(), "ready clock runs from %s", r.Ready.Spent)
	add(r.Ready.Since.IsZero() && r.Ready.Spent > 0, "ready clock stands at %s", r.Ready.Spent)
	add(!r.Stopped.IsZero(), "clock stopped")
	add(r.Retry != "", "retry %s", r.Retry)
	add(len(r.Pools) > 0, "pools %s", strings.Join(r.Pools, " "))
	add(len(r.Adopted) > 0, "adopted %s", strings.Join(r.Adopted, " "))
	for _, a := range r.Launches {
		add(a.Open, "attempt %d", a.Number)
	}
	return list
}

// difference are the facts that came, and those that went.
func difference(before, after []string) []string {
	var words []string
	for _, fact := range after {
		if !slices.Contains(before, fact) {
			words = append(words, fact)
		}
	}
	for _, fact := range before {
		kind := strings.Fields(fact)[0]
		replaced := kind != "attempt" && slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, kind+" ") })
		switch {
		case slices.Contains(after, fact) || replaced:
		case kind == "attempt":
			words = append(words, fact+" closed")
		default:
			words = append(words, "no longer "+fact)
		}
	}
	return words
}

func short(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// tell plays a story and compares its text.
func tell(t *testing.T, name string, w *world, steps []step) {
	t.Helper()
	s := &story{began: w.now}
	w.story = s
	s.say("%s\n", name)
	for _, st := range steps {
		s.say("%s", st.title)
		s.began, s.stage = w.now, ""
		calls := map[string]int{}
		maps.Copy(calls, w.calls)
		st.do(w)
		if st.play == nil {
			w.run()
		} else {
			st.play(w)
			s.say("  %7s", short(w.now.Sub(s.began)))
		}
		s.rest(w, calls)
	}
	w.story = nil
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".golden")
	got := strings.TrimSpace(s.text.String()) + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := gocmp.Diff(string(want), got); diff != "" {
		t.Errorf("the story went differently (-told before +now):\n%s", diff)
	}
}

// checkAtRest makes ten more passes, a sweep apart, and wants no call and no write in any of them (law 9).
func checkAtRest(t reporter, w *world) {
	t.Helper()
	for n := range 10 {
		before, writes := w.etcd.clone(), w.writes
		w.now = w.now.Add(sweepTime)
		d := w.pass()
		if len(d.Actions) > 0 {
			t.Fatalf("law 9: pass %d over a converged Release: %s %s", n+1, verbOf(d.Actions[0]), d.Actions[0].Reason())
		}
		if w.writes != writes {
			t.Fatalf("law 9: pass %d over a converged Release changes memory:\n%s", n+1, gocmp.Diff(before, w.etcd))
		}
	}
}

// The steps that stories are made of.

// edit changes the spec.
func edit(title string, change func(*Spec)) step {
	return step{title: title, do: func(w *world) { change(&w.spec) }}
}

// declare is the edit that begins a deploy.
func declare(version string, phase Phase) step {
	title := fmt.Sprintf("declare version %s, phase %s", version, orNone(phase))
	return edit(title, func(s *Spec) { s.Version, s.Phase, s.PhaseFor = version, phase, "" })
}

// send declares a version and sends it straight to a phase.
func send(version string, phase Phase) step {
	title := fmt.Sprintf("declare version %s, phase %s for it", version, phase)
	return edit(title, func(s *Spec) { s.Version, s.Phase, s.PhaseFor = version, phase, version })
}

// phase is the edit that the command line makes: the phase, and the version that it is meant for.
func phase(phase Phase) step {
	return edit("phase "+orNone(phase), func(s *Spec) { s.Phase, s.PhaseFor = phase, s.Version })
}

func none(title string) step { return happens(title, func(*world) {}) }

func replicas(n int) step {
	return edit(fmt.Sprintf("replicas %d", n), func(s *Spec) { s.Replicas = n })
}

func orNone(p Phase) string {
	if p == PhaseNone {
		return "none"
	}
	return string(p)
}

// happens changes the world.
func happens(title string, change func(*world)) step { return step{title: title, do: change} }

// until plays the step only until a stage is reached.
func (s step) until(stage Stage) step {
	s.title += " … " + string(stage)
	s.play = func(w *world) { w.runFor(time.Hour, func() bool { return w.last.Report.Stage == stage }) }
	return s
}

// passes plays so many passes.
func (s step) passes(n int) step {
	s.play = func(w *world) {
		for range n {
			w.pass()
		}
	}
	return s
}

// lasting plays for so long.
func (s step) lasting(d time.Duration) step {
	s.title += fmt.Sprintf(" … for %s", d)
	s.play = func(w *world) {
		for end := w.now.Add(d); w.now.Before(end); {
			w.pass()
			if w.now.After(end) {
				w.now = end
			}
		}
	}
	return s
}

// Worlds to begin with.

// stable1 has version 1 complete.
func stable1(t reporter) *world {
	w := newWorld(t)
	return w.play(send("1", PhaseComplete))
}

// play goes through steps without a story.
func (w *world) play(steps ...step) *world {
	w.t.Helper()
	for _, st := range steps {
		st.do(w)
		if st.play == nil {
			w.run()
		} else {
			st.play(w)
		}
	}
	return w
}

func preview2(t reporter) *world { return stable1(t).play(declare("2", PhasePreview)) }
func live2(t reporter) *world    { return preview2(t).play(phase(PhaseLive)) }
func rolled2(t reporter) *world  { return live2(t).play(phase(PhaseRolledBack)) }
