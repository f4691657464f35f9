package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	ctrl "sigs.k8s.io/controller-runtime"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// Limits of one call. A call that runs into its limit has an unknown outcome; every action can be carried out twice.
const (
	callTimeout = 20 * time.Second
	// patience is how long a pass waits for a call that does not change production. The call goes on without it and the next
	// pass joins it, so that a slow launch or tag never holds up a rollback.
	patience = 3 * time.Second
	// effectLag is how long EC2 may show a server as it was before a CreateTags or TerminateInstances, so that they are not
	// repeated meanwhile. AWS names no figure; tags are known to lag longer than other readings (EC2 developer guide, eventual
	// consistency).
	effectLag = 15 * time.Second
)

// aheadOfReadings is by how much calls that change something are due before they come: before most who read in their lane. What was decided is
// not to wait until the reading that it was decided on is old. No more than that: each that waits for its own bucket is promised a token of the
// one that all share, and readings would have none.
const aheadOfReadings = 5 * time.Second

// outcome is what became of one planned action.
type outcome struct {
	action rollout.Action
	// err is why it was not carried out; nil where it was, or where it is still under way.
	err error
	// result is set for a Launch that was called and has answered.
	result *rollout.LaunchResult
	// postponed: it was called before and not again in this pass; err is what came of it.
	postponed bool
	// underway: AWS has not answered yet.
	underway bool
}

// done reports whether the action was carried out.
func (o outcome) done() bool { return o.err == nil && !o.underway }

// settled reports whether the core will speak of the failure itself, because memory records it.
func (o outcome) settled() bool { return o.result != nil && !o.result.Unknown }

// act carries out all actions of a decision at once; none of them depends on another. One that fails stops nobody else:
// a rollback is not held up by a launch that EC2 refuses. Outcomes are in the order of the actions.
func (r *ReleaseReconciler) act(ctx context.Context, rel *v1alpha1.Release, obs *observation, decision rollout.Decision, known *recollection) []outcome {
	outcomes := make([]outcome, len(decision.Actions))
	now := r.Clock()
	keys := make([]string, 0, len(decision.Actions))
	for _, action := range decision.Actions {
		keys = append(keys, callKey(rel, action))
	}
	known.calls.keep(keys, obs.blind())
	var calls parts
	for i, action := range decision.Actions {
		_, answered := known.calls.peek(callKey(rel, action))
		if last := known.lastCall(rel, action); now.Before(last.notUntil) && !answered {
			outcomes[i] = outcome{action: action, err: last.err, postponed: true}
			continue
		}
		calls.Go(func() {
			ctx, span := r.actionSpan(cloud.WithLane(ctx, lane(action, decision.Report.Stage)), action)
			outcomes[i] = r.carryOut(ctx, rel, obs, known, action)
			end(span, outcomes[i].err)
		})
	}
	calls.Wait()
	known.noteCalls(rel, outcomes, r.Clock())
	logOutcomes(ctx, outcomes)
	return outcomes
}

// carryOut makes the call that an action asks for, and waits for it: to the end where production changes, else for a while.
func (r *ReleaseReconciler) carryOut(
	ctx context.Context, rel *v1alpha1.Release, obs *observation, known *recollection, action rollout.Action,
) outcome {
	if launch, ok := action.(rollout.Launch); ok {
		return r.launch(ctx, rel, obs, known, launch)
	}
	call, key := r.callOf(rel, obs, action), retryKey(rel, action)
	timed := func() error {
		ctx, cancel := context.WithTimeout(cloud.WithDue(ctx, r.Clock().Add(-aheadOfReadings)), callTimeout)
		defer cancel()
		known.calls.begin(key, cancel)
		defer known.calls.done(key)
		return contained(ctx, func() error { return call(ctx) })
	}
	if changesProduction(action) {
		return outcome{action: action, err: timed()}
	}
	answer := r.soft.calls.DoChan(string(rel.UID)+" "+key, func() (any, error) { return nil, timed() })
	answered, err := await(answer)
	return outcome{action: action, err: err, underway: !answered}
}

