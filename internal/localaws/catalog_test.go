package localaws

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func ec2Filter(name string, values ...string) []types.Filter {
	return []types.Filter{{Name: &name, Values: values}}
}

func TestDescribeImages(t *testing.T) {
	s := newSim(t)
	theirs := s.SeedImage(Image{ID: "ami-0000000f", Name: "base", Owner: "amazon", Public: true, Tags: map[string]string{"os": "linux"}})
	broken := s.SeedImage(Image{ID: "ami-0000000e", State: "failed"})
	tests := map[string]struct {
		input ec2.DescribeImagesInput
		want  []string
	}{
		"own":             {ec2.DescribeImagesInput{Owners: []string{"self"}, Filters: ec2Filter("name", "web-v?")}, []string{s.site.V1, s.site.V2}},
		"by owner's id":   {ec2.DescribeImagesInput{Owners: []string{"123456789012"}, Filters: ec2Filter("state", "failed")}, []string{broken}},
		"amazon's":        {ec2.DescribeImagesInput{Owners: []string{"amazon"}}, []string{theirs}},
		"public":          {ec2.DescribeImagesInput{ExecutableUsers: []string{"all"}}, []string{theirs}},
		"architecture":    {ec2.DescribeImagesInput{Filters: ec2Filter("architecture", "arm64")}, []string{s.site.V1ARM, s.site.V2ARM}},
		"tag":             {ec2.DescribeImagesInput{Filters: ec2Filter("tag:os", "linux")}, []string{theirs}},
		"ids":             {ec2.DescribeImagesInput{ImageIds: []string{s.site.V2, s.site.V1}}, []string{s.site.V2, s.site.V1}},
		"ids and filters": {ec2.DescribeImagesInput{ImageIds: []string{s.site.V2, broken}, Filters: ec2Filter("state", "available")}, []string{s.site.V2}},
		"a page":          {ec2.DescribeImagesInput{MaxResults: aws.Int32(5), Filters: ec2Filter("is-public", "false")}, []string{broken, s.site.V1, s.site.V2, s.site.V1ARM, s.site.V2ARM}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := s.ec2.DescribeImages(s.ctx, &tc.input)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range out.Images {
				got = append(got, *i.ImageId)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestAnImageFromAServerToItsDeregistration(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=1s"))[0]
	_, err := s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String("mine"), NoReboot: aws.Bool(true)})
	wantError(t, err, 400, "IncorrectState", "")
	s.clock.Advance(time.Second)
	made, err := s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String("mine"), NoReboot: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	theirs := s.SeedImage(Image{Name: "theirs", Owner: "amazon", Public: true})
	_, err = s.ec2.DeregisterImage(s.ctx, &ec2.DeregisterImageInput{ImageId: &theirs})
	wantError(t, err, 401, "AuthFailure", "Not authorized for image:"+theirs) // HTTP status: aws-sdk-java issue 494
	fromIt := func(in *ec2.RunInstancesInput) { in.ImageId = made.ImageId }
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, fromIt))
	wantError(t, err, 400, "InvalidAMIID.Unavailable", "")
	_, err = s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String("mine"), NoReboot: aws.Bool(true)})
	wantError(t, err, 400, "InvalidAMIName.Duplicate", "AMI name mine is already in use by AMI "+*made.ImageId)
	s.clock.Advance(2 * time.Minute)
	if in, _ := s.Instance(s.launch(1, fromIt)[0]); in.Version != "v1" {
		t.Errorf("a server of the image has version %q", in.Version)
	}
	if _, err := s.ec2.DeregisterImage(s.ctx, &ec2.DeregisterImageInput{ImageId: made.ImageId}); err != nil {
		t.Fatal(err)
	}
	out, err := s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{ImageIds: []string{*made.ImageId}})
	if err != nil || len(out.Images) != 0 {
		t.Errorf("a deregistered image reads %v, %v", out, err)
	}
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, fromIt))
	wantError(t, err, 400, "InvalidAMIID.Unavailable", "The image ID '"+*made.ImageId+"' is no longer available")
	s.clock.Advance(time.Hour)
	_, err = s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{ImageIds: []string{*made.ImageId}})
	wantError(t, err, 400, "InvalidAMIID.NotFound", "The image id '["+*made.ImageId+"]' does not exist")
	_, err = s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{ImageIds: []string{"ami-00000000", "nonsense"}})
	wantError(t, err, 400, "InvalidAMIID.Malformed", "")
}

// CreateImage reboots a running server unless it is told not to (SDK documentation of CreateImage).
func TestImagesThatWouldRebootAServer(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=1s"))[0]
	s.clock.Advance(time.Second)
	in := &ec2.CreateImageInput{InstanceId: &id, Name: aws.String("mine")}
	for _, in.NoReboot = range []*bool{nil, aws.Bool(false)} {
		_, err := s.ec2.CreateImage(s.ctx, in)
		wantError(t, err, 400, "UnsupportedOperation",
			"The reboot of the running instance '"+id+"' is not simulated here; set the parameter NoReboot to true, or stop the instance first")
	}
	if images := must(s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{Filters: ec2Filter("name", "mine")})).Images; len(images) != 0 {
		t.Errorf("a refused call made %d images", len(images))
	}
	must(s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}))
	s.clock.Advance(time.Minute)
	must(s.ec2.CreateImage(s.ctx, in)) // nothing runs that could be rebooted
	if images := must(s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{Filters: ec2Filter("name", "mine")})).Images; len(images) != 1 {
		t.Errorf("%d images", len(images))
	}
}

