package cli

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// A Release that is Unhealthy because AWS could not be read just now is waited for; one that is is for a person to
// mend.
func TestOneFailedReadingEndsNoWait(t *testing.T) {
	for _, c := range []struct {
		name, stalled, blind string
		done                 bool
	}{
		{"AWS cannot be read", v1alpha1.ReasonUnhealthy, v1alpha1.ReasonServersUnreadable, false},
		{"a server is sick", v1alpha1.ReasonUnhealthy, "", true},
		{"nothing to go back to, and unread", v1alpha1.ReasonNothingToRollBackTo, v1alpha1.ReasonServersUnreadable, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Version: "v1", Phase: v1alpha1.PhaseComplete, PhaseFor: "v1"}}
			r.Status.EffectivePhase = v1alpha1.PhaseComplete
			r.Status.Conditions = []metav1.Condition{
				{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: c.stalled},
				{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: c.stalled, Message: "mend it"},
			}
			if c.blind != "" {
				r.Status.Conditions = append(r.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionBlind, Status: metav1.ConditionTrue, Reason: c.blind})
			}
			got := goals[goalComplete].judge(r, "v1")
			if got.done != c.done || c.done && got.code != ExitStalled {
				t.Errorf("the wait stands at %+v", got)
			}
		})
	}
}

// completeAfter counts only while the phase of this version is Live: no wait for it lasts where nobody says that.
func TestCompleteByItself(t *testing.T) {
	for name, c := range map[string]struct {
		phase    v1alpha1.Phase
		phaseFor string
		done     bool
	}{
		"the phase is Live":      {v1alpha1.PhaseLive, "v1", false},
		"there is none":          {"", "", true},
		"it was for another one": {v1alpha1.PhaseLive, "v0", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Version: "v1", Phase: c.phase, PhaseFor: c.phaseFor}}
			r.Spec.Retention.CompleteAfter = metav1.Duration{Duration: time.Hour}
			r.Status.EffectivePhase, r.Status.Stage = v1alpha1.PhaseLive, "Live"
			r.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonLive}}
			if got := goals[goalComplete].judge(r, "v1"); got.done != c.done || c.done && got.code != ExitDecision {
				t.Errorf("the wait stands at %+v", got)
			}
		})
	}
}
