package controllers

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"slipway.dev/slipway/api/v1alpha1"
)

// releaseCollector describes the Releases as the cache has them at the moment of a scrape, so that no series outlives its
// Release. How many a Release has is bounded by the limits of its status.
type releaseCollector struct {
	reader client.Reader
	// ours: this controller looks after the Release, and not another one, which describes it, too. nil: it looks after all.
	ours func(context.Context, *v1alpha1.Release) bool
	// lackOf is what a Release's production lacks by the last pass over it, which no status has; nil where nobody can tell.
	lackOf func(*v1alpha1.Release) *int
}

// lackFor is for how long after the next pass is due the last one tells what production lacks. Where none comes to its end, nobody knows.
const lackFor = 2 * sweep

// lackOf is what the Release's production lacks by the last pass over it, if that is not long ago.
func (r *ReleaseReconciler) lackOf(rel *v1alpha1.Release) *int {
	last := r.soft.reading(client.ObjectKeyFromObject(rel))
	if last == nil || last.obs.release.UID != rel.UID || r.Clock().Sub(last.obs.input.Now) > last.every+lackFor {
		return nil
	}
	return last.lack
}

// ofRelease describes a gauge of a Release, with the labels that it has beside the Release's name.
func ofRelease(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("slipway_release_"+name, help, append([]string{"namespace", "name"}, labels...), nil)
}

var (
	releaseInfo = ofRelease("info",
		"A Release: what was asked for, what Slipway is doing and which versions serve and are being deployed. Always 1.",
		"phase", "stage", "live_version", "candidate_version")
	releaseStage     = ofRelease("stage", "The stage that a Release is in. Always 1.", "stage")
	releaseCondition = ofRelease("condition", "Whether a condition of a Release is True (1) or not (0).", "condition")
	releaseReason    = ofRelease("condition_reason", "The reason that a condition of a Release has now, True or not. Always 1.", "condition", "reason")

	fleetDesired = ofRelease("desired_servers", "Servers that a fleet (stable, candidate, retired) should have.", "fleet")
	fleetRunning = ofRelease("running_servers", "Servers of a fleet that run.", "fleet")
	fleetHealthy = ofRelease("healthy_servers", "Servers of a fleet that are healthy in every pool that they should be in; 0 for a fleet in no pool.", "fleet")

	poolRegistered = ofRelease("pool_registered_servers", "Servers of a Release that are registered in a pool.", "pool", "role")
	poolHealthy    = ofRelease("pool_healthy_servers", "Servers of a Release that are healthy in a pool.", "pool", "role")
	poolStrangers  = ofRelease("pool_stranger_servers", "Servers in a pool that are not of the Release. They are never touched.", "pool", "role")

	productionLack = ofRelease("production_lack_servers",
		"How many healthy servers a Release's worst production pool lacks to have as many as asked for; missing where none serves, or nobody can tell.")
	overrideExpiry = ofRelease("override_expiry_timestamp_seconds",
		"When the spec.override that counts ends, since the epoch, and which phase counts then; missing without one.", "phase", "then")

	transitionStart = ofRelease("transition_start_time_seconds", "When the transition that is under way began, since the epoch.", "transition")

	releasesByStage = prometheus.NewDesc("slipway_releases", "Releases in each stage.", []string{"stage"}, nil)
)

// Describe implements prometheus.Collector.
func (c releaseCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		releaseInfo, releaseStage, releaseCondition, releaseReason, fleetDesired, fleetRunning, fleetHealthy,
		poolRegistered, poolHealthy, poolStrangers, productionLack, overrideExpiry, transitionStart, releasesByStage,
	} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector. A panic of it is a defect like others, and ends no process.
func (c releaseCollector) Collect(series chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := contained(ctx, func() error { return c.collect(ctx, series) }); err != nil {
		series <- prometheus.NewInvalidMetric(releaseInfo, err)
	}
}

