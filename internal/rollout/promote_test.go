package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The gate: so many good passes in a row, over all pools, of the whole cohort.
func TestGate(t *testing.T) {
	good := func(n int) change { return func(in *Input) { in.Soft.GoodPasses = n } }
	consecutive := func(n int) change { return spec(func(s *Spec) { s.Health.Consecutive = n }) }
	sick := func(id string) change {
		return pool("edge", func(p *Pool) {
			i := slices.IndexFunc(p.Members, func(m Member) bool { return m.Server == id })
			p.Members[i].State = MemberUnhealthy
		})
	}
	another := func(state MemberState) change { // a second production pool
		return func(in *Input) {
			p := aPool("api", UseProduction, "i-1", "i-2", "i-3", "i-4")
			p.Members[3].State = state
			in.World.Pools = append([]Pool{p}, in.World.Pools...)
		}
	}
	late := func(in *Input) { // a server that became healthy in Preview after the promotion began
		in.Spec.Replicas = 3
		in.Spec.MinHealthyPercent = 60
		in.World.Servers = append(in.World.Servers, aServer("i-5", "2", "a"))
		members("preview", "i-3", "i-4", "i-5")(in)
	}
	for name, c := range map[string]struct {
		in     change
		passes int  // good passes after this one
		passed bool // the gate
		after  time.Duration
	}{
		"first good pass":         {promoting, 1, false, confirmEvery},
		"second good pass":        {all(promoting, good(1)), 2, true, stepEvery},
		"one is enough":           {all(promoting, consecutive(1)), 1, true, stepEvery},
		"three, the second":       {all(promoting, consecutive(3), good(1)), 2, false, confirmEvery},
		"a bad pass begins again": {all(promoting, good(1), sick("i-3")), 0, false, stepEvery},
		"for an hour, and there is no stable version to go back to": {
			all(promoting, first, members("edge", "i-3", "i-4"), sick("i-3"), since(watching+"web-2", time.Hour),
				revision("2", func(r *Revision) { r.Promotion.StartedAt = epoch.Add(-time.Hour) })), 0, false, stuckEvery,
		},
		"a draining one is bad": {
			all(promoting, good(1), pool("edge", func(p *Pool) { p.Members[2].State = MemberDraining })),
			0,
			false,
			stepEvery,
		},
		"an unread pool is bad": {all(promoting, good(1), unreadable("edge")), 0, false, time.Minute / 80}, // and its clock is not begun anew
		"for a minute now":      {all(promoting, since(watching+"web-2", time.Minute), sick("i-3")), 0, false, time.Minute / 80},
		"for an hour now": {
			all(promoting, since(watching+"web-2", time.Hour), revision("2", func(r *Revision) { r.Promotion.StartedAt = epoch.Add(-time.Hour) }),
				spec(func(s *Spec) { s.Health.Timeout = 2 * time.Hour }), sick("i-3")), 0, false, stepSlowest,
		},
		"sick stable servers are not": {all(promoting, good(1), sick("i-1")), 2, true, stepEvery},
		"both of two pools":           {all(promoting, good(1), another(MemberHealthy)), 2, true, 3 * stepPerCall},
		"one of two pools":            {all(promoting, good(1), another(MemberUnhealthy)), 0, false, 3 * stepPerCall},
		"all of the cohort, at 50 %":  {all(promoting, good(1), sick("i-3"), spec(func(s *Spec) { s.MinHealthyPercent = 50 })), 0, false, stepEvery},
		"one that joins later":        {all(promoting, late, good(1)), 2, true, stepEvery},
		"one that joined later is sick": {
			all(promoting, late, good(1), members("edge", "i-1", "i-2", "i-3", "i-4", "i-5"), sick("i-5")),
			2,
			true,
			stepEvery,
		},
		"a test pool says nothing": {all(promoting, good(1), members("preview")), 2, true, stepEvery},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(newCase(c.in))
			passed := !remembered(d, "web-2").GateAt.IsZero()
			if d.Soft.GoodPasses != c.passes || passed != c.passed || d.After != c.after {
				t.Errorf("%d good passes, gate passed %t, next in %s; want %d, %t, %s", d.Soft.GoodPasses, passed, d.After, c.passes, c.passed, c.after)
			}
		})
	}
}

