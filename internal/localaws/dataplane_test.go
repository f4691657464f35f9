package localaws

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// planeSim is a cloud with its data plane on; its clock runs 20 times as fast as ours.
type planeSim struct{ *balancerSim }

func newPlaneSim(t testing.TB, tune ...func(*BalancerKnobs)) *planeSim {
	t.Helper()
	knobs := DefaultKnobs()
	knobs.Balancers.RulePropagation = Span{}
	knobs.ShuttingDown = time.Second
	for _, f := range tune {
		f(&knobs.Balancers)
	}
	return newPlaneSimOn(t, ScaledClock(20), knobs)
}

func newPlaneSimOn(t testing.TB, clock Clock, knobs Knobs) *planeSim {
	t.Helper()
	s := &sim{t: t, ctx: t.Context(), Cloud: New(Options{Clock: clock, Knobs: knobs, Seed: 1})}
	s.site = s.DefaultWorld()
	t.Cleanup(s.Close)
	cfg := s.config("AKIDTEST", "us-east-1")
	s.use(cfg)
	succeed(t, s.StartDataPlane(t.Context(), DataPlaneOptions{}))
	// Checks are so quick here that a busy machine may miss a few.
	return &planeSim{&balancerSim{sim: s, elb: elb.NewFromConfig(cfg), v2: elbv2.NewFromConfig(cfg), unhealthy: 10}}
}

// await waits until it holds; it looks again whenever the ledger has grown.
func (s *planeSim) await(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for !holds() {
		s.mu.Lock()
		if s.ledger.grown == nil {
			s.ledger.grown = make(chan struct{})
		}
		grown := s.ledger.grown
		s.mu.Unlock()
		select {
		case <-grown:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			s.t.Fatalf("%s: not in 20 s; pools: %+v", what, s.Pools())
		}
	}
}

// servers launches n servers that answer with a version and waits until they do.
func (s *planeSim) servers(n int32, version string) []string {
	s.t.Helper()
	ids := s.launch(n, func(in *ec2.RunInstancesInput) {
		in.UserData = userData("#localaws boot=100ms configure=100ms version=" + version)
	})
	for _, id := range ids {
		s.await("server "+id, func() bool { return s.ServerURL(id) != "" })
	}
	return ids
}

func (s *planeSim) healthy(pool string, n int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d healthy in %s", n, pool), func() bool { return s.pool(pool).Healthy == n })
}

// got is an answer through a load balancer.
type got struct {
	status            int
	version, instance string
	body              string
	cookies           []*http.Cookie
	header            http.Header
}

