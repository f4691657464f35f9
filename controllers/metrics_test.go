package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
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
		Stage: v1alpha1.Stage(stage), LiveVersion: "v1", Candidate: &v1alpha1.FleetStatus{Version: "v2", Desired: 3, Running: 2, Healthy: 1},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready, Reason: v1alpha1.ReasonLive}},
	}
	return rel
}

func TestMetricsOfReleases(t *testing.T) {
	a := describedRelease("a", "Live", metav1.ConditionTrue)
	a.Status.Retired = []v1alpha1.FleetStatus{{Desired: 1, Running: 1}, {Running: 2}}
	a.Status.Pools = []v1alpha1.PoolStatus{
		{Name: "edge", Role: v1alpha1.PoolRoleProduction, Registered: 3, Healthy: 2, Strangers: 1},
		{Name: "old", Role: v1alpha1.PoolRoleReleased, Registered: 1}, {Name: "old", Role: v1alpha1.PoolRoleReleased, Registered: 2},
	}
	a.Status.LastTransition = &v1alpha1.Transition{What: transitionPromotion, Started: microMoment(time.Unix(1700000000, 5e8))}
	h := newHarness(t, a, describedRelease("b", "Promoting", metav1.ConditionFalse), describedRelease("c", "Live", metav1.ConditionTrue))
	want := `
# HELP slipway_release_condition Whether a condition of a Release is True (1) or not (0).
# TYPE slipway_release_condition gauge
slipway_release_condition{condition="Ready",name="a",namespace="shop"} 1
slipway_release_condition{condition="Ready",name="b",namespace="shop"} 0
slipway_release_condition{condition="Ready",name="c",namespace="shop"} 1
# HELP slipway_release_condition_reason The reason that a condition of a Release has now, True or not. Always 1.
# TYPE slipway_release_condition_reason gauge
slipway_release_condition_reason{condition="Ready",name="a",namespace="shop",reason="Live"} 1
slipway_release_condition_reason{condition="Ready",name="b",namespace="shop",reason="Live"} 1
slipway_release_condition_reason{condition="Ready",name="c",namespace="shop",reason="Live"} 1
# HELP slipway_release_info A Release: what was asked for, what Slipway is doing and which versions serve and are being deployed. Always 1.
# TYPE slipway_release_info gauge
slipway_release_info{candidate_version="v2",live_version="v1",name="a",namespace="shop",phase="Live",stage="Live"} 1
slipway_release_info{candidate_version="v2",live_version="v1",name="b",namespace="shop",phase="Live",stage="Promoting"} 1
slipway_release_info{candidate_version="v2",live_version="v1",name="c",namespace="shop",phase="Live",stage="Live"} 1
# HELP slipway_release_pool_registered_servers Servers of a Release that are registered in a pool.
# TYPE slipway_release_pool_registered_servers gauge
slipway_release_pool_registered_servers{name="a",namespace="shop",pool="edge",role="production"} 3
slipway_release_pool_registered_servers{name="a",namespace="shop",pool="old",role="released"} 3
# HELP slipway_release_running_servers Servers of a fleet that run.
# TYPE slipway_release_running_servers gauge
slipway_release_running_servers{fleet="candidate",name="a",namespace="shop"} 2
slipway_release_running_servers{fleet="candidate",name="b",namespace="shop"} 2
slipway_release_running_servers{fleet="candidate",name="c",namespace="shop"} 2
slipway_release_running_servers{fleet="retired",name="a",namespace="shop"} 3
# HELP slipway_release_transition_start_time_seconds When the transition that is under way began, since the epoch.
# TYPE slipway_release_transition_start_time_seconds gauge
slipway_release_transition_start_time_seconds{name="a",namespace="shop",transition="Promotion"} 1.7000000005e+09
# HELP slipway_releases Releases in each stage.
# TYPE slipway_releases gauge
slipway_releases{stage="Live"} 2
slipway_releases{stage="Promoting"} 1
`
	if err := testutil.CollectAndCompare(releaseCollector{reader: h, lackOf: h.lackOf}, strings.NewReader(want), "slipway_releases", "slipway_release_info",
		"slipway_release_condition", "slipway_release_condition_reason", "slipway_release_pool_registered_servers", "slipway_release_running_servers",
		"slipway_release_transition_start_time_seconds"); err != nil {
		t.Error(err)
	}
}

