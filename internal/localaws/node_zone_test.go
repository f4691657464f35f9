package localaws

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

const (
	zoneA = "us-east-1a"
	zoneB = "us-east-1b"
	zoneC = "us-east-1c"
)

// at is the URL of a load balancer's listener on the node of a zone.
func (s *planeSim) at(name, zone string) string {
	s.t.Helper()
	url := s.Endpoints()[name+":80@"+zone]
	if url == "" {
		s.t.Fatalf("%s has no node in %s: %v", name, zone, s.Endpoints())
	}
	return url
}

// The only healthy member is in zone a: without cross-zone balancing the node of zone b has nobody, with it both have one.
func TestNodesWithoutCrossZoneServeTheirZone(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	id := s.servers(1, "v1")[0] // in zone a
	kinds["classic"].enter(id)
	kinds["application"].enter(id)
	s.setGroup(kinds["application"].pool, "load_balancing.cross_zone.enabled", "false")
	s.crossZone("classic", false)
	ask := func(url string) int {
		a, err := s.get(client(t, true), url)
		succeed(t, err)
		return a.status
	}
	for _, name := range []string{"classic", "application"} {
		s.healthy(kinds[name].pool, 1)
		if a, b := ask(s.at(name, zoneA)), ask(s.at(name, zoneB)); a != 200 || b != 503 {
			t.Errorf("%s: the node of zone a answers %d, that of zone b %d", name, a, b)
		}
	}
	// The name of a classic load balancer leads to both, that of an Application Load Balancer only to the node that is fit.
	var classic, application []int
	for range 4 {
		classic = append(classic, ask(kinds["classic"].url))
		application = append(application, ask(kinds["application"].url))
	}
	if slices.Sort(classic); !slices.Equal(classic, []int{200, 200, 503, 503}) || !slices.Equal(application, []int{200, 200, 200, 200}) {
		t.Errorf("by name: classic %v, application %v", classic, application)
	}

	s.crossZone("classic", true)
	s.setGroup(kinds["application"].pool, "load_balancing.cross_zone.enabled", "true")
	for _, name := range []string{"classic", "application"} {
		s.await("the node of zone b has found it healthy", func() bool { return ask(s.at(name, zoneB)) == 200 })
	}
}

// Each kind balances over zones, or does not, by AWS's own defaults.
func TestCrossZoneDefaults(t *testing.T) {
	s := newBalancerSim(t, func(k *BalancerKnobs) { k.NetworkRegistration = Span{} })
	s.classic("classic")
	pools := map[string]bool{"classic": false, s.behind("application", alb): true, s.behind("network", nlb): false}
	id := s.servers(1, "", 0)[0]
	for pool, cross := range pools {
		if pool == "classic" {
			s.register(pool, id)
		} else {
			s.enroll(pool, id)
		}
		s.until("healthy", 20*time.Second, func() bool { return s.pool(pool).Healthy == 1 })
		if got := s.pool(pool).CrossZone; got != cross {
			t.Errorf("%s: cross-zone %t", pool, got)
		}
		want := []string{zoneA}
		if cross {
			want = []string{zoneA, zoneB}
		}
		if got := s.senders(pool, id); !slices.Equal(got, want) {
			t.Errorf("%s: nodes that send requests to a server of zone a: %v, want %v", pool, got, want)
		}
	}
}

// senders are the zones whose nodes send requests to a member.
func (s *balancerSim) senders(pool, id string) (zones []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pools() {
		for key, m := range p.members {
			if key.id != id || p.name != pool && p.arn != pool {
				continue
			}
			for _, n := range p.rules.balancer().nodes {
				if n.receives(m, n.failsOpen(p)) {
					zones = append(zones, n.zone)
				}
			}
		}
	}
	return zones
}

// Each node finds out for itself, on its own grid; what AWS tells is healthy when the last one has, and unhealthy with the
// first.
func TestEachNodeChecksByItself(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	id := s.servers(1, "", 0)[0]
	other := s.servers(1, "", 1)[0] // so that the group does not fail open
	s.enroll(group, other)
	s.until("the other one is healthy", 10*time.Second, func() bool { return s.pool(group).Healthy == 1 })
	s.enroll(group, id)
	first := s.until("a first node sends requests", 10*time.Second, func() bool { return len(s.senders(group, id)) == 1 })
	if m := s.member(group, id); m.AWSState != "initial" || !m.Receiving {
		t.Errorf("while one node waits for its check: %+v", m)
	}
	second := s.until("both do", 5*time.Second, func() bool { return len(s.senders(group, id)) == 2 })
	if m := s.member(group, id); m.AWSState != "healthy" {
		t.Errorf("%s and %s after the registration: %+v", first, first+second, m)
	}
	succeed(t, s.SetAppStatus(id, 500))
	s.until("a first node gave it up", 11*time.Second, func() bool { return len(s.senders(group, id)) == 1 })
	if m := s.member(group, id); m.AWSState != "unhealthy" {
		t.Errorf("while one node still sends requests: %+v", m)
	}
	s.until("both did", 5*time.Second, func() bool { return len(s.senders(group, id)) == 0 })
}

// A day in which nothing happens takes no health checks, and the checks go on where they would have been.
func TestChecksRestUntilSomethingChanges(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	s.until("healthy", 20*time.Second, func() bool { return s.pool("web").Healthy == 1 })
	grid := s.clock.Now()
	if next, waits := s.clock.Next(); waits && next.Before(grid.Add(time.Minute)) {
		t.Errorf("something is due at %s, nothing happens after %s", next, grid)
	}
	s.clock.Advance(24*time.Hour + 7*time.Second)
	succeed(t, s.SetAppStatus(id, 500))
	took := s.until("unhealthy", time.Minute, func() bool { return s.pool("web").Healthy == 0 })
	if since := s.clock.Now().Sub(grid); since%(5*time.Second) != 0 || took <= 5*time.Second || took > 10*time.Second {
		t.Errorf("two failed checks took %s, %s after the first check", took, since)
	}
}

