package localaws

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
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

// spiedConn counts the requests that are sent over a connection, and those that say that it will be closed.
type spiedConn struct {
	net.Conn
	requests, closing *atomic.Int64
}

func (c spiedConn) Write(b []byte) (int, error) {
	if text := string(b); strings.HasPrefix(text, "GET ") {
		c.requests.Add(1)
		if strings.Contains(text, "Connection: close") {
			c.closing.Add(1)
		}
	}
	return c.Conn.Write(b)
}

func TestChecksOpenAConnectionEach(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) { k.ApplicationRegistration = Span{} })
	var connections, requests, closing atomic.Int64
	s.mu.Lock()
	s.plane().checks.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialSlot(ctx, network, address)
		connections.Add(1)
		return spiedConn{conn, &requests, &closing}, err
	}
	s.mu.Unlock()
	group := s.behind("web", alb)
	s.enroll(group, s.servers(1, "v1")...)
	s.healthy(group, 1)
	s.await("six checks", func() bool { return closing.Load() >= 6 || requests.Load() >= 12 })
	if made, sent, said := connections.Load(), requests.Load(), closing.Load(); sent > made || said < sent-1 { // one may be under way
		t.Errorf("%d checks over %d connections; %d said that theirs would be closed", sent, made, said)
	}
}
