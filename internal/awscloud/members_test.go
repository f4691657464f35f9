package awscloud

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	classictypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func TestClassicMember(t *testing.T) {
	tests := map[string]struct {
		state, reason, says string
		want                rollout.Member // zero: no member
	}{
		"in service": {
			state: "InService", reason: "N/A", says: "N/A",
			want: rollout.Member{Server: "i-1", State: rollout.MemberHealthy},
		},
		"draining reads in service": {
			state: "InService", reason: "N/A", says: "Instance deregistration currently in progress.",
			want: rollout.Member{Server: "i-1", State: rollout.MemberDraining, Reason: "Instance deregistration currently in progress"},
		},
		"drained": {
			state: "OutOfService", reason: "Instance", says: "Instance is not currently registered with the LoadBalancer.",
		},
		"registering": {
			state: "OutOfService", reason: "ELB", says: "Instance registration is still in progress.",
			want: rollout.Member{Server: "i-1", State: rollout.MemberRegistering, Reason: "Instance registration is still in progress"},
		},
		"booting": {
			state: "OutOfService", reason: "Instance", says: "Instance is in pending state.",
			want: rollout.Member{Server: "i-1", State: rollout.MemberRegistering, Reason: "Instance is in pending state"},
		},
		"sick": {
			state: "OutOfService", reason: "Instance",
			says: "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
			want: rollout.Member{Server: "i-1", State: rollout.MemberUnhealthy,
				Reason: "OutOfService: Instance has failed at least the UnhealthyThreshold number of health checks consecutively"},
		},
		"in service, but its zone is being switched off": {
			state: "InService", reason: "N/A", says: "Disable Availability Zone is currently in progress.",
			want: rollout.Member{Server: "i-1", State: rollout.MemberUnhealthy,
				Reason: "InService: Disable Availability Zone is currently in progress"},
		},
		"two things at once": {
			state: "InService", reason: "N/A",
			says: "Instance deregistration currently in progress. Disable Availability Zone is currently in progress.",
			want: rollout.Member{Server: "i-1", State: rollout.MemberDraining,
				Reason: "Instance deregistration currently in progress. Disable Availability Zone is currently in progress"},
		},
		"unknown": {
			state: "Unknown", reason: "ELB", says: "A transient error occurred. Please try again later.",
			want: rollout.Member{Server: "i-1", State: rollout.MemberUnknown, Reason: "A transient error occurred. Please try again later"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := classicMember(classictypes.InstanceState{InstanceId: aws.String("i-1"), State: &test.state,
				ReasonCode: &test.reason, Description: &test.says})
			if diff := cmp.Diff(test.want, got); diff != "" || ok != (test.want.Server != "") {
				t.Errorf("member %t (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// Two readings that contradict each other, of who is registered and of how they are, take nobody for healthy.
func TestClassicMembersOnWhichReadingsDisagree(t *testing.T) {
	got := classicMembers(map[string]bool{"i-2": true}, []classictypes.InstanceState{
		{InstanceId: aws.String("i-1"), State: aws.String("InService"), Description: aws.String("N/A")},
		{InstanceId: aws.String("i-3"), State: aws.String("Unknown"), Description: aws.String("A transient error occurred.")},
	})
	want := []rollout.Member{
		{Server: "i-1", State: rollout.MemberDraining, Reason: saysItLeft},
		{Server: "i-2", State: rollout.MemberUnhealthy, Reason: saysNothingOfHealth},
		{Server: "i-3", State: rollout.MemberDraining, Reason: saysItLeft},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// target is what DescribeTargetHealth says of one target.
func target(server string, port int32, state types.TargetHealthStateEnum, reason types.TargetHealthReasonEnum, says string) types.TargetHealthDescription {
	health := &types.TargetHealth{State: state, Reason: reason}
	if says != "" {
		health.Description = aws.String(says)
	}
	return types.TargetHealthDescription{Target: &types.TargetDescription{Id: &server, Port: &port}, TargetHealth: health}
}

func TestTargetMember(t *testing.T) {
	shifted := func(state types.TargetAdministrativeOverrideStateEnum, says *string) types.TargetHealthDescription {
		healthy := target("i-1", 80, types.TargetHealthStateEnumHealthy, "", "")
		healthy.AdministrativeOverride = &types.AdministrativeOverride{State: state, Description: says}
		return healthy
	}
	tests := map[string]struct {
		target types.TargetHealthDescription
		want   rollout.Member // zero: no member
	}{
		"healthy": {
			target: target("i-1", 80, types.TargetHealthStateEnumHealthy, "", ""),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberHealthy},
		},
		"healthy, no zonal shift": {
			target: shifted(types.TargetAdministrativeOverrideStateEnumNoOverride, nil),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberHealthy},
		},
		"healthy, but traffic is shifted away": {
			target: shifted(types.TargetAdministrativeOverrideStateEnumZonalShiftActive, aws.String("No override is currently active on target")),
			want: rollout.Member{Server: "i-1", State: rollout.MemberUnknown,
				Reason: "healthy, but its zone gets no traffic (zonal_shift_active: No override is currently active on target)"},
		},
		"healthy, but DNS shifts traffic away": {
			target: shifted(types.TargetAdministrativeOverrideStateEnumZonalShiftDelegatedToDns, nil),
			want: rollout.Member{Server: "i-1", State: rollout.MemberUnknown,
				Reason: "healthy, but its zone gets no traffic (zonal_shift_delegated_to_dns)"},
		},
		"registering": {
			target: target("i-1", 80, types.TargetHealthStateEnumInitial, types.TargetHealthReasonEnumRegistrationInProgress,
				"Target registration is in progress"),
			want: rollout.Member{Server: "i-1", State: rollout.MemberRegistering,
				Reason: "Elb.RegistrationInProgress: Target registration is in progress"},
		},
		"sick": {
			target: target("i-1", 80, types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumTimeout, "Request timed out"),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberUnhealthy, Reason: "Target.Timeout: Request timed out"},
		},
		"sick, and let go for it, but registered": {
			target: target("i-1", 80, types.TargetHealthStateEnumUnhealthyDraining, types.TargetHealthReasonEnumFailedHealthChecks, "Health checks failed"),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberUnhealthy, Reason: "Target.FailedHealthChecks: Health checks failed"},
		},
		"draining": {
			target: target("i-1", 80, types.TargetHealthStateEnumDraining, types.TargetHealthReasonEnumDeregistrationInProgress,
				"Target deregistration is in progress"),
			want: rollout.Member{Server: "i-1", State: rollout.MemberDraining,
				Reason: "Target.DeregistrationInProgress: Target deregistration is in progress"},
		},
		"stopped": {
			target: target("i-1", 80, types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumInvalidState, "Target is in the stopped state"),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberUnhealthy, Reason: "Target.InvalidState: Target is in the stopped state"},
		},
		"unavailable": {
			target: target("i-1", 80, types.TargetHealthStateEnumUnavailable, types.TargetHealthReasonEnumInternalError, ""),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberUnknown, Reason: "Elb.InternalError"},
		},
		"unavailable, because nobody checks it": {
			target: target("i-1", 80, types.TargetHealthStateEnumUnavailable, types.TargetHealthReasonEnumHealthCheckDisabled, "Health checks are off"),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberUnhealthy, Reason: "Target.HealthCheckDisabled: Health checks are off"},
		},
		"a state of next year": {
			target: target("i-1", 80, "pondering", "", ""),
			want:   rollout.Member{Server: "i-1", State: rollout.MemberUnhealthy, Reason: "pondering"},
		},
		"not registered": {
			target: target("i-1", 80, types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumNotRegistered,
				"Target is not registered to the target group"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := targetMember(test.target)
			if diff := cmp.Diff(test.want, got); diff != "" || ok != (test.want.Server != "") {
				t.Errorf("member %t (-want +got):\n%s", ok, diff)
			}
		})
	}
}

func TestServerOnSeveralPorts(t *testing.T) {
	const healthy, draining, initial, unhealthy = types.TargetHealthStateEnumHealthy, types.TargetHealthStateEnumDraining,
		types.TargetHealthStateEnumInitial, types.TargetHealthStateEnumUnhealthy
	tests := map[string]struct {
		first, second types.TargetHealthStateEnum
		want          rollout.MemberState
	}{
		"one of them sick":     {healthy, unhealthy, rollout.MemberUnhealthy},
		"one of them new":      {initial, healthy, rollout.MemberRegistering},
		"one of them draining": {draining, healthy, rollout.MemberHealthy},
		"all draining":         {draining, draining, rollout.MemberDraining},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][]types.TargetHealthStateEnum{{test.first, test.second}, {test.second, test.first}} {
				got := targetMembers([]types.TargetHealthDescription{
					target("i-1", 80, order[0], "", ""), target("i-1", 81, order[1], "", ""), target("i-0", 80, healthy, "", ""),
				})
				if len(got) != 2 || got[0].Server != "i-0" || got[1].Server != "i-1" || got[1].State != test.want {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}

func TestNotInUse(t *testing.T) {
	unused := target("i-1", 80, types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumNotInUse, "")
	healthy := target("i-2", 80, types.TargetHealthStateEnumHealthy, "", "")
	draining := target("i-3", 80, types.TargetHealthStateEnumDraining, types.TargetHealthReasonEnumDeregistrationInProgress, "")
	tests := map[string]struct {
		resolved bool
		targets  []types.TargetHealthDescription
		want     bool
	}{
		"no members, unused when resolved":      {true, nil, true},
		"no members, in use when resolved":      {false, nil, false},
		"all members say so":                    {false, []types.TargetHealthDescription{unused, draining}, true},
		"attached since":                        {true, []types.TargetHealthDescription{healthy}, false},
		"only one says so, its zone is off":     {false, []types.TargetHealthDescription{unused, healthy}, false},
		"only draining ones, which say nothing": {true, []types.TargetHealthDescription{draining}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := notInUse(test.resolved, test.targets); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestInParts(t *testing.T) {
	bad := &classictypes.InvalidEndPointException{Message: aws.String("Could not find EC2 instance i-5.")}
	var done [][]string
	err := inParts([]string{"i-1", "i-2", "i-3", "i-4", "i-5", "i-6", "i-7", "i-8"}, putIn, func(some []string) error {
		if slices.Contains(some, "i-5") {
			return bad
		}
		done = append(done, some)
		return nil
	})
	if !unfit.has(codeOf(err)) {
		t.Errorf("got %v", err)
	}
	want := [][]string{{"i-1", "i-2", "i-3", "i-4"}, {"i-7", "i-8"}, {"i-6"}}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

// Where all are refused a batch costs few calls; one bad of many is found, and to take out goes on to the last.
func TestInPartsEnds(t *testing.T) {
	servers := make([]string, 64)
	for i := range servers {
		servers[i] = fmt.Sprint("i-", i)
	}
	eighth := func(s string) bool {
		return slices.Contains([]string{"i-0", "i-8", "i-16", "i-24", "i-32", "i-40", "i-48", "i-56"}, s)
	}
	for name, test := range map[string]struct {
		most        int
		bad         func(string) bool
		calls, done int
	}{
		"all refused":         {putIn, func(string) bool { return true }, 16, 0},
		"one bad":             {putIn, func(s string) bool { return s == "i-37" }, 13, 63},
		"all refused to go":   {takeOut, func(string) bool { return true }, 127, 0},
		"two bad, far apart":  {putIn, func(s string) bool { return s == "i-3" || s == "i-60" }, 16, 58},
		"none refused":        {putIn, func(string) bool { return false }, 1, 64},
		"every eighth":        {putInOf(t.Context()), eighth, 16, 0},
		"and on the way back": {putInOf(cloud.WithLane(t.Context(), cloud.LaneRollback)), eighth, 63, 56},
	} {
		t.Run(name, func(t *testing.T) {
			calls, done := 0, 0
			err := inParts(servers, test.most, func(some []string) error {
				calls++
				if slices.ContainsFunc(some, test.bad) {
					return &classictypes.InvalidEndPointException{Message: aws.String("They are in another VPC.")}
				}
				done += len(some)
				return nil
			})
			if calls != test.calls || done != test.done || unfit.has(codeOf(err)) != (done < len(servers)) {
				t.Errorf("%d calls, %d done, %v", calls, done, err)
			}
		})
	}
}
