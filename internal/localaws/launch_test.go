package localaws

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"
)

// everything is a launch that sets what can be set.
func (s *sim) everything(in *ec2.RunInstancesInput) {
	in.KeyName, in.SecurityGroupIds = &s.site.KeyPair, []string{s.site.SecurityGroup}
	in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: &s.site.Profile}
	in.UserData = userData("#!/bin/sh\n#localaws boot=10s configure=3s\necho hello\n")
	in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: "optional", HttpPutResponseHopLimit: aws.Int32(2)}
	for kind, tags := range map[types.ResourceType]map[string]string{"instance": {"Name": "web"}, "volume": {"of": "web"}, "network-interface": {"of": "web"}} {
		in.TagSpecifications = append(in.TagSpecifications, types.TagSpecification{ResourceType: kind, Tags: sdkTags(tags)})
	}
}

// summary is what an answer says of an instance.
func summary(in types.Instance) map[string]string {
	m := map[string]string{"state": string(in.State.Name), "code": fmt.Sprint(*in.State.Code), "zone": *in.Placement.AvailabilityZone,
		"subnet": aws.ToString(in.SubnetId), "vpc": aws.ToString(in.VpcId), "address": aws.ToString(in.PrivateIpAddress), "key": *in.KeyName,
		"launched": in.LaunchTime.Format(time.RFC3339), "image": *in.ImageId, "type": string(in.InstanceType), "why": aws.ToString(in.StateTransitionReason),
		"metadata": fmt.Sprint(in.MetadataOptions.HttpTokens, *in.MetadataOptions.HttpPutResponseHopLimit), "profile": *in.IamInstanceProfile.Arn,
		"volumes": fmt.Sprint(len(in.BlockDeviceMappings)), "interfaces": fmt.Sprint(len(in.NetworkInterfaces))}
	for _, g := range in.SecurityGroups {
		m["group "+*g.GroupId] = *g.GroupName
	}
	for _, t := range in.Tags {
		m["tag "+*t.Key] = *t.Value
	}
	if in.StateReason != nil {
		m["reason"] = *in.StateReason.Code
	}
	return m
}

func TestAServersLife(t *testing.T) {
	s := newSim(t)
	out, err := s.ec2.RunInstances(s.ctx, s.input(2, s.everything))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"state": "pending", "code": "0", "reason": "pending", "why": "", "zone": "us-east-1a", "subnet": s.site.Subnets[0],
		"vpc": s.site.VPC, "address": "172.16.0.4", "key": "ops", "launched": "2026-11-22T09:00:00Z", "image": s.site.V1, "type": "t3.micro",
		"metadata": "optional2", "profile": "arn:aws:iam::123456789012:instance-profile/web", "volumes": "1", "interfaces": "1",
		"group " + s.site.SecurityGroup: "web", "tag Name": "web"}
	if diff := cmp.Diff(want, summary(out.Instances[0])); diff != "" || *out.OwnerId != "123456789012" {
		t.Errorf("launched (-want +got):\n%s", diff)
	}
	id := *out.Instances[0].InstanceId
	s.clock.Advance(10*time.Second - 1)
	s.wantInstance(id, "pending", "v1", AppRefuses)
	s.clock.Advance(1)
	s.wantInstance(id, "running", "v1", AppRefuses)
	s.clock.Advance(10 * time.Second)
	s.wantInstance(id, "running", "v1", 200)
	s.wantTags("volume", 2)
	s.wantTags("network-interface", 2)

	ended, err := s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	if err != nil || ended.TerminatingInstances[0].CurrentState.Name != "shutting-down" || ended.TerminatingInstances[0].PreviousState.Name != "running" {
		t.Fatalf("terminate: %+v, %v", ended, err)
	}
	s.wantInstance(id, "shutting-down", "v1", AppRefuses)
	s.clock.Advance(30 * time.Second)
	gone, err := s.describe(id)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(want, map[string]string{"state": "terminated", "code": "48", "reason": "Client.UserInitiatedShutdown",
		"why": "User initiated (2026-11-22 09:00:20 GMT)", "subnet": "", "vpc": "", "address": "", "volumes": "0", "interfaces": "0"})
	delete(want, "group "+s.site.SecurityGroup)
	if diff := cmp.Diff(want, summary(gone[0])); diff != "" {
		t.Errorf("terminated (-want +got):\n%s", diff)
	}
	s.wantTags("volume", 1)

	s.clock.Advance(time.Hour)
	_, err = s.describe(id)
	wantError(t, err, 400, "InvalidInstanceID.NotFound", "The instance ID '"+id+"' does not exist")
}