func (s *planeSim) get(client *http.Client, url string, change ...func(*http.Request)) (got, error) {
	r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, strings.Replace(url, "tcp://", "http://", 1), nil)
	if err != nil {
		return got{}, err
	}
	for _, f := range change {
		f(r)
	}
	answer, err := client.Do(r)
	if err != nil {
		return got{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return got{answer.StatusCode, answer.Header.Get("X-Version"), answer.Header.Get("X-Instance-Id"), string(body), answer.Cookies(), answer.Header}, err
}

// client makes an HTTP client that follows no redirect; fresh ones make a connection for each request.
func client(t testing.TB, fresh bool) *http.Client {
	transport := &http.Transport{DisableKeepAlives: fresh, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// allKinds makes one load balancer of each kind, checked every 5 s, whose nodes reach the members of all zones, and says how
// to enter and leave its pool.
func (s *planeSim) allKinds() map[string]*kindOfPool {
	s.classic("classic")
	s.crossZone("classic", true)
	s.drain("classic", 120)
	s.Tune(func(k *Knobs) {
		k.Balancers.ClassicRegistration, k.Balancers.ApplicationRegistration = Span{}, Span{}
		k.Balancers.NetworkRegistration, k.Balancers.NetworkDeregistration = Span{}, Span{}
	})
	out := map[string]*kindOfPool{"classic": {pool: "classic", enter: func(ids ...string) { s.register("classic", ids...) },
		leave: func(ids ...string) { s.deregister("classic", ids...) }}}
	for name, kind := range map[string]types.LoadBalancerTypeEnum{"application": alb, "network": nlb} {
		group := s.behind(name, kind)
		s.delay(group, "120")
		s.setGroup(group, "load_balancing.cross_zone.enabled", "true")
		out[name] = &kindOfPool{pool: group, enter: func(ids ...string) { s.enroll(group, ids...) }, leave: func(ids ...string) { s.remove(group, ids...) }}
	}
	for name, k := range out {
		k.url = s.Endpoints()[name]
	}
	return out
}

type kindOfPool struct {
	pool, url    string
	enter, leave func(...string)
}

func TestTrafficReachesEveryMember(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	ids := s.servers(2, "v7")
	for name, k := range kinds {
		k.enter(ids...)
		s.healthy(k.pool, 2)
		seen := map[string]int{}
		fresh := client(t, true)
		for range 20 {
			a, err := s.get(fresh, k.url)
			if err != nil || a.status != 200 || a.version != "v7" {
				t.Fatalf("%s: %+v, %v", name, a, err)
			}
			var body struct{ Version, Instance string }
			succeed(t, json.Unmarshal([]byte(a.body), &body))
			if body.Version != a.version || body.Instance != a.instance {
				t.Errorf("%s: body %s beside headers %s %s", name, a.body, a.version, a.instance)
			}
			seen[a.instance]++
		}
		if seen[ids[0]] != 10 || seen[ids[1]] != 10 {
			t.Errorf("%s: 20 requests went %v", name, seen)
		}
	}
}

func TestNobodyToServe(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	for _, name := range []string{"classic", "application"} {
		if a, err := s.get(client(t, true), kinds[name].url); err != nil || a.status != 503 {
			t.Errorf("%s without members answers %+v, %v", name, a, err)
		}
	}
	if a, err := s.get(client(t, true), kinds["network"].url); err == nil {
		t.Errorf("network without members answers %+v", a)
	}
	// One sick member: a classic load balancer has nobody, target groups fail open.
	id := s.servers(1, "v1")[0]
	succeed(t, s.SetAppStatus(id, 500))
	for name, want := range map[string]int{"classic": 503, "application": 500} {
		kinds[name].enter(id)
		s.await("sick in "+name, func() bool { return s.member(kinds[name].pool, id).State == "unhealthy" })
		if a, err := s.get(client(t, true), kinds[name].url); err != nil || a.status != want {
			t.Errorf("%s with one sick member answers %+v, %v", name, a, err)
		}
	}
	mismatch := [3]string{"unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"}
	if got := s.targetHealth(kinds["application"].pool, id); got != mismatch {
		t.Errorf("a real health check found %v", got)
	}
	succeed(t, s.SetAppStatus(id, AppHangs))
	s.await("timeout", func() bool { return s.targetHealth(kinds["application"].pool, id)[1] == "Target.Timeout" })
	succeed(t, s.SetAppStatus(id, AppRefuses))
	s.await("refused", func() bool { return s.targetHealth(kinds["application"].pool, id)[1] == "Target.FailedHealthChecks" })
	if a, err := s.get(client(t, true), kinds["application"].url); err != nil || a.status != 502 {
		t.Errorf("application with a member that refuses answers %+v, %v", a, err)
	}
}

func TestLongRequestsOutliveTheDeregistration(t *testing.T) {
	s := newPlaneSim(t)
	for name, k := range s.allKinds() {
		leaves, stays := s.servers(1, "leaves")[0], s.servers(1, "stays")[0]
		k.enter(leaves, stays)
		s.healthy(k.pool, 2)
		long := make(chan got)
		for range 2 { // in turn: one for each
			go func() {
				a, _ := s.get(client(t, true), k.url+"/?wait=2s")
				long <- a
			}()
		}
		s.await("the long requests are on their way", func() bool { return s.inFlight(k.pool, leaves) == 1 && s.inFlight(k.pool, stays) == 1 })
		k.leave(leaves)
		if m := s.member(k.pool, leaves); !m.Draining {
			t.Errorf("%s: with a request in flight the member is %+v", name, m)
		}
		for range 10 {
			if a, err := s.get(client(t, true), k.url); err != nil || a.version != "stays" {
				t.Errorf("%s: after the deregistration %+v, %v", name, a, err)
			}
		}
		answers := []string{(<-long).version, (<-long).version}
		if slices.Sort(answers); !slices.Equal(answers, []string{"leaves", "stays"}) {
			t.Errorf("%s: the long requests got %v", name, answers)
		}
		if name == "classic" {
			s.await("gone when idle", func() bool { return s.member(k.pool, leaves).State == "" })
		} else if m := s.member(k.pool, leaves); !m.Draining {
			t.Errorf("%s: an idle target drains for the whole delay, but is %+v", name, m)
		}
	}
}

// inFlight is how many requests or flows a member has open.
func (s *planeSim) inFlight(pool, id string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pools() {
		for key, m := range p.members {
			if key.id == id && (p.name == pool || p.arn == pool) && m.backend != nil {
				return m.backend.inFlight.Load()
			}
		}
	}
	return 0
}

func TestDrainingThatEndsCutsWhatIsInFlight(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	s.delay(kinds["application"].pool, "5")
	s.setGroup(kinds["network"].pool, "deregistration_delay.connection_termination.enabled", "true")
	s.delay(kinds["network"].pool, "5")
	must(s.elb.ModifyLoadBalancerAttributes(s.ctx, classicDrainingOff("classic")))
	s.patient("classic")
	for name, want := range map[string]int{"classic": 504, "application": 502, "network": 0} {
		k := kinds[name]
		id := s.servers(1, "v1")[0]
		k.enter(id)
		s.healthy(k.pool, 1)
		long := make(chan got, 1)
		go func() {
			a, _ := s.get(client(t, true), k.url+"/?wait=10s")
			long <- a
		}()
		s.await("the long request is on its way", func() bool { return s.inFlight(k.pool, id) == 1 })
		k.leave(id)
		if a := <-long; a.status != want {
			t.Errorf("%s: the request that was cut got %+v, want %d", name, a, want)
		}
	}
}

func TestFlowsOfANetworkBalancerStay(t *testing.T) {
	s := newPlaneSim(t)
	k := s.allKinds()["network"]
	s.delay(k.pool, "0")
	id := s.servers(1, "v1")[0]
	k.enter(id)
	s.healthy(k.pool, 1)
	keepAlive := client(t, false)
	if a, err := s.get(keepAlive, k.url); err != nil || a.version != "v1" {
		t.Fatalf("%+v, %v", a, err)
	}
	other := s.servers(1, "v2")
	k.enter(other...)
	s.healthy(k.pool, 2)
	k.leave(id)
	s.await("gone", func() bool { return s.member(k.pool, id).State == "" })
	if a, err := s.get(keepAlive, k.url); err != nil || a.version != "v1" {
		t.Errorf("an open flow got %+v, %v", a, err)
	}
	if a, err := s.get(client(t, true), k.url); err != nil || a.version != "v2" {
		t.Errorf("a new flow got %+v, %v", a, err)
	}
}

func classicDrainingOff(name string) *elb.ModifyLoadBalancerAttributesInput {
	return &elb.ModifyLoadBalancerAttributesInput{LoadBalancerName: &name, LoadBalancerAttributes: &elbtypes.LoadBalancerAttributes{
		ConnectionDraining: &elbtypes.ConnectionDraining{Enabled: false}}}
}

func TestASwapOfMembersFailsNoRequest(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	s.delay(kinds["application"].pool, "20")
	s.delay(kinds["network"].pool, "20")
	blue := s.servers(2, "blue")
	for _, k := range kinds {
		k.enter(blue...)
		s.healthy(k.pool, 2)
	}
	load := s.load(kinds)
	load.more(50)
	green := s.servers(2, "green")
	var entering sync.WaitGroup
	for _, k := range kinds {
		entering.Go(func() { k.enter(green...) })
	}
	entering.Wait()
	for _, k := range kinds {
		s.healthy(k.pool, 4)
	}
	for _, k := range kinds {
		k.leave(blue...)
	}
	load.blueAllowed.Store(false)
	load.more(50)
	for _, k := range kinds {
		s.await("blue left "+k.pool, func() bool { return len(s.pool(k.pool).Members) == 2 })
	}
	must(s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: blue}))
	s.await("blue is terminated", func() bool { return s.state(blue[0]) == "terminated" && s.state(blue[1]) == "terminated" })
	load.more(50)
	load.stop()
}

// load is steady traffic on several load balancers.
type load struct {
	blueAllowed atomic.Bool // whether a request that begins now may be answered by blue
	requests    atomic.Int64
	more        func(n int64) // waits for so many more requests
	stop        func()
}

// load sends requests, over kept-alive and over new connections, until stop; each that fails is an error.
func (s *planeSim) load(kinds map[string]*kindOfPool) *load {
	l := &load{}
	l.blueAllowed.Store(true)
	ctx, cancel := context.WithCancel(s.ctx)
	var workers sync.WaitGroup
	for name, k := range kinds {
		for _, fresh := range []bool{true, false, false} {
			if name == "network" {
				fresh = true // flows that are kept open stay with blue
			}
			c := client(s.t, fresh)
			workers.Go(func() {
				for ctx.Err() == nil {
					mayBeBlue := l.blueAllowed.Load()
					a, err := s.get(c, k.url+"/?wait=2ms")
					l.requests.Add(1)
					if err != nil || a.status != 200 || a.version == "blue" && !mayBeBlue {
						s.t.Errorf("%s: %+v, %v (blue allowed: %t)", name, a, err, mayBeBlue)
						return
					}
				}
			})
		}
	}
	l.more = func(n int64) {
		from := l.requests.Load()
		s.await("more requests", func() bool { return l.requests.Load() >= from+n })
	}
	l.stop = func() {
		cancel()
		workers.Wait()
	}
	s.t.Cleanup(l.stop)
	return l
}

func TestRulesOnTheDataPlane(t *testing.T) {
	s := newPlaneSim(t)
	s.Tune(func(k *Knobs) { k.Balancers.ApplicationRegistration = Span{} })
	balancer := s.balancer("web", alb)
	pools := map[string]string{}
	for _, version := range []string{"v1", "v2", "v3"} {
		pools[version] = s.group(version, "HTTP")
	}
	listener := s.listener(balancer, 80, pools["v1"])
	must(s.rule(listener, 1, []types.RuleCondition{{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{
		HttpHeaderName: aws.String("X-Preview"), Values: []string{"ye?"}}}}, forward(pools["v2"])))
	must(s.rule(listener, 2, []types.RuleCondition{{Field: aws.String("host-header"), Values: []string{"*.Example.com"}}}, forward(pools["v3"])))
	must(s.rule(listener, 3, path("/tea"), []types.Action{{Type: "fixed-response", FixedResponseConfig: &types.FixedResponseActionConfig{
		StatusCode: aws.String("418"), ContentType: aws.String("text/plain"), MessageBody: aws.String("short and stout")}}}))
	must(s.rule(listener, 4, path("/old/*"), []types.Action{{Type: "redirect", RedirectConfig: &types.RedirectActionConfig{
		StatusCode: "HTTP_302", Path: aws.String("/new/#{path}"), Host: aws.String("example.org"), Port: aws.String("8080")}}}))
	for version, group := range pools {
		s.enroll(group, s.servers(1, version)...)
		s.healthy(group, 1)
	}
	url := s.Endpoints()["web:80"]
	for _, tc := range []struct {
		path   string
		change func(*http.Request)
		want   string
	}{
		{"/", func(*http.Request) {}, "200 v1"},
		{"/", func(r *http.Request) { r.Header.Set("X-Preview", "YES") }, "200 v2"},
		{"/", func(r *http.Request) { r.Host = "www.example.com:80" }, "200 v3"},
		{"/tea", func(*http.Request) {}, "418 "},
		{"/old/x?y=1", func(*http.Request) {}, "302 "},
	} {
		a, err := s.get(client(t, true), url+tc.path, tc.change)
		if err != nil || fmt.Sprintf("%d %s", a.status, a.version) != tc.want {
			t.Errorf("%s: %+v, %v; want %s", tc.path, a, err, tc.want)
		}
		if a.status == 418 && a.body != "short and stout" {
			t.Errorf("the fixed response is %q", a.body)
		}
		if at := a.header.Get("Location"); a.status == 302 && at != "http://example.org:8080/new/old/x?y=1" {
			t.Errorf("redirected to %s", at)
		}
	}

	weighted := []types.Action{{Type: "forward", ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
		{TargetGroupArn: aws.String(pools["v1"]), Weight: aws.Int32(30)}, {TargetGroupArn: aws.String(pools["v2"]), Weight: aws.Int32(10)},
		{TargetGroupArn: aws.String(pools["v3"]), Weight: aws.Int32(0)}}}}}
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: weighted}))
	seen := map[string]int{}
	keepAlive := client(t, false)
	for range 400 {
		a, err := s.get(keepAlive, url)
		succeed(t, err)
		seen[a.version]++
	}
	if seen["v1"] < 290 || seen["v1"] > 310 || seen["v1"]+seen["v2"] != 400 {
		t.Errorf("400 requests with weights 30, 10 and 0 went %v", seen)
	}
}

