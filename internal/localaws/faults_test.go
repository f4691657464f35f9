package localaws

import (
	"context"
	"errors"
	"net"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

func TestFaultsBeforeAndAfterTheEffect(t *testing.T) {
	throttled := &APIFault{Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."}
	tests := map[string]struct {
		fault     Fault
		status    int
		code      string
		instances int // that exist afterwards
	}{
		"before":               {Fault{Before: throttled}, 503, "RequestLimitExceeded", 0},
		"after":                {Fault{After: throttled}, 503, "RequestLimitExceeded", 1},
		"default status":       {Fault{Before: &APIFault{Code: "Blocked"}}, 400, "Blocked", 0},
		"by service":           {Fault{Service: "ec2", Before: throttled}, 503, "RequestLimitExceeded", 0},
		"by wildcard":          {Fault{Action: "Run*", Before: throttled}, 503, "RequestLimitExceeded", 0},
		"by parameter":         {Fault{Match: func(p url.Values) bool { return p.Get("MinCount") == "1" }, Before: throttled}, 503, "RequestLimitExceeded", 0},
		"another service":      {Fault{Service: "elb*", Before: throttled}, 0, "", 1},
		"another action":       {Fault{Action: "Describe*", Before: throttled}, 0, "", 1},
		"another parameter":    {Fault{Match: func(p url.Values) bool { return p.Has("KeyName") }, Before: throttled}, 0, "", 1},
		"not the first call":   {Fault{Skip: 1, Before: throttled}, 0, "", 1},
		"nothing set: nothing": {Fault{}, 0, "", 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.Inject(tc.fault)
			_, err := s.ec2.RunInstances(s.ctx, s.input(1))
			if tc.code != "" {
				wantError(t, err, tc.status, tc.code, "")
			} else if err != nil {
				t.Error(err)
			}
			if n := len(s.Instances()); n != tc.instances {
				t.Errorf("%d instances exist, want %d", n, tc.instances)
			}
		})
	}
}

func TestFaultsAreCounted(t *testing.T) {
	s := newSim(t)
	h := s.Inject(Fault{Action: "RunInstances", Skip: 1, Count: 2, Before: &APIFault{}})
	var got []bool
	for range 5 {
		_, err := s.ec2.RunInstances(s.ctx, s.input(1))
		got = append(got, err == nil)
	}
	if want := []bool{true, false, false, true, true}; !slices.Equal(got, want) || h.Hits() != 2 {
		t.Errorf("succeeded %v, want %v; %d hits", got, want, h.Hits())
	}
	always := s.Inject(Fault{Action: "RunInstances", Before: &APIFault{}})
	_, err := s.ec2.RunInstances(s.ctx, s.input(1))
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() != 500 {
		t.Errorf("a bare HTTP error reads %v", err)
	}
	always.Remove()
	s.launch(1)
	if always.Hits() != 1 {
		t.Errorf("%d hits", always.Hits())
	}
	s.wantAlive(4)
}

func TestTheSDKRetriesALostReply(t *testing.T) {
	s := newSim(t)
	cfg := s.config("AKIDTEST", "us-east-1")
	cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond) }
	s.use(cfg)
	h := s.Inject(Fault{Action: "RunInstances", Count: 1, LoseReply: true})
	s.launch(1) // with the token that the SDK makes up and keeps
	if n := len(s.Instances()); n != 1 || h.Hits() != 1 {
		t.Errorf("%d instances after %d lost replies", n, h.Hits())
	}
	if first := s.call("RunInstances"); !first.ReplyLost || len(first.Effects) != 1 {
		t.Errorf("the ledger says %+v", first)
	}
}

func TestALostReplyIsAResetConnection(t *testing.T) {
	s := newSim(t)
	s.Inject(Fault{LoseReply: true})
	_, err := s.Transport().RoundTrip(form("Action", "DescribeInstances", "Version", ec2Version))
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

func TestADelayPassesOnTheCloudsClock(t *testing.T) {
	s := newSim(t)
	s.Inject(Fault{Action: "RunInstances", Delay: time.Hour})
	done := make(chan error)
	go func() {
		_, err := s.ec2.RunInstances(s.ctx, s.input(1))
		done <- err
	}()
	s.awaitTimer()
	if n := len(s.Instances()); n != 0 {
		t.Errorf("%d instances before the delay is over", n)
	}
	s.clock.Advance(time.Hour)
	if err := <-done; err != nil || len(s.Instances()) != 1 {
		t.Errorf("after the delay: %v, %d instances", err, len(s.Instances()))
	}
}

// awaitTimer waits until somebody waits on the clock.
func (s *sim) awaitTimer() {
	s.t.Helper()
	s.awaitTimers(1)
}

// awaitTimers waits until so many wait on the clock.
func (s *sim) awaitTimers(n int) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if s.clock.waiting() >= n {
			return
		}
	}
	s.t.Fatalf("fewer than %d wait on the clock", n)
}

