package localaws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"
)

// webTemplate is what the tests keep in templates: all that a launch needs but its subnet.
func (s *sim) webTemplate() *types.RequestLaunchTemplateData {
	return &types.RequestLaunchTemplateData{
		ImageId: &s.site.V1, InstanceType: "t3.small", KeyName: &s.site.KeyPair, SecurityGroupIds: []string{s.site.SecurityGroup},
		IamInstanceProfile: &types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: &s.site.Profile},
		MetadataOptions:    &types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: "required", HttpPutResponseHopLimit: aws.Int32(2)},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"),
			Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(20), VolumeType: "gp3"}}},
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: "instance", Tags: sdkTags(map[string]string{"Name": "web", "team": "a"})},
			{ResourceType: "volume", Tags: sdkTags(map[string]string{"of": "web"})}},
		UserData: userData("#localaws boot=3s"), DisableApiTermination: aws.Bool(true),
	}
}

func (s *sim) template(name string, data *types.RequestLaunchTemplateData) *types.LaunchTemplate {
	s.t.Helper()
	out, err := s.ec2.CreateLaunchTemplate(s.ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: &name, LaunchTemplateData: data})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.LaunchTemplate
}

func (s *sim) newVersion(id, source string, data *types.RequestLaunchTemplateData) int64 {
	s.t.Helper()
	in := &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: &id, LaunchTemplateData: data}
	if source != "" {
		in.SourceVersion = &source
	}
	out, err := s.ec2.CreateLaunchTemplateVersion(s.ctx, in)
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.LaunchTemplateVersion.VersionNumber
}

// fromTemplate is a launch that says nothing but the template, its version and a subnet.
func (s *sim) fromTemplate(id, version string) *ec2.RunInstancesInput {
	in := &ec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &s.site.Subnets[0],
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: &id}}
	if version != "" {
		in.LaunchTemplate.Version = &version
	}
	return in
}

func (s *sim) run(in *ec2.RunInstancesInput) types.Instance {
	s.t.Helper()
	out, err := s.ec2.RunInstances(s.ctx, in)
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := s.describe(*out.Instances[0].InstanceId)
	if err != nil {
		s.t.Fatal(err)
	}
	return list[0]
}

func tagsOf(tags []types.Tag) map[string]string {
	m := map[string]string{}
	for _, tag := range tags {
		m[*tag.Key] = *tag.Value
	}
	return m
}

func TestALaunchTakesWhatItsTemplateHolds(t *testing.T) {
	s := newSim(t)
	id := *s.template("web", s.webTemplate()).LaunchTemplateId
	in := s.run(s.fromTemplate(id, ""))
	got := map[string]string{"image": *in.ImageId, "type": string(in.InstanceType), "key": *in.KeyName, "group": *in.SecurityGroups[0].GroupId,
		"profile": *in.IamInstanceProfile.Arn, "hops": fmt.Sprint(*in.MetadataOptions.HttpPutResponseHopLimit)}
	want := map[string]string{"image": s.site.V1, "type": "t3.small", "key": "ops", "group": s.site.SecurityGroup,
		"profile": "arn:aws:iam::123456789012:instance-profile/web", "hops": "2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("launched (-want +got):\n%s", diff)
	}
	tags := map[string]string{"Name": "web", "team": "a", "aws:ec2launchtemplate:id": id, "aws:ec2launchtemplate:version": "1"}
	if diff := cmp.Diff(tags, tagsOf(in.Tags)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	volumes, err := s.ec2.DescribeVolumes(s.ctx, &ec2.DescribeVolumesInput{})
	if err != nil || *volumes.Volumes[0].Size != 20 || tagsOf(volumes.Volumes[0].Tags)["of"] != "web" {
		t.Errorf("volumes %+v, %v", volumes, err)
	}
	s.clock.Advance(3 * time.Second)
	s.wantStates(map[string]string{*in.InstanceId: "running"}) // boot=3s of its user data
	wantError(t, s.terminate(*in.InstanceId), 400, "OperationNotPermitted", "")
}

// SDK documentation of RunInstances: what the call says overrides the template; devices and tags are merged.
func TestALaunchOverridesItsTemplate(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		s := newSim(t, func(k *Knobs) { k.TemplateTagsReplaced = replaced })
		id := *s.template("web", s.webTemplate()).LaunchTemplateId
		launch := s.fromTemplate(id, "1")
		launch.ImageId, launch.InstanceType, launch.SecurityGroups, launch.SubnetId = &s.site.V2, "t3.micro", []string{"default"}, nil
		launch.DisableApiTermination = aws.Bool(false)
		launch.BlockDeviceMappings = []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{VolumeType: "gp2"}},
			{DeviceName: aws.String("/dev/xvdb"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(9)}}}
		launch.TagSpecifications = []types.TagSpecification{{ResourceType: "instance", Tags: sdkTags(map[string]string{"team": "b", "stage": "x"})}}
		in := s.run(launch)
		if *in.ImageId != s.site.V2 || in.InstanceType != "t3.micro" || *in.SecurityGroups[0].GroupName != "default" || len(in.SecurityGroups) != 1 {
			t.Errorf("launched %s, %s in %v", *in.ImageId, in.InstanceType, in.SecurityGroups)
		}
		tags := map[string]string{"team": "b", "stage": "x", "aws:ec2launchtemplate:id": id, "aws:ec2launchtemplate:version": "1"}
		if !replaced {
			tags["Name"] = "web"
		}
		if diff := cmp.Diff(tags, tagsOf(in.Tags)); diff != "" {
			t.Errorf("tags, replaced %v (-want +got):\n%s", replaced, diff)
		}
		volumes, err := s.ec2.DescribeVolumes(s.ctx, &ec2.DescribeVolumesInput{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range volumes.Volumes {
			got = append(got, fmt.Sprint(*v.Attachments[0].Device, " ", *v.Size, " ", v.VolumeType))
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"/dev/xvda 20 gp2", "/dev/xvdb 9 gp3"}, got); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
		if err := s.terminate(*in.InstanceId); err != nil {
			t.Errorf("the template's protection was overridden, but: %v", err)
		}
		s.wantAlive(0)
	}
}

