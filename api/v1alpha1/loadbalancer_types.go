package v1alpha1

// LoadBalancers are the pools that a Release's servers stand behind.
// +kubebuilder:validation:XValidation:rule="!has(self.test) || self.test.all(t, !self.production.exists(p, p.name == t.name))",messageExpression="'the pool name ' + self.test.map(t, self.production.exists(p, p.name == t.name), t.name)[0] + ' is used under test and under production: rename one of them'"
// +kubebuilder:validation:XValidation:rule="!has(self.test) || self.test.map(t, (has(t.classic) ? 'classic/' + t.classic.name : !has(t.targetGroup) ? 'none' : has(t.targetGroup.name) ? 'tg/' + t.targetGroup.name : !has(t.targetGroup.arn) ? 'none' : t.targetGroup.arn.contains('/') ? 'tg/' + t.targetGroup.arn.split('/')[1] : t.targetGroup.arn)).all(k, k == 'none' || !self.production.exists(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) == k))",messageExpression="'test pool ' + self.test.map(t, (has(t.classic) ? 'classic/' + t.classic.name : !has(t.targetGroup) ? 'none' : has(t.targetGroup.name) ? 'tg/' + t.targetGroup.name : !has(t.targetGroup.arn) ? 'none' : t.targetGroup.arn.contains('/') ? 'tg/' + t.targetGroup.arn.split('/')[1] : t.targetGroup.arn) != 'none' && self.production.exists(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) == (has(t.classic) ? 'classic/' + t.classic.name : !has(t.targetGroup) ? 'none' : has(t.targetGroup.name) ? 'tg/' + t.targetGroup.name : !has(t.targetGroup.arn) ? 'none' : t.targetGroup.arn.contains('/') ? 'tg/' + t.targetGroup.arn.split('/')[1] : t.targetGroup.arn)), t.name)[0] + ' is the same load balancer or target group as one under production: a candidate on it would serve users before it is promoted; remove it from test'"
// +kubebuilder:validation:XValidation:rule="self.production.all(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) == 'none' || self.production.exists_one(q, (has(q.classic) ? 'classic/' + q.classic.name : !has(q.targetGroup) ? 'none' : has(q.targetGroup.name) ? 'tg/' + q.targetGroup.name : !has(q.targetGroup.arn) ? 'none' : q.targetGroup.arn.contains('/') ? 'tg/' + q.targetGroup.arn.split('/')[1] : q.targetGroup.arn) == (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn)))",messageExpression="'production pools ' + self.production.map(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) != 'none' && !self.production.exists_one(q, (has(q.classic) ? 'classic/' + q.classic.name : !has(q.targetGroup) ? 'none' : has(q.targetGroup.name) ? 'tg/' + q.targetGroup.name : !has(q.targetGroup.arn) ? 'none' : q.targetGroup.arn.contains('/') ? 'tg/' + q.targetGroup.arn.split('/')[1] : q.targetGroup.arn) == (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn)), p.name)[0] + ' and ' + self.production.map(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) != 'none' && !self.production.exists_one(q, (has(q.classic) ? 'classic/' + q.classic.name : !has(q.targetGroup) ? 'none' : has(q.targetGroup.name) ? 'tg/' + q.targetGroup.name : !has(q.targetGroup.arn) ? 'none' : q.targetGroup.arn.contains('/') ? 'tg/' + q.targetGroup.arn.split('/')[1] : q.targetGroup.arn) == (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn)), p.name)[1] + ' are the same load balancer or target group: remove one'"
// +kubebuilder:validation:XValidation:rule="!has(self.test) || self.test.all(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) == 'none' || self.test.exists_one(q, (has(q.classic) ? 'classic/' + q.classic.name : !has(q.targetGroup) ? 'none' : has(q.targetGroup.name) ? 'tg/' + q.targetGroup.name : !has(q.targetGroup.arn) ? 'none' : q.targetGroup.arn.contains('/') ? 'tg/' + q.targetGroup.arn.split('/')[1] : q.targetGroup.arn) == (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn)))",messageExpression="'test pools ' + self.test.map(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) != 'none' && !self.test.exists_one(q, (has(q.classic) ? 'classic/' + q.classic.name : !has(q.targetGroup) ? 'none' : has(q.targetGroup.name) ? 'tg/' + q.targetGroup.name : !has(q.targetGroup.arn) ? 'none' : q.targetGroup.arn.contains('/') ? 'tg/' + q.targetGroup.arn.split('/')[1] : q.targetGroup.arn) == (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn)), p.name)[0] + ' and ' + self.test.map(p, (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn) != 'none' && !self.test.exists_one(q, (has(q.classic) ? 'classic/' + q.classic.name : !has(q.targetGroup) ? 'none' : has(q.targetGroup.name) ? 'tg/' + q.targetGroup.name : !has(q.targetGroup.arn) ? 'none' : q.targetGroup.arn.contains('/') ? 'tg/' + q.targetGroup.arn.split('/')[1] : q.targetGroup.arn) == (has(p.classic) ? 'classic/' + p.classic.name : !has(p.targetGroup) ? 'none' : has(p.targetGroup.name) ? 'tg/' + p.targetGroup.name : !has(p.targetGroup.arn) ? 'none' : p.targetGroup.arn.contains('/') ? 'tg/' + p.targetGroup.arn.split('/')[1] : p.targetGroup.arn)), p.name)[1] + ' are the same load balancer or target group: remove one'"
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
// +kubebuilder:validation:XValidation:rule="has(self.classic) != has(self.targetGroup)",message="a pool is exactly one of classic and targetGroup: remove one, or add one"
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
// +kubebuilder:validation:XValidation:rule="has(self.arn) != has(self.name)",message="targetGroup needs exactly one of arn and name: remove one, or add one"
type TargetGroup struct {
	// arn is the ARN of the target group, in the region and account of the ReleaseClass.
	// Example: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+$')",message="the ARN of a target group has the form arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef (not that of its load balancer or listener): or give its name"
	// +optional
	ARN string `json:"arn,omitempty"`

	// name is the name of the target group in AWS. Example: web
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`
	// +optional
	Name string `json:"name,omitempty"`
}
