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

var (
	inService    = [3]string{"InService", "N/A", "N/A"}
	joining      = [3]string{"OutOfService", "ELB", "Instance registration is still in progress."}
	drainingOut  = [3]string{"InService", "N/A", "Instance deregistration currently in progress."}
	left         = [3]string{"OutOfService", "Instance", "Instance is not currently registered with the LoadBalancer."}
	failedChecks = [3]string{"OutOfService", "Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively."}
	notPassed    = [3]string{"OutOfService", "Instance", "Instance has not passed the configured HealthyThreshold number of health checks consecutively."}
)

func TestClassicMemberLife(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	s.drain("web", 30)
	id := s.servers(1, "", 0)[0]

	s.register("web", id)
	if got := s.classicHealth("web", id); got != joining {
		t.Errorf("after the registration: %v", got)
	}
	s.clock.Advance(10*time.Second - time.Millisecond)
	if got := s.classicHealth("web", id); got != joining {
		t.Errorf("while registration lasts: %v", got)
	}
	took := s.until("in service", 6*time.Second, func() bool { return s.classicHealth("web", id) == inService })
	if p := s.pool("web"); p.Healthy != 1 || !p.Members[0].Receiving || p.Members[0].State != "healthy" {
		t.Errorf("the first check passed after %s, but the truth is %+v", took, p)
	}

	succeed(t, s.SetAppStatus(id, 500))
	took = s.until("out of service", time.Minute, func() bool { return s.classicHealth("web", id) == failedChecks })
	if took <= 5*time.Second || took > 10*time.Second {
		t.Errorf("two failed checks, one every 5 s, took %s", took)
	}
	if p := s.pool("web"); p.Healthy != 0 || p.Members[0].Receiving {
		t.Errorf("a classic load balancer does not fail open: %+v", p)
	}
	succeed(t, s.SetAppStatus(id, 200))
	s.until("recovering", 6*time.Second, func() bool { return s.classicHealth("web", id) == notPassed })
	if took = s.until("in service again", time.Minute, func() bool { return s.classicHealth("web", id) == inService }); took != 10*time.Second {
		t.Errorf("of three passed checks the last two took %s", took)
	}

	s.deregister("web", id)
	if got := s.classicHealth("web", id); got != drainingOut {
		t.Errorf("while draining: %v", got)
	}
	if p := s.pool("web"); p.Healthy != 0 || !p.Members[0].Draining || p.Members[0].Receiving {
		t.Errorf("while draining: %+v", p)
	}
	s.until("left", 6*time.Second, func() bool { return s.classicHealth("web", id) == left })
	want := []string{"registered", "healthy", "unhealthy", "healthy", "draining", "gone"}
	if got := s.changes("web/" + id); !slices.Equal(got, want) {
		t.Errorf("the ledger says %v, want %v", got, want)
	}
}

func TestClassicDrainingEndsAtItsTimeout(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicInFlight = Span{time.Hour, time.Hour} })
	s.classic("web")
	s.drain("web", 7)
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	s.until("in service", 20*time.Second, func() bool { return s.classicHealth("web", id) == inService })
	s.deregister("web", id)
	if took := s.until("left", time.Minute, func() bool { return s.classicHealth("web", id) == left }); took != 7*time.Second {
		t.Errorf("draining took %s, want the timeout of 7 s", took)
	}
}

func TestClassicUnhealthyMemberLeavesAtOnce(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	s.drain("web", 30)
	id := s.servers(1, "status=500", 0)[0]
	s.register("web", id)
	s.until("unhealthy", 30*time.Second, func() bool { return s.classicHealth("web", id) == failedChecks })
	s.deregister("web", id)
	if got := s.classicHealth("web", id); got != left {
		t.Errorf("an unhealthy member that left: %v", got)
	}
}