func TestVersionsOfALaunchTemplate(t *testing.T) {
	s := newSim(t)
	id := *s.template("web", s.webTemplate()).LaunchTemplateId
	launched := func(version string) string { return *s.run(s.fromTemplate(id, version)).ImageId }
	if n := s.newVersion(id, "1", &types.RequestLaunchTemplateData{ImageId: &s.site.V2}); n != 2 {
		t.Fatalf("the second version is %d", n)
	}
	if a, b, c := launched(""), launched("$Latest"), launched("1"); a != s.site.V1 || b != s.site.V2 || c != s.site.V1 {
		t.Errorf("default, latest and 1 are %s, %s, %s", a, b, c)
	}
	_, err := s.ec2.ModifyLaunchTemplate(s.ctx, &ec2.ModifyLaunchTemplateInput{LaunchTemplateName: aws.String("web"), DefaultVersion: aws.String("2")})
	if got := launched("$Default"); err != nil || got != s.site.V2 {
		t.Errorf("the new default launches %s, %v", got, err)
	}
	out, err := s.ec2.DescribeLaunchTemplateVersions(s.ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id})
	if err != nil || len(out.LaunchTemplateVersions) != 2 {
		t.Fatal(out, err)
	}
	newest, first := out.LaunchTemplateVersions[0], out.LaunchTemplateVersions[1]
	if *newest.VersionNumber != 2 || !*newest.DefaultVersion || *first.DefaultVersion || newest.LaunchTemplateData.InstanceType != "t3.small" {
		t.Errorf("versions %+v, %+v", newest, first)
	}
	d := first.LaunchTemplateData
	if *d.BlockDeviceMappings[0].Ebs.VolumeSize != 20 || d.SecurityGroupIds[0] != s.site.SecurityGroup || !*d.DisableApiTermination ||
		*d.MetadataOptions.HttpPutResponseHopLimit != 2 || tagsOf(d.TagSpecifications[0].Tags)["Name"] != "web" || d.UserData == nil {
		t.Errorf("the first version reads %+v", d)
	}
	deleted, err := s.ec2.DeleteLaunchTemplateVersions(s.ctx, &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"1", "2", "7"}})
	if err != nil || len(deleted.SuccessfullyDeletedLaunchTemplateVersions) != 1 || len(deleted.UnsuccessfullyDeletedLaunchTemplateVersions) != 2 {
		t.Fatalf("%+v, %v", deleted, err)
	}
	if got := deleted.UnsuccessfullyDeletedLaunchTemplateVersions[1].ResponseError.Code; got != "launchTemplateVersionDoesNotExist" {
		t.Errorf("version 7: %s", got)
	}
	if n := s.newVersion(id, "", s.webTemplate()); n != 3 {
		t.Errorf("after the deletion the next version is %d, want 3", n)
	}
	s.wantRefusedLaunch(s.fromTemplate(id, "1"), "InvalidLaunchTemplateId.VersionNotFound",
		"Could not find the specified version 1 for the launch template with ID "+id+".")
	left := must(s.ec2.DescribeLaunchTemplateVersions(s.ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id})).LaunchTemplateVersions
	if len(left) != 2 || *left[0].VersionNumber != 3 || *left[1].VersionNumber != 2 {
		t.Errorf("the versions that are left: %+v", left)
	}
}

