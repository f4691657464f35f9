//go:build bench

package bench

import (
	"flag"
	"fmt"
	"runtime/debug"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/figures"
	"slipway.dev/slipway/test/kubestore"
)

// eachHas is how many servers a Release that begins from nothing has.
const eachHas = 10

var stormReleases = flag.Int("bench.storm", 1000, "how many Releases deploy at once")

// storms is out/bench-storm.json.
type storms struct {
	figures.Provenance
	Launches   launches   `json:"from_nothing"`
	Promotions promotions `json:"promotions"`
	Isolation  isolation  `json:"beside_sick_ones"`
}

// TestStorm measures many Releases that deploy at once, in virtual time: out/bench-storm.json.
func TestStorm(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	report := storms{Provenance: measured(t)}
	t.Run("from nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { report.Launches = launchAll(t, *stormReleases) })
	})
	t.Run("promotions", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { report.Promotions = promoteAll(t, *stormReleases) })
	})
	t.Run("beside sick ones", func(t *testing.T) { report.Isolation = measureIsolation(t) })
	write(t, "bench-storm.json", report)
}

// spacious is AWS by its documents, with room for a thousand Releases, that nobody has to wait for yet. Terminated servers are shown for a
// minute, as in measureDeploys.
func spacious() e2e.Temper {
	return e2e.Temper{Name: "spacious", Tune: func(k *localaws.Knobs) {
		distant().Tune(k)
		k.Throttle, k.Latency = false, 0
		quotas := &k.Balancers.Quotas
		quotas.ClassicBalancers, quotas.Groups, quotas.RulesPerBalancer = 0, 0, 0
	}}
}

// crowd is a world in which many Releases are looked after by one manager, that works on as many at a time as it does by default.
type crowd struct {
	*e2e.World
	t *testing.T
}

func newCrowd(t *testing.T, temper e2e.Temper) crowd {
	t.Helper()
	clock := e2e.NewBubble()
	store, err := kubestore.New(operator.Scheme(), root+"/config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clock.Advance(time.Minute) }) // for calls that are still under way
	w := e2e.NewManned(playing{t, t.Name()}, store, clock, temper, nil)
	w.Unjudged()
	w.Process().Kill()
	return crowd{w, t}
}

// staff lets a new manager look after the world, that keeps to a share of AWS's limits.
func (c crowd) staff(share float64) {
	c.Process().Kill()
	<-c.Process().Ended
	c.Staffing = e2e.Staffing{Concurrent: 32, Share: share}
	c.World.Start()
}

// storm lets AWS's limits hold from now on, the smaller set of Elastic Load Balancing, and forgets what happened before.
func (c crowd) storm() {
	c.AWS.Tune(func(k *localaws.Knobs) { k.Throttle, k.LargerELBReads, k.Latency = true, false, latency })
	c.AWS.TrimLedger(c.AWS.LastSeq())
}

// every lists the Releases by name.
func (c crowd) every() map[string]*v1alpha1.Release {
	c.t.Helper()
	var list v1alpha1.ReleaseList
	if err := c.Kube.List(c.t.Context(), &list, client.InNamespace(c.Namespace)); err != nil {
		c.t.Fatal(err)
	}
	all := make(map[string]*v1alpha1.Release, len(list.Items))
	for i := range list.Items {
		all[list.Items[i].Name] = &list.Items[i]
	}
	return all
}

// look is how often the crowd is looked at: what a report says of one Release is right by that.
const look = 2 * time.Second

// arrive waits until something is so of every Release, and gives when that was first seen of each.
func (c crowd) arrive(what string, limit time.Duration, is func(*v1alpha1.Release) bool) map[string]time.Time {
	c.t.Helper()
	began, seen := c.Clock.Now(), map[string]time.Time{}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		all := c.every()
		for name, rel := range all {
			if _, known := seen[name]; !known && is(rel) {
				seen[name] = c.Clock.Now()
			}
		}
		if len(seen) == len(all) {
			return seen
		}
		if c.Clock.Now().Sub(began) > limit {
			for name, rel := range all {
				if _, known := seen[name]; !known {
					c.t.Logf("%s: %+v", name, rel.Status.Conditions)
					break
				}
			}
			c.t.Fatalf("%s: %d of %d after %s", what, len(seen), len(all), limit)
		}
		<-tick.C
	}
}

