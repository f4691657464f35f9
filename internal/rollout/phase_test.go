package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAskedFor(t *testing.T) {
	for _, c := range []struct{ replicas, percent, want int }{
		{3, 100, 3}, {3, 67, 3}, {3, 66, 2}, {3, 50, 2}, {3, 34, 2}, {3, 33, 1}, {3, 1, 1}, {1, 1, 1}, {1, 100, 1}, {200, 99, 198}, {0, 100, 1}, {4, 0, 1},
	} {
		if got := askedFor(c.replicas, c.percent); got != c.want {
			t.Errorf("%d at %d%%: %d asked for, want %d", c.replicas, c.percent, got, c.want)
		}
	}
}

// Every rule of the effective phase, and for each pair of neighbors that the first one wins.
func TestEffectivePhase(t *testing.T) {
	deleting := spec(func(s *Spec) { s.Deleting = true })
	override := func(phase Phase, minutes time.Duration) change {
		return spec(func(s *Spec) {
			s.Override = Override{Revision: "web-2", Phase: phase, By: "ops", Reason: "fire", ExpiresAt: epoch.Add(minutes * time.Minute)}
		})
	}
	verdict := revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonPromotionFailed, Why: "sick"} })
	unrecorded := spec(func(s *Spec) { s.Target, s.Version = "", "3" })
	phase := func(phase Phase, phaseFor string) change {
		return spec(func(s *Spec) { s.Phase, s.PhaseFor = phase, phaseFor })
	}
	old := all(live, spec(func(s *Spec) { s.CompleteAfter = time.Hour }), revision("2", func(r *Revision) { r.Ready.Spent = time.Hour }))
	young := all(live, spec(func(s *Spec) { s.CompleteAfter = time.Hour }),
		revision("2", func(r *Revision) { r.Ready = Stopwatch{Spent: 10 * time.Minute, Since: epoch.Add(-49 * time.Minute)} }))
	for name, c := range map[string]struct {
		in   change
		want Phase
		rule PhaseRule
		why  string
	}{
		"deletion":                 {deleting, PhaseNone, RuleDeletion, "deleted"},
		"deletion before override": {all(override(PhaseLive, 5), deleting), PhaseNone, RuleDeletion, "deleted"},
		"override":                 {override(PhaseLive, 5), PhaseLive, RuleOverride, "by ops until 2026-11-22T09:05:00Z: fire"},
		"override expired":         {override(PhaseLive, 0), PhasePreview, RuleSpec, "spec.phase is Preview"},
		"override too far ahead":   {override(PhaseLive, 7*24*60+1), PhasePreview, RuleSpec, ""},
		"one that holds back":      {all(phase(PhaseLive, ""), override(PhaseRolledBack, 7*24*60+1)), PhaseRolledBack, RuleOverride, "fire"},
		"or asks for a preview":    {all(phase(PhaseLive, ""), override(PhasePreview, 8*24*60)), PhasePreview, RuleOverride, "fire"},
		"override of the candidate, and what is declared cannot be recorded": {
			all(override(PhaseRolledBack, 5), unrecorded, spec(func(s *Spec) { s.Contested = Problem{Reason: ReasonPoolHeldByAnother} })),
			PhaseRolledBack, RuleOverride, "fire",
		},
		"override for a week": {override(PhaseLive, 7*24*60), PhaseLive, RuleOverride, "fire"},
		"override for another revision": {
			all(override(PhaseLive, 5), spec(func(s *Spec) { s.Override.Revision = "web-9" })),
			PhasePreview,
			RuleSpec,
			"",
		},
		"override before verdict": {all(phase(PhaseLive, ""), verdict, override(PhaseLive, 5)), PhaseLive, RuleOverride, ""},
		"verdict":                 {all(phase(PhaseLive, ""), verdict), PhaseRolledBack, RuleVerdict, "verdict PromotionFailed: sick"},
		"verdict before phaseFor": {all(phase(PhaseLive, "1"), verdict), PhaseRolledBack, RuleVerdict, ""},
		"verdict, and what is declared is not recorded": {all(phase(PhaseLive, ""), verdict, unrecorded), PhaseRolledBack, RuleVerdict, "sick"},
		"not recorded":              {all(phase(PhaseLive, ""), unrecorded), PhaseNone, RuleSpec, "not recorded"},
		"not recorded, rolled back": {all(phase(PhaseRolledBack, ""), unrecorded), PhaseRolledBack, RuleSpec, ""},
		"phaseFor of another version": {
			phase(PhaseLive, "1"),
			PhaseNone,
			RulePhaseFor,
			"Live was meant for version 1 (spec.phaseFor), so 2 stops at Preview",
		},
		"phaseFor of another, complete":                       {phase(PhaseComplete, "1"), PhaseNone, RulePhaseFor, ""},
		"phaseFor of this version":                            {phase(PhaseLive, "2"), PhaseLive, RuleSpec, ""},
		"phaseFor says nothing of preview":                    {phase(PhasePreview, "1"), PhasePreview, RuleSpec, ""},
		"a rollback that was of another version":              {phase(PhaseRolledBack, "1"), PhaseNone, RulePhaseFor, "RolledBack was meant for version 1"},
		"phaseFor says nothing of a rollback of what is Live": {all(live, phase(PhaseRolledBack, "1")), PhaseRolledBack, RuleSpec, ""},
		"nor of one that is on its way":                       {all(promoting, phase(PhaseRolledBack, "1")), PhaseRolledBack, RuleSpec, ""},
		"nor before it has left":                              {all(promoting, phase(PhaseRolledBack, "2"), unrecorded, spec(func(s *Spec) { s.Version = "3" })), PhaseRolledBack, RuleSpec, ""},
		"another version after a rollback":                    {all(phase(PhaseRolledBack, "2"), unrecorded, spec(func(s *Spec) { s.Version = "3" })), PhaseNone, RulePhaseFor, "so 3 stops at Preview"},
		"completeAfter elapsed":                               {old, PhaseComplete, RuleCompleteAfter, "1h0m0s has passed"},
		"completeAfter elapsed while counts":                  {all(young, since("counted/web-2", 0), func(in *Input) { in.Now = epoch.Add(time.Minute) }), PhaseComplete, RuleCompleteAfter, ""},
		"completeAfter not elapsed":                           {young, PhaseLive, RuleSpec, ""},
		"completeAfter under Preview":                         {all(old, phase(PhasePreview, "")), PhasePreview, RuleSpec, ""},
		"completeAfter without a phase":                       {all(old, phase(PhaseNone, "")), PhaseNone, RuleNoPhase, ""},
		"completeAfter of one not Live":                       {all(old, revision("2", func(r *Revision) { r.LiveAt = time.Time{} })), PhaseLive, RuleSpec, ""},
		"phaseFor before completeAfter":                       {all(old, phase(PhaseLive, "1")), PhaseNone, RulePhaseFor, ""},
		"spec.phase":                                          {phase(PhaseComplete, ""), PhaseComplete, RuleSpec, ""},
		"no phase":                                            {phase(PhaseNone, ""), PhaseNone, RuleNoPhase, "nothing Live is taken out"},
	} {
		t.Run(name, func(t *testing.T) {
			if back := GoesBack(newCase(c.in)); back != (c.want == PhaseRolledBack) {
				t.Errorf("goes back: %v", back)
			}
			got := Decide(newCase(c.in)).Report
			if got.Phase != c.want || got.PhaseRule != c.rule || !strings.Contains(got.PhaseWhy, c.why) {
				t.Errorf("%q by %s (%s), want %q by %s (…%s…)", got.Phase, got.PhaseRule, got.PhaseWhy, c.want, c.rule, c.why)
			}
		})
	}
}

