package cli

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// What the pools had when they were read last is of before what is being done to them: a rollback is told by what is under way.
func TestRollbackBelievesNoCountWhileProductionChanges(t *testing.T) {
	const onItsWay, alone = "v2 is on its way into production", "production has v1 alone already"
	paused := func(r *v1alpha1.Release) { r.Spec.Paused, r.Status.Stage = true, stagePaused }
	for name, row := range map[string]struct {
		fixture     string
		change      func(*v1alpha1.Release)
		says, never string
	}{
		"nobody registered yet": {"promoting", func(*v1alpha1.Release) {}, onItsWay, alone},
		"held half way":         {"promoting", paused, onItsWay, alone},
		"held before it began":  {"previewing-for-live", paused, alone, onItsWay},
		"asked for, not begun":  {"previewing-for-live", func(*v1alpha1.Release) {}, onItsWay, alone},
		"asked for, not seen": {"preview", func(r *v1alpha1.Release) {
			r.Spec.Phase, r.Spec.PhaseFor, r.Generation = v1alpha1.PhaseLive, "v2", r.Generation+1
		}, onItsWay, alone},
		"another version asked for, not seen": {"preview", func(r *v1alpha1.Release) {
			r.Spec.Version, r.Spec.Phase, r.Spec.PhaseFor, r.Generation = "v3", v1alpha1.PhaseLive, "v3", r.Generation+1
		}, alone, onItsWay},
		"not asked for": {"preview", func(*v1alpha1.Release) {}, alone, onItsWay},
		"a promotion that ended": {"preview", func(r *v1alpha1.Release) {
			paused(r)
			at := metav1.NowMicro()
			r.Status.LastTransition = &v1alpha1.Transition{What: transitionPromotion, Started: &at, Ended: &at}
		}, alone, onItsWay},
		"the stable version seen where it leaves": {"switching", func(r *v1alpha1.Release) {
			for i := range r.Status.Pools {
				if pool := &r.Status.Pools[i]; pool.Role == v1alpha1.PoolRoleProduction {
					pool.Fleets = []v1alpha1.PoolFleetStatus{{Revision: r.Status.Stable.Revision, Registered: 2}, {Revision: r.Status.Candidate.Revision, Registered: 2}}
				}
			}
		}, "registers 2 servers of v1 in production pool edge (classic edge)", onItsWay},
	} {
		r := read(t, "testdata/releases/"+row.fixture+".yaml")
		row.change(r)
		told := rollbackEffects(r)
		has := func(words string) bool {
			return slices.ContainsFunc(told, func(line string) bool { return strings.Contains(line, words) })
		}
		if !has(row.says) || has(row.never) {
			t.Errorf("%s: to say %q and not %q:\n%s", name, row.says, row.never, strings.Join(told, "\n"))
		}
	}
}

// Complete of what is the stable version already ends none of its servers, and says so; one that is declared anew and not recorded yet will.
func TestCompleteOfTheStableVersion(t *testing.T) {
	r := read(t, "testdata/releases/complete.yaml")
	if told := strings.Join(completeEffects(r), "\n"); !strings.Contains(told, "v1 is the stable version already") || strings.Contains(told, "for good") {
		t.Errorf("settled: %s", told)
	}
	r.Status.AllowedPhases = []v1alpha1.Phase{v1alpha1.PhasePreview, v1alpha1.PhaseLive, v1alpha1.PhaseComplete} // as while a new template is looked up
	if told := strings.Join(completeEffects(r), "\n"); !strings.Contains(told, "terminates v1 (2 servers) for good") {
		t.Errorf("with another revision on its way: %s", told)
	}

	// It was declared again while it was Live, beside a newer one: the fleet to fall back to is the one from before.
	r.Status.Retired = []v1alpha1.FleetStatus{{Revision: "web-0", Version: "v0", Running: 2}}
	for does, told := range map[string][]string{
		"terminates v0 (2 servers), the fleet from before, for good": completeEffects(r),
		"keeps v0 (2 servers), the fleet from before, running":       promoteEffects(r),
	} {
		if text := strings.Join(told, "\n"); !strings.Contains(text, does) || strings.Contains(text, "terminates v1") || strings.Contains(text, "launched, looked at") {
			t.Errorf("to say %q, and nothing of v1's end:\n%s", does, text)
		}
	}
}

func TestRollbackWhereNothingMayBeCalled(t *testing.T) {
	r := read(t, "testdata/releases/promoting.yaml")
	r.Status.Stage = stageRefused
	told := strings.Join(rollbackEffects(r), "\n")
	if !strings.Contains(told, "no call is made") || strings.Contains(told, "alone already") || strings.Contains(told, "registers") {
		t.Error(told)
	}
}
