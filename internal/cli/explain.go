package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

func newExplain(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "explain NAME",
		Aliases: []string{"why"},
		Short:   "Say why a Release is not moving, and what to do",
		Long: `Says what holds a Release up: what is asked for and what decided that, every condition that is not as it should be,
every pool that cannot be read or is short of healthy servers, every server that is not healthy with AWS's own reason,
when it is tried again, the latest events, and what to type.`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeReleases(o, nil),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, r, err := o.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		p, now := o.painter(), o.Now()
		lines := explanation(r, p, now)
		lines = append(lines, latestEvents(cmd.Context(), c, r, p, now)...)
		lines = append(lines, "")
		return writeLines(o.Out, append(lines, steps(p, next(r, now))...))
	}
	return cmd
}

// explanation is why it is as it is, from status alone.
func explanation(r *v1alpha1.Release, p painter, now time.Time) []string {
	state, m := headline(r)
	lines := []string{p.in(strong, key(r)) + "  " + p.in(m, p.sign(m)+" "+state) + "  " + p.in(faint, since(r, now))}
	lines[0] = strings.TrimRight(lines[0], " ")
	lines = append(lines, fact(p, "asked for", askedWords(r))...)
	lines = append(lines, fact(p, "versions", versionWords(r))...)
	why := reasons(r, p, now)
	if len(why) == 0 {
		why = []string{"  nothing holds it up: " + quietWords(r)}
	}
	return append(append(lines, ""), why...)
}

// quietWords say why nothing moves where nothing is wrong.
func quietWords(r *v1alpha1.Release) string {
	switch {
	case is(r, v1alpha1.ConditionAwaitingDecision):
		return "the next step is yours"
	case is(r, v1alpha1.ConditionReady):
		return "what is asked for is so"
	}
	return "it is on its way"
}

// reasons are all that stands in the way.
func reasons(r *v1alpha1.Release, p painter, now time.Time) []string {
	var lines []string
	say := func(m mood, what, text string) {
		lines = append(lines, p.wrap("  ", p.in(m, p.sign(m)+" "+what)+": "+text)...)
	}
	if r.Status.ObservedGeneration == r.Generation && !seen(r) {
		say(busy, "not seen", "Slipway has not answered slipway.dev/retry="+r.RetryAsked())
	} else if !seen(r) {
		say(busy, "not seen", fmt.Sprintf("Slipway has looked at generation %d, and %d is the last edit", r.Status.ObservedGeneration, r.Generation))
	}
	if r.Spec.Paused {
		say(waiting, "paused", "spec.paused stops every call and all clocks")
	}
	for _, c := range standing(r) {
		m := bad
		if c.Type == v1alpha1.ConditionReconciling {
			m = busy
		}
		say(m, c.Type+", "+c.Reason, c.Message+" ("+duration.HumanDuration(now.Sub(c.LastTransitionTime.Time))+")")
	}
	for _, pool := range r.Status.Pools {
		poolReasons(pool, now, say)
	}
	if again := retryWords(r); again != "" {
		say(calm, "tried again", again)
	}
	return lines
}

// standing are the conditions that say that something is not as it should be. Ready=False repeats one of the others.
func standing(r *v1alpha1.Release) []metav1.Condition {
	var all []metav1.Condition
	for _, name := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionBlind, v1alpha1.ConditionReconciling} {
		if is(r, name) {
			all = append(all, condition(r, name))
		}
	}
	ready := condition(r, v1alpha1.ConditionReady)
	if len(all) == 0 && ready.Status == metav1.ConditionFalse {
		all = append(all, ready)
	}
	return all
}

// poolReasons say what is wrong with a pool and its servers.
func poolReasons(pool v1alpha1.PoolStatus, now time.Time, say func(m mood, what, text string)) {
	what := fmt.Sprintf("%s pool %s (%s %s)", pool.Role, pool.Name, pool.Kind, short(pool.Reference))
	if pool.Message != "" {
		text := pool.Message
		if pool.LastRead != nil {
			text += fmt.Sprintf(" (last read %s ago)", duration.HumanDuration(now.Sub(pool.LastRead.Time)))
		}
		say(bad, what, text)
	}
	if pool.State == v1alpha1.PoolNotFound && pool.Message == "" {
		say(bad, what, "does not exist in AWS")
	}
	for _, u := range pool.Unhealthy {
		m := bad
		if u.State != "unhealthy" {
			m = busy
		}
		say(m, fmt.Sprintf("%s is %s in %s", u.ServerID, u.State, what), orUnsaid(u.Reason))
	}
	if more := int(pool.Registered-pool.Healthy) - len(pool.Unhealthy); more > 0 {
		say(bad, what, fmt.Sprintf("%d more are not healthy", more))
	}
}

func orUnsaid(reason string) string {
	if reason == "" {
		return "AWS gives no reason"
	}
	return reason
}

// retryWords say when it is tried again.
func retryWords(r *v1alpha1.Release) string {
	stalled := condition(r, v1alpha1.ConditionStalled)
	switch {
	case stalled.Reason == v1alpha1.ReasonDefect && is(r, v1alpha1.ConditionStalled):
		return "every 30 s, and at once with another spec or with retry"
	case is(r, v1alpha1.ConditionStalled) && slices.Contains(retryReasons, stalled.Reason):
		return "not by itself: it waits for retry, or for another version"
	case is(r, v1alpha1.ConditionStalled):
		return "by itself, at least every two minutes"
	case is(r, v1alpha1.ConditionBlind):
		return "by itself, within seconds"
	}
	return ""
}

// shownEvents is how many of the latest events are shown.
const shownEvents = 5

// latestEvents are those of the Release, oldest first; none where they may not be read.
func latestEvents(ctx context.Context, c client.Reader, r *v1alpha1.Release, p painter, now time.Time) []string {
	var all eventsv1.EventList
	about := fields.OneTermEqualSelector("regarding.uid", string(r.UID)).String()
	if err := c.List(ctx, &all, &client.ListOptions{Namespace: r.Namespace, Raw: &metav1.ListOptions{FieldSelector: about}}); err != nil {
		return []string{"", "  " + p.in(faint, "events cannot be read: "+err.Error())}
	}
	slices.SortFunc(all.Items, func(a, b eventsv1.Event) int { return eventTime(&a).Compare(eventTime(&b)) })
	items := all.Items[max(0, len(all.Items)-shownEvents):]
	if len(items) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(items))
	for i := range items {
		e := &items[i]
		rows = append(rows, []string{"  " + p.in(faint, duration.HumanDuration(now.Sub(eventTime(e)))+" ago"), e.Reason, e.Note})
	}
	return append([]string{"", "  " + p.in(faint, "latest events")}, columns(rows)...)
}

// eventTime is when it happened last.
func eventTime(e *eventsv1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	case !e.DeprecatedLastTimestamp.IsZero():
		return e.DeprecatedLastTimestamp.Time
	}
	return e.CreationTimestamp.Time
}
