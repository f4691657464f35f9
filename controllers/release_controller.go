package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// sweep is how often a Release is looked at where nothing goes on, unless very many rest (rest.go).
	sweep = time.Minute
	// sweepSpread is the part of it by which the Releases' sweeps differ, so that not all come at once.
	sweepSpread = 5
	// promptly is when to look again after an action told something new: the next instance type, for one.
	promptly = 100 * time.Millisecond
	// atOnce is when to look again where a pass took longer than it should have waited.
	atOnce = 10 * time.Millisecond
)

// Reconcile is one pass over one Release:
//
//	look      Release, revisions, servers, pools        what is there; of one at rest (rest.go) with less effort at first
//	          rollout.Decide                            what to do, what to remember, how to describe it
//	remember  annotations of the ControllerRevisions    before the calls that it covers
//	act       EC2 and load balancers, all at once
//	report    status, then events                       the only status write
//
// A Release that is being deleted takes the same way; the finalizer goes when nothing is left to do. A pass that panics ends here
// (defect.go).
func (r *ReleaseReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	ctx, span := r.span(ctx, "Reconcile Release")
	defer func() { end(span, err) }()
	rel, wait, err := r.get(ctx, req.NamespacedName)
	if err != nil || rel == nil {
		return ctrl.Result{RequeueAfter: wait}, err
	}
	bare, ctx := ctx, lastTopic(rel).about(ctx)
	known := r.soft.of(rel)
	if known.defects.wait(rel, r.Clock()) > 0 {
		return r.leaveAlone(ctx, req.NamespacedName, known)
	}
	var after time.Duration
	err = cloud.Contain(func() (err error) {
		after, err = r.pass(bare, rel, known)
		return err
	})
	if defect, is := errors.AsType[*cloud.Defect](err); is {
		return r.fell(ctx, rel, known, defect)
	}
	if errors.Is(err, errElsewhere) {
		r.soft.forget(req.NamespacedName)
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	}
	if apierrors.IsConflict(err) || errors.Is(err, errPoolContested) {
		known.conflicts++
		ctrl.LoggerFrom(ctx).V(1).Info("Somebody else wrote meanwhile; looking again", "why", err.Error())
		return ctrl.Result{RequeueAfter: pause(conflictPause, known.conflicts)}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	known.conflicts, known.defects = 0, defects{}
	r.soft.noteDue(known, r.Clock().Add(after))
	return ctrl.Result{RequeueAfter: after, Priority: new(turnOf(known.stage, r.soft.restNow(known)))}, nil
}

// pass goes once through the steps and tells when to come again.
func (r *ReleaseReconciler) pass(bare context.Context, rel *v1alpha1.Release, known *recollection) (time.Duration, error) {
	ctx := lastTopic(rel).about(bare)
	if err := r.hold(ctx, rel, known); err != nil {
		return 0, err
	}
	obs, decision, err := r.look(ctx, rel, known)
	if err != nil {
		return 0, err
	}
	ctx = r.whileOurs(topicOf(rel, decision.Report).about(bare), obs)
	if err := r.remember(ctx, obs, decision.Memory); err != nil {
		return 0, err
	}
	known.decided(rel, decision)
	outcomes := r.act(ctx, rel, obs, decision, known)
	learnt := results(outcomes)
	now := r.Clock()
	if err := r.remember(ctx, obs, rollout.Left(rollout.Record(decision.Memory, learnt, now), decision.Actions, now)); err != nil {
		return 0, err
	}
	if lost := lostClass(outcomes); lost != nil {
		return 0, lost
	}
	r.soft.noteRest(known, restOf(rel, obs, decision))
	known.noteReadings(obs.input.World.Pools, obs.input.Now)
	r.noteReading(rel, obs, decision, outcomes)
	if err := r.report(ctx, newPass(rel, obs, decision, outcomes, known.lastRead), known); err != nil {
		return 0, err
	}
	if decision.Gone {
		return 0, r.release(ctx, rel)
	}
	return r.next(rel, obs.input.Now, decision, learnt, known), r.prune(ctx, rel, obs)
}

// see observes, as a part of the trace.
func (r *ReleaseReconciler) see(ctx context.Context, rel *v1alpha1.Release, atRest bool) (obs *observation, err error) {
	ctx, span := r.span(ctx, "Observe")
	defer func() { end(span, err) }()
	return r.observe(ctx, rel, atRest)
}

// get reads the Release from the API server itself: what is decided on must not be older than our own last write. It is
// nil when there is nothing to do for it, because it is gone or no longer held by our finalizer, because another controller looks
// after it, or because its turn comes in a while.
func (r *ReleaseReconciler) get(ctx context.Context, name types.NamespacedName) (rel *v1alpha1.Release, wait time.Duration, err error) {
	rel = &v1alpha1.Release{}
	err = r.APIReader.Get(ctx, name, rel)
	if client.IgnoreNotFound(err) != nil {
		return nil, 0, err
	}
	held := controllerutil.ContainsFinalizer(rel, v1alpha1.FinalizerRelease)
	if err != nil || (!rel.DeletionTimestamp.IsZero() && !held) {
		r.soft.forget(name)
		return nil, 0, nil
	}
	whose, err := r.assigned(ctx, rel)
	if err != nil {
		return nil, 0, err
	}
	if whose.err != nil || whose.wait > 0 {
		ctrl.LoggerFrom(ctx).V(1).Info("Not here, or not now", "why", whose.err, "again", whose.wait)
		r.soft.forget(name)
		return nil, whose.wait, nil
	}
	return rel, 0, nil
}

// hold adds the finalizer, before anything can be launched that would be left behind. An object without it, and without a word of
// ours in its status, is new: nothing was launched for it yet.
func (r *ReleaseReconciler) hold(ctx context.Context, rel *v1alpha1.Release, known *recollection) error {
	before := rel.DeepCopy()
	if !rel.DeletionTimestamp.IsZero() || !controllerutil.AddFinalizer(rel, v1alpha1.FinalizerRelease) {
		return nil
	}
	if err := r.Patch(ctx, rel, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return err
	}
	known.soft.Untouched = len(before.Status.Conditions) == 0
	return nil
}

// release takes the finalizer off: nothing of ours is left to see to. Only metadata is patched, never the spec.
func (r *ReleaseReconciler) release(ctx context.Context, rel *v1alpha1.Release) error {
	before := rel.DeepCopy()
	controllerutil.RemoveFinalizer(rel, v1alpha1.FinalizerRelease)
	err := r.Patch(ctx, rel, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	r.soft.forget(client.ObjectKeyFromObject(rel))
	return nil
}

// decide asks the core; where the core needs the declared revision, it is looked up and recorded, and the core is asked
// once more.
func (r *ReleaseReconciler) decide(ctx context.Context, rel *v1alpha1.Release, obs *observation, known *recollection) (rollout.Decision, error) {
	obs.input.Soft, obs.input.Now = known.soft, r.Clock()
	lately := known.unresolved.lately(rel.Generation, obs.input.Now)
	if lately && obs.input.Spec.Target == "" {
		obs.input.Spec.Unresolved = known.unresolved.problem
	}
	decision := rollout.Decide(obs.input)
	if decision.NeedTarget && !lately {
		if err := r.recordTarget(ctx, rel, obs); err != nil {
			return rollout.Decision{}, err
		}
		known.unresolved = lookup{rel.Generation, obs.input.Spec.Unresolved, obs.input.Now}
		decision = rollout.Decide(obs.input)
	}
	return decision, nil
}

// report writes the status if it says anything new, and then the events.
func (r *ReleaseReconciler) report(ctx context.Context, p pass, known *recollection) error {
	countOutcomes(p.outcomes)
	countRefusals(p.decision.Report.Held)
	known.waits.count(&p.rel.Status, p.now)
	before, status := p.rel.Status, p.status()
	all := append(known.unsaid, known.news(p.facts())...)
	if !equality.Semantic.DeepEqual(before, status) {
		p.rel.Status = status
		if err := r.Status().Update(ctx, p.rel); err != nil {
			known.unsaid = all[max(0, len(all)-maxUnsaid):]
			return client.IgnoreNotFound(err)
		}
	}
	known.unsaid = nil
	measureTransition(before.LastTransition, status.LastTransition, known.waits.person, p.now)
	measureDecision(&before, &status, p.now)
	r.emit(p.rel, append(all, turns(before.Conditions, status.Conditions)...))
	return nil
}

// next is when to look again at the latest: when the core says, when a failed call may be made again, or with the sweep. The
// core counts from the moment for which it decided; the calls made since then have used up some of its time.
func (r *ReleaseReconciler) next(
	rel *v1alpha1.Release, decided time.Time, decision rollout.Decision, learnt []rollout.LaunchResult, known *recollection,
) time.Duration {
	after := r.leftAlone(rel, r.soft.restNow(known))
	if decision.After > 0 {
		after = min(after, max(decision.After-r.Clock().Sub(decided), atOnce))
	}
	if retry := known.nextRetry(r.Clock()); retry > 0 {
		after = min(after, retry)
	}
	if slices.ContainsFunc(learnt, func(l rollout.LaunchResult) bool { return !l.Unknown }) {
		after = min(after, promptly)
	}
	return after
}
