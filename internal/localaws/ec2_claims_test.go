package localaws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
)

// Statements of docs/local-aws.md about EC2 that the tests of its parts do not show.

// orThrottled is the error of a call that was throttled; one that is refused otherwise has taken its token too.
func orThrottled(err error) error {
	if err != nil && strings.Contains(err.Error(), "RequestLimitExceeded") {
		return err
	}
	return nil
}

// The rows of EC2's table of request buckets beside those of TestEC2Buckets.
func TestBucketsOfTheOtherCalls(t *testing.T) {
	none := []string{"i-00000000"}
	for name, tc := range map[string]struct {
		call            func(*sim) error
		capacity, after int // calls at once, and a second after that
	}{
		"TerminateInstances": {func(s *sim) error { return s.terminate(none...) }, 100, 5},
		"StartInstances":     {func(s *sim) error { return s.startIDs(none...) }, 5, 2},
		"StopInstances":      {func(s *sim) error { return s.stopIDs(none...) }, 50, 5},
		"DeleteTags":         {func(s *sim) error { return s.untag(none[0]) }, 100, 10},
		"CreateFleet": {func(s *sim) error {
			_, err := s.ec2.CreateFleet(s.ctx, s.fleetOf(1, []string{"t3.micro"}, 1))
			return err
		}, 50, 5},
		"CreateLaunchTemplateVersion": {func(s *sim) error {
			_, err := s.ec2.CreateLaunchTemplateVersion(s.ctx, &ec2.CreateLaunchTemplateVersionInput{
				LaunchTemplateName: aws.String("none"), LaunchTemplateData: &types.RequestLaunchTemplateData{}})
			return err
		}, 100, 5},
		"status of everything": {func(s *sim) error {
			_, err := s.ec2.DescribeInstanceStatus(s.ctx, &ec2.DescribeInstanceStatusInput{})
			return err
		}, 50, 10},
		"volumes, all of them": {func(s *sim) error {
			_, err := s.ec2.DescribeVolumes(s.ctx, &ec2.DescribeVolumesInput{})
			return err
		}, 50, 10},
		"security groups, all of them": {func(s *sim) error {
			_, err := s.ec2.DescribeSecurityGroups(s.ctx, &ec2.DescribeSecurityGroupsInput{})
			return err
		}, 50, 10},
		"images, all of them": {func(s *sim) error {
			_, err := s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{})
			return err
		}, 100, 20},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, throttled)
			call := func() error { return orThrottled(tc.call(s)) }
			if n := until(t, call, 503, "RequestLimitExceeded", ""); n != tc.capacity {
				t.Errorf("%d calls at once, want %d", n, tc.capacity)
			}
			s.clock.Advance(time.Second)
			if n := until(t, call, 503, "RequestLimitExceeded", ""); n != tc.after {
				t.Errorf("%d calls after a second, want %d", n, tc.after)
			}
		})
	}
}

// A launch does not spread over zones, with a subnet or without.
func TestALaunchGoesToOneZone(t *testing.T) {
	s := newSim(t)
	for name, subnet := range map[string]*string{"with a subnet": &s.site.Subnets[1], "without": nil} {
		list, err := s.describe(s.launch(6, func(in *ec2.RunInstancesInput) { in.SubnetId = subnet })...)
		if err != nil {
			t.Fatal(err)
		}
		zones := map[string]bool{}
		for _, in := range list {
			zones[*in.Placement.AvailabilityZone] = true
		}
		if len(list) != 6 || len(zones) != 1 || subnet != nil && !zones["us-east-1b"] {
			t.Errorf("%s %d were launched in %v", name, len(list), zones)
		}
	}
}

// SDK documentation of InstanceState.
func TestEachStateHasItsCode(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	var got []int32
	look := func() {
		list, err := s.describe(id)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, *list[0].State.Code)
	}
	look()
	s.clock.Advance(time.Minute)
	look()
	succeed(t, s.stopIDs(id))
	look()
	s.clock.Advance(time.Minute)
	look()
	succeed(t, s.startIDs(id))
	s.clock.Advance(time.Minute)
	succeed(t, s.terminate(id))
	look()
	s.clock.Advance(time.Minute)
	look()
	if diff := cmp.Diff([]int32{0, 16, 64, 80, 32, 48}, got); diff != "" {
		t.Errorf("pending, running, stopping, stopped, shutting-down, terminated (-want +got):\n%s", diff)
	}
}

// Measured: about 17 s from running to an open port (daemonology.net, 2021).
func TestRunningIsNotReady(t *testing.T) {
	for _, wait := range []time.Duration{DefaultKnobs().Configure, 3 * time.Minute} {
		s := newSim(t, func(k *Knobs) { k.Configure = wait })
		id := s.launch(1, withUserData("#localaws boot=5s"))[0]
		s.clock.Advance(5*time.Second + wait - 1)
		s.wantInstance(id, "running", "v1", AppRefuses)
		s.clock.Advance(1)
		s.wantInstance(id, "running", "v1", 200)
	}
}

