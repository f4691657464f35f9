// Command manager is Slipway's controller: it reconciles Releases and ReleaseClasses of one cluster with EC2 and its load
// balancers. AWS credentials, endpoints and regions come from where the AWS SDK finds them and from each ReleaseClass; the
// flags below are about the process itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	goruntime "runtime"
	"runtime/debug"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/operator"
)

// options are the flags.
type options struct {
	operator.Options
	logLevel slog.Level
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
	mgr, err := operator.New(ctx, cfg, awscloud.NewOpener(awscloud.Options{Config: aws}), o.Options)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// parse reads the command line. The names are those that kubebuilder gives them.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	config.RegisterFlags(flags)
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", ":8443", "Address of the metrics endpoint; 0 turns it off.")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", true,
		"Serve metrics over HTTPS, to clients that the API server authenticates and allows to get /metrics.")
	flags.StringVar(&o.MetricsCertPath, "metrics-cert-path", "", "Folder with the certificate of the metrics endpoint; without one, it signs its own.")
	flags.StringVar(&o.MetricsCertName, "metrics-cert-name", "tls.crt", "File name of that certificate.")
	flags.StringVar(&o.MetricsCertKey, "metrics-cert-key", "tls.key", "File name of its key.")
	flags.StringVar(&o.ProbeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 turns them off.")
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "Of several processes, let one work at a time.")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", "", "Namespace of the lease; by default the pod's own.")
	flags.StringVar(&o.ClusterName, "cluster-name", "",
		"Value of the tag slipway.dev/cluster on servers; by default the uid of the namespace kube-system. Never change it while servers run.")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "What is logged, in JSON: debug, info, warn or error.")
	flags.IntVar(&o.Concurrent, "max-concurrent-reconciles", 32, "How many Releases are worked on at a time.")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if rest := flags.Args(); len(rest) > 0 {
		return o, fmt.Errorf("unexpected arguments: %q", rest)
	}
	if o.Concurrent < 1 {
		return o, fmt.Errorf("--max-concurrent-reconciles is %d; it has to be at least 1", o.Concurrent)
	}
	return o, nil
}