// Boot times as measured: 4.9 s (daemonology.net, 2021) to 16.6 s (brevdev/ec2-coldboot-research).
func TestBootTimes(t *testing.T) {
	s := newSim(t)
	s.launch(50)
	s.clock.Advance(5*time.Second - 1)
	if n := len(s.find("instance-state-name", "running")); n != 0 {
		t.Errorf("%d run sooner than any server has been seen to", n)
	}
	s.clock.Advance(6 * time.Second)
	if n := len(s.find("instance-state-name", "running")); n == 0 || n == 50 {
		t.Errorf("%d of 50 run in the middle of the range: they do not spread over it", n)
	}
	s.clock.Advance(6*time.Second + 1)
	if n := len(s.find("instance-state-name", "running")); n != 50 {
		t.Errorf("%d of 50 run after the longest time", n)
	}
}

func (s *sim) wantInstance(id, state, version string, answer int) {
	s.t.Helper()
	if in, _ := s.Instance(id); in.State != state || in.Version != version || in.AppStatus != answer {
		s.t.Errorf("%s is %s, version %q, answers %d; want %s, %q, %d", id, in.State, in.Version, in.AppStatus, state, version, answer)
	}
}

func (s *sim) wantTags(kind string, n int) {
	s.t.Helper()
	out, err := s.ec2.DescribeTags(s.ctx, &ec2.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("resource-type"), Values: []string{kind}}}})
	if err != nil || len(out.Tags) != n {
		s.t.Errorf("%d tags on a %s, %v; want %d", len(out.Tags), kind, err, n)
	}
}

type input = ec2.RunInstancesInput

// withTag is a launch with a tag of that key.
func withTag(key string) func(*sim, *input) {
	return func(_ *sim, in *input) {
		in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: &key, Value: aws.String("")}}}}
	}
}

