package rollout

import (
	"fmt"
	"strings"
)

// unrecorded: what is declared is needed and has no revision yet, so nothing that is said of a revision is said of it.
func (v *view) unrecorded() bool { return v.needs && v.in.Spec.Target == "" }

// passedOver: what is declared is another version than the stable and the rejected one, and the phase is RolledBack, under which nothing is
// looked up or launched. Nothing that is said of the rejected one is said of it.
func (v *view) passedOver() bool {
	other := func(f *fleet) bool { return f == nil || f.Version != v.in.Spec.Version }
	return v.rejects() && v.stable != nil && v.in.Spec.Target == "" && other(v.stable) && other(v.candidate)
}

func (v *view) passedOverWords() string {
	spec := v.in.Spec
	words := "version " + spec.Version + " is not deployed while the phase is RolledBack: "
	switch {
	case v.phaseRule == RuleOverride:
		return words + "take out spec.override"
	case v.candidate != nil && (v.phaseRule == RuleVerdict || spec.PhaseFor != "" && spec.PhaseFor != spec.Version):
		return words + "it is once version " + v.candidate.label + " is out of production"
	}
	return words + "set spec.phase to Preview to deploy it"
}

func (v *view) troubleWords() string {
	words := make([]string, 0, len(v.trouble))
	for _, p := range v.trouble {
		words = append(words, p.Message)
	}
	return strings.Join(words, " — ")
}

// message is the one line that a person reads first: what is the case, or what is wrong, or what is waited for.
func (v *view) message(stage Stage, done bool) string {
	switch {
	case len(v.trouble) > 0:
		return v.troubleWords()
	case done:
		return v.doneWords(stage)
	case len(v.waits) > 0:
		return string(stage) + ": waiting for " + strings.Join(v.waits, "; ")
	}
	return string(stage)
}

// rejectedWords are what is the case once a candidate was rolled back.
func (v *view) rejectedWords() string {
	words := "version " + v.stable.label + " serves production; the candidate was rejected and waits on the test pool"
	if len(v.candidate.running()) == 0 {
		words = "version " + v.stable.label + " serves production; the candidate was rejected, and none of its servers runs"
	}
	if v.passedOver() {
		words += "; " + v.passedOverWords()
	}
	return words
}

func (v *view) doneWords(stage Stage) string {
	switch stage {
	case StageSettled:
		words := "version " + v.stable.label + " is stable and serves production"
		if v.passedOver() {
			words += "; " + v.passedOverWords()
		}
		return words
	case StageRolledBack:
		return v.rejectedWords()
	case StageLive:
		if v.stable == nil {
			return "version " + v.candidate.label + " is Live; set spec.phase to Complete to make it the stable one"
		}
		return fmt.Sprintf("version %s is Live; version %s stands by: set spec.phase to RolledBack to go back, to Complete to end it",
			v.candidate.label, v.stable.label)
	}
	return "version " + v.candidate.label + " is ready in Preview; " + v.toPromote() + " to promote it"
}
