package rollout

import "slices"

// Decide is the heart of Slipway. It is pure, total and deterministic: equal inputs give equal decisions, and there is no
// input that it has no answer for. It changes nothing that it was given.
func Decide(in Input) Decision {
	v := phased(in)
	v.needTarget()
	stage := v.enter()
	v.guard(stage)
	v.soft.Untouched = v.untouched()
	report := v.report(stage)
	return Decision{
		Memory:     v.durable(),
		Soft:       v.soft,
		Actions:    v.actions,
		Report:     report,
		After:      v.wake,
		Gone:       v.gone,
		NeedTarget: v.needs,
	}
}

// GoesBack reports whether production is to be given back to stable, because a person or a verdict says so: RolledBack is the phase that counts.
// It is for who has to know before all is read that Decide needs. Without Soft it passes no verdict of its own; those in memory count.
func GoesBack(in Input) bool { return phased(in).phase == PhaseRolledBack }

// phased is the view of a world once it is settled which phase counts.
func phased(in Input) *view {
	v := newView(in)
	v.name()
	v.clocks()
	v.judge()
	v.settlePhase()
	return v
}

// enter finds the stage and plans it, and beside it what goes on in every stage: retiring, tags, memory of pools.
func (v *view) enter() Stage {
	for _, r := range rules() {
		if !r.when(v) {
			continue
		}
		r.plan(v)
		if !r.quiet && !v.in.Spec.Paused {
			v.retireOthers()
			v.label()
			v.forgetPools()
		}
		return r.stage
	}
	return "" // the last rule matches always
}

// needTarget asks for the declared revision to be recorded where the phase needs it, and reports why that failed.
// RolledBack needs none: no image look-up and no Secret may hold up a rollback.
func (v *view) needTarget() {
	spec := v.in.Spec
	if spec.Target != "" || spec.Deleting || spec.Refused.Some() || spec.Paused || v.rejects() {
		return
	}
	if v.estranged() {
		return
	}
	v.needs = true
	if spec.Unresolved.Some() {
		v.tell(spec.Unresolved)
		v.again(retryEvery)
		return
	}
	v.wait("version " + spec.Version + " to be looked up and recorded")
}

// rejects: the phase is RolledBack because somebody says so; or by a verdict, and production is not stable's again yet. What
// is declared after a verdict is looked up once it is, or once that takes too long: the way out may be what is declared.
func (v *view) rejects() bool {
	return v.phase == PhaseRolledBack && (v.phaseRule != RuleVerdict || v.mustRestore() && !v.restoresInVain())
}

// durable is the memory to write: of revisions that only servers tell of nothing is written but what nobody could find out again.
func (v *view) durable() Memory {
	v.memory.Revisions = slices.DeleteFunc(v.memory.Revisions, func(r Revision) bool {
		return r.Lost && len(r.Adopted) == 0 && len(r.Left) == 0 && v.in.Memory.find(r.Name) == nil
	})
	return v.memory
}
