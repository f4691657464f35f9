//go:build !race

package e2e

import (
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// restless is a Release at rest under a real manager, with a class that names a queue of events, or none.
func restless(t *testing.T, temper Temper, queue bool) *World {
	kube, clock := bubbled(t)
	w := NewManned(t, kube, clock, temper, nil)
	if queue {
		w.makeEventsQueue()
	}
	w.Settled()
	w.Converged("web")
	return w
}

// replaced is how long it takes, at rest, until a server that dies has another one in its place, which EC2 was asked for.
func replaced(w *World) time.Duration {
	w.Helper()
	before := len(w.AWS.Instances())
	w.must("kill", w.AWS.Kill(w.Servers("v1")[0].ID))
	died := w.Clock.Now()
	w.UntilWithin("another server is launched", 3*time.Minute, func() bool { return len(w.AWS.Instances()) > before })
	took := w.Clock.Now().Sub(died)
	w.Until("v1 is whole again", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 2 })
	w.Converged("web")
	return took
}

// With a queue of events a server that dies at rest is missed at once: without one, when the next sweep comes. Where events come late, twice
// or not at all, that is no worse than to have none.
func TestEventsAreHeardAtRest(t *testing.T) {
	const times = 2 // a sweep may just come by; of too many ends within an hour a person is told
	for name, row := range map[string]struct {
		queue       bool
		tune        func(*localaws.Knobs)
		least, most time.Duration // of the longest of some
	}{
		"no queue":        {false, nil, 20 * time.Second, 90 * time.Second},
		"a queue":         {true, nil, 0, 3 * time.Second},
		"late and twice":  {true, func(k *localaws.Knobs) { k.Events.Delay, k.Events.Doubled = localaws.Span{Max: 5 * time.Second}, 0.5 }, 0, 8 * time.Second},
		"half get lost":   {true, func(k *localaws.Knobs) { k.Events.Lost = 0.5 }, 0, 90 * time.Second},
		"EC2 is 5 s late": {true, func(k *localaws.Knobs) { k.StateLag = 5 * time.Second }, 0, 13 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				temper := Plain()
				temper.Tune = row.tune
				w := restless(t, temper, row.queue)
				var longest time.Duration
				for range times {
					longest = max(longest, replaced(w))
				}
				if longest < row.least || longest > row.most {
					t.Errorf("it took up to %s, want %s to %s", longest, row.least, row.most)
				}
			})
		})
	}
}

// A standby server is in no pool: nothing but EC2 tells that it died. Where EC2 shows that some seconds after its event, it is missed when the
// Release is woken once more; so it is where that never rests, for it waits to be complete.
func TestStandbyThatDiesIsMissedThoughEC2IsLate(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.Release){
		"at rest": func(*v1alpha1.Release) {},
		"is complete in a day": func(rel *v1alpha1.Release) {
			rel.Spec.Retention.CompleteAfter = metav1.Duration{Duration: 24 * time.Hour}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				kube, clock := bubbled(t)
				temper := Plain()
				temper.Tune = func(k *localaws.Knobs) { k.StateLag = 5 * time.Second }
				w := NewManned(t, kube, clock, temper, nil)
				w.makeEventsQueue()
				w.Live(change)
				w.Converged("web")
				for range 2 { // a sweep may just come by
					if took := replaced(w); took > 13*time.Second {
						t.Errorf("it was missed after %s", took)
					}
				}
			})
		})
	}
}
