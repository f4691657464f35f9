package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// short is what a retarget changes, of each revision.
type brief struct {
	Number, StableSeq        int64
	Completed, Retired, Live bool
	Began                    bool
	Verdict                  string
}

func briefs(m Memory) map[string]brief {
	list := map[string]brief{}
	for _, r := range m.Revisions {
		list[r.Name] = brief{r.Number, r.StableSeq, r.Completed, r.Retired, !r.LiveAt.IsZero(), !r.Promotion.StartedAt.IsZero(), r.Verdict.Reason}
	}
	return list
}

// The table above retarget, row by row, and what happens to what was remembered before.
func TestRetarget(t *testing.T) {
	three := func(in *Input) { // version 3 is recorded and declared
		in.Memory.Revisions = append(in.Memory.Revisions, Revision{Name: "web-3", Version: "3", Subnets: []string{"a"}, InstanceTypes: []string{"large"}})
		in.Spec.Version, in.Spec.Target = "3", "web-3"
	}
	one := spec(func(s *Spec) { s.Version, s.Target = "1", "web-1" })
	rejected := revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonPromotionFailed} })
	stable1 := brief{Number: 1, StableSeq: 1, Completed: true}
	for name, c := range map[string]struct {
		in     change
		want   map[string]brief
		stable string // who production falls back to; candidate: who is being deployed
		cand   string
	}{
		"the same revision": {
			func(*Input) {},
			map[string]brief{"web-1": stable1, "web-2": {Number: 2}}, "web-1", "web-2",
		},
		"the first revision of all": {
			all(first, revision("2", func(r *Revision) { r.Number = 0 })),
			map[string]brief{"web-2": {Number: 1}}, "", "web-2",
		},
		"another one while in preview": {
			three,
			map[string]brief{"web-1": stable1, "web-2": {Number: 2}, "web-3": {Number: 3}}, "web-1", "web-3",
		},
		"another one mid-promotion": {
			all(promoting, three),
			map[string]brief{"web-1": stable1, "web-2": {Number: 2, Began: true}, "web-3": {Number: 3}}, "web-1", "web-3",
		},
		"another one while Live": {
			all(live, three),
			map[string]brief{"web-1": stable1, "web-2": {Number: 2, StableSeq: 2, Live: true, Began: true}, "web-3": {Number: 3}}, "web-2", "web-3",
		},
		"another one clears the verdict": {
			all(rejected, three),
			map[string]brief{"web-1": stable1, "web-2": {Number: 2}, "web-3": {Number: 3}}, "web-1", "web-3",
		},
		"the stable one, from preview": {
			one,
			map[string]brief{"web-1": {Number: 3, StableSeq: 1, Completed: true}, "web-2": {Number: 2}}, "web-1", "",
		},
		"the stable one, from Live": { // a revert is a rollback: nobody becomes stable
			all(live, one),
			map[string]brief{"web-1": {Number: 3, StableSeq: 1, Completed: true}, "web-2": {Number: 2, Began: true}}, "web-1", "",
		},
		"dropped before, mid-promotion: it begins anew": {
			all(promoting, revision("2", func(r *Revision) { r.Number = 0 }), revision("1", func(r *Revision) { r.Number = 5 }), rejected),
			map[string]brief{"web-1": {Number: 5, StableSeq: 1, Completed: true}, "web-2": {Number: 6, Began: true}}, "web-1", "web-2",
		},
		"retired before: it begins anew": {
			revision("2", func(r *Revision) { r.Number, r.Retired, r.StableSeq, r.Completed = 0, true, 7, true }),
			map[string]brief{"web-1": stable1, "web-2": {Number: 2}}, "web-1", "web-2",
		},
		"the older one while Live": {
			all(live, three, revision("2", func(r *Revision) { r.StableSeq = 2 }), revision("3", func(r *Revision) { r.Number = 3 }), one),
			map[string]brief{
				"web-1": {Number: 4, StableSeq: 1, Completed: true}, "web-2": {Number: 2, StableSeq: 2, Live: true, Began: true}, "web-3": {Number: 3},
			}, "web-2", "web-1",
		},
		"cancelled while Live: it is the Live candidate again": {
			all(live, three, revision("2", func(r *Revision) { r.StableSeq = 2 }), revision("3", func(r *Revision) { r.Number = 3 }),
				spec(func(s *Spec) { s.Version, s.Target, s.Phase = "2", "web-2", PhaseLive })),
			map[string]brief{"web-1": stable1, "web-2": {Number: 4, Live: true, Began: true}, "web-3": {Number: 3}}, "web-1", "web-2",
		},
		"cancelled while the next one is on its way: it stays stable until that is undone": {
			all(live, three, revision("2", func(r *Revision) { r.StableSeq = 2 }),
				revision("3", func(r *Revision) {
					r.Number, r.Promotion, r.GateAt = 3, Promotion{StartedAt: epoch, Cohort: []string{"i-5"}}, epoch
				}),
				members("edge", "i-3", "i-4", "i-5"), func(in *Input) { in.World.Servers = append(in.World.Servers, aServer("i-5", "3", "a")) },
				spec(func(s *Spec) { s.Version, s.Target, s.Phase = "2", "web-2", PhaseLive })),
			map[string]brief{"web-1": stable1, "web-2": {Number: 4, StableSeq: 2, Live: true, Began: true}, "web-3": {Number: 3, Began: true}}, "web-2", "",
		},
		"declared again after the one before it was Live once more": {
			all(live, revision("2", func(r *Revision) {
				r.StableSeq, r.LiveAt, r.GateAt, r.Promotion = 2, time.Time{}, time.Time{}, Promotion{}
			})),
			map[string]brief{"web-1": stable1, "web-2": {Number: 2, Live: true, Began: true}}, "web-1", "web-2",
		},
		"the same, while production is still the other one's": {
			all(live, members("edge", "i-1", "i-2", "i-3", "i-4"),
				revision("2", func(r *Revision) {
					r.StableSeq, r.LiveAt, r.GateAt, r.Promotion = 2, time.Time{}, time.Time{}, Promotion{}
				})),
			map[string]brief{"web-1": stable1, "web-2": {Number: 2, StableSeq: 2}}, "web-2", "",
		},
		"cancelled under Preview: it stays stable": {
			kept,
			map[string]brief{"web-1": stable1, "web-2": {Number: 4, StableSeq: 2, Live: true, Began: true}}, "web-2", "",
		},
		"cancelled under RolledBack: it stays stable": {
			all(kept, spec(func(s *Spec) { s.Phase = PhaseRolledBack })),
			map[string]brief{"web-1": stable1, "web-2": {Number: 4, StableSeq: 2, Live: true, Began: true}}, "web-2", "",
		},
		"cancelled, and then Live": {
			all(kept, spec(func(s *Spec) { s.Phase = PhaseLive })),
			map[string]brief{"web-1": stable1, "web-2": {Number: 4, Live: true, Began: true}}, "web-1", "web-2",
		},
		"cancelled while EC2 cannot be read: it stays stable for now": {
			all(kept, blindEC2, spec(func(s *Spec) { s.Phase = PhaseLive })),
			map[string]brief{"web-1": stable1, "web-2": {Number: 4, StableSeq: 2, Live: true, Began: true}}, "web-2", "",
		},
		"not recorded": {
			spec(func(s *Spec) { s.Version, s.Target = "3", "" }),
			map[string]brief{"web-1": stable1, "web-2": {Number: 2}}, "web-1", "web-2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(newCase(c.in))
			if diff := cmp.Diff(c.want, briefs(d.Memory)); diff != "" {
				t.Errorf("memory (-want +got):\n%s", diff)
			}
			var stable, cand string
			if d.Report.Stable != nil {
				stable = d.Report.Stable.Revision
			}
			if d.Report.Candidate != nil {
				cand = d.Report.Candidate.Revision
			}
			if stable != c.stable || cand != c.cand {
				t.Errorf("stable %q and candidate %q, want %q and %q", stable, cand, c.stable, c.cand)
			}
		})
	}
}