// In the time between, one node follows the old rule and the other the new one.
func TestNodesAdoptARuleAtDifferentTimes(t *testing.T) {
	s := newPlaneSim(t)
	s.Tune(func(k *Knobs) {
		k.Balancers.ApplicationRegistration = Span{}
		k.Balancers.RulePropagation = Span{0, time.Minute}
	})
	blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, blue, green)
	s.enroll(blue, s.servers(1, "blue")...)
	s.enroll(green, s.servers(1, "green")...)
	s.healthy(blue, 1)
	s.healthy(green, 1)
	to := func(group string) {
		must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(group)}))
	}
	answers := func() (pair [2]string) {
		for i, zone := range []string{zoneA, zoneB} {
			a, err := s.get(client(t, true), s.at("web", zone))
			succeed(t, err)
			pair[i] = a.version
		}
		return pair
	}
	to(blue)
	s.await("both follow blue", func() bool { return answers() == [2]string{"blue", "blue"} })
	to(green)
	s.await("one follows green, the other still blue", func() bool { a := answers(); return a[0] != a[1] })
	s.await("both follow green", func() bool { return answers() == [2]string{"green", "green"} })
}

// A deregistration reaches the nodes at different times too; what is in flight ends well on each.
func TestNodesHearOfADeregistrationAtDifferentTimes(t *testing.T) {
	s := newPlaneSim(t, func(k *BalancerKnobs) { k.DeregistrationLag = Span{0, time.Minute} })
	k := s.allKinds()["application"]
	leaves, stays := s.servers(1, "leaves")[0], s.servers(1, "stays")[0]
	k.enter(leaves, stays)
	s.healthy(k.pool, 2)
	long := make(chan got)
	for _, zone := range []string{zoneA, zoneA, zoneB, zoneB} {
		go func() {
			a, _ := s.get(client(t, true), s.at("application", zone)+"/?wait=2s")
			long <- a
		}()
	}
	s.await("the long requests are on their way", func() bool { return s.inFlight(k.pool, leaves)+s.inFlight(k.pool, stays) == 4 })
	k.leave(leaves)
	s.await("one node has heard of it", func() bool { return len(s.senders(k.pool, leaves)) == 1 })
	if m := s.member(k.pool, leaves); !m.Draining || !m.Receiving {
		t.Errorf("while one node has not heard of it: %+v", m)
	}
	s.await("both have", func() bool { return len(s.senders(k.pool, leaves)) == 0 })
	for _, zone := range []string{zoneA, zoneB} {
		for range 4 {
			if a, err := s.get(client(t, true), s.at("application", zone)); err != nil || a.version != "stays" {
				t.Errorf("%s: %+v, %v", zone, a, err)
			}
		}
	}
	for range 4 {
		if a := <-long; a.status != 200 {
			t.Errorf("a request that was in flight got %+v", a)
		}
	}
}

// The nodes follow the zones that are enabled.
func TestZonesComeAndGo(t *testing.T) {
	s := newPlaneSim(t)
	k := s.allKinds()["classic"]
	k.enter(s.servers(1, "v1")...)
	s.healthy(k.pool, 1)
	must(s.elb.AttachLoadBalancerToSubnets(s.ctx, &elb.AttachLoadBalancerToSubnetsInput{
		LoadBalancerName: aws.String("classic"), Subnets: s.site.Subnets[2:3]}))
	s.await("the new node serves", func() bool {
		a, err := s.get(client(t, true), s.at("classic", zoneC))
		return err == nil && a.status == 200
	})
	url := s.at("classic", zoneB)
	byName := client(t, false) // its connection may be to the node that goes
	for range 3 {
		if a, err := s.get(byName, k.url); err != nil || a.status != 200 {
			t.Errorf("by name: %+v, %v", a, err)
		}
	}
	must(s.elb.DetachLoadBalancerFromSubnets(s.ctx, &elb.DetachLoadBalancerFromSubnetsInput{
		LoadBalancerName: aws.String("classic"), Subnets: s.site.Subnets[1:2]}))
	if a, err := s.get(client(t, true), url); err == nil {
		t.Errorf("the node of a zone that is not enabled answers %+v", a)
	}
	for range 6 {
		if a, err := s.get(byName, k.url); err != nil || a.status != 200 {
			t.Errorf("by name, after a node went: %+v, %v", a, err)
		}
		if a, err := s.get(client(t, true), k.url); err != nil || a.status != 200 {
			t.Errorf("by name, on a new connection: %+v, %v", a, err)
		}
	}
}

func TestTheMinimumForTheNameOfALoadBalancer(t *testing.T) {
	s := newPlaneSim(t)
	k := s.allKinds()["application"]
	s.setGroup(k.pool, "load_balancing.cross_zone.enabled", "false")
	a := s.servers(1, "a")
	k.enter(a...)
	s.healthy(k.pool, 1)
	for _, tc := range []struct {
		count string
		want  []int // by name, of four new connections
	}{{"1", []int{200, 200, 200, 200}}, {"off", []int{200, 200, 503, 503}}, {"2", []int{200, 200, 503, 503}}} {
		s.setGroup(k.pool, "target_group_health.dns_failover.minimum_healthy_targets.count", tc.count)
		var got []int
		for range 4 {
			answer, err := s.get(client(t, true), k.url)
			succeed(t, err)
			got = append(got, answer.status)
		}
		if slices.Sort(got); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("at least %s: %v, want %v", tc.count, got, tc.want)
		}
	}
}
