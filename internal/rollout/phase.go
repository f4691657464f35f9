package rollout

import (
	"fmt"
	"slices"
	"time"
)

// PhaseRule names the rule that made a phase effective.
type PhaseRule string

// The rules, in the order in which they are tried.
const (
	RuleDeletion      PhaseRule = "Deletion"
	RuleOverride      PhaseRule = "Override"
	RuleVerdict       PhaseRule = "Verdict"
	RulePhaseFor      PhaseRule = "PhaseFor"
	RuleCompleteAfter PhaseRule = "CompleteAfter"
	RuleSpec          PhaseRule = "Spec"
	RuleNoPhase       PhaseRule = "NoPhase"
)

// effective is a rule for the phase that counts: when it matches, which phase that is, and why in words.
type effective struct {
	rule  PhaseRule
	when  func(*view) bool
	phase func(*view) Phase
	why   func(*view) string
}

// effectives are evaluated in order; the first match wins.
//
// PhaseNone as an effective phase means: ask for a Preview, but take nothing out of production that is Live.
func effectives() []effective {
	is := func(p Phase) func(*view) Phase { return func(*view) Phase { return p } }
	says := func(why string) func(*view) string { return func(*view) string { return why } }
	return []effective{
		{RuleDeletion, func(v *view) bool { return v.in.Spec.Deleting }, is(PhaseNone), says("the Release is being deleted")},
		{RuleOverride, (*view).overridden, func(v *view) Phase { return v.in.Spec.Override.Phase }, (*view).overrideWords},
		{RuleVerdict, (*view).condemned, is(PhaseRolledBack), func(v *view) string {
			return "verdict " + v.candidate.Verdict.Reason + ": " + v.candidate.Verdict.Why
		}},
		{RuleSpec, func(v *view) bool { return v.in.Spec.Target == "" && v.in.Spec.Phase != PhaseRolledBack }, is(PhaseNone),
			says("the declared revision is not recorded yet")},
		{RulePhaseFor, (*view).leftBehind, is(PhaseNone), func(v *view) string {
			spec := v.in.Spec
			return fmt.Sprintf("spec.phase %s was meant for version %s (spec.phaseFor), so %s stops at Preview", spec.Phase, spec.PhaseFor, spec.Version)
		}},
		{RuleCompleteAfter, func(v *view) bool { return v.named() && v.afterElapsed(v.candidate) }, is(PhaseComplete), func(v *view) string {
			return fmt.Sprintf("spec.retention.completeAfter %s has passed", v.in.Spec.CompleteAfter)
		}},
		{RuleNoPhase, func(v *view) bool { return v.in.Spec.Phase == PhaseNone }, is(PhaseNone),
			says("spec.phase is not set: Preview is meant, and nothing Live is taken out of production")},
		{RuleSpec, func(*view) bool { return true }, func(v *view) Phase { return v.in.Spec.Phase }, func(v *view) string {
			return fmt.Sprintf("spec.phase is %s", v.in.Spec.Phase)
		}},
	}
}

// settlePhase finds the effective phase, and says of an override that does not count why.
func (v *view) settlePhase() {
	rules := effectives()
	first := func(from int) int {
		return from + slices.IndexFunc(rules[from:], func(e effective) bool { return e.when(v) })
	} // the last always fits
	at := first(0)
	v.phase, v.phaseRule, v.phaseWhy = rules[at].phase(v), rules[at].rule, rules[at].why(v)
	if v.phaseRule == RuleOverride {
		v.again(v.in.Spec.Override.ExpiresAt.Sub(v.in.Now))
		v.afterOverride = rules[first(at+1)].phase(v)
	}
	if idle := v.idleOverride(); idle != "" {
		v.phaseWhy += "; " + idle
	}
}

// condemned: there is a verdict against what is declared, or against the candidate while what is declared is not recorded. A
// person who says RolledBack of that one goes before the verdict.
func (v *view) condemned() bool {
	unrecorded := v.in.Spec.Target == "" && v.in.Spec.Phase != PhaseRolledBack
	return v.candidate != nil && v.candidate.Verdict.Reason != "" && (v.named() || unrecorded)
}

