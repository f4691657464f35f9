package localaws

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

const mismatch = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."

func withToken(token string) func(*ec2.RunInstancesInput) {
	return func(in *ec2.RunInstancesInput) { in.ClientToken = &token }
}

// EC2 developer guide, idempotency: the same token launches once, and answers with the state of now.
func TestTokenIsIdempotent(t *testing.T) {
	s := newSim(t)
	first := s.launch(2, withToken("t"))
	s.clock.Advance(20 * time.Second)
	again, err := s.ec2.RunInstances(s.ctx, s.input(2, withToken("t")))
	if err != nil || *again.Instances[0].InstanceId != first[0] || *again.Instances[1].InstanceId != first[1] || again.Instances[0].State.Name != "running" {
		t.Errorf("again: %+v, %v", again, err)
	}
	if n := len(s.Instances()); n != 2 {
		t.Errorf("%d instances exist, want 2", n)
	}
	if found := s.find("client-token", "t"); len(found) != 2 {
		t.Errorf("the filter client-token finds %d", len(found))
	}
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, withToken("t")))
	wantError(t, err, 400, "IdempotentParameterMismatch", mismatch)
}

// Its scope is the zone if the request names one, and the Region otherwise.
func TestTokenScope(t *testing.T) {
	s := newSim(t)
	inSubnet := func(i int) func(*ec2.RunInstancesInput) {
		return func(in *ec2.RunInstancesInput) { in.SubnetId = &s.site.Subnets[i] }
	}
	anywhere := func(in *ec2.RunInstancesInput) { in.SubnetId = nil }
	a := s.launch(1, withToken("t"), inSubnet(0))
	b := s.launch(1, withToken("t"), inSubnet(1))
	regional := s.launch(1, withToken("t"), anywhere)
	if slices.Equal(a, b) || slices.Equal(a, regional) {
		t.Errorf("one token launched %v, %v and regionally %v: its zones are not told apart", a, b, regional)
	}
	for _, zone := range []string{"us-east-1b", "us-east-1c"} {
		s.launch(1, withToken("z"), func(in *ec2.RunInstancesInput) {
			in.SubnetId, in.Placement = nil, &types.Placement{AvailabilityZone: &zone}
		})
	}
	if found := s.find("client-token", "z"); len(found) != 2 {
		t.Errorf("a token in two zones without a subnet launched %d", len(found))
	}
	if again := s.launch(1, withToken("t"), anywhere); !slices.Equal(again, regional) {
		t.Errorf("the regional token launched %v after %v", again, regional)
	}
	s.wantAlive(5)
}

// A failed attempt binds the token to its parameters too: ubicloud pull request 5898, runs-on issue 251.
func TestTokenOfAFailedLaunch(t *testing.T) {
	s := newSim(t)
	s.SetCapacity("t3.micro", "us-east-1a", 0)
	_, err := s.ec2.RunInstances(s.ctx, s.input(1, withToken("t")))
	wantError(t, err, 500, "InsufficientInstanceCapacity", "")
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, withToken("t"), func(in *ec2.RunInstancesInput) { in.InstanceType = "t3.small" }))
	wantError(t, err, 400, "IdempotentParameterMismatch", mismatch)
	s.SetCapacity("t3.micro", "us-east-1a", -1)
	s.launch(1, withToken("t"))
	s.wantAlive(1)
}

// EC2 error codes, boto3 issue 4406; and the token's life of 24 hours after the end of its instances.
func TestTokenOfATerminatedInstance(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withToken("t"))[0]
	if _, err := s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		t.Fatal(err)
	}
	if again := s.launch(1, withToken("t")); again[0] != id {
		t.Errorf("while the instance shuts down the token launched %v", again)
	}
	s.clock.Advance(time.Minute)
	used := "The client token you have provided is associated with a terminated instance. Please use a different client token."
	_, err := s.ec2.RunInstances(s.ctx, s.input(1, withToken("t")))
	wantError(t, err, 400, "IdempotentInstanceTerminated", used)
	s.clock.Advance(23 * time.Hour) // the instance itself cannot be described any more
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, withToken("t")))
	wantError(t, err, 400, "IdempotentInstanceTerminated", used)
	s.clock.Advance(time.Hour)
	s.launch(1, withToken("t"))
	s.wantAlive(1)
}

func TestTokenSurvivesALostReply(t *testing.T) {
	s := newSim(t)
	s.Inject(Fault{Action: "RunInstances", Count: 1, LoseReply: true})
	if _, err := s.ec2.RunInstances(s.ctx, s.input(1, withToken("t"))); err == nil {
		t.Fatal("the lost reply arrived")
	}
	s.launch(1, withToken("t"))
	if n := len(s.Instances()); n != 1 {
		t.Errorf("%d instances exist, want the one that the lost reply had launched", n)
	}
}

func TestTokenIsNotBoundByADryRun(t *testing.T) {
	s := newSim(t)
	_, err := s.ec2.RunInstances(s.ctx, s.input(2, withToken("t"), func(in *ec2.RunInstancesInput) { in.DryRun = aws.Bool(true) }))
	wantError(t, err, 412, "DryRunOperation", "")
	s.launch(1, withToken("t"))
	s.wantAlive(1)
}

// The seed decides what a launch is like, and not the order in which concurrent calls arrive.
func TestLaunchesDoNotDependOnTheirOrder(t *testing.T) {
	worlds := [2]map[string]InstanceInfo{}
	for i, order := range [][]string{{"a", "b", "c"}, {"c", "a", "b"}} {
		s := newSim(t)
		for _, token := range order {
			s.launch(2, withToken(token))
			s.find("client-token", token)
		}
		s.clock.Advance(9 * time.Second)
		worlds[i] = map[string]InstanceInfo{}
		for _, in := range s.Instances() {
			worlds[i][in.ID] = InstanceInfo{ID: in.ID, State: in.State, ClientToken: in.ClientToken, ReservationID: in.ReservationID}
		}
	}
	if diff := cmp.Diff(worlds[0], worlds[1]); diff != "" {
		t.Errorf("another order makes another world:\n%s", diff)
	}
	other := New(Options{Clock: NewVirtualClock(testStart), Seed: 2})
	if a, b := other.source("x").Uint64(), newSim(t).source("x").Uint64(); a == b {
		t.Error("another seed makes the same world")
	}
}
