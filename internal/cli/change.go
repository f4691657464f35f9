package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// change is one edit of a Release by a person, from the look before it to the patch.
type change struct {
	o    *Options
	c    client.WithWatch
	verb string
	// check says whether the edit makes sense now: nothing to do and why, or an error that says why not.
	check func(*v1alpha1.Release) (nothing string, err error)
	// effects say what it will touch.
	effects func(*v1alpha1.Release) []string
	// patch is the edit of an object, beside its resourceVersion.
	patch func(*v1alpha1.Release) map[string]any
	flags *changeFlags
	out   *output
	// patience is how long to wait until Slipway has seen the last edit. Most changes are not made before that (sightTimeout); what stops
	// or undoes something is made all the same, then: urgent.
	patience time.Duration
	urgent   bool
}

// changeFlags are those of every command that changes a Release.
type changeFlags struct {
	dryRun    dryRun
	ifVersion string
	yes, wait bool
	timeout   time.Duration
}

// dryRun is the flag --dry-run.
type dryRun string

// Its values.
const (
	dryRunNone   dryRun = "none"
	dryRunClient dryRun = "client"
	dryRunServer dryRun = "server"
)

func (d *dryRun) add(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(d), "dry-run", string(dryRunNone), "client: say what would be sent; server: let the API server judge it and change nothing")
	values := []string{string(dryRunNone), string(dryRunClient), string(dryRunServer)}
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func (d dryRun) valid() error {
	switch d {
	case dryRunNone, dryRunClient, dryRunServer:
		return nil
	}
	return exitf(ExitUsage, "--dry-run=%s: it is client, server or none", d)
}

// options are those of a patch.
func (d dryRun) options() []client.PatchOption {
	options := []client.PatchOption{client.FieldOwner(FieldOwner)}
	if d == dryRunServer {
		options = append(options, client.DryRunAll)
	}
	return options
}

// words say, behind what came of it, that nothing was changed; empty where something was.
func (d dryRun) words() string {
	return map[dryRun]string{dryRunClient: " (dry run)", dryRunServer: " (server dry run)"}[d]
}

func (f *changeFlags) add(cmd *cobra.Command) {
	f.dryRun.add(cmd)
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&f.ifVersion, "if-version", "", "change nothing unless this is the declared version")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait until it is done; with the exit status of status --for")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "how long --wait may take, for example 20m (default: for ever)")
}

func (f *changeFlags) valid() error { return f.dryRun.valid() }

// How long a change waits for Slipway to have seen the last edit, for what it may touch is read from status. Who rolls back has no time.
const (
	sightTimeout  = 15 * time.Second
	urgentTimeout = 3 * time.Second
)

// make does it: look, check, say, ask, patch. It gives the Release as it is then; nil where there was nothing to do.
func (ch *change) make(ctx context.Context, namespace, name string) (*v1alpha1.Release, error) {
	if err := ch.flags.valid(); err != nil {
		return nil, err
	}
	r, due, err := ch.consider(ctx, namespace, name)
	if err != nil || !due {
		return r, err
	}
	ch.announce(r)
	if err := ch.confirm(r); err != nil {
		return nil, err
	}
	return ch.send(ctx, r)
}

// makeAndWait makes it, and with --wait waits until the Release is where it leads.
func (ch *change) makeAndWait(ctx context.Context, namespace, name string, to func(*v1alpha1.Release) goal) error {
	r, err := ch.make(ctx, namespace, name)
	if err != nil || !ch.flags.wait || ch.flags.dryRun != dryRunNone {
		return err
	}
	w := waitFor{o: ch.o, c: ch.c, goal: to(r), timeout: ch.flags.timeout, out: ch.o.ErrOut}
	return w.forRelease(ctx, r)
}

// consider looks and judges. Where there is nothing to do it says so, and the change is not due.
func (ch *change) consider(ctx context.Context, namespace, name string) (r *v1alpha1.Release, due bool, err error) {
	if r, err = ch.look(ctx, namespace, name); err != nil {
		return nil, false, err
	}
	nothing, err := ch.judge(r)
	switch {
	case err != nil:
		return nil, false, err
	case nothing != "":
		return r, false, ch.report(r, "unchanged: "+nothing)
	}
	return r, true, nil
}

// look reads the Release once its status speaks of its spec; what is urgent takes it as it is after a moment.
func (ch *change) look(ctx context.Context, namespace, name string) (*v1alpha1.Release, error) {
	r, err := getRelease(ctx, ch.c, namespace, name)
	if err != nil || ch.patience == 0 || seen(r) {
		return r, err
	}
	waiting, cancel := context.WithTimeout(ctx, ch.patience)
	defer cancel()
	fmt.Fprintf(ch.o.ErrOut, "waiting until Slipway has seen the last edit of %s\n", name)
	err = follow(waiting, ch.c, namespace, name, func(now *v1alpha1.Release) bool { r = now; return now != nil && !seen(now) })
	switch {
	case r == nil:
		return nil, gone(namespace, name)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case seen(r):
		return r, nil
	case err != nil && waiting.Err() == nil:
		return nil, err
	case ch.urgent:
		fmt.Fprintf(ch.o.ErrOut, "Slipway has not seen the last edit of %s after %s (%s). What follows is by what it saw last, and %s is "+
			"asked for all the same\n", name, ch.patience, unseenWhy(r), ch.verb)
		return r, nil
	}
	return nil, exitf(ExitRefused, "Slipway has not seen the last edit of %s after %s, so nobody knows what %s would touch: %s",
		name, ch.patience, ch.verb, unseenWhy(r))
}

