package localaws

import "time"

type image struct {
	*tagged
	name, owner, arch, state string
	public                   bool
	created                  time.Time
	app                      string
}

type vpc struct {
	*tagged
	cidr      string
	isDefault bool
}

type subnet struct {
	*tagged
	vpcID, az, cidr string
	free            int
	isDefault       bool
}

type securityGroup struct {
	*tagged
	name, vpcID string
}

type keyPair struct {
	*tagged
	name string
}

type instanceProfile struct{ name, arn, id string }

type reservation struct {
	id, requester string
}

type metadataOptions struct{}

type launchToken struct{}

type capacityKey struct{ instanceType, az string }

type quotas struct{}

type parameter struct{}

// Role is an IAM role that AssumeRole may be called for.
type Role struct{ ARN, ExternalID string }

func ec2Operations() map[string]operation { return map[string]operation{} }
func stsOperations() map[string]operation { return map[string]operation{} }
func ssmOperations() map[string]operation { return map[string]operation{} }