func TestClassicWithoutDraining(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	s.until("in service", 20*time.Second, func() bool { return s.classicHealth("web", id) == inService })
	s.deregister("web", id)
	if got := s.classicHealth("web", id); got != left {
		t.Errorf("without draining: %v", got)
	}
	s.register("web", id)
	if got := s.classicHealth("web", id); got != joining {
		t.Errorf("registered again: %v", got)
	}
}

func TestClassicKnobs(t *testing.T) {
	t.Run("the first InService may need the threshold", func(t *testing.T) {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicFirstNeedsThreshold = true })
		s.classic("web")
		id := s.servers(1, "", 0)[0]
		s.register("web", id)
		s.until("first check", 20*time.Second, func() bool { return s.classicHealth("web", id) == notPassed })
		if took := s.until("in service", time.Minute, func() bool { return s.classicHealth("web", id) == inService }); took != 10*time.Second {
			t.Errorf("the other two checks took %s", took)
		}
	})
	t.Run("failing from the start", func(t *testing.T) {
		for _, fromStart := range []bool{false, true} {
			s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicFailedFromStart = fromStart })
			s.classic("web")
			id := s.servers(1, "status=503", 0)[0]
			s.register("web", id)
			s.until("first check", 20*time.Second, func() bool { return s.classicHealth("web", id) != joining })
			if got := s.classicHealth("web", id); got != notPassed && !fromStart || got != failedChecks && fromStart {
				t.Errorf("from start %t: %v", fromStart, got)
			}
			s.until("second check", 6*time.Second, func() bool {
				return s.classicHealth("web", id) == failedChecks && s.member("web", id).State == "unhealthy"
			})
		}
	})
	t.Run("an instance that was registered before may skip registration", func(t *testing.T) {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicReregisterSkips = true })
		s.classic("web")
		id := s.servers(1, "", 0)[0]
		s.register("web", id)
		s.until("in service", 20*time.Second, func() bool { return s.classicHealth("web", id) == inService })
		s.deregister("web", id)
		s.register("web", id)
		s.until("in service again", 5*time.Second, func() bool { return s.classicHealth("web", id) == inService })
	})
	t.Run("health may lag", func(t *testing.T) {
		s := newBalancerSim(t, func(k *BalancerKnobs) { k.HealthLag = Span{3 * time.Second, 3 * time.Second} })
		s.classic("web")
		id := s.servers(1, "", 0)[0]
		s.register("web", id)
		s.until("healthy", 20*time.Second, func() bool { return s.member("web", id).State == "healthy" })
		if took := s.until("shown", 20*time.Second, func() bool { return s.classicHealth("web", id) == inService }); took != 3*time.Second {
			t.Errorf("the answer lagged by %s", took)
		}
	})
	t.Run("draining members may be listed, and are told of by name in any case", func(t *testing.T) {
		for _, listed := range []bool{false, true} {
			s := newBalancerSim(t, func(k *BalancerKnobs) { k.ClassicListsDraining = listed })
			s.classic("web")
			s.drain("web", 30)
			ids := s.servers(2, "", 0)
			s.register("web", ids...)
			s.until("in service", 20*time.Second, func() bool { return s.pool("web").Healthy == 2 })
			s.deregister("web", ids[0])
			if got := s.classicHealth("web", ids[0]); got != drainingOut {
				t.Errorf("by name: %v", got)
			}
			all := must(s.elb.DescribeInstanceHealth(s.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("web")})).InstanceStates
			found := slices.ContainsFunc(all, func(st types.InstanceState) bool { return *st.InstanceId == ids[0] })
			if found != listed || !slices.ContainsFunc(all, func(st types.InstanceState) bool { return *st.InstanceId == ids[1] }) {
				t.Errorf("listed %t: the call without names tells of %d instances, the draining one among them: %t", listed, len(all), found)
			}
		}
	})
	t.Run("terminated instances may be shown, and leave", func(t *testing.T) {
		s := newBalancerSim(t, func(k *BalancerKnobs) {
			k.ClassicShowsTerminated = true
			k.TerminatedLeave = Span{time.Minute, time.Minute}
		})
		s.classic("web")
		id := s.servers(1, "", 0)[0]
		s.register("web", id)
		succeed(t, s.Kill(id))
		if got := s.classicHealth("web", id); got != [3]string{"OutOfService", "Instance", "Instance is in terminated state."} {
			t.Errorf("terminated: %v", got)
		}
		if took := s.until("gone", 2*time.Minute, func() bool { return len(s.pool("web").Members) == 0 }); took != time.Minute {
			t.Errorf("it left after %s", took)
		}
	})
}

