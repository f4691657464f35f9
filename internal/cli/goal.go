package cli

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// The goals that --for names.
const (
	goalPreview    = "preview"
	goalLive       = "live"
	goalRolledBack = "rolledback"
	goalComplete   = "complete"
)

// goal is a state that a script waits for.
type goal struct {
	name string
	// reached is whether it is so, of the version that is waited for.
	reached func(*v1alpha1.Release) bool
	// on says that what is asked for leads there.
	on func(*v1alpha1.Release) bool
	// verb leads there.
	verb string
}

// goals are all of them. That of a phase further on counts as reached where that takes nothing from it: what is Live passed Preview.
var goals = map[string]goal{
	goalPreview: {goalPreview, previewReached, func(r *v1alpha1.Release) bool { return asksFor(r, v1alpha1.PhasePreview) || leadsToLive(r) }, ""},
	goalLive: {goalLive, func(r *v1alpha1.Release) bool {
		well := condition(r, v1alpha1.ConditionReady).Reason != v1alpha1.ReasonUnhealthy && !is(r, v1alpha1.ConditionStalled)
		return well && is(r, v1alpha1.ConditionPromoted) && r.Status.LiveVersion == string(r.Spec.Version)
	}, leadsToLive, "promote"},
	goalRolledBack: {goalRolledBack, func(r *v1alpha1.Release) bool {
		return r.Status.Stage == stageRolledBack && is(r, v1alpha1.ConditionReady)
	}, func(r *v1alpha1.Release) bool { return asksFor(r, v1alpha1.PhaseRolledBack) }, "rollback"},
	goalComplete: {goalComplete, func(r *v1alpha1.Release) bool {
		s := r.Status.Stable
		alone := r.Status.Stage == stageSettled && r.Status.Candidate == nil && is(r, v1alpha1.ConditionReady)
		return alone && s != nil && string(s.Version) == string(r.Spec.Version)
	}, func(r *v1alpha1.Release) bool {
		byItself := r.Spec.Retention.CompleteAfter.Duration > 0 && meant(r) == v1alpha1.PhaseLive // it counts under no other phase
		return asksFor(r, v1alpha1.PhaseComplete) || byItself && leadsToLive(r)
	}, "complete"},
}

// goalPaused is where pause leads: Slipway has seen it. A rollback that is asked for goes on.
var goalPaused = goal{"paused", func(r *v1alpha1.Release) bool { return r.Spec.Paused }, func(r *v1alpha1.Release) bool { return r.Spec.Paused }, "pause"}

// meant is the phase that is declared for this version: one that was left behind by another stops at Preview.
func meant(r *v1alpha1.Release) v1alpha1.Phase {
	if r.Spec.Phase != "" && (r.Spec.PhaseFor == "" || r.Spec.PhaseFor == string(r.Spec.Version)) {
		return r.Spec.Phase
	}
	return v1alpha1.PhasePreview
}

// goalOf is where what is declared leads once nothing is in its way.
func goalOf(r *v1alpha1.Release) goal {
	phase := meant(r)
	if overrideCounts(r) {
		phase = r.Spec.Override.Phase
	}
	switch phase {
	case v1alpha1.PhaseLive:
		return goals[goalLive]
	case v1alpha1.PhaseRolledBack:
		return goals[goalRolledBack]
	case v1alpha1.PhaseComplete:
		return goals[goalComplete]
	}
	return goals[goalPreview]
}

// goalNames are the names, in the order of a deploy.
var goalNames = []string{goalPreview, goalLive, goalRolledBack, goalComplete}

func asksFor(r *v1alpha1.Release, phase v1alpha1.Phase) bool {
	return r.Status.EffectivePhase == phase || (phase == v1alpha1.PhasePreview && r.Status.EffectivePhase == "")
}

func leadsToLive(r *v1alpha1.Release) bool {
	return asksFor(r, v1alpha1.PhaseLive) || asksFor(r, v1alpha1.PhaseComplete)
}

// previewReached: the declared version passed Preview, or is further on.
func previewReached(r *v1alpha1.Release) bool {
	return is(r, v1alpha1.ConditionPreviewReady) || is(r, v1alpha1.ConditionPromoted) && r.Status.LiveVersion == string(r.Spec.Version)
}

// outcome is where a wait stands: done says that it is over, with the exit status and what to say.
type outcome struct {
	done bool
	code int
	text string
}

// judge says where a Release stands on its way to a goal. Version is the one that is waited for: another one that is declared
// meanwhile ends the wait.
func (g goal) judge(r *v1alpha1.Release, version string) outcome {
	switch {
	case r == nil:
		return outcome{true, ExitNotFound, "it is gone"}
	case string(r.Spec.Version) != version:
		return outcome{true, ExitSuperseded, fmt.Sprintf("version %s was waited for, and %s is declared now", version, r.Spec.Version)}
	case !r.DeletionTimestamp.IsZero():
		return outcome{true, ExitNotFound, "it is being deleted"}
	case !seen(r):
		return outcome{text: "the last edit is not seen by Slipway yet"}
	case g.reached(r):
		return outcome{true, 0, fmt.Sprintf("%s reached, version %s", g.name, version)}
	case is(r, v1alpha1.ConditionStalled) && !overlooked(r):
		c := condition(r, v1alpha1.ConditionStalled)
		return outcome{true, ExitStalled, c.Reason + ": " + c.Message}
	}
	return g.waits(r)
}

// overlooked: it is Unhealthy for all that is known, which one reading of AWS that failed makes it. The next one may show otherwise.
func overlooked(r *v1alpha1.Release) bool {
	return condition(r, v1alpha1.ConditionStalled).Reason == v1alpha1.ReasonUnhealthy && is(r, v1alpha1.ConditionBlind)
}

// open says whether the verb that leads there may be typed now.
func (g goal) open(r *v1alpha1.Release) bool {
	return slices.ContainsFunc(verbs, func(v verb) bool { return v.name == g.verb && allows(r, v.phase) })
}

// waits judges a Release that is under way, or at rest elsewhere.
func (g goal) waits(r *v1alpha1.Release) outcome {
	state, _ := headline(r)
	resting := condition(r, v1alpha1.ConditionReady).Status == metav1.ConditionTrue
	switch {
	case r.Spec.Paused && r.Status.Stage == stagePaused:
		return outcome{true, ExitDecision, "it is paused, and waits for: " + say(r, "resume")}
	case resting && g.on(r):
		return outcome{text: state}
	case resting && g.verb != "" && g.open(r) && is(r, v1alpha1.ConditionAwaitingDecision):
		return outcome{true, ExitDecision, fmt.Sprintf("%s; it waits for: %s", state, sayPhase(r, g.verb))}
	case resting:
		return outcome{true, ExitDecision, fmt.Sprintf("%s, and %s is asked for: it does not get to %s by itself", state, askedWords(r), g.name)}
	}
	return outcome{text: state}
}
