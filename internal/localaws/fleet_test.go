package localaws

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

// fleetOf asks for n servers from the template web, of each type in each of the first subnets.
func (s *sim) fleetOf(n int32, kinds []string, subnets int, change ...func(*ec2.CreateFleetInput)) *ec2.CreateFleetInput {
	config := types.FleetLaunchTemplateConfigRequest{LaunchTemplateSpecification: &types.FleetLaunchTemplateSpecificationRequest{
		LaunchTemplateName: aws.String("web"), Version: aws.String("$Latest")}}
	for _, kind := range kinds {
		for _, subnet := range s.site.Subnets[:subnets] {
			config.Overrides = append(config.Overrides, types.FleetLaunchTemplateOverridesRequest{InstanceType: types.InstanceType(kind), SubnetId: &subnet})
		}
	}
	in := &ec2.CreateFleetInput{Type: "instant", LaunchTemplateConfigs: []types.FleetLaunchTemplateConfigRequest{config},
		TargetCapacitySpecification: &types.TargetCapacitySpecificationRequest{TotalTargetCapacity: &n, DefaultTargetCapacityType: "on-demand"}}
	for _, f := range change {
		f(in)
	}
	return in
}

// fleet is what a fleet came to: "type zone" of each instance, and "type zone code" of each error.
func (s *sim) fleet(in *ec2.CreateFleetInput) (out *ec2.CreateFleetOutput, instances, failures []string) {
	s.t.Helper()
	out = must(s.ec2.CreateFleet(s.ctx, in))
	for _, set := range out.Instances {
		for _, id := range set.InstanceIds {
			in, _ := s.Instance(id)
			instances = append(instances, in.InstanceType+" "+in.AZ)
		}
	}
	for _, e := range out.Errors {
		o := e.LaunchTemplateAndOverrides.Overrides
		failures = append(failures, fmt.Sprint(o.InstanceType, " ", *o.SubnetId, " ", *e.ErrorCode))
	}
	return out, instances, failures
}