func TestClassicInstanceStates(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	ids := s.servers(2, "", 0)
	elsewhere := s.servers(1, "", 2)[0]
	s.register("web", append(ids, elsewhere)...)
	if got := s.classicHealth("web", elsewhere); got != [3]string{"OutOfService", "ELB",
		"Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to."} {
		t.Errorf("in a zone that is not enabled: %v", got)
	}
	s.until("in service", 20*time.Second, func() bool { return s.pool("web").Healthy == 2 })

	must(s.elb.AttachLoadBalancerToSubnets(s.ctx, &elb.AttachLoadBalancerToSubnetsInput{
		LoadBalancerName: aws.String("web"), Subnets: s.site.Subnets[2:]}))
	s.until("in service in the new zone", 20*time.Second, func() bool { return s.pool("web").Healthy == 3 })

	must(s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: ids[:1]}))
	s.until("stopped", time.Minute, func() bool { return s.state(ids[0]) == "stopped" })
	if got := s.classicHealth("web", ids[0]); got != [3]string{"OutOfService", "Instance", "Instance is in stopped state."} {
		t.Errorf("stopped: %v", got)
	}
	must(s.ec2.StartInstances(s.ctx, &ec2.StartInstancesInput{InstanceIds: ids[:1]}))
	if got := s.classicHealth("web", ids[0]); got != [3]string{"OutOfService", "Instance", "Instance is in pending state."} {
		t.Errorf("pending: %v", got)
	}
	s.until("in service again", time.Minute, func() bool { return s.classicHealth("web", ids[0]) == inService })

	must(s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: ids[1:]}))
	s.until("terminated", time.Minute, func() bool { return s.state(ids[1]) == "terminated" })
	out := must(s.elb.DescribeInstanceHealth(s.ctx, &elb.DescribeInstanceHealthInput{
		LoadBalancerName: aws.String("web"), Instances: instances(ids)}))
	if len(out.InstanceStates) != 1 || *out.InstanceStates[0].InstanceId != ids[0] {
		t.Errorf("terminated instances are not returned: %v", out.InstanceStates)
	}
	s.until("the terminated one left", 5*time.Minute, func() bool { return len(s.pool("web").Members) == 2 })
}

