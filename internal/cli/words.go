package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/duration"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// is says whether a condition is True.
func is(r *v1alpha1.Release, condition string) bool {
	return meta.IsStatusConditionTrue(r.Status.Conditions, condition)
}

// condition is one of a Release; the zero value where it is not there.
func condition(r *v1alpha1.Release, name string) metav1.Condition {
	if c := meta.FindStatusCondition(r.Status.Conditions, name); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// seen says whether status speaks of the spec as it is, and of the last word to try again.
func seen(r *v1alpha1.Release) bool {
	return r.Status.ObservedGeneration == r.Generation && retrySeen(r)
}

// retrySeen says whether status speaks of the last word to try again. A manager that is older than status.observedRetry never says so: what
// has changed since then answers for it, and a word that does not tell its time counts as seen, or it would stand in the way for ever.
func retrySeen(r *v1alpha1.Release) bool {
	word := r.RetryAsked()
	if word == "" || r.Status.ObservedRetry != "" {
		return r.Status.ObservedRetry == word
	}
	asked, dated := retryTime(word)
	return !dated || slices.ContainsFunc(r.Status.Conditions, func(c metav1.Condition) bool { return !c.LastTransitionTime.Time.Before(asked) })
}

// retryTime is when a word to try again was said, to the second as conditions have it: retry writes the time, and by hand it is date +%s.
func retryTime(word string) (asked time.Time, dated bool) {
	if t, err := time.Parse(time.RFC3339Nano, word); err == nil {
		return t.Truncate(time.Second), true
	}
	seconds, err := strconv.ParseInt(word, 10, 64)
	return time.Unix(seconds, 0), err == nil && len(word) == len("1795734347")
}

// unseenWhy is what may be the cause where Slipway does not see an edit.
func unseenWhy(r *v1alpha1.Release) string {
	if r.Status.ObservedGeneration == r.Generation && r.Status.ObservedRetry == "" {
		return "is its manager running, and not older than this command line? An old one does not say in status.observedRetry that it saw slipway.dev/retry"
	}
	return "is its manager running?"
}

// The stages that the command line tells apart; a newer controller may have more.
const (
	stagePaused     v1alpha1.Stage = "Paused"
	stageRefused    v1alpha1.Stage = "Refused"
	stagePreparing  v1alpha1.Stage = "Preparing"
	stagePreview    v1alpha1.Stage = "Preview"
	stagePromoting  v1alpha1.Stage = "Promoting"
	stageSwitching  v1alpha1.Stage = "Switching"
	stageRolledBack v1alpha1.Stage = "RolledBack"
	stageSettled    v1alpha1.Stage = "Settled"
)

// transitionPromotion is what status.lastTransition calls the way of a candidate into production.
const transitionPromotion = "Promotion"

// stageWords say what Slipway is at. A stage that a newer controller has is said by its name.
var stageWords = map[v1alpha1.Stage]string{
	"Deleting": "being deleted", stageRefused: "not begun", "Estranged": "not begun: former servers were found", stagePaused: "held",
	"Adopting": "taking over servers", "Recording": "recording the version", "RollingBack": "giving production back to the stable version",
	stageSettled: "settled", stageRolledBack: "rolled back", "Completing": "completing", "Live": "Live",
	stageSwitching: "the stable version leaves production", stagePromoting: "the candidate joins production", stagePreview: "ready in Preview",
	stagePreparing: "preparing the candidate",
}

// headline is the state of a Release in a few words, and how to take it.
func headline(r *v1alpha1.Release) (string, mood) {
	if words := unjudged(r); words != "" {
		return words, busy
	}
	stage := cmp.Or(stageWords[r.Status.Stage], string(r.Status.Stage))
	ready := condition(r, v1alpha1.ConditionReady)
	switch {
	case is(r, v1alpha1.ConditionStalled):
		return "stalled: " + condition(r, v1alpha1.ConditionStalled).Reason, bad
	case is(r, v1alpha1.ConditionBlind):
		return "AWS cannot be read: " + condition(r, v1alpha1.ConditionBlind).Reason, bad
	case r.Spec.Paused:
		return "paused: nothing moves", waiting
	case is(r, v1alpha1.ConditionAwaitingDecision):
		return stage + ", waiting for you", waiting
	case ready.Status == metav1.ConditionTrue:
		return stage, good
	case ready.Reason == v1alpha1.ReasonUnhealthy:
		return stage + ", and not healthy", bad
	}
	return stage, busy
}

// unjudged says why there is no state to tell of; empty where there is one.
func unjudged(r *v1alpha1.Release) string {
	switch {
	case !r.DeletionTimestamp.IsZero():
		return "being deleted"
	case len(r.Status.Conditions) == 0:
		return "not seen by Slipway yet"
	case !seen(r):
		return "the last edit is not seen by Slipway yet"
	}
	return ""
}

// since is for how long the state of the headline lasts.
func since(r *v1alpha1.Release, now time.Time) string {
	for _, name := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionAwaitingDecision, v1alpha1.ConditionReady} {
		if c := condition(r, name); c.Status == metav1.ConditionTrue {
			return "for " + duration.HumanDuration(now.Sub(c.LastTransitionTime.Time))
		}
	}
	if t := r.Status.LastTransition; t != nil && t.Ended == nil && t.Started != nil {
		return "for " + duration.HumanDuration(now.Sub(t.Started.Time))
	}
	return ""
}

