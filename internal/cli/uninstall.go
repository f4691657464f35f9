package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

func newUninstall(o *Options) *cobra.Command {
	var strip bool
	var f giveUpFlags
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Say what taking Slipway out of this cluster takes, and what stays in AWS",
		Long: `Lists every Release and ReleaseClass of the cluster with what becomes of its servers, and the commands to type, in
order, or those of one namespace with -n. It changes nothing.

With --remove-finalizers it gives up those that are being deleted already and hang, because the manager, its
credentials or their class are gone: their finalizers are taken off, so that the objects go. Nothing is changed in AWS
by that, whatever deletionPolicy says: servers keep running and serving, and are yours to look after. While a manager
runs, or nobody can say whether one does, that takes --force: it lets them go by itself when it is done. With
--dry-run it says which objects and servers those are, and changes nothing.`,
		Args: args(cobra.NoArgs),
	}
	cmd.Flags().BoolVar(&strip, "remove-finalizers", false, "take the finalizers off Releases and classes that are being deleted and hang")
	f.dryRun.add(cmd)
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&f.force, "force", false, "with --remove-finalizers: though a manager may be at work on them")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.dryRun.valid(); err != nil {
			return err
		}
		c, err := o.Client()
		if err != nil {
			return err
		}
		there, err := installed(cmd.Context(), o, c)
		if err != nil {
			return err
		}
		if !strip {
			return o.tell(there.plan(o.painter()))
		}
		return there.giveUp(cmd.Context(), o, c, f)
	}
	return cmd
}

// giveUpFlags are those of --remove-finalizers.
type giveUpFlags struct {
	dryRun     dryRun
	yes, force bool
}

// inventory is what Slipway has in a cluster.
type inventory struct {
	namespace string // that alone was looked at; empty: all
	releases  []v1alpha1.Release
	classes   []v1alpha1.ReleaseClass
	manager   managerState
}

// managerState is whether somebody is there to let go of what is being deleted.
type managerState int

const (
	managerUnknown managerState = iota // its Deployment may not be read
	managerAway
	managerRuns // or may: a pod of it that is not ready may be in the middle of a call
)

// installed looks; a namespace leaves out the Releases of others, and all classes.
func installed(ctx context.Context, o *Options, c client.Reader) (*inventory, error) {
	namespace := *o.Flags.Namespace
	var releases v1alpha1.ReleaseList
	var classes v1alpha1.ReleaseClassList
	if err := c.List(ctx, &releases, client.InNamespace(namespace)); err != nil {
		return nil, explainConnection(err)
	}
	if namespace == "" {
		if err := c.List(ctx, &classes); err != nil {
			return nil, explainConnection(err)
		}
	}
	state, err := managerIn(ctx, o, c)
	return &inventory{namespace, releases.Items, classes.Items, state}, err
}

// managerIn looks for a manager: that of `local up`, which is in no Deployment, or one with pods.
func managerIn(ctx context.Context, o *Options, c client.Reader) (managerState, error) {
	if local, err := localManager(o); err != nil || local != "" {
		return managerRuns, err
	}
	found, err := managers(ctx, c)
	switch {
	case apierrors.IsForbidden(err):
		return managerUnknown, nil
	case err != nil:
		return managerUnknown, err
	case slices.ContainsFunc(found, func(d appsv1.Deployment) bool { return d.Status.Replicas > 0 }):
		return managerRuns, nil
	}
	return managerAway, nil
}

// plan is what to do, in order, and what comes of it.
func (v *inventory) plan(p painter) []string {
	lines := []string{p.in(strong, v.counts())}
	if len(v.releases) > 0 {
		rows := make([][]string, 0, len(v.releases)+1)
		rows = append(rows, []string{"NAMESPACE", "NAME", "LIVE", "SERVERS", "DELETING IT"})
		for i := range v.releases {
			rows = append(rows, fate(&v.releases[i]))
		}
		lines = append(append(lines, ""), columns(rows)...)
	}
	lines = append(lines, "")
	if hanging := v.hanging(); len(hanging) > 0 && v.manager == managerAway {
		lines = append(lines, "These are being deleted, and no manager runs that would let them go:")
		for _, o := range hanging {
			lines = append(lines, "  "+describeObject(o))
		}
		lines = append(lines, "Start the manager again, or give them up: "+v.again(), "")
	}
	return append(append(lines, v.commands()...), "",
		"Load balancers, target groups, images and IAM roles are not Slipway's and stay. Servers that stay keep its tags, and",
		"another installation can take them over: docs/user-guide.md#servers-of-a-release-that-is-gone")
}

// counts is what was found, and where.
func (v *inventory) counts() string {
	releases := many(len(v.releases), "Release")
	switch {
	case v.namespace != "":
		return releases + " in namespace " + v.namespace
	case len(v.classes) == 1:
		return releases + ", 1 ReleaseClass"
	}
	return fmt.Sprintf("%s, %d ReleaseClasses", releases, len(v.classes))
}