// Each refusal of RunInstances with AWS's code and text. Nothing may be launched.
var refusedLaunches = map[string]struct {
	prepare       func(*sim)
	change        func(*sim, *input)
	code, message string
}{
	"no image":            {nil, func(_ *sim, in *input) { in.ImageId = nil }, "MissingParameter", "The request must contain the parameter ImageId"},
	"malformed image":     {nil, func(_ *sim, in *input) { in.ImageId = aws.String("web") }, "InvalidAMIID.Malformed", `Invalid id: "web" (expecting "ami-...")`},
	"unknown image":       {nil, func(_ *sim, in *input) { in.ImageId = aws.String("ami-00000000") }, "InvalidAMIID.NotFound", "The image id '[ami-00000000]' does not exist"},
	"deregistered image":  {func(s *sim) { _ = s.SetImageState(s.site.V1, "deregistered") }, nil, "InvalidAMIID.Unavailable", "The image ID 'ami-0a11ce00000000001' is no longer available"},
	"image of other kind": {nil, func(s *sim, in *input) { in.ImageId = &s.site.V1ARM }, "InvalidParameterValue", "The architecture 'x86_64' of the specified instance type does not match the architecture 'arm64' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI."},
	"unknown type":        {nil, func(_ *sim, in *input) { in.InstanceType = "t9.huge" }, "InvalidParameterValue", "Invalid value 't9.huge' for InstanceType."},
	"type not in zone":    {func(s *sim) { s.SetOffered("t3.micro", "us-east-1a", false) }, nil, "Unsupported", "Your requested instance type (t3.micro) is not supported in your requested Availability Zone (us-east-1a). Please retry your request by not specifying an Availability Zone or choosing us-east-1b, us-east-1c."},
	"unknown subnet":      {nil, func(_ *sim, in *input) { in.SubnetId = aws.String("subnet-1") }, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-1' does not exist"},
	"unknown zone": {nil, func(_ *sim, in *input) {
		in.SubnetId, in.Placement = nil, &types.Placement{AvailabilityZone: aws.String("us-east-1z")}
	}, "InvalidParameterValue", "Invalid availability zone: [us-east-1z]"},
	"unknown group":      {nil, func(_ *sim, in *input) { in.SecurityGroupIds = []string{"sg-00000000"} }, "InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist"},
	"malformed group":    {nil, func(_ *sim, in *input) { in.SecurityGroupIds = []string{"web"} }, "InvalidGroupId.Malformed", `Invalid id: "web" (expecting "sg-...")`},
	"group of other vpc": {func(s *sim) { s.SeedSecurityGroup("sg-00000009", "other", "vpc-2") }, func(_ *sim, in *input) { in.SecurityGroupIds = []string{"sg-00000009"} }, "InvalidParameter", "Security group sg-00000009 and subnet subnet-0a11ce000000000a1 belong to different networks."},
	"group by name":      {nil, func(_ *sim, in *input) { in.SecurityGroups = []string{"web"} }, "InvalidParameterCombination", "The parameter groupName cannot be used with the parameter subnet"},
	"unknown key pair":   {nil, func(_ *sim, in *input) { in.KeyName = aws.String("none") }, "InvalidKeyPair.NotFound", "The key pair 'none' does not exist"},
	"unknown profile": {nil, func(_ *sim, in *input) {
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("none")}
	}, "InvalidParameterValue", "Value (none) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"},
	"unknown profile arn": {nil, func(_ *sim, in *input) {
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Arn: aws.String("none")}
	}, "InvalidParameterValue", "Value (none) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"},
	"user data not base64": {nil, func(_ *sim, in *input) { in.UserData = aws.String("#!/bin/sh") }, "InvalidParameterValue", "Invalid BASE64 encoding of user data"},
	"user data too long":   {nil, func(_ *sim, in *input) { in.UserData = userData(strings.Repeat("x", 16<<10+1)) }, "InvalidParameterValue", "User data is limited to 16384 bytes"},
	"unknown setting":      {nil, func(_ *sim, in *input) { in.UserData = userData("#localaws bot=1s") }, "InvalidParameterValue", "User data: #localaws bot=1s: there is no such setting"},
	"no servers":           {nil, func(_ *sim, in *input) { in.MinCount, in.MaxCount = aws.Int32(0), aws.Int32(0) }, "InvalidParameterValue", "Maximum instance count must be greater than zero"},
	"too many servers":     {nil, func(_ *sim, in *input) { in.MaxCount = aws.Int32(1001) }, "ResourceCountExceeded", "The request asks for 1001 instances; at most 1000 can be launched in one request"},
	"min above max":        {nil, func(_ *sim, in *input) { in.MinCount = aws.Int32(2) }, "InvalidParameterValue", "Minimum instance count must not be greater than maximum instance count"},
	"reserved tag":         {nil, withTag("aws:x"), "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"},
	"long tag":             {nil, withTag(strings.Repeat("k", 129)), "InvalidParameterValue", "Tag key exceeds the maximum length of 128 characters"},
	"tags of a spot request": {nil, func(_ *sim, in *input) {
		in.TagSpecifications = []types.TagSpecification{{ResourceType: "spot-instances-request", Tags: sdkTags(map[string]string{"a": "b"})}}
	}, "InvalidParameterValue", "Tags of the resource type 'spot-instances-request' are not simulated here"},
	"bad metadata option": {nil, func(_ *sim, in *input) {
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: "maybe"}
	}, "InvalidParameterValue", "Value (maybe) for parameter MetadataOptions.HttpTokens is invalid. Valid values: optional, required."},
	"too many hops": {nil, func(_ *sim, in *input) {
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpPutResponseHopLimit: aws.Int32(65)}
	}, "InvalidParameterValue", "Value (65) for parameter HttpPutResponseHopLimit is invalid. Valid values: 1-64."},
	"tokens without endpoint": {nil, func(_ *sim, in *input) {
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: "required", HttpEndpoint: "disabled"}
	}, "InvalidParameterCombination", "HttpTokens can only be set when HttpEndpoint is enabled."},
	"full subnet":          {func(s *sim) { _ = s.SetFreeAddresses(s.site.Subnets[0], 0) }, nil, "InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet 'subnet-0a11ce000000000a1' to satisfy the requested number of instances."},
	"instance quota":       {func(s *sim) { s.SetInstanceQuota(0) }, nil, "InstanceLimitExceeded", "You have requested more instances (1) than your current instance limit of 0 allows for the specified instance type. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."},
	"vcpu quota":           {func(s *sim) { s.SetVCPUQuota(1) }, nil, "VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of 1 allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."},
	"unknown parameter":    {nil, func(_ *sim, in *input) { in.RamdiskId = aws.String("ari-1") }, "UnknownParameter", "The parameter RamdiskId is not recognized"},
	"token too long":       {nil, func(_ *sim, in *input) { in.ClientToken = aws.String(strings.Repeat("x", 65)) }, "InvalidParameterValue", "Length of parameter clientToken is greater than 64"},
	"unresolved parameter": {nil, func(_ *sim, in *input) { in.ImageId = aws.String("resolve:ssm:/none") }, "InvalidParameterValue", "Unable to resolve the image id from the Systems Manager parameter /none: Parameter /none not found."},
	"no default vpc":       {func(s *sim) { s.removeDefaults() }, func(_ *sim, in *input) { in.SubnetId = nil }, "VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC."},
	"zone beside subnet":   {nil, func(_ *sim, in *input) { in.Placement = &types.Placement{AvailabilityZone: aws.String("us-east-1b")} }, "InvalidParameterCombination", "The subnet 'subnet-0a11ce000000000a1' is in the Availability Zone us-east-1a and not in us-east-1b"},
	"unknown tenancy": {nil, func(_ *sim, in *input) { in.Placement = &types.Placement{Tenancy: "bogus"} }, "InvalidParameterValue",
		"Value (bogus) for parameter tenancy is invalid. Valid values: default, dedicated, host."},
	"bad shutdown behavior": {nil, func(_ *sim, in *input) { in.InstanceInitiatedShutdownBehavior = "sleep" }, "InvalidParameterValue", "Value (sleep) for parameter instanceInitiatedShutdownBehavior is invalid."},
}

