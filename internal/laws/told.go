package laws

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// oldNews is how old the truth may be that a status tells as it is written.
const oldNews = time.Minute

// Told looks at a status that the controller has written: it is about the generation that the last one was about, or a later one; and
// where it says that production has the declared version, and that version alone, this is so, or was so a moment ago.
func (w *Watch) Told(rel *v1alpha1.Release) {
	w.goesOn(rel)
	ready := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != rel.Generation || rel.DeletionTimestamp != nil ||
		ready.Reason != v1alpha1.ReasonLive && ready.Reason != v1alpha1.ReasonComplete {
		return
	}
	if w.hidden() {
		return
	}
	w.AWS.Look(func(world localaws.World) {
		w.look(world)
		if !w.had(world, rel) {
			w.Add("status: Ready says %s of %s, and for the last %s production was not so: %s", ready.Reason, rel.Spec.Version, oldNews, ready.Message)
		}
	})
}

// hidden: AWS leaves members out of its answers about pools. Nobody can tell then that one of them still is in production; it leaves as
// soon as it is shown, and until then the other laws hold.
func (w *Watch) hidden() bool {
	return slices.ContainsFunc(w.AWS.Faults(), func(f *localaws.FaultHandle) bool {
		text := f.String()
		return strings.HasPrefix(text, "elb") && strings.Contains(text, " missing=") && f.Hits() > 0
	})
}

// had: production has the declared version, alone and whole, or had it a moment ago.
func (w *Watch) had(world localaws.World, rel *v1alpha1.Release) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish, version := w.wishes[rel.UID], string(rel.Spec.Version)
	if wish == nil || len(wish.production) == 0 || versionOf(world, wish.alone) == version {
		return true
	}
	for revision, left := range wish.left {
		if w.Now().Sub(left) <= oldNews && versionOf(world, revision) == version {
			return true
		}
	}
	return false
}