// Names, units and help texts are as Prometheus wants them.
func TestMetricsAreWellNamed(t *testing.T) {
	h := newHarness(t, describedRelease("a", "Live", metav1.ConditionTrue))
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(releaseCollector{reader: h, lackOf: h.lackOf}, actionsTotal, transitionSeconds, decisionSeconds, refusalsTotal, panicsTotal)
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

// The fullest status that the API server takes has a bounded number of series, and a deleted Release has none.
func TestSeriesAreBoundedAndGo(t *testing.T) {
	rel := describedRelease("a", "Live", metav1.ConditionTrue)
	fleet := v1alpha1.FleetStatus{Desired: 1}
	rel.Status.Stable, rel.Status.Conditions = &fleet, nil
	for i := range 16 {
		rel.Status.Conditions = append(rel.Status.Conditions, metav1.Condition{Type: fmt.Sprint("C", i), Reason: "R", Status: metav1.ConditionTrue})
	}
	for i := range v1alpha1.MaxShownPools {
		rel.Status.Pools = append(rel.Status.Pools, v1alpha1.PoolStatus{Name: fmt.Sprint(i), Role: v1alpha1.PoolRoleProduction})
	}
	for range v1alpha1.MaxShownFleets {
		rel.Status.Retired = append(rel.Status.Retired, fleet)
	}
	rel.Status.LastTransition = &v1alpha1.Transition{Started: microMoment(testNow)}
	for i := range v1alpha1.MaxShownHistory {
		rel.Status.History = append(rel.Status.History, v1alpha1.HistoryEntry{Version: v1alpha1.StatusName(fmt.Sprint("v", i))})
	}
	rel.Spec.Override, rel.Status.EffectivePhaseReason = &v1alpha1.PhaseOverride{ExpiresAt: metav1.NewTime(testNow)}, v1alpha1.EffectiveByOverride
	h := newHarness(t, rel)
	collector := releaseCollector{reader: h, lackOf: func(*v1alpha1.Release) *int { return new(1) }}
	if got, most := testutil.CollectAndCount(collector), 6+2*16+3*3+3*v1alpha1.MaxShownPools; got > most {
		t.Errorf("%d series for one Release, at most %d are meant", got, most)
	}
	if err := h.Delete(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	if got := testutil.CollectAndCount(collector); got != 0 {
		t.Errorf("%d series of a Release that is gone", got)
	}
}

// A panic of the collector is counted and spoils a scrape, not the process.
func TestCollectorOutlivesAPanic(t *testing.T) {
	before := cloud.Defects()
	registry := prometheus.NewRegistry()
	registry.MustRegister(releaseCollector{})
	if _, err := registry.Gather(); err == nil || cloud.Defects() != before+1 {
		t.Errorf("error %v, %d defects more", err, cloud.Defects()-before)
	}
}

// The laws that are counted are those that guard the plan.
func TestEveryGuardIsCountedByItsLaw(t *testing.T) {
	text, err := os.ReadFile("../internal/rollout/guard.go")
	if err != nil {
		t.Fatal(err)
	}
	var laws []string
	for _, found := range regexp.MustCompile(`\{"(law .*)", \(\*view\)`).FindAllStringSubmatch(string(text), -1) {
		before := testutil.CollectAndCount(refusalsTotal)
		law := lawNumber.FindStringSubmatch(found[1])
		if law == nil {
			t.Fatalf("no number in %q", found[1])
		}
		laws = append(laws, law[1])
		was := testutil.ToFloat64(refusalsTotal.WithLabelValues(law[1]))
		countRefusals([]rollout.Note{{About: found[1]}, {About: found[1]}})
		if now := testutil.ToFloat64(refusalsTotal.WithLabelValues(law[1])); now != was+2 || testutil.CollectAndCount(refusalsTotal) != before {
			t.Errorf("%s: counted %v", found[1], now-was)
		}
	}
	slices.Sort(laws)
	if !slices.Equal(laws, guardingLaws) {
		t.Errorf("the guards are about laws %v, counted are %v", laws, guardingLaws)
	}
	countRefusals([]rollout.Note{{About: "law " + t.Name()}})
	if testutil.ToFloat64(refusalsTotal.WithLabelValues(labelOther)) != 1 {
		t.Error("a law without a number is not counted")
	}
	refusalsTotal.DeleteLabelValues(labelOther)
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

// sample is what a histogram has seen with a value of its labels.
func sample(t *testing.T, metric string, values ...string) string {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			has := map[string]bool{}
			for _, label := range series.GetLabel() {
				has[label.GetValue()] = true
			}
			if family.GetName() == metric && !slices.ContainsFunc(values, func(v string) bool { return !has[v] }) {
				return fmt.Sprintf("%d in %.1f s", series.GetHistogram().GetSampleCount(), series.GetHistogram().GetSampleSum())
			}
		}
	}
	return ""
}

func TestTransitionsAreMeasured(t *testing.T) {
	count := func() string {
		return sample(t, "slipway_transition_duration_seconds", transitionUndo, timeMachine) + ", " +
			sample(t, "slipway_transition_duration_seconds", transitionUndo, timePerson)
	}
	transitionSeconds.Reset()
	started, ended := microMoment(testNow), microMoment(testNow.Add(4*time.Second))
	open := &v1alpha1.Transition{What: transitionUndo, Started: started}
	for i, test := range []struct {
		before, after *v1alpha1.Transition
		person        time.Duration
		want          string
	}{
		{nil, open, 0, ", "},
		{open, open, 0, ", "}, // it goes on
		{open, &v1alpha1.Transition{What: transitionUndo, Started: started, Ended: ended}, time.Second, "1 in 3.0 s, 1 in 1.0 s"},
		{&v1alpha1.Transition{What: transitionUndo, Started: started, Ended: ended}, nil, 0, "1 in 3.0 s, 1 in 1.0 s"}, // counted already
		{open, &v1alpha1.Transition{What: transitionRollback, Started: ended}, time.Hour, "2 in 3.0 s, 2 in 5.0 s"},    // another one began in its place
	} {
		measureTransition(test.before, test.after, test.person, testNow.Add(4*time.Second))
		if got := count(); got != test.want {
			t.Errorf("step %d: %q, want %q", i, got, test.want)
		}
	}
}

// A transition's wait for a person is what lies between passes that left it Stalled, and no more than that.
func TestWaitsOfATransition(t *testing.T) {
	at := func(seconds int) time.Time { return testNow.Add(time.Duration(seconds) * time.Second) }
	status := func(stalledSince int) *v1alpha1.ReleaseStatus {
		s := &v1alpha1.ReleaseStatus{LastTransition: &v1alpha1.Transition{Started: microMoment(at(10))}}
		if stalledSince > 0 {
			s.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(at(stalledSince))}}
		}
		return s
	}
	var w waits
	for i, step := range []struct {
		status *v1alpha1.ReleaseStatus
		now    int
		want   time.Duration
	}{
		{status(0), 20, 0},
		{status(20), 25, 5 * time.Second},
		{status(20), 32, 12 * time.Second},
		{status(0), 40, 12 * time.Second},
		{status(40), 41, 13 * time.Second},
		{&v1alpha1.ReleaseStatus{}, 50, 0},
		{status(1), 60, 50 * time.Second}, // Stalled long before it began, and since
	} {
		if w.count(step.status, at(step.now)); w.person != step.want {
			t.Errorf("step %d: %s, want %s", i, w.person, step.want)
		}
	}
	var successor waits // knows nothing of what was before the wait that goes on
	if successor.count(status(40), at(45)); successor.person != 5*time.Second {
		t.Errorf("a new process counts %s", successor.person)
	}
}

