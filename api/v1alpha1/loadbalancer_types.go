package v1alpha1

// LoadBalancers are the pools that a Release's servers stand behind.
type LoadBalancers struct {
	// test are the pools on which a candidate is looked at before it is promoted, at most 8. Without any, Preview
	// waits until the servers run for health.minReadySeconds, and says that nothing checked their health.
	// Default: none. Example: [{name: test, classic: {name: production-test}}]
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Test []Pool `json:"test,omitempty"`

	// production are the pools that serve the application's users, 1 to 16. All of them change together. No other
	// Release may use them. Example: [{name: edge, classic: {name: prod-elb-1}}, {name: api, targetGroup: {name: api}}]
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +required
	Production []Pool `json:"production,omitempty"`
}

// Pool is whatever balances load over servers: a classic load balancer, or a target group of an application or
// network load balancer. It has to exist; Slipway only puts servers in and takes them out.
type Pool struct {
	// name is what this pool is called in status, events and messages; unique in this Release. Example: edge
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`

	// classic is a classic load balancer. Example: {name: prod-elb-1}
	// +optional
	Classic *ClassicLoadBalancer `json:"classic,omitempty"`

	// targetGroup is a target group of type instance that a listener forwards to. Example: {name: web}
	// +optional
	TargetGroup *TargetGroup `json:"targetGroup,omitempty"`
}

// ClassicLoadBalancer names a classic load balancer.
type ClassicLoadBalancer struct {
	// name is the name of the load balancer in AWS. Example: prod-elb-1
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`
	// +required
	Name string `json:"name,omitempty"`
}

// TargetGroup names a target group by ARN or by name, not both.
type TargetGroup struct {
	// arn is the ARN of the target group, in the region and account of the ReleaseClass.
	// Example: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef
	// +kubebuilder:validation:MaxLength=256
	// +optional
	ARN string `json:"arn,omitempty"`

	// name is the name of the target group in AWS. Example: web
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`
	// +optional
	Name string `json:"name,omitempty"`
}
