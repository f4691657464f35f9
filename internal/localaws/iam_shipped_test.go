package localaws

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

const (
	clusterTag = "slipway.dev/cluster"
	adoptTag   = "slipway.dev/adopt"
)

// shippedSim is an account in which a controller holds the policy that is shipped, beside a person who may do everything.
type shippedSim struct {
	*balancerSim
	person *balancerSim
	group  string // of the person's making, granted; ungranted is another one
	other  string
}

// newShippedSim furnishes it: the classic load balancers granted and foreign, and a target group of each.
func newShippedSim(t *testing.T) *shippedSim {
	t.Helper()
	text, err := os.ReadFile("../../config/iam/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	document := strings.NewReplacer("REGION", "us-east-1", "ACCOUNT_ID", "123456789012", "CLUSTER_NAME", "prod", "SERVER_ROLE", "web").Replace(string(text))
	person := newBalancerSim(t)
	person.use(person.config("AKIDPERSON", "us-east-1"))
	cfg := person.config("AKIDPERSON", "us-east-1")
	person.elb, person.v2 = elb.NewFromConfig(cfg), elbv2.NewFromConfig(cfg)
	person.SeedInstanceProfile("admin")
	if _, err := person.AttachPolicy("AKIDTEST", document); err != nil {
		t.Fatal(err)
	}
	controller := &balancerSim{sim: &sim{Cloud: person.Cloud, t: t, ctx: person.ctx, clock: person.clock, site: person.site, seen: person.seen}}
	cfg = person.config("AKIDTEST", "us-east-1")
	controller.use(cfg)
	controller.elb, controller.v2 = elb.NewFromConfig(cfg), elbv2.NewFromConfig(cfg)
	s := &shippedSim{balancerSim: controller, person: person}
	s.group, s.other = person.behind("granted-group", alb), person.behind("foreign-group", alb)
	person.classic("granted")
	person.classic("foreign")
	must(person.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"granted"},
		Tags: []elbtypes.Tag{{Key: aws.String(clusterTag), Value: aws.String("prod")}}}))
	must(person.v2.AddTags(s.ctx, &elbv2.AddTagsInput{ResourceArns: []string{s.group},
		Tags: []elbv2types.Tag{{Key: aws.String(clusterTag), Value: aws.String("prod")}}}))
	return s
}

// ours is a launch as the controller makes it, with the tags of a cluster on all that it makes.
func (s *shippedSim) ours(cluster string, kinds ...types.ResourceType) func(*ec2.RunInstancesInput) {
	return func(in *ec2.RunInstancesInput) {
		in.UserData = userData("#localaws boot=0s configure=0s")
		for _, kind := range kinds {
			in.TagSpecifications = append(in.TagSpecifications, types.TagSpecification{ResourceType: kind, Tags: sdkTags(map[string]string{clusterTag: cluster})})
		}
	}
}

var launchKinds = []types.ResourceType{types.ResourceTypeInstance, types.ResourceTypeVolume, types.ResourceTypeNetworkInterface}

// serversOf are running servers that carry those tags.
func (s *shippedSim) serversOf(tags map[string]string) string {
	s.t.Helper()
	id := s.person.servers(1, "", 0)[0]
	succeed(s.t, s.person.tag(tags, id))
	return id
}

// Everything that the policy grants is permitted under its conditions.
func TestTheShippedPolicyPermitsWhatTheControllerDoes(t *testing.T) {
	s := newShippedSim(t)
	in := s.input(1, s.ours("prod", launchKinds...))
	in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("web")}
	out, err := s.ec2.RunInstances(s.ctx, in)
	succeed(t, err)
	id := *out.Instances[0].InstanceId
	s.clock.Advance(1)
	must(s.person.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/images/web"), Value: aws.String("ami-1"), Type: "String"}))
	adopted := s.serversOf(map[string]string{adoptTag: "yes"})
	calls := map[string]func() error{
		"ec2:DescribeInstances": func() error { _, err := s.describe(id); return err },
		"ec2:DescribeInstanceStatus": func() error {
			_, err := s.ec2.DescribeInstanceStatus(s.ctx, &ec2.DescribeInstanceStatusInput{})
			return err
		},
		"ec2:DescribeImages": func() error { _, err := s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{}); return err },
		"ssm:GetParameter": func() error {
			_, err := s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/images/web")})
			return err
		},
		"elb: registering and all that is read":   func() error { return s.useClassic("granted", id) },
		"elbv2: registering and all that is read": func() error { return s.useGroup(s.group, id) },
		"ec2:CreateTags on our server": func() error {
			return s.tag(map[string]string{"slipway.dev/role": "live", clusterTag: "prod"}, id)
		},
		"ec2:CreateTags on a server to adopt": func() error { return s.tag(map[string]string{clusterTag: "prod", "slipway.dev/role": "live"}, adopted) },
	}
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	succeed(t, s.terminate(id))
	succeed(t, s.terminate(adopted)) // it is ours by now
	s.wantAlive(0)
	for _, pool := range []string{"granted", "granted-group"} {
		for _, m := range s.pool(pool).Members {
			if m.Receiving {
				t.Errorf("%s still sends to %+v", pool, m)
			}
		}
	}
}

// useClassic makes each call that the controller makes to a classic load balancer.
func (s *shippedSim) useClassic(name, id string) error {
	list := instances([]string{id})
	_, err := s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &name, Instances: list})
	if err != nil {
		return err
	}
	must(s.elb.DescribeInstanceHealth(s.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: &name}))
	must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{}))
	must(s.elb.DescribeLoadBalancerAttributes(s.ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: &name}))
	_, err = s.elb.DeregisterInstancesFromLoadBalancer(s.ctx, &elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: &name, Instances: list})
	return err
}

