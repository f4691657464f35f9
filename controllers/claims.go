package controllers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// A production pool admits one Release; test pools may be shared. Who may use a pool is decided in this order:
//
//  1. the Release whose servers are registered in it; it is never refused, whatever else is claimed
//  2. the Release whose claim is older in memory
//  3. the one with the lower uid
//
// Claims are written before the first Register, and compared again after they were written: of two Releases that claim a
// pool at the same moment, at least one then sees the other.

// annotationClaims on the newest ControllerRevision holds the Release's claims by pool ID.
const annotationClaims = "slipway.dev/claims"

// poolClaim is one Release's claim to one pool. The names are a contract, as those of memory.
type poolClaim struct {
	Since time.Time       `json:"since"`
	Use   rollout.PoolUse `json:"use"`
	// Ref is the pool as spec.loadBalancers names it; a claim whose pool left the spec is void.
	Ref string `json:"ref"`
	// Void says that its pool left the spec and the claim is kept only because servers that were taken over may be in the pool.
	// Should the spec name the pool again it is claimed anew.
	Void bool `json:"void,omitempty"`
}

// poolRef puts a pool of the spec into the words of the port, and into a text that is equal for equal references: it
// stands for the pool's ID while that is not known.
func poolRef(pool v1alpha1.Pool) (ref cloud.PoolRef, text string) {
	switch {
	case pool.Classic != nil:
		return cloud.PoolRef{ClassicName: pool.Classic.Name}, "classic/" + pool.Classic.Name
	case pool.TargetGroup == nil:
		return cloud.PoolRef{}, pool.Name
	case pool.TargetGroup.ARN != "":
		return cloud.PoolRef{TargetGroupARN: pool.TargetGroup.ARN}, pool.TargetGroup.ARN
	default:
		return cloud.PoolRef{TargetGroupName: pool.TargetGroup.Name}, "targetgroup/" + pool.TargetGroup.Name
	}
}

// poolUse is what the spec uses the pool for that the reference text names; empty when it names it no longer.
func poolUse(spec v1alpha1.ReleaseSpec, text string) rollout.PoolUse {
	for _, pool := range spec.LoadBalancers.Production {
		if _, named := poolRef(pool); named == text {
			return rollout.UseProduction
		}
	}
	for _, pool := range spec.LoadBalancers.Test {
		if _, named := poolRef(pool); named == text {
			return rollout.UseTest
		}
	}
	return ""
}

// readClaims gives the claims that a ControllerRevision keeps. A text that cannot be read claims nothing: the Release
// then claims anew.
func readClaims(stored *appsv1.ControllerRevision) map[string]poolClaim {
	claims := map[string]poolClaim{}
	text := stored.Annotations[annotationClaims]
	if text == "" || json.Unmarshal([]byte(text), &claims) != nil {
		return map[string]poolClaim{}
	}
	return claims
}

// addClaims joins claims to the same pools; the earlier one counts.
func addClaims(all, more map[string]poolClaim) {
	for id, claim := range more {
		if known, ok := all[id]; !ok || claim.Since.Before(known.Since) {
			all[id] = claim
		}
	}
}

// claimsText is the annotation for the claims; empty for none.
func claimsText(claims map[string]poolClaim) (string, error) {
	if len(claims) == 0 {
		return "", nil
	}
	text, err := json.Marshal(claims)
	return string(text), err
}

// stake is what a Release has in a pool.
type stake struct {
	release    string // namespace/name
	uid        string
	use        rollout.PoolUse
	since      time.Time // of the claim; zero: none
	registered bool      // servers of this Release are in the pool
}

// joined is a stake with what another reading says of the same Release. What the first one was used for counts.
func (s stake) joined(t stake) stake {
	if s.uid == "" {
		return t
	}
	if s.since.IsZero() || !t.since.IsZero() && t.since.Before(s.since) {
		s.since = t.since
	}
	s.registered = s.registered || t.registered
	return s
}

// over reports whether s goes before t.
func (s stake) over(t stake) bool {
	switch {
	case s.registered != t.registered:
		return s.registered
	case s.since.IsZero() != t.since.IsZero():
		return t.since.IsZero()
	case !s.since.Equal(t.since):
		return s.since.Before(t.since)
	default:
		return cmp.Less(s.uid, t.uid)
	}
}

// contests reports whether the two cannot be in one pool: one of them has it as a production pool.
func (s stake) contests(t stake) bool {
	return s.use == rollout.UseProduction || t.use == rollout.UseProduction
}

// holder finds the Release that keeps ours out of a pool; nil when ours may use it.
func holder(ours stake, others []stake) *stake {
	if ours.registered {
		return nil
	}
	var first *stake
	for i := range others {
		other := &others[i]
		if ours.contests(*other) && other.over(ours) && (first == nil || other.over(*first)) {
			first = other
		}
	}
	return first
}

// heldProblem says who holds the pool and what to do.
func heldProblem(pool rollout.Pool, reference string, by stake) rollout.Problem {
	why := fmt.Sprintf("it claimed it first, at %s", by.since.UTC().Format(time.RFC3339))
	switch {
	case by.registered && by.since.IsZero():
		return rollout.Problem{Reason: rollout.ReasonPoolHeldByAnother, Message: fmt.Sprintf(
			"pool %s (%s) is held by Release %s: its servers are registered there, though its spec claims the pool no more. They leave it when their "+
				"version is retired: complete the next deploy of %s, or take them out of the pool by hand; then this goes on by itself",
			pool.Name, reference, by.release, by.release)}
	case by.registered:
		why = "its servers are registered there"
	}
	return rollout.Problem{Reason: rollout.ReasonPoolHeldByAnother, Message: fmt.Sprintf(
		"pool %s (%s) is held by Release %s: %s. A production pool admits one Release: take it out of spec.loadBalancers of one of the two",
		pool.Name, reference, by.release, why)}
}

// twiceProblem says which two entries of spec.loadBalancers are one pool.
func twiceProblem(a, b rollout.Pool) rollout.Problem {
	return rollout.Problem{Reason: rollout.ReasonPoolClaimedTwice, Message: fmt.Sprintf(
		"pools %s (%s) and %s (%s) are one and the same in AWS, %s: remove one of them from spec.loadBalancers",
		a.Name, a.Use, b.Name, b.Use, a.ID)}
}
