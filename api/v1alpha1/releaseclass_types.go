package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Pattern is a text in which * stands for any run of characters and ? for any one. "*" alone matches everything.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=256
type Pattern string

// LabelValue is the value of a Kubernetes label.
// +kubebuilder:validation:MaxLength=63
type LabelValue string

// ReleaseClassSpec says in which AWS account and region Releases of this class run, how Slipway gets there, and what
// they may use. Lists of patterns allow what they match; an empty one allows nothing.
// +kubebuilder:validation:XValidation:rule="!has(self.roleARN) || self.roleARN.contains('::' + self.accountID + ':')",fieldPath=".roleARN",messageExpression="'roleARN is not in account ' + self.accountID + ': name a role of that account, or correct accountID'"
// +kubebuilder:validation:XValidation:rule="!has(self.externalID) || has(self.roleARN)",fieldPath=".externalID",message="externalID is passed when a role is assumed: add roleARN or remove externalID"
type ReleaseClassSpec struct {
	// region is the AWS region. It cannot be changed. Example: us-east-1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="region cannot be changed, because servers of Releases may run there: make another ReleaseClass"
	// +required
	Region string `json:"region,omitempty"`

	// accountID is the 12-digit AWS account, in quotes. Slipway asks AWS which account its credentials belong to and
	// does nothing if it is another. It cannot be changed. Example: "123456789012"
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:Pattern=`^[0-9]{12}$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="accountID cannot be changed, because servers of Releases may run there: make another ReleaseClass"
	// +required
	AccountID string `json:"accountID,omitempty"`

	// roleARN is the IAM role that Slipway assumes for Releases of this class. Default: the controller's own
	// credentials. Example: arn:aws:iam::123456789012:role/slipway
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$')",message="the ARN of a role has the form arn:aws:iam::123456789012:role/slipway"
	// +optional
	RoleARN string `json:"roleARN,omitempty"`

	// externalID is passed when the role is assumed, where its trust policy asks for one. Default: none.
	// Example: cluster-1/shop
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=1224
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_+=,.@:/-]+$`
	// +optional
	ExternalID string `json:"externalID,omitempty"`

	// eventsQueue is the name of an SQS queue in this account and region to which EventBridge sends every "EC2 Instance State-change
	// Notification". Of a server that is stopped or terminated Slipway then hears in a second, and not by the next sweep over EC2, which
	// comes once a minute or seldomer; no decision goes by a message. Nothing else may send to the queue or read it: each controller needs
	// one of its own. The IAM policy has to allow it (HearOfServers). Default: none. Example: slipway-events
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="the name of a queue is meant, such as slipway-events, not its URL or ARN; leave it out for none"
	// +optional
	EventsQueue string `json:"eventsQueue,omitempty"`

	// allowedNamespaces selects, by label, the namespaces whose Releases may use this class. {} selects all of them.
	// Default: none. Example: {matchLabels: {team: shop}}
	// +optional
	AllowedNamespaces *NamespaceSelector `json:"allowedNamespaces,omitempty"`

	// pools are patterns for the names or ARNs of the load balancers and target groups that may be used, at most 64.
	// Default: none may. Example: ["prod-*", "test-*"]
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Pools []Pattern `json:"pools,omitempty"`

	// iamInstanceProfiles are patterns for the names of instance profiles that servers may carry, at most 64.
	// Default: none may. Example: [web, "batch-*"]
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	IAMInstanceProfiles []Pattern `json:"iamInstanceProfiles,omitempty"`

	// subnets are patterns for the ids of subnets that servers may be launched into, at most 64. Default: none may.
	// Example: [subnet-0a1b2c3d4e5f60718]
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Subnets []Pattern `json:"subnets,omitempty"`

	// securityGroups are patterns for the ids of security groups that servers may be put in, at most 64.
	// Default: none may. Example: ["*"]
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	SecurityGroups []Pattern `json:"securityGroups,omitempty"`

	// imageOwners are patterns for the owners of images that may be launched, at most 64: account ids, self for this
	// account, amazon, aws-marketplace. Default: none may. Example: [self, "210987654321"]
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	ImageOwners []Pattern `json:"imageOwners,omitempty"`

	// maxServersPerRelease is how many servers one Release may have at a time, all its fleets together, 1 to 3000.
	// A deploy needs twice spec.replicas. Default: no limit but that of replicas. Example: 40
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3000
	// +optional
	MaxServersPerRelease int32 `json:"maxServersPerRelease,omitempty"`
}

// NamespaceSelector selects namespaces by label, as a Kubernetes label selector does. All of it has to match.
type NamespaceSelector struct {
	// matchLabels are labels that the namespace has, at most 16. Default: any labels. Example: {team: shop}
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) > 0 && size(k) <= 317)",message="the key of a label has 1 to 317 characters, its prefix included: correct it"
	// +optional
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`

	// matchExpressions are conditions on the namespace's labels, at most 16. Default: none.
	// Example: [{key: team, operator: In, values: [shop, pay]}]
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	MatchExpressions []NamespaceRequirement `json:"matchExpressions,omitempty"`
}

// NamespaceRequirement is a condition on one label of a namespace.
// +kubebuilder:validation:XValidation:rule="(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",message="In and NotIn need values, Exists and DoesNotExist take none: add or remove values"
type NamespaceRequirement struct {
	// key is the label's key. Example: kubernetes.io/metadata.name
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +required
	Key string `json:"key,omitempty"`

	// operator is In, NotIn, Exists or DoesNotExist. Example: In
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
	// +required
	Operator metav1.LabelSelectorOperator `json:"operator,omitempty"`

	// values are the values to compare with, at most 64; for In and NotIn only. Example: [shop, pay]
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Values []LabelValue `json:"values,omitempty"`
}

// LabelSelector gives the selector in the form that apimachinery's LabelSelectorAsSelector takes. Of a nil
// selector it is nil, which matches nothing; of an empty one it is empty, which matches everything.
func (s *NamespaceSelector) LabelSelector() *metav1.LabelSelector {
	if s == nil {
		return nil
	}
	out := &metav1.LabelSelector{}
	for key, value := range s.MatchLabels {
		metav1.AddLabelToSelector(out, key, string(value))
	}
	for _, want := range s.MatchExpressions {
		requirement := metav1.LabelSelectorRequirement{Key: want.Key, Operator: want.Operator}
		for _, value := range want.Values {
			requirement.Values = append(requirement.Values, string(value))
		}
		out.MatchExpressions = append(out.MatchExpressions, requirement)
	}
	return out
}

// ReleaseClass is written by whoever runs the cluster. It holds the AWS account, region and role of Releases and what
// they may use. The one annotated slipway.dev/is-default-class="true" is used by Releases that name none.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=relclass,categories=slipway,path=releaseclasses
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.spec.accountID`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Default",type=string,JSONPath=`.metadata.annotations.slipway\.dev/is-default-class`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Role",type=string,priority=1,JSONPath=`.spec.roleARN`
type ReleaseClass struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is standard object metadata. The annotation slipway.dev/is-default-class="true" makes this the default.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says where Releases of this class run and what they may use.
	// +required
	Spec ReleaseClassSpec `json:"spec,omitzero"`
}

// IsDefault tells whether the class is marked as the default one.
func (c *ReleaseClass) IsDefault() bool {
	return c.Annotations[AnnotationDefaultClass] == "true"
}

// ReleaseClassList is a list of ReleaseClasses.
//
// +kubebuilder:object:root=true
type ReleaseClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []ReleaseClass `json:"items"`
}
