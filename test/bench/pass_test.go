//go:build bench

package bench

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// BenchmarkPassAtRest is a pass over a Release at rest, on a classic and on an application load balancer: of those that are due a minute
// after the other. The local AWS and the API server answer in the same process, and are measured with it.
func BenchmarkPassAtRest(b *testing.B) {
	for _, servers := range []int{3, 100} {
		b.Run(fmt.Sprintf("%d servers", servers), func(b *testing.B) { passAtRest(b, servers) })
	}
}

func passAtRest(b *testing.B, servers int) {
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	store, err := kubestore.New(operator.Scheme(), root+"/config/crd/bases", clock.Now)
	if err != nil {
		b.Fatal(err)
	}
	w := e2e.NewWorldAlone(b, store, clock)
	w.Unjudged()
	w.EditClass(func(class *v1alpha1.ReleaseClass) { class.Spec.MaxServersPerRelease = 2 * int32(servers) })
	w.Settled(func(rel *v1alpha1.Release) { rel.Spec.Replicas = int32(servers) })
	w.Converged("web")
	w.AWS.TrimLedger(w.AWS.LastSeq())
	request := ctrl.Request{NamespacedName: types.NamespacedName{Namespace: w.Namespace, Name: "web"}}
	w.Mark()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		clock.Advance(time.Minute)
		b.StartTimer()
		if _, err := w.Reconciler.Reconcile(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
	if made := w.Mutations(); len(made) > 0 {
		b.Errorf("it did something: %v", made)
	}
}