// arrived: the Release is where its spec wants it, and says so of this spec.
func arrived(rel *v1alpha1.Release) bool {
	ready := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == "True" && ready.ObservedGeneration == rel.Generation
}

// launches is what it takes to launch the first version of many Releases at once, with all of the limits that AWS documents.
type launches struct {
	Releases    int     `json:"releases"`
	Servers     int     `json:"servers"`
	Seconds     float64 `json:"seconds"`       // until the last is Complete
	MeanSeconds float64 `json:"mean_seconds"`  // of a Release
	Bound       float64 `json:"bound_seconds"` // until the last server is launched
	MeanBound   float64 `json:"mean_bound_seconds"`
	Sum         string  `json:"sum"`
	Throttled   float64 `json:"throttled_share"` // of all calls
	Calls       int     `json:"calls"`
	Buckets     []share `json:"buckets"`
}

// launchAll lets n Releases begin at once, each with ten servers behind a classic load balancer of its own.
func launchAll(t *testing.T, n int) launches {
	c := newCrowd(t, spacious())
	subnets := largeSubnets(c.World)
	for i := range n {
		c.MakeClassic(fmt.Sprintf("web-%d", i), true)
	}
	c.staff(1)
	c.storm()
	began := c.Clock.Now()
	for i := range n {
		name := fmt.Sprintf("web-%d", i)
		c.World.Create(c.NewRelease(func(rel *v1alpha1.Release) {
			rel.Name, rel.Spec.Replicas, rel.Spec.Template.SubnetIDs = name, eachHas, subnets
			rel.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("edge", name)}}
			rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
		}))
	}
	seen := c.arrive("all are Complete", 4*time.Hour, arrived)
	r := launches{Releases: n, Servers: n * eachHas}
	r.Seconds, r.MeanSeconds = latest(seen).Sub(began).Seconds(), mean(seen, began)
	r.Bound = launchedServers.seconds(float64(r.Servers))
	for k := range n { // one after the other: the k-th has all of its servers when so many are launched
		r.MeanBound += launchedServers.seconds(float64((k+1)*eachHas)) / float64(n)
	}
	r.Sum = fmt.Sprintf("(%d - %.0f) / %.0f a second = %.0f s; the k-th of %d Releases has its servers after (%d k - %.0f) / %.0f s, %.0f s in the mean",
		r.Servers, launchedServers.capacity, launchedServers.refill, r.Bound, n, eachHas, launchedServers.capacity, launchedServers.refill, r.MeanBound)
	entries := c.AWS.Ledger()
	r.Calls, r.Throttled, r.Buckets = callsAmong(entries), throttledShare(entries), bounds(entries)
	return r
}

func latest(seen map[string]time.Time) (last time.Time) {
	for _, at := range seen {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// mean is how many seconds after the beginning, in the mean.
func mean(seen map[string]time.Time, began time.Time) (seconds float64) {
	for _, at := range seen {
		seconds += at.Sub(began).Seconds() / float64(len(seen))
	}
	return seconds
}

func callsAmong(entries []localaws.Entry) (n int) {
	for _, e := range entries {
		if e.Call != nil {
			n++
		}
	}
	return n
}

func throttledShare(entries []localaws.Entry) float64 {
	n := 0
	for _, e := range entries {
		if throttled(e) {
			n++
		}
	}
	return float64(n) / float64(callsAmong(entries))
}

// number reads a parameter; 0 for none.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