func (s *sim) wantRefusedLaunch(in *ec2.RunInstancesInput, code, message string) {
	s.t.Helper()
	_, err := s.ec2.RunInstances(s.ctx, in)
	wantError(s.t, err, 400, code, message)
}

func TestLaunchTemplatesAreFoundAndPaged(t *testing.T) {
	s := newSim(t)
	for _, name := range []string{"a", "b", "c"} {
		_, err := s.ec2.CreateLaunchTemplate(s.ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("web-" + name), LaunchTemplateData: s.webTemplate(),
			TagSpecifications: []types.TagSpecification{{ResourceType: "launch-template", Tags: sdkTags(map[string]string{"of": name})}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for p := ec2.NewDescribeLaunchTemplatesPaginator(s.ec2, &ec2.DescribeLaunchTemplatesInput{MaxResults: aws.Int32(1)}); p.HasMorePages(); {
		out, err := p.NextPage(s.ctx)
		if err != nil || len(out.LaunchTemplates) != 1 {
			t.Fatal(out, err)
		}
		names = append(names, *out.LaunchTemplates[0].LaunchTemplateName)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"web-a", "web-b", "web-c"}, names); diff != "" {
		t.Error(diff)
	}
	out, err := s.ec2.DescribeLaunchTemplates(s.ctx, &ec2.DescribeLaunchTemplatesInput{Filters: []types.Filter{{Name: aws.String("tag:of"), Values: []string{"b"}}}})
	if err != nil || len(out.LaunchTemplates) != 1 || *out.LaunchTemplates[0].LaunchTemplateName != "web-b" {
		t.Errorf("by tag: %+v, %v", out, err)
	}
	all, err := s.ec2.DescribeLaunchTemplateVersions(s.ctx, &ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest", "$Default"}})
	if err != nil || len(all.LaunchTemplateVersions) != 3 {
		t.Errorf("the latest and default versions of all: %+v, %v", all, err)
	}
	if _, err := s.ec2.DeleteLaunchTemplate(s.ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateName: aws.String("web-b")}); err != nil {
		t.Fatal(err)
	}
	_, err = s.ec2.DescribeLaunchTemplates(s.ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"web-b"}})
	wantError(t, err, 400, "InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name web-b, does not exist.")
}

