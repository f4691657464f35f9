package controllers

import (
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// What a transition can be of.
const (
	transitionLaunch     = "Launch"
	transitionPromotion  = "Promotion"
	transitionUndo       = "Undo"
	transitionRollback   = "Rollback"
	transitionCompletion = "Completion"
)

// transition is the last or present change of production or of a fleet:
//
//	stage                          transition
//	Preparing, not healthy yet     Launch       a candidate that was healthy once and is not now begins no other
//	Promoting, Switching           Promotion
//	RollingBack                    Rollback     where the phase asks for it, else Undo
//	Completing                     Completion   up to the end of the retired fleets
//	Paused, Refused                as it was
//	any other                      ended
func (p pass) transition() *v1alpha1.Transition {
	last := p.rel.Status.LastTransition
	if stage := p.decision.Report.Stage; stage == rollout.StagePaused || stage == rollout.StageRefused {
		return last
	}
	what, revision := p.changing(last)
	goesOn := last != nil && last.Ended == nil && last.Started != nil
	switch {
	case what == "" && goesOn:
		ended := *last
		ended.Ended = microMoment(p.now)
		ended.Seconds = strconv.FormatFloat(ended.Ended.Sub(ended.Started.Time).Seconds(), 'f', 3, 64)
		return &ended
	case what == "":
		return last
	case goesOn && string(last.What) == what && string(last.Revision) == revision:
		now := *last
		now.Deadline = moment(p.decision.Report.Deadline)
		return &now
	default:
		return &v1alpha1.Transition{
			What: name(what), Revision: name(revision), AskedBy: p.askedBy(), Started: microMoment(p.now), Deadline: moment(p.decision.Report.Deadline),
		}
	}
}

// changing is what is being changed now, and the revision that it is about; empty when nothing is.
func (p pass) changing(last *v1alpha1.Transition) (what, revision string) {
	revision = p.newest()
	switch p.decision.Report.Stage {
	case rollout.StagePreparing, rollout.StagePreview:
		what = p.launching(revision)
	case rollout.StagePromoting, rollout.StageSwitching:
		what = transitionPromotion
	case rollout.StageRollingBack:
		what = p.goingBack(revision)
	case rollout.StageCompleting:
		what = transitionCompletion
	case rollout.StageSettled:
		if last != nil && last.What == transitionCompletion && last.Ended == nil && len(p.decision.Report.Retired) > 0 {
			return transitionCompletion, string(last.Revision)
		}
	}
	return what, revision
}

// newest is the revision of the candidate, else of the stable fleet.
func (p pass) newest() string {
	switch report := p.decision.Report; {
	case report.Candidate != nil:
		return report.Candidate.Revision
	case report.Stable != nil:
		return report.Stable.Revision
	default:
		return ""
	}
}

// launching: a fleet that was ready in Preview once is launched no more, whatever becomes of it.
func (p pass) launching(revision string) string {
	if p.decision.Report.PreviewReady || p.firstReady(revision) != nil {
		return ""
	}
	return transitionLaunch
}

// goingBack tells a rollback that was asked for, or an automatic one, from a promotion that is taken back.
func (p pass) goingBack(revision string) string {
	r := p.revision(revision)
	failed := r != nil && r.Verdict.Reason == rollout.ReasonPromotionFailed
	if failed || p.decision.Report.Phase != rollout.PhaseRolledBack {
		return transitionUndo
	}
	return transitionRollback
}

// firstReady is when the revision was first ready in Preview, as status has it.
func (p pass) firstReady(revision string) *metav1.Time {
	for _, entry := range p.rel.Status.History {
		if string(entry.Revision) == revision {
			return entry.PreviewReady
		}
	}
	return nil
}

// history lists the revisions that memory knows, newest first, and behind them those that status still has. One whose record was lost is known by
// its servers alone, while EC2 shows them, and has no number: it stays among the latter, or status were written whenever they come and go.
func (p pass) history() []v1alpha1.HistoryEntry {
	known := slices.Clone(p.decision.Memory.Revisions)
	slices.SortStableFunc(known, func(a, b rollout.Revision) int { return int(b.Number - a.Number) })
	before := map[string]v1alpha1.HistoryEntry{}
	for _, entry := range p.rel.Status.History {
		before[string(entry.Revision)] = entry
	}
	var all []v1alpha1.HistoryEntry
	for _, r := range known {
		if r.Number > 0 {
			all = append(all, p.entry(r, before[r.Name]))
		}
	}
	for _, entry := range p.rel.Status.History {
		switch r := p.revision(string(entry.Revision)); {
		case r == nil:
			all = append(all, entry)
		case r.Number == 0:
			all = append(all, p.entry(*r, entry))
		}
	}
	for _, r := range known {
		if _, told := before[r.Name]; r.Number == 0 && !told {
			all = append(all, p.entry(r, v1alpha1.HistoryEntry{}))
		}
	}
	return all[:min(len(all), v1alpha1.MaxShownHistory)]
}

// entry brings the history of one revision up to date.
func (p pass) entry(r rollout.Revision, entry v1alpha1.HistoryEntry) v1alpha1.HistoryEntry {
	entry.Revision, entry.Version, entry.ImageID = name(r.Name), name(r.Version), name(r.Image)
	for i := range p.obs.revisions {
		if p.obs.revisions[i].Name == r.Name {
			entry.Created = moment(p.obs.revisions[i].CreationTimestamp.Time)
		}
	}
	candidate := p.decision.Report.Candidate
	if entry.PreviewReady == nil && p.decision.Report.PreviewReady && candidate != nil && candidate.Revision == r.Name {
		entry.PreviewReady = moment(p.now)
	}
	if entry.Live == nil {
		entry.Live, entry.LiveBy = moment(r.LiveAt), p.liveBy(r)
	}
	verdict, message, at := p.verdict(r, entry)
	switch {
	case verdict == "":
		entry.Ended, entry.EndedBy = nil, ""
	case verdict != entry.Verdict || entry.Ended == nil:
		entry.Ended, entry.EndedBy = moment(at), p.endedBy(r, verdict)
	}
	entry.Verdict, entry.Message = verdict, cut(message, v1alpha1.MaxTextLength)
	return entry
}

// verdict is what became of a revision, and when; empty while that is open.
func (p pass) verdict(r rollout.Revision, before v1alpha1.HistoryEntry) (verdict v1alpha1.Verdict, why string, at time.Time) {
	report := p.decision.Report
	isCandidate := report.Candidate != nil && report.Candidate.Revision == r.Name
	switch {
	case r.Verdict.Reason != "":
		return v1alpha1.Verdict(r.Verdict.Reason), r.Verdict.Why, r.Verdict.At
	case r.StableSeq > 0 && r.Completed:
		return v1alpha1.VerdictCompleted, "", p.now
	case isCandidate && report.Phase == rollout.PhaseRolledBack:
		return v1alpha1.VerdictRolledBack, report.PhaseWhy, p.now
	case isCandidate, r.Number == 0, report.Stable != nil && report.Stable.Revision == r.Name:
		return "", "", time.Time{}
	case before.Verdict != "":
		return before.Verdict, before.Message, p.now
	default:
		return v1alpha1.VerdictSuperseded, "", p.now
	}
}

// microMoment is a time as a transition keeps it, to the microsecond.
func microMoment(at time.Time) *metav1.MicroTime {
	kept := metav1.NewMicroTime(at.Truncate(time.Microsecond))
	return &kept
}
