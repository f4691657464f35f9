package localaws

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
)

// The answer to a registration lists who is registered by now, and not only who came.
func TestClassicRegistrationAnswersWithAllMembers(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	ids := s.servers(3, "", 0)
	s.register("web", ids[:2]...)
	out := must(s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: aws.String("web"), Instances: instances(ids[2:])}))
	var got []string
	for _, in := range out.Instances {
		got = append(got, *in.InstanceId)
	}
	slices.Sort(ids)
	if slices.Sort(got); !slices.Equal(got, ids) {
		t.Errorf("registered are %v, want %v", got, ids)
	}
	shown := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{"web"}}))
	if members := shown.LoadBalancerDescriptions[0].Instances; len(members) != len(ids) {
		t.Errorf("%d members are shown, want %d", len(members), len(ids))
	}
}

func TestClassicRefusesTheTerminatedAndThoseOfOtherNetworks(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	register := func(id string) error {
		_, err := s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{
			LoadBalancerName: aws.String("web"), Instances: instances([]string{id})})
		return err
	}
	ended := s.servers(1, "", 0)[0]
	succeed(t, s.Kill(ended))
	wantError(t, register(ended), 400, "InvalidInstance", "EC2 instance "+ended+" is not in running state.")
	abroad := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.SubnetId = aws.String(s.SeedSubnet(Subnet{VPC: s.SeedVPC(""), AZ: zoneA}))
	})[0]
	s.until("running", time.Minute, func() bool { return s.state(abroad) == "running" })
	wantError(t, register(abroad), 400, "InvalidInstance", "EC2 instance "+abroad+" is not in the same VPC as ELB.")
	if n := len(s.pool("web").Members); n != 0 {
		t.Errorf("refused registrations left %d members", n)
	}
}

func TestClassicPagesOf400(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.Quotas.ClassicBalancers = 0 })
	for i := range 401 {
		must(s.elb.CreateLoadBalancer(s.ctx, &elb.CreateLoadBalancerInput{LoadBalancerName: aws.String(fmt.Sprintf("web-%03d", i)),
			Subnets: s.site.Subnets[:1], Listeners: []types.Listener{{Protocol: aws.String("TCP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}}}))
	}
	first := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{}))
	if n := len(first.LoadBalancerDescriptions); n != 400 || first.NextMarker == nil {
		t.Fatalf("the first page has %d", n)
	}
	rest := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{Marker: first.NextMarker}))
	if n := len(rest.LoadBalancerDescriptions); n != 1 || rest.NextMarker != nil || *rest.LoadBalancerDescriptions[0].LoadBalancerName != "web-400" {
		t.Errorf("the second page has %d", n)
	}
}

// patient lets a classic load balancer wait for answers longer than any test, so that its idle timeout ends none of them.
func (s *planeSim) patient(name string) {
	s.t.Helper()
	must(s.elb.ModifyLoadBalancerAttributes(s.ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerName: &name,
		LoadBalancerAttributes: &types.LoadBalancerAttributes{ConnectionSettings: &types.ConnectionSettings{IdleTimeout: aws.Int32(3600)}}}))
}

// long begins a request that takes so long, and waits until it is on its way to the member.
func (s *planeSim) long(k *kindOfPool, id, wait string) <-chan got {
	s.t.Helper()
	answer := make(chan got, 1)
	go func() {
		a, _ := s.get(client(s.t, true), k.url+"/?wait="+wait)
		answer <- a
	}()
	s.await("the long request is on its way", func() bool { return s.inFlight(k.pool, id) == 1 })
	return answer
}

func TestClassicDrainingCutsAtItsTimeout(t *testing.T) {
	s := newPlaneSim(t)
	k := s.allKinds()["classic"]
	s.patient("classic")
	s.drain("classic", 10)
	id := s.servers(1, "v1")[0]
	k.enter(id)
	s.healthy(k.pool, 1)
	long := s.long(k, id, "10s") // 200 s of the load balancer's
	k.leave(id)
	if m := s.member(k.pool, id); !m.Draining {
		t.Errorf("with a request in flight the member is %+v", m)
	}
	if a := <-long; a.status != 504 {
		t.Errorf("at the timeout the request got %+v", a)
	}
}

func TestUnhealthyClassicMembersFinishTheirRequests(t *testing.T) {
	s := newPlaneSim(t)
	s.unhealthy = 2
	k := s.allKinds()["classic"]
	s.patient("classic")
	s.drain("classic", 1)
	id := s.servers(1, "v1")[0]
	k.enter(id)
	s.healthy(k.pool, 1)
	long := s.long(k, id, "2s") // 40 s of the load balancer's
	succeed(t, s.SetAppStatus(id, 500))
	s.await("unhealthy", func() bool { return s.member(k.pool, id).State == "unhealthy" })
	k.leave(id)
	if a := <-long; a.status != 200 || a.instance != id {
		t.Errorf("the request in flight got %+v", a)
	}
}
