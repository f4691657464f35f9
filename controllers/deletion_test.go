package controllers

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// A pool of the spec that nobody was ever in holds up no deletion, whatever is wrong with it.
func TestDeletionWaitsForNoPoolThatNobodyWasIn(t *testing.T) {
	rel := testRelease()
	rel.Spec.DeletionPolicy = v1alpha1.DeletionTerminate
	h := newHarness(t, testClass(), rel)
	h.ports.poolErr["resolve "+prodID] = &cloud.Error{Kind: cloud.Invalid, Message: "its targets are of type ip"}
	name := h.declare(t, rel, 1)
	h.run(rel, "i-1", name, rollout.RoleCandidate)
	obs := h.look(t, rel)
	if err := h.remember(t.Context(), obs, edited(obs.input.Memory, name, func(r *rollout.Revision) { r.Pools = []string{testID} })); err != nil {
		t.Fatal(err)
	}
	rel.DeletionTimestamp = &metav1.Time{Time: testNow}
	soft, now := rollout.Soft{Since: map[string]time.Time{}}, testNow
	for range 5 {
		obs = h.look(t, rel)
		obs.input.Soft, obs.input.Now = soft, now
		decision := rollout.Decide(obs.input)
		if slices.ContainsFunc(decision.Actions, func(a rollout.Action) bool { _, is := a.(rollout.Terminate); return is }) {
			return
		}
		soft, now = decision.Soft, now.Add(time.Minute)
	}
	t.Errorf("not terminated within five minutes; pools %+v", obs.input.World.Pools)
}

// Servers that memory does not know of may be in any pool of the spec that the class allows: those are read.
func TestDeletionLooksForServersThatMemoryDoesNotKnow(t *testing.T) {
	rel := testRelease()
	rel.Spec.DeletionPolicy = v1alpha1.DeletionTerminate
	h := newHarness(t, testClass(), rel)
	h.run(rel, "i-adopted", "web-adopted", rollout.RoleStable)
	rel.DeletionTimestamp = &metav1.Time{Time: testNow}
	if pools := h.look(t, rel).input.World.Pools; len(pools) != 2 {
		t.Errorf("pools %+v, want both of the spec", pools)
	}
}

// A claim that is kept, void, while servers are taken over does not win its pool back from whoever claimed it meanwhile; and it
// goes once there are no such servers.
func TestVoidClaimsDoNotComeBack(t *testing.T) {
	rel := testRelease()
	rel.Spec.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{"role": "x"}}
	h := newHarness(t, testClass(), rel)
	now := testNow
	h.Clock = func() time.Time { return now }
	h.declare(t, rel, 1)
	h.run(rel, "i-adopted", "web-adopted", rollout.RoleStable)
	h.ports.addClassic("test", rollout.Member{Server: "i-adopted", State: rollout.MemberHealthy})
	look := func(pools []v1alpha1.Pool, after time.Duration) *observation {
		t.Helper()
		now, rel.Spec.LoadBalancers.Test = now.Add(after), pools
		obs := h.look(t, rel)
		if err := h.remember(t.Context(), obs, obs.input.Memory); err != nil {
			t.Fatal(err)
		}
		return obs
	}
	full := rel.Spec.LoadBalancers.Test
	look(full, 0)
	if claim, kept := look(nil, time.Hour).claims[testID]; !kept || !claim.Void {
		t.Errorf("the claim of a pool that left the spec, with an adopted server in it: %+v, kept %t", claim, kept)
	}
	if claim := look(full, 24*time.Hour).claims[testID]; claim.Void || !claim.Since.Equal(now.UTC()) {
		t.Errorf("named again it is %+v, and now is %s", claim, now)
	}
	h.ports.addClassic("test")
	look(nil, time.Hour)
	if claim, kept := look(nil, time.Hour).claims[testID]; kept {
		t.Errorf("nobody of ours is in the pool, and it is still claimed: %+v", claim)
	}
}

// A process knows that nothing was launched for a Release that it holds as the first, and of no other.
func TestHoldingANewRelease(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*v1alpha1.Release)
		untouched bool
	}{
		"new":         {func(*v1alpha1.Release) {}, true},
		"held before": {func(rel *v1alpha1.Release) { rel.Finalizers = []string{v1alpha1.FinalizerRelease} }, false},
		"let go by a person, and seen before": {func(rel *v1alpha1.Release) {
			rel.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Live"}}
		}, false},
	} {
		rel := testRelease()
		c.change(rel)
		h := newHarness(t, testClass(), rel)
		known := h.soft.of(rel)
		if err := h.hold(t.Context(), rel, known); err != nil {
			t.Fatal(err)
		}
		if known.soft.Untouched != c.untouched {
			t.Errorf("%s: untouched %t", name, known.soft.Untouched)
		}
	}
}
