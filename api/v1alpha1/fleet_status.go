package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// FleetStatus is all servers of one revision.
type FleetStatus struct {
	// revision is the name of the revision, which is also that of its ControllerRevision. Example: web-7d9c5b8f6d
	// +optional
	Revision StatusName `json:"revision,omitempty"`

	// version is the code version of its servers. Example: "2026.11.22-1"
	// +optional
	Version StatusName `json:"version,omitempty"`

	// imageID is the machine image of its servers. Example: ami-0123456789abcdef0
	// +optional
	ImageID StatusName `json:"imageID,omitempty"`

	// desired is how many servers it should have.
	// +optional
	Desired int32 `json:"desired"`

	// running is how many of its servers run.
	// +optional
	Running int32 `json:"running"`

	// healthy is how many of its servers are healthy in every pool that they should be in. In no pool, health is not
	// known and healthy is 0.
	// +optional
	Healthy int32 `json:"healthy"`

	// serverIDs are the ids of its servers, in order, at most 50; running counts all. Example: [i-0a1b2c3d4e5f60718]
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	ServerIDs []StatusName `json:"serverIDs,omitempty"`

	// note says what is special about it. Example: its ControllerRevision is not there (adopted by hand, or lost): it
	// serves and is rolled back to, and is never grown or repaired
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Note string `json:"note,omitempty"`
}