// What counts when an override is over is the next rule that fits, a verdict among them.
func TestAfterAnOverride(t *testing.T) {
	over := spec(func(s *Spec) {
		s.Override = Override{Revision: "web-2", Phase: PhaseRolledBack, ExpiresAt: epoch.Add(time.Hour)}
	})
	phase := func(phase Phase, phaseFor string) change {
		return spec(func(s *Spec) { s.Phase, s.PhaseFor = phase, phaseFor })
	}
	verdict := revision("2", func(r *Revision) { r.Verdict = Verdict{Reason: ReasonPromotionFailed, Why: "sick"} })
	for name, c := range map[string]struct {
		in   change
		want Phase
	}{
		"spec.phase":                 {all(phase(PhaseLive, "2"), over), PhaseLive},
		"phaseFor of another":        {all(phase(PhaseLive, "1"), over), PhaseNone},
		"phaseFor of a preview":      {all(phase(PhasePreview, "1"), over), PhasePreview},
		"a verdict":                  {all(phase(PhaseLive, ""), verdict, over), PhaseRolledBack},
		"no phase":                   {all(phase(PhaseNone, ""), over), PhaseNone},
		"an override that is no one": {phase(PhaseLive, ""), ""},
	} {
		if got := Decide(newCase(c.in)).Report; got.Then != c.want {
			t.Errorf("%s: %q counts after it, want %q", name, got.Then, c.want)
		}
	}
}

