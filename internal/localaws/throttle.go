package localaws

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// rate is a token bucket: it holds up to capacity tokens, and refill are added every second.
type rate struct {
	capacity, refill float64
}

// The buckets of EC2: for each account, region and API (EC2 developer guide, request throttling).
var (
	rateLaunch    = rate{5, 2}
	rateTerminate = rate{100, 5}
	rateTags      = rate{100, 10}
	rateMutate    = rate{50, 5}
	rateRead      = rate{100, 20}
	rateReadAll   = rate{50, 10} // neither filtered nor paged
	rateStarts    = rate{1000, 2}
	rateEnds      = rate{1000, 20}
	ec2Rates      = map[string]rate{
		"RunInstances": rateLaunch, "StartInstances": rateLaunch, "TerminateInstances": rateTerminate,
		"CreateTags": rateTags, "DeleteTags": rateTags,
		"ModifyInstanceMetadataOptions": rateTerminate, "AssociateIamInstanceProfile": rateTerminate,
		"DisassociateIamInstanceProfile": rateTerminate, "CreateLaunchTemplateVersion": rateTerminate,
	}
	ec2UnpagedRead = map[string]bool{"DescribeInstances": true, "DescribeInstanceStatus": true, "DescribeSecurityGroups": true,
		"DescribeVolumes": true, "DescribeNetworkInterfaces": true, "DescribeSnapshots": true}
	ec2IDs = []string{"InstanceId", "VolumeId", "GroupId", "GroupName", "NetworkInterfaceId", "SnapshotId"}
	// ec2Resources are spent by the instance, beside the request's own token.
	ec2Resources = map[string]rate{"RunInstances": rateStarts, "StartInstances": rateStarts, "TerminateInstances": rateEnds, "StopInstances": rateEnds}
)

// The buckets of Elastic Load Balancing: for each account, region and API version (ELB user guide, API throttling).
var (
	rateELB         = rate{40, 10} // shared by all actions of the version
	rateELBRead     = rate{40, 10}
	rateELBLarger   = rate{200, 50} // of both: Knobs.LargerELBReads
	rateELBRegister = rate{20, 4}
	rateELBMutate   = rate{20, 3}
	rateELBHeavy    = rate{10, 0.2}
	elbHeavy        = map[string]bool{"CreateLoadBalancer": true, "SetSubnets": true, "AttachLoadBalancerToSubnets": true,
		"DetachLoadBalancerFromSubnets": true, "EnableAvailabilityZonesForLoadBalancer": true, "DisableAvailabilityZonesForLoadBalancer": true}
)

// rateSSM is that of all Get calls together: 40 a second; of Put and Delete together 3 a second (AWS General Reference).
var (
	rateSSM      = rate{40, 40}
	rateSSMWrite = rate{3, 3}
)

// bucketKey names one bucket.
type bucketKey struct {
	realmKey
	name string
}

// bucket is one token bucket. Tokens come at whole seconds of its life.
type bucket struct {
	tokens float64
	since  time.Time // when its last tokens came
}

// throttles are the buckets of all realms. Guarded by Cloud.mu.
type throttles map[bucketKey]*bucket

// take spends tokens if there are enough.
func (t throttles) take(key bucketKey, r rate, n float64, now time.Time) bool {
	b := t[key]
	if b == nil {
		b = &bucket{tokens: r.capacity, since: now}
		t[key] = b
	}
	if seconds := now.Sub(b.since).Truncate(time.Second); seconds > 0 {
		b.tokens = min(r.capacity, b.tokens+seconds.Seconds()*r.refill)
		b.since = b.since.Add(seconds)
	}
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

// requestBucket is the bucket that a call takes its token from.
func (q *call) requestBucket(op *operation) (name string, r rate) {
	switch q.service.iam {
	case "ec2":
		return q.ec2Bucket(op)
	case "elasticloadbalancing":
		return q.elbBucket(op)
	case "ssm":
		if op.mutates {
			return "write", rateSSMWrite
		}
		return "read", rateSSM
	}
	return "", rate{}
}

// ec2Bucket is one for each API, and one more for reads of everything, which is smaller.
func (q *call) ec2Bucket(op *operation) (string, rate) {
	if r, ok := ec2Rates[q.action]; ok {
		return q.action, r
	}
	switch {
	case op.mutates:
		return q.action, rateMutate
	case ec2UnpagedRead[q.action] && !q.has("Filter") && !q.has("MaxResults") && !q.has("NextToken") && !q.filteredByID():
		return q.action + " of everything", rateReadAll
	}
	return q.action, rateRead
}

// filteredByID tells whether a read names what it is about, and whether that counts.
func (q *call) filteredByID() bool {
	return q.realm.c.knobs.IDsAreAFilter && slices.ContainsFunc(ec2IDs, q.has)
}

// elbAccount is the bucket of all calls to one version of the API.
func (c *Cloud) elbAccount() rate {
	if c.knobs.LargerELBReads {
		return rateELBLarger
	}
	return rateELB
}

func (q *call) elbBucket(op *operation) (string, rate) {
	switch {
	case elbHeavy[q.action]:
		return "heavy", rateELBHeavy
	case strings.HasPrefix(q.action, "Register"), strings.HasPrefix(q.action, "Deregister"):
		return "register", rateELBRegister
	case op.mutates:
		return "mutate", rateELBMutate
	}
	if q.realm.c.knobs.LargerELBReads {
		return "read", rateELBLarger
	}
	return "read", rateELBRead
}

// throttle refuses a call whose bucket is empty. Called with c.mu held.
func (c *Cloud) throttle(q *call, op *operation) *apiError {
	if !c.knobs.Throttle {
		return nil
	}
	name, r := q.requestBucket(op)
	if name == "" {
		return nil
	}
	if q.service.iam == "elasticloadbalancing" && !c.throttles.take(q.bucket("account"), c.elbAccount(), 1, q.at) {
		return q.throttled()
	}
	if !c.throttles.take(q.bucket(name), r, 1, q.at) {
		return q.throttled()
	}
	return nil
}

func (q *call) bucket(name string) bucketKey {
	return bucketKey{realmKey{q.realm.account, q.realm.region}, q.service.name + " " + name}
}

// spend takes the resource tokens of a call that starts or ends instances: one for each. Called with c.mu held.
func (c *Cloud) spend(q *call, instances int) *apiError {
	if !c.knobs.Throttle {
		return nil
	}
	r, limited := ec2Resources[q.action]
	if limited && !c.throttles.take(q.bucket(q.action+" resources"), r, float64(instances), q.at) {
		return q.outOfResources()
	}
	return nil
}

// outOfResources is how EC2 says that resource tokens are missing (Knobs.ResourceTextIsShort).
func (q *call) outOfResources() *apiError {
	if q.realm.c.knobs.ResourceTextIsShort {
		return refuseWith(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
	}
	return q.throttled()
}

// throttled is how each service says it: EC2 with HTTP 503 (cdk-github-runners issue 946), ELB with HTTP 400
// (aws-load-balancer-controller issue 1871).
func (q *call) throttled() *apiError {
	switch q.service.protocol {
	case ec2Query:
		return refuseWith(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded. Account %s has been throttled on "+
			"ec2:%s because it exceeded its request rate limit.", q.realm.account, q.action)
	case awsJSON:
		return refuse("ThrottlingException", "Rate exceeded")
	default:
		return refuse("Throttling", "Rate exceeded")
	}
}
