package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

const (
	// handOver is how long the Releases of a class that has come to a controller are left alone: as long as a lease lasts. The calls
	// that the one before had begun are over by then, and it has seen the class's labels, too.
	handOver = 15 * time.Second
	// askAgain is how long a call goes on after its class went to another controller.
	askAgain = time.Second
)

// errElsewhere ends a pass over a Release that another controller looks after.
var errElsewhere = errors.New("another controller looks after the ReleaseClass of this Release")

// Shard is the part of the Releases that one of several controllers of a cluster looks after: those of the ReleaseClasses that its
// selector matches. A Release whose class is not there counts as of one without labels, so that somebody says so: of the selectors of
// a cluster just one should match no labels, as `shard notin (east, west)` does. nil looks after everything.
//
// A class that gets other labels goes from one to another. They need not hear of it at the same time:
//
//	the old one  ── works ──┤ hears of it: no call from here on (permit)
//	the new one           ├── hears of it, waits ─────────────── handOver ──┤ works
type Shard struct {
	// Classes selects ReleaseClasses by their labels.
	Classes labels.Selector
	// Clock tells the time; time.Now outside tests.
	Clock func() time.Time

	mu    sync.Mutex
	since map[string]time.Time // when each class was first seen as selected
}

// selects notes a class's labels, and tells whether they are selected, and how long the class is to be left alone yet.
func (s *Shard) selects(class string, have labels.Set) (ours bool, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.Classes.Matches(have) {
		delete(s.since, class)
		return false, 0
	}
	if s.since == nil {
		s.since = map[string]time.Time{}
	}
	now := s.Clock()
	first, known := s.since[class]
	if !known {
		first = now
		s.since[class] = now
	}
	return true, max(0, handOver-now.Sub(first))
}

// forget notes that a class is gone.
func (s *Shard) forget(class string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.since, class)
}

// watch lets the shard hear of classes also while this process waits for the lease: one that takes over at once leaves nobody alone
// for longer.
func (s *Shard) watch(mgr ctrl.Manager) error {
	informer, err := mgr.GetCache().GetInformer(context.Background(), &v1alpha1.ReleaseClass{})
	if err != nil {
		return fmt.Errorf("watch ReleaseClasses: %w", err)
	}
	note := func(object any) {
		if class, is := object.(*v1alpha1.ReleaseClass); is {
			s.selects(class.Name, class.Labels)
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    note,
		UpdateFunc: func(_, now any) { note(now) },
		DeleteFunc: func(object any) {
			if last, is := object.(toolscache.DeletedFinalStateUnknown); is {
				object = last.Obj
			}
			if class, is := object.(*v1alpha1.ReleaseClass); is {
				s.forget(class.Name)
			}
		},
	})
	return err
}

// admit is an error where a class is not ours.
func (s *Shard) admit(class string, have labels.Set) error {
	if s == nil {
		return nil
	}
	if ours, _ := s.selects(class, have); !ours {
		return fmt.Errorf("%w: %s", errElsewhere, s.foreign(class, have))
	}
	return nil
}

// foreign says of a class that is not ours why.
func (s *Shard) foreign(class string, have labels.Set) string {
	return fmt.Sprintf("ReleaseClass %s has the labels {%s}, and this controller has --class-selector=%q", class, have, s.Classes)
}

// labelsOf are the labels of a class; none where there is no such class.
func labelsOf(ctx context.Context, reader client.Reader, name string) (labels.Set, error) {
	var class v1alpha1.ReleaseClass
	if name == "" {
		return nil, nil
	}
	err := reader.Get(ctx, types.NamespacedName{Name: name}, &class)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get ReleaseClass %s: %w", name, err)
	}
	return class.Labels, nil
}

// className is the class of a Release as far as caches know: the one that it names, the one that it began in, or the default one;
// empty where none of these is known.
func (r *ReleaseReconciler) className(ctx context.Context, rel *v1alpha1.Release) (string, error) {
	if rel.Spec.ClassName != "" {
		return rel.Spec.ClassName, nil
	}
	began, err := r.beganIn(ctx, rel)
	if err != nil || began != "" {
		return began, err
	}
	class, _, err := r.defaultClass(ctx)
	if err != nil || class == nil {
		return "", err
	}
	return class.Name, nil
}

// beganIn is the class that a Release began in, by its cached revisions; empty where none is known.
func (r *ReleaseReconciler) beganIn(ctx context.Context, rel *v1alpha1.Release) (string, error) {
	var list appsv1.ControllerRevisionList
	if err := r.List(ctx, &list, client.InNamespace(rel.Namespace), client.MatchingLabels{labelRelease: releaseLabel(rel.Name)}); err != nil {
		return "", fmt.Errorf("list the ControllerRevisions of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	return firstPlace(slices.DeleteFunc(list.Items, func(stored appsv1.ControllerRevision) bool {
		return !metav1.IsControlledBy(&stored, rel)
	})).Class, nil
}

// whileOurs lets calls out that change something as long as the class is ours.
func (r *ReleaseReconciler) whileOurs(ctx context.Context, obs *observation) context.Context {
	if r.Shard == nil || obs.class == nil {
		return ctx
	}
	return cloud.AlsoWithPermit(ctx, func() (time.Duration, error) {
		have, err := labelsOf(ctx, r.Client, obs.class.Name)
		if err != nil {
			return 0, err
		}
		return askAgain, r.Shard.admit(obs.class.Name, have)
	})
}

// assigned tells whether a Release is this controller's, and how long it is to be left alone yet. Where it is another's, why says which
// labels its class has, and which would be ours.
func (r *ReleaseReconciler) assigned(ctx context.Context, rel *v1alpha1.Release) (a assignment, err error) {
	if r.Shard == nil {
		return assignment{ours: true}, nil
	}
	if a.class, err = r.className(ctx, rel); err != nil {
		return a, err
	}
	have, err := labelsOf(ctx, r.Client, a.class)
	if err != nil {
		return a, err
	}
	a.ours, a.wait = r.Shard.selects(a.class, have)
	if !a.ours {
		a.why = r.Shard.foreign(a.class, have)
	}
	return a, nil
}

// assignment is whose a Release is.
type assignment struct {
	class string
	ours  bool
	wait  time.Duration // until it is looked after
	why   string        // it is not ours
}

// LooksAfter tells whether a Release is this controller's, for what describes Releases and does not touch them. It is not, where nobody
// can tell.
func (r *ReleaseReconciler) LooksAfter(ctx context.Context, rel *v1alpha1.Release) bool {
	a, err := r.assigned(ctx, rel)
	return err == nil && a.ours
}