func TestStickyClients(t *testing.T) {
	s := newPlaneSim(t)
	s.Tune(func(k *Knobs) { k.Balancers.ApplicationRegistration = Span{} })
	blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, blue)
	sticky := func(blueWeight, greenWeight int32) {
		must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: []types.Action{{Type: "forward",
			ForwardConfig: &types.ForwardActionConfig{
				TargetGroups: []types.TargetGroupTuple{
					{TargetGroupArn: &blue, Weight: &blueWeight}, {TargetGroupArn: &green, Weight: &greenWeight}},
				TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(60)}}}}}))
	}
	sticky(1, 0)
	s.enroll(blue, s.servers(2, "blue")...)
	s.enroll(green, s.servers(1, "green")...)
	s.healthy(blue, 2)
	s.healthy(green, 1)
	s.setGroup(blue, "stickiness.enabled", "true")
	url := s.Endpoints()["web"]
	first, err := s.get(client(t, true), url)
	succeed(t, err)
	if len(first.cookies) != 2 || first.cookies[0].Name != "AWSALBTG" || first.cookies[0].MaxAge != 60 {
		t.Fatalf("cookies: %v", first.cookies)
	}
	again := func(r *http.Request) {
		for _, c := range first.cookies {
			r.AddCookie(c)
		}
	}
	sticky(0, 1)
	for range 6 {
		if a, err := s.get(client(t, true), url, again); err != nil || a.instance != first.instance {
			t.Errorf("a client with cookies went from %s to %+v, %v", first.instance, a, err)
		}
		if a, err := s.get(client(t, true), url); err != nil || a.version != "green" {
			t.Errorf("a client without cookies got %+v, %v", a, err)
		}
	}
	s.remove(blue, first.instance)
	if a, err := s.get(client(t, true), url, again); err != nil || a.version != "blue" || a.instance == first.instance {
		t.Errorf("after its server left, a sticky client of blue got %+v, %v", a, err)
	}
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(green)}))
	if a, err := s.get(client(t, true), url, again); err != nil || a.version != "green" {
		t.Errorf("after blue left the action, a sticky client of blue got %+v, %v", a, err)
	}
}

