package localaws

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"
)

func TestTheLedgerTellsTheStory(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=1s configure=2s"))[0]
	s.clock.Advance(3 * time.Second)
	if _, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{}); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.terminate("i-00000000"), 400, "InvalidInstanceID.NotFound", "")
	if err := s.terminate(id); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	var got []string
	for i, e := range s.Ledger() {
		if e.Seq != uint64(i)+1 || e.Account != "123456789012" || e.Region != "us-east-1" {
			t.Errorf("entry %d is %+v", i, e)
		}
		line := strings.ReplaceAll(e.String(), id, "I")
		if e.Change != nil && e.Change.Kind == "volume" {
			line = strings.ReplaceAll(line, e.Change.Resource, "V")
		}
		got = append(got, line)
	}
	want := []string{
		"09:00:00.000      volume V: in-use (made for I)",
		"09:00:00.000      instance I: pending (launched)",
		"09:00:00.000 ec2   RunInstances: launched I in subnet-0a11ce000000000a1",
		"09:00:01.000      instance I: pending → running (booted)",
		"09:00:03.000      app I: serving (configured, version v1)",
		"09:00:03.000 ec2   DescribeInstances",
		"09:00:03.000 ec2   TerminateInstances → 400 InvalidInstanceID.NotFound The instance ID 'i-00000000' does not exist",
		"09:00:03.000      instance I: running → shutting-down (terminated by a call)",
		"09:00:03.000 ec2   TerminateInstances: terminated I",
		"09:00:33.000      instance I: shutting-down → terminated (shut down)",
		"09:00:33.000      volume V: in-use → deleted (I was terminated)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheLedgerKnowsWhoAskedWhat(t *testing.T) {
	s := newSim(t)
	s.launch(2, withUserData("the password is swordfish"), withToken("t"))
	ledger := s.Ledger()
	call := ledger[len(ledger)-1].Call
	want := CallEntry{Service: "ec2", Action: "RunInstances", Mutates: true, Params: call.Params, RequestID: call.RequestID, Effects: call.Effects,
		Who: Caller{AccessKey: "AKIDTEST", Account: "123456789012", ARN: "arn:aws:iam::123456789012:root", region: "us-east-1"}}
	if diff := cmp.Diff(want, *call, cmp.AllowUnexported(Caller{})); diff != "" {
		t.Errorf("the ledger says (-want +got):\n%s", diff)
	}
	if p := call.Params; p.Get("ClientToken") != "t" || p.Get("MaxCount") != "2" || p.Has("Action") {
		t.Errorf("the parameters are %v", p)
	}
	if got := call.Params.Get("UserData"); !strings.HasPrefix(got, "sha256:") {
		t.Errorf("user data reads %s", got)
	}
	if rest := s.LedgerSince(ledger[len(ledger)-2].Seq); len(rest) != 1 || rest[0].Call != call {
		t.Errorf("since the last but one: %v", rest)
	}
	if rest := s.LedgerSince(1000); rest != nil {
		t.Errorf("since the future: %v", rest)
	}
}

func TestTheLedgerCanBeTrimmed(t *testing.T) {
	s := newSim(t)
	if last := s.LastSeq(); last != 0 {
		t.Errorf("an empty ledger ends with %d", last)
	}
	s.launch(3)
	all := s.Ledger()
	s.TrimLedger(2)
	s.TrimLedger(1)
	if last := s.LastSeq(); last != 7 {
		t.Errorf("the last of 7 entries is %d", last)
	}
	want := func(seq uint64, entries []Entry) {
		t.Helper()
		if diff := cmp.Diff(entries, s.LedgerSince(seq), cmp.AllowUnexported(Caller{})); diff != "" {
			t.Errorf("since %d (-want +got):\n%s", seq, diff)
		}
	}
	want(0, all[2:])
	want(3, all[3:])
	want(7, nil)
	s.launch(1)
	if rest := s.LedgerSince(7); len(rest) != 3 || rest[0].Seq != 8 {
		t.Errorf("after trimming numbers go on with %v", rest)
	}
}

func TestTheLedgerCanBeFollowed(t *testing.T) {
	s := newSim(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan Entry)
	done := make(chan error)
	go func() { done <- s.Follow(ctx, 0, func(e Entry) { seen <- e }) }()
	for want := uint64(2); want <= 8; want += 3 {
		s.launch(1)
		if e := <-seen; e.Change == nil || e.Change.Kind != "volume" {
			t.Errorf("followed %d %v", e.Seq, e)
		}
		if e := <-seen; e.Seq != want || e.Change == nil {
			t.Errorf("followed %d %v", e.Seq, e)
		}
		if e := <-seen; e.Seq != want+1 || e.Call == nil {
			t.Errorf("followed %d %v", e.Seq, e)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("following ended with %v", err)
	}
	s.wantAlive(3)
}
