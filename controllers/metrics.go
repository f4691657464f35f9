package controllers

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// The figures of this process. Nothing that grows with the number of Releases is a label of a histogram or a counter: every label
// here has a closed set of values. What is told of each Release is in metrics_releases.go.
var (
	actionsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slipway_actions_total",
		Help: "Actions on AWS that were tried, by action (Launch, Register, Deregister, Tag, Terminate) and outcome (done, or what kind of error it was).",
	}, []string{"action", "outcome"})

	transitionSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "slipway_transition_duration_seconds",
		Help: "How long a Release took for a transition (Launch, Promotion, Undo, Rollback, Completion), in two parts that add up to the whole: " +
			"time of the machine, and time in which a person was waited for (Stalled, paused).",
		Buckets: []float64{0.5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 300, 600, 1800, 3600},
	}, []string{"transition", "time"})

	decisionSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "slipway_decision_wait_duration_seconds",
		Help:    "How long a Release waited between two transitions for a person's decision, by the stage in which it waited.",
		Buckets: []float64{10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600},
	}, []string{"stage"})

	refusalsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slipway_refusals_total",
		Help: "Planned actions that a law of safety took out of the plan, by law. One that is held back for a minute is counted with every pass.",
	}, []string{"law"})

	panicsTotal = prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "slipway_panics_total",
		Help: "Panics of Slipway's own code that were caught: each is a bug. The log has the line with the stack.",
	}, func() float64 { return float64(cloud.Defects()) })
)

// Values of labels.
const (
	timeMachine = "machine"
	timePerson  = "person"
	labelOther  = "other"
)

var (
	// guardingLaws are the laws that the core's guards name, as labels.
	guardingLaws = []string{"1", "2", "4 and 7", "5", "6"}
	// waitingStages are the stages in which a decision is waited for; others are counted as "other".
	waitingStages = []string{string(rollout.StagePreview), string(rollout.StageLive), string(rollout.StageRolledBack), string(rollout.StagePaused)}
)

// A series that is missing until something happens for the first time has no rate when it happens.
func init() {
	metrics.Registry.MustRegister(actionsTotal, transitionSeconds, decisionSeconds, refusalsTotal, panicsTotal)
	for action := range carriedOut {
		actionsTotal.WithLabelValues(action, "done")
	}
	for _, what := range []string{transitionLaunch, transitionPromotion, transitionUndo, transitionRollback, transitionCompletion} {
		transitionSeconds.WithLabelValues(what, timeMachine)
		transitionSeconds.WithLabelValues(what, timePerson)
	}
	for _, stage := range waitingStages {
		decisionSeconds.WithLabelValues(stage)
	}
	for _, law := range guardingLaws {
		refusalsTotal.WithLabelValues(law)
	}
}

// countOutcomes counts the actions that were tried in a pass.
func countOutcomes(outcomes []outcome) {
	for _, o := range outcomes {
		if o.postponed || o.underway {
			continue
		}
		actionsTotal.WithLabelValues(verb(o.action), outcomeLabel(o.err)).Inc()
	}
}

// outcomeLabel is done, or the kind of the error in one word.
func outcomeLabel(err error) string {
	if err == nil {
		return "done"
	}
	if kind := cloud.KindOf(err); kind != cloud.Unknown {
		return strings.ReplaceAll(string(kind), " ", "_")
	}
	return "unknown"
}

// lawNumber finds the law's number in what a guard says of itself: "law 4 and 7: end only what is over".
var lawNumber = regexp.MustCompile(`^law ([0-9]+(?: and [0-9]+)*):`)

// countRefusals counts what the guards took out of a plan.
func countRefusals(held []rollout.Note) {
	for _, note := range held {
		law := labelOther
		if found := lawNumber.FindStringSubmatch(note.About); found != nil && slices.Contains(guardingLaws, found[1]) {
			law = found[1]
		}
		refusalsTotal.WithLabelValues(law).Inc()
	}
}

// measureTransition records a transition that a pass saw the end of, and what of it was waiting for a person.
func measureTransition(before, after *v1alpha1.Transition, person time.Duration, now time.Time) {
	if !underWay(before) {
		return
	}
	if after != nil && after.Ended == nil && after.What == before.What && after.Revision == before.Revision {
		return
	}
	whole := now.Sub(before.Started.Time)
	person = min(person, whole)
	transitionSeconds.WithLabelValues(string(before.What), timeMachine).Observe((whole - person).Seconds())
	transitionSeconds.WithLabelValues(string(before.What), timePerson).Observe(person.Seconds())
}

// measureDecision records a decision that was waited for until now. One within a transition (a pause) is a part of that.
func measureDecision(before, after *v1alpha1.ReleaseStatus, now time.Time) {
	waited := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionAwaitingDecision)
	if !meta.IsStatusConditionTrue(before.Conditions, v1alpha1.ConditionAwaitingDecision) || underWay(before.LastTransition) ||
		meta.IsStatusConditionTrue(after.Conditions, v1alpha1.ConditionAwaitingDecision) {
		return
	}
	stage := string(before.Stage)
	if !slices.Contains(waitingStages, stage) {
		stage = labelOther
	}
	decisionSeconds.WithLabelValues(stage).Observe(now.Sub(waited.LastTransitionTime.Time).Seconds())
}

// underWay: the transition has begun and not ended.
func underWay(t *v1alpha1.Transition) bool { return t != nil && t.Started != nil && t.Ended == nil }

// waits adds up how long a transition under way has waited for a person. It is not written down: a process that has just started
// knows of the wait that goes on, by the time of its condition, and not of those before. The zero value is ready for use.
type waits struct {
	began  time.Time // the transition's
	until  time.Time // what is counted so far
	person time.Duration
}

// count goes on from the pass before, by the status that it left.
func (w *waits) count(status *v1alpha1.ReleaseStatus, now time.Time) {
	if !underWay(status.LastTransition) {
		*w = waits{}
		return
	}
	if began := status.LastTransition.Started.Time; !w.began.Equal(began) {
		*w = waits{began: began, until: began}
	}
	if since := waitingSince(status); !since.IsZero() {
		if since.Before(w.until) {
			since = w.until
		}
		w.person += max(0, now.Sub(since))
	}
	w.until = now
}

// waitingSince is when the wait for a person began that goes on; zero where nobody is waited for.
func waitingSince(status *v1alpha1.ReleaseStatus) time.Time {
	var since time.Time
	for _, condition := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionAwaitingDecision} {
		c := meta.FindStatusCondition(status.Conditions, condition)
		if c != nil && c.Status == metav1.ConditionTrue && (since.IsZero() || c.LastTransitionTime.Time.Before(since)) {
			since = c.LastTransitionTime.Time
		}
	}
	return since
}
