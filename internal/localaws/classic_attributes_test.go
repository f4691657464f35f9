package localaws

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
)

func (s *balancerSim) classicAttributes(name string) *types.LoadBalancerAttributes {
	s.t.Helper()
	return must(s.elb.DescribeLoadBalancerAttributes(s.ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: &name})).LoadBalancerAttributes
}

// A part of the attributes without what it must have would turn off what it does not speak of.
func TestClassicAttributesThatAreMissing(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	s.drain("web", 20)
	was := s.classicAttributes("web")
	if !was.ConnectionDraining.Enabled {
		t.Fatalf("draining is off: %+v", was.ConnectionDraining)
	}
	call := []string{"Action", "ModifyLoadBalancerAttributes", "Version", classicVersion, "LoadBalancerName", "web"}
	for missing, given := range map[string][]string{
		"LoadBalancerAttributes":                            nil,
		"LoadBalancerAttributes.ConnectionDraining.Enabled": {"LoadBalancerAttributes.ConnectionDraining.Timeout", "30"},
	} {
		wantRefused(t, s.Cloud, form(append(call, given...)...), "<Code>ValidationError</Code>", "Value null at &#39;"+missing+"&#39;")
		if got := s.classicAttributes("web"); !reflect.DeepEqual(got, was) {
			t.Errorf("without %s they changed from %+v to %+v", missing, was, got)
		}
	}
	wantRefused(t, s.Cloud, form(append(call, "LoadBalancerAttributes", "x")...), "<Code>ValidationError</Code>", "The parameter LoadBalancerAttributes is not recognized")
}

func TestClassicHasTenMoreAttributes(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	modify := func(n int) error {
		more := make([]types.AdditionalAttribute, n)
		for i := range more {
			more[i] = types.AdditionalAttribute{Key: aws.String(desyncAttribute), Value: aws.String(desyncDefault)}
		}
		_, err := s.elb.ModifyLoadBalancerAttributes(s.ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerName: aws.String("web"),
			LoadBalancerAttributes: &types.LoadBalancerAttributes{AdditionalAttributes: more, CrossZoneLoadBalancing: &types.CrossZoneLoadBalancing{Enabled: n > 10}}})
		return err
	}
	succeed(t, modify(10))
	wantError(t, modify(11), 400, "ValidationError", fmt.Sprintf("1 validation error detected: Value at '%s' failed to satisfy constraint: "+
		"Member must have length less than or equal to 10", "LoadBalancerAttributes.AdditionalAttributes"))
	if got := s.classicAttributes("web"); got.CrossZoneLoadBalancing.Enabled {
		t.Errorf("the refused change left %+v", got)
	}
}
