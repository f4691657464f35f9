//go:build !race

package safety

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// TestFieldsThereAndBack changes every field of a Release to each of its other values and back, when it is Complete. After each
// edit the world comes to rest, or the API refuses it in words; after the way back everything is as it was.
func TestFieldsThereAndBack(t *testing.T) {
	all, err := fieldsOf("../../config/crd/bases/slipway.dev_releases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		var edits []change
		for _, value := range f.values() {
			edits = append(edits, func(w *e2e.World, spec *v1alpha1.ReleaseSpec) {
				changed, err := with(*spec, f, value)
				if err != nil {
					w.Fatalf("%s = %v: %v", f.path, value, err)
				}
				*spec = changed
			})
		}
		edits = append(edits, changes[f.path]...)
		if len(edits) == 0 {
			t.Errorf("nothing is known that %s could be: add it to the table in fields.go", f.path)
		}
		t.Run(f.path, func(t *testing.T) {
			t.Parallel()
			total.add(func(r *report) { r.Fields++ })
			thereAndBack(t, "release/"+f.path, func(w *e2e.World, there func(func(), func())) {
				for _, edit := range edits {
					was := w.Release("web").Spec
					there(func() {
						tryEdit(w, func(spec *v1alpha1.ReleaseSpec) {
							f.ground(spec, w)
							edit(w, spec)
						})
					}, func() { goBack(w, was) })
				}
			})
		})
	}
}

// TestClassFieldsThereAndBack does the same with the ReleaseClass.
func TestClassFieldsThereAndBack(t *testing.T) {
	all, err := fieldsOf("../../config/crd/bases/slipway.dev_releaseclasses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		edits := classChanges[f.path]
		for _, value := range f.values() {
			if !strings.Contains(f.path, "[]") {
				edits = append(edits, func(spec *v1alpha1.ReleaseClassSpec) { *spec, _ = with(*spec, f, value) })
			}
		}
		if len(edits) == 0 {
			t.Errorf("nothing is known that %s could be: add it to the table in fields.go", f.path)
		}
		t.Run(f.path, func(t *testing.T) {
			t.Parallel()
			total.add(func(r *report) { r.Fields++ })
			thereAndBack(t, "class/"+f.path, func(w *e2e.World, there func(func(), func())) {
				for _, edit := range edits {
					there(func() { refusable(w, w.TryEditClass(func(c *v1alpha1.ReleaseClass) { edit(&c.Spec) })) },
						func() { refusable(w, w.TryEditClass(func(c *v1alpha1.ReleaseClass) { c.Spec = w.NewClass().Spec })) })
				}
			})
		})
	}
}

// thereAndBack plays edits in a world where v1 is complete: each there, and back.
func thereAndBack(t *testing.T, name string, play func(w *e2e.World, there func(edit, back func()))) {
	why := alone(t, name, false, func(p *player) {
		w := newLife(p, false).w
		script := e2e.Script("").Inline
		w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, StringData: map[string]string{"script": script, "other": script}})
		w.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, Data: map[string]string{"script": script, "other": script}})
		w.Settled()
		w.Pass(quietly)
		before := summary(w)
		play(w, func(edit, back func()) {
			edit()
			w.UntilWithin("it comes to rest after the edit", recovers, func() bool { return atRest(w) })
			w.Pass(quietly)
			back()
			w.UntilWithin("it comes to rest after the way back", recovers, func() bool { return w.Ready("web") })
			w.Pass(3 * quietly)
			if after := summary(w); after != before {
				w.Fatalf("there and back it is\n%s\nand was\n%s\n%s", after, before, w.Story())
			}
			w.Quiet(quietly)
		})
	})
	if why != "" {
		total.add(func(r *report) {
			r.Violations++
			r.Failed = append(r.Failed, "field/"+name)
		})
		t.Error(why)
	}
}

// summary is the world, but for the pools that an edit named for a while: servers are not taken out of a pool that leaves the spec
// before they end, because nobody knows whether something else sends requests there by now.
func summary(w *e2e.World) string {
	lines := strings.SplitAfter(w.Summary(), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "pool other") }), "")
}

// atRest: it is Ready, or Stalled, or paused, and says why.
func atRest(w *e2e.World) bool {
	stalled, reconciling := w.Condition("web", v1alpha1.ConditionStalled), w.Condition("web", v1alpha1.ConditionReconciling)
	return w.Ready("web") || w.Is("web", v1alpha1.ConditionStalled) && stalled.Message != "" ||
		w.Is("web", v1alpha1.ConditionReconciling) && reconciling.Reason == v1alpha1.ReasonPaused && reconciling.Message != ""
}

// goBack makes the spec what it was. What was rolled back cannot be completed at once, and the refusal says so: it goes by Live.
func goBack(w *e2e.World, was v1alpha1.ReleaseSpec) {
	back := func(phase v1alpha1.Phase) error {
		return w.TryEdit("web", func(rel *v1alpha1.Release) { rel.Spec = was; rel.Spec.Phase = phase })
	}
	if err := back(was.Phase); err != nil && strings.Contains(err.Error(), "set phase: Live") {
		refusable(w, back(v1alpha1.PhaseLive))
		refusable(w, back(was.Phase))
	}
}

func tryEdit(w *e2e.World, edit func(spec *v1alpha1.ReleaseSpec)) {
	refusable(w, w.TryEdit("web", func(rel *v1alpha1.Release) { edit(&rel.Spec) }))
}

// refusable: the API may refuse an edit by a rule, in words.
func refusable(w *e2e.World, err error) {
	if err != nil && !apierrors.IsInvalid(err) {
		w.Fatalf("an edit is refused, and not by a rule: %v", err)
	}
}
