package controllers

import (
	"strings"
	"testing"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func TestPatterns(t *testing.T) {
	const arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web/0123456789abcdef"
	for _, test := range []struct {
		patterns []v1alpha1.Pattern
		name     string
		want     bool
	}{
		{nil, "web", false},
		{[]v1alpha1.Pattern{}, "web", false},
		{[]v1alpha1.Pattern{"*"}, arn, true}, // also over slashes
		{[]v1alpha1.Pattern{"web"}, "web", true},
		{[]v1alpha1.Pattern{"web"}, "web2", false},
		{[]v1alpha1.Pattern{"web"}, "myweb", false},
		{[]v1alpha1.Pattern{"web-*"}, "web-prod", true},
		{[]v1alpha1.Pattern{"web-*"}, "web", false},
		{[]v1alpha1.Pattern{"web?"}, "web1", true},
		{[]v1alpha1.Pattern{"web?"}, "web", false},
		{[]v1alpha1.Pattern{"other", "we*"}, "web", true},
		{[]v1alpha1.Pattern{"w.b"}, "web", false}, // a dot is a dot
		{[]v1alpha1.Pattern{"[a-z]*"}, "web", false},
		{[]v1alpha1.Pattern{"*:targetgroup/web/*"}, arn, true},
		{[]v1alpha1.Pattern{"*:targetgroup/api/*"}, arn, false},
	} {
		if got := matches(test.patterns, test.name); got != test.want {
			t.Errorf("%v and %s: got %v, want %v", test.patterns, test.name, got, test.want)
		}
	}
}

func TestPoolsThatAClassAllows(t *testing.T) {
	classic := v1alpha1.Pool{Name: "edge", Classic: &v1alpha1.ClassicLoadBalancer{Name: "prod-1"}}
	byName := v1alpha1.Pool{Name: "edge", TargetGroup: &v1alpha1.TargetGroup{Name: "prod-1"}}
	byARN := v1alpha1.Pool{Name: "edge", TargetGroup: &v1alpha1.TargetGroup{
		ARN: "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/prod-1/0123456789abcdef",
	}}
	for name, test := range map[string]struct {
		pool    v1alpha1.Pool
		pattern v1alpha1.Pattern
		allowed bool
	}{
		"classic":                    {classic, "prod-*", true},
		"classic, another":           {classic, "test-*", false},
		"target group by name":       {byName, "prod-*", true},
		"target group by ARN":        {byARN, "prod-*", true},
		"target group, ARN pattern":  {byARN, "arn:*:targetgroup/prod-*", true},
		"target group, another name": {byARN, "test-*", false},
	} {
		t.Run(name, func(t *testing.T) {
			class := testClass()
			class.Spec.Pools = []v1alpha1.Pattern{test.pattern}
			problem := poolsProblem(v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{test.pool}}, class)
			if problem.Some() == test.allowed {
				t.Fatalf("got %+v, want allowed %v", problem, test.allowed)
			}
			if !test.allowed && !tells(problem, rollout.ReasonNotAllowedByClass, "prod-1", "test-*") {
				t.Errorf("the message does not name the pool and what is allowed: %+v", problem)
			}
		})
	}
}

func TestTemplateThatAClassAllows(t *testing.T) {
	template := v1alpha1.ServerTemplate{
		SubnetIDs: []v1alpha1.SubnetID{"subnet-a", "subnet-b"}, SecurityGroupIDs: []v1alpha1.SecurityGroupID{"sg-1"}, IAMInstanceProfile: "web",
	}
	if problem := templateProblem(template, testClass()); problem.Some() {
		t.Errorf("a class that allows everything refuses: %+v", problem)
	}
	for named, narrow := range map[string]func(*v1alpha1.ReleaseClassSpec){
		"subnet-b": func(c *v1alpha1.ReleaseClassSpec) { c.Subnets = []v1alpha1.Pattern{"subnet-a"} },
		"sg-1":     func(c *v1alpha1.ReleaseClassSpec) { c.SecurityGroups = nil },
		"web":      func(c *v1alpha1.ReleaseClassSpec) { c.IAMInstanceProfiles = []v1alpha1.Pattern{"api"} },
	} {
		class := testClass()
		narrow(&class.Spec)
		problem := templateProblem(template, class)
		if problem.Reason != rollout.ReasonNotAllowedByClass || !strings.Contains(problem.Message, named) {
			t.Errorf("%s is not refused by name: %+v", named, problem)
		}
	}
	class := testClass()
	class.Spec.IAMInstanceProfiles, class.Spec.SecurityGroups = nil, nil
	bare := v1alpha1.ServerTemplate{SubnetIDs: template.SubnetIDs}
	if problem := templateProblem(bare, class); problem.Some() {
		t.Errorf("what is not asked for needs no permission: %+v", problem)
	}
}

func TestImageOwnersThatAClassAllows(t *testing.T) {
	for name, test := range map[string]struct {
		owners  []v1alpha1.Pattern
		image   cloud.Image
		allowed bool
	}{
		"none":            {nil, cloud.Image{Owner: testAccount}, false},
		"self":            {[]v1alpha1.Pattern{"self"}, cloud.Image{Owner: testAccount}, true},
		"self, a foreign": {[]v1alpha1.Pattern{"self"}, cloud.Image{Owner: "210987654321"}, false},
		"an account":      {[]v1alpha1.Pattern{"2109*"}, cloud.Image{Owner: "210987654321"}, true},
		"an alias":        {[]v1alpha1.Pattern{"amazon"}, cloud.Image{Owner: "137112412989", OwnerAlias: "amazon"}, true},
	} {
		class := testClass()
		class.Spec.ImageOwners = test.owners
		if problem := ownerProblem(test.image, class); problem.Some() == test.allowed {
			t.Errorf("%s: got %+v, want allowed %v", name, problem, test.allowed)
		}
	}
}
