package localaws

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
)

func TestClassicHealthCheckRanges(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	good := types.HealthCheck{Target: aws.String("TCP:80"),
		Interval: aws.Int32(5), Timeout: aws.Int32(4), HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(10)}
	for name, change := range map[string]func(*types.HealthCheck){
		"interval":                   func(h *types.HealthCheck) { h.Interval = aws.Int32(4); h.Timeout = aws.Int32(3) },
		"long interval":              func(h *types.HealthCheck) { h.Interval = aws.Int32(301) },
		"long timeout":               func(h *types.HealthCheck) { h.Interval, h.Timeout = aws.Int32(300), aws.Int32(61) },
		"many passes":                func(h *types.HealthCheck) { h.HealthyThreshold = aws.Int32(11) },
		"few failures":               func(h *types.HealthCheck) { h.UnhealthyThreshold = aws.Int32(1) },
		"timeout":                    func(h *types.HealthCheck) { h.Timeout = aws.Int32(1) },
		"timeout not below interval": func(h *types.HealthCheck) { h.Timeout = aws.Int32(5) },
		"healthy":                    func(h *types.HealthCheck) { h.HealthyThreshold = aws.Int32(1) },
		"unhealthy":                  func(h *types.HealthCheck) { h.UnhealthyThreshold = aws.Int32(11) },
		"protocol":                   func(h *types.HealthCheck) { h.Target = aws.String("UDP:80") },
		"port":                       func(h *types.HealthCheck) { h.Target = aws.String("TCP:70000") },
		"no path":                    func(h *types.HealthCheck) { h.Target = aws.String("HTTP:80") },
		"a path for TCP":             func(h *types.HealthCheck) { h.Target = aws.String("TCP:80/x") },
	} {
		h := good
		change(&h)
		_, err := s.elb.ConfigureHealthCheck(s.ctx, &elb.ConfigureHealthCheckInput{LoadBalancerName: aws.String("web"), HealthCheck: &h})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, 400, "ValidationError", "")
	}
	must(s.elb.ConfigureHealthCheck(s.ctx, &elb.ConfigureHealthCheckInput{LoadBalancerName: aws.String("web"), HealthCheck: &good}))
	out := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{}))
	got := out.LoadBalancerDescriptions[0].HealthCheck
	if *got.Target != "TCP:80" || *got.Interval != 5 || *got.Timeout != 4 || *got.HealthyThreshold != 2 || *got.UnhealthyThreshold != 10 {
		t.Errorf("the second read shows %+v", got)
	}
}

func TestClassicChecksPassWithCode200Alone(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	for _, code := range []int{201, 204, 302, 404} {
		id := s.servers(1, fmt.Sprintf("status=%d", code), 0)[0]
		s.register("web", id)
		s.until(fmt.Sprintf("code %d fails", code), 30*time.Second, func() bool { return s.classicHealth("web", id) == failedChecks })
	}
}

// The next check is due an interval after the last one began, however long its answer took.
func TestClassicChecksKeepTheirGrid(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	s.until("in service", 20*time.Second, func() bool { return s.classicHealth("web", id) == inService })
	succeed(t, s.SetAppStatus(id, AppHangs))
	took := s.until("out of service", time.Minute, func() bool { return s.classicHealth("web", id) == failedChecks })
	if took != 14*time.Second { // the checks begin 5 and 10 s after the one that passed, and each waits for 4 s
		t.Errorf("two checks that time out took %s", took)
	}
}

// A check that was under way when the application came to itself says nothing of how it is now, whenever that was.
func TestAMemberThatAnswersAgainWhileACheckWaitsIsHealthyAgain(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	for after := time.Duration(0); after < 10*time.Second; after += 500 * time.Millisecond {
		succeed(t, s.SetAppStatus(id, 500))
		s.until("out of service", time.Minute, func() bool { return s.classicHealth("web", id) == failedChecks })
		succeed(t, s.SetAppStatus(id, AppHangs))
		s.clock.Advance(after)
		succeed(t, s.SetAppStatus(id, 200))
		s.until("in service again", time.Minute, func() bool { return s.classicHealth("web", id) == inService })
	}
}

func TestClassicCheckDefaults(t *testing.T) {
	s := newBalancerSim(t)
	must(s.elb.CreateLoadBalancer(s.ctx, &elb.CreateLoadBalancerInput{LoadBalancerName: aws.String("web"), Subnets: s.site.Subnets[:1],
		Listeners: []types.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 8000, InstancePort: aws.Int32(8080)}}}))
	h := must(s.elb.DescribeLoadBalancers(s.ctx, &elb.DescribeLoadBalancersInput{})).LoadBalancerDescriptions[0].HealthCheck
	if *h.Target != "TCP:80" || *h.Interval != 30 || *h.Timeout != 5 || *h.UnhealthyThreshold != 2 || *h.HealthyThreshold != 10 {
		t.Errorf("%s every %d s, timeout %d s, unhealthy %d, healthy %d", *h.Target, *h.Interval, *h.Timeout, *h.UnhealthyThreshold, *h.HealthyThreshold)
	}
}
