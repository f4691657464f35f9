package operator

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/notify"
)

// Options are what the flags of the process say.
type Options struct {
	// MetricsAddress is where metrics are served, as host:port; 0 turns them off.
	MetricsAddress string
	// MetricsSecure serves them over HTTPS, to clients that the API server authenticates and allows to get /metrics.
	MetricsSecure bool
	// MetricsCertPath is a folder with the certificate; without one, the endpoint signs its own. MetricsCertName and
	// MetricsCertKey are the files' names.
	MetricsCertPath, MetricsCertName, MetricsCertKey string
	// ProbeAddress is where /healthz and /readyz are served; 0 turns them off.
	ProbeAddress string
	// PlanAddress is where plans and checkups are served, as host:port of a loopback address; 0 turns it off.
	PlanAddress string
	// ProfileAddress is where Go's profiles of this process are served (/debug/pprof), as host:port of a loopback address; 0 turns them off.
	ProfileAddress string
	// Build is the version of this program.
	Build string
	// LeaderElect lets one of several processes work at a time; the lease is in LeaderElectionNamespace, by default the pod's own.
	LeaderElect             bool
	LeaderElectionNamespace string
	// ClusterName is the value of the tag slipway.dev/cluster on servers; by default the uid of the namespace kube-system.
	ClusterName string
	// Namespaces are those whose Releases are looked after; none means all. The service account then needs rights in these alone, and
	// to read ReleaseClasses and namespaces, which are in none.
	Namespaces []string
	// Classes selects the ReleaseClasses whose Releases are looked after, by labels; nil: all. Of several controllers of a cluster each has
	// a namespace of its own for its lease.
	Classes labels.Selector
	// Share is the share of AWS's documented request limits that the opener of accounts keeps to; 0 is the usual 0.7.
	Share float64
	// TrustAskedBy believes the annotation slipway.dev/asked-by of Releases, which anybody may write where config/asked-by is not installed.
	TrustAskedBy bool
	// Concurrent is how many Releases are worked on at a time.
	Concurrent int
	// Tracer makes the spans of passes; nil where nobody traces.
	Tracer trace.Tracer
	// CloudEventsSink is the URL that notices about Releases are posted to; empty: nobody is told.
	CloudEventsSink string
	// Successor says that this process has had a manager before, as only tests do: the names of controllers are taken then.
	Successor bool
}

// ownNamespace is where a pod finds the name of its namespace.
const ownNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// holder is the name of this controller in the annotation of a class: the namespace of its lease.
func (o Options) holder() string {
	own, _ := os.ReadFile(ownNamespace) // outside of a pod there is none
	return cmp.Or(o.LeaderElectionNamespace, strings.TrimSpace(string(own)), "default")
}

// Scheme knows the kinds that Slipway works with.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// New makes the manager, ready to be started, that looks after the Releases of a cluster with the accounts that aws opens. It
// fails where the API server cannot be asked who the cluster is.
func New(ctx context.Context, cfg *rest.Config, aws cloud.Opener, o Options) (ctrl.Manager, error) {
	mgr, err := newManager(cfg, o)
	if err != nil {
		return nil, err
	}
	cluster, err := clusterName(ctx, mgr.GetAPIReader(), o.ClusterName)
	if err != nil {
		return nil, err
	}
	shard := &controllers.Shard{Classes: o.Classes, Holder: o.holder(), Clock: time.Now}
	releases := &controllers.ReleaseReconciler{
		Client:       mgr.GetClient(),
		APIReader:    mgr.GetAPIReader(),
		Cloud:        aws,
		Recorder:     mgr.GetEventRecorder("slipway"),
		Clock:        time.Now,
		Cluster:      cluster,
		Tracer:       o.Tracer,
		Namespaces:   o.Namespaces,
		Shard:        shard,
		Share:        o.Share,
		TrustAskedBy: o.TrustAskedBy,
	}
	if err := releases.SetupWithManager(mgr, o.Concurrent); err != nil {
		return nil, fmt.Errorf("setting up the controller of Releases: %w", err)
	}
	if err := serveAnswers(mgr, cmp.Or(o.PlanAddress, "0"), o.Build, releases); err != nil {
		return nil, err
	}
	if err := (&controllers.ReleaseClassReconciler{
		Client: mgr.GetClient(), Shard: shard,
	}).SetupWithManager(mgr); err != nil {
		return nil, fmt.Errorf("setting up the controller of ReleaseClasses: %w", err)
	}
	return mgr, tellPeople(mgr, o.CloudEventsSink, cluster, releases)
}

