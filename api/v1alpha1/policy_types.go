package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// HealthPolicy says when a server counts as healthy and how long each step may take. Durations are written as in Go:
// 500ms, 90s, 10m, 1h30m.
type HealthPolicy struct {
	// consecutive is how many readings in a row must find every server healthy before a promotion goes on, 1 to 10.
	// Default: 2. Example: 3
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	// +optional
	Consecutive int32 `json:"consecutive,omitempty"`

	// minReadySeconds is for how many seconds a server has to be healthy in Preview, or to run where there is no test
	// pool, before it counts, 0 to 3600. Default: 0. Example: 30
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	// +optional
	MinReadySeconds int32 `json:"minReadySeconds,omitempty"`

	// timeout is how long a running candidate may take to be healthy in every test pool, and a promotion to be healthy
	// in every production pool, 1s to 6h; 5 minutes are added where a pool belongs to a network load balancer. Past it
	// a promotion is undone; a preview is Stalled and its servers stay for a look. Default: 10m. Example: 5m
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('6h')",message="must be from 1s to 6h, for example 10m"
	// +kubebuilder:default="10m0s"
	// +optional
	Timeout metav1.Duration `json:"timeout,omitzero"`

	// launchTimeout is how long servers may take from their launch until they run, 1s to 6h. Past it the Release is
	// Stalled. Default: 15m. Example: 30m
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('6h')",message="must be from 1s to 6h, for example 15m"
	// +kubebuilder:default="15m0s"
	// +optional
	LaunchTimeout metav1.Duration `json:"launchTimeout,omitzero"`

	// rollbackTimeout is how long a rollback waits for every stable server, once a first one is healthy, before it
	// goes on with those that are, 1s to 1h. Default: 60s. Example: 30s
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="must be from 1s to 1h, for example 60s"
	// +kubebuilder:default="1m0s"
	// +optional
	RollbackTimeout metav1.Duration `json:"rollbackTimeout,omitzero"`
}

// PromotionPolicy says how many healthy servers production needs.
type PromotionPolicy struct {
	// autoRollback puts the stable fleet back, if it runs, when a Live candidate has too few healthy servers in a
	// production pool for 30 seconds. Default: false. Example: true
	// +kubebuilder:default=false
	// +optional
	AutoRollback bool `json:"autoRollback,omitempty"`

	// minHealthyPercent is how many percent of replicas, rounded up and at least one server, have to be healthy before
	// anything is taken out of production, 1 to 100. Default: 100. Example: 75
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	MinHealthyPercent int32 `json:"minHealthyPercent,omitempty"`
}

// RetentionPolicy says how long the former fleet is kept.
type RetentionPolicy struct {
	// completeAfter turns Live into Complete by itself, once the candidate was Live and Ready for so long, 1s to
	// 2160h (90 days). Time in which Slipway is paused or cannot see does not count, nor while spec.phase
	// says something else than Live. Default: never. Example: 24h
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('2160h')",message="must be from 1s to 2160h, for example 24h"
	// +optional
	CompleteAfter metav1.Duration `json:"completeAfter,omitzero"`
}

// AdoptSource names servers that exist already, in one of two ways.
// +kubebuilder:validation:XValidation:rule="has(self.tags) != has(self.formerOwner)",message="adopt needs exactly one of tags (servers made by hand) and formerOwner (servers of a deleted Release of this name): remove one"
// +kubebuilder:validation:XValidation:rule="!has(self.formerCluster) || has(self.formerOwner)",message="adopt.formerCluster says where formerOwner was: add formerOwner or remove formerCluster"
type AdoptSource struct {
	// tags take servers that have all of these tags, 1 to 10, that also carry the tag
	// slipway.dev/adopt=<namespace>/<name>, put on in AWS by hand, and that are in one of the production pools.
	// Example: {role: hot-app-server}
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=10
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 128)",message="the key of an EC2 tag has 1 to 128 characters: shorten it"
	// +optional
	Tags map[string]TagValue `json:"tags,omitempty"`

	// formerOwner takes the servers of a Release of this namespace and name that was deleted: its uid, which the
	// condition Stalled gives with the reason FormerServersFound. Example: 8a6c1d5e-52f0-4a53-8a6b-0d8f4a4f9a11
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')",message="a uid has the form 8a6c1d5e-52f0-4a53-8a6b-0d8f4a4f9a11: copy it from the message of FormerServersFound or from the servers' tag slipway.dev/owner"
	// +optional
	FormerOwner string `json:"formerOwner,omitempty"`

	// formerCluster is, beside formerOwner, the value of the servers' tag slipway.dev/cluster where the cluster was
	// rebuilt or the application moved. Servers of another cluster are not found without it: set both before the first
	// apply. Default: this cluster. Example: 3f0d7f0e-0c6e-4a9a-9a44-0f3c7b1f5f0e
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	FormerCluster string `json:"formerCluster,omitempty"`
}

// PhaseOverride replaces the phase for one revision, for a while.
// +kubebuilder:validation:XValidation:rule="self.phase != 'Complete'",fieldPath=".phase",message="an override ends by itself and Complete cannot be undone: set spec.phase to Complete instead"
type PhaseOverride struct {
	// revision is the name of the revision that it counts for, as in status.candidate.revision. Any other revision
	// makes it void. Example: web-7d9c5b8f6d
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Revision string `json:"revision,omitempty"`

	// phase is what counts instead of spec.phase: Preview, Live or RolledBack. Complete cannot be undone and is asked for in
	// spec.phase alone. Example: RolledBack
	// +required
	Phase Phase `json:"phase,omitempty"`

	// reason says why, for whoever looks at three in the morning. Default: none. Example: checkout answers 500
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Reason string `json:"reason,omitempty"`

	// by says who. Default: none. Example: alice
	// +kubebuilder:validation:MaxLength=256
	// +optional
	By string `json:"by,omitempty"`

	// expiresAt is when it ends by itself, at most 7 days from now. One that is further away does not count where its phase is
	// Live, and counts all the same where it holds production back; the Release says so. Example: "2026-11-22T18:00:00Z"
	// +required
	ExpiresAt metav1.Time `json:"expiresAt,omitzero"`
}
