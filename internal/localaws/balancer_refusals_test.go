package localaws

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Keys and values of tags are counted in characters, and may have only some, in both generations.
func TestCharactersOfTagsOfLoadBalancers(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("old")
	balancer := s.balancer("new", alb)
	add := map[string]func(key, value string) error{
		"classic": func(key, value string) error {
			_, err := s.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"old"}, Tags: []elbtypes.Tag{{Key: &key, Value: &value}}})
			return err
		},
		"v2": func(key, value string) error {
			_, err := s.v2.AddTags(s.ctx, &elbv2.AddTagsInput{ResourceArns: []string{balancer}, Tags: elbTags(key, value)})
			return err
		},
	}
	read := map[string]func() map[string]string{
		"classic": func() map[string]string {
			found := map[string]string{}
			out := must(s.elb.DescribeTags(s.ctx, &elb.DescribeTagsInput{LoadBalancerNames: []string{"old"}}))
			for _, tag := range out.TagDescriptions[0].Tags {
				found[*tag.Key] = *tag.Value
			}
			return found
		},
		"v2": func() map[string]string {
			found := map[string]string{}
			out := must(s.v2.DescribeTags(s.ctx, &elbv2.DescribeTagsInput{ResourceArns: []string{balancer}}))
			for _, tag := range out.TagDescriptions[0].Tags {
				found[*tag.Key] = *tag.Value
			}
			return found
		},
	}
	size := func(key string) string {
		return "Tag keys have 1 to 128 characters and tag values at most 256: '" + key + "'"
	}
	const signs = "Tag keys and values have letters, digits, spaces and _.:/=+-@ alone: "
	for _, tc := range []struct{ key, value, want string }{ // the refusal; empty: accepted
		{strings.Repeat("ü", 128), strings.Repeat("東", 256), ""},
		{strings.Repeat("ü", 129), "", size(strings.Repeat("ü", 129))},
		{"k", strings.Repeat("東", 257), size("k")},
		{"a 1_.:/=+-@", "", ""},
		{"b", "a 1_.:/=+-@", ""},
		{"a*", "", signs + "'a*'"},
		{"c", "a\tb", signs + "'c'"},
		{"d", "a#b", signs + "'d'"},
	} {
		for api := range add {
			err := add[api](tc.key, tc.value)
			value, there := read[api]()[tc.key]
			switch {
			case tc.want != "":
				if wantError(t, err, 400, "ValidationError", tc.want); there {
					t.Errorf("%s: the refused tag %q is there", api, tc.key)
				}
			case err != nil || value != tc.value:
				t.Errorf("%s: the tag %q has %q, want %q: %v", api, tc.key, value, tc.value, err)
			}
		}
	}
}

// The security groups of a load balancer have to be of its VPC, as its subnets have.
func TestSecurityGroupsOfAnotherNetwork(t *testing.T) {
	s := newBalancerSim(t)
	vpc := s.SeedVPC("")
	here, there := s.SeedSecurityGroup("", "here", s.site.VPC), s.SeedSecurityGroup("", "there", vpc)
	create := map[string]func(groups ...string) error{
		"classic": func(groups ...string) error {
			_, err := s.elb.CreateLoadBalancer(s.ctx, &elb.CreateLoadBalancerInput{LoadBalancerName: aws.String("old"), Subnets: s.site.Subnets[:1],
				SecurityGroups: groups, Listeners: []elbtypes.Listener{{Protocol: aws.String("TCP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}}})
			return err
		},
		"application": func(groups ...string) error {
			_, err := s.v2.CreateLoadBalancer(s.ctx, &elbv2.CreateLoadBalancerInput{Name: aws.String("app"), Subnets: s.site.Subnets, SecurityGroups: groups})
			return err
		},
		"network": func(groups ...string) error {
			_, err := s.v2.CreateLoadBalancer(s.ctx, &elbv2.CreateLoadBalancerInput{Name: aws.String("flows"), Type: types.LoadBalancerTypeEnumNetwork,
				Subnets: s.site.Subnets, SecurityGroups: groups})
			return err
		},
	}
	for kind, create := range create {
		status := map[bool]int{true: 409, false: 400}[kind == "classic"]
		wantError(t, create(here, there), status, "InvalidConfigurationRequest", `Security group "`+there+`" does not belong to VPC "`+s.site.VPC+`"`)
	}
	old := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})).LoadBalancerDescriptions
	if v2 := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{})).LoadBalancers; len(old) > 0 || len(v2) > 0 {
		t.Errorf("refused ones are there: %+v, %+v", old, v2)
	}
	for _, create := range create {
		succeed(t, create(here))
	}
	for _, lb := range must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{})).LoadBalancers {
		if len(lb.SecurityGroups) != 1 || lb.SecurityGroups[0] != here {
			t.Errorf("%s has %v", *lb.LoadBalancerName, lb.SecurityGroups)
		}
	}
	old = must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})).LoadBalancerDescriptions
	if len(old) != 1 || len(old[0].SecurityGroups) != 1 || old[0].SecurityGroups[0] != here {
		t.Errorf("the classic one reads %+v", old)
	}
}
