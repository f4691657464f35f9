// Command manager is Slipway's controller: it reconciles Releases and ReleaseClasses of one cluster with EC2 and its load
// balancers. AWS credentials, endpoints and regions come from where the AWS SDK finds them and from each ReleaseClass; the
// flags below are about the process itself.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/notify"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/internal/plan"
	"slipway.dev/slipway/internal/sight"
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
	logger.Info("starting Slipway's manager", "version", ownVersion(), "go", goruntime.Version(), "namespaces", o.Namespaces)

	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the Kubernetes API server (--kubeconfig, KUBECONFIG or in-cluster): %w", err)
	}
	aws, err := awscloud.LoadConfig(ctx)
	if err != nil {
		return fmt.Errorf("reading the AWS configuration: %w", err)
	}
	provider, endTraces, err := sight.Tracing(ctx, ownVersion())
	if err != nil {
		return err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Info("traces are not sent", "why", err.Error()) }))
	o.Tracer, o.Build = provider.Tracer(sight.Scope), ownVersion()
	watcher, err := watch(o.Tracer)
	if err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	mgr, err := operator.New(ctx, cfg, awscloud.NewOpener(awscloud.Options{Config: aws, Watcher: watcher, Share: o.Share}), o.Options)
	if err != nil {
		return err
	}
	err = mgr.Start(ctx)
	flush(endTraces)
	return err
}

// watch registers the metrics that are not the controllers', and gives what is to be told of every call to AWS.
func watch(tracer trace.Tracer) (cloud.Watcher, error) {
	if err := sight.RegisterBuild(metrics.Registry, ownVersion()); err != nil {
		return nil, err
	}
	calls, err := sight.NewAWS(metrics.Registry, tracer)
	if err != nil {
		return nil, err
	}
	return calls.Watch, nil
}

// flush sends the last spans. A collector that is not there holds nobody up, and is no failure of the manager.
func flush(endTraces func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := endTraces(ctx); err != nil {
		ctrl.Log.Info("the last traces were not sent", "why", err.Error())
	}
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
	flags.StringVar(&o.PlanAddress, "plan-bind-address", fmt.Sprintf("127.0.0.1:%d", plan.Port),
		"Loopback address at which `kubectl slipway plan` and `doctor` are answered, through a forwarded port; 0 turns it off.")
	flags.StringVar(&o.ProfileAddress, "pprof-bind-address", "0",
		"Loopback address at which Go's profiles are served (/debug/pprof), through a forwarded port; 0 turns it off.")
	flags.BoolVar(&o.LeaderElect, "leader-elect", false, "Of several processes, let one work at a time.")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", "", "Namespace of the lease; by default the pod's own.")
	flags.StringVar(&o.ClusterName, "cluster-name", "",
		"Value of the tag slipway.dev/cluster on servers; by default the uid of the namespace kube-system. Never change it while servers run.")
	namespaces := flags.String("watch-namespace", os.Getenv("WATCH_NAMESPACE"),
		"Namespaces whose Releases are looked after, separated by commas; by default $WATCH_NAMESPACE, and without that, all.")
	classes := flags.String("class-selector", "",
		"Label selector of the ReleaseClasses whose Releases are looked after; by default all. For several controllers in a cluster, each in a namespace of its own.")
	flags.Float64Var(&o.Share, "aws-limits-share", awscloud.DefaultShare,
		"Share of AWS's documented request limits of an account and region that is used, above 0 and at most 1; of controllers with one account, the shares add up.")
	flags.BoolVar(&o.TrustAskedBy, "trust-asked-by", false,
		"Quote the annotation slipway.dev/asked-by in status.history. Only with config/asked-by, without which anybody can write it.")
	flags.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "What is logged, in JSON: debug, info, warn or error.")
	flags.IntVar(&o.Concurrent, "max-concurrent-reconciles", 32, "How many Releases are worked on at a time.")
	flags.StringVar(&o.CloudEventsSink, "cloudevents-sink", "",
		"URL to post notices about Releases to, as CloudEvents; by default what K_SINK in the environment says, else nobody is told.")
	err := flags.Parse(args)
	if err != nil {
		return o, err
	}
	o.CloudEventsSink = cmp.Or(o.CloudEventsSink, os.Getenv("K_SINK")) // where Knative's SinkBinding puts it; not shown by --help
	if rest := flags.Args(); len(rest) > 0 {
		return o, fmt.Errorf("unexpected arguments: %q", rest)
	}
	if o.Concurrent < 1 {
		return o, fmt.Errorf("--max-concurrent-reconciles is %d; it has to be at least 1", o.Concurrent)
	}
	if o.Share <= 0 || o.Share > 1 {
		return o, fmt.Errorf("--aws-limits-share is %g; it has to be above 0 and at most 1", o.Share)
	}
	if o.Classes, err = selector(*classes); err != nil {
		return o, err
	}
	if err := apart(o.Options); err != nil {
		return o, err
	}
	if o.CloudEventsSink != "" {
		if err := notify.CheckURL(o.CloudEventsSink); err != nil {
			return o, err
		}
	}
	o.Namespaces, err = namespacesIn(*namespaces)
	return o, err
}

// selector reads --class-selector; nil where there is none.
func selector(text string) (labels.Selector, error) {
	if text == "" {
		return nil, nil
	}
	chosen, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("--class-selector is %q, and no label selector: %w", text, err)
	}
	return chosen, nil
}

// apart refuses two addresses of which only one could be listened on: they have one port, and one host or every host. Addresses that are
// off, or are none, are left to whoever listens there.
func apart(o operator.Options) error {
	names := []string{"--pprof-bind-address", "--plan-bind-address", "--health-probe-bind-address", "--metrics-bind-address"}
	addresses := []string{o.ProfileAddress, o.PlanAddress, o.ProbeAddress, o.MetricsAddress}
	for i, one := range addresses {
		for j, other := range addresses[:i] {
			if meet(one, other) {
				return fmt.Errorf("%s=%s and %s=%s are in each other's way: give one of them another port", names[i], one, names[j], other)
			}
		}
	}
	return nil
}

func meet(one, other string) bool {
	host, port, err := hostPort(one)
	otherHost, otherPort, otherErr := hostPort(other)
	if err != nil || otherErr != nil || port == "0" || port != otherPort {
		return false
	}
	return host == otherHost || everywhere(host) || everywhere(otherHost)
}

// hostPort takes the name of this machine for its address: both flags for loopback addresses allow either.
func hostPort(address string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(address); host == "localhost" {
		host = "127.0.0.1"
	}
	return host, port, err
}

func everywhere(host string) bool { return host == "" || net.ParseIP(host).IsUnspecified() }

// namespacesIn reads a list of namespaces. One with a slip in it is an error, and never all namespaces or one too few: servers without
// anybody who looks after them are noticed late.
func namespacesIn(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if problems := validation.IsDNS1123Label(names[i]); len(problems) > 0 {
			return nil, fmt.Errorf("--watch-namespace (or WATCH_NAMESPACE) is %q, and %q is no name of a namespace: %s",
				list, names[i], strings.Join(problems, "; "))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
