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

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/plan"
)

// us and them are the holders of classes in these tests.
const us, them = "east-slipway-system", "slipway-system"

// shardOf is ours, and looks after what a selector matches, or after everything without one, on the clock of a test.
func shardOf(t *testing.T, selector string, now *time.Time) *Shard {
	t.Helper()
	s := &Shard{Holder: us, Clock: func() time.Time { return *now }}
	if selector != "" {
		chosen, err := labels.Parse(selector)
		if err != nil {
			t.Fatal(err)
		}
		s.Classes = chosen
	}
	return s
}

// classed is a class with a label and a holder, where these are not empty.
func classed(name, shard, holder string) *v1alpha1.ReleaseClass {
	class := testClass()
	class.Name, class.Finalizers, class.Labels, class.Annotations = name, nil, map[string]string{}, map[string]string{}
	if shard != "" {
		class.Labels["shard"] = shard
	}
	if holder != "" {
		class.Annotations[v1alpha1.AnnotationController] = holder
	}
	return class
}

// The controller of the classes takes what it selects and nobody has, and lets go of what it does not select any more. What another one
// has it never touches, whatever the labels say.
func TestWhoHoldsAClass(t *testing.T) {
	for name, c := range map[string]struct {
		selector, label, holder string
		want                    string // the holder then
		wait                    time.Duration
		ours                    bool
	}{
		"selected, and nobody's":          {"shard=east", "east", "", us, handOver, true},
		"selected, and ours already":      {"shard=east", "east", us, us, 0, true},
		"selected, and another's":         {"shard=east", "east", them, them, 0, false},
		"ours, and not selected any more": {"shard=east", "west", us, "", 0, false},
		"nobody's, and not selected":      {"shard=east", "", "", "", 0, false},
		"another's, and not selected":     {"shard=east", "west", them, them, 0, false},
		"no selector, and nobody's":       {"", "east", "", "", 0, true},
		"no selector, and ours":           {"", "east", us, us, 0, true},
		"no selector, and another's":      {"", "", them, them, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			rel.Spec.ClassName = "c"
			h, now := newHarness(t, rel, classed("c", c.label, c.holder)), testNow
			h.Shard = shardOf(t, c.selector, &now)
			key := types.NamespacedName{Name: "c"}
			if _, err := (&ReleaseClassReconciler{Client: h.Client, Shard: h.Shard}).Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
				t.Fatal(err)
			}
			class := &v1alpha1.ReleaseClass{}
			if err := h.Get(t.Context(), key, class); err != nil {
				t.Fatal(err)
			}
			if got := class.Annotations[v1alpha1.AnnotationController]; got != c.want {
				t.Errorf("the holder is %q, not %q", got, c.want)
			}
			if held := len(class.Finalizers) > 0; held != c.ours {
				t.Errorf("the finalizer is there: %v", held)
			}
			whose, err := h.assigned(t.Context(), rel)
			if err != nil || (whose.err == nil) != c.ours || whose.wait != c.wait {
				t.Errorf("the Release is assigned so: %+v (%v)", whose, err)
			}
			now = now.Add(handOver)
			if whose, err := h.assigned(t.Context(), rel); err != nil || whose.wait != 0 {
				t.Errorf("after a while: %+v (%v)", whose, err)
			}
		})
	}
}

