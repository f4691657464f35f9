package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func TestSourcesThatMoved(t *testing.T) {
	source := cloud.ImageSource{SSMParameter: "/images/web"}
	moved := func(h *harness) { h.ports.images[source] = cloud.Image{ID: "ami-2", Owner: testAccount} }
	edit := func(t *testing.T, h *harness) {
		secret := fetch(t, h, &corev1.Secret{}, "shop", "boot")
		secret.Data["userdata"] = []byte("s3cret two")
		if err := h.Update(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		change func(*testing.T, *harness)
		words  []string
	}{
		"nothing":       {func(*testing.T, *harness) {}, nil},
		"Secret edited": {edit, []string{"Secret boot", "v1"}},
		"Secret deleted": {func(t *testing.T, h *harness) {
			if err := h.Delete(t.Context(), bootSecret("")); err != nil {
				t.Fatal(err)
			}
		}, []string{"Secret shop/boot"}},
		"parameter":   {func(_ *testing.T, h *harness) { moved(h) }, []string{"ami-2", "ami-1"}},
		"both":        {func(t *testing.T, h *harness) { moved(h); edit(t, h) }, []string{"Secret boot", "ami-2"}},
		"SSM is down": {func(_ *testing.T, h *harness) { moved(h); h.ports.imageErr = errUnanswered }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rel := releaseWith(fromSecret)
			rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: "/images/web"}
			h := newHarness(t, testClass(), rel, bootSecret("s3cret one"))
			h.ports.images[source] = cloud.Image{ID: "ami-1", Owner: testAccount}
			revision := h.declare(t, rel, 1)
			h.look(t, rel)
			test.change(t, h)
			h.Clock = func() time.Time { return testNow.Add(compareEvery) }
			obs := h.look(t, rel)
			if obs.input.Spec.Target != revision {
				t.Errorf("target %q: a source that moved starts a deploy", obs.input.Spec.Target)
			}
			for _, word := range test.words {
				if !strings.Contains(obs.sourceDiffers, word) {
					t.Errorf("%q does not say %q", obs.sourceDiffers, word)
				}
			}
			if (obs.sourceDiffers == "") != (test.words == nil) || strings.Contains(obs.sourceDiffers, "s3cret") {
				t.Errorf("got %q", obs.sourceDiffers)
			}
		})
	}
}

// Sources are looked at every five minutes, what was found is told in between, and nothing is looked at while production
// changes.
func TestSourcesAreLookedAtSeldom(t *testing.T) {
	rel := testRelease()
	rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: "/images/web"}
	h := newHarness(t, testClass(), rel)
	source := cloud.ImageSource{SSMParameter: "/images/web"}
	h.ports.images[source] = cloud.Image{ID: "ami-1", Owner: testAccount}
	name := h.declare(t, rel, 1)
	now := testNow
	h.Clock = func() time.Time { return now }
	looks := func(at time.Duration) (differs string, looked bool) {
		now, h.ports.calls = testNow.Add(at), nil
		obs := h.look(t, rel)
		return obs.sourceDiffers, slices.Contains(h.ports.calls, "Image")
	}
	if _, looked := looks(0); looked {
		t.Error("what was just resolved is looked up again")
	}
	h.ports.images[source] = cloud.Image{ID: "ami-2", Owner: testAccount}
	if differs, looked := looks(4 * time.Minute); looked || differs != "" {
		t.Errorf("looked %v, %q", looked, differs)
	}
	if differs, looked := looks(5 * time.Minute); !looked || differs == "" {
		t.Errorf("looked %v, %q", looked, differs)
	}
	if differs, looked := looks(6 * time.Minute); looked || differs == "" {
		t.Errorf("looked %v, %q: what was found is forgotten", looked, differs)
	}
	rel.Spec.Phase = v1alpha1.PhaseLive
	if _, looked := looks(time.Hour); looked {
		t.Error("a promotion waits for SSM")
	}
	obs := h.look(t, rel)
	if err := h.remember(t.Context(), obs, edited(obs.input.Memory, name, func(r *rollout.Revision) { r.LiveAt = testNow })); err != nil {
		t.Fatal(err)
	}
	if _, looked := looks(time.Hour); !looked {
		t.Error("a Live Release does not look")
	}
	rel.DeletionTimestamp = &metav1.Time{Time: testNow}
	if differs, looked := looks(2 * time.Hour); looked || differs != "" || len(h.sources.last) > 0 {
		t.Errorf("looked %v, %q for a Release that is being deleted; remembered %v", looked, differs, h.sources.last)
	}
}
