package localaws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// What goes wrong when traffic is switched carelessly.

func TestAGroupWithoutTargetsGetsItsShare(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) { k.ApplicationRegistration = Span{} })
	full, empty := s.group("full", "HTTP"), s.group("empty", "HTTP")
	s.listener(s.balancer("web", alb), 80, full, empty)
	s.enroll(full, s.servers(1, "v1")...)
	s.healthy(full, 1)
	answers := map[int]int{}
	for range 20 {
		a, err := s.get(client(t, true), s.at("web", zoneA))
		succeed(t, err)
		answers[a.status]++
	}
	if answers[200] != 10 || answers[503] != 10 {
		t.Errorf("weights 1 and 1, one group is empty: %v", answers)
	}
}

func TestServersThatAreTerminatedInServiceBreakRequests(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	s.patient("classic")
	for name, want := range map[string]int{"classic": 504, "application": 502} {
		k := kinds[name]
		id := s.servers(1, "v1")[0]
		k.enter(id)
		s.healthy(k.pool, 1)
		long := s.long(k, id, "15s")
		must(s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}))
		if a := <-long; a.status != want {
			t.Errorf("%s: the request in flight got %+v, want %d", name, a, want)
		}
	}
}

func TestRequestsInFlightOutliveARuleChange(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) { k.ApplicationRegistration = Span{} })
	blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, blue, green)
	ids := map[string]string{}
	for version, group := range map[string]string{"blue": blue, "green": green} {
		ids[version] = s.servers(1, version)[0]
		s.enroll(group, ids[version])
		s.healthy(group, 1)
	}
	to := func(group string) {
		must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(group)}))
	}
	to(blue)
	long := s.long(&kindOfPool{pool: blue, url: s.at("web", zoneA)}, ids["blue"], "1s")
	to(green)
	if a, err := s.get(client(t, true), s.at("web", zoneA)); err != nil || a.version != "green" {
		t.Errorf("a new request got %+v, %v", a, err)
	}
	if a := <-long; a.status != 200 || a.version != "blue" {
		t.Errorf("the request in flight got %+v", a)
	}
}
