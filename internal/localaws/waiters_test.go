package localaws

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// patience is how long a waiter may wait, in the time of its bubble, which passes at once.
const patience = 30 * time.Minute

// newBubble is a balancerSim inside a synctest bubble: the SDK's waiters sleep on the same clock as the cloud, which has AWS's own delays.
func newBubble(t *testing.T) *balancerSim {
	s := newSimOn(t, RealClock())
	cfg := s.config("AKIDTEST", "us-east-1")
	return &balancerSim{sim: s, elb: elb.NewFromConfig(cfg), v2: elbv2.NewFromConfig(cfg), unhealthy: 2}
}

func (s *balancerSim) instancesIn(ids []string) *ec2.DescribeInstancesInput {
	return &ec2.DescribeInstancesInput{InstanceIds: ids}
}

// running launches a server and waits until it runs.
func (s *balancerSim) running() string {
	s.t.Helper()
	ids := s.launch(1)
	succeed(s.t, ec2.NewInstanceRunningWaiter(s.ec2).Wait(s.ctx, s.instancesIn(ids), patience))
	return ids[0]
}

func (s *balancerSim) wantState(id, want string) {
	s.t.Helper()
	if got := s.state(id); got != want {
		s.t.Errorf("%s is %s, want %s", id, got, want)
	}
}

// volumeOf is the volume of a server's root device.
func (s *balancerSim) volumeOf(id string) *ec2.DescribeVolumesInput {
	s.t.Helper()
	out := must(s.ec2.DescribeVolumes(s.ctx, &ec2.DescribeVolumesInput{Filters: ec2Filter("attachment.instance-id", id)}))
	return &ec2.DescribeVolumesInput{VolumeIds: []string{*out.Volumes[0].VolumeId}}
}

// inVain is nil for a waiter that waited for what never came.
func (s *balancerSim) inVain(err error) error {
	if err == nil || !strings.Contains(err.Error(), "exceeded max wait time") {
		return fmt.Errorf("it should have waited in vain, and ended with: %w", err)
	}
	return nil
}