// overrideWords say whose override it is, until when, and what for.
func (v *view) overrideWords() string {
	o := v.in.Spec.Override
	return "spec.override" + prefixed(" by ", o.By) + " until " + o.ExpiresAt.UTC().Format(time.RFC3339) + prefixed(": ", o.Reason)
}

// prefixed puts a word before a text; nothing where there is no text.
func prefixed(word, text string) string {
	if text == "" {
		return ""
	}
	return word + text
}

// named: the spec speaks of the candidate, not of a revision that is yet to be recorded.
func (v *view) named() bool { return v.candidate != nil && v.in.Spec.Target == v.candidate.Name }

// leftBehind: the phase was meant for another version than the one that is declared. RolledBack was not as long as there is anything to roll
// back: who takes a version out of production need not look at what phaseFor says.
func (v *view) leftBehind() bool {
	spec := v.in.Spec
	counts := forward(spec.Phase) || spec.Phase == PhaseRolledBack && !v.begun()
	return counts && spec.PhaseFor != "" && spec.PhaseFor != spec.Version
}

// begun: a fleet other than stable is in production, on its way there, or on its way out.
func (v *view) begun() bool {
	return slices.ContainsFunc(v.fleets, func(f *fleet) bool {
		return f != v.stable && (!f.Promotion.StartedAt.IsZero() || !f.GateAt.IsZero() || v.isLive(f) || v.inProduction(f))
	})
}

// overrideAtMost is how far ahead an override may expire: an emergency is over by then, or is no emergency.
const overrideAtMost = 7 * 24 * time.Hour

// overridden: an override counts, only for the revision that it names and until it expires. One that expires too far ahead does only where it
// takes production back: to undo a hold for its date would promote what somebody held back.
func (v *view) overridden() bool {
	counts := !v.overrideTooFar() || !forward(v.in.Spec.Override.Phase)
	return v.overrides() && v.in.Now.Before(v.in.Spec.Override.ExpiresAt) && counts
}

// overrides: the override names what is declared, or the candidate where what is declared cannot be recorded.
func (v *view) overrides() bool {
	named, spec := v.in.Spec.Override.Revision, v.in.Spec
	stuck := spec.Unresolved.Some() || spec.Contested.Some()
	instead := spec.Target == "" && stuck && v.candidate != nil && named == v.candidate.Name
	return named != "" && (named == spec.Target || instead)
}

// overrideTooFar: an override expires too far ahead. Only the clock can tell, so no rule of the API does.
func (v *view) overrideTooFar() bool {
	return v.overrides() && v.in.Spec.Override.ExpiresAt.Sub(v.in.Now) > overrideAtMost
}

// idleOverride says why an override that is there does not count; empty where there is none, or it does.
func (v *view) idleOverride() string {
	o := v.in.Spec.Override
	switch {
	case o.Revision == "" || v.overridden() || v.overrideTooFar():
		return ""
	case !v.in.Now.Before(o.ExpiresAt):
		return fmt.Sprintf("spec.override expired at %s and does not count", o.ExpiresAt.UTC().Format(time.RFC3339))
	}
	declared := "version " + v.in.Spec.Version + " is declared, which is not recorded yet"
	if v.in.Spec.Target != "" {
		declared = v.in.Spec.Target + " is declared"
	}
	return fmt.Sprintf("spec.override names revision %s and does not count: %s", o.Revision, declared)
}

// overrideOfNobody: an unexpired override names a revision that was never there. A commit ends an override, so one that names
// an older revision is no mistake.
func (v *view) overrideOfNobody() bool {
	o := v.in.Spec.Override
	return o.Revision != "" && o.Revision != v.in.Spec.Target && v.in.Now.Before(o.ExpiresAt) && v.memory.find(o.Revision) == nil
}

// forward: the phase asks for the candidate in production.
func forward(p Phase) bool { return p == PhaseLive || p == PhaseComplete }

// afterElapsed: completeAfter has passed in good time, under a phase that keeps the candidate in production.
func (v *view) afterElapsed(c *fleet) bool {
	if !forward(v.in.Spec.Phase) || v.in.Spec.CompleteAfter <= 0 || !v.isLive(c) {
		return false
	}
	left := v.in.Spec.CompleteAfter - c.Ready.Elapsed(v.watchedUntil(c))
	if left > 0 && !c.Ready.Since.IsZero() {
		v.again(left)
	}
	return left <= 0
}

