package rollout

import (
	"fmt"
	"slices"
)

// Stage is the state that a Release is in: the first of the rules below that matches.
type Stage string

// The stages.
const (
	StageDeleting    Stage = "Deleting"
	StageRefused     Stage = "Refused"
	StageEstranged   Stage = "Estranged"
	StagePaused      Stage = "Paused"
	StageAdopting    Stage = "Adopting"
	StageRecording   Stage = "Recording"
	StageRollingBack Stage = "RollingBack"
	StageSettled     Stage = "Settled"
	StageRolledBack  Stage = "RolledBack"
	StageCompleting  Stage = "Completing"
	StageLive        Stage = "Live"
	StageSwitching   Stage = "Switching"
	StagePromoting   Stage = "Promoting"
	StagePreview     Stage = "Preview"
	StagePreparing   Stage = "Preparing"
)

// rule names a stage, says when it is entered, and what is planned in it.
type rule struct {
	stage Stage
	when  func(*view) bool
	plan  func(*view)
	quiet bool // nothing else may be planned beside it: no retiring, no tags
}

// rules are evaluated in order; the first match wins. They are a function because plans refer to each other.
func rules() []rule {
	return []rule{
		// Deletion goes before everything, also before pause and refusal by pools.
		{StageDeleting, func(v *view) bool { return v.in.Spec.Deleting }, (*view).remove, true},
		// Something forbids every call: class, account, allow lists, a pool that another Release holds.
		{StageRefused, func(v *view) bool { return v.in.Spec.Refused.Some() }, (*view).refuse, true},
		// Servers of a former object with this name exist; nothing is launched beside them until somebody says whose they are.
		{StageEstranged, (*view).estranged, (*view).estrange, true},
		// Paused stops everything but a rollback that a person asked for.
		{StagePaused, func(v *view) bool { return v.in.Spec.Paused && !v.rollbackAsked() }, (*view).pause, true},
		// Hand-made or former servers are taken over first, while there is no stable fleet of our own making.
		{StageAdopting, (*view).adopting, (*view).adopt, true},
		// No fleet that anybody knows of, and the revision is not recorded yet. Until it is, nobody knows what is over either.
		{StageRecording, func(v *view) bool { return v.stable == nil && v.candidate == nil }, func(*view) {}, true},
		// Somebody other than stable is in production, and is not wanted there.
		{StageRollingBack, (*view).mustRestore, (*view).rollBack, false},
		// The spec describes the stable fleet: nothing is being deployed.
		{StageSettled, func(v *view) bool { return v.candidate == nil }, (*view).stand, false},
		// The candidate was rejected, by a person or by a verdict; production is stable's again.
		{StageRolledBack, func(v *view) bool { return v.phase == PhaseRolledBack && v.stable != nil }, (*view).reject, false},
		// The candidate is Live and is to become the stable fleet.
		{StageCompleting, func(v *view) bool { return v.wantsCandidate() && v.isLive(v.candidate) && v.phase == PhaseComplete }, (*view).complete, false},
		// The candidate serves; the former fleet stands by.
		{StageLive, func(v *view) bool { return v.isLive(v.candidate) }, (*view).serve, false},
		// The gate was passed; stable leaves.
		{StageSwitching, func(v *view) bool { return v.wantsCandidate() && !v.candidate.GateAt.IsZero() }, func(v *view) { v.muster(); v.switchOver() }, false},
		// The candidate is on its way through the gate.
		{StagePromoting, (*view).mayPromote, func(v *view) { v.promote(); v.attend() }, false},
		// The candidate is healthy on the test pools, and a person decides what becomes of it.
		{StagePreview, (*view).isPreviewReady, (*view).preview, false},
		// The candidate is launched, put on the test pools and watched until it is healthy there.
		{StagePreparing, func(*view) bool { return true }, (*view).preview, false},
	}
}

// mayPromote: asked for, and already under way; or ready in Preview, and every production pool can take it.
func (v *view) mayPromote() bool {
	underway := v.candidate != nil && len(v.candidate.Promotion.Cohort) > 0
	return v.wantsCandidate() && (underway || v.isPreviewReady() && v.unfit() == Problem{})
}

// preview sees to the candidate on the test pools and to stable in production.
func (v *view) preview() {
	v.prepare()
	v.stand()
	v.trim(v.candidate)
	if v.wantsCandidate() && v.isPreviewReady() {
		v.awaitPools()
	}
}

// awaitPools says which production pool a promotion waits for before it begins.
func (v *view) awaitPools() {
	problem := v.unfit()
	if problem.Some() {
		v.stall(problem.Reason, problem.Message)
	} else {
		v.wait(problem.Message)
	}
	v.again(stuckEvery)
}

// attend keeps stable registered while the candidate comes beside it; nobody is let go meanwhile.
func (v *view) attend() {
	if v.stable == nil || !v.candidate.GateAt.IsZero() {
		return
	}
	v.join(v.pools(UseProduction), v.stable, v.wanted(v.stable), "serve")
	v.fill(v.stable, RoleStable, "keep the stable fleet whole")
}

// rollBack restores, and beside it prepares a newer candidate that has nothing to do with what is undone.
func (v *view) rollBack() {
	c := v.candidate
	newcomer := c != nil && c.Promotion.StartedAt.IsZero() && !v.inProduction(c) && v.phase != PhaseRolledBack
	v.restore()
	if newcomer {
		v.prepare()
	}
}

// refuse makes no call and says why.
func (v *view) refuse() {
	v.tell(v.in.Spec.Refused)
	v.again(retryEvery)
}

// estranged: there are servers of a former object with this name, or the spec says that there are; none of this one; and
// nobody takes them over.
func (v *view) estranged() bool {
	return (len(v.in.World.Former) > 0 || v.nobodyFound()) && len(v.in.World.Adoptable) == 0 && len(v.ours()) == 0 && !v.awaitsAdopted()
}

// nobodyFound: spec.adopt names a former owner, no server carries it, and nothing was ever launched instead. That is a typo
// sooner than a wish for a second fleet beside the one that serves.
func (v *view) nobodyFound() bool {
	launched := slices.ContainsFunc(v.fleets, func(f *fleet) bool { return len(f.Launches) > 0 || f.StableSeq > 0 })
	return v.in.Spec.FormerOwner != "" && v.in.World.ServersErr == "" && !launched
}

// estrange says which line takes over the servers of a former object.
func (v *view) estrange() {
	v.again(retryEvery)
	if len(v.in.World.Former) == 0 {
		v.stall(ReasonFormerServersFound, fmt.Sprintf("spec.adopt.formerOwner is %s, and EC2 shows no server of %s with that owner, so nothing is launched: "+
			"correct it (tags slipway.dev/owner and slipway.dev/cluster of the servers), or take spec.adopt out to begin without them",
			v.in.Spec.FormerOwner, v.in.Spec.Release))
		return
	}
	owner := "<uid>"
	if len(v.in.World.FormerOwners) > 0 {
		owner = v.in.World.FormerOwners[0]
	}
	words := "nothing is launched beside them"
	if v.in.Spec.Adopt {
		words = "spec.adopt takes over none of them"
	}
	v.stall(ReasonFormerServersFound, fmt.Sprintf("%d servers of a former Release with this name exist (owner %s), and %s: "+
		"add `adopt: {formerOwner: %s}` to the spec to take them over, or terminate them in EC2", len(v.in.World.Former), owner, words, owner))
}

// pause makes no call. The clocks stand: memory.go.
func (v *view) pause() {
	v.stopReady()
	v.wait("spec.paused to be taken out")
}