func (c releaseCollector) collect(ctx context.Context, series chan<- prometheus.Metric) error {
	var list v1alpha1.ReleaseList
	if err := c.reader.List(ctx, &list); err != nil {
		return err
	}
	stages := map[string]int{}
	for i := range list.Items {
		if c.ours != nil && !c.ours(ctx, &list.Items[i]) {
			continue
		}
		stages[string(list.Items[i].Status.Stage)]++
		c.show(&list.Items[i], series)
	}
	for _, stage := range sortedKeys(stages) {
		series <- prometheus.MustNewConstMetric(releasesByStage, prometheus.GaugeValue, float64(stages[stage]), stage)
	}
	return nil
}

// show gives the series of one Release.
func (c releaseCollector) show(rel *v1alpha1.Release, series chan<- prometheus.Metric) {
	give := func(desc *prometheus.Desc, value float64, labels ...string) {
		series <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{rel.Namespace, rel.Name}, labels...)...)
	}
	status := &rel.Status
	candidate := ""
	if status.Candidate != nil {
		candidate = string(status.Candidate.Version)
	}
	give(releaseInfo, 1, string(rel.Spec.Phase), string(status.Stage), status.LiveVersion, candidate)
	give(releaseStage, 1, string(status.Stage))
	for _, c := range status.Conditions {
		give(releaseCondition, truth(c.Status), c.Type)
		give(releaseReason, 1, c.Type, c.Reason)
	}
	if lack := c.lackOf(rel); lack != nil {
		give(productionLack, float64(*lack))
	}
	if o := rel.Spec.Override; o != nil && status.EffectivePhaseReason == v1alpha1.EffectiveByOverride {
		give(overrideExpiry, float64(o.ExpiresAt.Unix()), string(o.Phase), cmp.Or(string(status.PhaseAfterOverride), nobodyAsks))
	}
	if last := status.LastTransition; underWay(last) {
		give(transitionStart, float64(last.Started.UnixMilli())/1000, string(last.What))
	}
	for name, fleet := range fleetsOf(status) {
		give(fleetDesired, float64(fleet.Desired), name)
		give(fleetRunning, float64(fleet.Running), name)
		give(fleetHealthy, float64(fleet.Healthy), name)
	}
	for label, pool := range poolsOf(status) {
		give(poolRegistered, float64(pool.Registered), label.name, string(label.role))
		give(poolHealthy, float64(pool.Healthy), label.name, string(label.role))
		give(poolStrangers, float64(pool.Strangers), label.name, string(label.role))
	}
}

// nobodyAsks is the phase where none counts: what is Live stays so, and what is not stops at Preview.
const nobodyAsks = "none"

// fleetsOf are the fleets by name; the retired ones are counted as one.
func fleetsOf(status *v1alpha1.ReleaseStatus) map[string]v1alpha1.FleetStatus {
	fleets := map[string]v1alpha1.FleetStatus{}
	add := func(name string, fleet *v1alpha1.FleetStatus) {
		if fleet != nil {
			sum := fleets[name]
			sum.Desired, sum.Running, sum.Healthy = sum.Desired+fleet.Desired, sum.Running+fleet.Running, sum.Healthy+fleet.Healthy
			fleets[name] = sum
		}
	}
	add("stable", status.Stable)
	add("candidate", status.Candidate)
	for i := range status.Retired {
		add("retired", &status.Retired[i])
	}
	return fleets
}

// poolLabel tells pools apart in the metrics: by their names in the spec. Those that left it may share one.
type poolLabel struct {
	name string
	role v1alpha1.PoolRole
}

// poolsOf are the pools by label; what has one label is counted together, for two series of one name would spoil the whole scrape.
func poolsOf(status *v1alpha1.ReleaseStatus) map[poolLabel]v1alpha1.PoolStatus {
	pools := map[poolLabel]v1alpha1.PoolStatus{}
	for _, pool := range status.Pools {
		label := poolLabel{pool.Name, pool.Role}
		sum := pools[label]
		sum.Registered, sum.Healthy, sum.Strangers = sum.Registered+pool.Registered, sum.Healthy+pool.Healthy, sum.Strangers+pool.Strangers
		pools[label] = sum
	}
	return pools
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