// waiting is how many callbacks are registered.
func (v *VirtualClock) waiting() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.queue)
}

func TestACallThatHangsEndsWithItsContext(t *testing.T) {
	s := newSim(t)
	h := s.Inject(Fault{Hang: true})
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	_, err := s.ec2.RunInstances(ctx, s.input(1))
	if !errors.Is(err, context.DeadlineExceeded) || h.Hits() != 1 || len(s.Instances()) != 0 {
		t.Errorf("got %v after %d hits, %d instances", err, h.Hits(), len(s.Instances()))
	}
}

// The worst that can happen to a call: it takes effect, and then there is silence.
func TestAReplyThatHangsHidesTheEffect(t *testing.T) {
	s := newSim(t)
	h := s.Inject(Fault{Action: "RunInstances", Count: 1, HangReply: true})
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	_, err := s.ec2.RunInstances(ctx, s.input(1, withToken("t")))
	if !errors.Is(err, context.DeadlineExceeded) || h.Hits() != 1 {
		t.Errorf("the caller saw %v after %d hits, want its own deadline", err, h.Hits())
	}
	launched := s.Instances()
	if len(launched) != 1 || !launched[0].Alive {
		t.Fatalf("it launched %v, want one instance", launched)
	}
	if ids := s.launch(1, withToken("t")); ids[0] != launched[0].ID {
		t.Errorf("the token launched %s again", ids[0])
	}
	if call := s.call("RunInstances"); !call.ReplyLost || call.Abandoned || len(call.Effects) != 1 {
		t.Errorf("the ledger says %+v", call)
	}
}

func TestADelayedReplyComesAfterTheEffect(t *testing.T) {
	s := newSim(t)
	s.Inject(Fault{Action: "RunInstances", DelayReply: time.Hour})
	done := make(chan error)
	go func() {
		_, err := s.ec2.RunInstances(s.ctx, s.input(1, withUserData("#localaws boot=2h")))
		done <- err
	}()
	s.awaitTimers(2) // the boot's and the reply's
	if n := len(s.Instances()); n != 1 {
		t.Errorf("%d instances while the reply is under way", n)
	}
	s.clock.Advance(time.Hour)
	if err := <-done; err != nil {
		t.Errorf("after the delay: %v", err)
	}
}

// Nobody's call is left out of the ledger, whenever the caller gave up.
func TestTheLedgerHasCallsWhoseCallerGaveUp(t *testing.T) {
	for name, tc := range map[string]struct {
		fault     Fault
		abandoned bool // before it ran
		instances int
		last      string
	}{
		"while it hangs":             {Fault{Hang: true}, true, 0, "→ the caller gave up before it ran"},
		"while it is delayed":        {Fault{Delay: time.Hour}, true, 0, "→ the caller gave up before it ran"},
		"while its reply hangs":      {Fault{HangReply: true}, false, 1, "the caller of RunInstances gave up before the answer came"},
		"while its reply is delayed": {Fault{DelayReply: time.Hour}, false, 1, "the caller of RunInstances gave up before the answer came"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.Inject(tc.fault)
			ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
			defer cancel()
			_, err := s.ec2.RunInstances(ctx, s.input(1))
			if n := len(s.Instances()); !errors.Is(err, context.DeadlineExceeded) || n != tc.instances {
				t.Errorf("%d instances after %v, want %d", n, err, tc.instances)
			}
			call := s.call("RunInstances")
			if call.Abandoned != tc.abandoned || !call.Mutates || call.Params.Get("MinCount") != "1" || call.Who.AccessKey != "AKIDTEST" || call.RequestID == "" {
				t.Errorf("the ledger says %+v", call)
			}
			ledger := s.Ledger()
			if line := ledger[len(ledger)-1].String(); !strings.Contains(line, tc.last) {
				t.Errorf("the last line is %q, want one with %q", line, tc.last)
			}
		})
	}
}

