// Command manager is Slipway's controller: it reconciles Releases and ReleaseClasses of one cluster with EC2 and its load
// balancers. AWS credentials, endpoints and regions come from where the AWS SDK finds them and from each ReleaseClass; the
// flags below are about the process itself.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/awscloud"
)

// options are the flags.
type options struct {
	metricsAddress, metricsCertPath, metricsCertName, metricsCertKey string
	metricsSecure                                                    bool
	probeAddress                                                     string
	leaderElect                                                      bool
	leaderElectionNamespace                                          string
	clusterName                                                      string
	concurrent                                                       int
	logLevel                                                         slog.Level
}

func main() {
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

// version is what the image's build gives the program: it has no commit to look at.
var version string

// ownVersion is version, else what Go wrote into the program: a tag, or a time and a commit.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case ok && info.Main.Version != "":
		return info.Main.Version
	}
	return "unknown"
}

// run parses the flags, sets everything up and works until the context ends.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: o.logLevel}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	logger.Info("starting Slipway's manager", "version", ownVersion(), "go", goruntime.Version())

	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the Kubernetes API server (--kubeconfig, KUBECONFIG or in-cluster): %w", err)
	}
	aws, err := awscloud.LoadConfig(ctx)
	if err != nil {
		return fmt.Errorf("reading the AWS configuration: %w", err)
	}
	mgr, err := newManager(cfg, o)
	if err != nil {
		return err
	}
	cluster, err := clusterName(ctx, mgr.GetAPIReader(), o.clusterName)
	if err != nil {
		return err
	}
	if err := (&controllers.ReleaseReconciler{
		Client:    mgr.GetClient(),
		APIReader: mgr.GetAPIReader(),
		Cloud:     awscloud.NewOpener(awscloud.Options{Config: aws}),
		Recorder:  mgr.GetEventRecorder("slipway"),
		Clock:     time.Now,
		Cluster:   cluster,
	}).SetupWithManager(mgr, o.concurrent); err != nil {
		return fmt.Errorf("setting up the controller of Releases: %w", err)
	}
	if err := (&controllers.ReleaseClassReconciler{
		Client: mgr.GetClient(),
	}).SetupWithManager(mgr); err != nil {
		return fmt.Errorf("setting up the controller of ReleaseClasses: %w", err)
	}
	return mgr.Start(ctx)
}

// parse reads the command line. The names are those that kubebuilder gives them.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	config.RegisterFlags(flags)
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "Address of the metrics endpoint; 0 turns it off.")
	flags.BoolVar(&o.metricsSecure, "metrics-secure", true,
		"Serve metrics over HTTPS, to clients that the API server authenticates and allows to get /metrics.")
	flags.StringVar(&o.metricsCertPath, "metrics-cert-path", "", "Folder with the certificate of the metrics endpoint; without one, it signs its own.")
	flags.StringVar(&o.metricsCertName, "metrics-cert-name", "tls.crt", "File name of that certificate.")
	flags.StringVar(&o.metricsCertKey, "metrics-cert-key", "tls.key", "File name of its key.")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 turns them off.")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "Of several processes, let one work at a time.")
	flags.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", "", "Namespace of the lease; by default the pod's own.")
	flags.StringVar(&o.clusterName, "cluster-name", "",
		"Value of the tag slipway.dev/cluster on servers; by default the uid of the namespace kube-system. Never change it while servers run.")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "What is logged, in JSON: debug, info, warn or error.")
	flags.IntVar(&o.concurrent, "max-concurrent-reconciles", 32, "How many Releases are worked on at a time.")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if rest := flags.Args(); len(rest) > 0 {
		return o, fmt.Errorf("unexpected arguments: %q", rest)
	}
	if o.concurrent < 1 {
		return o, fmt.Errorf("--max-concurrent-reconciles is %d; it has to be at least 1", o.concurrent)
	}
	return o, nil
}

// newManager makes the manager: caches without what is never listed, metrics, probes and leader election.
func newManager(cfg *rest.Config, o options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	metrics := metricsserver.Options{
		BindAddress:   o.metricsAddress,
		SecureServing: o.metricsSecure,
		CertDir:       o.metricsCertPath,
		CertName:      o.metricsCertName,
		KeyName:       o.metricsCertKey,
		// HTTP/2 is off: metrics have no use for it, and it had stream resets that cost the server dear (CVE-2023-44487).
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }},
	}
	if o.metricsSecure {
		metrics.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metrics,
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "manager.slipway.dev",
		LeaderElectionNamespace:       o.leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true, // the process ends with the manager
		Cache:                         cache.Options{DefaultTransform: cache.TransformStripManagedFields(), ByObject: controllers.CacheByObject()},
		// Secrets and ConfigMaps are read one by one, live: a cache would need to list and watch all of the cluster's.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}},
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	return mgr, errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("informers", informersSynced(mgr.GetCache())))
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