func TestSubnets(t *testing.T) {
	s := newSim(t)
	s.launch(2)
	subnets, err := s.ec2.DescribeSubnets(s.ctx, &ec2.DescribeSubnetsInput{Filters: ec2Filter("availability-zone", "us-east-1a")})
	if err != nil || len(subnets.Subnets) != 1 {
		t.Fatal(subnets, err)
	}
	if n := subnets.Subnets[0]; *n.AvailableIpAddressCount != 4091-2 || *n.CidrBlock != "172.16.0.0/20" || *n.AvailabilityZoneId != "use1-az1" || !*n.DefaultForAz {
		t.Errorf("subnet %+v", n)
	}
	_, err = s.ec2.DescribeSubnets(s.ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-a"}})
	wantError(t, err, 400, "InvalidSubnetID.NotFound", "The subnet ID 'subnet-a' does not exist")
	vpcs, err := s.ec2.DescribeVpcs(s.ctx, &ec2.DescribeVpcsInput{Filters: ec2Filter("is-default", "true")})
	if err != nil || len(vpcs.Vpcs) != 1 || *vpcs.Vpcs[0].VpcId != s.site.VPC {
		t.Errorf("vpcs %+v, %v", vpcs, err)
	}
}

func TestGroupsKeysAndZones(t *testing.T) {
	s := newSim(t)
	groups, err := s.ec2.DescribeSecurityGroups(s.ctx, &ec2.DescribeSecurityGroupsInput{Filters: ec2Filter("group-name", "web", "default")})
	if err != nil || len(groups.SecurityGroups) != 2 {
		t.Errorf("groups %+v, %v", groups, err)
	}
	_, err = s.ec2.DescribeSecurityGroups(s.ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-00000000"}})
	wantError(t, err, 400, "InvalidGroup.NotFound", "The security group 'sg-00000000' does not exist")
	keys, err := s.ec2.DescribeKeyPairs(s.ctx, &ec2.DescribeKeyPairsInput{KeyNames: []string{"ops"}})
	if err != nil || len(keys.KeyPairs) != 1 || *keys.KeyPairs[0].KeyName != "ops" {
		t.Errorf("key pairs %+v, %v", keys, err)
	}
	zones, err := s.ec2.DescribeAvailabilityZones(s.ctx, &ec2.DescribeAvailabilityZonesInput{ZoneIds: []string{"use1-az2"}})
	if err != nil || len(zones.AvailabilityZones) != 1 || *zones.AvailabilityZones[0].ZoneName != "us-east-1b" {
		t.Errorf("zones %+v, %v", zones, err)
	}
}

func TestInstanceTypes(t *testing.T) {
	s := newSim(t)
	out, err := s.ec2.DescribeInstanceTypes(s.ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"c7g.large", "m5.xlarge"}})
	if err != nil || len(out.InstanceTypes) != 2 {
		t.Fatal(out, err)
	}
	arm, x86 := out.InstanceTypes[0], out.InstanceTypes[1]
	if *arm.VCpuInfo.DefaultVCpus != 2 || *arm.MemoryInfo.SizeInMiB != 4096 || arm.ProcessorInfo.SupportedArchitectures[0] != "arm64" ||
		*x86.VCpuInfo.DefaultVCpus != 4 || *x86.MemoryInfo.SizeInMiB != 16384 || x86.ProcessorInfo.SupportedArchitectures[0] != "x86_64" {
		t.Errorf("%+v\n%+v", arm, x86)
	}
	_, err = s.ec2.DescribeInstanceTypes(s.ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"t9.huge"}})
	wantError(t, err, 400, "InvalidInstanceType", "The following supplied instance types do not exist: [t9.huge]")
}

// Addresses are unique while their servers live, and can be given out again afterwards.
func TestAddressesAreReused(t *testing.T) {
	s := newSim(t)
	small := s.SeedSubnet(Subnet{CIDR: "10.0.0.0/28", AZ: "us-east-1c"}) // 16 addresses, 11 of them free
	inIt := func(in *ec2.RunInstancesInput) {
		in.SubnetId, in.MinCount, in.MaxCount = &small, aws.Int32(11), aws.Int32(11)
	}
	for range 3 {
		seen := map[string]bool{}
		for _, id := range s.launch(11, inIt) {
			in, _ := s.Instance(id)
			seen[in.PrivateIP] = true
		}
		if len(seen) != 11 || seen["10.0.0.0"] || seen["10.0.0.3"] || seen["10.0.0.15"] {
			t.Errorf("gave out %v", seen)
		}
		_, err := s.ec2.RunInstances(s.ctx, s.input(1, func(in *ec2.RunInstancesInput) { in.SubnetId = &small }))
		wantError(t, err, 400, "InsufficientFreeAddressesInSubnet", "")
		for _, in := range s.Instances() {
			if in.Alive {
				if err := s.Kill(in.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