// call is the ledger's first call of an action.
func (s *sim) call(action string) *CallEntry {
	s.t.Helper()
	for _, e := range s.Ledger() {
		if e.Call != nil && e.Call.Action == action {
			return e.Call
		}
	}
	s.t.Fatalf("no call of %s in the ledger", action)
	return nil
}

func TestHooksSeeTheWorldBeforeAndAfterTheEffect(t *testing.T) {
	s := newSim(t)
	var seen []string
	remove := s.Hook(func(phase Phase, call Call, world World) {
		line := map[Phase]string{BeforeCall: "before ", AfterCall: "after "}[phase] + call.Action
		for _, in := range world.Instances() {
			line += " " + in.State
		}
		if call.Err != nil {
			line += " " + call.Err.Error()
		}
		seen = append(seen, line)
	})
	id := s.launch(1)[0]
	wantError(t, s.stopIDs(id), 400, "IncorrectInstanceState", "")
	remove()
	if err := s.terminate(id); err != nil {
		t.Fatal(err)
	}
	want := []string{"before RunInstances", "after RunInstances pending", "before StopInstances pending",
		"after StopInstances pending IncorrectInstanceState: Instance '" + id + "' cannot be stopped as it has never reached the 'running' state."}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %q\nwant %q", seen, want)
	}
	s.wantAlive(0)
}

// serve starts the cloud on loopback and returns its URL.
func serve(t *testing.T, c *Cloud) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- c.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

func TestOverLoopback(t *testing.T) {
	s := newSim(t)
	cfg := s.config("AKIDTEST", "us-east-1")
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String(serve(t, s.Cloud)), nil
	s.use(cfg)
	id := s.launch(1, withToken("t"))[0]
	if list, err := s.describe(id); err != nil || *list[0].InstanceId != id {
		t.Fatalf("%v, %v", list, err)
	}
	_, err := s.describe("i-00000000")
	wantError(t, err, 400, "InvalidInstanceID.NotFound", "")

	s.Inject(Fault{Action: "RunInstances", Count: 1, LoseReply: true})
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, withToken("u")))
	if err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("a lost reply reads %v", err)
	}
	if n := len(s.Instances()); n != 2 {
		t.Errorf("%d instances, want that of the lost reply too", n)
	}
	s.Inject(Fault{Action: "RunInstances", Hang: true})
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	if _, err = s.ec2.RunInstances(ctx, s.input(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging call reads %v", err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := New(Options{}).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// A call takes half of the latency to arrive, and as long for its answer to come back.
func TestLatency(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.Latency = 300 * time.Millisecond })
	done := make(chan error, 1)
	go func() {
		_, err := s.ec2.RunInstances(s.ctx, s.input(1))
		done <- err
	}()
	awaitTimer := func(due time.Duration) {
		t.Helper()
		for next, ok := s.clock.Next(); !ok || !next.Equal(testStart.Add(due)); next, ok = s.clock.Next() {
			runtime.Gosched()
		}
	}
	awaitTimer(150 * time.Millisecond)
	s.clock.Advance(149 * time.Millisecond)
	if got := len(s.Instances()); got != 0 {
		t.Errorf("%d instances before the call can have arrived", got)
	}
	s.clock.Advance(time.Millisecond)
	awaitTimer(300 * time.Millisecond)
	if in := s.Instances(); len(in) != 1 || !in[0].Launched.Equal(testStart.Add(150*time.Millisecond)) {
		t.Errorf("instances when it has: %+v", in)
	}
	select {
	case err := <-done:
		t.Errorf("the answer was there at once: %v", err)
	default:
	}
	s.clock.Advance(150 * time.Millisecond)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTheLedgerTellsWhichFaultHappenedToACall(t *testing.T) {
	s := newSim(t)
	s.inject("ec2:RunInstances count=1 before=503:RequestLimitExceeded")
	_, err := s.ec2.RunInstances(s.ctx, s.input(1))
	wantError(t, err, 503, "RequestLimitExceeded", "")
	s.launch(1)
	var told []string
	for _, e := range s.Ledger() {
		if e.Call != nil {
			told = append(told, e.Call.Fault)
		}
	}
	if want := []string{"ec2:RunInstances count=1 before=503:RequestLimitExceeded", ""}; !slices.Equal(told, want) {
		t.Errorf("the ledger tells %q, want %q", told, want)
	}
	if line := s.Ledger()[0].String(); !strings.HasSuffix(line, "[fault ec2:RunInstances count=1 before=503:RequestLimitExceeded]") {
		t.Errorf("its line is %q", line)
	}
}
