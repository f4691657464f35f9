package controllers

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// The figures of this process. Nothing that grows with the number of Releases is a label of a histogram or a counter.
var (
	actionsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "slipway_actions_total",
		Help: "Actions on AWS that were tried, by action (Launch, Register, Deregister, Tag, Terminate) and outcome (done, or what kind of error it was).",
	}, []string{"action", "outcome"})

	transitionSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "slipway_transition_duration_seconds",
		Help:    "How long a Release took for a transition, by kind (Launch, Promotion, Undo, Rollback, Completion).",
		Buckets: []float64{0.5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 300, 600, 1800, 3600},
	}, []string{"transition"})

	panicsTotal = prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "slipway_panics_total",
		Help: "Panics of Slipway's own code that were caught: each is a bug. The log has the line with the stack.",
	}, func() float64 { return float64(cloud.Defects()) })
)

func init() {
	metrics.Registry.MustRegister(actionsTotal, transitionSeconds, panicsTotal)
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

// measureTransition records a transition that a pass saw the end of.
func measureTransition(before, after *v1alpha1.Transition, now time.Time) {
	if before == nil || before.Started == nil || before.Ended != nil {
		return
	}
	if after != nil && after.Ended == nil && after.What == before.What && after.Revision == before.Revision {
		return
	}
	transitionSeconds.WithLabelValues(string(before.What)).Observe(now.Sub(before.Started.Time).Seconds())
}

// releaseCollector describes the Releases as the cache has them at the moment of a scrape, so that no series outlives its
// Release.
type releaseCollector struct {
	reader client.Reader
}

var (
	releaseInfo = prometheus.NewDesc("slipway_release_info",
		"A Release: what was asked for, what Slipway is doing and which versions serve and are being deployed. Always 1.",
		[]string{"namespace", "name", "phase", "stage", "live_version", "candidate_version"}, nil)
	releaseCondition = prometheus.NewDesc("slipway_release_condition",
		"Whether a condition of a Release is True (1) or not (0).",
		[]string{"namespace", "name", "condition"}, nil)
	releasesByStage = prometheus.NewDesc("slipway_releases",
		"Releases in each stage.",
		[]string{"stage"}, nil)
)

// shownConditions are those that alerts are made of.
var shownConditions = map[string]bool{
	v1alpha1.ConditionReady:             true,
	v1alpha1.ConditionStalled:           true,
	v1alpha1.ConditionBlind:             true,
	v1alpha1.ConditionAwaitingDecision:  true,
	v1alpha1.ConditionRollbackAvailable: true,
}

// Describe implements prometheus.Collector.
func (c releaseCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- releaseInfo
	descs <- releaseCondition
	descs <- releasesByStage
}

// Collect implements prometheus.Collector.
func (c releaseCollector) Collect(series chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var list v1alpha1.ReleaseList
	if err := c.reader.List(ctx, &list); err != nil {
		series <- prometheus.NewInvalidMetric(releaseInfo, err)
		return
	}
	stages := map[string]int{}
	for i := range list.Items {
		rel := &list.Items[i]
		stages[string(rel.Status.Stage)]++
		candidate := ""
		if rel.Status.Candidate != nil {
			candidate = string(rel.Status.Candidate.Version)
		}
		series <- prometheus.MustNewConstMetric(releaseInfo, prometheus.GaugeValue, 1, rel.Namespace, rel.Name,
			string(rel.Spec.Phase), string(rel.Status.Stage), rel.Status.LiveVersion, candidate)
		for _, condition := range rel.Status.Conditions {
			if shownConditions[condition.Type] {
				series <- prometheus.MustNewConstMetric(releaseCondition, prometheus.GaugeValue,
					truth(condition.Status), rel.Namespace, rel.Name, condition.Type)
			}
		}
	}
	for _, stage := range sortedKeys(stages) {
		series <- prometheus.MustNewConstMetric(releasesByStage, prometheus.GaugeValue, float64(stages[stage]), stage)
	}
}

func truth(status metav1.ConditionStatus) float64 {
	if status == metav1.ConditionTrue {
		return 1
	}
	return 0
}

// Start shows the Releases for as long as this process is the leader: of two processes, one counts them.
func (c releaseCollector) Start(ctx context.Context) error {
	var taken prometheus.AlreadyRegisteredError
	if err := metrics.Registry.Register(c); errors.As(err, &taken) {
		ctrl.LoggerFrom(ctx).Info("Another manager in this process shows the Releases")
		return nil
	} else if err != nil {
		return err
	}
	<-ctx.Done()
	metrics.Registry.Unregister(c)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c releaseCollector) NeedLeaderElection() bool { return true }