// Who is in the cohort, and when it is enrolled anew.
func TestCohort(t *testing.T) {
	ready := all(spec(func(s *Spec) { s.Phase = PhaseLive }))
	third := func(in *Input) {
		in.World.Servers = append(in.World.Servers, aServer("i-5", "2", "a"))
		members("preview", "i-3", "i-4", "i-5")(in)
	}
	gone := server("i-3", func(s *Server) { s.State = StateTerminated })
	for name, c := range map[string]struct {
		in   change
		want []string
	}{
		"begins with who is healthy":        {ready, []string{"i-3", "i-4"}},
		"does not begin with too few":       {all(ready, members("preview", "i-3")), nil},
		"begins with fewer at 50 %":         {all(ready, members("preview", "i-3"), spec(func(s *Spec) { s.MinHealthyPercent = 50 })), []string{"i-3"}},
		"goes on":                           {all(promoting, third), []string{"i-3", "i-4"}},
		"one has gone, too few are ready":   {all(promoting, gone), []string{"i-3", "i-4"}},
		"one has gone, another is ready":    {all(promoting, third, gone), []string{"i-4", "i-5"}},
		"more are asked for, too few ready": {all(promoting, spec(func(s *Spec) { s.Replicas = 3 })), []string{"i-3", "i-4"}},
		"more are asked for, and ready":     {all(promoting, third, spec(func(s *Spec) { s.Replicas = 3 })), []string{"i-3", "i-4", "i-5"}},
		"one is held":                       {all(promoting, third, server("i-3", func(s *Server) { s.Hold = true })), []string{"i-4", "i-5"}},
		"one is sick: it is waited for":     {all(promoting, third, members("edge", "i-1", "i-2", "i-4")), []string{"i-3", "i-4"}},
		"it was being undone: it begins anew": {
			all(promoting, third, revision("2", func(r *Revision) { r.Promotion.Cohort = nil })),
			[]string{"i-3", "i-4", "i-5"},
		},
		"minReadySeconds not over": {all(ready, spec(func(s *Spec) { s.Health.MinReady = 10 * time.Second })), nil},
		"minReadySeconds over for one at 50 %": {
			all(ready, spec(func(s *Spec) { s.Health.MinReady, s.MinHealthyPercent = 10*time.Second, 50 }), since("ready/i-4", 10*time.Second)),
			[]string{"i-4"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, remembered(Decide(newCase(c.in)), "web-2").Promotion.Cohort); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is remembered comes with the decision whose calls it covers, never after them.
func TestMemoryComesFirst(t *testing.T) {
	begin := Decide(newCase(spec(func(s *Spec) { s.Phase = PhaseLive })))
	r := remembered(begin, "web-2")
	if !r.Promotion.StartedAt.Equal(epoch) || !slices.Contains(r.Pools, "edge") || !slices.Contains(words(begin.Actions), "Register i-3,i-4 into edge") {
		t.Errorf("with %v it remembers the promotion since %s and pools %v", words(begin.Actions), r.Promotion.StartedAt, r.Pools)
	}
	passed := Decide(newCase(promoting, func(in *Input) { in.Soft.GoodPasses = 1 }))
	r = remembered(passed, "web-2")
	if !r.GateAt.Equal(epoch) || !slices.Equal(r.Promotion.Pools, []string{"edge"}) || !slices.Contains(words(passed.Actions), "Deregister i-1,i-2 from edge") {
		t.Errorf("with %v it remembers the gate at %s for %v", words(passed.Actions), r.GateAt, r.Promotion.Pools)
	}
	back := Decide(newCase(live, spec(func(s *Spec) { s.Phase = PhaseRolledBack })))
	r = remembered(back, "web-2")
	if !r.LiveAt.IsZero() || !r.GateAt.IsZero() || !slices.Contains(words(back.Actions), "Register i-1,i-2 into edge") {
		t.Errorf("with %v it still remembers the gate at %s, Live at %s", words(back.Actions), r.GateAt, r.LiveAt)
	}
	if r.Promotion.StartedAt.IsZero() {
		t.Error("it forgets that version 2 was in production before it has left")
	}
}

// The order of a rollback: Register, the gate, Deregister, and what a rollback does not wait for.
func TestRollbackSteps(t *testing.T) {
	back := all(live, spec(func(s *Spec) { s.Phase = PhaseRolledBack }))
	begun := since("restore/web-1", 2*time.Second)
	beside := func(state MemberState) change {
		return all(back, begun, members("edge", "i-1", "i-2", "i-3", "i-4"), pool("edge", func(p *Pool) { p.Members[0].State = state }))
	}
	refused := revision("2", func(r *Revision) {
		r.Launches = []Attempt{failed(closed(1, "a", time.Second, []int{0}), FailureRejected)}
	})
	auto := revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonAutoRolledBack} })
	byVerdict := all(beside(MemberHealthy), auto, spec(func(s *Spec) { s.Phase = PhaseLive }))
	for name, c := range map[string]struct {
		in   change
		want []string
	}{
		"first, stable comes back":  {back, []string{"Register i-1,i-2 into edge"}},
		"then it is waited for":     {beside(MemberRegistering), []string{}},
		"then the candidate leaves": {beside(MemberHealthy), []string{"Deregister i-3,i-4 from edge"}},
		"one sick, for a minute": {
			all(beside(MemberUnhealthy), since("rollback/web-1", time.Minute)),
			[]string{"Deregister i-3,i-4 from edge"},
		},
		"one sick, for less":                {all(beside(MemberUnhealthy), since("rollback/web-1", 59*time.Second)), []string{}},
		"whatever becomes of the candidate": {all(beside(MemberHealthy), without("i-3"), refused), []string{"Deregister i-4 from edge"}},
		"whatever became of the image": {
			all(beside(MemberHealthy), spec(func(s *Spec) { s.Target, s.Unresolved = "", Problem{Reason: ReasonImageNotFound, Message: "gone"} })),
			[]string{"Deregister i-3,i-4 from edge"},
		},
		"paused": {
			all(beside(MemberHealthy), spec(func(s *Spec) { s.Paused = true })),
			[]string{"Deregister i-3,i-4 from edge"},
		},
		"paused, by override past a verdict": {
			all(
				byVerdict,
				spec(func(s *Spec) {
					s.Paused = true
					s.Override = Override{Revision: "web-2", Phase: PhaseRolledBack, ExpiresAt: epoch.Add(time.Hour)}
				}),
			),
			[]string{"Deregister i-3,i-4 from edge"},
		},
		"paused, by verdict":                        {all(byVerdict, spec(func(s *Spec) { s.Paused = true })), []string{}},
		"by verdict, where stable is not healthier": {byVerdict, []string{}},
		"by verdict, where stable is healthier": {
			all(byVerdict, pool("edge", func(p *Pool) { p.Members[3].State = MemberUnhealthy })),
			[]string{"Deregister i-3,i-4 from edge"},
		},
		"unseen: stable comes back all the same": {all(back, unreadable("edge")), []string{"Register i-1,i-2 into edge"}},
		"unseen: and again after half a minute": {
			all(back, begun, unreadable("edge"), since("insist/edge", 30*time.Second)),
			[]string{"Register i-1,i-2 into edge"},
		},
		"unseen: not each second": {all(back, begun, unreadable("edge"), since("insist/edge", 29*time.Second)), []string{}},
		"last, the candidate is shown": {
			all(back, members("edge", "i-1", "i-2"), revision("2", func(r *Revision) { r.undo() })), []string{"Register i-3,i-4 into preview"},
		},
		"a rollback of a promotion that is under way": {
			all(promoting, begun, spec(func(s *Spec) { s.Phase = PhaseRolledBack })),
			[]string{"Deregister i-3,i-4 from edge"},
		},
		"whatever the first reading says, stable is registered first": {
			all(beside(MemberHealthy), func(in *Input) { clear(in.Soft.Since) }),
			[]string{"Register i-1,i-2 into edge"},
		},
		"one that was launched since is not waited for": {
			all(beside(MemberUnhealthy), server("i-1", func(s *Server) { s.Launched = epoch.Add(-time.Second) })),
			[]string{"Deregister i-3,i-4 from edge"},
		},
		"Preview of a Live candidate is a rollback": {all(live, spec(func(s *Spec) { s.Phase = PhasePreview })), []string{"Register i-1,i-2 into edge"}},
		"no phase is none":                          {all(live, spec(func(s *Spec) { s.Phase = PhaseNone })), []string{}},
		"phaseFor of another version is none":       {all(live, spec(func(s *Spec) { s.PhaseFor = "9" })), []string{}},
		"an unresolved version is none":             {all(live, spec(func(s *Spec) { s.Target, s.Version = "", "3" })), []string{}},
		"the stable version declared again is one": {
			all(live, spec(func(s *Spec) { s.Target, s.Version = "web-1", "1" })),
			[]string{"Register i-1,i-2 into edge", "Tag i-3,i-4 retired"},
		},
		"the first version stays where it is": {
			all(live, first, members("edge", "i-3", "i-4"), spec(func(s *Spec) { s.Phase = PhaseRolledBack })),
			[]string{},
		},
		"a dead stable server is replaced, not waited for": {
			all(beside(MemberHealthy), without("i-2")),
			[]string{"Launch web-1", "Deregister i-3,i-4 from edge"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, words(Decide(newCase(c.in)).Actions)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// How many calls a promotion and a rollback take: not one more than each pool needs.
func TestMutationsAreCounted(t *testing.T) {
	w := newWorld(t)
	w.addPool("api", UseProduction, KindClassic)
	w.addPool("old", UseProduction, KindALB).delay = 30 * time.Second
	w.addPool("look", UseTest, KindALB)
	w.play(send("1", PhaseComplete))
	for _, c := range []struct {
		step step
		want map[string]int
	}{
		{declare("2", PhasePreview), map[string]int{"Launch": 2, "Register": 2}},
		{phase(PhaseLive), map[string]int{"Register": 3, "Deregister": 3 + 2}},
		{phase(PhaseRolledBack), map[string]int{"Register": 3 + 2, "Deregister": 3}},
		{phase(PhaseLive), map[string]int{"Register": 3, "Deregister": 3 + 2}},
		{phase(PhaseComplete), map[string]int{"Tag": 2, "Terminate": 1}},
	} {
		clear(w.calls)
		w.play(c.step)
		if diff := cmp.Diff(c.want, w.calls); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.step.title, diff)
		}
	}
	checkAtRest(t, w)
}

// A reading may tell of the time before our own Deregister. Whoever goes back just then must not be left with nobody.
func TestRollbackOnOldReadings(t *testing.T) {
	for _, until := range []Stage{StageSwitching, StageLive} {
		w := preview2(t)
		edge := w.pool("edge")
		edge.behind, edge.drain, edge.delay = 9*time.Second, 0, 5*time.Second // who left is gone at once, and back in 5 s
		w.play(phase(PhaseLive).until(until))
		w.play(phase(PhaseRolledBack)) // law 1 is checked on the truth, at every call
		if got := w.memberWords(edge); got != "2 of version 1 healthy" {
			t.Errorf("rolled back from %s: %s", until, got)
		}
	}
}

// Nothing enters production while one of its pools could not take it, and no clock runs meanwhile.
func TestPromotionWaitsForItsPools(t *testing.T) {
	for name, c := range map[string]struct {
		harm, mend func(*balancer)
		reason     string
	}{
		"missing":         {func(b *balancer) { b.gone = true }, func(b *balancer) { b.gone = false }, ReasonPoolNotFound},
		"used by nothing": {func(b *balancer) { b.NotInUse = true }, func(b *balancer) { b.NotInUse = false }, ReasonPoolNotInUse},
		"not readable":    {func(b *balancer) { b.broken = "Throttling" }, func(b *balancer) { b.broken = "" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := stable1(t)
			w.addPool("api", UseProduction, KindALB)
			w.run()
			w.play(declare("2", PhasePreview))
			c.harm(w.pool("api"))
			w.play(phase(PhaseLive).lasting(30 * time.Minute))
			if got := w.memberWords(w.pool("edge")); got != "2 of version 1 healthy" {
				t.Fatalf("edge: %s", got)
			}
			if stalled := conditionOf(w.last, CondStalled); stalled.True != (c.reason != "") || c.reason != "" && stalled.Reason != c.reason {
				t.Errorf("%+v, want %s", stalled, c.reason)
			}
			c.mend(w.pool("api"))
			w.run()
			if got := w.memberWords(w.pool("api")) + ", " + w.memberWords(w.pool("edge")); got != "2 of version 2 healthy, 2 of version 2 healthy" {
				t.Errorf("after it was mended: %s: %s", got, w.last.Report.Message)
			}
		})
	}
}

// The clock of a promotion stands while a pool of it cannot be read: nothing could be undone then.
func TestPromotionOutlastsAPoolThatIsGone(t *testing.T) {
	w := stable1(t)
	w.addPool("api", UseProduction, KindALB)
	w.run()
	w.play(declare("2", PhasePreview), phase(PhaseLive).until(StagePromoting))
	w.pool("api").gone = true
	for end := w.now.Add(30 * time.Minute); w.now.Before(end); {
		w.pass()
	}
	w.pool("api").gone = false
	w.run()
	if w.last.Report.Stage != StageLive {
		t.Errorf("%s: %s", w.last.Report.Stage, w.last.Report.Message)
	}
}

// Where a pool does not balance across zones, a candidate that has nobody in a zone stays in Preview and says why.
func TestPromotionWithoutAZone(t *testing.T) {
	w := newWorld(t)
	w.pool("edge").ZonalOnly = true
	w.play(send("1", PhaseComplete))
	w.write(Revision{Name: "web-2", Version: "2", Image: "ami-2", Subnets: []string{"a"}, InstanceTypes: []string{"large"}})
	w.play(send("2", PhaseLive).lasting(20 * time.Minute))
	if got := w.memberWords(w.pool("edge")); got != "2 of version 1 healthy" {
		t.Errorf("edge: %s", got)
	}
	if stalled := conditionOf(w.last, CondStalled); stalled.Reason != ReasonUnsafe || !strings.Contains(stalled.Message, "zone-b") {
		t.Errorf("%+v", stalled)
	}
}

// A fleet that serves is made whole wherever there is room.
func TestUnevenIsBetterThanShort(t *testing.T) {
	w := newWorld(t)
	w.pool("edge").ZonalOnly = true
	w.spec.Replicas = 4
	w.play(send("1", PhaseComplete), declare("2", PhasePreview), phase(PhaseLive))
	w.room["large@b"], w.room["small@b"] = 0, 0
	for _, m := range w.fleet("2") {
		if m.Subnet == "b" {
			w.end(m, "Server.InternalError")
			break
		}
	}
	w.run()
	if got := w.memberWords(w.pool("edge")); got != "4 of version 2 healthy" {
		t.Errorf("edge: %s: %s", got, w.last.Report.Message)
	}
}

// A throttled reading now and then does not make a rollback wait for ever.
func TestRollbackOutlastsThrottling(t *testing.T) {
	w := live2(t)
	w.fleet("1")[0].sick = true
	w.spec.Phase, w.spec.PhaseFor = PhaseRolledBack, ""
	edge, began := w.pool("edge"), w.now
	for n := 0; w.now.Sub(began) < 3*time.Minute; n++ {
		edge.broken = ""
		if n%15 == 14 {
			edge.broken = "Throttling: rate exceeded"
		}
		w.pass()
	}
	edge.broken = ""
	w.run()
	if got := w.memberWords(edge); got != "1 of version 1 healthy, 1 of version 1 sick" {
		t.Errorf("edge: %s", got)
	}
}

// A Live candidate whose record was lost serves on while nobody can look it up.
func TestLostRecordOfALiveCandidate(t *testing.T) {
	forgotten := func(in *Input) { in.Memory.Revisions = in.Memory.Revisions[:1] }
	in := newCase(live, forgotten, spec(func(s *Spec) {
		s.Target, s.Unresolved = "", Problem{Reason: ReasonImageParameterNotFound, Message: "no such parameter"}
	}))
	if got := words(Decide(in).Actions); len(got) > 0 {
		t.Errorf("without a look-up: %v", got)
	}
	recorded := newCase(live, spec(func(s *Spec) { s.Phase = PhaseNone }), revision("2", func(r *Revision) { *r = Revision{Name: r.Name, Version: r.Version} }))
	d := Decide(recorded)
	if got := words(d.Actions); len(got) > 0 || !d.Report.Live {
		t.Errorf("recorded again: %v, Live %v", got, d.Report.Live)
	}
}

// A missing permission to register is mended outside of the Release: the promotion waits for it, and says so.
func TestPromotionWaitsForAPermission(t *testing.T) {
	late := all(promoting, members("edge", "i-1", "i-2"), since("promoting/web-2", time.Second),
		revision("2", func(r *Revision) { r.Promotion.StartedAt = epoch.Add(-9 * time.Minute) }))
	in := newCase(late, pool("edge", func(p *Pool) { p.Denied = "AccessDenied: not authorized" }))
	for range 3 {
		d := Decide(in)
		if stalled := conditionOf(d, CondStalled); stalled.Reason != ReasonAccessDenied || d.Report.Stage != StagePromoting {
			t.Fatalf("%s: %+v", d.Report.Stage, stalled)
		}
		in.Memory, in.Soft, in.Now = d.Memory, d.Soft, in.Now.Add(time.Hour)
	}
	in.World.Pools[0].Denied = ""
	if d := Decide(in); remembered(d, "web-2").Verdict.Reason != "" || d.Report.Stage != StagePromoting {
		t.Errorf("permitted: %s, %+v", d.Report.Stage, remembered(d, "web-2").Verdict)
	}
}

// Where stable does not come back, the way out is a newer version: it is looked up, and goes in beside the others.
func TestANewerVersionOvertakesARollbackInVain(t *testing.T) {
	w := live2(t)
	w.spec.AutoRollback = true
	for _, m := range append(w.fleet("1"), w.fleet("2")...) {
		m.sick = true
	}
	w.runFor(time.Hour, func() bool { return w.last.Report.Stage == StageRollingBack })
	for end := w.now.Add(5 * time.Minute); w.now.Before(end); {
		w.pass()
	}
	w.play(send("3", PhaseLive))
	if got := w.memberWords(w.pool("edge")); w.last.Report.Stage != StageLive || got != "2 of version 3 healthy" {
		t.Errorf("%s, %s: %s", w.last.Report.Stage, got, w.last.Report.Message)
	}
}

// A person's RolledBack of a version goes before the verdict against it, also while the next one is not recorded.
func TestRolledBackGoesBeforeTheVerdict(t *testing.T) {
	in := newCase(live, spec(func(s *Spec) { s.Phase, s.Target, s.Version = PhaseRolledBack, "", "3" }),
		revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonAutoRolledBack} }))
	if d := Decide(in); d.Report.PhaseRule != RuleSpec || d.NeedTarget {
		t.Errorf("by rule %s, with a look-up %v", d.Report.PhaseRule, d.NeedTarget)
	}
}