// judge is check, behind what holds for every change.
func (ch *change) judge(r *v1alpha1.Release) (nothing string, err error) {
	if v := ch.flags.ifVersion; v != "" && v != string(r.Spec.Version) {
		return "", exitf(ExitSuperseded, "%s not done: %s declares version %s now, not %s (--if-version)", ch.verb, r.Name, r.Spec.Version, v)
	}
	if !r.DeletionTimestamp.IsZero() {
		return "", exitf(ExitRefused, "%s not done: %s is being deleted", ch.verb, r.Name)
	}
	return ch.check(r)
}

// announce says what will be touched, on standard error: standard output is for what comes of it.
func (ch *change) announce(r *v1alpha1.Release) {
	fmt.Fprintf(ch.o.ErrOut, "%s %s/%s, version %s:\n", ch.verb, r.Namespace, r.Name, r.Spec.Version)
	for _, line := range ch.effects(r) {
		fmt.Fprintln(ch.o.ErrOut, "  -", ch.o.here(line))
	}
	if r.Spec.Paused && ch.verb != "pause" && ch.verb != "resume" {
		fmt.Fprintf(ch.o.ErrOut, "  ! %s is paused: nothing but a rollback moves until: %s\n", r.Name, ch.o.here(say(r, "resume")))
	}
}

// confirm asks, where there is somebody to ask.
func (ch *change) confirm(r *v1alpha1.Release) error {
	return ask(ch.o, ch.flags.yes || ch.flags.dryRun != dryRunNone, say(r, ch.verb, "-y"))
}

// ask asks whether to go on. Where nobody is there to ask, nothing is done, and command says how to say it without being asked.
func ask(o *Options, yes bool, command string) error {
	if yes {
		return nil
	}
	if !terminal(o.In) {
		return exitf(ExitRefused, "not done: nobody is there to ask. If this is what you want: %s", command)
	}
	fmt.Fprintf(o.ErrOut, "Go on? [y/N] ")
	answer, err := bufio.NewReader(o.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return exitf(ExitRefused, "not done")
}

// conflicts is how often somebody else's write may come between.
const conflicts = 5

// send patches. After a conflict everything is looked at again, and what a person said yes to has to be what it would do still.
func (ch *change) send(ctx context.Context, r *v1alpha1.Release) (*v1alpha1.Release, error) {
	agreed := ch.meaning(r)
	for try := 1; ; try++ {
		after, err := ch.once(ctx, r)
		if err == nil {
			return after, ch.report(after, ch.done())
		}
		if !apierrors.IsConflict(err) {
			return nil, explain(err, r.Namespace, r.Name)
		}
		if try == conflicts {
			return nil, exitf(ExitRefused, "%s not done: %s was changed by somebody else %d times meanwhile; type it again", ch.verb, r.Name, conflicts)
		}
		var due bool
		if r, due, err = ch.consider(ctx, r.Namespace, r.Name); err != nil || !due {
			return r, err
		}
		if ch.meaning(r) != agreed {
			return nil, exitf(ExitRefused, "%s not done: %s was changed by somebody else meanwhile, and it would do something else now; look again: %s",
				ch.verb, r.Name, say(r, "get"))
		}
	}
}

// meaning is what a person agrees to: the version, what it is asked for, and what is touched.
func (ch *change) meaning(r *v1alpha1.Release) string {
	return strings.Join(append([]string{string(r.UID), string(r.Spec.Version), string(r.Spec.Phase), r.Spec.PhaseFor}, ch.effects(r)...), "\n")
}

// once sends one patch, which counts only for the object as it was read.
func (ch *change) once(ctx context.Context, r *v1alpha1.Release) (*v1alpha1.Release, error) {
	patch := ch.patch(r)
	metadata, ok := patch["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		patch["metadata"] = metadata
	}
	metadata["resourceVersion"] = r.ResourceVersion
	text, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	if ch.flags.dryRun == dryRunClient {
		fmt.Fprintf(ch.o.ErrOut, "the patch would be: %s\n", text)
		return patched(r, text)
	}
	after := r.DeepCopy()
	if err := ch.c.Patch(ctx, after, client.RawPatch(types.MergePatchType, text), ch.flags.dryRun.options()...); err != nil {
		return nil, err
	}
	after.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Release"))
	return after, nil
}

// inSpec is a patch of fields of the spec.
func inSpec(fields map[string]any) map[string]any { return map[string]any{"spec": fields} }

// patched is the object as the patch would leave it, before the API server has judged it.
func patched(r *v1alpha1.Release, patch []byte) (*v1alpha1.Release, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if text, err = jsonpatch.MergePatch(text, patch); err != nil {
		return nil, err
	}
	var after v1alpha1.Release
	return &after, json.Unmarshal(text, &after)
}

// done is what came of it, in the words of kubectl.
func (ch *change) done() string { return ch.verb + ": asked for" + ch.flags.dryRun.words() }

// report writes the outcome in the form that was asked for.
func (ch *change) report(r *v1alpha1.Release, text string) error {
	if !ch.out.forPeople() {
		return ch.out.print(r, ch.o.Out)
	}
	_, err := fmt.Fprintf(ch.o.Out, "release.slipway.dev/%s %s\n", r.Name, text)
	return err
}
