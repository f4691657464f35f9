package rollout

import (
	"slices"
	"time"
)

// Decision is what to do now, what to remember first, how to describe it, and when to look again.
type Decision struct {
	Memory  Memory // to be written before Actions are carried out, where it differs from Input.Memory
	Soft    Soft   // to be handed to the next pass
	Actions []Action
	Report  Report
	// After is when to look again at the latest; zero: whenever the background sweep comes by.
	After time.Duration
	// Gone: deletion has nothing left to do; the finalizer can go.
	Gone bool
	// NeedTarget: the phase needs the target revision; look up image and user data and record it.
	NeedTarget bool
}

// Report is how the state of a Release is described to people and programs.
type Report struct {
	Stage        Stage
	Phase        Phase     // effective phase
	PhaseRule    PhaseRule // which rule made it effective
	PhaseWhy     string    // the same in words
	Message      string    // one line: what is going on, what is waited for, what to do
	Stable       *FleetReport
	Candidate    *FleetReport
	Retired      []FleetReport
	Allowed      []Phase
	Conditions   []Condition
	Live         bool      // the candidate is Live
	PreviewReady bool      // the candidate is healthy in every test pool
	Deadline     time.Time // when a promotion that has not reached its gate is undone; zero where no clock runs
	Held         []Note    // actions that a guard took out of the plan, and why
	Then         Phase     // what counts when the override that counts is over, if nobody changes anything until then
	Lack         *int      // healthy servers that production lacks (productionLack); nil where nobody serves, or nobody can tell
}

// Stuck reports whether it does not get on, as far as can be seen. While production changes, what stalls may be beside it: only a promotion
// that never got healthy is stuck.
func (r Report) Stuck() bool {
	changes := r.Stage == StagePromoting || r.Stage == StageSwitching || r.Stage == StageRollingBack
	return slices.ContainsFunc(r.Conditions, func(c Condition) bool {
		return c.Type == CondStalled && c.True && (!changes || r.Stage == StagePromoting && c.Reason == ReasonPromotionFailed)
	})
}

// Note is a remark about a pool or a server.
type Note struct{ About, Text string }

// FleetReport counts one fleet.
type FleetReport struct {
	Revision, Version, Image  string
	Desired, Running, Healthy int
	Servers                   []string
}

// ConditionType is a condition of the status, in the words of api/v1alpha1.
type ConditionType string

// The conditions that Decide reports, always all of them, in this order.
const (
	CondReady             ConditionType = "Ready"
	CondReconciling       ConditionType = "Reconciling"
	CondStalled           ConditionType = "Stalled"
	CondPreviewReady      ConditionType = "PreviewReady"
	CondPromoted          ConditionType = "Promoted"
	CondRollbackAvailable ConditionType = "RollbackAvailable"
	CondAwaitingDecision  ConditionType = "AwaitingDecision"
	CondBlind             ConditionType = "Blind"
)

// Condition is one condition with its reason (a constant of reasons.go) and a sentence.
type Condition struct {
	Type    ConditionType
	True    bool
	Reason  string
	Message string
}