// step is something that happens next, or that a person may do. Command is what to type for it, if anything.
type step struct {
	Command string `json:"command,omitempty"`
	Text    string `json:"text"`
}

// say is a command line of this program about a Release.
func say(r *v1alpha1.Release, verb string, flags ...string) string {
	words := append([]string{"kubectl slipway", verb, r.Name, "-n", r.Namespace}, flags...)
	return strings.Join(words, " ")
}

// overrideCounts says that spec.override decides the phase just now.
func overrideCounts(r *v1alpha1.Release) bool {
	return r.Spec.Override != nil && r.Status.EffectivePhaseReason == v1alpha1.EffectiveByOverride
}

// sayPhase is the command line of a verb that sets a phase. While an override counts it ends that too: without it the verb is refused.
func sayPhase(r *v1alpha1.Release, verb string, flags ...string) string {
	if overrideCounts(r) {
		flags = append(flags, "--end-override")
	}
	return say(r, verb, flags...)
}

// allows says whether spec.phase may be set to a phase now.
func allows(r *v1alpha1.Release, phase v1alpha1.Phase) bool {
	return slices.Contains(r.Status.AllowedPhases, phase)
}

// next is what happens next, and what a person may type.
func next(r *v1alpha1.Release, now time.Time) []step {
	switch {
	case !r.DeletionTimestamp.IsZero():
		return []step{{Text: deletionWords(r)}}
	case len(r.Status.Conditions) == 0:
		return []step{
			{Text: "Slipway writes a status within seconds; where it does not, its manager does not run or may not read this namespace"},
			{"kubectl -n slipway-system get pods", "is the manager there?"},
		}
	case !seen(r):
		return []step{{Text: "Slipway looks at the last edit within seconds"}}
	}
	steps := ahead(r, now)
	return append(steps, ways(r)...)
}

// deletionWords say what the deletion does.
func deletionWords(r *v1alpha1.Release) string {
	if r.Spec.DeletionPolicy == v1alpha1.DeletionTerminate {
		return "every server is taken out of its load balancers, drained and terminated; then the object goes (deletionPolicy Terminate)"
	}
	return "the object goes; every server stays where it is and serves (deletionPolicy Retain)"
}

// aheadWords say what Slipway does next by itself, by stage.
var aheadWords = map[v1alpha1.Stage]string{
	"Recording":    "image and user data are looked up, once; then servers are launched",
	"Adopting":     "the servers are tagged as the stable fleet",
	stagePromoting: "when the candidate is healthy in every production pool, the stable version leaves all of them at once",
	stageSwitching: "the stable version leaves production; its servers keep running, for a rollback",
	"RollingBack":  "when the stable version is healthy in production, the candidate leaves and goes to the test pools",
	"Completing":   "the candidate becomes the stable version; the former servers drain and are terminated",
}

// ahead is what comes without anybody's doing.
func ahead(r *v1alpha1.Release, now time.Time) []step {
	if r.Spec.Paused && r.Status.Stage == stagePaused {
		return []step{{say(r, "resume"), "nothing moves, and no clock runs, until then"}}
	}
	var steps []step
	text := aheadWords[r.Status.Stage]
	if r.Status.Stage == stagePromoting && r.Status.Stable == nil {
		text = "when it is healthy in every production pool, it is Live"
	}
	if text != "" {
		steps = append(steps, step{Text: text})
	}
	if r.Status.Stage == stagePreparing && is(r, v1alpha1.ConditionReconciling) {
		steps = append(steps, step{Text: preparingWords(r)})
	}
	steps = append(steps, ends(r, now)...)
	if is(r, v1alpha1.ConditionBlind) {
		steps = append(steps, step{Text: "nothing is taken out of a load balancer or terminated until AWS can be read again; that is tried again by itself"})
	}
	return steps
}

// ends are the moments at which something comes to an end by itself.
func ends(r *v1alpha1.Release, now time.Time) []step {
	var steps []step
	if t := r.Status.LastTransition; t != nil && t.Ended == nil && t.Deadline != nil {
		steps = append(steps, step{Text: fmt.Sprintf("it is undone unless it gets there by %s, %s",
			t.Deadline.UTC().Format(time.TimeOnly+" UTC"), fromNow(t.Deadline.Time, now))})
	}
	if override := r.Spec.Override; overrideCounts(r) {
		steps = append(steps, step{Text: fmt.Sprintf("the override ends %s; %s", fromNow(override.ExpiresAt.Time, now), afterOverride(r, override.Phase))})
	}
	return steps
}

