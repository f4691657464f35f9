package localaws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func (s *sim) terminate(ids ...string) error {
	_, err := s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
	return err
}

func (s *sim) stopIDs(ids ...string) error {
	_, err := s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: ids})
	return err
}

func (s *sim) startIDs(ids ...string) error {
	_, err := s.ec2.StartInstances(s.ctx, &ec2.StartInstancesInput{InstanceIds: ids})
	return err
}

func (s *sim) protect(id string, on bool) {
	s.t.Helper()
	_, err := s.ec2.ModifyInstanceAttribute(s.ctx, &ec2.ModifyInstanceAttributeInput{InstanceId: &id,
		DisableApiTermination: &types.AttributeBooleanValue{Value: &on}})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *sim) wantStates(want map[string]string) {
	s.t.Helper()
	for id, state := range want {
		if got := s.state(id); got != state {
			s.t.Errorf("%s is %s, want %s", id, got, state)
		}
	}
}

// Termination is idempotent; one bad id and nothing is terminated (SDK documentation of TerminateInstances).
func TestTerminateIsAllOrNothing(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	wantError(t, s.terminate(id, "i-00000000", "i-00000001"), 400, "InvalidInstanceID.NotFound", "The instance IDs 'i-00000000, i-00000001' do not exist")
	wantError(t, s.terminate(id, "web"), 400, "InvalidInstanceID.Malformed", `Invalid id: "web" (expecting "i-...")`)
	s.wantStates(map[string]string{id: "pending"})
	for range 3 {
		if err := s.terminate(id, id); err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(20 * time.Second)
	}
	s.wantStates(map[string]string{id: "terminated"})
	changes := 0
	for _, e := range s.Ledger() {
		if e.Change != nil && e.Change.To == "terminated" {
			changes++
		}
	}
	if changes != 1 {
		t.Errorf("it was terminated %d times", changes)
	}
}

// A protected instance and those beside it in its zone stay; other zones' are terminated although the call fails (SDK
// documentation of TerminateInstances).
func TestTerminationProtectionHoldsPerZone(t *testing.T) {
	s := newSim(t)
	a, b := s.launch(2), s.launch(1, func(in *ec2.RunInstancesInput) { in.SubnetId = &s.site.Subnets[1] })
	s.protect(a[0], true)
	wantError(t, s.terminate(a[0], a[1], b[0]), 400, "OperationNotPermitted", "The instance '"+a[0]+
		"' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.")
	s.wantStates(map[string]string{a[0]: "pending", a[1]: "pending", b[0]: "shutting-down"})
	s.protect(a[0], false)
	if err := s.terminate(a...); err != nil {
		t.Error(err)
	}
	s.wantStates(map[string]string{a[0]: "shutting-down", a[1]: "shutting-down"})
}

func TestProtectionFromTheLaunchAndItsAttributes(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.DisableApiTermination, in.DisableApiStop = aws.Bool(true), aws.Bool(true)
		in.InstanceInitiatedShutdownBehavior, in.UserData = "terminate", userData("hello")
	})[0]
	s.clock.Advance(time.Minute)
	wantError(t, s.terminate(id), 400, "OperationNotPermitted", "")
	wantError(t, s.stopIDs(id), 400, "OperationNotPermitted", "The instance '"+id+"' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.")
	get := func(name types.InstanceAttributeName) *ec2.DescribeInstanceAttributeOutput {
		out, err := s.ec2.DescribeInstanceAttribute(s.ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: name})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if v := get("disableApiTermination").DisableApiTermination; !*v.Value {
		t.Error("disableApiTermination reads false")
	}
	if v := get("instanceInitiatedShutdownBehavior").InstanceInitiatedShutdownBehavior; *v.Value != "terminate" {
		t.Errorf("instanceInitiatedShutdownBehavior reads %s", *v.Value)
	}
	if v := get("userData").UserData; *v.Value != *userData("hello") {
		t.Errorf("userData reads %s", *v.Value)
	}
	_, err := s.ec2.DescribeInstanceAttribute(s.ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: "kernel"})
	wantError(t, err, 400, "InvalidParameterValue", "The attribute kernel is not simulated here for this call.")
	_, err = s.ec2.ModifyInstanceAttribute(s.ctx, &ec2.ModifyInstanceAttributeInput{InstanceId: &id,
		DisableApiTermination: &types.AttributeBooleanValue{Value: aws.Bool(false)}, DisableApiStop: &types.AttributeBooleanValue{Value: aws.Bool(false)}})
	wantError(t, err, 400, "InvalidParameterCombination", "Fields for multiple attribute types specified")
	_, err = s.ec2.ModifyInstanceAttribute(s.ctx, &ec2.ModifyInstanceAttributeInput{InstanceId: &id, Attribute: "disableApiStop", Value: aws.String("false")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stopIDs(id); err != nil {
		t.Error(err)
	}
	s.wantStates(map[string]string{id: "stopping"})
}

func TestStopAndStart(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	wantError(t, s.stopIDs(id), 400, "IncorrectInstanceState", "Instance '"+id+"' cannot be stopped as it has never reached the 'running' state.")
	s.clock.Advance(time.Minute)
	s.wantInstance(id, "running", "v1", 200)
	if err := s.stopIDs(id); err != nil {
		t.Fatal(err)
	}
	s.wantInstance(id, "stopping", "v1", AppRefuses)
	wantError(t, s.startIDs(id), 400, "IncorrectInstanceState", "The instance '"+id+"' is not in a state from which it can be started.")
	s.clock.Advance(20 * time.Second)
	s.wantInstance(id, "stopped", "v1", AppRefuses)
	if err := s.stopIDs(id); err != nil {
		t.Errorf("stopping a stopped instance: %v", err)
	}
	s.SetCapacity("t3.micro", "us-east-1a", 0)
	wantError(t, s.startIDs(id), 500, "InsufficientInstanceCapacity", "")
	s.SetCapacity("t3.micro", "us-east-1a", 1)
	if err := s.startIDs(id); err != nil {
		t.Fatal(err)
	}
	s.wantInstance(id, "pending", "v1", AppRefuses)
	s.clock.Advance(time.Minute)
	s.wantInstance(id, "running", "v1", 200)
	if err := s.startIDs(id); err != nil {
		t.Errorf("starting a running instance: %v", err)
	}
	if err := s.stopIDs(id); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	if err := s.terminate(id); err != nil {
		t.Fatal(err)
	}
	s.wantStates(map[string]string{id: "terminated"}) // nothing runs that would have to shut down
	wantError(t, s.stopIDs(id), 400, "IncorrectInstanceState", "This instance '"+id+"' is not in a state from which it can be stopped.")
}

// An end without a shutdown of the operating system takes no time (SDK documentation of TerminateInstances, SkipOsShutdown).
func TestSkipOsShutdown(t *testing.T) {
	s := newSim(t)
	ids := s.launch(2)
	s.clock.Advance(time.Minute)
	_, err := s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: ids[:1], SkipOsShutdown: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.terminate(ids[1]); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Millisecond)
	s.wantStates(map[string]string{ids[0]: "terminated", ids[1]: "shutting-down"})
}

// EC2 has DryRun everywhere.
func TestEveryOperationOfEC2HasADryRun(t *testing.T) {
	for name, op := range ec2Operations() {
		op.compile()
		if rule, known := op.allowed["DryRun"]; !known || rule.kind != "bool" {
			t.Errorf("%s has none", name)
		}
	}
}
