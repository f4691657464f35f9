package notify

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(seconds int) *metav1.Time {
	t := metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))
	return &t
}

func condition(kind string, since int, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, LastTransitionTime: *at(since), Reason: reason, Message: "because of " + reason}
}

// deployed is a Release with a status.
func deployed(status v1alpha1.ReleaseStatus) *v1alpha1.Release {
	status.Candidate = &v1alpha1.FleetStatus{Revision: "web-2", Version: "v2"}
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-1"},
		Spec:       v1alpha1.ReleaseSpec{Version: "v2"}, Status: status,
	}
}

func TestNotices(t *testing.T) {
	for _, row := range []struct {
		name   string
		status v1alpha1.ReleaseStatus
		want   []string
	}{
		{"nothing yet", v1alpha1.ReleaseStatus{}, nil},
		{"ready in Preview", v1alpha1.ReleaseStatus{Stage: "Preview", AllowedPhases: []v1alpha1.Phase{"Preview", "Live"},
			Conditions: []metav1.Condition{condition(v1alpha1.ConditionAwaitingDecision, 1, v1alpha1.ReasonPreviewReady)}},
			[]string{`previewready web-2 PreviewReady: kubectl slipway promote web -n shop`}},
		{"waiting elsewhere", v1alpha1.ReleaseStatus{Stage: "Live",
			Conditions: []metav1.Condition{condition(v1alpha1.ConditionAwaitingDecision, 1, v1alpha1.ReasonLive)}}, nil},
		{"Live", v1alpha1.ReleaseStatus{Stage: "Live", AllowedPhases: []v1alpha1.Phase{"Live", "RolledBack"},
			History: []v1alpha1.HistoryEntry{{Revision: "web-2", Version: "v2", Live: at(5)}, {Revision: "web-1", Version: "v1", Live: at(1), Ended: at(3), Verdict: v1alpha1.VerdictCompleted}}},
			[]string{`live web-1 Live: kubectl slipway explain web -n shop`, `completed web-1 Completed: kubectl slipway history web -n shop`,
				`live web-2 Live: kubectl slipway rollback web -n shop`}},
		{"Live, and no way back", v1alpha1.ReleaseStatus{Stage: "Live", AllowedPhases: []v1alpha1.Phase{"Live"},
			History: []v1alpha1.HistoryEntry{{Revision: "web-2", Version: "v2", Live: at(5)}}}, []string{`live web-2 Live: kubectl slipway explain web -n shop`}},
		{"taken out", v1alpha1.ReleaseStatus{History: []v1alpha1.HistoryEntry{{Revision: "web-2", Ended: at(5), Verdict: v1alpha1.VerdictAutoRolledBack, Message: "sick"}}},
			[]string{`autorolledback web-2 AutoRolledBack: kubectl slipway explain web -n shop`}},
		{"superseded", v1alpha1.ReleaseStatus{History: []v1alpha1.HistoryEntry{{Revision: "web-2", Ended: at(5), Verdict: v1alpha1.VerdictSuperseded}}}, nil},
		{"stalled and blind", v1alpha1.ReleaseStatus{Conditions: []metav1.Condition{condition(v1alpha1.ConditionStalled, 2, "AccessDenied"), condition(v1alpha1.ConditionBlind, 1, "PoolUnreadable")}},
			[]string{`blind web-2 PoolUnreadable: kubectl slipway explain web -n shop`, `stalled web-2 AccessDenied: kubectl slipway explain web -n shop`}},
	} {
		var got []string
		for _, n := range Notices(deployed(row.status)) {
			got = append(got, string(n.Kind)+" "+n.Revision+" "+n.Reason+": "+n.Command)
			if n.Message == "" || n.Kubectl == "" || n.Purpose == "" || n.Version == "" && n.Kind != AutoRolledBack {
				t.Errorf("%s: %+v", row.name, n)
			}
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

// What goes on is told with one ID, and what comes again with another.
func TestIDsOfNotices(t *testing.T) {
	stalled := func(since int, reason string) string {
		return Notices(deployed(v1alpha1.ReleaseStatus{Conditions: []metav1.Condition{condition(v1alpha1.ConditionStalled, since, reason)}}))[0].ID
	}
	one, again := stalled(1, "AccessDenied"), stalled(1, "AccessDenied")
	if one != again {
		t.Error("the same has two IDs")
	}
	if one == stalled(9, "AccessDenied") || one == stalled(1, "NoCapacity") {
		t.Error("another one has the same ID")
	}
}

// The command for those without the plugin asks for a phase that is allowed, and for this version.
func TestKubectlCommand(t *testing.T) {
	rel := deployed(v1alpha1.ReleaseStatus{Stage: "Preview", AllowedPhases: []v1alpha1.Phase{"Live"},
		Conditions: []metav1.Condition{condition(v1alpha1.ConditionAwaitingDecision, 1, v1alpha1.ReasonPreviewReady)}})
	command := Notices(rel)[0].Kubectl
	head, patch, _ := strings.Cut(command, " -p ")
	if head != "kubectl -n shop patch release web --type merge" || !regexp.MustCompile(`^'[^']*'$`).MatchString(patch) {
		t.Fatal(command)
	}
	var asked v1alpha1.Release
	if err := json.Unmarshal([]byte(strings.Trim(patch, "'")), &asked); err != nil || asked.Spec.Phase != v1alpha1.PhaseLive || asked.Spec.PhaseFor != "v2" {
		t.Errorf("%s: %v", command, err)
	}
	if got := quoted("it's"); got != `'it'\''s'` {
		t.Errorf("quoted: %s", got)
	}
}
