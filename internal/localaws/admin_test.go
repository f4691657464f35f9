package localaws

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
)

// admin is the admin endpoint of a simulation, over real HTTP.
type admin struct {
	t   *testing.T
	url string
}

func newAdmin(t *testing.T, c *Cloud) admin {
	server := httptest.NewServer(c.Handler())
	t.Cleanup(server.Close)
	return admin{t, server.URL + AdminPath}
}

// do makes a request, and gives the answer's status and text.
func (a admin) do(method, path, body string) (int, string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// ok is the text of an answer that has to be good.
func (a admin) ok(method, path, body string) string {
	a.t.Helper()
	status, text := a.do(method, path, body)
	if status != http.StatusOK {
		a.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

func (a admin) state() (s State) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.ok("GET", "state", "")), &s); err != nil {
		a.t.Fatal(err)
	}
	return s
}

func TestAdminState(t *testing.T) {
	s := newBalancerSim(t)
	a := newAdmin(t, s.Cloud)
	group := s.behind("web", types.LoadBalancerTypeEnumApplication)
	s.classic("old")
	ids := s.servers(2, "version=v7", 0)
	s.register("old", ids[0])
	s.enroll(group, ids...)
	s.clock.Advance(2 * time.Minute)
	must(s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/open"), Value: aws.String("seen"), Type: ssmtypes.ParameterTypeString}))
	must(s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/secret"), Value: aws.String("hidden"), Type: ssmtypes.ParameterTypeSecureString}))
	a.ok("POST", "faults", "ec2:DescribeVolumes before=500")

	got := a.state()
	if got.Account != "123456789012" || got.Region != "us-east-1" || got.Seed != 1 || !got.Clock.Now.Equal(s.clock.Now()) || got.Clock.Speed != 0 ||
		len(got.Realms) != 1 || got.LastSeq != s.LastSeq() {
		t.Errorf("the state is of %s/%s, seed %d, clock %+v, %d realms, ledger %d", got.Account, got.Region, got.Seed, got.Clock, len(got.Realms), got.LastSeq)
	}
	home := got.Realms[0]
	if diff := cmp.Diff(s.Instances(), home.Instances, cmp.Transformer("utc", time.Time.UTC)); len(home.Instances) != 2 {
		t.Errorf("instances (-truth +state):\n%s", diff)
	}
	pools := map[string]PoolState{}
	for _, p := range home.Pools {
		pools[p.Name] = p
	}
	if p := pools["web"]; p.Healthy != 2 || p.Members[0].AWSState != "healthy" || p.HealthCheck.Interval != "5s" || p.Attributes[delayAttribute] != "300" {
		t.Errorf("the target group: %+v", p)
	}
	if p := pools["old"]; p.Healthy != 1 || p.Members[0].AWSState != "InService" || p.Members[0].Description != "N/A" {
		t.Errorf("the classic pool: %+v", p)
	}
	balancers := map[string]BalancerState{}
	for _, lb := range home.LoadBalancers {
		balancers[lb.Name] = lb
	}
	want := []RuleState{{Priority: "default", Action: "forward to web"}}
	if lb := balancers["web"]; lb.Kind != "application" || lb.Status != "active" || len(lb.Listeners) != 1 || !cmp.Equal(lb.Listeners[0].Rules, want) {
		t.Errorf("the load balancer: %+v", lb)
	}
	if lb := balancers["old"]; lb.Kind != "classic" || len(lb.Listeners) != 1 || lb.Attributes["ConnectionDraining"] != "false" {
		t.Errorf("the classic load balancer: %+v", lb)
	}
	params := map[string]string{}
	for _, p := range home.Parameters {
		params[p.Name] = p.Value
	}
	if diff := cmp.Diff(map[string]string{"/open": "seen", "/secret": ""}, params); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]FaultState{{Text: "ec2:DescribeVolumes before=500"}}, got.Faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(s.Knobs().Settings(), got.Knobs); diff != "" {
		t.Errorf("knobs (-want +got):\n%s", diff)
	}
}

func TestAdminSavesLoadsAndResets(t *testing.T) {
	s := newSim(t)
	succeed(t, s.SetStart())
	a := newAdmin(t, s.Cloud)
	s.launch(2)
	saved := a.ok("GET", "save", "")
	s.launch(1)
	a.ok("POST", "load", saved)
	if got := len(s.Instances()); got != 2 {
		t.Errorf("%d instances after loading, want 2", got)
	}
	a.ok("POST", "reset", "")
	if got := len(s.Instances()); got != 0 {
		t.Errorf("%d instances after a reset", got)
	}
	s.launch(1) // the images of the start are there
	if status, text := a.do("POST", "load", "{"); status != http.StatusBadRequest || !strings.Contains(text, "no saved world") {
		t.Errorf("loading half of a world: %d %s", status, text)
	}
	s.wantAlive(1)
}

func TestAdminFaults(t *testing.T) {
	s := newSim(t)
	a := newAdmin(t, s.Cloud)
	a.ok("POST", "faults", "ec2:RunInstances   before=500:InternalError\nclock skew=1h\n\n")
	if got, want := a.ok("GET", "faults", ""), "ec2:RunInstances before=500:InternalError\nclock skew=1h0m0s\n"; got != want {
		t.Errorf("faults in force:\n%swant\n%s", got, want)
	}
	if _, err := s.ec2.RunInstances(s.ctx, s.input(1)); err == nil {
		t.Error("the fault does not happen")
	}
	if got := a.state().Faults; len(got) != 2 || got[0].Hits != 1 {
		t.Errorf("faults of the state: %+v", got)
	}
	if status, text := a.do("POST", "faults", "ec2:StopInstances hang\nec2:RunInstance hang"); status != http.StatusBadRequest ||
		!strings.Contains(text, "RunInstance") {
		t.Errorf("a wrong fault: %d %s", status, text)
	}
	if status, text := a.do("DELETE", "faults", "ec2:StopInstances hang"); status != http.StatusBadRequest || !strings.Contains(text, "is not in force") {
		t.Errorf("removing what is not there: %d %s", status, text)
	}
	if status, text := a.do("POST", "faults", "\n"); status != http.StatusBadRequest || !strings.Contains(text, "no fault") {
		t.Errorf("an empty body: %d %s", status, text)
	}
	a.ok("DELETE", "faults", "clock   skew=60m")
	if got := a.ok("GET", "faults", ""); got != "ec2:RunInstances before=500:InternalError\n" {
		t.Errorf("after one was removed: %s", got)
	}
	a.ok("DELETE", "faults", "")
	if got := a.ok("GET", "faults", ""); got != "" {
		t.Errorf("after all were removed: %s", got)
	}
	s.launch(1)
	s.wantAlive(1)
}

func TestAdminKnobs(t *testing.T) {
	s := newSim(t)
	a := newAdmin(t, s.Cloud)
	a.ok("POST", "knobs", "configure = 3s\nHealthLag=1s..2s\n")
	if k := s.Knobs(); k.Configure != 3*time.Second || k.Balancers.HealthLag != (Span{time.Second, 2 * time.Second}) {
		t.Errorf("the knobs are %+v", k)
	}
	if got := a.ok("GET", "knobs", ""); !strings.Contains(got, "\nConfigure=3s\n") || !strings.Contains(got, "\nBalancers.HealthLag=1s..2s\n") {
		t.Errorf("the knobs read\n%s", got)
	}
	for body, want := range map[string]string{"configure": "write name=value", "speed=1": "there is no knob speed; there are PendingMin"} {
		if status, text := a.do("POST", "knobs", body); status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}

func TestAdminLedger(t *testing.T) {
	s := newSim(t)
	a := newAdmin(t, s.Cloud)
	id := s.launch(1)[0]
	lines := strings.Split(strings.TrimSpace(a.ok("GET", "ledger?since=1", "")), "\n")
	var e Entry
	if err := json.Unmarshal([]byte(lines[0]), &e); err != nil || e.Seq != 2 || uint64(len(lines)) != s.LastSeq()-1 {
		t.Errorf("%d lines, the first %s: %v", len(lines), lines[0], err)
	}
	if text := a.ok("GET", "ledger?format=text", ""); !strings.Contains(text, "RunInstances: launched "+id) {
		t.Errorf("the readable ledger:\n%s", text)
	}
	if status, text := a.do("GET", "ledger?since=yesterday", ""); status != http.StatusBadRequest || !strings.Contains(text, "0 is the beginning") {
		t.Errorf("since yesterday: %d %s", status, text)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"ledger?follow=true&since="+strconv.FormatUint(s.LastSeq(), 10), nil)
	succeed(t, err)
	response, err := http.DefaultClient.Do(r)
	succeed(t, err)
	defer func() { _ = response.Body.Close() }()
	succeed(t, s.Kill(id))
	line, err := bufio.NewReader(response.Body).ReadString('\n')
	if err != nil || !strings.Contains(line, `"To":"terminated"`) {
		t.Errorf("the first line that follows: %q, %v", line, err)
	}
	s.wantAlive(0)
}

func TestAdminIsForTheMachineItself(t *testing.T) {
	s := newSim(t)
	request := func(change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:4566"+AdminPath+"knobs", nil)
		r.RemoteAddr = "127.0.0.1:9999"
		change(r)
		return r
	}
	for name, test := range map[string]struct {
		r      *http.Request
		status int
		want   string
	}{
		"loopback":          {request(func(*http.Request) {}), 200, "PendingMin="},
		"localhost":         {request(func(r *http.Request) { r.Host = "localhost:4566" }), 200, "PendingMin="},
		"IPv6":              {request(func(r *http.Request) { r.Host, r.RemoteAddr = "[::1]:4566", "[::1]:9" }), 200, "PendingMin="},
		"another machine":   {request(func(r *http.Request) { r.RemoteAddr = "192.0.2.1:9999" }), 403, "own machine only"},
		"a name of loopack": {request(func(r *http.Request) { r.Host = "evil.example:4566" }), 403, "http://127.0.0.1 in place of evil.example"},
		"a web page":        {request(func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }), 403, "web pages"},
		"a wrong path":      {request(func(r *http.Request) { r.URL.Path = AdminPath + "status" }), 404, "there is: GET state,"},
		"a wrong method":    {request(func(r *http.Request) { r.Method = http.MethodPut }), 404, "POST reset"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, test.r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%d %s, want %d with %q", w.Code, w.Body, test.status, test.want)
			}
		})
	}
	open := New(Options{AdminFromAnywhere: true})
	defer open.Close()
	w := httptest.NewRecorder()
	open.Handler().ServeHTTP(w, request(func(r *http.Request) { r.RemoteAddr, r.Host = "192.0.2.1:9999", "aws.local" }))
	if w.Code != http.StatusOK {
		t.Errorf("a cloud that is managed from anywhere answers %d %s", w.Code, w.Body)
	}
}