func TestDecisionsAreMeasured(t *testing.T) {
	decisionSeconds.Reset()
	awaiting := func(is metav1.ConditionStatus, open bool) *v1alpha1.ReleaseStatus {
		s := &v1alpha1.ReleaseStatus{Stage: "Preview", Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionAwaitingDecision, Status: is, LastTransitionTime: metav1.NewTime(testNow)},
		}}
		if open {
			s.LastTransition = &v1alpha1.Transition{Started: microMoment(testNow)}
		}
		return s
	}
	yes, no := awaiting(metav1.ConditionTrue, false), awaiting(metav1.ConditionFalse, false)
	for i, step := range []struct {
		before, after *v1alpha1.ReleaseStatus
		want          string
	}{
		{no, yes, ""}, {yes, yes, ""}, {awaiting(metav1.ConditionTrue, true), no, ""}, {yes, no, "1 in 60.0 s"},
	} {
		measureDecision(step.before, step.after, testNow.Add(time.Minute))
		if got := sample(t, "slipway_decision_wait_duration_seconds", "Preview"); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
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
	go func() { ended <- releaseCollector{reader: h, lackOf: h.lackOf}.Start(ctx) }()
	gomega.NewWithT(t).Eventually(shown, "10s", "10ms").Should(gomega.BeTrue(), "no series while leading")
	stop()
	if err := <-ended; err != nil || shown() {
		t.Errorf("after leading: error %v, shown %v", err, shown())
	}
}