func TestLaunchTemplatesThatAreRefused(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	create := func(name string, change func(*types.RequestLaunchTemplateData)) error {
		data := s.webTemplate()
		change(data)
		_, err := s.ec2.CreateLaunchTemplate(s.ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: &name, LaunchTemplateData: data})
		return err
	}
	same := func(*types.RequestLaunchTemplateData) {}
	wantError(t, create("web", same), 400, "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
	wantError(t, create("we", same), 400, "InvalidLaunchTemplateName.MalformedException", "")
	wantError(t, create("x-1", func(d *types.RequestLaunchTemplateData) { d.UserData = aws.String("%") }), 400, "InvalidUserData.Malformed", "")
	wantError(t, create("x-2", func(d *types.RequestLaunchTemplateData) { d.UserData = userData(strings.Repeat("x", maxUserData+1)) }), 400,
		"InvalidUserData.Malformed", "User data is limited to 16384 bytes")
	wantError(t, create("x-3", func(d *types.RequestLaunchTemplateData) { d.KernelId = aws.String("aki-1") }), 400, "UnknownParameter",
		"The parameter LaunchTemplateData.KernelId is not recognized")
	wantError(t, create("x-4", func(d *types.RequestLaunchTemplateData) {
		d.TagSpecifications = []types.LaunchTemplateTagSpecificationRequest{{ResourceType: "spot-instances-request", Tags: sdkTags(map[string]string{"a": "b"})}}
	}), 400, "InvalidParameterValue", "Tags of the resource type 'spot-instances-request' are not simulated here")
	s.wantRefusedLaunch(s.fromTemplate("lt-0123456789abcdef0", ""), "InvalidLaunchTemplateId.NotFound",
		"The specified launch template, with template ID lt-0123456789abcdef0, does not exist.")
	s.wantRefusedLaunch(s.fromTemplate("web", ""), "InvalidLaunchTemplateId.Malformed", "")
	both := s.fromTemplate("lt-0123456789abcdef0", "")
	both.LaunchTemplate.LaunchTemplateName = aws.String("web")
	s.wantRefusedLaunch(both, "InvalidParameterCombination", "")
	dry := &ec2.DeleteLaunchTemplateInput{LaunchTemplateName: aws.String("web"), DryRun: aws.Bool(true)}
	_, err := s.ec2.DeleteLaunchTemplate(s.ctx, dry)
	wantError(t, err, 412, "DryRunOperation", "")
	if out, err := s.ec2.DescribeLaunchTemplates(s.ctx, &ec2.DescribeLaunchTemplatesInput{}); err != nil || len(out.LaunchTemplates) != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestCreatingALaunchTemplateIsIdempotentByItsToken(t *testing.T) {
	s := newSim(t)
	in := &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("web"), LaunchTemplateData: s.webTemplate(), ClientToken: aws.String("t")}
	first, err := s.ec2.CreateLaunchTemplate(s.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.ec2.CreateLaunchTemplate(s.ctx, in)
	if err != nil || *again.LaunchTemplate.LaunchTemplateId != *first.LaunchTemplate.LaunchTemplateId {
		t.Errorf("again: %+v, %v", again, err)
	}
	in.VersionDescription = aws.String("another")
	_, err = s.ec2.CreateLaunchTemplate(s.ctx, in)
	wantError(t, err, 400, "IdempotentParameterMismatch", mismatch)
	version := &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateName: aws.String("web"), LaunchTemplateData: s.webTemplate(), ClientToken: aws.String("v")}
	for range 2 {
		out, err := s.ec2.CreateLaunchTemplateVersion(s.ctx, version)
		if err != nil || *out.LaunchTemplateVersion.VersionNumber != 2 {
			t.Errorf("version %+v, %v", out, err)
		}
	}
	templates := must(s.ec2.DescribeLaunchTemplates(s.ctx, &ec2.DescribeLaunchTemplatesInput{})).LaunchTemplates
	if len(templates) != 1 || *templates[0].LatestVersionNumber != 2 {
		t.Errorf("there are %d templates: %+v", len(templates), templates)
	}
}

// The token of a launch binds the call and not what its template holds by then; and its scope is the zone, also where the
// template names it.
func TestTokensOfLaunchesFromTemplates(t *testing.T) {
	s := newSim(t)
	data := s.webTemplate()
	data.Placement = &types.LaunchTemplatePlacementRequest{AvailabilityZone: aws.String("us-east-1b")}
	id := *s.template("web", data).LaunchTemplateId
	in := s.fromTemplate(id, "$Latest")
	in.SubnetId, in.ClientToken = nil, aws.String("t")
	first := s.run(in)
	if *first.Placement.AvailabilityZone != "us-east-1b" {
		t.Errorf("launched in %s", *first.Placement.AvailabilityZone)
	}
	s.newVersion(id, "1", &types.RequestLaunchTemplateData{InstanceType: "t3.large"})
	if again := s.run(in); *again.InstanceId != *first.InstanceId {
		t.Errorf("the same call launched %s after %s", *again.InstanceId, *first.InstanceId)
	}
	in.InstanceType = "t3.nano"
	s.wantRefusedLaunch(in, "IdempotentParameterMismatch", mismatch)
	elsewhere := s.fromTemplate(id, "$Latest")
	elsewhere.SubnetId, elsewhere.ClientToken = nil, aws.String("t")
	elsewhere.Placement = &types.Placement{AvailabilityZone: aws.String("us-east-1c")}
	if other := s.run(elsewhere); *other.InstanceId == *first.InstanceId || *other.Placement.AvailabilityZone != "us-east-1c" {
		t.Errorf("in another zone the token launched %s in %s", *other.InstanceId, *other.Placement.AvailabilityZone)
	}
}