// The next pass comes when an override expires or completeAfter has passed, not a sweep later.
func TestPhaseWakes(t *testing.T) {
	expiring := newCase(spec(func(s *Spec) {
		s.Override = Override{Revision: "web-2", Phase: PhasePreview, ExpiresAt: epoch.Add(7 * time.Second)}
	}))
	if got := Decide(expiring).After; got != 7*time.Second {
		t.Errorf("override: the next pass comes after %s, want 7s", got)
	}
	ageing := newCase(live, since("counted/web-2", time.Minute), spec(func(s *Spec) { s.CompleteAfter = time.Hour }),
		revision("2", func(r *Revision) { r.Ready = Stopwatch{Since: epoch.Add(-time.Hour + 9*time.Second)} }))
	if got := Decide(ageing).After; got != 9*time.Second {
		t.Errorf("completeAfter: the next pass comes after %s, want 9s", got)
	}
}

func TestAllowedPhases(t *testing.T) {
	for name, c := range map[string]struct {
		in   change
		want []Phase
	}{
		"deleting":                       {spec(func(s *Spec) { s.Deleting = true }), nil},
		"settled":                        {settled, []Phase{PhaseComplete}},
		"settled under RolledBack":       {all(settled, spec(func(s *Spec) { s.Phase = PhaseRolledBack })), []Phase{PhaseLive}},
		"first version under RolledBack": {all(first, spec(func(s *Spec) { s.Phase = PhaseRolledBack })), []Phase{PhasePreview, PhaseLive}},
		"nothing there yet": {
			all(first, func(in *Input) { in.Memory, in.World.Servers, in.Spec.Target = Memory{}, nil, "" }),
			[]Phase{PhasePreview, PhaseLive, PhaseComplete},
		},
		"first version":              {first, []Phase{PhasePreview, PhaseLive, PhaseComplete}},
		"first version, Live":        {all(live, first), []Phase{PhaseLive, PhaseComplete}},
		"in preview":                 {func(*Input) {}, []Phase{PhasePreview, PhaseLive, PhaseRolledBack, PhaseComplete}},
		"Live":                       {live, []Phase{PhasePreview, PhaseLive, PhaseRolledBack, PhaseComplete}},
		"rolled back":                {spec(func(s *Spec) { s.Phase = PhaseRolledBack }), []Phase{PhasePreview, PhaseLive, PhaseRolledBack}},
		"newer version not recorded": {all(settled, spec(func(s *Spec) { s.Target, s.Version = "", "2" })), []Phase{PhasePreview, PhaseLive, PhaseComplete}},
		"the one before is kept":     {kept, []Phase{PhasePreview, PhaseLive, PhaseComplete}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Decide(newCase(c.in)).Report.Allowed); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// kept: version 2 became stable because a version 3 was declared, and version 2 was declared again under Preview.
func kept(in *Input) {
	live(in)
	in.Spec.Phase = PhasePreview
	revision("2", func(r *Revision) { r.StableSeq, r.Number = 2, 4 })(in)
}

// An override that expires too far ahead does not count, and both times that matter are said.
func TestOverrideTooFarAhead(t *testing.T) {
	d := Decide(newCase(spec(func(s *Spec) {
		s.Override = Override{Revision: "web-2", Phase: PhaseLive, By: "ops", Reason: "fire", ExpiresAt: epoch.Add(8 * 24 * time.Hour)}
	})))
	stalled := conditionOf(d, CondStalled)
	if !stalled.True || stalled.Reason != ReasonInvalidOverride || !strings.Contains(stalled.Message, "does not count before 2026-11-23T09:00:00Z") ||
		!strings.Contains(stalled.Message, "at most 2026-11-29T09:00:00Z") {
		t.Errorf("Stalled is %+v", stalled)
	}
}

// The edit that is proposed is one that has an effect: a phase that was meant for another version needs phaseFor.
func TestWordsThatPromote(t *testing.T) {
	held := func(in *Input) {
		in.Spec.Override = Override{Revision: in.Spec.Target, Phase: PhasePreview, ExpiresAt: in.Now.Add(time.Hour)}
	}
	for name, c := range map[string]struct {
		phase    Phase
		phaseFor string
		more     change
		says     string
	}{
		"no phaseFor":            {PhasePreview, "", all(), "set spec.phase to Live to promote it"},
		"left behind":            {PhaseLive, "1", all(), `set spec.phaseFor to "2" to promote it`},
		"of the version before":  {PhasePreview, "1", all(), `set spec.phase to Live and spec.phaseFor to "2" to promote it`},
		"for the version itself": {PhasePreview, "2", all(), "set spec.phase to Live to promote it"},
		"held by an override":    {PhaseLive, "2", held, "ready in Preview; take out spec.override to promote it"},
		"held in Preview twice":  {PhasePreview, "", held, "set spec.phase to Live and take out spec.override to promote it"},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(newCase(spec(func(s *Spec) { s.Phase, s.PhaseFor = c.phase, c.phaseFor }), c.more))
			if !strings.Contains(d.Report.Message, c.says) {
				t.Errorf("it says %q, want …%s…", d.Report.Message, c.says)
			}
		})
	}
}

