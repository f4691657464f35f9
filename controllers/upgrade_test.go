package controllers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// recordedBefore is the name of the revision that the files of testdata record. It is in the tags of its servers.
const recordedBefore = "web-qgwgqk85bc"

// Records are never written again, so each one stays as the version of Slipway wrote it that made it: without the optional
// fields that came later, or with empty ones that are left out today. The files are from then: never write them anew.
func TestRecordsOfOlderVersionsAreTheSameRevisions(t *testing.T) {
	files, err := filepath.Glob("testdata/revision-*.json")
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v (%v)", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rel := testRelease()
			h := settledOn(t, rel, raw)
			obs := h.look(t, rel)
			if err := h.recordTarget(t.Context(), rel, obs); err != nil {
				t.Fatal(err)
			}
			if obs.input.Spec.Target != recordedBefore || len(h.writes) > 0 {
				t.Errorf("target %q, want %s; written: %v", obs.input.Spec.Target, recordedBefore, h.writes)
			}
			if decision := rollout.Decide(obs.input); len(decision.Actions) > 0 || decision.Report.Stage != rollout.StageSettled {
				t.Errorf("stage %s, and it does %+v", decision.Report.Stage, decision.Actions)
			}
			data, err := decodeRevision(obs.stored(recordedBefore))
			if err != nil {
				t.Fatal(err)
			}
			if name, err := revisionName(rel.Name, data); err != nil || name != recordedBefore {
				t.Errorf("recorded today its name would be %s (%v)", name, err)
			}
		})
	}
}

// The files are of use only while today's types have fields that are not in them.
func TestRecordsOfOlderVersionsLackFields(t *testing.T) {
	raw, err := os.ReadFile("testdata/revision-without-later-fields.json")
	if err != nil {
		t.Fatal(err)
	}
	full, err := json.Marshal(revisionData{
		AsWritten: writtenSpec{Template: fullTemplate()}, Owner: "1", OwnerAlias: "self", UserDataSecret: "x", UserDataHash: "1f",
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"securityGroupIDs", "iamInstanceProfile", "keyName", "userData", "metadataOptions", "blockDeviceMappings", "tags", "owner"} {
		if key := `"` + field + `":`; !strings.Contains(string(full), key) || strings.Contains(string(raw), key) {
			t.Errorf("%s is to be a field of today that the record does not have", field)
		}
	}
}

// settledOn is a world in which a revision, recorded as raw says, is the stable fleet of a Release and serves.
func settledOn(t *testing.T, rel *v1alpha1.Release, raw []byte) *harness {
	t.Helper()
	rel.Spec.Phase = v1alpha1.PhaseComplete
	h := newHarness(t, testClass(), rel)
	stored := newRevision(rel, recordedBefore, raw)
	stored.Labels, stored.Revision = map[string]string{labelRelease: rel.Name}, 1
	place, err := canonicalJSON(place{Class: "default", AccountID: testAccount, Region: testRegion})
	if err != nil {
		t.Fatal(err)
	}
	annotate(stored, annotationPlace, string(place))
	if err := controllerutil.SetControllerReference(rel, stored, testScheme(t)); err != nil {
		t.Fatal(err)
	}
	if err := h.Create(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"i-1", "i-2"} {
		h.run(rel, id, recordedBefore, rollout.RoleStable)
	}
	h.ports.addClassic("prod", rollout.Member{Server: "i-1", State: rollout.MemberHealthy}, rollout.Member{Server: "i-2", State: rollout.MemberHealthy})
	obs := h.look(t, rel)
	settled := edited(obs.input.Memory, recordedBefore, func(r *rollout.Revision) {
		r.Number, r.StableSeq, r.Completed, r.Pools = 1, 1, true, []string{"classic/" + testRegion + "/prod"}
	})
	if err := h.remember(t.Context(), obs, settled); err != nil {
		t.Fatal(err)
	}
	h.writes = map[string]int{}
	return h
}
