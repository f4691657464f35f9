// Command slipway-notifications tells people about Releases by argoproj/notifications-engine: Slack, Teams, mail, PagerDuty, webhooks and
// the others, subscribed to with the annotations that users of Argo know: notifications.argoproj.io/subscribe.<trigger>.<service>.
//
// It is a program and a Go module of its own. The engine brings several hundred packages along (clients of every service, their SDKs),
// and it keeps the tokens of those services in a Secret that it lists and watches. Neither belongs into the process that may take
// servers out of production. It reads the Releases of all namespaces, and may patch them, for one annotation, in which the engine keeps
// what it has sent; RBAC knows no narrower right.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "slipway-notifications:", err)
		os.Exit(1)
	}
}

// run works until the context ends.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("slipway-notifications", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "Where the API server is; by default the pod's own.")
	var from settings
	flags.StringVar(&from.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "Namespace of the ConfigMap and the Secret.")
	flags.StringVar(&from.configMap, "config-map", "slipway-notifications-cm", "ConfigMap with services, triggers and templates.")
	flags.StringVar(&from.secret, "secret", "slipway-notifications-secret", "Secret with the tokens that services refer to as $key. It need not be there.")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if from.namespace == "" {
		return fmt.Errorf("neither --namespace nor POD_NAMESPACE says where the ConfigMap %s is", from.configMap)
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the Kubernetes API server: %w", err)
	}
	releases, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return tell(ctx, releases, kube, from)
}