// waiters are all that the SDK has for the operations that are simulated. Each is used on something that is not yet what it waits for,
// where that can be, and what it waited for is then read.
var waiters = map[string]func(*balancerSim) error{
	"ec2 InstanceExists": func(s *balancerSim) error {
		s.Tune(func(k *Knobs) { k.LaunchVisible = 20 * time.Second })
		return ec2.NewInstanceExistsWaiter(s.ec2).Wait(s.ctx, s.instancesIn(s.launch(1)), patience)
	},
	"ec2 InstanceRunning": func(s *balancerSim) error {
		s.wantState(s.running(), "running")
		return nil
	},
	"ec2 InstanceStopped": func(s *balancerSim) error {
		id := s.running()
		succeed(s.t, s.stopIDs(id))
		defer s.wantState(id, "stopped")
		return ec2.NewInstanceStoppedWaiter(s.ec2).Wait(s.ctx, s.instancesIn([]string{id}), patience)
	},
	"ec2 InstanceTerminated": func(s *balancerSim) error {
		id := s.running()
		succeed(s.t, s.terminate(id))
		defer s.wantState(id, "terminated")
		return ec2.NewInstanceTerminatedWaiter(s.ec2).Wait(s.ctx, s.instancesIn([]string{id}), patience)
	},
	"ec2 InstanceStatusOk": func(s *balancerSim) error {
		return ec2.NewInstanceStatusOkWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: s.launch(1)}, patience)
	},
	"ec2 SystemStatusOk": func(s *balancerSim) error {
		return ec2.NewSystemStatusOkWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: s.launch(1)}, patience)
	},
	"ec2 ImageExists": func(s *balancerSim) error {
		out := must(s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: aws.String(s.running()), Name: aws.String("mine"), NoReboot: aws.Bool(true)}))
		return ec2.NewImageExistsWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeImagesInput{ImageIds: []string{*out.ImageId}}, patience)
	},
	"ec2 ImageAvailable": func(s *balancerSim) error {
		out := must(s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: aws.String(s.running()), Name: aws.String("mine"), NoReboot: aws.Bool(true)}))
		image := &ec2.DescribeImagesInput{ImageIds: []string{*out.ImageId}}
		if got := must(s.ec2.DescribeImages(s.ctx, image)).Images[0].State; got != ec2types.ImageStatePending {
			s.t.Errorf("a new image is %s", got)
		}
		return ec2.NewImageAvailableWaiter(s.ec2).Wait(s.ctx, image, patience)
	},
	"ec2 VolumeInUse": func(s *balancerSim) error {
		return ec2.NewVolumeInUseWaiter(s.ec2).Wait(s.ctx, s.volumeOf(s.running()), patience)
	},
	"ec2 VolumeAvailable": func(s *balancerSim) error {
		id := s.launch(1, func(in *ec2.RunInstancesInput) {
			in.BlockDeviceMappings = []ec2types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"),
				Ebs: &ec2types.EbsBlockDevice{DeleteOnTermination: aws.Bool(false)}}}
		})[0]
		volume := s.volumeOf(id)
		succeed(s.t, s.terminate(id))
		return ec2.NewVolumeAvailableWaiter(s.ec2).Wait(s.ctx, volume, patience)
	},
	"ec2 VolumeDeleted": func(s *balancerSim) error {
		id := s.running()
		volume := s.volumeOf(id)
		succeed(s.t, s.terminate(id))
		return ec2.NewVolumeDeletedWaiter(s.ec2).Wait(s.ctx, volume, patience)
	},
	"ec2 SubnetAvailable": func(s *balancerSim) error {
		return ec2.NewSubnetAvailableWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeSubnetsInput{SubnetIds: s.site.Subnets}, patience)
	},
	"ec2 VpcAvailable": func(s *balancerSim) error {
		return ec2.NewVpcAvailableWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeVpcsInput{VpcIds: []string{s.site.VPC}}, patience)
	},
	"ec2 VpcExists": func(s *balancerSim) error {
		return ec2.NewVpcExistsWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeVpcsInput{VpcIds: []string{s.site.VPC}}, patience)
	},
	"ec2 SecurityGroupExists": func(s *balancerSim) error {
		time.AfterFunc(time.Minute, func() { s.SeedSecurityGroup("sg-0000000a", "late", s.site.VPC) })
		return ec2.NewSecurityGroupExistsWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-0000000a"}}, patience)
	},
	"ec2 KeyPairExists": func(s *balancerSim) error {
		time.AfterFunc(time.Minute, func() { s.SeedKeyPair("late") })
		return ec2.NewKeyPairExistsWaiter(s.ec2).Wait(s.ctx, &ec2.DescribeKeyPairsInput{KeyNames: []string{"late"}}, patience)
	},
	"cloudwatch AlarmExists": func(s *balancerSim) error {
		time.AfterFunc(time.Minute, func() { must(s.watch().PutMetricAlarm(s.ctx, errorsAlarm("late"))) })
		return cloudwatch.NewAlarmExistsWaiter(s.watch()).Wait(s.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"late"}}, patience)
	},
	"cloudwatch CompositeAlarmExists": func(s *balancerSim) error { // there are none here
		s.Inject(Fault{Delay: 10 * time.Millisecond})
		in := &cloudwatch.DescribeAlarmsInput{AlarmTypes: []cloudwatchtypes.AlarmType{"CompositeAlarm"}}
		return s.inVain(cloudwatch.NewCompositeAlarmExistsWaiter(s.watch()).Wait(s.ctx, in, patience))
	},
	"cloudwatch LogAlarmExists": func(s *balancerSim) error { // nor these
		s.Inject(Fault{Delay: 10 * time.Millisecond})
		return s.inVain(cloudwatch.NewLogAlarmExistsWaiter(s.watch()).Wait(s.ctx, &cloudwatch.DescribeAlarmsInput{}, patience))
	},
	"elb InstanceInService": func(s *balancerSim) error {
		s.classic("web")
		ids := []string{s.running(), s.running()}
		s.register("web", ids...)
		return elb.NewInstanceInServiceWaiter(s.elb).Wait(s.ctx,
			&elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("web"), Instances: instances(ids)}, patience)
	},
	"elb AnyInstanceInService": func(s *balancerSim) error {
		s.classic("web")
		good, bad := s.running(), s.running()
		succeed(s.t, s.SetAppStatus(bad, 500))
		s.register("web", good, bad)
		defer func() {
			if got := s.classicHealth("web", bad); got[0] != "OutOfService" {
				s.t.Errorf("the other is %v", got)
			}
		}()
		return elb.NewAnyInstanceInServiceWaiter(s.elb).Wait(s.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("web")}, patience)
	},
	"elb InstanceDeregistered": func(s *balancerSim) error {
		s.classic("web")
		s.drain("web", 60)
		id := s.running()
		s.register("web", id)
		health := &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("web"), Instances: instances([]string{id})}
		succeed(s.t, elb.NewInstanceInServiceWaiter(s.elb).Wait(s.ctx, health, patience))
		s.deregister("web", id)
		return elb.NewInstanceDeregisteredWaiter(s.elb).Wait(s.ctx, health, patience)
	},
	"elbv2 LoadBalancerExists": func(s *balancerSim) error {
		time.AfterFunc(time.Minute, func() { s.balancer("late", alb) })
		return elbv2.NewLoadBalancerExistsWaiter(s.v2).Wait(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"late"}}, patience)
	},
	"elbv2 LoadBalancerAvailable": func(s *balancerSim) error {
		s.Tune(func(k *Knobs) { k.Balancers.Provisioning = Span{2 * time.Minute, 2 * time.Minute} })
		arn := s.balancer("web", alb)
		if got := s.balancers(arn).State.Code; got != "provisioning" {
			s.t.Errorf("a new load balancer is %s", got)
		}
		return elbv2.NewLoadBalancerAvailableWaiter(s.v2).Wait(s.ctx, &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{arn}}, patience)
	},
	"elbv2 LoadBalancersDeleted": func(s *balancerSim) error {
		arn := s.balancer("web", alb)
		time.AfterFunc(time.Minute, func() { must(s.v2.DeleteLoadBalancer(s.ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &arn})) })
		return elbv2.NewLoadBalancersDeletedWaiter(s.v2).Wait(s.ctx, &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{arn}}, patience)
	},
	"elbv2 TargetInService": func(s *balancerSim) error {
		group, id := s.behind("web", alb), s.running()
		s.enroll(group, id)
		return elbv2.NewTargetInServiceWaiter(s.v2).Wait(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: targets([]string{id})}, patience)
	},
	"elbv2 TargetDeregistered": func(s *balancerSim) error {
		group, id := s.behind("web", alb), s.running()
		s.enroll(group, id)
		health := &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group, Targets: targets([]string{id})}
		succeed(s.t, elbv2.NewTargetInServiceWaiter(s.v2).Wait(s.ctx, health, patience))
		s.remove(group, id)
		if got := s.targetHealth(group, id); got != targetDraining {
			s.t.Errorf("after it was deregistered: %v", got)
		}
		return elbv2.NewTargetDeregisteredWaiter(s.v2).Wait(s.ctx, health, patience)
	},
}