func TestSettingsOfALaunchReadBack(t *testing.T) {
	s := newSim(t)
	list, err := s.describe(s.launch(1, func(in *ec2.RunInstancesInput) {
		in.Monitoring = &types.RunInstancesMonitoringEnabled{Enabled: aws.Bool(true)}
		in.MetadataOptions = &types.InstanceMetadataOptionsRequest{HttpTokens: "required", HttpEndpoint: "enabled",
			HttpPutResponseHopLimit: aws.Int32(64), InstanceMetadataTags: "enabled"}
	})...)
	if err != nil {
		t.Fatal(err)
	}
	m := list[0].MetadataOptions
	if m.HttpTokens != "required" || m.HttpEndpoint != "enabled" || *m.HttpPutResponseHopLimit != 64 || m.InstanceMetadataTags != "enabled" {
		t.Errorf("metadata options %+v", m)
	}
	if list[0].Monitoring.State != "enabled" {
		t.Errorf("monitoring is %s", list[0].Monitoring.State)
	}
}

// EC2 user guide: a parameter named by version or label, of the data type for images.
func TestLaunchOfAnImageByVersionOrLabel(t *testing.T) {
	s := newSim(t)
	put := func(name, value, kind string) {
		_, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: ssmtypes.ParameterTypeString,
			DataType: &kind, Overwrite: aws.Bool(true)})
		succeed(t, err)
	}
	put("/images/web", s.site.V1, "aws:ec2:image")
	put("/images/web", s.site.V2, "aws:ec2:image")
	put("/images/text", s.site.V1, "text")
	_, err := s.ssm.LabelParameterVersion(s.ctx, &ssm.LabelParameterVersionInput{
		Name: aws.String("/images/web"), ParameterVersion: aws.Int64(1), Labels: []string{"stable"}})
	succeed(t, err)
	from := func(name string) func(*ec2.RunInstancesInput) {
		return func(in *ec2.RunInstancesInput) { in.ImageId = aws.String("resolve:ssm:" + name) }
	}
	for name, image := range map[string]string{"/images/web": s.site.V2, "/images/web:1": s.site.V1, "/images/web:stable": s.site.V1} {
		if in, _ := s.Instance(s.launch(1, from(name))[0]); in.ImageID != image {
			t.Errorf("%s launched %s, want %s", name, in.ImageID, image)
		}
	}
	for _, kind := range []ssmtypes.ParameterType{"StringList", "SecureString"} {
		_, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/images/" + string(kind)), Value: &s.site.V1, Type: kind,
			DataType: aws.String("aws:ec2:image")})
		succeed(t, err)
	}
	launched := len(s.Instances())
	for _, kind := range []string{"StringList", "SecureString"} {
		_, err = s.ec2.RunInstances(s.ctx, s.input(1, from("/images/"+kind)))
		wantError(t, err, 400, "InvalidParameterValue", "The Systems Manager parameter /images/"+kind+" has the type "+kind+", and not String")
	}
	_, err = s.ec2.RunInstances(s.ctx, s.input(1, from("/images/text")))
	wantError(t, err, 400, "InvalidParameterValue", "The Systems Manager parameter /images/text has the data type text, and not aws:ec2:image")
	if n := len(s.Instances()); n != launched {
		t.Errorf("%d instances exist, %d before the refusal", n, launched)
	}
}

func TestAnImageIsOfItsRegion(t *testing.T) {
	s := newSim(t)
	home := s.SeedImage(Image{Name: "home"})
	abroad := s.In("", "eu-central-1").DefaultWorld()
	s.use(s.config("AKIDTEST", "eu-central-1"))
	_, err := s.ec2.RunInstances(s.ctx, s.input(1, func(in *ec2.RunInstancesInput) { in.ImageId, in.SubnetId = &home, &abroad.Subnets[0] }))
	wantError(t, err, 400, "InvalidAMIID.NotFound", "The image id '["+home+"]' does not exist")
	if n := len(s.Instances()); n != 0 {
		t.Errorf("%d instances were launched", n)
	}
}

// SDK documentation of DescribeImages: the states of an image; of a deregistered one nothing is shown.
func TestStatesOfImages(t *testing.T) {
	s := newSim(t)
	for _, state := range []string{"pending", "available", "invalid", "transient", "failed", "error", "disabled"} {
		id := s.SeedImage(Image{State: state})
		out, err := s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}, Filters: ec2Filter("state", state)})
		if err != nil || len(out.Images) != 1 || string(out.Images[0].State) != state {
			t.Errorf("%s reads %+v, %v", state, out, err)
		}
		_, err = s.ec2.RunInstances(s.ctx, s.input(1, func(in *ec2.RunInstancesInput) { in.ImageId = &id }))
		if state == "available" {
			succeed(t, err)
			continue
		}
		wantError(t, err, 400, "InvalidAMIID.Unavailable", "")
	}
	s.wantAlive(1)
}

