package localaws

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// paginator is what the SDK's paginators have in common.
type paginator[O, X any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, options ...func(*O)) (*X, error)
}

// paged is what a paginator showed: the keys of all elements, and how many were on each page.
type paged struct {
	keys  []string
	sizes []int
}

func readPages[O, X any](s *balancerSim, p paginator[O, X], keys func(*X) []string) (out paged) {
	s.t.Helper()
	for p.HasMorePages() {
		page, err := p.NextPage(s.ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		found := keys(page)
		out.keys, out.sizes = append(out.keys, found...), append(out.sizes, len(found))
	}
	return out
}

// each reads one field of every element of a list.
func each[T any](list []T, key func(T) *string) []string {
	out := make([]string, len(list))
	for i, element := range list {
		out[i] = aws.ToString(key(element))
	}
	return out
}

// twelve launches twelve servers, each by a launch of its own.
func (s *balancerSim) twelve() {
	for range 12 {
		s.launch(1, func(in *ec2.RunInstancesInput) {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("app"), Value: aws.String("web")}}}}
		})
	}
}

// paginators are all that the SDK has for the simulated operations: each reads a list of the given length in pages of the given size.
var paginators = map[string]struct {
	size, want int
	read       func(*balancerSim) paged
}{
	"ec2 DescribeInstances": {5, 12, func(s *balancerSim) paged {
		s.twelve()
		return readPages(s, ec2.NewDescribeInstancesPaginator(s.ec2, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)}), func(x *ec2.DescribeInstancesOutput) (ids []string) {
			for _, r := range x.Reservations {
				ids = append(ids, each(r.Instances, func(i types.Instance) *string { return i.InstanceId })...)
			}
			return ids
		})
	}},
	"ec2 DescribeInstanceStatus": {5, 12, func(s *balancerSim) paged {
		s.twelve()
		in := &ec2.DescribeInstanceStatusInput{MaxResults: aws.Int32(5), IncludeAllInstances: aws.Bool(true)}
		return readPages(s, ec2.NewDescribeInstanceStatusPaginator(s.ec2, in), func(x *ec2.DescribeInstanceStatusOutput) []string {
			return each(x.InstanceStatuses, func(i types.InstanceStatus) *string { return i.InstanceId })
		})
	}},
	"ec2 DescribeTags": {5, 12, func(s *balancerSim) paged {
		s.twelve()
		return readPages(s, ec2.NewDescribeTagsPaginator(s.ec2, &ec2.DescribeTagsInput{MaxResults: aws.Int32(5)}), func(x *ec2.DescribeTagsOutput) []string {
			return each(x.Tags, func(d types.TagDescription) *string { return d.ResourceId })
		})
	}},
	"ec2 DescribeVolumes": {5, 12, func(s *balancerSim) paged {
		s.twelve()
		return readPages(s, ec2.NewDescribeVolumesPaginator(s.ec2, &ec2.DescribeVolumesInput{MaxResults: aws.Int32(5)}), func(x *ec2.DescribeVolumesOutput) []string {
			return each(x.Volumes, func(v types.Volume) *string { return v.VolumeId })
		})
	}},
	"ec2 DescribeImages": {5, 16, func(s *balancerSim) paged {
		for i := range 12 {
			s.SeedImage(Image{ID: fmt.Sprintf("ami-000000%02x", i)})
		}
		return readPages(s, ec2.NewDescribeImagesPaginator(s.ec2, &ec2.DescribeImagesInput{MaxResults: aws.Int32(5)}), func(x *ec2.DescribeImagesOutput) []string {
			return each(x.Images, func(i types.Image) *string { return i.ImageId })
		})
	}},
	"ec2 DescribeSubnets": {5, 15, func(s *balancerSim) paged {
		for i := range 12 {
			s.SeedSubnet(Subnet{ID: fmt.Sprintf("subnet-000000%02x", i), AZ: "us-east-1a", VPC: s.site.VPC})
		}
		return readPages(s, ec2.NewDescribeSubnetsPaginator(s.ec2, &ec2.DescribeSubnetsInput{MaxResults: aws.Int32(5)}), func(x *ec2.DescribeSubnetsOutput) []string {
			return each(x.Subnets, func(n types.Subnet) *string { return n.SubnetId })
		})
	}},
	"ec2 DescribeVpcs": {5, 13, func(s *balancerSim) paged {
		for i := range 12 {
			s.SeedVPC(fmt.Sprintf("vpc-000000%02x", i))
		}
		return readPages(s, ec2.NewDescribeVpcsPaginator(s.ec2, &ec2.DescribeVpcsInput{MaxResults: aws.Int32(5)}), func(x *ec2.DescribeVpcsOutput) []string {
			return each(x.Vpcs, func(v types.Vpc) *string { return v.VpcId })
		})
	}},
	"ec2 DescribeSecurityGroups": {5, 14, func(s *balancerSim) paged {
		for i := range 12 {
			s.SeedSecurityGroup(fmt.Sprintf("sg-000000%02x", i), fmt.Sprintf("g-%d", i), s.site.VPC)
		}
		return readPages(s, ec2.NewDescribeSecurityGroupsPaginator(s.ec2, &ec2.DescribeSecurityGroupsInput{MaxResults: aws.Int32(5)}),
			func(x *ec2.DescribeSecurityGroupsOutput) []string {
				return each(x.SecurityGroups, func(g types.SecurityGroup) *string { return g.GroupId })
			})
	}},
	"ec2 DescribeInstanceTypeOfferings": {5, len(instanceTypes), func(s *balancerSim) paged {
		return readPages(s, ec2.NewDescribeInstanceTypeOfferingsPaginator(s.ec2, &ec2.DescribeInstanceTypeOfferingsInput{MaxResults: aws.Int32(5)}),
			func(x *ec2.DescribeInstanceTypeOfferingsOutput) (names []string) {
				for _, o := range x.InstanceTypeOfferings {
					names = append(names, string(o.InstanceType))
				}
				return names
			})
	}},
	"ec2 DescribeLaunchTemplates": {2, 5, func(s *balancerSim) paged {
		for i := range 5 {
			s.template(fmt.Sprintf("web-%d", i), s.webTemplate())
		}
		return readPages(s, ec2.NewDescribeLaunchTemplatesPaginator(s.ec2, &ec2.DescribeLaunchTemplatesInput{MaxResults: aws.Int32(2)}),
			func(x *ec2.DescribeLaunchTemplatesOutput) []string {
				return each(x.LaunchTemplates, func(t types.LaunchTemplate) *string { return t.LaunchTemplateId })
			})
	}},
	"ec2 DescribeLaunchTemplateVersions": {2, 5, func(s *balancerSim) paged {
		id := *s.template("web", s.webTemplate()).LaunchTemplateId
		for range 4 {
			s.newVersion(id, "1", s.webTemplate())
		}
		in := &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, MaxResults: aws.Int32(2)}
		return readPages(s, ec2.NewDescribeLaunchTemplateVersionsPaginator(s.ec2, in), func(x *ec2.DescribeLaunchTemplateVersionsOutput) (numbers []string) {
			for _, v := range x.LaunchTemplateVersions {
				numbers = append(numbers, fmt.Sprint(*v.VersionNumber))
			}
			return numbers
		})
	}},
	"ec2 DescribeInstanceTypes": {5, len(instanceTypes), func(s *balancerSim) paged {
		return readPages(s, ec2.NewDescribeInstanceTypesPaginator(s.ec2, &ec2.DescribeInstanceTypesInput{MaxResults: aws.Int32(5)}),
			func(x *ec2.DescribeInstanceTypesOutput) []string {
				return each(x.InstanceTypes, func(i types.InstanceTypeInfo) *string { return aws.String(string(i.InstanceType)) })
			})
	}},
	"cloudwatch DescribeAlarms": {2, 5, func(s *balancerSim) paged {
		for i := range 5 {
			must(s.watch().PutMetricAlarm(s.ctx, errorsAlarm(fmt.Sprintf("alarm-%d", i))))
		}
		return readPages(s, cloudwatch.NewDescribeAlarmsPaginator(s.watch(), &cloudwatch.DescribeAlarmsInput{MaxRecords: aws.Int32(2)}),
			func(x *cloudwatch.DescribeAlarmsOutput) (names []string) {
				for _, a := range x.MetricAlarms {
					names = append(names, *a.AlarmName)
				}
				return names
			})
	}},
	"elb DescribeLoadBalancers": {2, 5, func(s *balancerSim) paged {
		for i := range 5 {
			s.classic(fmt.Sprintf("web-%d", i))
		}
		return readPages(s, elb.NewDescribeLoadBalancersPaginator(s.elb, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(2)}), func(x *elb.DescribeLoadBalancersOutput) (names []string) {
			for _, lb := range x.LoadBalancerDescriptions {
				names = append(names, *lb.LoadBalancerName)
			}
			return names
		})
	}},
	"elbv2 DescribeLoadBalancers": {2, 5, func(s *balancerSim) paged {
		for i := range 5 {
			s.balancer(fmt.Sprintf("web-%d", i), alb)
		}
		return readPages(s, elbv2.NewDescribeLoadBalancersPaginator(s.v2, &elbv2.DescribeLoadBalancersInput{PageSize: aws.Int32(2)}), func(x *elbv2.DescribeLoadBalancersOutput) (names []string) {
			for _, lb := range x.LoadBalancers {
				names = append(names, *lb.LoadBalancerName)
			}
			return names
		})
	}},
	"elbv2 DescribeTargetGroups": {2, 5, func(s *balancerSim) paged {
		for i := range 5 {
			s.group(fmt.Sprintf("web-%d", i), "HTTP")
		}
		return readPages(s, elbv2.NewDescribeTargetGroupsPaginator(s.v2, &elbv2.DescribeTargetGroupsInput{PageSize: aws.Int32(2)}), func(x *elbv2.DescribeTargetGroupsOutput) (names []string) {
			for _, g := range x.TargetGroups {
				names = append(names, *g.TargetGroupName)
			}
			return names
		})
	}},
	"elbv2 DescribeAccountLimits": {5, 19, func(s *balancerSim) paged {
		return readPages(s, elbv2.NewDescribeAccountLimitsPaginator(s.v2, &elbv2.DescribeAccountLimitsInput{PageSize: aws.Int32(5)}),
			func(x *elbv2.DescribeAccountLimitsOutput) (names []string) {
				for _, l := range x.Limits {
					names = append(names, *l.Name)
				}
				return names
			})
	}},
	"elbv2 DescribeListeners": {2, 5, func(s *balancerSim) paged {
		balancer, group := s.balancer("web", alb), s.group("web", "HTTP")
		for i := range 5 {
			s.listener(balancer, int32(80+i), group)
		}
		return readPages(s, elbv2.NewDescribeListenersPaginator(s.v2, &elbv2.DescribeListenersInput{LoadBalancerArn: &balancer, PageSize: aws.Int32(2)}),
			func(x *elbv2.DescribeListenersOutput) (arns []string) {
				for _, l := range x.Listeners {
					arns = append(arns, *l.ListenerArn)
				}
				return arns
			})
	}},
	"elbv2 DescribeRules": {2, 5, func(s *balancerSim) paged {
		group := s.group("web", "HTTP")
		listener := s.listener(s.balancer("web", alb), 80, group)
		for i := range 4 { // and the default rule
			must(s.rule(listener, int32(i+1), path(fmt.Sprintf("/%d", i)), forward(group)))
		}
		return readPages(s, elbv2.NewDescribeRulesPaginator(s.v2, &elbv2.DescribeRulesInput{ListenerArn: &listener, PageSize: aws.Int32(2)}),
			func(x *elbv2.DescribeRulesOutput) (priorities []string) {
				for _, r := range x.Rules {
					priorities = append(priorities, *r.Priority)
				}
				return priorities
			})
	}},
}

func TestTheSDKsPaginators(t *testing.T) {
	for name, list := range paginators {
		t.Run(name, func(t *testing.T) {
			got := list.read(newBalancerSim(t))
			slices.Sort(got.keys)
			if n := len(slices.Compact(got.keys)); n != list.want {
				t.Errorf("the pages show %d different elements, want %d", n, list.want)
			}
			for i, n := range got.sizes {
				if last := i == len(got.sizes)-1; n != list.size && (!last || n == 0 || n > list.size) {
					t.Errorf("the pages have %v elements, want %d each", got.sizes, list.size)
					break
				}
			}
		})
	}
}

func TestEveryPaginatorOfTheSDKIsUsed(t *testing.T) {
	for _, name := range sdkHas(t, "Paginator") {
		if paginators[name].read == nil {
			t.Errorf("the SDK's paginator %s is not used", name)
		}
	}
}
