//go:build bench

package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/swap"
	"slipway.dev/slipway/test/e2e"
)

// promotions is what it takes to promote many Releases at once, with all of the limits that AWS documents, and to take one more back
// meanwhile.
type promotions struct {
	Releases   int     `json:"releases"`
	Seconds    float64 `json:"seconds"`       // from the first edit until the last server of the old version left its last pool
	Registered float64 `json:"registered"`    // until the last of the new version was registered
	Bound      float64 `json:"bound_seconds"` // of all calls that were made
	Sum        string  `json:"sum"`
	Throttled  float64 `json:"throttled_share"`
	Calls      int     `json:"calls"`
	Buckets    []share `json:"buckets"`
	Alone      float64 `json:"rollback_alone_seconds"`
	AmidThem   float64 `json:"rollback_amid_them_seconds"`
	AloneOver  float64 `json:"rollback_alone_over_bound_seconds"` // what AWS itself takes is drawn anew for each
	AmidOver   float64 `json:"rollback_amid_them_over_bound_seconds"`
}

// each has so many servers: what a promotion takes is calls, and their number does not depend on it.
const eachPromotes = 2

// promoteAll brings n Releases to v1 in production and v2 beside it, each with a classic load balancer and a target group, lets all be
// promoted at once, and takes another one back 30 s later.
func promoteAll(t *testing.T, n int) promotions {
	c := newCrowd(t, spacious())
	c.staff(1000) // while it is set up
	subnets := largeSubnets(c.World)
	names := []string{theOther}
	for i := range n {
		names = append(names, fmt.Sprintf("web-%d", i))
	}
	for _, name := range names {
		c.MakeClassic(name+"-edge", true)
		c.MakeTargetGroup(name + "-api")
		c.MakeListener(name+"-api", name+"-api")
		c.World.Create(c.NewRelease(func(rel *v1alpha1.Release) {
			rel.Name, rel.Spec.Replicas, rel.Spec.Template.SubnetIDs = name, eachPromotes, subnets
			rel.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("edge", name+"-edge"), e2e.Group("api", name+"-api")}}
			rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
		}))
	}
	c.arrive("v1 is complete", time.Hour, arrived)
	for _, name := range names {
		c.Deploy(name, "v2", v1alpha1.PhasePreview)
	}
	c.arrive("v2 is in Preview", time.Hour, arrived)
	c.staff(1)
	c.storm()
	c.rest(30 * time.Minute)

	c.Phase(theOther, v1alpha1.PhaseLive)
	c.arrive("the other is Live", time.Hour, arrived)
	alone := c.goesBack()
	c.Phase(theOther, v1alpha1.PhaseLive)
	c.arrive("the other is Live again", time.Hour, arrived)
	c.rest(30 * time.Minute)

	return c.promoted(names[1:], alone)
}

// theOther is the Release that is taken back.
const theOther = "other"

// rest lets time go by, until what a manager asks AWS for at its start is answered, and buckets are full.
func (c crowd) rest(d time.Duration) {
	<-time.After(d)
	c.AWS.TrimLedger(c.AWS.LastSeq())
}

// promoted is the storm.
func (c crowd) promoted(names []string, alone swap.Swap) promotions {
	r := promotions{Releases: len(names), Alone: alone.Took.Seconds(), AloneOver: alone.Over().Seconds()}
	began, before := c.Clock.Now(), c.AWS.LastSeq()
	for _, name := range names {
		c.Phase(name, v1alpha1.PhaseLive)
	}
	<-time.After(30 * time.Second)
	amid := c.goesBack()
	r.AmidThem, r.AmidOver = amid.Took.Seconds(), amid.Over().Seconds()
	c.arrive("all are Live", 4*time.Hour, arrived)
	entries := c.AWS.LedgerSince(before)
	last := began
	for _, e := range entries {
		switch {
		case e.Call == nil || len(e.Call.Effects) == 0:
		case strings.HasPrefix(e.Call.Action, "Register"):
			r.Registered = e.Time.Sub(began).Seconds()
		case strings.HasPrefix(e.Call.Action, "Deregister"):
			last = e.Time
		}
	}
	r.Seconds = last.Sub(began).Seconds()
	during := entries[:0:0]
	for _, e := range entries {
		if !e.Time.After(last) {
			during = append(during, e)
		}
	}
	r.Calls, r.Throttled, r.Buckets = callsAmong(during), throttledShare(during), bounds(during)
	r.Bound, r.Sum = r.Buckets[0].Seconds, r.Buckets[0].Bucket+": "+r.Buckets[0].Sum
	return r
}

// goesBack takes the other one back, and measures that.
func (c crowd) goesBack() swap.Swap {
	c.t.Helper()
	edited, before := c.Clock.Now(), c.AWS.LastSeq()
	c.Phase(theOther, v1alpha1.PhaseRolledBack)
	await(c.t, "the other is rolled back", 10*time.Minute, func() bool { return arrived(c.Release(theOther)) })
	view := swap.View{Production: func(pool string) bool { return strings.HasPrefix(pool, theOther+"-") }}
	got, err := view.Measure(c.AWS.LedgerSince(before), edited)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}
