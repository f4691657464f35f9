//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/localaws"
)

// bucket is how AWS lets calls through: capacity at once, and refill more a second. They are written down here once more, and not taken
// from the local AWS, so that a mistake there does not move the bound as well.
type bucket struct {
	name             string
	capacity, refill float64
}

// The buckets of an account and region that a storm meets: EC2 developer guide, "Request throttling"; Elastic Load Balancing user guide,
// "API throttling", the smaller set, with the bucket that all calls of one version share.
var (
	launchRequests   = bucket{"ec2: RunInstances, calls", 5, 2}
	launchedServers  = bucket{"ec2: RunInstances, servers", 1000, 2}
	endRequests      = bucket{"ec2: TerminateInstances, calls", 100, 5}
	tagRequests      = bucket{"ec2: CreateTags", 100, 10}
	reads            = bucket{"ec2: each Describe", 100, 20}
	classicAccount   = bucket{"elb: all calls", 40, 10}
	classicMembers   = bucket{"elb: Register and Deregister", 20, 4}
	balancersAccount = bucket{"elbv2: all calls", 40, 10}
	balancersMembers = bucket{"elbv2: Register and Deregister", 20, 4}
)

// seconds is the least time in which a bucket lets n through that is full at the beginning: (n - capacity) / refill.
func (b bucket) seconds(n float64) float64 { return max(0, (n-b.capacity)/b.refill) }

// share of the time that a bucket alone dictates.
type share struct {
	Bucket  string  `json:"bucket"`
	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
	Sum     string  `json:"sum"` // the arithmetic
}

// bounds says what each bucket dictates for calls that were made, longest first.
func bounds(entries []localaws.Entry) []share {
	tokens := map[bucket]int{}
	for _, e := range entries {
		if e.Call == nil || throttled(e) {
			continue
		}
		for b, n := range spends(e.Call) {
			tokens[b] += n
		}
	}
	shares := make([]share, 0, len(tokens))
	for b, n := range tokens {
		s := b.seconds(float64(n))
		shares = append(shares, share{b.name, n, s, fmt.Sprintf("(%d - %.0f) / %.0f a second = %.0f s", n, b.capacity, b.refill, s)})
	}
	slices.SortFunc(shares, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), strings.Compare(a.Bucket, b.Bucket))
	})
	return shares
}

// spends is how many tokens a call takes from which buckets.
func spends(call *localaws.CallEntry) map[bucket]int {
	members := strings.HasPrefix(call.Action, "Register") || strings.HasPrefix(call.Action, "Deregister")
	switch {
	case call.Action == "RunInstances":
		return map[bucket]int{launchRequests: 1, launchedServers: number(call.Params.Get("MaxCount"))}
	case call.Action == "TerminateInstances":
		return map[bucket]int{endRequests: 1}
	case call.Action == "CreateTags":
		return map[bucket]int{tagRequests: 1}
	case call.Service == "ec2":
		return map[bucket]int{{"ec2: " + call.Action, reads.capacity, reads.refill}: 1}
	case call.Service == "elb" && members:
		return map[bucket]int{classicAccount: 1, classicMembers: 1}
	case call.Service == "elb":
		return map[bucket]int{classicAccount: 1}
	case call.Service == "elbv2" && members:
		return map[bucket]int{balancersAccount: 1, balancersMembers: 1}
	case call.Service == "elbv2":
		return map[bucket]int{balancersAccount: 1}
	}
	return nil
}

// throttled: AWS refused a call because a bucket was empty.
func throttled(e localaws.Entry) bool {
	return e.Call != nil && (e.Call.Code == "Throttling" || e.Call.Code == "RequestLimitExceeded")
}
