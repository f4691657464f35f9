package controllers

import (
	"testing"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// A pool of another Release that comes into the spec forbids every call; only who goes back goes on without it, through the pools
// that are its own.
func TestAPoolOfAnotherReleaseOnTheWayBack(t *testing.T) {
	const theirsID = "classic/eu-central-1/theirs"
	phase := func(phase v1alpha1.Phase, phaseFor string) func(*v1alpha1.ReleaseSpec) {
		return func(s *v1alpha1.ReleaseSpec) { s.Phase, s.PhaseFor = phase, phaseFor }
	}
	alone := func(s *v1alpha1.ReleaseSpec) {
		s.Phase, s.LoadBalancers.Production = v1alpha1.PhaseRolledBack, s.LoadBalancers.Production[1:]
	}
	fresh := func(*rollout.Revision) {}
	live := func(r *rollout.Revision) { r.LiveAt = testNow.Add(-time.Hour) }
	condemned := func(r *rollout.Revision) { live(r); r.Verdict.Reason = rollout.ReasonAutoRolledBack }
	inside := func(r *rollout.Revision) { live(r); r.Pools = []string{theirsID} }
	for name, test := range map[string]struct {
		spec      func(*v1alpha1.ReleaseSpec)
		candidate func(*rollout.Revision)
		goesOn    bool
	}{
		"on the way forward": {phase(v1alpha1.PhaseLive, ""), live, false},
		"a person goes back": {phase(v1alpha1.PhaseRolledBack, ""), live, true},
		"a verdict does":     {phase(v1alpha1.PhaseLive, ""), condemned, true},
		"RolledBack of a former version, and one is Live":   {phase(v1alpha1.PhaseRolledBack, "v0"), live, true},
		"RolledBack of a former version, and nothing began": {phase(v1alpha1.PhaseRolledBack, "v0"), fresh, false},
		"its servers were in that pool":                     {phase(v1alpha1.PhaseRolledBack, ""), inside, false},
		"it has no pool of its own":                         {alone, live, false},
	} {
		t.Run(name, func(t *testing.T) {
			rel, other := testRelease(), rival()
			h := newHarness(t, testClass(), rel, other)
			h.ports.addClassic("theirs")
			theirs := v1alpha1.Pool{Name: "theirs", Classic: &v1alpha1.ClassicLoadBalancer{Name: "theirs"}}
			other.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{theirs}}
			if err := h.Update(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			h.declare(t, other, 1)
			stable := h.declare(t, rel, 1)
			rel.Spec.Version = "v2"
			candidate := h.declare(t, rel, 2)
			obs := h.look(t, rel)
			next := edited(obs.input.Memory, stable, func(r *rollout.Revision) { r.StableSeq = 1 })
			if err := h.remember(t.Context(), obs, edited(next, candidate, test.candidate)); err != nil {
				t.Fatal(err)
			}
			rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, theirs)
			test.spec(&rel.Spec)
			spec := h.look(t, rel).input.Spec
			if goesOn := spec.Contested.Some() && !spec.Refused.Some(); goesOn != test.goesOn {
				t.Errorf("contested %+v, refused %+v", spec.Contested, spec.Refused)
			}
			if !test.goesOn && !tells(spec.Refused, rollout.ReasonPoolHeldByAnother, "pay/checkout") {
				t.Errorf("refused %+v, want the holder named", spec.Refused)
			}
		})
	}
}