// A rollback that was asked for goes on under pause, also where the version that it is of is declared no more.
func TestARollbackGoesOnWhenItsVersionIsDropped(t *testing.T) {
	d := Decide(newCase(live, spec(func(s *Spec) {
		s.Version, s.Target, s.Phase, s.PhaseFor, s.Paused = "1", "web-1", PhaseRolledBack, "2", true
	})))
	if calls := words(d.Actions); d.Report.Stage != StageRollingBack || !slices.Contains(calls, "Register i-1,i-2 into edge") {
		t.Errorf("it is %s and sends %v, want version 1 back", d.Report.Stage, calls)
	}
}

// A zone that is shifted away from, where nobody is healthy for all that is known, holds no rollback up.
func TestAZonalShiftHoldsNoRollbackUp(t *testing.T) {
	shifted := pool("edge", func(p *Pool) {
		p.ZonalOnly = true
		for i := range p.Members {
			if id := p.Members[i].Server; id == "i-1" || id == "i-3" { // zone a
				p.Members[i].State = MemberUnknown
			}
		}
	})
	d := Decide(newCase(promoting, shifted, revision("2", func(r *Revision) { r.undo() }), spec(func(s *Spec) { s.Phase = PhaseRolledBack }),
		since("restore/web-1", 2*time.Minute), since("rollback/web-1", 2*time.Minute)))
	if calls := words(d.Actions); !slices.Contains(calls, "Deregister i-3,i-4 from edge") {
		t.Errorf("it sends %v and holds back %v", calls, d.Report.Held)
	}
}