// changesProduction: the action moves servers of a production pool.
func changesProduction(action rollout.Action) bool {
	switch a := action.(type) {
	case rollout.Register:
		return a.Pool.Use == rollout.UseProduction
	case rollout.Deregister:
		return a.Pool.Use == rollout.UseProduction
	default:
		return false
	}
}

// await waits for an answer as long as a pass has patience for it.
func await(answer <-chan singleflight.Result) (answered bool, err error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case a := <-answer:
		return true, a.Err
	}
}

// callOf is the call of an action other than a launch. It may outlive its pass, so it holds nothing that the pass goes on with.
func (r *ReleaseReconciler) callOf(rel *v1alpha1.Release, obs *observation, action rollout.Action) func(context.Context) error {
	account := obs.account
	if account == nil {
		return func(context.Context) error {
			return errors.New("there is no AWS account to work in: the ReleaseClass could not be opened")
		}
	}
	switch a := action.(type) {
	case rollout.Register:
		return func(ctx context.Context) error { return account.Balancer.Register(ctx, a.Pool, a.Servers) }
	case rollout.Deregister:
		return func(ctx context.Context) error { return account.Balancer.Deregister(ctx, a.Pool, a.Servers) }
	case rollout.Tag:
		tags := r.tags(rel, obs, a)
		return func(ctx context.Context) error { return account.Compute.Tag(ctx, a.Servers, tags) }
	case rollout.Terminate:
		return func(ctx context.Context) error { return account.Compute.Terminate(ctx, a.Servers) }
	default:
		return func(context.Context) error { return fmt.Errorf("no way to carry out %T", action) }
	}
}

// lane is the priority of an action's calls where an account's calls are limited. What puts production back where it was
// goes first; what only serves a look at a candidate does not compete with a promotion.
func lane(action rollout.Action, stage rollout.Stage) cloud.Lane {
	var pool rollout.Pool
	switch a := action.(type) {
	case rollout.Launch:
		return cloud.LaneLaunch
	case rollout.Tag, rollout.Terminate:
		return cloud.LaneTerminate
	case rollout.Register:
		pool = a.Pool
	case rollout.Deregister:
		pool = a.Pool
	}
	switch {
	case pool.Use == rollout.UseTest:
		return cloud.LaneLaunch
	case stage == rollout.StageRollingBack:
		return cloud.LaneRollback
	default:
		return cloud.LanePromote
	}
}

// tags are what a Tag action writes: the role, and at adoption all that makes a server ours. Its Name stays its own.
func (r *ReleaseReconciler) tags(rel *v1alpha1.Release, obs *observation, action rollout.Tag) map[string]string {
	if !action.Adopt {
		return map[string]string{cloud.TagRole: string(action.Role)}
	}
	version := ""
	for _, s := range obs.input.World.Adoptable {
		if s.Revision == action.Revision {
			version = s.Version
		}
	}
	tags := r.serverTags(rel, action.Revision, version, action.Role)
	delete(tags, cloud.TagName)
	return tags
}

// retryKey is equal for equal calls under the same spec: a person's edit is heeded at once.
func retryKey(rel *v1alpha1.Release, action rollout.Action) string {
	return fmt.Sprintf("%d %s %s", rel.Generation, verb(action), strings.Join(subject(action), " "))
}

// callKey is what a call is known by while it is under way: a launch by its token, which is its own whatever else the spec asks for.
func callKey(rel *v1alpha1.Release, action rollout.Action) string {
	if launch, is := action.(rollout.Launch); is {
		return launch.Attempt.Token
	}
	return retryKey(rel, action)
}

// writtenKey is that of a call that succeeded: a new spec is no reason to repeat it.
func writtenKey(action rollout.Action) string {
	return fmt.Sprintf("written %s %s", verb(action), strings.Join(subject(action), " "))
}