// What fleet is retired, and what is kept until the newest is Live.
func TestKeptAndRetired(t *testing.T) {
	older := func(in *Input) { // version 0 was stable before version 1
		in.Memory.Revisions = append([]Revision{{Name: "web-0", Version: "0", Number: 1, StableSeq: 1, Completed: true}}, in.Memory.Revisions...)
		in.World.Servers = append([]Server{aServer("i-0", "0", "a")}, in.World.Servers...)
		in.World.Servers[0].Role = RoleStable
		revision("1", func(r *Revision) { r.StableSeq, r.Completed, r.Number, r.LiveAt = 2, false, 2, epoch.Add(-time.Hour) })(in)
		revision("2", func(r *Revision) { r.Number = 3 })(in)
	}
	for name, c := range map[string]struct {
		in   change
		want bool
	}{
		"kept while the newest is in Preview":   {older, false},
		"kept while EC2 cannot be read":         {all(older, live, blindEC2), false},
		"retired when the newest is Live":       {all(older, live), true},
		"retired when the next one is Complete": {all(older, revision("1", func(r *Revision) { r.Completed = true })), true},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(newCase(c.in))
			if got := remembered(d, "web-0").Retired; got != c.want {
				t.Errorf("retired is %t, want %t", got, c.want)
			}
		})
	}
}

