//go:build bench

package bench

import (
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// deploys is how many each of the worlds makes, servers how many each version has. EC2 shows terminated servers for an hour, in which
// people deploy once at the most and a world sixty times: so here it shows them for the time of one deploy.
const (
	worlds     = 2
	deploys    = 50
	servers    = 3
	terminated = time.Minute
	// garbage lets the heap, of which little stays in use, grow to five times that before it is collected.
	garbage = 400
)

// deployed is what whole deploys take.
type deployed struct {
	Deploys         int     `json:"deploys"`
	PerMinute       float64 `json:"per_minute"`
	CPUMilliseconds float64 `json:"cpu_ms_each"` // on a busy machine the one that counts
	Megabytes       float64 `json:"allocated_mb_each"`
	Allocations     float64 `json:"allocations_each"`
}

// measureDeploys makes whole deploys, from a version that is Complete through Preview and Live to the next one, in virtual time:
// with the shipped reconciler, adapters and SDK, and with the laws checked at every call.
func measureDeploys(t *testing.T) deployed {
	defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	var done atomic.Int64
	began, before := time.Now(), used(t)
	t.Run("worlds", func(t *testing.T) {
		for i := range worlds {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { done.Add(int64(deploysIn(t))) })
			})
		}
	})
	n, after := float64(done.Load()), used(t)
	return deployed{
		int(n), n / time.Since(began).Minutes(), (after.cpu - before.cpu).Seconds() * 1000 / n,
		float64(after.bytes-before.bytes) / 1e6 / n, float64(after.objects-before.objects) / n,
	}
}

// usage is what the process has used so far.
type usage struct {
	cpu            time.Duration
	bytes, objects uint64
}

func used(t *testing.T) usage {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return usage{time.Duration(r.Utime.Nano() + r.Stime.Nano()), m.TotalAlloc, m.Mallocs}
}

func deploysIn(t *testing.T) int {
	clock := e2e.NewBubble()
	kube, err := kubestore.New(operator.Scheme(), root+"/config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	temper := e2e.Temper{Name: "bench", Tune: func(k *localaws.Knobs) { k.TerminatedVisible = terminated }}
	w := e2e.NewWorldUnder(t, kube, clock, temper)
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
