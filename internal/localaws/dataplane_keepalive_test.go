package localaws

import (
	"net/http"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// Requests on a connection that stays open follow the rules that its node has by then, and not those of its beginning; each
// node learns of a change in its own time, while the control plane shows it at once.
func TestKeepAliveRequestsFollowTheirNodesRule(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) {
		k.ApplicationRegistration, k.RulePropagation = Span{}, Span{20 * time.Second, 60 * time.Second}
	})
	blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, blue, green)
	for version, group := range map[string]string{"blue": blue, "green": green} {
		s.enroll(group, s.servers(1, version)...)
		s.healthy(group, 1)
	}
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(blue)}))
	clients := map[string]*http.Client{}
	ask := func(node string) string {
		a, err := s.get(clients[node], s.Endpoints()["web:80@"+node])
		succeed(t, err)
		return a.version
	}
	for _, node := range []string{"us-east-1a", "us-east-1b"} {
		clients[node] = client(t, false)
		blues := 0 // in a row: with both groups they alternate
		s.await(node+" sends to blue alone", func() bool {
			if ask(node) == "green" {
				blues = 0
			}
			blues++
			return blues > 6
		})
	}
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(green)}))
	shown := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})).Listeners[0]
	if *shown.DefaultActions[0].TargetGroupArn != green {
		t.Errorf("the control plane shows %+v", shown.DefaultActions)
	}
	for node := range clients {
		if got := ask(node); got != "blue" {
			t.Errorf("%s follows the change at once: %s", node, got)
		}
	}
	for node := range clients {
		s.await(node+" follows", func() bool { return ask(node) == "green" })
		if got := ask(node); got != "green" {
			t.Errorf("%s went back to %s", node, got)
		}
	}
}

// A target by address is reached like one by id.
func TestTrafficToTargetsByAddress(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) { k.ApplicationRegistration = Span{} })
	group := s.byAddresses("web")
	id := s.servers(1, "v1")[0]
	in, _ := s.Instance(id)
	s.enroll(group, in.PrivateIP)
	s.healthy(group, 1)
	if a, err := s.get(client(t, true), s.Endpoints()["web"]); err != nil || a.instance != id {
		t.Errorf("%+v, %v", a, err)
	}
}