// resolve:ssm: in a template is resolved at each launch (EC2 user guide).
func TestTheImageOfATemplateIsResolvedAtLaunch(t *testing.T) {
	s := newSim(t)
	data := s.webTemplate()
	data.ImageId = aws.String("resolve:ssm:/images/web")
	id := *s.template("web", data).LaunchTemplateId
	put := func(value string) {
		_, err := s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/images/web"), Value: &value, Type: "String",
			DataType: aws.String("aws:ec2:image"), Overwrite: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		if got := must(s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/images/web")})); *got.Parameter.Value != value {
			t.Errorf("the parameter reads %s, want %s", *got.Parameter.Value, value)
		}
	}
	shown := func(resolve bool) string {
		out, err := s.ec2.DescribeLaunchTemplateVersions(s.ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, ResolveAlias: &resolve})
		if err != nil {
			t.Fatal(err)
		}
		return *out.LaunchTemplateVersions[0].LaunchTemplateData.ImageId
	}
	for _, image := range []string{s.site.V1, s.site.V2} {
		put(image)
		if got := *s.run(s.fromTemplate(id, "")).ImageId; got != image || shown(true) != image || shown(false) != "resolve:ssm:/images/web" {
			t.Errorf("launched %s, want %s; described as %s and %s", got, image, shown(true), shown(false))
		}
	}
}

// AWS's own tags cannot be given, changed or deleted, and do not count (EC2 user guide, tag restrictions).
func TestTagsOfTheTemplateStay(t *testing.T) {
	s := newSim(t)
	in := s.run(s.fromTemplate(*s.template("web", s.webTemplate()).LaunchTemplateId, ""))
	id := *in.InstanceId
	wantError(t, s.untag(id, types.Tag{Key: aws.String("aws:ec2launchtemplate:id")}), 400, "InvalidParameterValue", "")
	if err := s.untag(id); err != nil {
		t.Fatal(err)
	}
	full := map[string]string{}
	for i := range maxTags {
		full[fmt.Sprint("k", i)] = "v"
	}
	if err := s.tag(full, id); err != nil {
		t.Errorf("50 tags beside AWS's own: %v", err)
	}
	if got := s.readTagsOf(id); len(got) != maxTags+2 || got["aws:ec2launchtemplate:version"] != "1" || got["Name"] != "" {
		t.Errorf("tags are %v", got)
	}
	wantError(t, s.tag(map[string]string{"more": ""}, id), 400, "TagLimitExceeded", "")
}

func TestInstanceTypeOfferings(t *testing.T) {
	s := newSim(t)
	s.SetOffered("t3.micro", "us-east-1b", false)
	read := func(kind types.LocationType) []string {
		t.Helper()
		var got []string
		for p := ec2.NewDescribeInstanceTypeOfferingsPaginator(s.ec2, &ec2.DescribeInstanceTypeOfferingsInput{LocationType: kind, MaxResults: aws.Int32(5),
			Filters: []types.Filter{{Name: aws.String("instance-type"), Values: []string{"t3.micro", "t3.n*"}}}}); p.HasMorePages(); {
			out, err := p.NextPage(s.ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range out.InstanceTypeOfferings {
				got = append(got, string(o.InstanceType)+" "+string(o.LocationType)+" "+*o.Location)
			}
		}
		return got
	}
	for kind, want := range map[types.LocationType][]string{
		"": {"t3.micro region us-east-1", "t3.nano region us-east-1"},
		"availability-zone": {"t3.micro availability-zone us-east-1a", "t3.micro availability-zone us-east-1c", "t3.nano availability-zone us-east-1a",
			"t3.nano availability-zone us-east-1b", "t3.nano availability-zone us-east-1c"},
		"availability-zone-id": {"t3.micro availability-zone-id use1-az1", "t3.micro availability-zone-id use1-az3", "t3.nano availability-zone-id use1-az1",
			"t3.nano availability-zone-id use1-az2", "t3.nano availability-zone-id use1-az3"},
	} {
		if diff := cmp.Diff(want, read(kind)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
	_, err := s.ec2.DescribeInstanceTypeOfferings(s.ctx, &ec2.DescribeInstanceTypeOfferingsInput{LocationType: "moon"})
	wantError(t, err, 400, "InvalidParameterValue", "")
}