func TestTheSDKsWaiters(t *testing.T) {
	for name, wait := range waiters {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := wait(newBubble(t)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A waiter also sees what can no longer become what it waits for.
func TestTheSDKsWaitersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBubble(t)
		ids := s.launch(1, withUserData("#localaws fail=Server.InternalError"))
		err := ec2.NewInstanceRunningWaiter(s.ec2).Wait(s.ctx, s.instancesIn(ids), patience)
		if err == nil || !strings.Contains(err.Error(), "waiter state transitioned to Failure") {
			t.Errorf("waiting for a launch that fails ended with %v", err)
		}
		s.Inject(Fault{Delay: 10 * time.Millisecond}) // an answer that takes no time at all lets the waiter begin its last attempt for ever
		begin := time.Now()
		err = elbv2.NewLoadBalancerExistsWaiter(s.v2).Wait(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"never"}}, patience)
		if err == nil || !strings.Contains(err.Error(), "exceeded max wait time") || time.Since(begin) < patience-3*time.Minute {
			t.Errorf("waiting for what never comes ended after %s with %v", time.Since(begin), err)
		}
	})
}

// sdkHas are the constructors of one kind that the SDK has for the simulated operations: "ec2 InstanceRunning" for Waiter.
func sdkHas(t *testing.T, kind string) (names []string) {
	t.Helper()
	constructor := regexp.MustCompile(`(?m)^func New(\w+)` + kind + `\(`)
	for module, service := range map[string]string{"ec2": "ec2", "elasticloadbalancing": "elb", "elasticloadbalancingv2": "elbv2", "ssm": "ssm", "sts": "sts",
		"cloudwatch": "cloudwatch", "sqs": "sqs"} {
		out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+module).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, action := range Operations()[service] {
			source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), fmt.Sprintf("api_op_%s.go", action)))
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range constructor.FindAllStringSubmatch(string(source), -1) {
				names = append(names, service+" "+found[1])
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestEveryWaiterOfTheSDKIsUsed(t *testing.T) {
	for _, name := range sdkHas(t, "Waiter") {
		if waiters[name] == nil {
			t.Errorf("the SDK's waiter %s is not used", name)
		}
	}
}
