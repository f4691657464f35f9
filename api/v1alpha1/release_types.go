package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Phase is how far a deploy should go: the desired end state, not the present one.
// +kubebuilder:validation:Enum=Preview;Live;RolledBack;Complete
type Phase string

const (
	// PhasePreview asks for the candidate healthy in every test pool, and production untouched.
	PhasePreview Phase = "Preview"
	// PhaseLive asks for the candidate healthy in every production pool, and the stable fleet kept aside.
	PhaseLive Phase = "Live"
	// PhaseRolledBack asks for the stable fleet in production again, and the candidate kept for a look.
	PhaseRolledBack Phase = "RolledBack"
	// PhaseComplete asks for the candidate to become the stable fleet and for the former one to be terminated.
	PhaseComplete Phase = "Complete"
)

// DeletionPolicy says what becomes of the servers when the Release is deleted.
// +kubebuilder:validation:Enum=Retain;Terminate
type DeletionPolicy string

const (
	// DeletionRetain leaves every server running and in its load balancers.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionTerminate drains and terminates every server of the Release, production included.
	DeletionTerminate DeletionPolicy = "Terminate"
)

// ReleaseSpec declares what an application's servers are made of, which load balancers they stand behind and how
// far the deploy should go.
// +kubebuilder:validation:XValidation:rule="has(self.className) == has(oldSelf.className) && (!has(self.className) || self.className == oldSelf.className)",fieldPath=".className",message="className cannot be changed, added or removed: the servers run in the account of the class that the Release began in; to move, make another Release in the other class"
// +kubebuilder:validation:XValidation:rule="!(has(oldSelf.phase) && oldSelf.phase == 'RolledBack' && has(self.phase) && self.phase == 'Complete') || (self.version != oldSelf.version || self.image != oldSelf.image || self.template != oldSelf.template)",fieldPath=".phase",messageExpression="'version ' + self.version + ' was rolled back and cannot be completed: set phase: Live to put it into production again, and Complete after that; or set a new version or image, with phase: Preview'"
// +kubebuilder:validation:XValidation:rule="!(has(oldSelf.phase) && oldSelf.phase in ['Live', 'Complete'] && has(self.phase) && self.phase in ['Live', 'Complete']) || has(self.phaseFor) || !(self.version != oldSelf.version || self.image != oldSelf.image || self.template != oldSelf.template)",fieldPath=".phase",messageExpression="'this edit of version, image or template would go straight into production, because phase stays ' + self.phase + ': set phase: Preview in the same edit to look at it first, or set version and phaseFor together to send this version straight through'"
// +kubebuilder:validation:XValidation:rule="!(has(oldSelf.phase) && oldSelf.phase in ['Live', 'Complete'] && has(self.phase) && self.phase in ['Live', 'Complete']) || !has(self.phaseFor) || self.version != oldSelf.version || !(self.version != oldSelf.version || self.image != oldSelf.image || self.template != oldSelf.template)",fieldPath=".version",messageExpression="'image or template changes under phase ' + self.phase + ' while version stays ' + self.version + ': set phase: Preview in the same edit to look at it first, or set a new version and phaseFor together to send it straight through'"
type ReleaseSpec struct {
	// className names the ReleaseClass that holds the AWS account, the region and what this namespace may use there.
	// It cannot be changed. Default: the class annotated slipway.dev/is-default-class="true". Example: default
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +optional
	ClassName string `json:"className,omitempty"`

	// phase is the end state that is asked for; Slipway walks through the states in between, in order.
	//
	// Preview: the candidate is healthy in every test pool, production is untouched.
	// Live: the candidate is healthy in every production pool; the stable fleet runs in no pool, ready for rollback.
	// RolledBack: the stable fleet is back in every production pool, the candidate on the test pools.
	// Complete: the candidate is the stable fleet now; the former one is terminated and cannot be rolled back to.
	//
	// Default: none. Without a phase a new revision stops at Preview, and one that is Live stays Live. Example: Preview
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// phaseFor is the version that phase is meant for. While it differs from version, Live and Complete are read as
	// Preview, so that the next version does not go straight into production; it never takes a Live one out. So is
	// RolledBack, once nothing is left to roll back.
	// Default: none, phase counts for every version. Example: "2026.11.22-1"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	PhaseFor string `json:"phaseFor,omitempty"`

	// version names the code that the servers should run. User data sees it as ${SLIPWAY_VERSION}; servers carry it
	// in the tag slipway.dev/version. Changing it makes a new revision. Example: "2026.11.22-1"
	// +required
	Version Version `json:"version,omitempty"`

	// replicas is the number of servers of the candidate and of the stable fleet each, 1 to 1000; while a deploy is
	// on, twice as many run. It is not part of the revision. `kubectl scale` sets it; leave it out of the manifest, from
	// the beginning, if something else scales: taken out later it becomes 1. Default: 1. Example: 3
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Replicas int32 `json:"replicas,omitempty"`

	// image is the machine image (AMI) to launch: exactly one of id, ssmParameter and selector. It is looked up once
	// for each revision. Changing it makes a new revision. Example: {id: ami-0123456789abcdef0}
	// +required
	Image ImageSource `json:"image,omitzero"`

	// template is everything else that a server is made of. Changing anything in it makes a new revision.
	// +required
	Template ServerTemplate `json:"template,omitzero"`

	// loadBalancers are the pools that the servers stand behind. They are not part of the revision: a pool that is
	// added is filled, a pool that is removed is let go.
	// +required
	LoadBalancers LoadBalancers `json:"loadBalancers,omitzero"`

	// health says when a server counts as healthy and how long each step may take.
	// +kubebuilder:default={}
	// +optional
	Health HealthPolicy `json:"health,omitzero"`

	// promotion says how many healthy servers production needs, and whether a sick one is rolled back by itself.
	// +kubebuilder:default={}
	// +optional
	Promotion PromotionPolicy `json:"promotion,omitzero"`

	// retention says how long the former fleet is kept for rollback. Default: until phase is Complete.
	// +optional
	Retention RetentionPolicy `json:"retention,omitzero"`

	// adopt takes servers that exist already as the first stable fleet. It is read only while this Release has no
	// stable fleet of its own, and may stay. Example: {tags: {role: hot-app-server}}
	// +optional
	Adopt *AdoptSource `json:"adopt,omitempty"`

	// override is for emergencies: it replaces phase for one revision until it expires. It belongs in no manifest;
	// set it with kubectl or the command line, where Git would undo a change of phase.
	// +optional
	Override *PhaseOverride `json:"override,omitempty"`

	// paused stops everything but an explicit RolledBack and deletion, and stops all clocks. It belongs in no
	// manifest. Default: false. Example: true
	// +optional
	Paused bool `json:"paused,omitempty"`

	// revisionHistoryLimit is how many revisions without servers are remembered, 1 to 50. Default: 10. Example: 10
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	// +optional
	RevisionHistoryLimit int32 `json:"revisionHistoryLimit,omitempty"`

	// deletionPolicy says what becomes of the servers when this object is deleted. Retain leaves them all running and
	// in their load balancers. Terminate takes the application down. Default: Retain. Example: Retain
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// Version is the name of a code version. It becomes an EC2 tag and is written into user data, which a shell reads:
// hence the small set of characters.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._+@:/=-]*$')",message="a version starts with a letter or digit and has only those and . _ + @ : / = - in it, because it becomes an EC2 tag and part of a shell script"
type Version string

// Release is one application's fleet of EC2 servers in one AWS account and region. It is long-lived: edit version or
// image for every deploy, and phase for every step of it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=rel,categories=slipway
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.spec.phase`,description="What is asked for"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.stage`,description="What Slipway is doing"
// +kubebuilder:printcolumn:name="Live",type=string,JSONPath=`.status.liveVersion`,description="Version in production"
// +kubebuilder:printcolumn:name="Candidate",type=string,JSONPath=`.status.candidate.version`,description="Version being deployed"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether what is asked for is so"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Effective",type=string,priority=1,JSONPath=`.status.effectivePhase`,description="The phase that counts"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`,description="What it waits for"
type Release struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata. The name becomes part of the servers' tags.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what is asked for. Slipway never writes it.
	// +required
	Spec ReleaseSpec `json:"spec,omitzero"`

	// status is what Slipway sees and does. It may be wiped: it is written again and nothing else changes.
	// +optional
	Status ReleaseStatus `json:"status,omitzero"`
}

// RetryAsked is the value of the annotation slipway.dev/retry, as status.observedRetry repeats it: its first 256 characters.
func (r *Release) RetryAsked() string {
	const most = 256
	if text := []rune(r.Annotations[AnnotationRetry]); len(text) > most {
		return string(text[:most])
	}
	return r.Annotations[AnnotationRetry]
}

// ReleaseList is a list of Releases.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []Release `json:"items"`
}