// The role tags are what is left when no revision remembers that it is stable.
func TestStableByTag(t *testing.T) {
	lost := func(in *Input) { in.Memory.Revisions = in.Memory.Revisions[1:] }
	d := Decide(newCase(lost))
	if d.Report.Stable == nil || d.Report.Stable.Revision != "web-1" {
		t.Fatalf("stable is %+v, want web-1 by its servers' tags", d.Report.Stable)
	}
	forgotten := remembered(Decide(newCase(revision("1", func(r *Revision) { r.StableSeq = 0 }))), "web-1")
	if forgotten.StableSeq != 1 {
		t.Errorf("the stable sequence number is %d after it was read from tags, want 1", forgotten.StableSeq)
	}
	newer := all(revision("1", func(r *Revision) { r.StableSeq = 0 }), server("i-3", func(s *Server) { s.Role, s.Launched = RoleStable, epoch }))
	if d := Decide(newCase(newer)); d.Report.Stable.Revision != "web-2" {
		t.Errorf("two fleets are tagged stable: %s is taken, want the younger web-2", d.Report.Stable.Revision)
	}
	retired := all(lost, func(in *Input) {
		in.Memory.Revisions = append(in.Memory.Revisions, Revision{Name: "web-0", Version: "0", StableSeq: 5, Retired: true})
	})
	if d := Decide(newCase(retired)); d.Report.Stable.Revision != "web-1" {
		t.Errorf("stable is %s, want web-1 by tag before a retired one", d.Report.Stable.Revision)
	}
}

// While nobody could look up the declared revision, a fleet whose record was lost may be the one that is declared.
func TestLostFleetsWaitForTheTarget(t *testing.T) {
	lost := all(func(in *Input) { in.Memory.Revisions = in.Memory.Revisions[:1] }, spec(func(s *Spec) { s.Target = "" }), members("preview"),
		since("out/i-3", time.Hour), since("out/i-4", time.Hour))
	if d := Decide(newCase(lost)); len(d.Actions) > 0 {
		t.Errorf("a lost fleet is touched before the target is known: %v", words(d.Actions))
	}
	known := all(lost, spec(func(s *Spec) { s.Target, s.Version = "web-1", "1" }))
	if diff := cmp.Diff([]string{"Terminate i-3,i-4", "Tag i-3,i-4 retired"}, words(Decide(newCase(known)).Actions)); diff != "" {
		t.Errorf("once it is known (-want +got):\n%s", diff)
	}
}