// tellPeople sends notices about Releases to a sink, where there is one.
func tellPeople(mgr ctrl.Manager, sink, cluster string, releases *controllers.ReleaseReconciler) error {
	if sink == "" {
		return nil
	}
	events, err := notify.NewCloudEvents(sink, cluster)
	if err != nil {
		return err
	}
	if err := (&notify.Notifier{Reader: mgr.GetClient(), Sink: events, Ours: releases.LooksAfter, Clock: time.Now}).SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the notices about Releases: %w", err)
	}
	return nil
}

// newManager makes the manager: caches without what is never listed, metrics, probes and leader election. Of several processes one
// that may have lost the lease changes nothing any more, in Kubernetes or in AWS.
func newManager(cfg *rest.Config, o Options) (ctrl.Manager, error) {
	if o.ProfileAddress != "" && o.ProfileAddress != "0" {
		if err := onLoopback("profiles", o.ProfileAddress); err != nil {
			return nil, err
		}
	}
	metrics := metricsserver.Options{
		BindAddress:   o.MetricsAddress,
		SecureServing: o.MetricsSecure,
		CertDir:       o.MetricsCertPath,
		CertName:      o.MetricsCertName,
		KeyName:       o.MetricsCertKey,
		// HTTP/2 is off: metrics have no use for it, and it had stream resets that cost the server dear (CVE-2023-44487).
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }},
	}
	if o.MetricsSecure {
		metrics.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	options := ctrl.Options{
		Scheme:                        Scheme(),
		Metrics:                       metrics,
		HealthProbeBindAddress:        o.ProbeAddress,
		PprofBindAddress:              cmp.Or(o.ProfileAddress, "0"),
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              "manager.slipway.dev",
		LeaderElectionNamespace:       o.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true, // the process ends with the manager
		LeaseDuration:                 new(leaseDuration),
		RenewDeadline:                 new(renewDeadline),
		RetryPeriod:                   new(retryPeriod),
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(), ByObject: controllers.CacheByObject(), DefaultNamespaces: watched(o.Namespaces),
		},
		// Secrets and ConfigMaps are read one by one, live: a cache would need to list and watch all of the cluster's.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}},
		// One that waits for the lease has its caches filled when it gets it.
		Controller: config.Controller{EnableWarmup: &o.LeaderElect, SkipNameValidation: &o.Successor},
	}
	if o.LeaderElect {
		t := &term{now: time.Now}
		options.LeaderElectionConfig = t.elections(cfg)
		options.BaseContext = func() context.Context { return cloud.WithPermit(context.Background(), t.permit) }
		cfg = t.guarded(cfg)
	}
	mgr, err := ctrl.NewManager(cfg, options)
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	return mgr, errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("informers", informersSynced(mgr.GetCache())))
}

// watched is what caches are told of namespaces: nil is all of them. What is in no namespace they hold in any case.
func watched(namespaces []string) map[string]cache.Config {
	var all map[string]cache.Config
	for _, name := range namespaces {
		if all == nil {
			all = map[string]cache.Config{}
		}
		all[name] = cache.Config{}
	}
	return all
}

// informersSynced is ready when the caches have caught up, on the leader and on those that wait for its place.
func informersSynced(informers cache.Cache) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if !informers.WaitForCacheSync(ctx) {
			return errors.New("the caches have not caught up with the API server yet")
		}
		return nil
	}
}

// clusterName is what tells this cluster's servers from those of others in the same account.
func clusterName(ctx context.Context, reader client.Reader, flagged string) (string, error) {
	if flagged != "" {
		return flagged, nil
	}
	var system corev1.Namespace
	if err := reader.Get(ctx, client.ObjectKey{Name: "kube-system"}, &system); err != nil {
		return "", fmt.Errorf("reading the uid of the namespace kube-system, which names this cluster (or name it with --cluster-name): %w", err)
	}
	return string(system.UID), nil
}
