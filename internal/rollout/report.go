package rollout

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// report describes the pass. Nothing in it is read back by a later pass.
func (v *view) report(stage Stage) Report {
	v.standing(stage)
	r := Report{
		Stage: stage, Phase: v.phase, PhaseRule: v.phaseRule, PhaseWhy: v.phaseWhy,
		Allowed: v.allowed(), Held: v.held,
		Live:         v.isLive(v.candidate),
		PreviewReady: v.isPreviewReady(),
		Lack:         v.productionLack(stage), Then: v.afterOverride,
	}
	if stage == StagePromoting && v.stable != nil && v.candidate.GateAt.IsZero() && v.candidate.Stopped.IsZero() {
		r.Deadline = v.candidate.Promotion.StartedAt.Add(v.gateTime())
	}
	if v.stable != nil {
		r.Stable = v.count(v.stable)
	}
	if v.candidate != nil {
		r.Candidate = v.count(v.candidate)
	}
	for _, f := range v.fleets {
		if f != v.stable && f != v.candidate && len(f.all()) > 0 {
			r.Retired = append(r.Retired, *v.count(f))
		}
	}
	done := v.done(stage)
	r.Conditions = v.conditions(stage, done)
	r.Message = v.message(stage, done)
	return r
}

// standing adds the trouble that no stage reports because it is there in all of them.
func (v *view) standing(stage Stage) {
	if stage == StageDeleting || stage == StageRefused {
		return
	}
	if problem := v.in.Spec.Contested; problem.Some() {
		v.tell(problem)
	}
	if problem := v.illegal(); problem.Some() {
		v.stall(problem.Reason, problem.Message)
	}
	if c := v.candidate; c != nil && c.Verdict.Reason != "" {
		v.stall(c.Verdict.Reason, c.Verdict.Why+"; "+v.verdictWords(stage))
	}
	v.standingOverride()
	if v.in.World.ServersErr != "" && v.in.World.ServersReason != "" {
		v.stall(v.in.World.ServersReason, "EC2 cannot be read: "+v.in.World.ServersErr)
	}
	v.standingPools()
}

// standingOverride tells of an override that is not as it should be.
func (v *view) standingOverride() {
	if o := v.in.Spec.Override; v.overrideTooFar() {
		counts := "does not count before " + o.ExpiresAt.Add(-overrideAtMost).UTC().Format(time.RFC3339)
		if v.overridden() {
			counts = "counts all the same, because it holds production back"
		}
		v.stall(ReasonInvalidOverride, fmt.Sprintf("spec.override expires at %s, more than 7 days from now, and %s: take it out, or set "+
			"spec.override.expiresAt to at most %s", o.ExpiresAt.UTC().Format(time.RFC3339), counts, v.in.Now.Add(overrideAtMost).UTC().Format(time.RFC3339)))
	}
	if v.overrideOfNobody() {
		v.stall(ReasonInvalidOverride, v.idleOverride()+"; there is no revision of that name: take spec.override out, or name one of "+v.names())
	}
}

// names are the revisions that there are.
func (v *view) names() string {
	list := make([]string, 0, len(v.fleets))
	for _, f := range v.fleets {
		list = append(list, f.Name)
	}
	return strings.Join(list, ", ")
}

// standingPools tells of pools that a person has to see to.
func (v *view) standingPools() {
	for _, p := range v.in.World.Pools {
		switch {
		case p.Use == UseReleased && p.ErrReason != "" && !p.Missing:
			v.stall(p.ErrReason, fmt.Sprintf("pool %s left the spec, and cannot be read to see whether servers are still in it: %s", p.Label(), p.Err))
		case p.Use == UseReleased:
		case p.Missing:
			v.stall(ReasonPoolNotFound, fmt.Sprintf("pool %s does not exist: %s; make it, or correct spec.loadBalancers", p.Label(), p.Err))
		case !p.Readable() && p.ErrReason != "":
			v.stall(p.ErrReason, fmt.Sprintf("pool %s cannot be used: %s", p.Label(), p.Err))
		case p.NotInUse && v.phase != PhaseRolledBack:
			v.stall(ReasonPoolNotInUse, fmt.Sprintf("target group %s is used by no listener or rule, so its servers never become healthy (Target.NotInUse); "+
				"add a listener or a rule that forwards to it", p.Label()))
		}
	}
}