// Verdicts are cleared by a person, and by nothing else.
func TestVerdicts(t *testing.T) {
	verdict := revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonAutoRolledBack, Why: "sick", At: epoch} })
	phase := func(p Phase) change { return spec(func(s *Spec) { s.Phase = p }) }
	override := spec(func(s *Spec) {
		s.Override = Override{Revision: "web-2", Phase: PhaseLive, ExpiresAt: epoch.Add(time.Hour)}
	})
	late := all(since("promoting/web-2", time.Second), revision("2", func(r *Revision) { r.Promotion.StartedAt = epoch.Add(-11 * time.Minute) }))
	sick := pool("edge", func(p *Pool) { p.Members[3].State = MemberUnhealthy })
	nlb := pool("edge", func(p *Pool) { p.Kind = KindNLB })
	for name, c := range map[string]struct {
		in   change
		want string
	}{
		"stands under Live":      {all(verdict, phase(PhaseLive)), ReasonAutoRolledBack},
		"stands under Complete":  {all(verdict, phase(PhaseComplete)), ReasonAutoRolledBack},
		"stands without a phase": {all(verdict, phase(PhaseNone)), ReasonAutoRolledBack},
		"cleared by Preview":     {all(verdict, phase(PhasePreview)), ""},
		"cleared by RolledBack":  {all(verdict, phase(PhaseRolledBack)), ""},
		"cleared by a new retry": {all(verdict, phase(PhaseLive), spec(func(s *Spec) { s.Retry = "x" })), ""},
		"stands under an old retry": {
			all(verdict, phase(PhaseLive), spec(func(s *Spec) { s.Retry = "x" }), revision("2", func(r *Revision) { r.Retry = "x" })),
			ReasonAutoRolledBack,
		},
		"an override clears none": {all(verdict, phase(PhasePreview), override), ReasonAutoRolledBack},
		"another target leaves it to that one": {
			all(verdict, phase(PhasePreview), spec(func(s *Spec) { s.Target, s.Version = "", "3" })),
			ReasonAutoRolledBack,
		},
		"passed on a late promotion":             {all(promoting, late, sick), ReasonPromotionFailed},
		"not before its time":                    {all(promoting, sick), ""},
		"not with an NLB, that takes 5 min more": {all(promoting, late, sick, nlb), ""},
		"passed with an NLB after that": {
			all(promoting, late, sick, nlb, func(in *Input) { in.Now = epoch.Add(4 * time.Minute) }),
			ReasonPromotionFailed,
		},
		"not by a process that never saw it":        {all(promoting, late, sick, func(in *Input) { clear(in.Soft.Since) }), ""},
		"not at the gate":                           {all(promoting, late), ""},
		"not past the gate":                         {all(promoting, late, sick, revision("2", func(r *Revision) { r.GateAt = epoch })), ""},
		"not while it is being undone":              {all(promoting, late, sick, revision("2", func(r *Revision) { r.Promotion.Cohort = nil })), ""},
		"not while paused":                          {all(promoting, late, sick, spec(func(s *Spec) { s.Paused = true })), ""},
		"not while blind":                           {all(promoting, late, unreadable("edge")), ""},
		"not without a stable fleet":                {all(promoting, late, sick, first), ""},
		"not when a person asks for something else": {all(promoting, late, sick, phase(PhasePreview)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := remembered(Decide(newCase(c.in)), "web-2").Verdict.Reason
			if got != c.want {
				t.Errorf("verdict %q, want %q", got, c.want)
			}
		})
	}
}

// autoRollback: 30 s of too few healthy servers, in a pool of the gate, with eyes open and somewhere to go.
func TestAutomaticRollback(t *testing.T) {
	sick := pool("edge", func(p *Pool) { p.Members[0].State = MemberUnhealthy })
	base := all(live, sick, since("short/edge", 30*time.Second), spec(func(s *Spec) { s.AutoRollback = true }))
	scaled := func(replicas int) change { // the fleet to fall back to has them sooner: it has no health to wait for
		return func(in *Input) {
			in.Spec.Replicas = replicas
			in.World.Servers = append(in.World.Servers, aServer("i-9", "1", "a"))
		}
	}
	cohort := func(ids ...string) change { return revision("2", func(r *Revision) { r.Promotion.Cohort = ids }) }
	for name, c := range map[string]struct {
		in   change
		want string
	}{
		"for 30s":                         {base, ReasonAutoRolledBack},
		"for 29s":                         {all(base, since("short/edge", 29*time.Second)), ""},
		"never seen before":               {all(base, func(in *Input) { in.Soft = Soft{} }), ""},
		"not asked for":                   {all(base, spec(func(s *Spec) { s.AutoRollback = false })), ""},
		"healthy":                         {all(base, members("edge", "i-3", "i-4")), ""},
		"as many as asked for":            {all(base, spec(func(s *Spec) { s.MinHealthyPercent = 50 })), ""},
		"not Live yet":                    {all(base, revision("2", func(r *Revision) { r.LiveAt = time.Time{} })), ""},
		"a pool added later":              {all(base, revision("2", func(r *Revision) { r.Promotion.Pools = []string{"api"} })), ""},
		"blind":                           {all(base, unreadable("preview")), ""},
		"one of which nobody knows":       {all(base, pool("edge", func(p *Pool) { p.Members[0].State = MemberUnknown })), ""},
		"too few stable servers":          {all(base, server("i-1", func(s *Server) { s.State = StateStopped })), ""},
		"no stable fleet":                 {all(base, first, members("edge", "i-4")), ""},
		"complete: there is no candidate": {all(settled, sick, since("short/edge", time.Hour), spec(func(s *Spec) { s.AutoRollback = true })), ""},
		"paused":                          {all(base, spec(func(s *Spec) { s.Paused = true })), ""},
		"seen before with fewer, promoted with as many":   {all(base, scaled(3), cohort("i-3", "i-4", "i-5")), ReasonAutoRolledBack},
		"more are asked for than it was promoted with":    {all(base, members("edge", "i-3", "i-4"), scaled(3)), ""},
		"and fewer are healthy than it was promoted with": {all(base, scaled(3)), ReasonAutoRolledBack},
		"a person has rolled back already":                {all(base, spec(func(s *Spec) { s.Phase = PhaseRolledBack })), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, r := range Decide(newCase(c.in)).Memory.Revisions {
				got += r.Verdict.Reason
			}
			if got != c.want {
				t.Errorf("verdict %q, want %q", got, c.want)
			}
		})
	}
}

