package cli

import (
	"strconv"
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
