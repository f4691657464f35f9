package localaws

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// A group that has nobody keeps its share of the requests, and answers them with 503.
func TestNoFailoverBetweenWeightedGroups(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) { k.ApplicationRegistration = Span{} })
	blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
	s.listener(s.balancer("web", alb), 80, blue, green)
	s.enroll(blue, s.servers(1, "blue")...)
	s.healthy(blue, 1)
	seen := map[int]int{}
	for range 20 {
		a, err := s.get(client(t, true), s.Endpoints()["web:80@"+zoneA])
		succeed(t, err)
		seen[a.status]++
	}
	if seen[200] != 10 || seen[503] != 10 {
		t.Errorf("20 requests for a group with a server and one without: %v", seen)
	}
}

// A group in which nobody is healthy fails open, or others take over from it if there is one that can: also for a client that
// stays with it.
func TestKnobWeightsFailOver(t *testing.T) {
	for failsOver, want := range map[bool]struct{ all, ofGreen string }{false: {"blue green", "green"}, true: {"blue", "blue"}} {
		s := newPlaneSim(t, func(k *BalancerKnobs) {
			k.WeightsFailOver, k.ApplicationRegistration = failsOver, Span{time.Hour, time.Hour}
		})
		blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
		sticky := forward(blue, green)
		sticky[0].ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(60)}
		must(s.v2.CreateListener(s.ctx, &elbv2.CreateListenerInput{LoadBalancerArn: aws.String(s.balancer("web", alb)), Port: aws.Int32(80),
			Protocol: "HTTP", DefaultActions: sticky}))
		var ofGreen *http.Cookie
		answers := func(change ...func(*http.Request)) string {
			seen := map[string]bool{}
			for range 20 {
				a, err := s.get(client(t, true), s.Endpoints()["web:80@"+zoneA], change...)
				succeed(t, err)
				if a.version == "green" {
					ofGreen = a.cookies[0]
				}
				seen[cmp.Or(a.version, strconv.Itoa(a.status))] = true
			}
			return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
		}
		s.enroll(green, s.servers(1, "green")...)
		if got := answers(); got != "503 green" {
			t.Fatalf("fails over %v: while neither group has a healthy target: %s", failsOver, got)
		}
		s.Tune(func(k *Knobs) { k.Balancers.ApplicationRegistration = Span{} })
		s.enroll(blue, s.servers(1, "blue")...)
		s.healthy(blue, 1)
		if got := answers(); got != want.all {
			t.Errorf("fails over %v: while blue alone has one: %s, want %s", failsOver, got, want.all)
		}
		if got := answers(func(r *http.Request) { r.AddCookie(ofGreen) }); got != want.ofGreen {
			t.Errorf("fails over %v: to a client of green: %s, want %s", failsOver, got, want.ofGreen)
		}
	}
}

// A flow stays with its server when its listener sends new ones to another group.
func TestFlowsStayWhenTheirListenerChanges(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) { k.NetworkRegistration = Span{} })
	blue, green := s.group("blue", "TCP"), s.group("green", "TCP")
	balancer := s.balancer("flows", nlb)
	listener := s.listener(balancer, 80, blue, green)
	for version, group := range map[string]string{"blue": blue, "green": green} {
		s.setGroup(group, "load_balancing.cross_zone.enabled", "true")
		s.enroll(group, s.servers(1, version)...)
		s.healthy(group, 1)
	}
	to := func(group string) {
		must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(group)}))
	}
	to(blue)
	open, url := client(t, false), s.Endpoints()["flows"]
	if a, err := s.get(open, url); err != nil || a.version != "blue" {
		t.Fatalf("%+v, %v", a, err)
	}
	to(green)
	if a, err := s.get(open, url); err != nil || a.version != "blue" {
		t.Errorf("the open flow got %+v, %v", a, err)
	}
	if a, err := s.get(client(t, true), url); err != nil || a.version != "green" {
		t.Errorf("a new flow got %+v, %v", a, err)
	}
}

// The flows of a target that becomes unhealthy are reset, unless the group's attribute says otherwise.
func TestFlowsToAnUnhealthyTargetAreReset(t *testing.T) {
	for attribute, cut := range map[string]bool{"true": true, "false": false} {
		s := newPlaneSim(t, func(k *BalancerKnobs) { k.NetworkRegistration = Span{} })
		out := must(s.v2.CreateTargetGroup(s.ctx, &elbv2.CreateTargetGroupInput{Name: aws.String("flows"), Protocol: "TCP", Port: aws.Int32(80), VpcId: &s.site.VPC,
			HealthCheckProtocol: "HTTP", HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(4), UnhealthyThresholdCount: aws.Int32(2)}))
		group := *out.TargetGroups[0].TargetGroupArn
		if !cut { // it is the default
			s.setGroup(group, "target_health_state.unhealthy.connection_termination.enabled", attribute)
		}
		s.setGroup(group, "load_balancing.cross_zone.enabled", "true")
		s.listener(s.balancer("flows", nlb), 80, group)
		id := s.servers(1, "v1")[0]
		s.enroll(group, id)
		s.healthy(group, 1)
		long := make(chan got, 1)
		go func() {
			a, _ := s.get(client(t, true), s.Endpoints()["flows"]+"/?wait=4s") // status 0: cut
			long <- a
		}()
		s.await("the request is on its way", func() bool { return s.inFlight(group, id) == 1 })
		succeed(t, s.SetAppStatus(id, 500))
		s.await("unhealthy", func() bool { return s.member(group, id).AWSState == string(types.TargetHealthStateEnumUnhealthy) })
		if a := <-long; cut != (a.status == 0) {
			t.Errorf("connection termination %s: the flow got %+v", attribute, a)
		}
	}
}
