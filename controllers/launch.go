package controllers

import (
	"context"
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// A launch outlives the pass that decided on it:
//
//	pass          remember, call ── 3 s ── under way            take the answer, remember what was launched
//	the call             └── waits for its turn ── RunInstances ──┘ wakes the Release
//	passes meanwhile                  glances (rest.go); one that does not ask for the launch any more ends it

// launchTimeout is how long a launch may wait for its turn: EC2 launches two servers a second for an account, and others may be before
// it. On its way it has less (awscloud). A later decision that does not ask for it any more ends it at once.
const launchTimeout = time.Hour

// launch calls RunInstances, or joins a call with the same token that an earlier pass left behind, or takes the answer that it had
// meanwhile. The answer to one that no pass waits for wakes the Release.
func (r *ReleaseReconciler) launch(
	ctx context.Context, rel *v1alpha1.Release, obs *observation, known *recollection, action rollout.Launch,
) outcome {
	token := action.Attempt.Token
	if obs.account == nil {
		known.calls.drop(token)
		return outcome{action: action, err: errors.New("there is no AWS account to launch in: the ReleaseClass could not be opened")}
	}
	if last, answered := known.calls.answer(token); answered {
		return outcome{action: action, err: last.err, result: launchResult(action, last.servers, last.err)}
	}
	request, err := r.launchRequest(ctx, rel, obs, action)
	if err != nil {
		known.calls.drop(token) // what the class allowed when it was called, it does not any more
		return outcome{action: action, err: err}
	}
	compute, name, due := obs.account.Compute, client.ObjectKeyFromObject(rel), obs.launchDue(action)
	known.calls.dropOthers(token, compute)
	known.calls.expect(token)
	answer := r.soft.calls.DoChan(token, func() (any, error) {
		if _, answered := known.calls.peek(token); answered {
			return nil, nil // while the request was made
		}
		ctx, cancel := context.WithTimeout(cloud.WithDue(ctx, due), launchTimeout)
		defer cancel()
		known.calls.beginLaunch(token, compute, cancel)
		var servers []string
		err := contained(ctx, func() (err error) {
			servers, err = compute.Launch(ctx, request)
			return err
		})
		if unwanted := err != nil && ctx.Err() == context.Canceled; known.calls.answered(token, launchAnswer{servers, err}, unwanted) {
			r.soft.answered(name)
		}
		return nil, nil
	})
	_, _ = await(answer) // what there is then is among the answers
	last, answered := known.calls.taken(token)
	if !answered {
		return outcome{action: action, underway: true}
	}
	return outcome{action: action, err: last.err, result: launchResult(action, last.servers, last.err)}
}

// blind: EC2 may not be readable now, and whether a launch is wanted, nobody can tell. A Release that is deleted, or that its class refuses,
// wants none.
func (o *observation) blind() bool {
	return o.account != nil && o.input.World.ServersErr != "" && !o.input.Spec.Deleting && !o.input.Spec.Refused.Some()
}

// launchPace is what EC2 takes for a server once an account has used up its first thousand: it documents two a second.
const launchPace = time.Second / 2

// launchDue is by when a launch would be done if it had begun when it was decided, and alone. In this order launches wait for their turn: the
// shortest first, and those of one Release together; and nobody for longer than his own launch takes behind whoever came later.
func launchDue(a rollout.Attempt) time.Time {
	return a.At.Add(time.Duration(len(a.Places)) * launchPace)
}

// launchDue is that of an action; what a fleet lacks that serves, or did, goes before all candidates.
func (o *observation) launchDue(action rollout.Launch) time.Time {
	if revision, _ := o.remembered(action.Revision); !revision.LiveAt.IsZero() || revision.StableSeq > 0 {
		return time.Time{}
	}
	return launchDue(action.Attempt)
}

// failureKinds says which answers of RunInstances mean that nothing was launched with this token and nothing will be.
// Every other error leaves the attempt open, to be asked again.
var failureKinds = map[cloud.Kind]rollout.FailureKind{
	cloud.NoCapacity: rollout.FailureCapacity,
	cloud.Quota:      rollout.FailureRejected,
	cloud.Invalid:    rollout.FailureRejected,
	cloud.Denied:     rollout.FailureRejected,
	cloud.NotFound:   rollout.FailureRejected,
	cloud.Terminated: rollout.FailureDied,
}

// launchResult puts the answer of RunInstances into the words of the core.
func launchResult(action rollout.Launch, servers []string, err error) *rollout.LaunchResult {
	result := &rollout.LaunchResult{Revision: action.Revision, Token: action.Attempt.Token}
	if err == nil {
		result.Servers = servers
		return result
	}
	kind, known := failureKinds[cloud.KindOf(err)]
	if !known {
		result.Unknown = true
		return result
	}
	problem := problemOf(err, rollout.ReasonLaunchFailed)
	result.Failure = rollout.Failure{Kind: kind, Reason: problem.Reason, Message: problem.Message}
	return result
}

// results are the launch results among the outcomes, for rollout.Record.
func results(outcomes []outcome) []rollout.LaunchResult {
	var all []rollout.LaunchResult
	for _, o := range outcomes {
		if o.result != nil {
			all = append(all, *o.result)
		}
	}
	return all
}
