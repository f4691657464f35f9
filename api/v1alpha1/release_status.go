package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Status is bounded, so that no object outgrows etcd. A writer cuts its lists and texts to these limits first:
// a status that is too long would be refused as a whole. Counts always count everything.
const (
	// MaxShownServers bounds a fleet's serverIDs, also those in one pool.
	MaxShownServers = 50
	// MaxShownUnhealthy bounds a pool's unhealthy servers.
	MaxShownUnhealthy = 10
	// MaxShownPools bounds pools: those in spec and those that are being let go.
	MaxShownPools = 32
	// MaxShownFleets bounds retired, and the fleets of one pool.
	MaxShownFleets = 10
	// MaxShownHistory bounds history.
	MaxShownHistory = 20
	// MaxTextLength bounds messages, in characters.
	MaxTextLength = 1024
	// MaxReasonLength bounds AWS's own reason for one unhealthy server, in characters.
	MaxReasonLength = 512
	// MaxNameLength bounds names, ids and ARNs, in characters.
	MaxNameLength = 256
)

// Stage is what Slipway is doing now, in one word; status.stage lists them. More may come: branch on conditions instead.
// +kubebuilder:validation:MaxLength=256
type Stage string

// StatusName is a name, id or ARN that status repeats.
// +kubebuilder:validation:MaxLength=256
type StatusName string

// EffectiveReason says what decided the effective phase.
// +kubebuilder:validation:MaxLength=256
type EffectiveReason string

// The first that holds decides, in this order.
const (
	// EffectiveByDeletion surfaces when the Release is being deleted.
	EffectiveByDeletion EffectiveReason = "Deletion"
	// EffectiveByOverride surfaces when an unexpired spec.override names this revision.
	EffectiveByOverride EffectiveReason = "Override"
	// EffectiveByVerdict surfaces when the revision failed its promotion or was rolled back automatically.
	EffectiveByVerdict EffectiveReason = "Verdict"
	// EffectiveByPhaseFor surfaces when spec.phaseFor names another version than spec.version: Preview is meant.
	EffectiveByPhaseFor EffectiveReason = "PhaseFor"
	// EffectiveByCompleteAfter surfaces when spec.retention.completeAfter has passed: Complete is meant.
	EffectiveByCompleteAfter EffectiveReason = "CompleteAfter"
	// EffectiveBySpec surfaces when spec.phase counts as it is.
	EffectiveBySpec EffectiveReason = "Spec"
	// EffectiveByNoPhase surfaces when spec.phase is not set: Preview is meant, or Live where it is Live already.
	EffectiveByNoPhase EffectiveReason = "NoPhase"
)

// Verdict is what became of a revision.
// +kubebuilder:validation:MaxLength=256
type Verdict string

const (
	// VerdictCompleted is given to a revision that became the stable one.
	VerdictCompleted Verdict = "Completed"
	// VerdictRolledBack is given to a revision that a person rolled back.
	VerdictRolledBack Verdict = "RolledBack"
	// VerdictPromotionFailed is given to a revision whose promotion did not reach its gate in time.
	VerdictPromotionFailed Verdict = "PromotionFailed"
	// VerdictAutoRolledBack is given to a revision that spec.promotion.autoRollback took out of production.
	VerdictAutoRolledBack Verdict = "AutoRolledBack"
	// VerdictSuperseded is given to a revision that a newer one replaced before it was Live.
	VerdictSuperseded Verdict = "Superseded"
)

// PoolKind is what a pool is in AWS.
// +kubebuilder:validation:MaxLength=256
type PoolKind string

// PoolRole is what a pool is for.
// +kubebuilder:validation:MaxLength=256
type PoolRole string

// PoolState says how this Release stands to a pool.
// +kubebuilder:validation:MaxLength=256
type PoolState string

const (
	// PoolKindClassic is a classic load balancer.
	PoolKindClassic PoolKind = "classic"
	// PoolKindTargetGroup is a target group of an application or network load balancer.
	PoolKindTargetGroup PoolKind = "targetGroup"

	// PoolRoleTest is a pool of spec.loadBalancers.test.
	PoolRoleTest PoolRole = "test"
	// PoolRoleProduction is a pool of spec.loadBalancers.production.
	PoolRoleProduction PoolRole = "production"
	// PoolRoleReleased is a pool that left spec while servers of ours are still in it.
	PoolRoleReleased PoolRole = "released"

	// PoolClaimed is a pool that this Release may use.
	PoolClaimed PoolState = "claimed"
	// PoolHeldByAnother is a pool that another Release holds: no calls are made to any pool until it is dropped.
	PoolHeldByAnother PoolState = "heldByAnother"
	// PoolReleased is a pool that left spec: nothing joins it, and servers in it are drained with their fleet.
	PoolReleased PoolState = "released"
	// PoolNotFound is a pool that does not exist in AWS.
	PoolNotFound PoolState = "notFound"
)

