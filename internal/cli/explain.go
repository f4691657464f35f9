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
	var form answerForm
	cmd := &cobra.Command{
		Use:     "explain NAME",
		Aliases: []string{"why"},
		Short:   "Say why a Release is not moving, and what to do",
		Long: `Says what holds a Release up: what is asked for and what decided that, every condition that is not as it should be,
every pool that cannot be read or is short of healthy servers, every server that is not healthy with AWS's own reason,
when it is tried again, the latest events, and what to type.`,
		Example: `  kubectl slipway explain web
  kubectl slipway explain web -o json | jq -r '.reasons[] | select(.mood == "bad").text'`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeReleases(o, nil),
	}
	form.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := form.valid(); err != nil {
			return err
		}
		c, r, err := o.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		p, now := o.painter(), o.Now()
		e := whyNow(r, now)
		e.latestEvents(cmd.Context(), c, r)
		return form.write(o, e, func() []string {
			lines := append(e.lines(p, now), e.eventLines(p, now)...)
			return append(append(lines, ""), steps(p, e.Next)...)
		})
	}
	return cmd
}

// explanation is why a Release is as it is. Its JSON is for scripts.
type explanation struct {
	Release  string      `json:"release"`
	State    string      `json:"state"`
	Mood     mood        `json:"mood"`
	Lasts    string      `json:"-"` // in words, for people
	AskedFor string      `json:"askedFor"`
	Versions string      `json:"versions"`
	Quiet    string      `json:"quiet,omitempty"` // why nothing moves where there is no reason
	Reasons  []reason    `json:"reasons"`
	Events   []happening `json:"events,omitempty"` // oldest first
	Unread   string      `json:"eventsNotRead,omitempty"`
	Next     []step      `json:"next"`
}

// reason is something that stands in the way.
type reason struct {
	What     string       `json:"what"`
	Mood     mood         `json:"mood"`
	Text     string       `json:"text"`
	Since    *metav1.Time `json:"since,omitempty"`
	LastRead *metav1.Time `json:"lastRead,omitempty"` // of a pool that cannot be read
}

// happening is an event.
type happening struct {
	Time   metav1.Time `json:"time"`
	Reason string      `json:"reason"`
	Note   string      `json:"note"`
}

// whyNow is why it is as it is, from status alone.
func whyNow(r *v1alpha1.Release, now time.Time) *explanation {
	state, m := headline(r)
	e := &explanation{
		Release: key(r), State: state, Mood: m, Lasts: since(r, now), AskedFor: askedWords(r), Versions: versionWords(r), Reasons: reasons(r),
		Next: next(r, now),
	}
	if e.Next == nil {
		e.Next = []step{} // scripts go through it
	}
	if len(e.Reasons) == 0 {
		e.Quiet = quietWords(r)
	}
	return e
}