// verdictWords say what follows from a verdict, and what a person can do.
func (v *view) verdictWords(stage Stage) string {
	ways := ". Declare another version, set spec.phase to Preview, or set the annotation slipway.dev/retry to a new value"
	switch {
	case v.phaseRule == RuleOverride && v.phase != PhaseRolledBack:
		return "spec.override keeps it where it is until it expires"
	case stage == StagePaused:
		return "nothing moves while the Release is paused" + ways
	case stage == StageRollingBack && v.candidate.Verdict.Reason == ReasonAutoRolledBack:
		return "the stable version is being put back, and the candidate stays where it is not less healthy: set spec.phase to RolledBack to take it out"
	case stage == StageRollingBack, v.mixed():
		return "production is being given back to the stable version" + ways
	}
	return "production is served by the stable version" + ways
}

// count counts a fleet. Healthy is counted in the pools that the fleet is in: a fleet in no pool has none.
func (v *view) count(f *fleet) *FleetReport {
	desired := v.in.Spec.Replicas
	if f != v.stable && f != v.candidate {
		desired = 0
	}
	var pools []Pool
	for _, p := range v.in.World.Pools {
		if len(p.registered(f.all())) > 0 {
			pools = append(pools, p)
		}
	}
	healthy := 0
	if len(pools) > 0 {
		healthy = len(healthyEverywhere(pools, f.servers))
	}
	return &FleetReport{Revision: f.Name, Version: f.Version, Image: f.Image, Desired: desired,
		Running: len(f.running()), Healthy: healthy, Servers: ids(f.all())}
}

// done: the world is as the effective phase wants it.
func (v *view) done(stage Stage) bool {
	if v.sick(stage) {
		return false
	}
	switch stage {
	case StageRolledBack:
		return !v.mixed()
	case StageSettled:
		return v.alone() && !v.mixed() && !v.needs
	case StagePreview:
		return !v.wantsCandidate() && !v.needs
	case StageLive:
		return v.phase != PhaseComplete && !v.mixed() && !v.needs
	}
	return false
}

// alone: no fleet but the stable one is left, and the one before it where that is kept for a while.
func (v *view) alone() bool {
	for _, f := range v.fleets {
		if f != v.stable && f != v.kept && len(f.servers)+len(f.broken) > 0 {
			return false
		}
	}
	return true
}

// conditions gives all conditions, in a fixed order.
func (v *view) conditions(stage Stage, done bool) []Condition {
	stalled := len(v.trouble) > 0
	ready := Condition{Type: CondReady, True: done && !stalled, Reason: v.reason(stage), Message: v.message(stage, done)}
	reconciling := Condition{Type: CondReconciling, True: !done && !stalled, Reason: ready.Reason, Message: ready.Message}
	stall := Condition{Type: CondStalled, Reason: ReasonSettled}
	if stalled {
		stall.True, stall.Reason, stall.Message = true, v.trouble[0].Reason, v.troubleWords()
		ready.Reason, ready.Message = stall.Reason, stall.Message
		reconciling.Message = ""
	}
	if ready.True {
		reconciling.Reason, reconciling.Message = ReasonSettled, ""
	}
	return []Condition{ready, reconciling, stall, v.previewCondition(), v.promotedCondition(stage), v.rollbackCondition(),
		v.decisionCondition(stage, ready.True), v.blindCondition()}
}

