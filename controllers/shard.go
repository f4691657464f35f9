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
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

const (
	// handOver is how long the Releases of a class are left alone that a controller has just taken: the calls are over by then that the
	// one before had begun, also where that hears of it late: a controller without a selector does not give a class back by itself.
	handOver = 15 * time.Second
	// askAgain is how long a call goes on after its class went to another controller.
	askAgain = time.Second
	// lookAgain is when a Release is looked at again that is another controller's, where its class is not in its spec: which one that is
	// can change without anybody's edit of either.
	lookAgain = 5 * time.Minute
)

// errElsewhere ends a pass over a Release that another controller looks after.
var errElsewhere = errors.New("another controller looks after the ReleaseClass of this Release")

// Shard is the part of the Releases that one of several controllers of a cluster looks after: those of the ReleaseClasses that it
// holds. The holder of a class is in its annotation slipway.dev/controller, which no two controllers can write at once:
//
//	the label changes       │
//	the old one    works ───┤ hears of it: calls nothing any more, takes its name off
//	the new one                  hears of that: writes its own ├── handOver ──┤ works
//
// So it does not matter who hears of what how late, nor that selectors overlap while they are being changed. A holder that is gone
// for good keeps its classes until somebody takes the annotation off: nobody else can know that it is not just away.
//
// A controller without a selector looks after every class that no other one holds, and writes nothing.
type Shard struct {
	// Classes selects ReleaseClasses by their labels; nil: every one that nobody else holds.
	Classes labels.Selector
	// Holder is the name of this controller in the annotation: the namespace of its lease.
	Holder string
	// Clock tells the time; time.Now outside tests.
	Clock func() time.Time

	mu    sync.Mutex
	taken map[string]time.Time // when this process took a class
}

// wants: the class is selected. Of a class that is not there the labels are none, so that one of the controllers tells of Releases
// without a class: of the selectors of a cluster just one should match no labels, as `shard notin (east, west)` does.
func (s *Shard) wants(class *v1alpha1.ReleaseClass) bool {
	if s.Classes == nil {
		return true
	}
	return s.Classes.Matches(labels.Set(class.Labels))
}

// admit is an error where a class is not ours.
func (s *Shard) admit(class *v1alpha1.ReleaseClass) error {
	if s == nil {
		return nil
	}
	if class == nil {
		class = &v1alpha1.ReleaseClass{} // that one is not there
	}
	holder := class.Annotations[v1alpha1.AnnotationController]
	switch {
	case holder != "" && holder != s.Holder:
		return fmt.Errorf("%w: the one in namespace %s has ReleaseClass %s, by its annotation %s", errElsewhere, holder, class.Name, v1alpha1.AnnotationController)
	case !s.wants(class):
		return fmt.Errorf("%w: ReleaseClass %s has the labels {%s}, and the one in namespace %s has --class-selector=%q",
			errElsewhere, class.Name, labels.Set(class.Labels), s.Holder, s.Classes)
	case class.Name != "" && s.Classes != nil && holder == "":
		return fmt.Errorf("%w: nobody has taken ReleaseClass %s yet", errElsewhere, class.Name)
	}
	return nil
}

// take notes that this process is about to hold a class, or does now.
func (s *Shard) take(class string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == nil {
		s.taken = map[string]time.Time{}
	}
	s.taken[class] = s.Clock()
}

// wait is how long a class that is held is to be left alone yet.
func (s *Shard) wait(class string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, known := s.taken[class]; known {
		return max(0, handOver-s.Clock().Sub(at))
	}
	return 0 // a process before this one took it
}

// assignment is whose a Release is.
type assignment struct {
	err  error         // it is not ours, and why
	wait time.Duration // until it is looked after; of one that is not ours until it is asked about again, 0 for a change of its class
}

// assigned tells whether a Release is this controller's, by what caches know; openClass looks once more, where memory was read.
func (r *ReleaseReconciler) assigned(ctx context.Context, rel *v1alpha1.Release) (a assignment, err error) {
	if r.Shard == nil {
		return a, nil
	}
	name := rel.Spec.ClassName
	if name == "" && r.Shard.Classes != nil {
		if name, err = r.className(ctx, rel); err != nil {
			return a, err
		}
	}
	class, err := r.cachedClass(ctx, name)
	if err != nil {
		return a, err
	}
	a.err, a.wait = r.Shard.admit(class), r.Shard.wait(name)
	if a.err != nil {
		a.wait = 0
		if rel.Spec.ClassName == "" {
			a.wait = lookAgain
		}
	}
	return a, nil
}

// LooksAfter tells whether a Release is this controller's, for what describes Releases and does not touch them. It is not, where nobody
// can tell.
func (r *ReleaseReconciler) LooksAfter(ctx context.Context, rel *v1alpha1.Release) bool {
	a, err := r.assigned(ctx, rel)
	return err == nil && a.err == nil
}

// whileOurs lets calls out that change something as long as the class is ours.
func (r *ReleaseReconciler) whileOurs(ctx context.Context, obs *observation) context.Context {
	if r.Shard == nil || obs.class == nil {
		return ctx
	}
	return cloud.AlsoWithPermit(ctx, func() (time.Duration, error) {
		class, err := r.cachedClass(ctx, obs.class.Name)
		if err != nil {
			return 0, err
		}
		return askAgain, r.Shard.admit(class)
	})
}

// lostClass is why calls were not made, if it is that the class went to another controller: that one reports then.
func lostClass(outcomes []outcome) error {
	for _, o := range outcomes {
		if errors.Is(o.err, errElsewhere) {
			return o.err
		}
	}
	return nil
}

// cachedClass is a class as the cache has it; nil where it has none.
func (r *ReleaseReconciler) cachedClass(ctx context.Context, name string) (*v1alpha1.ReleaseClass, error) {
	if name == "" {
		return nil, nil
	}
	class := &v1alpha1.ReleaseClass{}
	if err := r.Get(ctx, types.NamespacedName{Name: name}, class); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get ReleaseClass %s: %w", name, err)
	} else if err != nil {
		return nil, nil
	}
	return class, nil
}

// className is the class of a Release that names none, as far as caches know: the one that it began in, else the default one; empty
// where neither is known.
func (r *ReleaseReconciler) className(ctx context.Context, rel *v1alpha1.Release) (string, error) {
	var list appsv1.ControllerRevisionList
	if err := r.List(ctx, &list, client.InNamespace(rel.Namespace), client.MatchingLabels{labelRelease: releaseLabel(rel.Name)}); err != nil {
		return "", fmt.Errorf("list the ControllerRevisions of Release %s/%s: %w", rel.Namespace, rel.Name, err)
	}
	began := firstPlace(slices.DeleteFunc(list.Items, func(stored appsv1.ControllerRevision) bool { return !metav1.IsControlledBy(&stored, rel) }))
	if began.Class != "" {
		return began.Class, nil
	}
	class, _, err := r.defaultClass(ctx)
	if err != nil || class == nil {
		return "", err
	}
	return class.Name, nil
}