// wantsCandidate: production is to be served by the candidate.
func (v *view) wantsCandidate() bool {
	if v.candidate == nil {
		return false
	}
	return forward(v.phase) || (v.phase == PhaseNone && v.isLive(v.candidate))
}

// takesOver: the candidate is wanted in production, and on its way there or there already.
func (v *view) takesOver() bool {
	c := v.candidate
	return v.wantsCandidate() && (v.isLive(c) || !c.GateAt.IsZero() || len(c.Promotion.Cohort) > 0)
}

// rollbackAsked: a person said RolledBack, in spec or override, and there is something to roll back; paused does not hold
// that up.
func (v *view) rollbackAsked() bool {
	asked := v.phase == PhaseRolledBack && v.phaseRule != RuleVerdict
	return asked && v.stable != nil && (v.candidate != nil || v.mustRestore())
}

// allowed are the phases that spec.phase may be set to now, in the order in which a deploy meets them. The command line, the
// Argo CD actions and every error text use this list. The API refuses to go from RolledBack to Complete.
func (v *view) allowed() []Phase {
	phases := v.reachable()
	if v.in.Spec.Phase == PhaseRolledBack {
		phases = slices.DeleteFunc(phases, func(p Phase) bool { return p == PhaseComplete })
	}
	return phases
}

func (v *view) reachable() []Phase {
	c, settled := v.candidate, v.kept == nil && v.in.Spec.Target != ""
	switch {
	case v.in.Spec.Deleting:
		return nil
	case v.stable == nil && v.isLive(c):
		return []Phase{PhaseLive, PhaseComplete}
	case c == nil && v.stable != nil && settled:
		return v.reachableSettled()
	case v.passedOver(): // what is declared was seen by nobody
		return []Phase{PhasePreview, PhaseRolledBack}
	case v.stable == nil, c == nil:
		return []Phase{PhasePreview, PhaseLive, PhaseComplete}
	}
	return v.reachableOf(c)
}

// reachableOf: there are a candidate and a fleet to fall back to.
func (v *view) reachableOf(c *fleet) []Phase {
	switch {
	case c.Verdict.Reason != "": // Live would change nothing while the verdict stands
		return []Phase{PhasePreview, PhaseRolledBack}
	case v.phase == PhaseRolledBack:
		return []Phase{PhasePreview, PhaseLive, PhaseRolledBack}
	}
	return []Phase{PhasePreview, PhaseLive, PhaseRolledBack, PhaseComplete}
}

// reachableSettled: there is only the stable fleet, and nothing to roll back to; from RolledBack Complete is a step further.
func (v *view) reachableSettled() []Phase {
	if v.in.Spec.Phase == PhaseRolledBack {
		return []Phase{PhaseLive}
	}
	return []Phase{PhaseComplete}
}

// illegal says why the effective phase cannot be reached; empty when it can.
func (v *view) illegal() Problem {
	c := v.candidate
	switch {
	case v.phase == PhaseRolledBack:
		if words := v.nothingBefore(); words != "" {
			return Problem{Reason: ReasonNothingToRollBackTo, Message: words}
		}
	case v.phase == PhasePreview && v.stable == nil && c != nil && v.inProduction(c):
		return Problem{Reason: ReasonNothingToRollBackTo,
			Message: "there is no stable fleet, so the candidate stays in production; set spec.phase to Live or Complete"}
	}
	return Problem{}
}

// nothingBefore says why there is nothing to roll back to, and what to do; empty where there is.
func (v *view) nothingBefore() string {
	switch {
	case v.stable == nil:
		return "there is no stable fleet to roll back to: this is the first version; deploy another version, or set spec.phase to Live"
	case v.candidate != nil || v.in.Spec.Target != v.stable.Name:
		return ""
	case v.kept != nil:
		return fmt.Sprintf("version %s is the stable one: set spec.phase to Live first, to be able to go back to version %s, which is kept",
			v.stable.label, v.kept.label)
	}
	return fmt.Sprintf("version %s is the stable one and the fleet before it is gone: nothing to roll back to; declare the version that you want and set "+
		"spec.phase to Preview, or set spec.phase to Live", v.stable.label)
}