// A member that does not answer for the idle timeout is given up, of both kinds with 504. The clock runs 20 times as fast.
func TestIdleRequestsAreEnded(t *testing.T) {
	s := newPlaneSim(t)
	kinds := s.allKinds()
	lb := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"application"}})).LoadBalancers[0]
	idle := func(seconds int32) {
		must(s.v2.ModifyLoadBalancerAttributes(s.ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: lb.LoadBalancerArn,
			Attributes: []types.LoadBalancerAttribute{{Key: aws.String("idle_timeout.timeout_seconds"), Value: aws.String(fmt.Sprint(seconds))}}}))
		must(s.elb.ModifyLoadBalancerAttributes(s.ctx, &elb.ModifyLoadBalancerAttributesInput{LoadBalancerName: aws.String("classic"),
			LoadBalancerAttributes: &elbtypes.LoadBalancerAttributes{ConnectionSettings: &elbtypes.ConnectionSettings{IdleTimeout: &seconds}}}))
	}
	id := s.servers(1, "v1")[0]
	for _, name := range []string{"classic", "application"} {
		k := kinds[name]
		k.enter(id)
		s.healthy(k.pool, 1)
		idle(2)
		if a, err := s.get(client(t, true), k.url+"/?wait=1m"); err != nil || a.status != 504 {
			t.Errorf("%s: a silent member: %+v, %v", name, a, err)
		}
		idle(1000)
		if a, err := s.get(client(t, true), k.url+"/?wait=200ms"); err != nil || a.status != 200 {
			t.Errorf("%s: a patient load balancer: %+v, %v", name, a, err)
		}
		s.await("nothing is in flight", func() bool { return s.inFlight(k.pool, id) == 0 })
	}
}