// A phase that cannot be reached is Stalled, and the message says what can be done. Production stays as it is.
func TestIllegalPhases(t *testing.T) {
	for name, c := range map[string]struct {
		in   change
		says string
	}{
		"RolledBack of nothing at all": {
			all(first, spec(func(s *Spec) { s.Phase, s.Target = PhaseRolledBack, "" }), func(in *Input) { in.Memory, in.World.Servers = Memory{}, nil }),
			"this is the first version",
		},
		"RolledBack of the first version":    {all(first, spec(func(s *Spec) { s.Phase = PhaseRolledBack })), "this is the first version"},
		"RolledBack of a Live first version": {all(live, first, spec(func(s *Spec) { s.Phase = PhaseRolledBack })), "this is the first version"},
		"RolledBack of the stable version":   {all(settled, spec(func(s *Spec) { s.Phase = PhaseRolledBack })), "the fleet before it is gone"},
		"Preview of a Live first version": {
			all(live, first, members("edge", "i-3", "i-4"), spec(func(s *Spec) { s.Phase = PhasePreview })),
			"stays in production",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(newCase(c.in))
			stalled := conditionOf(d, CondStalled)
			if !stalled.True || stalled.Reason != ReasonNothingToRollBackTo || !strings.Contains(stalled.Message, c.says) {
				t.Errorf("Stalled is %+v, want NothingToRollBackTo with …%s…", stalled, c.says)
			}
			for _, a := range d.Actions {
				if out, ok := a.(Deregister); ok && out.Pool.Use == UseProduction {
					t.Errorf("%s leaves production: %s", out.Servers, out.Why)
				}
			}
		})
	}
}