func TestLaunchesThatAreRefused(t *testing.T) {
	for name, tc := range refusedLaunches {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			if tc.prepare != nil {
				tc.prepare(s)
			}
			_, err := s.ec2.RunInstances(s.ctx, s.input(1, func(in *input) {
				if tc.change != nil {
					tc.change(s, in)
				}
			}))
			wantError(t, err, 400, tc.code, tc.message)
			if n := len(s.Instances()); n != 0 {
				t.Errorf("%d instances were launched by a refused call", n)
			}
		})
	}
}

func (s *sim) removeDefaults() {
	s.edit(func(r *realm) {
		for _, n := range r.subnets {
			n.isDefault = false
		}
	})
}

// InsufficientInstanceCapacity is a server error: hammertime issue 29.
func TestCapacity(t *testing.T) {
	s := newSim(t)
	s.SetCapacity("t3.micro", "us-east-1a", 3)
	s.SetCapacity("t3.micro", "us-east-1c", 0)
	_, err := s.ec2.RunInstances(s.ctx, s.input(4))
	wantError(t, err, 500, "InsufficientInstanceCapacity", "We currently do not have sufficient t3.micro capacity in the Availability Zone you "+
		"requested (us-east-1a). Our system will be working on provisioning additional capacity. You can currently get t3.micro capacity by not "+
		"specifying an Availability Zone in your request or choosing us-east-1b.")
	if n := len(s.Instances()); n != 0 {
		t.Fatalf("%d instances were launched below MinCount", n)
	}
	// Between MinCount and MaxCount the largest possible number is launched (SDK documentation of RunInstances).
	if ids := s.launch(2, func(in *ec2.RunInstancesInput) { in.MaxCount = aws.Int32(9) }); len(ids) != 3 {
		t.Errorf("launched %d, want the 3 that there is capacity for", len(ids))
	}
	// What is terminated gives nothing back, another type and another zone are not concerned.
	s.launch(1, func(in *ec2.RunInstancesInput) { in.InstanceType = "t3.small" })
	s.launch(1, func(in *ec2.RunInstancesInput) { in.SubnetId = &s.site.Subnets[1] })
	_, err = s.ec2.RunInstances(s.ctx, s.input(1))
	wantError(t, err, 500, "InsufficientInstanceCapacity", "")
	s.SetCapacity("t3.micro", "us-east-1a", -1)
	s.launch(5)
	s.wantAlive(10)
}