// lines are those above the events.
func (e *explanation) lines(p painter, now time.Time) []string {
	title := p.in(strong, e.Release) + "  " + p.in(e.Mood, p.sign(e.Mood)+" "+e.State) + "  " + p.in(faint, e.Lasts)
	lines := []string{strings.TrimRight(title, " ")}
	lines = append(lines, fact(p, "asked for", e.AskedFor)...)
	lines = append(lines, fact(p, "versions", e.Versions)...)
	lines = append(lines, "")
	if e.Quiet != "" {
		lines = append(lines, "  nothing holds it up: "+e.Quiet)
	}
	for _, why := range e.Reasons {
		text := why.Text
		if why.Since != nil {
			text += " (" + duration.HumanDuration(now.Sub(why.Since.Time)) + ")"
		}
		if why.LastRead != nil {
			text += fmt.Sprintf(" (last read %s ago)", duration.HumanDuration(now.Sub(why.LastRead.Time)))
		}
		lines = append(lines, p.wrap("  ", p.in(why.Mood, p.sign(why.Mood)+" "+why.What)+": "+text)...)
	}
	return lines
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
func reasons(r *v1alpha1.Release) []reason {
	all := []reason{}
	if r.Status.ObservedGeneration == r.Generation && !seen(r) {
		all = append(all, reason{What: "not seen", Mood: busy, Text: "Slipway has not answered slipway.dev/retry=" + r.RetryAsked()})
	} else if !seen(r) {
		all = append(all, reason{What: "not seen", Mood: busy,
			Text: fmt.Sprintf("Slipway has looked at generation %d, and %d is the last edit", r.Status.ObservedGeneration, r.Generation)})
	}
	if r.Spec.Paused {
		all = append(all, reason{What: "paused", Mood: waiting, Text: "spec.paused stops every call and all clocks"})
	}
	for _, c := range standing(r) {
		m := bad
		if c.Type == v1alpha1.ConditionReconciling {
			m = busy
		}
		all = append(all, reason{What: c.Type + ", " + c.Reason, Mood: m, Text: c.Message, Since: &c.LastTransitionTime})
	}
	for _, pool := range r.Status.Pools {
		all = append(all, poolReasons(pool)...)
	}
	if again := retryWords(r); again != "" {
		all = append(all, reason{What: "tried again", Mood: calm, Text: again})
	}
	return all
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
func poolReasons(pool v1alpha1.PoolStatus) []reason {
	var all []reason
	what := fmt.Sprintf("%s pool %s (%s %s)", pool.Role, pool.Name, pool.Kind, short(pool.Reference))
	if pool.Message != "" {
		all = append(all, reason{What: what, Mood: bad, Text: pool.Message, LastRead: pool.LastRead})
	}
	if pool.State == v1alpha1.PoolNotFound && pool.Message == "" {
		all = append(all, reason{What: what, Mood: bad, Text: "does not exist in AWS"})
	}
	for _, u := range pool.Unhealthy {
		m := bad
		if u.State != "unhealthy" {
			m = busy
		}
		all = append(all, reason{What: fmt.Sprintf("%s is %s in %s", u.ServerID, u.State, what), Mood: m, Text: orUnsaid(u.Reason)})
	}
	if more := int(pool.Registered-pool.Healthy) - len(pool.Unhealthy); more > 0 {
		all = append(all, reason{What: what, Mood: bad, Text: fmt.Sprintf("%d more are not healthy", more)})
	}
	return all
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
	case failedFirst(r):
		return "by itself: it goes Live once its servers are healthy in every production pool"
	case waitsForWord(r):
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

// latestEvents looks for those of the Release; where they may not be read, that is said.
func (e *explanation) latestEvents(ctx context.Context, c client.Reader, r *v1alpha1.Release) {
	var all eventsv1.EventList
	about := fields.OneTermEqualSelector("regarding.uid", string(r.UID)).String()
	if err := c.List(ctx, &all, &client.ListOptions{Namespace: r.Namespace, Raw: &metav1.ListOptions{FieldSelector: about}}); err != nil {
		e.Unread = err.Error()
		return
	}
	slices.SortFunc(all.Items, func(a, b eventsv1.Event) int { return eventTime(&a).Compare(eventTime(&b)) })
	items := all.Items[max(0, len(all.Items)-shownEvents):]
	for i := range items {
		e.Events = append(e.Events, happening{metav1.NewTime(eventTime(&items[i])), items[i].Reason, items[i].Note})
	}
}

// eventLines are the events; none where there are none.
func (e *explanation) eventLines(p painter, now time.Time) []string {
	if e.Unread != "" {
		return []string{"", "  " + p.in(faint, "events cannot be read: "+e.Unread)}
	}
	if len(e.Events) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(e.Events))
	for _, h := range e.Events {
		rows = append(rows, []string{"  " + p.in(faint, duration.HumanDuration(now.Sub(h.Time.Time))+" ago"), h.Reason, h.Note})
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
