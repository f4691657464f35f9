package controllers

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// pass is everything that one pass over a Release came to. Status, events and history are functions of it and of nothing
// else: no clock, no client.
type pass struct {
	// rel is the Release as it was read. Its status is looked at for the times of what has not changed (conditions,
	// transition, history); wiped, those times begin again and nothing else changes.
	rel      *v1alpha1.Release
	obs      *observation
	decision rollout.Decision
	outcomes []outcome
	lastRead map[string]time.Time // by pool ID: the last good reading
	now      time.Time
	owners   map[string]string // server ID → revision, of our servers
}

// newPass sums up a pass.
func newPass(rel *v1alpha1.Release, obs *observation, decision rollout.Decision, outcomes []outcome, lastRead map[string]time.Time) pass {
	owners := map[string]string{}
	for _, s := range obs.input.World.Servers {
		owners[s.ID] = s.Revision
	}
	return pass{rel, obs, decision, outcomes, lastRead, obs.input.Now, owners}
}

// status is what the pass says of the Release.
func (p pass) status() v1alpha1.ReleaseStatus {
	report := p.decision.Report
	status := v1alpha1.ReleaseStatus{
		ObservedGeneration:    p.rel.Generation,
		ObservedRetry:         p.rel.RetryAsked(),
		Stage:                 v1alpha1.Stage(report.Stage),
		EffectivePhase:        effectivePhase(report),
		EffectivePhaseReason:  v1alpha1.EffectiveReason(report.PhaseRule),
		EffectivePhaseMessage: cut(report.PhaseWhy, v1alpha1.MaxTextLength),
		PhaseAfterOverride:    v1alpha1.Phase(report.Then),
		Conditions:            p.conditions(),
		LiveVersion:           p.liveVersion(),
		Replicas:              servingReplicas(report),
		Stable:                p.fleet(report.Stable),
		Candidate:             p.fleet(report.Candidate),
		Pools:                 p.pools(),
		LastTransition:        p.transition(),
		History:               p.history(),
		Class:                 p.class(),
	}
	for _, phase := range report.Allowed {
		status.AllowedPhases = append(status.AllowedPhases, v1alpha1.Phase(phase))
	}
	for i := range report.Retired[:min(len(report.Retired), v1alpha1.MaxShownFleets)] {
		status.Retired = append(status.Retired, *p.fleet(&report.Retired[i]))
	}
	status.Message = cut(p.message(), v1alpha1.MaxTextLength)
	return status
}

// message is the core's own, with what went wrong in this pass behind it.
func (p pass) message() string {
	text := p.decision.Report.Message
	if failure := p.failure(); failure != nil {
		text = strings.Join(slices.DeleteFunc([]string{text, failure.action.Reason() + ": " + failure.err.Error()},
			func(s string) bool { return s == "" }), "; ")
	}
	return text
}

// failure is the outcome that people have to know of: a refusal before something that may pass. Refused launches are left
// to the core, which reads them in memory and speaks of them in every pass to come.
func (p pass) failure() *outcome {
	var worst *outcome
	for i := range p.outcomes {
		o := &p.outcomes[i]
		if o.err == nil || o.settled() || p.gatesNothing(o.action) {
			continue
		}
		if worst == nil || (passing(worst.err) && !passing(o.err)) {
			worst = o
		}
	}
	return worst
}

// gatesNothing: a server for the fleet that stands by. That it cannot be launched is said in events and in RollbackAvailable.
func (p pass) gatesNothing(action rollout.Action) bool {
	launch, ok := action.(rollout.Launch)
	report := p.decision.Report
	return ok && report.Live && report.Stable != nil && launch.Revision == report.Stable.Revision
}

// passing reports whether trying again may help without anybody's doing.
func passing(err error) bool {
	kind := cloud.KindOf(err)
	return kind == cloud.Unknown || kind == cloud.Throttled || kind == cloud.NoCapacity
}

// conditions are the core's, corrected by what the actions ran into. The time of a condition moves with its status only.
func (p pass) conditions() []metav1.Condition {
	all := make([]metav1.Condition, 0, len(p.decision.Report.Conditions))
	for _, c := range p.decision.Report.Conditions {
		all = append(all, metav1.Condition{
			Type: string(c.Type), Status: conditionStatus(c.True), Reason: c.Reason, Message: c.Message,
		})
	}
	p.showFailure(all)
	p.showStandby(all)
	for i := range all {
		c := &all[i]
		c.ObservedGeneration = p.rel.Generation
		c.LastTransitionTime = metav1.NewTime(p.now).Rfc3339Copy()
		c.Message = cut(c.Message, v1alpha1.MaxTextLength)
		if before := meta.FindStatusCondition(p.rel.Status.Conditions, c.Type); before != nil && before.Status == c.Status {
			c.LastTransitionTime = before.LastTransitionTime
		}
	}
	return all
}

