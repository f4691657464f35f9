package localaws

import "maps"

// ec2Operations is the table of what EC2 can do here.
func ec2Operations() map[string]operation {
	all := map[string]operation{
		"RunInstances":              runInstances,
		"TerminateInstances":        terminateInstances,
		"StopInstances":             stopInstances,
		"StartInstances":            startInstances,
		"DescribeInstances":         describeInstances,
		"DescribeInstanceStatus":    describeInstanceStatus,
		"DescribeInstanceAttribute": describeInstanceAttribute,
		"ModifyInstanceAttribute":   modifyInstanceAttribute,
		"CreateTags":                createTags,
		"DeleteTags":                deleteTags,
		"DescribeTags":              describeTags,
		"DescribeImages":            describeImages,
		"CreateImage":               createImage,
		"DeregisterImage":           deregisterImage,
		"DescribeVolumes":           describeVolumes,
		"DescribeSubnets":           describeSubnets,
		"DescribeVpcs":              describeVpcs,
		"DescribeSecurityGroups":    describeSecurityGroups,
		"DescribeKeyPairs":          describeKeyPairs,
		"DescribeAvailabilityZones": describeAvailabilityZones,
		"DescribeInstanceTypes":     describeInstanceTypes,

		"DescribeInstanceTypeOfferings": describeInstanceTypeOfferings,
	}
	maps.Copy(all, launchTemplateOperations())
	maps.Copy(all, fleetOperations())
	return all
}
