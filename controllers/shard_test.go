package controllers

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/plan"
)

// shardOf looks after what a selector matches, on the clock of a test.
func shardOf(t *testing.T, selector string, now *time.Time) *Shard {
	t.Helper()
	chosen, err := labels.Parse(selector)
	if err != nil {
		t.Fatal(err)
	}
	return &Shard{Classes: chosen, Clock: func() time.Time { return *now }}
}

// A class that comes is left alone for a while, each time that it comes.
func TestAClassThatComesIsLeftAlone(t *testing.T) {
	now := testNow
	s := shardOf(t, "shard=east", &now)
	for i, step := range []struct {
		after time.Duration
		have  labels.Set
		ours  bool
		wait  time.Duration
	}{
		{0, labels.Set{"shard": "west"}, false, 0},
		{0, labels.Set{"shard": "east"}, true, handOver},
		{5 * time.Second, labels.Set{"shard": "east"}, true, handOver - 5*time.Second},
		{time.Minute, labels.Set{"shard": "east"}, true, 0},
		{0, nil, false, 0},
		{time.Second, labels.Set{"shard": "east"}, true, handOver},
	} {
		now = now.Add(step.after)
		if ours, wait := s.selects("c", step.have); ours != step.ours || wait != step.wait {
			t.Errorf("step %d: ours %v, wait %s; want %v, %s", i, ours, wait, step.ours, step.wait)
		}
	}
	s.forget("c")
	if _, wait := s.selects("c", labels.Set{"shard": "east"}); wait != handOver {
		t.Errorf("a class that was made again is left alone for %s", wait)
	}
}

// Whose a Release is goes by the labels of its class: the one that it names, the one that it began in, the default one. A class that is not
// there has none.
func TestWhoseARelease(t *testing.T) {
	classed := func(name, shard string, isDefault bool) *v1alpha1.ReleaseClass {
		class := testClass()
		class.Name, class.Labels = name, map[string]string{"shard": shard}
		if isDefault {
			class.Annotations = map[string]string{v1alpha1.AnnotationDefaultClass: "true"}
		}
		return class
	}
	named := func(class string) func(*v1alpha1.Release) {
		return func(rel *v1alpha1.Release) { rel.Spec.ClassName = class }
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.Release)
		began  bool // in class east, before the default was another
		east   bool // it is the shard's that selects shard=east, else the other's
	}{
		"names a class of it":         {named("east"), false, true},
		"names a class of another":    {named("west"), false, false},
		"names none":                  {named(""), false, false},
		"names none, and began there": {named(""), true, true},
		"names one that is not there": {named("gone"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			rel.Spec.ClassName = "east"
			h := newHarness(t, rel, classed("east", "east", false), classed("west", "west", true))
			if c.began {
				h.declare(t, rel, 1)
			}
			c.change(rel)
			now := testNow
			for selector, want := range map[string]bool{"shard=east": c.east, "shard!=east": !c.east} {
				h.Shard = shardOf(t, selector, &now)
				if whose, err := h.assigned(t.Context(), rel); err != nil || whose.ours != want {
					t.Errorf("%s: %+v (%v), want ours %v", selector, whose, err, want)
				}
			}
		})
	}
}

// What is another controller's is not touched, not described, and answered for with where to ask.
func TestWhatIsAnothersIsLeftToIt(t *testing.T) {
	rel, class := testRelease(), testClass()
	class.Labels, class.Finalizers = map[string]string{"shard": "west"}, nil
	h := newHarness(t, rel, class)
	now := testNow
	h.Shard = shardOf(t, "shard=east", &now)
	name := client.ObjectKeyFromObject(rel)
	if result, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: name}); err != nil || result != (ctrl.Result{}) {
		t.Errorf("the pass gave %+v, %v", result, err)
	}
	classes := &ReleaseClassReconciler{Client: h.Client, Shard: h.Shard}
	if _, err := classes.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Name: class.Name}}); err != nil {
		t.Error(err)
	}
	if len(h.writes) > 0 || len(h.ports.calls) > 0 {
		t.Errorf("writes %v, calls %v", h.writes, h.ports.calls)
	}
	if n := testutil.CollectAndCount(releaseCollector{reader: h, ours: h.LooksAfter, lackOf: h.lackOf}); n != 0 {
		t.Errorf("%d series describe it", n)
	}
	const want = `ReleaseClass default has the labels {shard=west}, and this controller has --class-selector="shard=east"`
	_, err := h.Plan(t.Context(), name, "")
	if refusal, is := errors.AsType[*plan.Refusal](err); !is || refusal.Status != http.StatusConflict || !strings.Contains(refusal.Message, want) {
		t.Errorf("the plan is refused with %v", err)
	}
	found, err := h.Checkup(t.Context(), "default")
	if err != nil || found.Count(checkup.Fail) != 1 || !strings.Contains(found.Checks[0].Message, want) {
		t.Errorf("the checkup says %+v (%v)", found, err)
	}
}

// A Release of a class that has just come waits, and then has its pass. When the class goes in the middle of one, nothing goes out any more.
func TestAClassThatGoesTakesItsPermitAlong(t *testing.T) {
	rel, class := testRelease(), testClass()
	class.Labels = map[string]string{"shard": "east"}
	h := newHarness(t, rel, class)
	now := testNow
	h.Shard = shardOf(t, "shard=east", &now)
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(rel)}
	if result, err := h.Reconcile(t.Context(), request); err != nil || result.RequeueAfter != handOver || len(h.writes) > 0 {
		t.Errorf("at first: %+v, %v, writes %v", result, err, h.writes)
	}
	now = now.Add(handOver)
	obs := h.look(t, rel)
	ctx := h.whileOurs(t.Context(), obs)
	_, end, err := cloud.MayChange(ctx)
	if err != nil {
		t.Fatalf("nothing may be changed: %v", err)
	}
	end()
	if !controllerutil.RemoveFinalizer(class, v1alpha1.FinalizerClass) {
		t.Fatal("the class has no finalizer")
	}
	class.Labels = map[string]string{"shard": "west"}
	if err := h.Update(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	if _, _, err := cloud.MayChange(ctx); err == nil || !strings.Contains(err.Error(), "{shard=west}") {
		t.Errorf("after the class went: %v", err)
	}
	if _, err := h.observe(t.Context(), rel, false); !overtaken(err) {
		t.Errorf("a pass that began before sees: %v", err)
	}
}