// Whose a Release is goes by its class: the one that it names, the one that it began in, the default one. A class that is not there has no
// labels.
func TestWhoseARelease(t *testing.T) {
	for name, c := range map[string]struct {
		class string
		began bool // in class east, before the default was another
		east  bool // it is the shard's that selects shard=east, else the other's
		again time.Duration
	}{
		"names a class of it":         {"east", false, true, 0},
		"names a class of another":    {"west", false, false, 0},
		"names none":                  {"", false, false, lookAgain},
		"names none, and began there": {"", true, true, lookAgain},
		"names one that is not there": {"gone", false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			rel.Spec.ClassName = "east"
			east, west := classed("east", "east", us), classed("west", "west", us)
			west.Annotations[v1alpha1.AnnotationDefaultClass] = "true"
			h := newHarness(t, rel, east, west)
			if c.began {
				h.declare(t, rel, 1)
			}
			rel.Spec.ClassName = c.class
			now := testNow
			for selector, want := range map[string]bool{"shard=east": c.east, "shard!=east": !c.east} {
				h.Shard = shardOf(t, selector, &now)
				whose, err := h.assigned(t.Context(), rel)
				if err != nil || (whose.err == nil) != want {
					t.Errorf("%s: %+v (%v), want ours %v", selector, whose, err, want)
				}
				if !want && whose.wait != c.again {
					t.Errorf("%s: it is asked about again after %s, not %s", selector, whose.wait, c.again)
				}
			}
		})
	}
}

// What is another controller's is not touched, not described, and answered for with where to ask, with a selector and without.
func TestWhatIsAnothersIsLeftToIt(t *testing.T) {
	for _, selector := range []string{"", "shard=east"} {
		rel := testRelease()
		h, now := newHarness(t, rel, classed("default", "east", them)), testNow
		h.Shard = shardOf(t, selector, &now)
		name := client.ObjectKeyFromObject(rel)
		if result, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: name}); err != nil || result != (ctrl.Result{}) {
			t.Errorf("the pass gave %+v, %v", result, err)
		}
		if len(h.writes) > 0 || len(h.ports.calls) > 0 {
			t.Errorf("writes %v, calls %v", h.writes, h.ports.calls)
		}
		if n := testutil.CollectAndCount(releaseCollector{reader: h, ours: h.LooksAfter, lackOf: h.lackOf}); n != 0 {
			t.Errorf("%d series describe it", n)
		}
		const want = "the one in namespace slipway-system has ReleaseClass default"
		_, err := h.Plan(t.Context(), name, "")
		if refusal, is := errors.AsType[*plan.Refusal](err); !is || refusal.Status != http.StatusConflict || !strings.Contains(refusal.Message, want) {
			t.Errorf("the plan is refused with %v", err)
		}
		found, err := h.Checkup(t.Context(), "default")
		if err != nil || found.Count(checkup.Fail) != 1 || !strings.Contains(found.Checks[0].Message, want) {
			t.Errorf("the checkup says %+v (%v)", found, err)
		}
	}
}

// When a class goes in the middle of a pass, nothing goes out any more, and the pass says nothing of what it could not do; also where
// the controller looks after whatever nobody else does: a launch may have waited for its turn for long.
func TestAClassThatGoesTakesItsPermitAlong(t *testing.T) {
	for _, selector := range []string{"shard=east", ""} {
		t.Run(selector, func(t *testing.T) { losesItsClass(t, selector) })
	}
}

func losesItsClass(t *testing.T, selector string) {
	t.Helper()
	rel, class := testRelease(), classed("default", "east", us)
	h, now := newHarness(t, rel, class), testNow
	h.Shard = shardOf(t, selector, &now)
	obs := h.look(t, rel)
	ctx := h.whileOurs(t.Context(), obs)
	_, end, err := cloud.MayChange(ctx)
	if err != nil {
		t.Fatalf("nothing may be changed: %v", err)
	}
	end()
	class.Annotations[v1alpha1.AnnotationController] = them
	if err := h.Update(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	_, _, err = cloud.MayChange(ctx)
	if !errors.Is(err, errElsewhere) || !strings.Contains(err.Error(), them) {
		t.Errorf("after the class went: %v", err)
	}
	if lost := lostClass([]outcome{{}, {err: &cloud.Error{Err: err}}}); !errors.Is(lost, errElsewhere) {
		t.Errorf("the pass ends with %v", lost)
	}
	if _, err := h.observe(t.Context(), rel, false); !errors.Is(err, errElsewhere) {
		t.Errorf("a pass that began before sees: %v", err)
	}
}
