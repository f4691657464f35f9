//go:build bench

package bench

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// deploys is how many each of the worlds makes, servers how many each version has.
const (
	worlds  = 2
	deploys = 50
	servers = 3
)

// measureDeploys makes whole deploys, from a version that is Complete through Preview and Live to the next one, in virtual time:
// with the shipped reconciler, adapters and SDK, and with the laws checked at every call.
func measureDeploys(t *testing.T) (made int, perMinute float64) {
	var done atomic.Int64
	began := time.Now()
	t.Run("worlds", func(t *testing.T) {
		for i := range worlds {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { done.Add(int64(deploysIn(t))) })
			})
		}
	})
	return int(done.Load()), float64(done.Load()) / time.Since(began).Minutes()
}

func deploysIn(t *testing.T) int {
	clock := e2e.NewBubble()
	kube, err := kubestore.New(operator.Scheme(), root+"/config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	w := e2e.NewWorldUnder(t, kube, clock, e2e.Plain())
	w.Settled(func(rel *v1alpha1.Release) { rel.Spec.Replicas = servers })
	for n := range deploys {
		version := fmt.Sprintf("v%d", n+2)
		w.Deploy("web", version, v1alpha1.PhaseComplete)
		w.Until(version+" is complete", w.EachPass(func() bool {
			return w.Ready("web") && w.Serves(version) && len(w.Servers("")) == servers
		}))
		w.AWS.TrimLedger(w.AWS.LastSeq())
	}
	return deploys
}