func TestServersComeAndGo(t *testing.T) {
	s := newPlaneSim(t)
	id := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.UserData = userData("#localaws boot=100ms configure=10s version=v1")
	})[0]
	s.await("running", func() bool { return s.state(id) == "running" })
	if s.ServerURL(id) != "" {
		t.Error("a server listens before it is configured")
	}
	s.await("configured", func() bool { return s.ServerURL(id) != "" })
	url := s.ServerURL(id)
	if a, err := s.get(client(t, true), url+"/healthz"); err != nil || a.status != 200 || a.instance != id {
		t.Errorf("directly: %+v, %v", a, err)
	}
	must(s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}))
	if a, err := s.get(client(t, true), url); err == nil {
		t.Errorf("a stopping server still answers: %+v", a)
	}
	s.await("stopped", func() bool { return s.state(id) == "stopped" })
	must(s.ec2.StartInstances(s.ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}}))
	s.await("configured again", func() bool { return s.ServerURL(id) != "" })
}

func TestDataPlaneStopsCleanly(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newPlaneSim(t)
	s.StopDataPlane()
	succeed(t, s.StartDataPlane(ctx, DataPlaneOptions{Ports: map[string]int{"application:80": 0}}))
	if err := s.StartDataPlane(ctx, DataPlaneOptions{}); err == nil {
		t.Error("a second data plane was started")
	}
	kinds := s.allKinds()
	ids := s.servers(2, "v1")
	for _, k := range kinds {
		k.enter(ids...)
		s.healthy(k.pool, 2)
	}
	open := client(t, false)
	for _, k := range kinds {
		a, err := s.get(open, k.url)
		if err != nil || a.status != 200 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	hanging := make(chan struct{})
	go func() {
		a, err := s.get(client(t, true), kinds["network"].url+"/?wait=1m")
		if err == nil {
			t.Errorf("a request outlived the data plane: %+v", a)
		}
		close(hanging)
	}()
	s.await("a long request", func() bool {
		return s.inFlight(kinds["network"].pool, ids[0])+s.inFlight(kinds["network"].pool, ids[1]) >= 1
	})
	cancel()
	s.await("the data plane is off", func() bool { return len(s.Endpoints()) == 0 })
	s.StopDataPlane() // waits for what cancel began
	<-hanging
	for name, k := range kinds {
		if a, err := s.get(client(t, true), k.url); err == nil {
			t.Errorf("%s still answers: %+v", name, a)
		}
	}
	s.Close()
	open.CloseIdleConnections()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	}
}