// commands are those to type. Of one namespace they touch nothing that others have.
func (v *inventory) commands() []string {
	if v.namespace != "" {
		if len(v.releases) == 0 {
			return []string{"There is nothing to delete in this namespace. For the whole cluster: kubectl slipway uninstall"}
		}
		return []string{"While the manager runs:", "  kubectl delete releases --all -n " + v.namespace,
			"Classes, definitions and the manager are for all namespaces: kubectl slipway uninstall"}
	}
	lines := []string{"While the manager runs, in this order:"}
	if len(v.releases) > 0 {
		lines = append(lines, "  kubectl delete releases --all -A")
	}
	if len(v.classes) > 0 {
		lines = append(lines, "  kubectl delete releaseclasses --all")
	}
	return append(lines, "  make undeploy                          # definitions first, the manager last; docs/install.md#uninstalling",
		"  (with Helm: helm uninstall slipway -n slipway-system, then make uninstall, which stops while there are Releases)")
}

// fate is what becomes of a Release's servers.
func fate(r *v1alpha1.Release) []string {
	var running int32
	for _, f := range fleets(r) {
		running += f.Running
	}
	what := fmt.Sprintf("leaves all %s running and in their load balancers (Retain)", serverCount(running))
	if r.Spec.DeletionPolicy == v1alpha1.DeletionTerminate {
		what = fmt.Sprintf("TERMINATES all %s, production too (Terminate)", serverCount(running))
	}
	return []string{r.Namespace, r.Name, cmp.Or(r.Status.LiveVersion, "-"), fmt.Sprint(running), what}
}

// hanging are the objects that are being deleted and have a finalizer of ours.
func (v *inventory) hanging() []client.Object {
	var all []client.Object
	add := func(o client.Object, finalizer string) {
		if o.GetDeletionTimestamp() != nil && slices.Contains(o.GetFinalizers(), finalizer) {
			all = append(all, o)
		}
	}
	for i := range v.releases {
		add(&v.releases[i], v1alpha1.FinalizerRelease)
	}
	for i := range v.classes {
		add(&v.classes[i], v1alpha1.FinalizerClass)
	}
	return all
}

func describeObject(o client.Object) string {
	if r, ok := o.(*v1alpha1.Release); ok {
		return "Release " + key(r)
	}
	return "ReleaseClass " + o.GetName()
}

// atWork says why a finalizer is not a person's to take off: empty where no manager runs.
func (v *inventory) atWork() string {
	switch v.manager {
	case managerRuns:
		return "a manager runs, or its pods are there, which lets them go by itself when it is done; look first: kubectl slipway explain NAME -n NAMESPACE"
	case managerUnknown:
		return "you may not list Deployments, so nobody knows here whether a manager is at work on them"
	}
	return ""
}

// again is the command that gives up what hangs, of as much as was looked at.
func (v *inventory) again(flags ...string) string {
	words := []string{"kubectl slipway uninstall --remove-finalizers"}
	if v.namespace != "" {
		words = append(words, "-n", v.namespace)
	}
	return strings.Join(append(words, flags...), " ")
}

// giveUp takes finalizers off what is being deleted and hangs.
func (v *inventory) giveUp(ctx context.Context, o *Options, c client.Client, f giveUpFlags) error {
	hanging := v.hanging()
	if len(hanging) == 0 {
		fmt.Fprintln(o.Out, "nothing is being deleted and hangs: no finalizer was removed")
		return nil
	}
	for _, object := range hanging {
		line := describeObject(object) + " is given up"
		if r, ok := object.(*v1alpha1.Release); ok {
			line += "; its servers keep running and serving, and nobody looks after them: " + serverList(r)
		}
		fmt.Fprintln(o.ErrOut, "  -", line)
	}
	if words := v.atWork(); words != "" && !f.force {
		return exitf(ExitRefused, "not done: %s. All the same: %s", words, v.again("--force"))
	}
	sure := []string{"-y"}
	if f.force {
		sure = []string{"--force", "-y"}
	}
	if err := ask(o, f.yes || f.dryRun != dryRunNone, v.again(sure...)); err != nil {
		return err
	}
	for _, object := range hanging {
		if err := takeOff(ctx, o, c, object, f.dryRun); err != nil {
			return fmt.Errorf("%s: %w", describeObject(object), err)
		}
		fmt.Fprintln(o.Out, describeObject(object)+" given up"+f.dryRun.words())
	}
	return nil
}

// takeOff takes our finalizer off an object, and leaves those of others. One that is gone meanwhile needs nothing.
func takeOff(ctx context.Context, o *Options, c client.Client, object client.Object, d dryRun) error {
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	object.SetFinalizers(slices.DeleteFunc(object.GetFinalizers(), func(f string) bool {
		return f == v1alpha1.FinalizerRelease || f == v1alpha1.FinalizerClass
	}))
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if d == dryRunClient {
		text, err := patch.Data(object)
		fmt.Fprintf(o.ErrOut, "the patch would be: %s\n", text)
		return err
	}
	return client.IgnoreNotFound(c.Patch(ctx, object, patch, d.options()...))
}

// serverList are the servers that stay.
func serverList(r *v1alpha1.Release) string {
	var ids []string
	for _, f := range fleets(r) {
		for _, id := range f.ServerIDs {
			ids = append(ids, string(id))
		}
	}
	return cmp.Or(strings.Join(ids, ", "), "its status names none")
}
