package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// What status shows of the past is carried over from the status before. Wiped, it loses what nobody else remembers, and
// says the same of everything that is there.
func TestWipingStatusLosesTheOlderPart(t *testing.T) {
	p := passOf(func(p *pass) { p.decision.Report.Stage, p.decision.Report.PreviewReady = rollout.StagePreview, true })
	p = p.after(time.Minute, func(p *pass) { p.decision.Memory.Revisions = p.decision.Memory.Revisions[1:] }) // v1 is pruned
	kept := p.after(time.Minute, nil).status()
	wiped := p.after(time.Minute, func(p *pass) { p.rel.Status = v1alpha1.ReleaseStatus{} }).status()

	if len(kept.History) != 2 || len(wiped.History) != 1 || wiped.History[0].Version != "v2" {
		t.Errorf("history was %+v; wiped, it is %+v", kept.History, wiped.History)
	}
	if before, after := kept.History[0].PreviewReady, wiped.History[0].PreviewReady; before == nil || after == nil || !before.Before(after) {
		t.Errorf("ready in Preview since %v; wiped, since %v", before, after)
	}
	if before, after := kept.Conditions[0].LastTransitionTime, wiped.Conditions[0].LastTransitionTime; !before.Before(&after) {
		t.Errorf("a condition's time is %v; wiped, %v", before, after)
	}
	for i := range kept.Conditions {
		kept.Conditions[i].LastTransitionTime = wiped.Conditions[i].LastTransitionTime
	}
	kept.History, wiped.History, kept.LastTransition, wiped.LastTransition = nil, nil, nil, nil
	if diff := cmp.Diff(kept, wiped); diff != "" {
		t.Errorf("what is not of the past (-kept +wiped):\n%s", diff)
	}
}

// A revision whose record was lost stays where it was in the history, whether EC2 shows servers of it or not.
func TestALostRevisionStaysInItsPlace(t *testing.T) {
	lost := rollout.Revision{Name: "web-0", Version: "v0"}
	p := passOf(nil)
	shown := p.after(time.Minute, func(p *pass) { p.decision.Memory.Revisions = append(p.decision.Memory.Revisions, lost) })
	shown.rel.Status = shown.status()
	gone := shown.after(time.Minute, func(p *pass) { p.decision.Memory.Revisions = p.decision.Memory.Revisions[:2] })
	gone = gone.after(time.Minute, func(p *pass) { p.decision.Memory.Revisions = p.decision.Memory.Revisions[1:] }) // v1 is lost too
	back := gone.after(time.Minute, func(p *pass) {
		p.decision.Memory.Revisions = append(p.decision.Memory.Revisions, lost, rollout.Revision{Name: "web-1", Version: "v1"})
	})
	for what, status := range map[string]v1alpha1.ReleaseStatus{"shown": shown.status(), "gone": gone.status(), "back": back.status()} {
		var got []string
		for _, entry := range status.History {
			got = append(got, string(entry.Version))
		}
		if diff := cmp.Diff([]string{"v2", "v1", "v0"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}
