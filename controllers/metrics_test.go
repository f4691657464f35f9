package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func describedRelease(name, stage string, ready metav1.ConditionStatus) *v1alpha1.Release {
	rel := testRelease()
	rel.Name = name
	rel.Spec.Phase = v1alpha1.PhaseLive
	rel.Status = v1alpha1.ReleaseStatus{
		Stage: v1alpha1.Stage(stage), LiveVersion: "v1", Candidate: &v1alpha1.FleetStatus{Version: "v2"},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready}, {Type: v1alpha1.ConditionPromoted, Status: ready}},
	}
	return rel
}

func TestMetricsOfReleases(t *testing.T) {
	h := newHarness(t, describedRelease("a", "Live", metav1.ConditionTrue),
		describedRelease("b", "Promoting", metav1.ConditionFalse), describedRelease("c", "Live", metav1.ConditionTrue))
	want := `
# HELP slipway_release_condition Whether a condition of a Release is True (1) or not (0).
# TYPE slipway_release_condition gauge
slipway_release_condition{condition="Ready",name="a",namespace="shop"} 1
slipway_release_condition{condition="Ready",name="b",namespace="shop"} 0
slipway_release_condition{condition="Ready",name="c",namespace="shop"} 1
# HELP slipway_release_info A Release: what was asked for, what Slipway is doing and which versions serve and are being deployed. Always 1.
# TYPE slipway_release_info gauge
slipway_release_info{candidate_version="v2",live_version="v1",name="a",namespace="shop",phase="Live",stage="Live"} 1
slipway_release_info{candidate_version="v2",live_version="v1",name="b",namespace="shop",phase="Live",stage="Promoting"} 1
slipway_release_info{candidate_version="v2",live_version="v1",name="c",namespace="shop",phase="Live",stage="Live"} 1
# HELP slipway_releases Releases in each stage.
# TYPE slipway_releases gauge
slipway_releases{stage="Live"} 2
slipway_releases{stage="Promoting"} 1
`
	if err := testutil.CollectAndCompare(releaseCollector{reader: h}, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// Names, units and help texts are as Prometheus wants them.
func TestMetricsAreWellNamed(t *testing.T) {
	h := newHarness(t, describedRelease("a", "Live", metav1.ConditionTrue))
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(releaseCollector{reader: h}, actionsTotal, transitionSeconds)
	actionsTotal.WithLabelValues("Launch", "done")
	transitionSeconds.WithLabelValues(transitionLaunch)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				if perRelease := label.GetName() == "name"; perRelease && series.GetGauge() == nil {
					t.Errorf("%s grows with the number of Releases and is not a gauge that goes with them", family.GetName())
				}
			}
		}
	}
}

func TestActionsAreCounted(t *testing.T) {
	before := func(action, outcome string) float64 {
		return testutil.ToFloat64(actionsTotal.WithLabelValues(action, outcome))
	}
	want := map[[2]string]float64{}
	for _, key := range [][2]string{{"Register", "done"}, {"Register", "not_found"}, {"Launch", "capacity"}, {"Launch", "unknown"}, {"Terminate", "done"}} {
		want[key] = before(key[0], key[1]) + 1
	}
	want[[2]string{"Terminate", "done"}]--
	countOutcomes([]outcome{
		{action: rollout.Register{}}, {action: rollout.Register{}, err: &cloud.Error{Kind: cloud.NotFound}},
		{action: rollout.Launch{}, err: &cloud.Error{Kind: cloud.NoCapacity}}, {action: rollout.Launch{}, err: errors.New("reset")},
		{action: rollout.Launch{}, underway: true}, {action: rollout.Terminate{}, err: errors.New("reset"), postponed: true},
	})
	for key, value := range want {
		if got := before(key[0], key[1]); got != value {
			t.Errorf("slipway_actions_total%v is %v, want %v", key, got, value)
		}
	}
}

func TestTransitionsAreMeasured(t *testing.T) {
	count := func() string {
		families, err := metrics.Registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, series := range family.GetMetric() {
				if family.GetName() == "slipway_transition_duration_seconds" && series.GetLabel()[0].GetValue() == transitionUndo {
					return fmt.Sprintf("%d in %.1f s", series.GetHistogram().GetSampleCount(), series.GetHistogram().GetSampleSum())
				}
			}
		}
		return ""
	}
	transitionSeconds.Reset()
	started, ended := microMoment(testNow), microMoment(testNow.Add(4*time.Second))
	open := &v1alpha1.Transition{What: transitionUndo, Started: started}
	for i, test := range []struct {
		before, after *v1alpha1.Transition
		want          string
	}{
		{nil, open, ""},
		{open, open, ""}, // it goes on
		{open, &v1alpha1.Transition{What: transitionUndo, Started: started, Ended: ended}, "1 in 4.0 s"},
		{&v1alpha1.Transition{What: transitionUndo, Started: started, Ended: ended}, nil, "1 in 4.0 s"}, // counted already
		{open, &v1alpha1.Transition{What: transitionRollback, Started: ended}, "2 in 8.0 s"},            // another one began in its place
	} {
		measureTransition(test.before, test.after, testNow.Add(4*time.Second))
		if got := count(); got != test.want {
			t.Errorf("step %d: %q, want %q", i, got, test.want)
		}
	}
}

// Series of Releases are there while this process leads, and only then.
func TestCollectorComesAndGoesWithLeadership(t *testing.T) {
	h := newHarness(t, describedRelease("a", "Live", metav1.ConditionTrue))
	shown := func() bool {
		n, err := testutil.GatherAndCount(metrics.Registry, "slipway_releases")
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- releaseCollector{reader: h}.Start(ctx) }()
	gomega.NewWithT(t).Eventually(shown, "10s", "10ms").Should(gomega.BeTrue(), "no series while leading")
	stop()
	if err := <-ended; err != nil || shown() {
		t.Errorf("after leading: error %v, shown %v", err, shown())
	}
}