// reason is the machine's word for a stage.
func (v *view) reason(stage Stage) string {
	switch {
	case v.sick(stage):
		return v.sickReason()
	case stage == StagePreparing, stage == StagePreview:
		return v.preparingReason()
	case v.unrecorded() && stage != StageRollingBack:
		return ReasonResolving
	case stage == StageSettled:
		return v.settledReason()
	case stage == StageRollingBack && v.candidate != nil && v.candidate.Verdict.Reason == ReasonPromotionFailed:
		return ReasonUndoing
	}
	return map[Stage]string{
		StageDeleting: ReasonDeleting, StageRefused: v.in.Spec.Refused.Reason, StageEstranged: ReasonFormerServersFound,
		StagePaused: ReasonPaused, StageAdopting: ReasonAdopting, StageRecording: ReasonResolving,
		StageRollingBack: ReasonRollingBack, StageRolledBack: ReasonRolledBack, StageCompleting: ReasonCompleting,
		StageLive: ReasonLive, StageSwitching: ReasonSwitching, StagePromoting: ReasonPromoting,
	}[stage]
}

func (v *view) settledReason() string {
	switch {
	case !v.alone():
		return ReasonRetiring
	case v.passedOver():
		return ReasonRolledBack
	}
	return ReasonComplete
}

// sickReason tells sick servers from servers that cannot be seen.
func (v *view) sickReason() string {
	switch {
	case v.in.World.ServersErr != "":
		return ReasonServersUnreadable
	case v.blindness() != "":
		return ReasonPoolUnreadable
	case len(v.serving().running()) < v.asked:
		return ReasonLaunching
	}
	return ReasonUnhealthy
}

// sick: the phase was reached, and the fleet that serves production has fewer healthy servers than asked for.
func (v *view) sick(stage Stage) bool {
	switch stage {
	case StageLive:
		return v.serviceLack(v.candidate) != ""
	case StageSettled, StageRolledBack:
		return v.serviceLack(v.stable) != ""
	case StagePreview:
		return v.stable != nil && v.serviceLack(v.stable) != ""
	}
	return false
}

func (v *view) preparingReason() string {
	switch {
	case v.isPreviewReady():
		return ReasonPreviewReady
	case len(v.candidate.running()) < v.asked:
		return ReasonLaunching
	}
	return ReasonPreviewing
}

func (v *view) previewCondition() Condition {
	c := Condition{Type: CondPreviewReady, True: v.isPreviewReady()}
	ready := 0
	if v.candidate != nil {
		ready = len(v.previewReady())
	}
	switch {
	case v.unrecorded():
		c.True, c.Reason, c.Message = false, cmp.Or(v.in.Spec.Unresolved.Reason, ReasonResolving), "version "+v.in.Spec.Version+" is not recorded yet"
	case v.passedOver():
		c.True, c.Reason, c.Message = false, ReasonNoCandidate, v.passedOverWords()
	case v.candidate == nil:
		c.Reason, c.Message = ReasonNoCandidate, "the declared version is the stable one"
	case v.isLive(v.candidate):
		c.True, c.Reason, c.Message = true, ReasonLive, "version "+v.candidate.label+" passed Preview and is Live"
	case c.True && len(v.pools(UseTest)) == 0:
		c.Reason = ReasonHealthNotChecked
		c.Message = fmt.Sprintf("%d servers of version %s run; there is no test pool, so nothing checked their health", ready, v.candidate.label)
	case c.True:
		c.Reason = ReasonPreviewReady
		c.Message = fmt.Sprintf("%d servers of version %s are healthy in every test pool", ready, v.candidate.label)
	default:
		c.Reason = v.preparingReason()
		c.Message = fmt.Sprintf("%d of %d servers of version %s are healthy in Preview%s", ready, v.asked, v.candidate.label, v.previewLack())
	}
	return c
}

func (v *view) promotedCondition(stage Stage) Condition {
	c := Condition{Type: CondPromoted, Reason: v.reason(stage)}
	switch {
	case v.unrecorded():
		c.Reason, c.Message = cmp.Or(v.in.Spec.Unresolved.Reason, ReasonResolving), "version "+v.in.Spec.Version+" is not recorded yet"
	case v.isLive(v.candidate):
		c.True, c.Reason, c.Message = true, ReasonLive, "version "+v.candidate.label+" serves production"
	case v.passedOver():
		c.Message = v.passedOverWords()
	case v.candidate == nil && v.stable != nil && stage != StageRollingBack:
		c.True, c.Reason, c.Message = true, ReasonComplete, "version "+v.stable.label+" is stable and serves production"
	case v.candidate != nil:
		c.Reason = cmp.Or(v.candidate.Verdict.Reason, c.Reason)
		c.Message = "version " + v.candidate.label + " does not serve production"
	}
	return c
}

