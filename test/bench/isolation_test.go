//go:build bench

package bench

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
)

// isolation is how much Releases that cannot come to their end hold up the others.
type isolation struct {
	Healthy int `json:"healthy"`
	Sick    int `json:"sick"`
	// Without and With the sick ones.
	Without deploysToLive `json:"without_the_sick"`
	With    deploysToLive `json:"with_the_sick"`
}

// deploysToLive are seconds from the edit until a version is Live.
type deploysToLive struct {
	Alone    float64 `json:"one_after_the_other_slowest_seconds"`
	Together float64 `json:"at_once_slowest_seconds"`
}

const (
	inTurn  = 5  // deploy one after the other,
	wellOff = 20 // and the rest of these at once, for whom the account's requests are too few by themselves
	poorly  = 20
)

// measureIsolation plays it twice.
func measureIsolation(t *testing.T) isolation {
	r := isolation{Healthy: wellOff, Sick: poorly}
	synctest.Test(t, func(t *testing.T) { r.Without = deployBeside(t, 0) })
	synctest.Test(t, func(t *testing.T) { r.With = deployBeside(t, poorly) })
	return r
}

// even is AWS with the delays that it has in the mean, each time the same, so that two worlds can be compared.
func even() e2e.Temper {
	return e2e.Temper{Name: "even", Tune: func(k *localaws.Knobs) {
		spacious().Tune(k)
		k.PendingMax = k.PendingMin
		for _, span := range []*localaws.Span{&k.Balancers.ClassicRegistration, &k.Balancers.DeregistrationLag, &k.Balancers.HealthLag} {
			middle := (span.Min + span.Max) / 2
			span.Min, span.Max = middle, middle
		}
	}}
}

// deployBeside lets Releases deploy their second version beside so many that fail.
func deployBeside(t *testing.T, sick int) (r deploysToLive) {
	c := newCrowd(t, even())
	c.staff(0) // as by default
	names := make([]string, wellOff)
	for i := range names {
		names[i] = fmt.Sprintf("web-%d", i)
		c.MakeClassic(names[i], true)
		c.World.Create(c.NewRelease(func(rel *v1alpha1.Release) {
			rel.Name, rel.Spec.LoadBalancers = names[i], v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("edge", names[i])}}
			rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
		}))
	}
	c.arrive("v1 is complete", time.Hour, arrived)
	for i := range sick {
		c.sicken(fmt.Sprintf("sick-%d", i), i)
	}
	c.storm()
	c.rest(5 * time.Minute)
	for _, name := range names[:inTurn] {
		r.Alone = max(r.Alone, c.deployed("v2", name))
	}
	r.Together = c.deployed("v2", names[inTurn:]...)
	return r
}

// deployed lets Releases deploy a version at once, and gives the seconds until the last is Live.
func (c crowd) deployed(version string, names ...string) float64 {
	c.t.Helper()
	began := c.Clock.Now()
	for _, name := range names {
		c.Deploy(name, version, v1alpha1.PhaseLive)
	}
	await(c.t, "all are Live", time.Hour, func() bool {
		every := c.every()
		return !slices.ContainsFunc(names, func(name string) bool { return !arrived(every[name]) })
	})
	return c.Clock.Now().Sub(began).Seconds()
}

// sicken makes a Release that cannot come to its end, in one of five ways.
func (c crowd) sicken(name string, way int) {
	c.MakeClassic(name, true)
	c.World.Create(c.NewRelease(func(rel *v1alpha1.Release) {
		rel.Name, rel.Spec.LoadBalancers = name, v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("edge", name)}}
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseLive, string(rel.Spec.Version)
		switch way % 5 {
		case 0: // its image does not exist
			rel.Spec.Image.ID = "ami-00000000000000bad"
		case 1: // its load balancer does not
			rel.Spec.LoadBalancers.Production[0] = e2e.Classic("edge", name+"-missing")
		case 2: // its subnet does not
			rel.Spec.Template.SubnetIDs = []v1alpha1.SubnetID{"subnet-00000000000000bad"}
		case 3: // its servers never become healthy
			rel.Spec.Template.UserData = e2e.Script("status=500")
		case 4: // its servers end while they boot
			rel.Spec.Template.UserData = e2e.Script("boot=1s fail=Client.VolumeLimitExceeded")
		}
	}))
}
