//go:build !race

package safety

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// TestFieldsThereAndBack changes every field of a Release to each of its other values and back, when it is Complete. After each
// edit the world comes to rest, or the API refuses it in words; after the way back everything is as it was.
func TestFieldsThereAndBack(t *testing.T) { playFields(t, releaseFields(t)) }

// TestClassFieldsThereAndBack does the same with the ReleaseClass.
func TestClassFieldsThereAndBack(t *testing.T) { playFields(t, classFields(t)) }

func playFields(t *testing.T, all []fieldEdits) {
	for _, f := range all {
		if len(f.edits) == 0 {
			t.Errorf("nothing is known that %s could be: add it to the table in fields.go", f.name)
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			why, came := f.thereAndBack(t, false)
			if why == "" {
				why = f.vain(came)
			}
			total.add(func(r *report) {
				r.Fields++
				r.FieldEdits += len(f.edits)
				r.FieldEditsRefused += came[declined]
				r.FieldEditsIdle += came[vacuous]
				if fixed[f.name] != "" {
					r.FieldsFixed++
				}
				if why != "" {
					r.Violations++
					r.Failed = append(r.Failed, "field/"+f.name)
				}
			})
			if why != "" {
				t.Errorf("%s\nagain: make repro SEED='field/%s'", why, f.name)
			}
		})
	}
}

// fieldEdits are what is done to one field, of a Release or of its class.
type fieldEdits struct {
	name  string
	edits []func(w *e2e.World) (there outcome, back func())
}

// outcome is what becomes of an edit.
type outcome int

const (
	edited   outcome = iota
	declined         // by a rule of the API, in words
	vacuous          // the field was so already
	outcomes
)

func releaseFields(t *testing.T) (all []fieldEdits) {
	fields, err := fieldsOf("../../config/crd/bases/slipway.dev_releases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		edits := make([]change, 0, len(changes[f.path]))
		for _, value := range f.values() {
			edits = append(edits, func(w *e2e.World, spec *v1alpha1.ReleaseSpec) {
				changed, err := with(*spec, f, value)
				if err != nil {
					w.Fatalf("%s = %v: %v", f.path, value, err)
				}
				*spec = changed
			})
		}
		of := fieldEdits{name: "release/" + f.path}
		for _, edit := range append(edits, changes[f.path]...) {
			of.edits = append(of.edits, func(w *e2e.World) (outcome, func()) {
				was, same := w.Release("web").Spec, false
				err := w.TryEdit("web", func(rel *v1alpha1.Release) {
					f.ground(&rel.Spec, w)
					before := rel.Spec.DeepCopy()
					edit(w, &rel.Spec)
					same = equality.Semantic.DeepEqual(*before, rel.Spec)
				})
				return outcomeOf(w, err, same), func() { goBack(w, was) }
			})
		}
		all = append(all, of)
	}
	return all
}

func classFields(t *testing.T) (all []fieldEdits) {
	fields, err := fieldsOf("../../config/crd/bases/slipway.dev_releaseclasses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		edits := classChanges[f.path]
		for _, value := range f.values() {
			if !strings.Contains(f.path, "[]") {
				edits = append(edits, func(spec *v1alpha1.ReleaseClassSpec) { *spec, _ = with(*spec, f, value) })
			}
		}
		of := fieldEdits{name: "class/" + f.path}
		for _, edit := range edits {
			of.edits = append(of.edits, func(w *e2e.World) (outcome, func()) {
				same := false
				err := w.TryEditClass(func(c *v1alpha1.ReleaseClass) {
					before := c.Spec.DeepCopy()
					edit(&c.Spec)
					same = equality.Semantic.DeepEqual(*before, c.Spec)
				})
				return outcomeOf(w, err, same), func() {
					w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec = w.NewClass().Spec })
				}
			})
		}
		all = append(all, of)
	}
	return all
}

func outcomeOf(w *e2e.World, err error, same bool) outcome {
	switch {
	case apierrors.IsInvalid(err):
		return declined
	case err != nil:
		w.Fatalf("an edit is refused, and not by a rule: %v", err)
	case same:
		return vacuous
	}
	return edited
}

// thereAndBack plays the edits in a world where v1 is complete, each there and back, and gives what it failed with, and how many edits
// came to what.
func (f fieldEdits) thereAndBack(t *testing.T, tell bool) (why string, came [outcomes]int) {
	why = alone(t, f.name, tell, func(p *player) {
		w := newLife(p, false).w
		script := e2e.Script("").Inline
		w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, StringData: map[string]string{"script": script, "other": script}})
		w.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace}, Data: map[string]string{"script": script, "other": script}})
		w.Settled()
		w.Pass(quietly)
		before := summary(w)
		for n, edit := range f.edits {
			there, back := edit(w)
			came[there]++
			p.Logf("edit %d of %d: %s", n+1, len(f.edits), []string{"edited", "declined", "vacuous"}[there])
			w.UntilWithin("it comes to rest after the edit", recovers, func() bool { return atRest(w) })
			w.Pass(quietly)
			back()
			w.UntilWithin("it comes to rest after the way back", recovers, func() bool { return w.Ready("web") })
			w.Pass(3 * quietly)
			if after := summary(w); after != before {
				w.Fatalf("there and back it is\n%s\nand was\n%s\n%s", after, before, w.Story())
			}
			w.Quiet(quietly)
		}
		p.Logf("%s", w.Story())
	})
	return why, came
}

// vain says what is wrong where no edit changed the field, or one changed a field that none may; empty where nothing is.
func (f fieldEdits) vain(came [outcomes]int) string {
	switch why := fixed[f.name]; {
	case why == "" && came[edited] == 0:
		return fmt.Sprintf("none of %d edits changes anything, %d are refused: nothing was tried", len(f.edits), came[declined])
	case why != "" && came[edited] > 0:
		return fmt.Sprintf("%d of %d edits change it, and the table in fields.go says that none may: %s", came[edited], len(f.edits), why)
	}
	return ""
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
	err := back(was.Phase)
	if err != nil && strings.Contains(err.Error(), "set phase: Live") {
		err = errors.Join(back(v1alpha1.PhaseLive), back(was.Phase))
	}
	if err != nil {
		w.Fatalf("the way back is refused: %v", err)
	}
}