func TestTCPListenerOfAClassicBalancer(t *testing.T) {
	s := newPlaneSim(t)
	k := s.allKinds()["classic"]
	s.drain("classic", 10)
	must(s.elb.CreateLoadBalancerListeners(s.ctx, &elb.CreateLoadBalancerListenersInput{LoadBalancerName: aws.String("classic"),
		Listeners: []elbtypes.Listener{{Protocol: aws.String("TCP"), LoadBalancerPort: 2222, InstancePort: aws.Int32(22)}}}))
	id := s.servers(1, "v1")[0]
	k.enter(id)
	s.healthy(k.pool, 1)
	keepAlive := client(t, false)
	url := s.Endpoints()["classic:2222"]
	if a, err := s.get(keepAlive, url); err != nil || a.version != "v1" {
		t.Fatalf("%+v, %v", a, err)
	}
	k.leave(id)
	if a, err := s.get(keepAlive, url); err != nil || a.version != "v1" {
		t.Errorf("a connection that drains got %+v, %v", a, err)
	}
	if a, err := s.get(client(t, true), url); err == nil {
		t.Errorf("a new connection got %+v", a)
	}
	s.await("the timeout", func() bool { return s.member(k.pool, id).State == "" })
	s.await("the connection is cut", func() bool {
		_, err := s.get(keepAlive, url)
		return err != nil
	})
}

func TestPortsOfListeners(t *testing.T) {
	s := newPlaneSim(t)
	s.StopDataPlane()
	taken, err := loopback(0)
	succeed(t, err)
	defer func() { _ = taken.Close() }()
	free, err := loopback(0)
	succeed(t, err)
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	succeed(t, free.Close())
	succeed(t, s.StartDataPlane(t.Context(), DataPlaneOptions{Ports: map[string]int{"classic": port(free), "application:80": port(taken)}}))
	s.classic("classic")
	s.behind("application", alb)
	urls := s.Endpoints()
	if want := fmt.Sprintf("http://127.0.0.1:%d", port(free)); urls["classic"] != want || urls["classic:80"] != want {
		t.Errorf("want %s in %v", want, urls)
	}
	if urls["application"] == "" || !slices.Equal(s.changes("application:80"), []string{"moved"}) {
		t.Errorf("a port that is taken is replaced and noted: %v, %v", urls, s.changes("application:80"))
	}
	lb := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{"application"}})).LoadBalancers[0]
	must(s.v2.DeleteLoadBalancer(s.ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: lb.LoadBalancerArn}))
	if a, err := s.get(client(t, true), urls["application"]); err == nil {
		t.Errorf("a deleted load balancer answers %+v", a)
	}
}

func TestDataPlaneNeedsAClockThatRuns(t *testing.T) {
	s := newBalancerSim(t)
	if err := s.StartDataPlane(t.Context(), DataPlaneOptions{}); err == nil {
		t.Error("a data plane was started on a virtual clock")
	}
}
