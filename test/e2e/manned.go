package e2e

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"k8s.io/client-go/rest"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/kubestore"
)

// NewManned makes a world that a real manager looks after, beside the scenario, as in production: with informers, queue and
// workers. Its clients speak HTTP to the store. tap sees all of its calls; nil lets them pass.
func NewManned(t T, store *kubestore.Store, clock *Bubble, temper Temper, tap Tap) *World {
	t.Helper()
	w := newWorld(t, store, clock, temper, worlds.Add(1))
	w.man(tap, func(p *Process) { w.begin(p, store) }, synctest.Wait)
	return w
}

// Staffing is how a process in a bubble works.
type Staffing struct {
	Concurrent int     // Releases at a time. Default: 4, as suits a world with one
	Share      float64 // of the request limits that AWS documents. Default: the manager's own
}

// begin begins a process in the bubble.
func (w *World) begin(p *Process, store *kubestore.Store) {
	config := rest.CopyConfig(store.Config())
	config.Transport = wired{ToKube, kubeCall, config.Transport, p}
	account := w.config.Copy()
	account.HTTPClient = &http.Client{Transport: wired{ToAWS, awsCall, w.AWS.Transport(), p}}
	go func() {
		defer close(p.Ended)
		p.run(context.WithoutCancel(w.Context()), config, account)
	}()
}

// run is the process. A manager whose context ends before its caches are filled waits for them all the same, and does not even
// sleep meanwhile (controller-runtime 0.25's runnableGroup.Start): the goroutines of a process that is killed before go on until then.
func (p *Process) run(ctx context.Context, config *rest.Config, account aws.Config) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	staffing := p.world.Staffing
	opener := awscloud.NewOpener(awscloud.Options{Config: account, Share: staffing.Share})
	mgr, err := operator.New(ctx, config, defective{p.world, opener}, operator.Options{
		MetricsAddress: "0", ProbeAddress: "0", ClusterName: clusterName, Concurrent: cmp.Or(staffing.Concurrent, 4), Successor: true,
	})
	if err != nil {
		p.restart() // a container that ends at its start is started again
		return
	}
	go func() {
		<-mgr.Elected()
		<-p.died
		end()
	}()
	switch err = mgr.Start(ctx); {
	case err == nil || p.dead.Load():
	case strings.Contains(err.Error(), "cache to be synced"):
		p.restart() // so it is where Kubernetes does not answer for the first two minutes; else nothing comes right, and a scenario fails by that
	default:
		p.world.laws.Add("the manager ended by itself: %v", err)
	}
}
