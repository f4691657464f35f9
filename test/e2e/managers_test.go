package e2e

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/operator"
)

// In these worlds AWS's time passes by itself, ten times as fast as ours: managers wait in real time.
const (
	tick       = 5 * time.Millisecond
	speed      = 10
	leaseLasts = 2 * time.Second
	soon       = 40 * time.Second // of real time
)

// process is one manager, with an access key that tells its calls from those of others.
type process struct {
	ctrl.Manager
	key   string
	end   context.CancelFunc
	ended chan struct{}
}

// startManager starts a manager over the world's namespace, as main does, with a lease that lasts 2 s.
func startManager(w *World, key string) *process {
	w.Helper()
	mgr, err := ctrl.NewManager(plane.Config(), ctrl.Options{
		Scheme: operator.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "manager.slipway.dev", LeaderElectionNamespace: w.Namespace,
		LeaseDuration: new(leaseLasts), RenewDeadline: new(leaseLasts * 3 / 4), RetryPeriod: new(leaseLasts / 8),
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{w.Namespace: {}}, ByObject: controllers.CacheByObject()},
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	w.must("make a manager", err)
	aws := w.config
	aws.Credentials = credentials.NewStaticCredentialsProvider(key, "secret", "")
	w.must("set it up", (&controllers.ReleaseReconciler{
		Client: mgr.GetClient(), APIReader: mgr.GetAPIReader(),
		Cloud:    awscloud.NewOpener(awscloud.Options{Config: aws, Clock: w.Clock, Share: 1000, MaxBackoff: time.Millisecond}),
		Recorder: w.events, Clock: w.Clock.Now, Cluster: "e2e",
	}).SetupWithManager(mgr, 2))
	w.must("set classes up", (&controllers.ReleaseClassReconciler{Client: mgr.GetClient()}).SetupWithManager(mgr))
	ctx, end := context.WithCancel(w.Context())
	p := &process{Manager: mgr, key: key, end: end, ended: make(chan struct{})}
	go func() {
		defer GinkgoRecover()
		defer close(p.ended)
		w.Logf("manager %s ended: %v", key, mgr.Start(ctx))
	}()
	w.Cleanup(p.kill)
	return p
}

// kill ends the process; its lease is not given back.
func (p *process) kill() {
	p.end()
	<-p.ended
}

// calls counts the calls of a process, reading ones too.
func (p *process) calls(w *World) (n int) {
	for _, e := range w.AWS.Ledger() {
		if e.Call != nil && e.Call.Who.AccessKey == p.key {
			n++
		}
	}
	return n
}

// letTimePass advances the world's clock until the test ends.
func letTimePass(w *World) {
	ctx, stop := context.WithCancel(w.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.Clock.Advance(tick * speed)
			}
		}
	}()
	w.Cleanup(func() { stop(); <-stopped })
}

// eventually waits in real time, and checks the laws meanwhile.
func eventually(w *World, what string, holds func() bool) {
	GinkgoHelper()
	Eventually(func() bool { w.checkLaws(); return holds() }).WithTimeout(soon).WithPolling(10*time.Millisecond).
		Should(BeTrue(), func() string { return what + "\n" + w.Story() })
}

var _ = Describe("Two managers", func() {
	It("take turns: the second waits for the lease, and takes over in the middle of a promotion when the first is killed", func() {
		w := NewWorld(GinkgoT(), kube)
		letTimePass(w)
		first := startManager(w, "AKIAFIRST")
		Eventually(first.Elected()).WithTimeout(soon).Should(BeClosed())
		second := startManager(w, "AKIASECOND")

		w.Create(w.NewRelease(func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, "v1" }))
		eventually(w, "v1 is complete", func() bool { return w.Ready("web") && w.Serves("v1") && w.Empty("test") })
		w.Deploy("web", "v2", v1alpha1.PhaseLive)
		eventually(w, "v2 is registered in production", func() bool { return w.Registered("api", "v2") == 2 })
		w.expect(second.calls(w) == 0, "the second made no call while the first led")
		first.kill()
		made := first.calls(w)
		w.expect(w.Registered("api", "v1") == 2 && w.Registered("edge", "v1") == 2, "the first was killed before the switch")

		eventually(w, "the second leads, and v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") && w.Empty("test") })
		Expect(second.Elected()).To(BeClosed())
		w.expect(w.Launched() == 4 && len(w.Servers("v1")) == 2, "nothing was launched twice, and v1 stands by")
		w.Phase("web", v1alpha1.PhaseRolledBack)
		eventually(w, "v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only("test", "v2") })
		w.expect(first.calls(w) == made, "the first made no call after it was killed")
		w.expect(w.Launched() == 4, "nothing was launched")
	})
})
