package localaws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// A repeated creation with tags that the resource does not have is refused, for they would be lost.
func TestTagsOfARepeatedCreation(t *testing.T) {
	s := newBalancerSim(t)
	balancer, group := s.balancer("web", alb), s.group("web", "HTTP")
	for kind, tc := range map[string]struct {
		create               func(tags []types.Tag) (arn *string, err error)
		code, twice, message string
	}{
		"group": {func(tags []types.Tag) (*string, error) {
			out, err := s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: aws.String("api"), Protocol: "HTTP", Port: aws.Int32(80),
				VpcId: &s.site.VPC, Tags: tags})
			if err != nil {
				return nil, err
			}
			return out.TargetGroups[0].TargetGroupArn, nil
		}, "DuplicateTargetGroupName", "ValidationError", "A target group with the same name 'api' exists, but with different tags"},
		"load balancer": {func(tags []types.Tag) (*string, error) {
			out, err := s.v2.CreateLoadBalancer(s.ctx, &elbv2.CreateLoadBalancerInput{Name: aws.String("api"), Subnets: s.site.Subnets[:2], Tags: tags})
			if err != nil {
				return nil, err
			}
			return out.LoadBalancers[0].LoadBalancerArn, nil
		}, "DuplicateLoadBalancerName", "DuplicateTagKeys", "A load balancer with the same name 'api' exists, but with different tags"},
		"listener": {func(tags []types.Tag) (*string, error) {
			out, err := s.v2.CreateListener(s.ctx, &elbv2.CreateListenerInput{LoadBalancerArn: &balancer, Port: aws.Int32(80), Protocol: "HTTP",
				DefaultActions: forward(group), Tags: tags})
			if err != nil {
				return nil, err
			}
			return out.Listeners[0].ListenerArn, nil
		}, "DuplicateListener", "ValidationError", "A listener already exists on this port for this load balancer '" + balancer + "', but with different tags"},
	} {
		t.Run(kind, func(t *testing.T) {
			made := must(tc.create(elbTags("team", "shop", "stage", "test")))
			for _, tags := range [][]types.Tag{elbTags("team", "ops", "stage", "test"), elbTags("team", "shop", "stage", "test", "cost", "1")} {
				_, err := tc.create(tags)
				wantError(t, err, 400, tc.code, tc.message)
			}
			_, err := tc.create(elbTags("team", "shop", "team", "shop"))
			wantError(t, err, 400, tc.twice, "Tag key was specified more than once: team")
			for _, tags := range [][]types.Tag{elbTags("team", "shop", "stage", "test"), nil} {
				if again := must(tc.create(tags)); *again != *made {
					t.Errorf("with the tags %v again it made %s", tags, *again)
				}
			}
			got := map[string]string{}
			for _, tag := range must(s.v2.DescribeTags(s.ctx, &elbv2.DescribeTagsInput{ResourceArns: []string{*made}})).TagDescriptions[0].Tags {
				got[*tag.Key] = *tag.Value
			}
			if diff := cmp.Diff(map[string]string{"team": "shop", "stage": "test"}, got); diff != "" {
				t.Errorf("the tags (-want +got):\n%s", diff)
			}
		})
	}
	if all := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{LoadBalancerArn: &balancer})).Listeners; len(all) != 1 {
		t.Errorf("%d listeners, want the one", len(all))
	}
	if all := must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"api"}})).TargetGroups; len(all) != 1 {
		t.Errorf("%d target groups, want the one", len(all))
	}
	if got := aws.ToString(s.balancerNamed("api").LoadBalancerName); got != "api" {
		t.Errorf("the load balancer reads as %q", got)
	}
}

// elbTags are tags from keys and values by turns.
func elbTags(pairs ...string) (tags []types.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return tags
}