// preparingWords say where a deploy that is being prepared goes.
func preparingWords(r *v1alpha1.Release) string {
	switch r.Status.EffectivePhase {
	case v1alpha1.PhaseLive, v1alpha1.PhaseComplete:
		return "when its servers are healthy it goes on into production by itself: " + string(r.Status.EffectivePhase) + " is asked for"
	}
	return "when its servers are healthy it stops in Preview, for you to look at"
}

// fromNow is a moment as seen from now.
func fromNow(then, now time.Time) string {
	if left := then.Sub(now); left > 0 {
		return "in " + duration.HumanDuration(left)
	}
	return "now"
}

// ways are what a person may do, the likeliest first.
func ways(r *v1alpha1.Release) []step {
	if is(r, v1alpha1.ConditionStalled) {
		return stalledWays(r)
	}
	var steps []step
	likeliest := slices.Clone(verbs)
	if condition(r, v1alpha1.ConditionReady).Reason == v1alpha1.ReasonUnhealthy {
		slices.Reverse(likeliest) // the way back first
	}
	for _, v := range likeliest {
		if v.fits(r) {
			steps = append(steps, step{sayPhase(r, v.name), v.gist(r)})
		}
	}
	if len(steps) == 0 && r.Status.Stage == stageSettled && is(r, v1alpha1.ConditionReady) {
		steps = append(steps, step{Text: "nothing: declare another version to deploy it"})
	}
	return steps
}

// fits says whether a verb is a likely next step: Complete is one from Live only, and RolledBack where there is something to undo.
func (v verb) fits(r *v1alpha1.Release) bool {
	switch {
	case !allows(r, v.phase), asked(r, v.phase):
		return false
	case v.phase == v1alpha1.PhaseComplete:
		return is(r, v1alpha1.ConditionPromoted) && condition(r, v1alpha1.ConditionReady).Reason != v1alpha1.ReasonUnhealthy
	case v.phase == v1alpha1.PhaseRolledBack:
		return hasLeft(r)
	}
	return true
}

// asked says whether a phase is the one that counts already.
func asked(r *v1alpha1.Release, phase v1alpha1.Phase) bool { return r.Status.EffectivePhase == phase }

// hasLeft says whether the candidate is, or is on its way, where a rollback would take it from.
func hasLeft(r *v1alpha1.Release) bool {
	return r.Status.Candidate != nil && (inProduction(r, string(r.Status.Candidate.Revision)) > 0 || is(r, v1alpha1.ConditionPromoted) ||
		r.Status.EffectivePhase == v1alpha1.PhaseLive || r.Status.EffectivePhase == v1alpha1.PhaseComplete)
}

// retryReasons are those of Stalled that wait for a word: all others are tried again by themselves.
var retryReasons = []string{v1alpha1.ReasonPromotionFailed, v1alpha1.ReasonAutoRolledBack, v1alpha1.ReasonLaunchFailed, v1alpha1.ReasonDefect}

// waitsForWord says whether it is Stalled until somebody says to try again.
func waitsForWord(r *v1alpha1.Release) bool {
	return is(r, v1alpha1.ConditionStalled) && slices.Contains(retryReasons, condition(r, v1alpha1.ConditionStalled).Reason) && !failedFirst(r)
}

// failedFirst says whether the first version was late in production: there is none to put in its place, so it stays there, and there is no
// verdict to clear.
func failedFirst(r *v1alpha1.Release) bool {
	return is(r, v1alpha1.ConditionStalled) && condition(r, v1alpha1.ConditionStalled).Reason == v1alpha1.ReasonPromotionFailed && r.Status.Stable == nil
}

// stalledWays are the ways out of Stalled.
func stalledWays(r *v1alpha1.Release) []step {
	steps := []step{{say(r, "explain"), "what holds it up, server by server"}}
	switch {
	case failedFirst(r):
		steps = append(steps, step{Text: "mend its servers, or declare another version; no retry is needed"})
	case waitsForWord(r):
		steps = append(steps, step{say(r, "retry"), "once the cause is mended: to try again"})
	default:
		steps = append(steps, step{Text: "mend the cause, and it goes on by itself within two minutes (docs/user-guide.md#when-it-is-stalled)"})
	}
	if allows(r, v1alpha1.PhaseRolledBack) && !asked(r, v1alpha1.PhaseRolledBack) && hasLeft(r) {
		steps = append(steps, step{sayPhase(r, "rollback"), rollbackGist(r)})
	}
	if asked(r, v1alpha1.PhaseRolledBack) && allows(r, v1alpha1.PhaseLive) && hasLeft(r) {
		steps = append(steps, step{sayPhase(r, "promote"), "to leave " + string(r.Status.Candidate.Version) + " in production instead"})
	}
	return steps
}

// inProduction is how many servers of a revision the production pool with the most of them has.
func inProduction(r *v1alpha1.Release, revision string) int32 {
	most := int32(0)
	for _, pool := range r.Status.Pools {
		if pool.Role != v1alpha1.PoolRoleProduction {
			continue
		}
		for _, f := range pool.Fleets {
			if string(f.Revision) == revision {
				most = max(most, f.Registered)
			}
		}
	}
	return most
}