func (v *view) rollbackCondition() Condition {
	c := Condition{Type: CondRollbackAvailable}
	switch {
	case v.stable == nil:
		c.Reason, c.Message = ReasonNothingToRollBackTo, "there is no stable version yet"
		return c
	case v.candidate == nil && v.kept != nil:
		c.Reason, c.Message = ReasonNotNeeded, "version "+v.kept.label+" is kept: set spec.phase to Live to be able to go back to it, to Complete to end it"
		return c
	case v.candidate == nil:
		c.Reason, c.Message = ReasonNotNeeded, "the stable version serves production, and the one before it is gone"
		return c
	}
	if v.in.World.ServersErr != "" && len(v.in.World.Servers) == 0 {
		c.Reason, c.Message = ReasonServersUnreadable, "EC2 cannot be read, so nobody knows how many servers of stable version "+v.stable.label+" run"
		return c
	}
	running := len(v.stable.running())
	c.True = running >= v.asked
	c.Reason = ReasonRollbackPossible
	if !c.True {
		c.Reason = ReasonStandbyShort
	}
	c.Message = fmt.Sprintf("%d of %d servers of stable version %s run%s", running, v.in.Spec.Replicas, v.stable.label, v.standbyWords())
	return c
}

// standbyWords are what else there is to say of the fleet to fall back to.
func (v *view) standbyWords() string {
	var words []string
	if !v.inProduction(v.stable) {
		words = append(words, "they are in no pool, so their health is not known")
	}
	if v.in.World.ServersErr != "" {
		words = append(words, "that is as last seen, because EC2 cannot be read")
	}
	if v.stable.Lost {
		words = append(words, "its ControllerRevision is gone, so lost servers are not replaced")
	}
	for _, p := range v.minor {
		words = append(words, p.Message)
	}
	return prefixed("; ", strings.Join(words, "; "))
}

func (v *view) decisionCondition(stage Stage, ready bool) Condition {
	c := Condition{Type: CondAwaitingDecision, Reason: ReasonNotNeeded}
	switch {
	case stage == StagePaused:
		c.True, c.Reason, c.Message = true, ReasonPaused, "take out spec.paused to go on"
	case ready && stage == StagePreview:
		c.True, c.Reason, c.Message = true, ReasonPreviewReady, "look at the test pool, then "+v.toPromote()+", or declare another version"
	case ready && stage == StageRolledBack:
		c.True, c.Reason = true, ReasonRolledBack
		c.Message = "look at the rejected candidate on the test pool, then " + v.toPromote() + " to try again, or declare another version"
		if v.passedOver() {
			c.Message = v.passedOverWords()
		}
	}
	return c
}

// toPromote is the edit that sends the declared version into production.
func (v *view) toPromote() string {
	spec, edit := v.in.Spec, "set spec.phase to Live"
	switch {
	case forward(spec.Phase) && v.leftBehind():
		edit = fmt.Sprintf("set spec.phaseFor to %q", spec.Version)
	case spec.PhaseFor != "" && spec.PhaseFor != spec.Version:
		edit = fmt.Sprintf("set spec.phase to Live and spec.phaseFor to %q", spec.Version)
	case v.phaseRule == RuleOverride && forward(spec.Phase):
		return "take out spec.override"
	}
	if v.phaseRule == RuleOverride {
		return edit + " and take out spec.override"
	}
	return edit
}

func (v *view) blindCondition() Condition {
	if words := v.blindness(); words != "" {
		reason := v.sickReason()
		return Condition{Type: CondBlind, True: true, Reason: reason, Message: "nothing is removed anywhere until everything can be read: " + words}
	}
	return Condition{Type: CondBlind, Reason: ReasonReadable}
}