// Every pass is counted and measured: what was done, what a law held back, who a transition waited for, and how long a decision took.
func TestPassesAreCounted(t *testing.T) {
	transitionSeconds.Reset()
	decisionSeconds.Reset()
	value := func(c *prometheus.CounterVec, labels ...string) float64 {
		return testutil.ToFloat64(c.WithLabelValues(labels...))
	}
	done, held := value(actionsTotal, "Register", "done"), value(refusalsTotal, "1")
	conditions := func(stalled, awaits bool) []rollout.Condition {
		return []rollout.Condition{
			{Type: rollout.CondReady, Reason: rollout.ReasonPreviewing}, {Type: rollout.CondStalled, True: stalled, Reason: rollout.ReasonQuotaExceeded},
			{Type: rollout.CondAwaitingDecision, True: awaits, Reason: rollout.ReasonPreviewReady},
		}
	}
	launching := passOf(func(p *pass) {
		p.decision.Report.Conditions = conditions(false, false)
		p.decision.Report.Held = []rollout.Note{{About: "law 1: add before remove", Text: "too few"}}
		p.outcomes = []outcome{{action: rollout.Register{}}}
	})
	h := newHarness(t, launching.rel)
	h.Recorder = &recorder{}
	known := &recollection{}
	report := func(p pass) pass {
		t.Helper()
		if err := h.report(t.Context(), p, known); err != nil {
			t.Fatal(err)
		}
		return p
	}
	report(launching)
	stalled := report(launching.after(5*time.Second, func(p *pass) { p.decision.Report.Conditions = conditions(true, false) }))
	ready := report(stalled.after(10*time.Second, func(p *pass) {
		p.decision.Report.Stage, p.decision.Report.PreviewReady, p.decision.Report.Conditions = rollout.StagePreview, true, conditions(false, true)
	}))
	report(ready.after(time.Minute, func(p *pass) {
		p.decision.Report.Stage, p.decision.Report.Conditions = rollout.StagePromoting, conditions(false, false)
	}))
	if got := value(actionsTotal, "Register", "done") - done; got != 4 {
		t.Errorf("%v actions are counted", got)
	}
	if got := value(refusalsTotal, "1") - held; got != 4 {
		t.Errorf("%v refusals are counted", got)
	}
	got := sample(t, "slipway_transition_duration_seconds", transitionLaunch, timeMachine) + ", " +
		sample(t, "slipway_transition_duration_seconds", transitionLaunch, timePerson) + ", " + sample(t, "slipway_decision_wait_duration_seconds", "Preview")
	if want := "1 in 5.0 s, 1 in 10.0 s, 1 in 60.0 s"; got != want {
		t.Errorf("measured %s, want %s", got, want)
	}
}
