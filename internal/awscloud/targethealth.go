package awscloud

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/internal/rollout"
)

// targetMembers are the servers of a target group. One that is registered on several ports is as ready as the least
// ready of them, and draining only when all of them are.
func targetMembers(targets []types.TargetHealthDescription) []rollout.Member {
	members := map[string]rollout.Member{}
	for _, target := range targets {
		member, ok := targetMember(target)
		if !ok {
			continue
		}
		if before, seen := members[member.Server]; !seen || readiness(member.State) < readiness(before.State) {
			members[member.Server] = member
		}
	}
	return slices.SortedFunc(maps.Values(members), byServer)
}

// readiness orders states, the one that speaks for a server with several ports first.
func readiness(state rollout.MemberState) int {
	return slices.Index([]rollout.MemberState{rollout.MemberUnhealthy, rollout.MemberUnknown, rollout.MemberRegistering,
		rollout.MemberHealthy, rollout.MemberDraining}, state)
}

// targetMember is the state of one target, false if it is none. Only "healthy" is healthy:
//
//	initial              registering   being registered, or not checked yet
//	healthy              healthy
//	healthy, shifted     unknown       a zonal shift keeps traffic away from its zone, whatever version runs there
//	draining             draining
//	unhealthy(.draining) unhealthy     the latter is still registered: an NLB lets go of it because it is unhealthy
//	unused               unhealthy     no listener, a zone that is off, or the server does not run: it says which
//	unavailable          unknown       Elb.InternalError: the load balancer cannot tell
//	                     unhealthy     Target.HealthCheckDisabled: nobody checks it
func targetMember(target types.TargetHealthDescription) (rollout.Member, bool) {
	if target.Target == nil || target.TargetHealth == nil {
		return rollout.Member{}, false
	}
	health := target.TargetHealth
	if health.Reason == types.TargetHealthReasonEnumNotRegistered {
		return rollout.Member{}, false
	}
	member := rollout.Member{Server: aws.ToString(target.Target.Id), Reason: targetReason(health)}
	switch health.State {
	case types.TargetHealthStateEnumHealthy:
		member.State, member.Reason = rollout.MemberHealthy, ""
		if shift := shiftedAway(target.AdministrativeOverride); shift != "" {
			member.State, member.Reason = rollout.MemberUnknown, shift
		}
	case types.TargetHealthStateEnumInitial:
		member.State = rollout.MemberRegistering
	case types.TargetHealthStateEnumDraining:
		member.State = rollout.MemberDraining
	default:
		member.State = rollout.MemberUnhealthy
		if health.Reason == types.TargetHealthReasonEnumInternalError {
			member.State = rollout.MemberUnknown
		}
	}
	return member, true
}

// targetReason is "Target.Timeout: Request timed out".
func targetReason(health *types.TargetHealth) string {
	reason, words := string(health.Reason), aws.ToString(health.Description)
	switch {
	case reason == "" && words == "":
		return string(health.State)
	case reason == "" || words == "":
		return reason + words
	default:
		return reason + ": " + words
	}
}

// shiftedAway says that a zonal shift keeps traffic from a target although it passes its health checks; empty if none
// does.
func shiftedAway(override *types.AdministrativeOverride) string {
	if override == nil {
		return ""
	}
	switch override.State {
	case types.TargetAdministrativeOverrideStateEnumZonalShiftActive,
		types.TargetAdministrativeOverrideStateEnumZonalShiftDelegatedToDns:
		said := "healthy, but its zone gets no traffic (" + string(override.State)
		if words := aws.ToString(override.Description); words != "" {
			said += ": " + words
		}
		return said + ")"
	default:
		return ""
	}
}

// notInUse reports whether no listener sends anything to the group. Its members know it sooner than Resolve: if there
// are any that stay, all of them say so or it is in use. A single one may say so because its zone is off.
func notInUse(resolved bool, targets []types.TargetHealthDescription) bool {
	staying, unused := 0, 0
	for _, target := range targets {
		if target.TargetHealth == nil || target.TargetHealth.State == types.TargetHealthStateEnumDraining {
			continue
		}
		staying++
		if target.TargetHealth.Reason == types.TargetHealthReasonEnumNotInUse {
			unused++
		}
	}
	if staying == 0 {
		return resolved
	}
	return staying == unused
}
