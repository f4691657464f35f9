package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// statusLong has the exit statuses, which are a contract.
const statusLong = `Says in one line how a Release is, or with --for waits until it is there. A line is written whenever something
changes. What is waited for is the version that is declared when the wait begins.

Exit statuses:

    0    it is so (without --for: Ready is True)
    1    it cannot be said: no connection, no permission
    2    the command is not written as it should be
    3    stalled: somebody has to change something. The line has Slipway's reason
    4    not there within --timeout
    5    it waits for a person, or is at rest where nothing leads there
    6    there is no such Release, or it was deleted
    7    another version was declared meanwhile

Without --for and not Ready: 3 where it is stalled, else 5 where it waits for a person, else 4.`

func newStatus(o *Options) *cobra.Command {
	var want string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Say in one line how a Release is, or wait until it is there; for scripts",
		Long:  statusLong,
		Example: `  kubectl slipway status web
  kubectl slipway status web --for=preview --timeout 20m && run-smoke-tests && kubectl slipway promote web -y --wait`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeReleases(o, nil),
	}
	cmd.Flags().StringVar(&want, "for", "", strings.Join(goalNames, ", ")+": wait until it is so")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait at most, for example 20m (default: for ever)")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(goalNames, cobra.ShellCompDirectiveNoFileComp))
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if want != "" && !slices.Contains(goalNames, want) {
			return exitf(ExitUsage, "--for=%s: it is one of %s", want, strings.Join(goalNames, ", "))
		}
		c, r, err := o.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if want == "" {
			return showState(o, r, out)
		}
		lines := o.Out
		if !out.forPeople() {
			lines = io.Discard
		}
		w := waitFor{o: o, c: c, goal: goals[want], timeout: timeout, out: lines}
		err = w.forRelease(cmd.Context(), r)
		if !out.forPeople() && w.last != nil {
			return errors.Join(out.print(w.last, o.Out), err)
		}
		return err
	}
	return cmd
}

// showState is one line, and the exit status for it.
func showState(o *Options, r *v1alpha1.Release, out *output) error {
	state, _ := headline(r)
	var err error
	switch {
	case is(r, v1alpha1.ConditionReady) && seen(r):
	case is(r, v1alpha1.ConditionStalled):
		err = exitf(ExitStalled, "%s", condition(r, v1alpha1.ConditionStalled).Message)
	case is(r, v1alpha1.ConditionAwaitingDecision):
		err = exitf(ExitDecision, "%s", r.Status.Message)
	default:
		err = exitf(ExitTimeout, "%s", cmp.Or(r.Status.Message, "not Ready yet"))
	}
	if !out.forPeople() {
		return errors.Join(out.print(r, o.Out), err)
	}
	fmt.Fprintf(o.Out, "%s/%s: %s; %s\n", r.Namespace, r.Name, state, versionWords(r))
	return err
}

// waitFor is a wait for a goal.
type waitFor struct {
	o       *Options
	c       client.WithWatch
	goal    goal
	timeout time.Duration
	out     io.Writer
	last    *v1alpha1.Release
}

// forRelease waits, and writes a line whenever there is something new to say.
func (w *waitFor) forRelease(ctx context.Context, r *v1alpha1.Release) error {
	var cancel context.CancelFunc = func() {}
	begun := ctx
	if w.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, w.timeout)
	}
	defer cancel()
	w.last = r
	version, said := string(r.Spec.Version), ""
	var end outcome
	err := follow(ctx, w.c, r.Namespace, r.Name, func(now *v1alpha1.Release) bool {
		if now != nil && now.Generation < r.Generation { // from before the edit that is waited for
			return true
		}
		end = w.goal.judge(now, version)
		if now != nil {
			w.last = now
		}
		if line := w.line(now, end); line != said {
			fmt.Fprintf(w.out, "%s  %s\n", w.o.Now().UTC().Format(time.TimeOnly), w.o.here(line))
			said = line
		}
		return !end.done
	})
	switch {
	case end.done && end.code == 0:
		return nil
	case end.done:
		return exitf(end.code, "%s/%s: %s", r.Namespace, r.Name, end.text)
	case begun.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return exitf(ExitTimeout, "%s/%s is not there after %s: %s", r.Namespace, r.Name, w.timeout, end.text+w.doubt())
	}
	return err
}

// doubt is what may be the cause where the wait has ended before Slipway saw the last edit.
func (w *waitFor) doubt() string {
	if seen(w.last) {
		return ""
	}
	return ": " + unseenWhy(w.last)
}

// line is what there is to say now: how it is, and how far the fleets are.
func (w *waitFor) line(r *v1alpha1.Release, end outcome) string {
	words := end.text
	if r == nil {
		return words
	}
	if c := r.Status.Candidate; c != nil && !end.done {
		words += fmt.Sprintf("; %s: %d of %d run, %d healthy", c.Version, c.Running, c.Desired, c.Healthy)
	}
	return fmt.Sprintf("%s/%s: %s", r.Namespace, r.Name, words)
}
