package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	held := func(s *v1alpha1.ReleaseSpec) {
		s.Version = "v3" // committed together with the pool, so it was never looked up
		s.Override = &v1alpha1.PhaseOverride{Phase: v1alpha1.PhaseRolledBack, ExpiresAt: metav1.NewTime(testNow.Add(time.Hour))}
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
		"servers that ended were in that pool":              {phase(v1alpha1.PhaseRolledBack, ""), inside, true},
		"it has no pool of its own":                         {alone, live, false},
		"its override names what is Live":                   {held, live, true},
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
			if override := rel.Spec.Override; override != nil {
				override.Revision = candidate
			}
			if !strings.Contains(name, "ended") {
				h.run(rel, "i-2", candidate, rollout.RoleCandidate)
			}
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

// A fleet that ended gives no right to the pools that it was in, also while EC2 cannot be read.
func TestAFormerPoolIsNotEnteredUnseen(t *testing.T) {
	rel, other := testRelease(), rival()
	h := newHarness(t, testClass(), rel, other)
	theirs := v1alpha1.Pool{Name: "theirs", Classic: &v1alpha1.ClassicLoadBalancer{Name: "theirs"}}
	other.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{theirs}}
	if err := h.Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	theirsID := h.ports.addClassic("theirs", rollout.Member{Server: "i-9", State: rollout.MemberHealthy})
	h.run(other, "i-9", h.declare(t, other, 1), rollout.RoleStable)
	former := h.declare(t, rel, 1)
	rel.Spec.Version = "v2"
	h.run(rel, "i-1", h.declare(t, rel, 2), rollout.RoleStable)
	obs := h.look(t, rel)
	next := edited(obs.input.Memory, former, func(r *rollout.Revision) { r.Pools = []string{theirsID} })
	if err := h.remember(t.Context(), obs, next); err != nil {
		t.Fatal(err)
	}
	rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, theirs)
	for _, unread := range []error{nil, errUnanswered} {
		h.ports.sweep = unread
		for _, poolErr := range []error{nil, errUnanswered} {
			h.ports.poolErr[theirsID] = poolErr
			if refused := h.look(t, rel).input.Spec.Refused; !tells(refused, rollout.ReasonPoolHeldByAnother, "pay/checkout") {
				t.Errorf("EC2: %v, the pool: %v: refused %+v, want the holder named", unread, poolErr, refused)
			}
		}
	}
}

// Servers stay in a pool that left the spec until their version is retired. That a newer version was never in it takes nothing of
// their right, whether the pool can be read or not, and before EC2 was read too.
func TestAVoidClaimHoldsAPoolThatCannotBeSeen(t *testing.T) {
	rel, other := testRelease(), rival()
	h := newHarness(t, testClass(), rel, other)
	rel.Spec.LoadBalancers = other.Spec.LoadBalancers
	h.declare(t, other, 1)
	obs := h.look(t, other)
	void := map[string]poolClaim{prodID: {Since: testNow.Add(-time.Hour), Use: rollout.UseProduction, Ref: "classic/prod", Void: true}}
	text, err := claimsText(void)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.writeAnnotation(t.Context(), obs.newest(), annotationClaims, text); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		members []rollout.Member
		unread  error
		refused bool
	}{
		"it cannot be read":                 {nil, errUnanswered, true},
		"nobody is in it":                   {nil, nil, false},
		"somebody that EC2 has not told of": {[]rollout.Member{{Server: "i-9", State: rollout.MemberHealthy}}, nil, true},
	} {
		h.ports.addClassic("prod", c.members...)
		h.ports.poolErr[prodID] = c.unread
		if refused := h.look(t, rel).input.Spec.Refused; refused.Some() != c.refused || c.refused && !tells(refused, rollout.ReasonPoolHeldByAnother, "pay/checkout") {
			t.Errorf("%s: refused %+v", name, refused)
		}
	}
}
