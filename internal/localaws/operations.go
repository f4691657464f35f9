package localaws

import (
	"maps"
	"slices"
)

// Operations are the names of all operations that are simulated, sorted, by service: ec2, elb, elbv2, ssm, sts, cloudwatch, sqs. Everything else is
// refused as unknown.
func Operations() map[string][]string {
	out := map[string][]string{}
	for _, s := range allServices() {
		out[s.name] = slices.Sorted(maps.Keys(s.operations))
	}
	return out
}
