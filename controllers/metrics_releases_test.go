package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// What production lacks is what the last pass over this very object found, for as long as that can be believed.
func TestLackIsShown(t *testing.T) {
	rel := describedRelease("web", "RolledBack", metav1.ConditionTrue)
	h := newHarness(t, rel)
	now := testNow
	h.Clock = func() time.Time { return now }
	collector := releaseCollector{reader: h, lackOf: h.lackOf}
	check := func(when, want string) {
		t.Helper()
		if want != "" {
			want = "# HELP slipway_release_production_lack_servers How many healthy servers a Release's worst production pool lacks to have as many as " +
				"asked for; missing where none serves, or nobody can tell.\n# TYPE slipway_release_production_lack_servers gauge\n" +
				"slipway_release_production_lack_servers{name=\"web\",namespace=\"shop\"} " + want + "\n"
		}
		if err := testutil.CollectAndCompare(collector, strings.NewReader(want), "slipway_release_production_lack_servers"); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	note := func(lack *int) {
		obs := &observation{}
		obs.input.Now = now
		h.noteReading(rel, obs, rollout.Decision{Report: rollout.Report{Lack: lack}}, nil)
	}
	check("before the first pass", "")
	note(new(2))
	check("after a pass", "2")
	note(new(0))
	check("after one that found it well", "0")
	note(nil)
	check("after one that could not tell", "")
	note(new(1))
	now = now.Add(h.leftAlone(rel, rest{}) + lackFor)
	check("while the next is due", "1")
	now = now.Add(time.Second)
	check("where no pass comes to its end", "")
	note(new(1))
	if err := h.Delete(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	again := describedRelease("web", "Recording", metav1.ConditionFalse)
	again.UID = "another"
	if err := h.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	check("of an object that was made again", "")
}

// The end of an override is shown with what counts then, and only of one that counts.
func TestEndOfAnOverrideIsShown(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*v1alpha1.Release)
		want   string // the labels
	}{
		"back into production": {func(*v1alpha1.Release) {}, `phase="RolledBack",then="Live"`},
		"no phase counts then": {func(rel *v1alpha1.Release) { rel.Status.PhaseAfterOverride = "" }, `phase="RolledBack",then="none"`},
		"it does not count":    {func(rel *v1alpha1.Release) { rel.Status.EffectivePhaseReason = v1alpha1.EffectiveBySpec }, ""},
		"there is none":        {func(rel *v1alpha1.Release) { rel.Spec.Override = nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rel := describedRelease("web", "RolledBack", metav1.ConditionTrue)
			rel.Spec.Override = &v1alpha1.PhaseOverride{Phase: v1alpha1.PhaseRolledBack, ExpiresAt: metav1.NewTime(time.Unix(1700003600, 0))}
			rel.Status.EffectivePhaseReason, rel.Status.PhaseAfterOverride = v1alpha1.EffectiveByOverride, v1alpha1.PhaseLive
			c.change(rel)
			want := ""
			if c.want != "" {
				want = "# HELP slipway_release_override_expiry_timestamp_seconds When the spec.override that counts ends, since the epoch, and which phase " +
					"counts then; missing without one.\n# TYPE slipway_release_override_expiry_timestamp_seconds gauge\n" +
					"slipway_release_override_expiry_timestamp_seconds{name=\"web\",namespace=\"shop\"," + c.want + "} 1.7000036e+09\n"
			}
			h := newHarness(t, rel)
			collector := releaseCollector{reader: h, lackOf: h.lackOf}
			if err := testutil.CollectAndCompare(collector, strings.NewReader(want), "slipway_release_override_expiry_timestamp_seconds"); err != nil {
				t.Error(err)
			}
		})
	}
}
