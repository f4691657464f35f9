package localaws

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// ec2Table and elbTable are AWS's tables of request buckets: capacity, and tokens a second. What is not named falls under the rows
// of all changes and of all reads (EC2 developer guide, request throttling; ELB user guide, API throttling). Left out are
// DescribeNetworkInterfaces and A8.15 of docs/local-aws.md, which are no operations here.
var (
	ec2Table = map[string]rate{
		"RunInstances": {5, 2}, "StartInstances": {5, 2}, "TerminateInstances": {100, 5}, "StopInstances": {50, 5},
		"CreateTags": {100, 10}, "DeleteTags": {100, 10}, "CreateLaunchTemplateVersion": {100, 5},
		// Neither filtered nor paged, as the calls of this test are.
		"DescribeInstances": {50, 10}, "DescribeInstanceStatus": {50, 10}, "DescribeVolumes": {50, 10},
		"DescribeSecurityGroups": {50, 10},
	}
	elbTable = map[string]rate{
		"RegisterTargets": {20, 4}, "DeregisterTargets": {20, 4},
		"RegisterInstancesWithLoadBalancer": {20, 4}, "DeregisterInstancesFromLoadBalancer": {20, 4},
		"CreateLoadBalancer": {10, 0.2}, "SetSubnets": {10, 0.2},
		"AttachLoadBalancerToSubnets": {10, 0.2}, "DetachLoadBalancerFromSubnets": {10, 0.2},
		"EnableAvailabilityZonesForLoadBalancer": {10, 0.2}, "DisableAvailabilityZonesForLoadBalancer": {10, 0.2},
	}
)

// tableOf is the bucket that AWS documents for an operation; zero where no page names one.
func tableOf(service, action string) rate {
	reads := strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List")
	table, change, read := map[string]rate(nil), rate{}, rate{}
	switch service {
	case "ec2":
		table, change, read = ec2Table, rate{50, 5}, rate{100, 20}
	case "elb", "elbv2":
		table, change, read = elbTable, rate{20, 3}, rate{40, 10}
	case "ssm":
		change, read = rate{3, 3}, rate{40, 40}
	}
	if r, named := table[action]; named {
		return r
	}
	if reads {
		return read
	}
	return change
}

// Each operation that is known here has the bucket of AWS's tables.
func TestEveryOperationHasTheBucketOfAWSsTables(t *testing.T) {
	left := map[string]bool{}
	for _, table := range []map[string]rate{ec2Table, elbTable} {
		for action := range table {
			left[action] = true
		}
	}
	for service, actions := range Operations() {
		for _, action := range actions {
			delete(left, action)
			want := tableOf(service, action)
			if want.capacity == 0 {
				continue
			}
			c := newSim(t, throttled)
			passes := func() float64 {
				for n := range 1000 {
					if saysThrottled(t, c.Cloud, service, action) {
						return float64(n)
					}
				}
				return 1000
			}
			if n := passes(); n != want.capacity {
				t.Errorf("%s %s: %g calls at once, want %g", service, action, n, want.capacity)
			}
			wait := time.Second
			if want.refill < 1 {
				wait = 10 * time.Second
			}
			c.clock.Advance(wait)
			if n := passes(); n != want.refill*wait.Seconds() {
				t.Errorf("%s %s: %g calls after %s, want %g a second", service, action, n, wait, want.refill)
			}
		}
	}
	for action := range left {
		t.Errorf("%s of the tables is no operation here", action)
	}
}

// saysThrottled makes a call without parameters, which is counted before it is looked at.
func saysThrottled(t *testing.T, c *Cloud, service, action string) bool {
	t.Helper()
	var r *http.Request
	for _, s := range allServices() {
		if s.name != service {
			continue
		}
		if r = form("Action", action, "Version", s.version); s.protocol == awsJSON {
			r = jsonCall(s.version+"."+action, "{}")
		}
	}
	_, _, body := send(t, c, r)
	return strings.Contains(body, "RequestLimitExceeded") || strings.Contains(body, "Throttling")
}