// A reading that fails takes nothing away of the time in which it was seen to fall short, and adds nothing.
func TestFailedReadingsStopTheClockOfAutomaticRollback(t *testing.T) {
	in := newCase(live, pool("edge", func(p *Pool) { p.Members[0].State = MemberUnhealthy }), spec(func(s *Spec) { s.AutoRollback = true }))
	sick, dark := in.World.Pools, newCase(live, unreadable("preview")).World.Pools
	short := time.Duration(0)
	for look := 0; ; look++ {
		in.World.Pools = sick
		if look%2 == 1 {
			in.World.Pools = dark
		}
		d := Decide(in)
		if remembered(d, "web-2").Verdict.Reason != "" {
			break
		}
		if look > 200 {
			t.Fatal("it is never taken back")
		}
		if look%2 == 0 {
			short += time.Second
		}
		in.Soft, in.Memory, in.Now = d.Soft, d.Memory, in.Now.Add(time.Second)
	}
	if short != autoRollbackAfter {
		t.Errorf("it was taken back when it had been seen short for %s, want %s", short, autoRollbackAfter)
	}
}

// While it is counted, nobody needs each part of a second of it; the end of it is met.
func TestALiveVersionThatIsSickIsLookedAt(t *testing.T) {
	sick := pool("edge", func(p *Pool) { p.Members[0].State = MemberUnhealthy })
	for ago, want := range map[time.Duration]time.Duration{time.Second: previewEvery, 29500 * time.Millisecond: 500 * time.Millisecond} {
		d := Decide(newCase(live, sick, since("short/edge", ago), spec(func(s *Spec) { s.AutoRollback = true })))
		if d.After != want {
			t.Errorf("sick for %s: the next look comes after %s, want %s", ago, d.After, want)
		}
	}
}

// A retry forgets failed launches, also of a stable fleet that is all there is.
func TestRetryForgetsLaunches(t *testing.T) {
	failed := func(r *Revision) {
		r.Launches = []Attempt{{Number: 4, Token: "t", Places: []int{0}, At: epoch, Failure: Failure{FailureRejected, ReasonAccessDenied, "no"}}}
	}
	for name, in := range map[string]Input{
		"candidate":        newCase(revision("2", failed), spec(func(s *Spec) { s.Retry = "x" })),
		"stable, settled":  newCase(settled, revision("1", failed), spec(func(s *Spec) { s.Retry = "x" })),
		"stable, deployed": newCase(revision("1", failed), spec(func(s *Spec) { s.Retry = "x" })),
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range Decide(in).Memory.Revisions {
				for _, a := range r.Launches {
					if stray := a.Token == ""; !stray && (a.Failure.Kind != FailureNone || !a.Pardoned || a.Number != 4) {
						t.Errorf("%s still holds %+v against the image", r.Name, a)
					}
				}
			}
		})
	}
}

// The clocks stand while the Release is paused, and go on where they stood.
func TestClocks(t *testing.T) {
	paused := spec(func(s *Spec) { s.Paused = true })
	d := Decide(newCase(promoting, paused))
	r := remembered(d, "web-2")
	if !r.Stopped.Equal(epoch) || d.Report.Stage != StagePaused || len(d.Actions) > 0 {
		t.Fatalf("paused at %s in stage %s with %v, want %s, Paused, nothing", r.Stopped, d.Report.Stage, words(d.Actions), epoch)
	}
	in := newCase(promoting, paused)
	in.Memory, in.Soft, in.Now = d.Memory, d.Soft, epoch.Add(time.Hour)
	if again := remembered(Decide(in), "web-2"); !again.Stopped.Equal(epoch) {
		t.Errorf("a later pass of the pause moves its beginning to %s", again.Stopped)
	}
	in.Spec.Paused = false
	resumed := remembered(Decide(in), "web-2")
	if want := epoch.Add(59 * time.Minute); !resumed.Promotion.StartedAt.Equal(want) || !resumed.Stopped.IsZero() || resumed.Verdict.Reason != "" {
		t.Errorf("after a pause of an hour the promotion began at %s, paused %s, verdict %q; want %s, zero, none",
			resumed.Promotion.StartedAt, resumed.Stopped, resumed.Verdict.Reason, want)
	}
}