func TestClassicRefusals(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	ids := s.servers(2, "", 0)
	s.register("web", ids...)
	never := s.servers(1, "", 0)[0]
	pending := s.launch(1)[0]

	_, err := s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: aws.String("web"), Instances: instances([]string{never, "i-0123456789abcdef0"})})
	wantError(t, err, 400, "InvalidInstance", "Could not find EC2 instance i-0123456789abcdef0.")
	if n := len(s.pool("web").Members); n != 2 {
		t.Errorf("a refused registration left %d members", n)
	}
	_, err = s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: aws.String("web"), Instances: instances([]string{pending})})
	wantError(t, err, 400, "InvalidInstance", "EC2 instance "+pending+" is not in running state.")

	_, err = s.elb.DeregisterInstancesFromLoadBalancer(s.ctx, &elb.DeregisterInstancesFromLoadBalancerInput{
		LoadBalancerName: aws.String("web"), Instances: instances([]string{ids[0], never})})
	wantError(t, err, 400, "InvalidInstance", "Could not find EC2 instance "+never+".")
	if n := len(s.pool("web").Members); n != 2 {
		t.Errorf("none must be removed, but %d are left", n)
	}
	_, err = s.elb.DescribeInstanceHealth(s.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("web"), Instances: instances([]string{never})})
	wantError(t, err, 400, "InvalidInstance", "")

	out := must(s.elb.DeregisterInstancesFromLoadBalancer(s.ctx,
		&elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: aws.String("web"), Instances: instances(ids[:1])}))
	if len(out.Instances) != 1 || *out.Instances[0].InstanceId != ids[1] {
		t.Errorf("the answer lists who remains: %v", out.Instances)
	}
	s.deregister("web", ids[0]) // once more is no error
	_, err = s.elb.DescribeInstanceHealth(s.ctx, &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String("nope")})
	wantError(t, err, 400, "LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'nope'")
	_, err = s.elb.CreateLoadBalancer(s.ctx, &elb.CreateLoadBalancerInput{LoadBalancerName: aws.String("web"), Subnets: s.site.Subnets[:1],
		Listeners: []types.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}}})
	wantError(t, err, 400, "DuplicateLoadBalancerName", "")
	_, err = s.elb.CreateLoadBalancerListeners(s.ctx, &elb.CreateLoadBalancerListenersInput{LoadBalancerName: aws.String("web"),
		Listeners: []types.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(81)}}})
	wantError(t, err, 400, "DuplicateListener",
		"A listener already exists for web with LoadBalancerPort 80, but with a different InstancePort, Protocol, or SSLCertificateId")
	_, err = s.elb.CreateAppCookieStickinessPolicy(s.ctx, &elb.CreateAppCookieStickinessPolicyInput{LoadBalancerName: aws.String("web"),
		PolicyName: aws.String("p"), CookieName: aws.String("c")})
	wantError(t, err, 400, "InvalidAction", "Could not find operation CreateAppCookieStickinessPolicy for version 2012-06-01")
}

func TestClassicDescribeAndPaging(t *testing.T) {
	s := newBalancerSim(t)
	for i := range 5 {
		s.classic(fmt.Sprintf("web-%d", i))
	}
	var names []string
	pages := elb.NewDescribeLoadBalancersPaginator(s.elb, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(2)})
	for pages.HasMorePages() {
		page := must(pages.NextPage(s.ctx))
		if len(page.LoadBalancerDescriptions) > 2 {
			t.Errorf("a page of %d", len(page.LoadBalancerDescriptions))
		}
		for _, d := range page.LoadBalancerDescriptions {
			names = append(names, *d.LoadBalancerName)
		}
	}
	if want := []string{"web-0", "web-1", "web-2", "web-3", "web-4"}; !slices.Equal(names, want) {
		t.Errorf("pages show %v, want %v", names, want)
	}
	out := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{"web-3"}}))
	d := out.LoadBalancerDescriptions[0]
	if !slices.Equal(d.AvailabilityZones, []string{"us-east-1a", "us-east-1b"}) || len(d.Subnets) != 2 || *d.VPCId != s.site.VPC ||
		*d.Scheme != "internet-facing" || !d.CreatedTime.Equal(testStart) || *d.ListenerDescriptions[0].Listener.InstancePort != 8080 {
		t.Errorf("described as %+v", d)
	}
	for _, size := range []int32{0, 401} {
		_, err := s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{PageSize: &size})
		wantError(t, err, 400, "ValidationError", "")
	}
	_, err := s.elb.DeleteLoadBalancer(s.ctx, &elb.DeleteLoadBalancerInput{LoadBalancerName: aws.String("web-3")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{LoadBalancerNames: []string{"web-3"}})
	wantError(t, err, 400, "LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'web-3'")
}

