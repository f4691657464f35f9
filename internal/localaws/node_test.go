package localaws

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

func TestAStaleTableReachesNobodyWhoLeft(t *testing.T) {
	stays, leaves := &backend{cookie: "stays"}, &backend{cookie: "leaves", idle: func() {}}
	stale := share{members: []*backend{leaves, stays}, turn: &turn{}}
	leaves.leaving.Store(true)
	for range 4 {
		if b := stale.take(); b != stays {
			t.Fatalf("took %+v", b)
		}
	}
	if b := stale.named("leaves"); b != nil {
		t.Error("a sticky client reached the member that left")
	}
	if stays.inFlight.Load() != 4 || leaves.inFlight.Load() != 0 {
		t.Errorf("in flight: %d and %d", stays.inFlight.Load(), leaves.inFlight.Load())
	}
	stays.leaving.Store(true)
	if b := stale.take(); b != nil {
		t.Errorf("nobody is left, but it took %+v", b)
	}
}

func TestIdleIsToldOnceTheLastRequestEnds(t *testing.T) {
	told := 0
	b := &backend{idle: func() { told++ }}
	b.acquire()
	b.acquire()
	b.release()
	b.leaving.Store(true)
	if told != 0 {
		t.Error("told while a request is in flight")
	}
	b.release()
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

func TestWeightsAreMixedFinely(t *testing.T) {
	r := routeTable{shares: []share{{weight: 60}, {weight: 0}, {weight: 40}}, weights: 100}
	counts := map[*share]int{}
	for n := range uint64(1000) {
		counts[r.choose(n)]++
		if got, want := counts[&r.shares[0]], int(n+1)*60/100; got < want-3 || got > want+3 {
			t.Fatalf("of the first %d requests %d went to the share of 60 %%", n+1, got)
		}
	}
	if counts[&r.shares[1]] != 0 {
		t.Error("a share of weight 0 was chosen")
	}
	nobody := routeTable{shares: []share{{weight: 0}, {weight: 0}}}
	if nobody.choose(7) != nil {
		t.Error("all weights are 0, but a share was chosen")
	}
}

func TestConditions(t *testing.T) {
	request := func(change func(*http.Request)) *http.Request {
		r, _ := http.NewRequest(http.MethodGet, "http://shop.example.com/img/a.png?Size=big&v=2", nil)
		r.RemoteAddr = "127.0.0.1:4711"
		change(r)
		return r
	}
	plain := func(*http.Request) {}
	for name, tc := range map[string]struct {
		condition condition
		change    func(*http.Request)
		want      bool
	}{
		"host without case": {condition{field: "host-header", values: []string{"SHOP.*.com"}}, plain, true},
		"another host":      {condition{field: "host-header", values: []string{"*.org"}}, plain, false},
		"path":              {condition{field: "path-pattern", values: []string{"/x", "/img/?.png"}}, plain, true},
		"path with case":    {condition{field: "path-pattern", values: []string{"/IMG/*"}}, plain, false},
		"method":            {condition{field: "http-request-method", values: []string{"POST"}}, plain, false},
		"header": {condition{field: "http-header", header: "x-a", values: []string{"B*"}},
			func(r *http.Request) { r.Header.Set("X-A", "bc") }, true},
		"no header":               {condition{field: "http-header", header: "x-a", values: []string{"*"}}, plain, false},
		"query pair without case": {condition{field: "query-string", query: []keyValue{{"size", "BIG"}}}, plain, true},
		"query value of any key":  {condition{field: "query-string", query: []keyValue{{"", "2"}}}, plain, true},
		"another query pair":      {condition{field: "query-string", query: []keyValue{{"v", "big"}}}, plain, false},
		"address":                 {condition{field: "source-ip", values: []string{"10.0.0.0/8", "127.0.0.0/8"}}, plain, true},
		"another address":         {condition{field: "source-ip", values: []string{"10.0.0.0/8"}}, plain, false},
	} {
		if got := tc.condition.meets(request(tc.change)); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestAWorldCanBeRepeated plays the same day twice and compares the ledgers.
func TestAWorldCanBeRepeated(t *testing.T) {
	play := func() []Entry {
		s := newBalancerSim(t, func(k *BalancerKnobs) {
			*k = defaultBalancerKnobs()
			k.HealthLag = Span{0, time.Second}
		})
		s.classic("web")
		s.drain("web", 20)
		group := s.behind("api", alb)
		ids := append(s.servers(3, "", 0), s.servers(2, "sick-after=40s", 1)...)
		s.register("web", ids...)
		s.enroll(group, ids...)
		s.clock.Advance(time.Minute)
		s.deregister("web", ids[:2]...)
		s.remove(group, ids[1:3]...)
		s.enroll(group, ids[1])
		must(s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: ids[:1]}))
		must(s.v2.ModifyTargetGroup(s.ctx, &elbv2.ModifyTargetGroupInput{TargetGroupArn: &group, HealthCheckIntervalSeconds: aws.Int32(10)}))
		s.clock.Advance(10 * time.Minute)
		return s.Ledger()
	}
	first, second := play(), play()
	if len(first) < 40 || len(first) != len(second) {
		t.Fatalf("%d entries, then %d", len(first), len(second))
	}
	for i := range first {
		if !reflect.DeepEqual(first[i], second[i]) {
			t.Fatalf("entry %d was %+v, then %+v", i, first[i], second[i])
		}
	}
}