// showFailure puts a failed action into Ready, Reconciling and Stalled. What AWS refuses stalls until somebody mends it;
// what may pass is Reconciling, unless the core says that it is Stalled anyway. A launch whose outcome is merely unknown
// takes nothing from Ready: a lost server is replaced beside a fleet that serves.
func (p pass) showFailure(conditions []metav1.Condition) {
	o := p.failure()
	if o == nil {
		return
	}
	_, isLaunch := o.action.(rollout.Launch)
	reason, words := problemOf(o.err, v1alpha1.ReasonRetrying).Reason, o.action.Reason()+": "+o.err.Error()
	switch {
	case !passing(o.err):
		set(conditions, v1alpha1.ConditionReady, false, reason, words)
		set(conditions, v1alpha1.ConditionReconciling, false, reason, words)
		set(conditions, v1alpha1.ConditionStalled, true, reason, words)
		set(conditions, v1alpha1.ConditionAwaitingDecision, false, v1alpha1.ReasonNotNeeded, "")
	case isLaunch, meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
	default:
		set(conditions, v1alpha1.ConditionReady, false, reason, words)
		set(conditions, v1alpha1.ConditionReconciling, true, reason, words)
	}
}

// showStandby adds to RollbackAvailable why the fleet that stands by cannot be made whole.
func (p pass) showStandby(conditions []metav1.Condition) {
	for _, o := range p.outcomes {
		if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionRollbackAvailable); c != nil && o.err != nil && !o.settled() && p.gatesNothing(o.action) {
			c.Message += "; " + o.action.Reason() + ": " + o.err.Error()
		}
	}
}

// set changes a condition that is there.
func set(conditions []metav1.Condition, kind string, is bool, reason, message string) {
	if c := meta.FindStatusCondition(conditions, kind); c != nil {
		c.Status, c.Reason, c.Message = conditionStatus(is), reason, message
	}
}

func conditionStatus(is bool) metav1.ConditionStatus {
	if is {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// effectivePhase is the phase that counts, also where the core knows none: then a Preview is meant, and what is Live stays so.
func effectivePhase(report rollout.Report) v1alpha1.Phase {
	switch {
	case report.Phase != rollout.PhaseNone:
		return v1alpha1.Phase(report.Phase)
	case report.Stage == rollout.StageDeleting:
		return ""
	case report.Live:
		return v1alpha1.PhaseLive
	default:
		return v1alpha1.PhasePreview
	}
}

// servingReplicas is what /scale shows: the running servers of the fleet that production has, or of the first candidate.
func servingReplicas(report rollout.Report) int32 {
	fleet := report.Stable
	if report.Candidate != nil && (report.Live || fleet == nil) {
		fleet = report.Candidate
	}
	if fleet == nil {
		return 0
	}
	return int32(fleet.Running)
}

// fleet puts the core's account of a fleet into the words of the API.
func (p pass) fleet(report *rollout.FleetReport) *v1alpha1.FleetStatus {
	if report == nil {
		return nil
	}
	status := &v1alpha1.FleetStatus{
		Revision: name(report.Revision), Version: name(report.Version), ImageID: name(report.Image),
		Desired: int32(report.Desired), Running: int32(report.Running), Healthy: int32(report.Healthy),
	}
	for _, id := range report.Servers[:min(len(report.Servers), v1alpha1.MaxShownServers)] {
		status.ServerIDs = append(status.ServerIDs, name(id))
	}
	if r := p.revision(report.Revision); r != nil && r.Lost {
		status.Note = "its ControllerRevision is not there (adopted by hand, or lost): it serves and is rolled back to, and is never grown or repaired"
	}
	return status
}

// revision is what memory knows of a revision; nil for one that it does not know.
func (p pass) revision(name string) *rollout.Revision {
	for i := range p.decision.Memory.Revisions {
		if p.decision.Memory.Revisions[i].Name == name {
			return &p.decision.Memory.Revisions[i]
		}
	}
	return nil
}

// version is the code version of a revision; the revision's name where nobody knows.
func (p pass) version(revision string) string {
	if r := p.revision(revision); r != nil && r.Version != "" {
		return r.Version
	}
	return revision
}

// class is where the Release runs: as it began, whatever the class says now.
func (p pass) class() *v1alpha1.ClassStatus {
	if p.obs.place == (place{}) {
		return nil
	}
	return &v1alpha1.ClassStatus{Name: name(p.obs.place.Class), AccountID: name(p.obs.place.AccountID), Region: name(p.obs.place.Region)}
}

func name(text string) v1alpha1.StatusName {
	return v1alpha1.StatusName(cut(text, v1alpha1.MaxNameLength))
}

// cut shortens a text to a number of characters, as the API server counts them.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// moment is a time as status keeps it, to the second; nil for the zero time.
func moment(at time.Time) *metav1.Time {
	if at.IsZero() {
		return nil
	}
	kept := metav1.NewTime(at).Rfc3339Copy()
	return &kept
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