func TestAnInstantFleetTriesItsPools(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	s.SetCapacity("t3.micro", "us-east-1a", 0)
	s.SetCapacity("t3.micro", "us-east-1b", 1)
	out, instances, failures := s.fleet(s.fleetOf(3, []string{"t3.small", "t3.micro"}, 2, func(in *ec2.CreateFleetInput) {
		in.TagSpecifications = []types.TagSpecification{{ResourceType: "instance", Tags: sdkTags(map[string]string{"team": "fleet"})},
			{ResourceType: "fleet", Tags: sdkTags(map[string]string{"of": "web"})}}
	}))
	if diff := cmp.Diff([]string{"t3.micro us-east-1b", "t3.small us-east-1a", "t3.small us-east-1a"}, instances); diff != "" {
		t.Errorf("instances, the smaller type first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"t3.micro " + s.site.Subnets[0] + " InsufficientInstanceCapacity"}, failures); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	in := s.find("tag:aws:ec2:fleet-id", *out.FleetId)
	if len(in) != 3 {
		t.Fatalf("%d instances have the fleet's id", len(in))
	}
	if tags := tagsOf(in[0].Tags); tags["team"] != "fleet" || tags["Name"] != "web" || tags["aws:ec2launchtemplate:version"] != "1" {
		t.Errorf("tags %v", tags)
	}
	if tags := s.readTagsOf(*out.FleetId); tags["of"] != "web" {
		t.Errorf("the fleet's tags %v", tags)
	}
}

// Nothing at all is an answer, and no error.
func TestAnInstantFleetMayLaunchNothing(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	s.SetCapacity("t3.micro", "us-east-1a", 0)
	if _, instances, failures := s.fleet(s.fleetOf(2, []string{"t3.micro"}, 1)); len(instances) != 0 || len(failures) != 1 {
		t.Errorf("%v, %v", instances, failures)
	}
	s.wantAlive(0)
}

func TestTheMinimumOfAFleet(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	s.SetCapacity("t3.micro", "us-east-1a", 1)
	least := func(in *ec2.CreateFleetInput) {
		in.OnDemandOptions = &types.OnDemandOptionsRequest{MinTargetCapacity: aws.Int32(2), SingleAvailabilityZone: aws.Bool(true)}
	}
	if _, instances, _ := s.fleet(s.fleetOf(2, []string{"t3.micro"}, 2, least)); !slices.Equal(instances, []string{"t3.micro us-east-1b", "t3.micro us-east-1b"}) {
		t.Errorf("launched %v, want both in the zone that has room", instances)
	}
	s.SetCapacity("t3.micro", "us-east-1b", 1)
	_, instances, failures := s.fleet(s.fleetOf(2, []string{"t3.micro"}, 2, least))
	if len(instances) != 0 || !slices.Equal(failures, []string{"t3.micro " + s.site.Subnets[0] + " UnfulfillableCapacity"}) {
		t.Errorf("below the minimum: %v, %v", instances, failures)
	}
	s.wantAlive(2)
}

func TestPrioritiesAndTokensOfFleets(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	in := s.fleetOf(1, []string{"t3.micro", "t3.large"}, 1, func(in *ec2.CreateFleetInput) {
		in.OnDemandOptions = &types.OnDemandOptionsRequest{AllocationStrategy: "prioritized"}
		in.LaunchTemplateConfigs[0].Overrides[0].Priority = aws.Float64(2)
		in.LaunchTemplateConfigs[0].Overrides[1].Priority = aws.Float64(1)
		in.ClientToken = aws.String("t")
	})
	first, instances, _ := s.fleet(in)
	if !slices.Equal(instances, []string{"t3.large us-east-1a"}) {
		t.Errorf("launched %v", instances)
	}
	if again, _, _ := s.fleet(in); *again.FleetId != *first.FleetId || len(s.Instances()) != 1 {
		t.Errorf("the same token made %s after %s, and there are %d instances", *again.FleetId, *first.FleetId, len(s.Instances()))
	}
	in.TargetCapacitySpecification.TotalTargetCapacity = aws.Int32(2)
	_, err := s.ec2.CreateFleet(s.ctx, in)
	wantError(t, err, 400, "IdempotentParameterMismatch", mismatch)
}

func TestDeletingAFleetEndsItsInstances(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	out, instances, _ := s.fleet(s.fleetOf(2, []string{"t3.micro"}, 1))
	if len(instances) != 2 {
		t.Fatal(instances)
	}
	_, err := s.ec2.DeleteFleets(s.ctx, &ec2.DeleteFleetsInput{FleetIds: []string{*out.FleetId}, TerminateInstances: aws.Bool(false)})
	wantError(t, err, 400, "UnsupportedOperation", "")
	gone := must(s.ec2.DeleteFleets(s.ctx, &ec2.DeleteFleetsInput{FleetIds: []string{*out.FleetId, "fleet-none"}, TerminateInstances: aws.Bool(true)}))
	if len(gone.SuccessfulFleetDeletions) != 1 || gone.SuccessfulFleetDeletions[0].CurrentFleetState != "deleted_terminating" ||
		len(gone.UnsuccessfulFleetDeletions) != 1 || gone.UnsuccessfulFleetDeletions[0].Error.Code != "fleetIdDoesNotExist" {
		t.Errorf("%+v", gone)
	}
	s.clock.Advance(time.Minute)
	for _, in := range s.Instances() {
		if in.State != "terminated" {
			t.Errorf("%s is %s", in.ID, in.State)
		}
	}
}

func TestFleetsThatAreRefused(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	same := s.SeedSubnet(Subnet{AZ: "us-east-1a"})
	for name, tc := range map[string]struct {
		change func(*ec2.CreateFleetInput)
		code   string
	}{
		"type":          {func(in *ec2.CreateFleetInput) { in.Type = "maintain" }, "InvalidParameterValue"},
		"spot":          {func(in *ec2.CreateFleetInput) { in.TargetCapacitySpecification.DefaultTargetCapacityType = "spot" }, "InvalidParameterValue"},
		"target":        {func(in *ec2.CreateFleetInput) { in.TargetCapacitySpecification.TotalTargetCapacity = aws.Int32(10001) }, "InvalidParameterValue"},
		"capacity type": {func(in *ec2.CreateFleetInput) { in.TargetCapacitySpecification.DefaultTargetCapacityType = "bogus" }, "InvalidParameterValue"},
		"on demand": {func(in *ec2.CreateFleetInput) {
			in.TargetCapacitySpecification.OnDemandTargetCapacity = aws.Int32(2)
		}, "InvalidParameterValue"},
		"less than nothing": {func(in *ec2.CreateFleetInput) {
			in.TargetCapacitySpecification.OnDemandTargetCapacity = aws.Int32(-1)
		}, "InvalidParameterValue"},
		"less than no spot": {func(in *ec2.CreateFleetInput) {
			in.TargetCapacitySpecification.SpotTargetCapacity = aws.Int32(-1)
		}, "InvalidParameterValue"},
		"template": {func(in *ec2.CreateFleetInput) {
			in.LaunchTemplateConfigs[0].LaunchTemplateSpecification.LaunchTemplateName = aws.String("none")
		}, "InvalidLaunchTemplateName.NotFoundException"},
		"minimum": {func(in *ec2.CreateFleetInput) {
			in.OnDemandOptions = &types.OnDemandOptionsRequest{MinTargetCapacity: aws.Int32(1)}
		}, "InvalidParameterCombination"},
		"two subnets of a zone": {func(in *ec2.CreateFleetInput) { in.LaunchTemplateConfigs[0].Overrides[1].SubnetId = &same }, "InvalidParameterCombination"},
		"dry run":               {func(in *ec2.CreateFleetInput) { in.DryRun = aws.Bool(true) }, "DryRunOperation"},
		"weights": {func(in *ec2.CreateFleetInput) {
			in.LaunchTemplateConfigs[0].Overrides[0].WeightedCapacity = aws.Float64(2)
		}, "UnknownParameter"},
	} {
		_, err := s.ec2.CreateFleet(s.ctx, s.fleetOf(1, []string{"t3.micro"}, 2, tc.change))
		if name == "dry run" {
			wantError(t, err, 412, tc.code, "")
			continue
		}
		wantErrorIn(t, name, err, tc.code)
	}
	if n := len(s.Instances()); n != 0 {
		t.Errorf("refused fleets launched %d instances", n)
	}
}

// Whether fleets cost the resource tokens of RunInstances, no page says.
func TestKnobFleetSpendsLaunchTokens(t *testing.T) {
	for spends, want := range map[bool]int{false: 1000, true: 0} {
		s := newSim(t, func(k *Knobs) { k.Throttle, k.FleetSpendsLaunchTokens = true, spends })
		big := s.SeedSubnet(Subnet{CIDR: "10.0.0.0/16", AZ: "us-east-1a"})
		s.template("web", s.webTemplate())
		s.launch(1000, func(in *ec2.RunInstancesInput) { in.SubnetId = &big })
		_, instances, failures := s.fleet(s.fleetOf(1000, []string{"t3.micro"}, 1, func(in *ec2.CreateFleetInput) {
			in.LaunchTemplateConfigs[0].Overrides[0].SubnetId = &big
		}))
		if len(instances) != want {
			t.Errorf("spends %v: launched %d, want %d; %v", spends, len(instances), want, failures)
		}
		s.wantAlive(1000 + want)
	}
}