func TestQuotasAndAddressesFillPartiallyOrNot(t *testing.T) {
	for name, tc := range map[string]struct {
		limit  func(*sim)
		refuse string
	}{
		"instances": {func(s *sim) { s.SetInstanceQuota(2) }, "InstanceLimitExceeded"},
		"vcpus":     {func(s *sim) { s.SetVCPUQuota(5) }, "VcpuLimitExceeded"},
		"addresses": {func(s *sim) { _ = s.SetFreeAddresses(s.site.Subnets[0], 2) }, "InsufficientFreeAddressesInSubnet"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			tc.limit(s)
			upTo3 := func(in *ec2.RunInstancesInput) { in.MaxCount = aws.Int32(3) }
			s.Tune(func(k *Knobs) { k.LimitsFillPartially = false })
			_, err := s.ec2.RunInstances(s.ctx, s.input(1, upTo3))
			wantError(t, err, 400, tc.refuse, "")
			s.wantAlive(0)
			s.Tune(func(k *Knobs) { k.LimitsFillPartially = true })
			ids := s.launch(1, upTo3)
			if len(ids) != 2 {
				t.Fatalf("launched %d, want the 2 that the limit leaves", len(ids))
			}
			_, err = s.ec2.RunInstances(s.ctx, s.input(1))
			wantError(t, err, 400, tc.refuse, "")
			s.wantAlive(2)
			for _, id := range ids {
				if err := s.Kill(id); err != nil {
					t.Fatal(err)
				}
			}
			s.wantAlive(0)
			s.launch(2)
			s.wantAlive(2)
		})
	}
}

func TestDryRun(t *testing.T) {
	s := newSim(t)
	dry := func(in *ec2.RunInstancesInput) { in.DryRun = aws.Bool(true) }
	_, err := s.ec2.RunInstances(s.ctx, s.input(1, dry))
	wantError(t, err, 412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	if ledger := s.Ledger(); ledger[len(ledger)-1].Call.Mutates {
		t.Error("a dry run passes for a change")
	}
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, dry, func(in *ec2.RunInstancesInput) { in.KeyName = aws.String("none") }))
	wantError(t, err, 400, "InvalidKeyPair.NotFound", "")
	_, err = s.ec2.DescribeSubnets(s.ctx, &ec2.DescribeSubnetsInput{DryRun: aws.Bool(true)})
	wantError(t, err, 412, "DryRunOperation", "")
	undo := s.Deny("ec2:RunInstances")
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, dry))
	wantError(t, err, 403, "UnauthorizedOperation", "")
	undo()
	if n := len(s.Instances()); n != 0 {
		t.Errorf("dry runs launched %d instances", n)
	}
	id := s.launch(1)[0]
	_, err = s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}, DryRun: aws.Bool(true)})
	wantError(t, err, 412, "DryRunOperation", "")
	if got := s.state(id); got != statePending {
		t.Errorf("a dry run made the instance %s", got)
	}
}

func TestLaunchWithoutASubnet(t *testing.T) {
	s := newSim(t)
	ids := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.SubnetId, in.Placement = nil, &types.Placement{AvailabilityZone: aws.String("us-east-1b")}
	})
	if in, _ := s.Instance(ids[0]); in.SubnetID != s.site.Subnets[1] {
		t.Errorf("launched into %s, want the zone's default subnet %s", in.SubnetID, s.site.Subnets[1])
	}
	ids = s.launch(1, func(in *ec2.RunInstancesInput) { in.SubnetId, in.SecurityGroups = nil, []string{"web"} })
	if list, err := s.describe(ids...); err != nil || *list[0].SecurityGroups[0].GroupId != s.site.SecurityGroup {
		t.Errorf("%+v, %v", list, err)
	}
}

// resolve:ssm: is resolved at each launch (EC2 user guide).
func TestLaunchOfAnImageFromAParameter(t *testing.T) {
	s := newSim(t)
	put := func(value string) {
		_, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/images/web"), Value: &value, Type: "String",
			DataType: aws.String("aws:ec2:image"), Overwrite: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
	}
	byParameter := func(in *ec2.RunInstancesInput) { in.ImageId = aws.String("resolve:ssm:/images/web") }
	for _, image := range []string{s.site.V1, s.site.V2} {
		put(image)
		if in, _ := s.Instance(s.launch(1, byParameter)[0]); in.ImageID != image {
			t.Errorf("launched %s, want %s", in.ImageID, image)
		}
	}
}
