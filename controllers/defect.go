package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// A panic is a bug of Slipway's own. It ends the pass that it happens in and no other: it is caught, logged and counted, and the
// pass is made again after a pause, for what led to it may be over. A Release whose passes panic again and again is put aside: a
// pass that ends halfway may end at any line, and to repeat it without a pause is no way to look after production. A person is told, and
// a pass now and then finds out whether the reason is gone. That is not seldom: what panics may be about a rollback or a deletion, or the
// replacement of a server that died, and if a pass can be made at all, production waits for it.

// asideAfter panics in a row, for one spec, put a Release aside. The next pass is then maxPause later, as after any failure.
const asideAfter = 3

// defects are the panics in a row of the passes over one Release. The zero value is ready for use.
type defects struct {
	wish  wish
	inRow int
	last  string        // what the last one was, for people
	every time.Duration // how long it is from one pass to the next
	next  time.Time     // no pass before
}

// wish is what a person has asked for. With another one it is tried again at once.
type wish struct {
	generation int64
	retry      string
}

func wishOf(rel *v1alpha1.Release) wish {
	return wish{rel.Generation, rel.Annotations[v1alpha1.AnnotationRetry]}
}

// wait is how long there is to be no pass over the Release yet.
func (d defects) wait(rel *v1alpha1.Release, now time.Time) time.Duration {
	if d.wish != wishOf(rel) {
		return 0
	}
	return max(0, d.next.Sub(now))
}

// count notes a panic, and when the next pass may be.
func (d *defects) count(rel *v1alpha1.Release, defect *cloud.Defect, now time.Time) {
	if d.wish != wishOf(rel) {
		*d = defects{wish: wishOf(rel)}
	}
	d.inRow++
	d.last, d.every = defect.Error(), pause(failurePause, d.inRow)
	if d.inRow >= asideAfter {
		d.every = maxPause
	}
	d.next = now.Add(d.every)
}

// fell sees to a pass that panicked. Calls that it left behind may be such as nobody asks for any more: none of them is to begin.
func (r *ReleaseReconciler) fell(ctx context.Context, rel *v1alpha1.Release, known *recollection, defect *cloud.Defect) (ctrl.Result, error) {
	logDefect(ctx, "The pass over this Release panicked", defect)
	known.calls.keep(nil, false)
	known.defects.count(rel, defect, r.Clock())
	return r.leaveAlone(ctx, client.ObjectKeyFromObject(rel), known)
}

// leaveAlone makes no pass, and says when there may be one. That a Release is put aside is told in its status and by an event, once.
func (r *ReleaseReconciler) leaveAlone(ctx context.Context, name client.ObjectKey, known *recollection) (ctrl.Result, error) {
	rel, wait, err := r.get(ctx, name) // the pass may have changed the one that it had
	if err != nil || rel == nil {
		return ctrl.Result{RequeueAfter: wait}, err
	}
	if known.defects.wish != wishOf(rel) { // somebody has changed it meanwhile: that was not tried yet
		return ctrl.Result{RequeueAfter: failurePause}, nil
	}
	before := rel.Status.DeepCopy()
	if known.defects.inRow >= asideAfter {
		known.defects.show(rel, r.Clock())
	}
	if !equality.Semantic.DeepEqual(*before, rel.Status) {
		if err := r.Status().Update(ctx, rel); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		r.emit(rel, turns(before.Conditions, rel.Status.Conditions))
	}
	return ctrl.Result{RequeueAfter: max(known.defects.wait(rel, r.Clock()), atOnce)}, nil
}

// show puts into the status that Slipway cannot go on. What else it says was so when the last pass came to its end.
func (d defects) show(rel *v1alpha1.Release, now time.Time) {
	words := cut(fmt.Sprintf("%s. Every pass over this Release ends there, so what was not done before that line is not done. Other Releases are "+
		"looked after. It is tried again every %s, and at once with another spec, another value of the annotation %s, or when the manager is started "+
		"again. Find the line with \"panicked\" in the manager's log and report it; another version of Slipway may help, or going back to a spec that "+
		"worked. Until then servers can be moved in the load balancers by hand", d.last, d.every, v1alpha1.AnnotationRetry), v1alpha1.MaxTextLength)
	for _, c := range []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDefect, Message: words},
		{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDefect, Message: words},
		{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDefect, Message: words},
		{Type: v1alpha1.ConditionAwaitingDecision, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotNeeded},
	} {
		c.ObservedGeneration, c.LastTransitionTime = rel.Generation, metav1.NewTime(now).Rfc3339Copy()
		meta.SetStatusCondition(&rel.Status.Conditions, c)
	}
	rel.Status.ObservedGeneration, rel.Status.ObservedRetry, rel.Status.Message = rel.Generation, rel.RetryAsked(), words
}

// logDefect writes down what is needed to find a defect, and not what the code panicked with: it may quote a secret (law 11).
func logDefect(ctx context.Context, what string, defect *cloud.Defect) {
	ctrl.LoggerFrom(ctx).Error(defect, what, "stack", defect.Stack)
}

// contained makes a call to AWS and turns a panic of it into its error: it is one thing that failed, as AWS fails too.
func contained(ctx context.Context, call func() error) error {
	err := cloud.Contain(call)
	if defect, is := errors.AsType[*cloud.Defect](err); is {
		logDefect(ctx, "A call panicked", defect)
	}
	return err
}

// parts are pieces of a pass that run at once. A goroutine of its own is outside the reach of Reconcile, and a panic there would end
// the process and the work on all Releases with it: Wait raises it again where it is caught. The zero value is ready for use.
type parts struct {
	running sync.WaitGroup
	mu      sync.Mutex
	fell    error
}

// Go begins a part.
func (p *parts) Go(part func()) {
	p.running.Go(func() {
		if err := cloud.Contain(func() error { part(); return nil }); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.fell = err
		}
	})
}

// Wait waits until all parts have ended, and panics if one did.
func (p *parts) Wait() {
	p.running.Wait()
	if p.fell != nil {
		panic(p.fell)
	}
}
