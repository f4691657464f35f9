package cli

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// What comes after an override is what the controller says: a verdict holds, and what is Live stays so where no phase counts.
func TestAfterOverride(t *testing.T) {
	const again = " by itself unless spec.phase says something else by then"
	for want, c := range map[string]struct {
		now, then  v1alpha1.Phase // before an override counts, and while one does
		overriding v1alpha1.Phase
	}{
		"then Live counts again, and version v2 goes back into production" + again:     {v1alpha1.PhaseLive, "", v1alpha1.PhaseRolledBack},
		"then Complete counts again, and version v2 goes back into production" + again: {"", v1alpha1.PhaseComplete, v1alpha1.PhaseRolledBack},
		"then Preview counts again, and version v2 leaves production" + again:          {v1alpha1.PhasePreview, "", v1alpha1.PhaseLive},
		"then RolledBack counts again":                                                 {"", v1alpha1.PhaseRolledBack, v1alpha1.PhaseRolledBack},
		"then no phase counts again":                                                   {"", "", v1alpha1.PhaseLive},
	} {
		r := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Version: "v2", Phase: v1alpha1.PhaseLive}}
		r.Status.EffectivePhase = c.now
		if c.now == "" {
			r.Status.EffectivePhaseReason, r.Status.EffectivePhase, r.Status.PhaseAfterOverride = v1alpha1.EffectiveByOverride, c.overriding, c.then
		}
		if got := afterOverride(r, c.overriding); got != want {
			t.Errorf("%q, to be %q", got, want)
		}
	}
}

// underOverride is web, whose Live candidate v2 is held back by an override that ends in less than an hour.
func underOverride(now time.Time) *v1alpha1.Release {
	r := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Version: "v2", Phase: v1alpha1.PhaseLive, PhaseFor: "v2", Override: &v1alpha1.PhaseOverride{
		Revision: "web-v2", Phase: v1alpha1.PhaseRolledBack, ExpiresAt: metav1.NewTime(now.Add(50 * time.Minute)),
	}}}
	r.Name = "web"
	r.Status.Candidate = &v1alpha1.FleetStatus{Revision: "web-v2", Version: "v2"}
	r.Status.EffectivePhase, r.Status.EffectivePhaseReason = v1alpha1.PhaseRolledBack, v1alpha1.EffectiveByOverride
	r.Status.AllowedPhases = []v1alpha1.Phase{v1alpha1.PhaseLive}
	return r
}

// Who is told that the override ends writes one that lasts longer: that it is RolledBack already is no reason not to.
func TestAnOverrideIsWrittenAnew(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	p := phaseChange{verb{name: "rollback", phase: v1alpha1.PhaseRolledBack}, &phaseFlags{override: true, expires: 24 * time.Hour},
		func() time.Time { return now }}
	r := underOverride(now)
	if nothing, err := p.check(r); nothing != "" || err != nil {
		t.Fatalf("unchanged: %q, %v", nothing, err)
	}
	spec, _ := p.patch(r)["spec"].(map[string]any)
	override, _ := spec["override"].(map[string]any)
	if want := "2026-11-23T09:00:00Z"; override["expiresAt"] != want {
		t.Errorf("the patch is %v, to end at %s", spec, want)
	}
}

// An override counts for a revision. Of a version that has none yet it would hold nothing back.
func TestNoOverrideForAnotherVersion(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	r := underOverride(now)
	r.Spec.Version, r.Spec.PhaseFor, r.Spec.Override, r.Generation = "v3", "v3", nil, 7 // which nobody has seen yet
	r.Status.EffectivePhase, r.Status.EffectivePhaseReason = v1alpha1.PhaseLive, v1alpha1.EffectiveBySpec
	p := phaseChange{verb{name: "rollback", phase: v1alpha1.PhaseRolledBack}, &phaseFlags{override: true, expires: time.Hour},
		func() time.Time { return now }}
	_, err := p.check(r)
	if err == nil || !strings.Contains(err.Error(), "version v3, which is declared, has none yet") || !strings.Contains(err.Error(), "pause") {
		t.Errorf("not refused: %v", err)
	}
	p.flags = &phaseFlags{force: true}
	if nothing, err := p.check(r); nothing != "" || err != nil {
		t.Errorf("without an override: %q, %v", nothing, err)
	}
}
