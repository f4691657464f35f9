package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// FieldOwner is whom the API server's managedFields name for what the command line wrote.
const FieldOwner = "kubectl-slipway"

// Options are what every command shares.
type Options struct {
	genericiooptions.IOStreams
	// Flags are kubectl's own for the connection: --kubeconfig, --context, -n and so on.
	Flags *genericclioptions.ConfigFlags
	// Now is the clock that ages and deadlines are told by.
	Now func() time.Time
	// Build is the version of this program.
	Build string
}

// NewOptions are those of a program with these streams.
func NewOptions(streams genericiooptions.IOStreams) *Options {
	return &Options{
		IOStreams: streams,
		Flags:     genericclioptions.NewConfigFlags(true).WithWarningPrinter(streams),
		Now:       time.Now,
	}
}

// Scheme has the kinds that the command line reads and writes.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme, eventsv1.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	return scheme
}

// Client is one for the cluster that the flags name. It makes no call before it is used.
func (o *Options) Client() (client.WithWatch, error) {
	config, err := o.Flags.ToRESTConfig()
	if err != nil {
		return nil, explainConnection(err)
	}
	if err := o.configured(); err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme(), Mapper: mapper(), FieldOwner: FieldOwner})
	if err != nil {
		return nil, explainConnection(err)
	}
	return c, nil
}

// configured fails where no cluster is named: client-go would try localhost:8080 and complain of that.
func (o *Options) configured() error {
	raw, err := o.Flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return explainConnection(err)
	}
	_, outside := rest.InClusterConfig()
	if len(raw.Clusters) == 0 && *o.Flags.APIServer == "" && outside != nil {
		return exitf(ExitUsage, "no cluster is configured: set KUBECONFIG or --kubeconfig; for one on this machine: kubectl slipway local up")
	}
	return nil
}

// mapper knows the kinds of [Scheme] that are asked for, so that no command has to ask which kinds the cluster has.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind("Release"), appsv1.SchemeGroupVersion.WithKind("ControllerRevision"),
		appsv1.SchemeGroupVersion.WithKind("Deployment"), corev1.SchemeGroupVersion.WithKind("Secret"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"), eventsv1.SchemeGroupVersion.WithKind("Event"),
	} {
		m.Add(kind, meta.RESTScopeNamespace)
	}
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind("ReleaseClass"), corev1.SchemeGroupVersion.WithKind("Namespace"),
		apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"),
	} {
		m.Add(kind, meta.RESTScopeRoot)
	}
	return m
}

// Namespace is the one that -n, or the kubeconfig's context, names.
func (o *Options) Namespace() (string, error) {
	namespace, _, err := o.Flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", explainConnection(err)
	}
	return namespace, nil
}

// open gives both, for commands about one namespace.
func (o *Options) open() (c client.WithWatch, namespace string, err error) {
	if namespace, err = o.Namespace(); err != nil {
		return nil, "", err
	}
	c, err = o.Client()
	return c, namespace, err
}

// find opens, and reads the Release that a command is about.
func (o *Options) find(ctx context.Context, name string) (client.WithWatch, *v1alpha1.Release, error) {
	c, namespace, err := o.open()
	if err != nil {
		return nil, nil, err
	}
	r, err := getRelease(ctx, c, namespace, name)
	return c, r, err
}

// explainConnection says what a person can do about an error that is about no one Release.
func explainConnection(err error) error {
	if unknownKind(err) {
		return fmt.Errorf("this cluster does not know Slipway's kinds: install Slipway first (docs/install.md), or name another cluster: %w", err)
	}
	return err
}

// unknownKind says whether an error is of a kind, not of an object, that is not there: the API server's answer names no object.
func unknownKind(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsNotFound(err) {
		return meta.IsNoMatchError(err)
	}
	details := status.ErrStatus.Details
	return details == nil || details.Name == ""
}

// explain does so for an error of a request about one Release.
func explain(err error, namespace, name string) error {
	if apierrors.IsNotFound(err) && !unknownKind(err) {
		return exitf(ExitNotFound, "there is no Release %s in namespace %s (kubectl slipway list -A shows all that there are)", name, namespace)
	}
	return explainConnection(err)
}

// Commands are those that speak with a cluster.
func Commands(o *Options) []*cobra.Command {
	changes := make([]*cobra.Command, 0, len(verbs))
	for _, v := range verbs {
		changes = append(changes, newPhase(o, v))
	}
	return append(changes,
		newGet(o), newList(o), newStatus(o), newExplain(o), newHistory(o), newDiff(o), newPlan(o), newDoctor(o),
		newPause(o), newResume(o), newRetry(o), newIAMPolicy(o), newUninstall(o), newVersion(o),
	)
}

// Setup gives a root command the connection flags and the commands.
func Setup(root *cobra.Command, o *Options) {
	o.Flags.AddFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exitf(ExitUsage, "%w (see: %s --help)", err, cmd.CommandPath())
	})
	// As kubectl does it: the flags of the connection are the same everywhere, and would drown a command's own.
	root.SetUsageTemplate(globalFlags.ReplaceAllString(root.UsageTemplate(), `{{if and .HasAvailableInheritedFlags .HasParent}}

Use "{{.Root.CommandPath}} options" for the flags of the connection, which all commands take.{{end}}`))
	for _, cmd := range append(Commands(o), newConnectionFlags()) {
		root.AddCommand(o.locate(cmd))
	}
}

// globalFlags is where cobra's own usage lists the flags that a command inherits.
var globalFlags = regexp.MustCompile(`(?s)\{\{if \.HasAvailableInheritedFlags\}\}.*?\{\{end\}\}`)

func newConnectionFlags() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "options",
		Short: "List the flags of the connection, which all commands take",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), cmd.InheritedFlags().FlagUsages())
			return err
		},
	}
	return cmd
}

// args turns a complaint about arguments into one of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return exitf(ExitUsage, "%w (usage: %s)", err, cmd.UseLine())
		}
		return nil
	}
}