func TestClassicAttributesAndTags(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	read := func() *types.LoadBalancerAttributes {
		return must(s.elb.DescribeLoadBalancerAttributes(s.ctx,
			&elb.DescribeLoadBalancerAttributesInput{LoadBalancerName: aws.String("web")})).LoadBalancerAttributes
	}
	if a := read(); a.ConnectionDraining.Enabled || *a.ConnectionDraining.Timeout != 300 ||
		a.CrossZoneLoadBalancing.Enabled || *a.ConnectionSettings.IdleTimeout != 60 {
		t.Errorf("the defaults are %+v %+v", a.ConnectionDraining, a.CrossZoneLoadBalancing)
	}
	must(s.elb.ModifyLoadBalancerAttributes(s.ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerName: aws.String("web"), LoadBalancerAttributes: &types.LoadBalancerAttributes{
			CrossZoneLoadBalancing: &types.CrossZoneLoadBalancing{Enabled: true}, ConnectionSettings: &types.ConnectionSettings{IdleTimeout: aws.Int32(90)}}}))
	s.drain("web", 20)
	if a := read(); !a.ConnectionDraining.Enabled || *a.ConnectionDraining.Timeout != 20 ||
		!a.CrossZoneLoadBalancing.Enabled || *a.ConnectionSettings.IdleTimeout != 90 {
		t.Errorf("after the change: %+v %+v", a.ConnectionDraining, a.CrossZoneLoadBalancing)
	}
	if !s.pool("web").CrossZone {
		t.Error("the truth does not know of cross-zone balancing")
	}
	for _, timeout := range []int32{0, 3601} {
		_, err := s.elb.ModifyLoadBalancerAttributes(s.ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerName: aws.String("web"),
			LoadBalancerAttributes: &types.LoadBalancerAttributes{ConnectionDraining: &types.ConnectionDraining{Enabled: true, Timeout: &timeout}}})
		wantError(t, err, 409, "InvalidConfigurationRequest", "")
	}

	tag := func(keys ...string) (out []types.Tag) {
		for _, key := range keys {
			out = append(out, types.Tag{Key: &key, Value: aws.String("v-" + key)})
		}
		return out
	}
	tags := func() map[string]string {
		found := map[string]string{}
		out := must(s.elb.DescribeTags(s.ctx, &elb.DescribeTagsInput{LoadBalancerNames: []string{"web"}}))
		for _, tag := range out.TagDescriptions[0].Tags {
			found[*tag.Key] = *tag.Value
		}
		return found
	}
	must(s.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"web"}, Tags: tag("a", "b")}))
	must(s.elb.RemoveTags(s.ctx, &elb.RemoveTagsInput{LoadBalancerNames: []string{"web"}, Tags: []types.TagKeyOnly{{Key: aws.String("a")}}}))
	if got := tags(); len(got) != 1 || got["b"] != "v-b" {
		t.Errorf("tags are %v", got)
	}
	_, err := s.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"web"}, Tags: tag("c", "c")})
	wantError(t, err, 400, "DuplicateTagKeys", "")
	_, err = s.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"web"}, Tags: tag("aws:x")})
	wantError(t, err, 400, "ValidationError", "")
}

func TestClassicListenersComeAndGo(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	ports := func() (out []int32) {
		all := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})).LoadBalancerDescriptions
		for _, l := range all[0].ListenerDescriptions {
			out = append(out, l.Listener.LoadBalancerPort)
		}
		return out
	}
	must(s.elb.CreateLoadBalancerListeners(s.ctx, &elb.CreateLoadBalancerListenersInput{LoadBalancerName: aws.String("web"),
		Listeners: []types.Listener{{Protocol: aws.String("TCP"), LoadBalancerPort: 81, InstancePort: aws.Int32(8080)}}}))
	if got := ports(); !slices.Equal(got, []int32{80, 81}) {
		t.Errorf("with one more: %v", got)
	}
	must(s.elb.DeleteLoadBalancerListeners(s.ctx, &elb.DeleteLoadBalancerListenersInput{LoadBalancerName: aws.String("web"),
		LoadBalancerPorts: []int32{81, 82}}))
	if got := ports(); !slices.Equal(got, []int32{80}) {
		t.Errorf("without it: %v", got)
	}
}
