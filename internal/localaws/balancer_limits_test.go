package localaws

import (
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// The limits that an account is told of are those that it is held to, raised ones too.
func TestAccountLimits(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) {
		k.Quotas.TargetsPerGroup, k.Quotas.RulesPerBalancer, k.Quotas.Groups = 7, 2000, 0
	})
	old := must(s.elb.DescribeAccountLimits(s.ctx, &elb.DescribeAccountLimitsInput{}))
	got := map[string]string{}
	for _, l := range old.Limits {
		got[*l.Name] = *l.Max
	}
	want := map[string]string{"classic-load-balancers": "20", "classic-listeners": "100", "classic-registered-instances": "1000"}
	if !maps.Equal(got, want) || old.NextMarker != nil {
		t.Errorf("the classic API says %v, next %v", got, old.NextMarker)
	}

	clear(got)
	for _, l := range must(s.v2.DescribeAccountLimits(s.ctx, &elbv2.DescribeAccountLimitsInput{})).Limits {
		got[*l.Name] = *l.Max
	}
	for name, want := range map[string]string{
		"targets-per-target-group": "7", "rules-per-application-load-balancer": "2000", "targets-per-application-load-balancer": "1000",
		"targets-per-network-load-balancer": "3000", "targets-per-availability-zone-per-network-load-balancer": "500",
		"target-groups-per-application-load-balancer": "100", "listeners-per-network-load-balancer": "50", "target-groups": "",
		"target-id-registrations-per-application-load-balancer": "1000",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// How many groups an action of a Network Load Balancer has depends on the account.
func TestLimitOfGroupsInAnAction(t *testing.T) {
	for refuses, want := range map[bool]string{false: "5", true: "1"} {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.NetworkRefusesWeights = refuses })
		got := map[string]string{}
		for _, l := range must(s.v2.DescribeAccountLimits(s.ctx, &elbv2.DescribeAccountLimitsInput{})).Limits {
			got[*l.Name] = *l.Max
		}
		if groups := got["target-groups-per-action-on-network-load-balancer"]; groups != want {
			t.Errorf("refuses weights %v: %q groups, want %s", refuses, groups, want)
		}
	}
}

// The classic API has no paginator in the SDK, and pages all the same.
func TestClassicAccountLimitsPage(t *testing.T) {
	s := newBalancerSim(t)
	var names []string
	for in := (&elb.DescribeAccountLimitsInput{PageSize: aws.Int32(2)}); ; {
		page := must(s.elb.DescribeAccountLimits(s.ctx, in))
		for _, l := range page.Limits {
			names = append(names, *l.Name)
		}
		if in.Marker = page.NextMarker; in.Marker == nil {
			break
		}
	}
	if want := []string{"classic-listeners", "classic-load-balancers", "classic-registered-instances"}; !slices.Equal(names, want) {
		t.Errorf("the pages show %v, want %v", names, want)
	}
	_, err := s.elb.DescribeAccountLimits(s.ctx, &elb.DescribeAccountLimitsInput{PageSize: aws.Int32(401)})
	wantError(t, err, 400, "ValidationError", "")
}