// lastCall is the last call of that kind, where it is remembered; else none.
func (c *recollection) lastCall(rel *v1alpha1.Release, action rollout.Action) retry {
	if last, ok := c.retries[writtenKey(action)]; ok {
		return last
	}
	return c.retries[retryKey(rel, action)]
}

// verb names an action in metrics, logs and events. The set is closed.
func verb(action rollout.Action) string {
	switch action.(type) {
	case rollout.Launch:
		return "Launch"
	case rollout.Register:
		return "Register"
	case rollout.Deregister:
		return "Deregister"
	case rollout.Tag:
		return "Tag"
	case rollout.Terminate:
		return "Terminate"
	default:
		return "Unknown"
	}
}

// subject is what an action is about: a token, or a pool and servers, or servers.
func subject(action rollout.Action) []string {
	switch a := action.(type) {
	case rollout.Launch:
		return []string{a.Attempt.Token}
	case rollout.Register:
		return append([]string{a.Pool.ID}, a.Servers...)
	case rollout.Deregister:
		return append([]string{a.Pool.ID}, a.Servers...)
	case rollout.Tag:
		return append([]string{string(a.Role)}, a.Servers...)
	case rollout.Terminate:
		return a.Servers
	default:
		return nil
	}
}

// noteCalls remembers which calls are not to be repeated at once: those that failed, for the pause before the next try, and those
// whose effect EC2 may not show yet. Refused launches are none of them: memory records those, and the core paces them.
func (c *recollection) noteCalls(rel *v1alpha1.Release, outcomes []outcome, now time.Time) {
	retries := map[string]retry{}
	for _, o := range outcomes {
		key, last := retryKey(rel, o.action), c.lastCall(rel, o.action)
		switch {
		case o.postponed && o.err == nil:
			key = writtenKey(o.action)
		case o.postponed:
		case showsLate(o.action) && o.done():
			key, last = writtenKey(o.action), retry{action: o.action, notUntil: now.Add(effectLag)}
		case o.err == nil || o.settled():
			continue
		default:
			failures := last.failures + 1
			wait := pause(failurePause, failures)
			if changesProduction(o.action) {
				wait = min(wait, maxProductionPause)
			}
			last = retry{action: o.action, failures: failures, notUntil: now.Add(wait), err: o.err}
		}
		retries[key] = last
	}
	c.retries = retries
}

// showsLate: readings of EC2 may tell of the time before the action for a while, and it would be planned again.
func showsLate(action rollout.Action) bool {
	switch action.(type) {
	case rollout.Tag, rollout.Terminate:
		return true
	default:
		return false
	}
}

// deniedPools are the production pools into which AWS does not permit us to register servers, by ID, with its words.
func (c *recollection) deniedPools() map[string]string {
	denied := map[string]string{}
	for _, r := range c.retries {
		if register, ok := r.action.(rollout.Register); ok && cloud.KindOf(r.err) == cloud.Denied {
			denied[register.Pool.ID] = r.err.Error()
		}
	}
	return denied
}

// nextRetry is how long it is until the first of these calls may be made again; zero when there are none.
func (c *recollection) nextRetry(now time.Time) time.Duration {
	var soonest time.Duration
	for _, r := range c.retries {
		if wait := max(r.notUntil.Sub(now), time.Millisecond); soonest == 0 || wait < soonest {
			soonest = wait
		}
	}
	return soonest
}

// logOutcomes writes a line for each action that was tried.
func logOutcomes(ctx context.Context, outcomes []outcome) {
	log := ctrl.LoggerFrom(ctx)
	for _, o := range outcomes {
		words := []any{"action", verb(o.action), "why", o.action.Reason(), "subject", subject(o.action)}
		switch {
		case o.postponed:
		case o.underway:
			log.Info("Action is under way", words...)
		case o.err != nil:
			log.Error(o.err, "Action failed", words...)
		default:
			log.Info("Action carried out", words...)
		}
	}
}