// The stopwatch of completeAfter runs only in good time, and memory changes only when it starts or stops.
func TestReadyStopwatch(t *testing.T) {
	runs := all(since("counted/web-2", 0), revision("2", func(r *Revision) { r.Ready = Stopwatch{Spent: time.Minute, Since: epoch.Add(-time.Minute)} }))
	after := spec(func(s *Spec) { s.CompleteAfter = time.Hour })
	running, stopped, begun := Stopwatch{time.Minute, epoch.Add(-time.Minute)}, Stopwatch{Spent: 2 * time.Minute}, Stopwatch{Since: epoch}
	sick := pool("edge", func(p *Pool) { p.Members[0].State = MemberUnhealthy })
	for name, c := range map[string]struct {
		in   change
		want Stopwatch
	}{
		"starts":                        {all(live, after), begun},
		"goes on":                       {all(live, after, runs), running},
		"begins again in a new process": {all(live, after, runs, func(in *Input) { clear(in.Soft.Since) }), Stopwatch{time.Minute, epoch}},
		"leaves out what nobody watched": {
			all(live, after, runs, func(in *Input) { in.Now = epoch.Add(6 * time.Minute) }), Stopwatch{2 * time.Minute, epoch.Add(6 * time.Minute)},
		},
		"is written down now and then": {
			all(live, spec(func(s *Spec) { s.CompleteAfter = 2 * time.Hour }), since("counted/web-2", 0),
				revision("2", func(r *Revision) { r.Ready.Since = epoch.Add(-time.Hour) })), Stopwatch{time.Hour, epoch},
		},
		"stops when it is sick":      {all(live, after, runs, sick), stopped},
		"stops when a pool is blind": {all(live, after, runs, unreadable("preview")), stopped},
		"stops when EC2 is blind":    {all(live, after, runs, blindEC2), stopped},
		"stops when paused":          {all(live, after, runs, spec(func(s *Spec) { s.Paused = true })), stopped},
		"stops when nobody asks":     {all(live, runs), stopped},
		"forgotten in a rollback":    {all(live, after, runs, spec(func(s *Spec) { s.Phase = PhaseRolledBack })), Stopwatch{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, remembered(Decide(newCase(c.in)), "web-2").Ready); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A pool that left the spec is forgotten when it has held no server of ours for a while, seen with open eyes.
func TestForgetPools(t *testing.T) {
	released := func(servers ...string) change {
		return func(in *Input) {
			in.World.Pools = append(in.World.Pools, aPool("old", UseReleased, servers...))
			revision("1", func(r *Revision) { r.Pools = []string{"edge", "old"} })(in)
		}
	}
	long := since("empty/old", 5*time.Minute)
	for name, c := range map[string]struct {
		in   change
		want bool // it is still known
	}{
		"empty for long":         {all(released(), long), false},
		"only a stranger in it":  {all(released("i-9"), long), false},
		"empty just now":         {released(), true},
		"a server of ours in it": {all(released("i-1"), long), true},
		"one that is draining":   {all(released("i-1"), long, pool("old", func(p *Pool) { p.Members[0].State = MemberDraining })), true},
		"EC2 cannot be read":     {all(released("i-1"), long, blindEC2), true},
		"it cannot be read":      {all(released("i-1"), long, unreadable("old")), true},
		"it has not existed for long": {
			all(released(), since("vanished/old", 5*time.Minute), pool("old", func(p *Pool) { p.Err, p.Missing = "gone", true })),
			false,
		},
		"it does not exist just now": {all(released(), pool("old", func(p *Pool) { p.Err, p.Missing = "gone", true })), true},
	} {
		t.Run(name, func(t *testing.T) {
			pools := remembered(Decide(newCase(c.in)), "web-1").Pools
			if got := strings.Contains(join(pools), "old"); got != c.want {
				t.Errorf("pools %v: known is %t, want %t", pools, got, c.want)
			}
		})
	}
}
