package cli

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// A manager of today repeats the word to try again; of one that does not, what has changed since tells that it has gone on.
func TestSeen(t *testing.T) {
	changed := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	before, after := changed.Add(-time.Hour), changed.Add(time.Hour)
	written := func(at time.Time) string { return at.Format(time.RFC3339Nano) }
	byHand := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	for name, row := range map[string]struct {
		generation      int64 // that was observed, of 2
		asked, observed string
		want            bool
	}{
		"never asked":                      {2, "", "", true},
		"another spec":                     {1, "", "", false},
		"another spec, answered":           {1, written(before), written(before), false},
		"answered":                         {2, written(after), written(after), true},
		"taken back, not answered":         {2, "", written(before), false},
		"asked again, not answered":        {2, written(after), written(before), false},
		"asked again long ago":             {2, written(before), written(before.Add(-time.Hour)), false}, // this manager would say so
		"first word, not answered":         {2, written(after), "", false},
		"first word by hand, not answered": {2, byHand(after), "", false},
		"an older manager":                 {2, written(before), "", true},
		"an older manager, by hand":        {2, byHand(before), "", true},
		"an older manager, at once":        {2, written(changed.Add(999 * time.Millisecond)), "", true},
		"an older manager, no time":        {2, "again", "", true},
		"an older manager, a number":       {2, "1", "", true},
		"an older manager, another spec":   {1, written(before), "", false},
	} {
		r := &v1alpha1.Release{}
		r.Generation, r.Status.ObservedGeneration, r.Status.ObservedRetry = 2, row.generation, row.observed
		if row.asked != "" {
			r.Annotations = map[string]string{v1alpha1.AnnotationRetry: row.asked}
		}
		r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, LastTransitionTime: metav1.NewTime(changed)}}
		if got := seen(r); got != row.want {
			t.Errorf("%s: seen is %v and should be %v", name, got, row.want)
		}
	}
}

// No command that is printed while an override counts is refused because of it: at rest, Stalled, in a wait and in a refusal.
func TestCommandsUnderAnOverride(t *testing.T) {
	rested := read(t, "testdata/releases/override.yaml")
	held := rested.DeepCopy() // servers do not go back as the override asks
	held.Status.Conditions = append(held.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonUnhealthy, LastTransitionTime: held.CreationTimestamp})
	kept := read(t, "testdata/releases/live.yaml") // Live by an override, sick, and Stalled
	kept.Spec.Override = rested.Spec.Override.DeepCopy()
	kept.Spec.Override.Phase, kept.Spec.Phase = v1alpha1.PhaseLive, v1alpha1.PhasePreview
	kept.Status.EffectivePhase, kept.Status.EffectivePhaseReason = v1alpha1.PhaseLive, v1alpha1.EffectiveByOverride
	for i := range kept.Status.Conditions {
		if c := &kept.Status.Conditions[i]; c.Type == v1alpha1.ConditionReady || c.Type == v1alpha1.ConditionStalled {
			c.Reason, c.Status = v1alpha1.ReasonUnhealthy, metav1.ConditionTrue
		}
	}
	printed := regexp.MustCompile(`kubectl slipway (promote|rollback|complete) \S+ -n \S+((?: --[a-z-]+)*)`)
	seen := map[string]bool{}
	for name, r := range map[string]*v1alpha1.Release{"rolled back": rested, "rolled back and stalled": held, "live and sick": kept} {
		for _, line := range printed.FindAllStringSubmatch(told(r), -1) {
			seen[name+": "+line[1]] = true
			f := &phaseFlags{endOverride: strings.Contains(line[2], "--end-override"), override: strings.HasSuffix(line[2], "--override")}
			f.force = strings.Contains(line[2], "--force")
			v := verbs[slices.IndexFunc(verbs, func(v verb) bool { return v.name == line[1] })]
			if err := (phaseChange{v, f, time.Now}).overridden(r); err != nil {
				t.Errorf("%s: %s is printed, and: %v", name, line[0], err)
			}
		}
	}
	for _, want := range []string{"rolled back: promote", "rolled back and stalled: promote", "live and sick: rollback", "live and sick: complete"} {
		if !seen[want] {
			t.Errorf("%s is not printed: %v", want, seen)
		}
	}
}

// The first version that is late in production waits for no word: nobody is told to say it, and whoever does is told what it waits for.
func TestTheFirstVersionNeedsNoRetry(t *testing.T) {
	r := read(t, "testdata/releases/first-promotion-failed.yaml")
	if text := told(r); strings.Contains(text, "slipway retry") || strings.Contains(text, "not by itself") || !strings.Contains(text, "goes Live") {
		t.Errorf("it is told to try again, or not what it waits for:\n%s", text)
	}
	if waitsForRetry(r) {
		t.Error("retry says that it clears something")
	}
	if r := read(t, "testdata/releases/promotion-failed.yaml"); !waitsForRetry(r) || !strings.Contains(told(r), "slipway retry") {
		t.Error("a later version needs it")
	}
}