// ReleaseStatus is what Slipway sees and does. Nothing is decided by it. What it shows of the past is carried over from one
// write to the next: history, the times of conditions and of the last transition. Wipe it, and the older part of that is
// lost; the rest is written again.
type ReleaseStatus struct {
	// observedGeneration is the metadata.generation of the spec that this status answers.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// observedRetry is the value of the annotation slipway.dev/retry that this status answers, its first 256 characters; empty where there
	// is none. While it differs from the annotation, Slipway has not seen the word to try again. Example: "2026-11-22T09:30:00Z"
	// +kubebuilder:validation:MaxLength=256
	// +optional
	ObservedRetry string `json:"observedRetry,omitempty"`

	// stage is what Slipway is doing now, in one word; the first that fits.
	//
	// Deleting: the object is being deleted.
	// Refused: the class, an allow list or another Release's pool forbids every call.
	// Estranged: servers of a deleted Release of this name run; spec.adopt has to say whose they are.
	// Paused: spec.paused.
	// Adopting: servers that existed before are being tagged.
	// Recording: the first revision is being looked up and recorded.
	// RollingBack: the stable fleet is going back into production, or a promotion is being taken back.
	// Settled: the stable fleet serves and nothing is being deployed.
	// RolledBack: the stable fleet serves; the candidate was rejected and is kept for a look.
	// Completing: the candidate becomes the stable fleet.
	// Live: the candidate serves; the stable fleet stands by.
	// Switching: the gate is passed and the stable fleet leaves production.
	// Promoting: the candidate is on its way into production.
	// Preview: the candidate is healthy on the test pools; the next step is a person's.
	// Preparing: the candidate is launched, put on the test pools and watched until it is healthy there.
	// +optional
	Stage Stage `json:"stage,omitempty"`

	// message is what it waits for and what to do, in one line; that of -o wide.
	// Example: version 2026.11.22-1 is ready in Preview; set spec.phase to Live to promote it
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// effectivePhase is the phase that counts now. Example: RolledBack
	// +optional
	EffectivePhase Phase `json:"effectivePhase,omitempty"`

	// effectivePhaseReason is what decided it: Deletion, Override, Verdict, PhaseFor, CompleteAfter, Spec or NoPhase.
	// +optional
	EffectivePhaseReason EffectiveReason `json:"effectivePhaseReason,omitempty"`

	// effectivePhaseMessage says the same in words.
	// Example: spec.override by alice until 2026-11-22T18:00:00Z: checkout answers 500
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	EffectivePhaseMessage string `json:"effectivePhaseMessage,omitempty"`

	// phaseAfterOverride is what effectivePhase becomes when the spec.override that counts ends, if nobody changes anything until then.
	// Empty where no override counts, and where no phase does then: what is Live stays so. Example: Live
	// +optional
	PhaseAfterOverride Phase `json:"phaseAfterOverride,omitempty"`

	// allowedPhases are the values that spec.phase may be set to now. Example: [Live, Preview, RolledBack]
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	AllowedPhases []Phase `json:"allowedPhases,omitempty"`

	// conditions are the state in the form that tools wait for: Ready, Reconciling, Stalled, PreviewReady, Promoted,
	// RollbackAvailable, AwaitingDecision, Blind. Example: kubectl wait rel/web --for=condition=PreviewReady
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// liveVersion is the version that the production pools serve; both, joined by a plus sign, while a promotion or a
	// rollback has both in. Example: "2026.11.21-3"
	// +kubebuilder:validation:MaxLength=256
	// +optional
	LiveVersion string `json:"liveVersion,omitempty"`

	// replicas is how many servers run of the fleet that production serves, or of the candidate before there is one.
	// `kubectl get --subresource=scale` shows it.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`

	// stable is the fleet that production falls back to.
	// +optional
	Stable *FleetStatus `json:"stable,omitempty"`

	// candidate is the fleet of the revision being deployed.
	// +optional
	Candidate *FleetStatus `json:"candidate,omitempty"`

	// retired are the fleets on their way out.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	Retired []FleetStatus `json:"retired,omitempty"`

	// pools are the load balancers and target groups, and who is in them.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Pools []PoolStatus `json:"pools,omitempty"`

	// lastTransition is the last or present change of production or of a fleet, and how long it took.
	// +optional
	LastTransition *Transition `json:"lastTransition,omitempty"`

	// history are the latest revisions, newest first, at most 20.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	History []HistoryEntry `json:"history,omitempty"`

	// class is where this Release runs, as it was when the Release was first seen.
	// +optional
	Class *ClassStatus `json:"class,omitempty"`
}