// useGroup makes each call that the controller makes to a target group.
func (s *shippedSim) useGroup(group, id string) error {
	list := targets([]string{id})
	if _, err := s.v2.RegisterTargets(s.ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: list}); err != nil {
		return err
	}
	must(s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group}))
	must(s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{}))
	must(s.v2.DescribeTargetGroupAttributes(s.ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &group}))
	must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{}))
	_, err := s.v2.DeregisterTargets(s.ctx, &elbv2.DeregisterTargetsInput{TargetGroupArn: &group, Targets: list})
	return err
}

// What somebody could try who took over the controller, and may not.
func TestACompromisedControllerIsHeldByTheShippedPolicy(t *testing.T) {
	s := newShippedSim(t)
	ours := s.serversOf(map[string]string{clusterTag: "prod"})
	foreign := s.serversOf(map[string]string{"Name": "database"})
	theirs := s.serversOf(map[string]string{clusterTag: "staging"})
	theirsToAdopt := s.serversOf(map[string]string{clusterTag: "staging", adoptTag: "yes"})
	must(s.person.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/secrets/db"), Value: aws.String("x"), Type: "String"}))
	launch := func(change ...func(*ec2.RunInstancesInput)) func() error {
		return func() error { _, err := s.ec2.RunInstances(s.ctx, s.input(1, change...)); return err }
	}
	for name, call := range map[string]func() error{
		"terminate a foreign server":                    func() error { return s.terminate(foreign) },
		"terminate another cluster's server":            func() error { return s.terminate(theirs) },
		"terminate a foreign server beside one of ours": func() error { return s.terminate(ours, foreign) },
		"take a server by a tag, to terminate it":       func() error { return s.tag(map[string]string{clusterTag: "prod"}, foreign) },
		"take another cluster's server":                 func() error { return s.tag(map[string]string{clusterTag: "prod"}, theirs) },
		"take another cluster's server that is marked":  func() error { return s.tag(map[string]string{clusterTag: "prod"}, theirsToAdopt) },
		"mark a server for adoption":                    func() error { return s.tag(map[string]string{adoptTag: "yes"}, foreign) },
		"give a server of ours away":                    func() error { return s.tag(map[string]string{clusterTag: "staging"}, ours) },
		"write another tag on a server of ours":         func() error { return s.tag(map[string]string{"Name": "mine"}, ours) },
		"tag a subnet":                                  func() error { return s.tag(map[string]string{clusterTag: "prod"}, s.site.Subnets[0]) },
		"delete tags": func() error {
			_, err := s.ec2.DeleteTags(s.ctx, &ec2.DeleteTagsInput{Resources: []string{ours}, Tags: []types.Tag{{Key: aws.String(clusterTag)}}})
			return err
		},
		"launch without tags":             launch(),
		"launch for another cluster":      launch(s.ours("staging", launchKinds...)),
		"launch with untagged volumes":    launch(s.ours("prod", types.ResourceTypeInstance, types.ResourceTypeNetworkInterface)),
		"launch with untagged interfaces": launch(s.ours("prod", types.ResourceTypeInstance, types.ResourceTypeVolume)),
		"pass another role": launch(s.ours("prod", launchKinds...), func(in *ec2.RunInstancesInput) {
			in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("admin")}
		}),
		"register with a load balancer that is not granted": func() error { return s.useClassic("foreign", ours) },
		"register with a target group that is not granted":  func() error { return s.useGroup(s.other, ours) },
		"grant a load balancer": func() error {
			_, err := s.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"foreign"}, Tags: []elbtypes.Tag{{Key: aws.String(clusterTag), Value: aws.String("prod")}}})
			return err
		},
		"delete a load balancer": func() error {
			_, err := s.elb.DeleteLoadBalancer(s.ctx, &elb.DeleteLoadBalancerInput{LoadBalancerName: aws.String("granted")})
			return err
		},
		"read another parameter": func() error {
			_, err := s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/secrets/db")})
			return err
		},
		"stop a server": func() error { return s.stopIDs(ours) },
		"lift the protection of a server": func() error {
			_, err := s.ec2.ModifyInstanceAttribute(s.ctx, &ec2.ModifyInstanceAttributeInput{InstanceId: &ours, DisableApiTermination: &types.AttributeBooleanValue{Value: aws.Bool(false)}})
			return err
		},
		"read the user data of a server": func() error {
			_, err := s.ec2.DescribeInstanceAttribute(s.ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &ours, Attribute: "userData"})
			return err
		},
	} {
		before := s.LastSeq()
		err := call()
		if err == nil || !slices.ContainsFunc([]string{"UnauthorizedOperation", "AccessDenied"}, func(code string) bool { return strings.Contains(err.Error(), code) }) {
			t.Errorf("%s: %v", name, err)
		}
		for _, e := range s.LedgerSince(before) {
			if e.Change != nil || len(e.Call.Effects) > 0 {
				t.Errorf("%s: %s", name, e)
			}
		}
	}
	for _, id := range []string{ours, foreign, theirs} {
		if in, _ := s.Instance(id); !in.Alive {
			t.Errorf("%s is %s", id, in.State)
		}
	}
	abroad := s.config("AKIDTEST", "eu-central-1")
	_, err := ec2.NewFromConfig(abroad).DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{})
	wantError(t, err, 403, "UnauthorizedOperation", "")
}