// PoolStatus is one load balancer or target group, and who is in it.
type PoolStatus struct {
	// name is the name of the pool in spec.loadBalancers. Example: edge
	// +kubebuilder:validation:MaxLength=256
	// +required
	Name string `json:"name"`

	// kind is classic or targetGroup.
	// +optional
	Kind PoolKind `json:"kind,omitempty"`

	// role is test, production, or released: it left the spec, and servers of ours are still in it.
	// +required
	Role PoolRole `json:"role"`

	// reference is the name of the classic load balancer, or the ARN (while it is unknown, the name) of the target
	// group. Example: prod-elb-1
	// +kubebuilder:validation:MaxLength=256
	// +required
	Reference string `json:"reference"`

	// state is claimed, heldByAnother (another Release has it), released (it left spec) or notFound.
	// +optional
	State PoolState `json:"state,omitempty"`

	// fleets are this Release's fleets in the pool.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	Fleets []PoolFleetStatus `json:"fleets,omitempty"`

	// registered is how many servers of this Release are registered.
	// +optional
	Registered int32 `json:"registered"`

	// healthy is how many servers of this Release are healthy here.
	// +optional
	Healthy int32 `json:"healthy"`

	// strangers is how many registered servers are not of this Release. They are never touched.
	// +optional
	Strangers int32 `json:"strangers,omitempty"`

	// unhealthy are the registered servers of this Release that are not healthy, with AWS's own reason, at most 10.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	Unhealthy []UnhealthyServer `json:"unhealthy,omitempty"`

	// lastRead is when the pool was last read. It is written only while it cannot be read (condition Blind), so that
	// a settled Release is not written every second.
	// +optional
	LastRead *metav1.Time `json:"lastRead,omitempty"`

	// message says why it cannot be read or who holds it, in AWS's own words where it has any.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// PoolFleetStatus is one fleet in one pool.
type PoolFleetStatus struct {
	// revision is the name of the fleet's revision. Example: web-7d9c5b8f6d
	// +optional
	Revision StatusName `json:"revision,omitempty"`

	// version is the code version of the fleet. Example: "2026.11.22-1"
	// +optional
	Version StatusName `json:"version,omitempty"`

	// registered is how many of the fleet's servers are registered here. Those that are draining are no more.
	// +optional
	Registered int32 `json:"registered"`

	// healthy is how many of the fleet's servers are healthy here.
	// +optional
	Healthy int32 `json:"healthy"`

	// serverIDs are the ids of those that are registered, in order, at most 50; registered counts all. A server of the
	// fleet that is not among them gets no requests from here. Example: [i-0a1b2c3d4e5f60718]
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	ServerIDs []StatusName `json:"serverIDs,omitempty"`

	// draining is how many of the fleet's servers left and still answer what they were asked before.
	// +optional
	Draining int32 `json:"draining,omitempty"`
}

// UnhealthyServer is a registered server that is not healthy.
type UnhealthyServer struct {
	// serverID is the id of the server. Example: i-0a1b2c3d4e5f60718
	// +optional
	ServerID StatusName `json:"serverID,omitempty"`

	// revision is the name of its fleet's revision. Example: web-7d9c5b8f6d
	// +optional
	Revision StatusName `json:"revision,omitempty"`

	// state is unhealthy, or registering, or unknown where AWS has not judged it yet or cannot tell. AWS's own words are in reason.
	// Example: unhealthy
	// +optional
	State StatusName `json:"state,omitempty"`

	// reason is AWS's own reason. Example: Health checks failed with these codes: [502]
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Reason string `json:"reason,omitempty"`
}

// Transition is a change of production or of a fleet.
type Transition struct {
	// what is what changes: Launch, Promotion, Undo, Rollback or Completion.
	// +optional
	What StatusName `json:"what,omitempty"`

	// revision is the revision that it is about. Example: web-7d9c5b8f6d
	// +optional
	Revision StatusName `json:"revision,omitempty"`

	// askedBy is who asked for it, as far as the API server tells: a user, the signature of an override, or "field manager"
	// and its name; slipway where a verdict, completeAfter or the end of an override did. Example: alice@example.com
	// +optional
	AskedBy StatusName `json:"askedBy,omitempty"`

	// started is when it began.
	// +optional
	Started *metav1.MicroTime `json:"started,omitempty"`

	// deadline is when a promotion that has not reached its gate is undone; absent where no clock runs.
	// +optional
	Deadline *metav1.Time `json:"deadline,omitempty"`

	// ended is when it ended; absent while it goes on.
	// +optional
	Ended *metav1.MicroTime `json:"ended,omitempty"`

	// seconds is how long it took, as a decimal number. Example: "3.204"
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Seconds string `json:"seconds,omitempty"`
}

// HistoryEntry is one revision and what became of it.
type HistoryEntry struct {
	// revision is the name of the revision. Example: web-7d9c5b8f6d
	// +optional
	Revision StatusName `json:"revision,omitempty"`

	// version is its code version. Example: "2026.11.22-1"
	// +optional
	Version StatusName `json:"version,omitempty"`

	// imageID is its machine image. Example: ami-0123456789abcdef0
	// +optional
	ImageID StatusName `json:"imageID,omitempty"`

	// verdict is what became of it: Completed, RolledBack, PromotionFailed, AutoRolledBack or Superseded; absent while
	// it is open.
	// +optional
	Verdict Verdict `json:"verdict,omitempty"`

	// message says why, where there is more to say.
	// Example: version 2026.11.22-1 had 1 of 2 healthy servers in edge for 30s
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// created is when the revision was recorded.
	// +optional
	Created *metav1.Time `json:"created,omitempty"`

	// previewReady is when it was first healthy in every test pool.
	// +optional
	PreviewReady *metav1.Time `json:"previewReady,omitempty"`

	// live is when it was first Live.
	// +optional
	Live *metav1.Time `json:"live,omitempty"`

	// liveBy is who had asked for the promotion, as far as the API server tells; see lastTransition.askedBy.
	// +optional
	LiveBy StatusName `json:"liveBy,omitempty"`

	// ended is when its verdict was given.
	// +optional
	Ended *metav1.Time `json:"ended,omitempty"`

	// endedBy is who had asked for what the verdict says, as far as the API server tells; see lastTransition.askedBy.
	// +optional
	EndedBy StatusName `json:"endedBy,omitempty"`
}

// ClassStatus is where a Release runs.
type ClassStatus struct {
	// name is the name of the ReleaseClass. Example: default
	// +optional
	Name StatusName `json:"name,omitempty"`

	// accountID is the AWS account. Example: "123456789012"
	// +optional
	AccountID StatusName `json:"accountID,omitempty"`

	// region is the AWS region. Example: us-east-1
	// +optional
	Region StatusName `json:"region,omitempty"`
}