func TestOverridesOfAFleet(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	_, instances, _ := s.fleet(s.fleetOf(1, []string{"t3.micro"}, 1, func(in *ec2.CreateFleetInput) {
		o := &in.LaunchTemplateConfigs[0].Overrides[0]
		o.SubnetId, o.AvailabilityZone, o.ImageId = nil, aws.String("us-east-1c"), &s.site.V2
	}))
	if !slices.Equal(instances, []string{"t3.micro us-east-1c"}) {
		t.Errorf("launched %v", instances)
	}
	if found := s.find("image-id", s.site.V2); len(found) != 1 {
		t.Errorf("%d have the image of the override", len(found))
	}
}

// One call launches all of a fleet's tags with its instances: on them, their volumes and interfaces, and on the fleet.
func TestTagsOfAFleet(t *testing.T) {
	s := newSim(t)
	data := s.webTemplate()
	data.TagSpecifications = nil
	s.template("web", data)
	kinds := []string{"fleet", "instance", "volume", "network-interface"}
	_, instances, _ := s.fleet(s.fleetOf(2, []string{"t3.micro"}, 1, func(in *ec2.CreateFleetInput) {
		for _, kind := range kinds {
			in.TagSpecifications = append(in.TagSpecifications,
				types.TagSpecification{ResourceType: types.ResourceType(kind), Tags: sdkTags(map[string]string{"on": kind})})
		}
	}))
	if len(instances) != 2 {
		t.Fatal(instances)
	}
	for _, kind := range kinds {
		out, err := s.ec2.DescribeTags(s.ctx, &ec2.DescribeTagsInput{Filters: append(ec2Filter("key", "on"), ec2Filter("resource-type", kind)...)})
		want := 2
		if kind == "fleet" {
			want = 1
		}
		if err != nil || len(out.Tags) != want || *out.Tags[0].Value != kind {
			t.Errorf("%s: %+v, %v", kind, out, err)
		}
	}
}

// EC2 user guide, EC2 Fleet quotas; SDK documentation of CreateFleet and DeleteFleets.
func TestLimitsOfFleets(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	least := func(n int32) func(*ec2.CreateFleetInput) {
		return func(in *ec2.CreateFleetInput) {
			in.OnDemandOptions = &types.OnDemandOptionsRequest{MinTargetCapacity: &n, SingleAvailabilityZone: aws.Bool(true)}
		}
	}
	_, err := s.ec2.CreateFleet(s.ctx, s.fleetOf(1001, []string{"t3.micro"}, 1, least(1001)))
	wantError(t, err, 400, "InvalidParameterValue", "MinTargetCapacity must be at most 1000 and at most TotalTargetCapacity")
	_, err = s.ec2.CreateFleet(s.ctx, s.fleetOf(1, nil, 0, func(in *ec2.CreateFleetInput) {
		in.LaunchTemplateConfigs = []types.FleetLaunchTemplateConfigRequest{}
	}))
	wantError(t, err, 400, "MissingParameter", "The request must contain the parameter LaunchTemplateConfigs")
	if n := len(s.Instances()); n != 0 {
		t.Errorf("refused fleets launched %d instances", n)
	}

	var fleets []string
	for range 26 {
		out, _, _ := s.fleet(s.fleetOf(1, []string{"t3.micro"}, 1))
		fleets = append(fleets, *out.FleetId)
	}
	remove := func(ids ...string) error {
		_, err := s.ec2.DeleteFleets(s.ctx, &ec2.DeleteFleetsInput{FleetIds: ids, TerminateInstances: aws.Bool(true)})
		return err
	}
	wantError(t, remove(fleets...), 400, "InvalidParameterValue", "")
	big := s.SeedSubnet(Subnet{CIDR: "10.0.0.0/16", AZ: "us-east-1b"})
	out, instances, _ := s.fleet(s.fleetOf(1000, []string{"t3.micro"}, 1, func(in *ec2.CreateFleetInput) {
		in.LaunchTemplateConfigs[0].Overrides[0].SubnetId = &big
	}))
	if len(instances) != 1000 {
		t.Fatalf("launched %d", len(instances))
	}
	wantError(t, remove(fleets[0], *out.FleetId), 400, "InvalidParameterValue", "")
	if n := len(s.find("instance-state-name", "pending")); n != 1026 {
		t.Errorf("%d are left after refused deletions, want 1026", n)
	}
	succeed(t, remove(fleets[:25]...))
	succeed(t, remove(*out.FleetId))
	if n := len(s.find("instance-state-name", "pending")); n != 1 {
		t.Errorf("%d are left, want that of the last fleet", n)
	}
}

// EC2 developer guide, pagination: a call names at most 1000 ids; none of more is touched.
func TestAChangeNamesAtMostAThousand(t *testing.T) {
	s := newSim(t)
	ids := s.launch(1)
	many := slices.Repeat(ids, 1001)
	wantError(t, s.terminate(many...), 400, "InvalidRequest", "")
	s.wantStates(map[string]string{ids[0]: "pending"})
	succeed(t, s.terminate(many[:1000]...))
	s.wantStates(map[string]string{ids[0]: "shutting-down"})
}
