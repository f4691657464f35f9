package localaws

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// many names n parameters of a list, each with its number.
func many(list string, n int, value string) (pairs []string) {
	for i := range n {
		pairs = append(pairs, strings.ReplaceAll(list, "N", strconv.Itoa(i+1)), value+strconv.Itoa(i+1))
	}
	return pairs
}

// What the models bound is refused beyond the bounds, and makes nothing.
func TestAlarmsBeyondTheModelsBounds(t *testing.T) {
	s := newSim(t)
	watch := s.watch()
	for name, change := range map[string]func(*cloudwatch.PutMetricAlarmInput){
		"unit":             func(in *cloudwatch.PutMetricAlarmInput) { in.Unit = "Bananas" },
		"namespace":        func(in *cloudwatch.PutMetricAlarmInput) { in.Namespace = aws.String(":n") },
		"long metric name": func(in *cloudwatch.PutMetricAlarmInput) { in.MetricName = aws.String(strings.Repeat("m", 256)) },
		"description":      func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmDescription = aws.String(strings.Repeat("é", 1025)) },
		"extended statistic": func(in *cloudwatch.PutMetricAlarmInput) {
			in.Statistic, in.ExtendedStatistic = "", aws.String("banana")
		},
		"datapoints":           func(in *cloudwatch.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Int32(0) },
		"dimension with colon": func(in *cloudwatch.PutMetricAlarmInput) { in.Dimensions[0].Name = aws.String(":d") },
		"dimension of spaces":  func(in *cloudwatch.PutMetricAlarmInput) { in.Dimensions[0].Value = aws.String("  ") },
		"dimension not ASCII":  func(in *cloudwatch.PutMetricAlarmInput) { in.Dimensions[0].Value = aws.String("é") },
		"31 dimensions":        func(in *cloudwatch.PutMetricAlarmInput) { in.Dimensions = slices.Repeat(in.Dimensions, 31) },
	} {
		in := errorsAlarm("errors")
		change(in)
		if _, err := watch.PutMetricAlarm(s.ctx, in); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, _, body := send(t, s.Cloud, form("Action", "PutMetricAlarm", "Version", "2010-08-01", "AlarmName", "errors", "MetricName", "m", "Namespace", "n",
		"Statistic", "Sum", "Period", "60", "EvaluationPeriods", "1", "ComparisonOperator", "GreaterThanThreshold", "Threshold", "NaN")); !strings.Contains(body, "<Error>") {
		t.Errorf("a threshold that is no number: %s", body)
	}
	for _, ok := range []string{"p99", "p99.9", "tm90", "TM(10%:90%)", "PR(100:2000)", "IQM"} {
		in := errorsAlarm("percentile")
		in.Statistic, in.ExtendedStatistic = "", &ok
		must(watch.PutMetricAlarm(s.ctx, in))
	}
	_, err := watch.SetAlarmState(s.ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("percentile"), StateValue: cwtypes.StateValueOk,
		StateReason: aws.String(strings.Repeat("w", 1024))})
	wantError(t, err, 400, "ValidationError", "StateReason has at most 1023 characters, and StateReasonData 4000")
	if all := must(watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{})).MetricAlarms; len(all) != 1 || all[0].StateValue != cwtypes.StateValueInsufficientData {
		t.Errorf("alarms %+v", all)
	}
}

// A template may name what does not exist, but not what cannot be: it would be answered with.
func TestTemplatesOfWhatCannotBe(t *testing.T) {
	s := newSim(t)
	for name, change := range map[string]func(*types.RequestLaunchTemplateData){
		"behavior": func(d *types.RequestLaunchTemplateData) { d.InstanceInitiatedShutdownBehavior = "explode" },
		"tenancy": func(d *types.RequestLaunchTemplateData) {
			d.Placement = &types.LaunchTemplatePlacementRequest{Tenancy: "moon"}
		},
		"tokens":   func(d *types.RequestLaunchTemplateData) { d.MetadataOptions.HttpTokens = "banana" },
		"endpoint": func(d *types.RequestLaunchTemplateData) { d.MetadataOptions.HttpEndpoint = "banana" },
		"volume":   func(d *types.RequestLaunchTemplateData) { d.BlockDeviceMappings[0].Ebs.VolumeType = "floppy" },
		"type":     func(d *types.RequestLaunchTemplateData) { d.InstanceType = "t3.huge" },
		"its tags": func(d *types.RequestLaunchTemplateData) { d.MetadataOptions.InstanceMetadataTags = "banana" },
		"its IPv6": func(d *types.RequestLaunchTemplateData) { d.MetadataOptions.HttpProtocolIpv6 = "banana" },
	} {
		data := s.webTemplate()
		change(data)
		_, err := s.ec2.CreateLaunchTemplate(s.ctx, &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("web"), LaunchTemplateData: data})
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	data := s.webTemplate()
	data.ImageId, data.KeyName = aws.String("ami-0000000000000dead"), aws.String("nobody")
	s.template("web", data)
	if all := must(s.ec2.DescribeLaunchTemplates(s.ctx, &ec2.DescribeLaunchTemplatesInput{})).LaunchTemplates; len(all) != 1 {
		t.Errorf("%d templates", len(all))
	}
}

// A token that was used before does not make a dry run a success.
func TestDryRunsWithAUsedToken(t *testing.T) {
	s := newSim(t)
	token, name := aws.String("t"), aws.String("web")
	create := &ec2.CreateLaunchTemplateInput{LaunchTemplateName: name, LaunchTemplateData: s.webTemplate(), ClientToken: token}
	version := &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateName: name, LaunchTemplateData: s.webTemplate(), ClientToken: token}
	change := &ec2.ModifyLaunchTemplateInput{LaunchTemplateName: name, DefaultVersion: aws.String("2"), ClientToken: token}
	must(s.ec2.CreateLaunchTemplate(s.ctx, create))
	must(s.ec2.CreateLaunchTemplateVersion(s.ctx, version))
	must(s.ec2.ModifyLaunchTemplate(s.ctx, change))
	fleet := s.fleetOf(1, []string{"t3.micro"}, 1)
	fleet.ClientToken = token
	must(s.ec2.CreateFleet(s.ctx, fleet))
	create.DryRun, version.DryRun, change.DryRun, fleet.DryRun = aws.Bool(true), aws.Bool(true), aws.Bool(true), aws.Bool(true)
	for name, call := range map[string]func() error{
		"CreateLaunchTemplate":        func() error { _, err := s.ec2.CreateLaunchTemplate(s.ctx, create); return err },
		"CreateLaunchTemplateVersion": func() error { _, err := s.ec2.CreateLaunchTemplateVersion(s.ctx, version); return err },
		"ModifyLaunchTemplate":        func() error { _, err := s.ec2.ModifyLaunchTemplate(s.ctx, change); return err },
		"CreateFleet":                 func() error { _, err := s.ec2.CreateFleet(s.ctx, fleet); return err },
	} {
		t.Run(name, func(t *testing.T) { wantError(t, call(), 412, "DryRunOperation", "") })
	}
	s.wantAlive(1)
}

// The default version changes once for a token, and not to another version by the same one.
func TestTheDefaultVersionIsSetOncePerToken(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	must(s.ec2.CreateLaunchTemplateVersion(s.ctx, &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateName: aws.String("web"), LaunchTemplateData: s.webTemplate()}))
	set := func(token, version string) error {
		_, err := s.ec2.ModifyLaunchTemplate(s.ctx, &ec2.ModifyLaunchTemplateInput{LaunchTemplateName: aws.String("web"),
			DefaultVersion: &version, ClientToken: &token})
		return err
	}
	succeed(t, set("a", "2"))
	wantError(t, set("a", "1"), 400, "IdempotentParameterMismatch", "")
	succeed(t, set("b", "1"))
	succeed(t, set("a", "2"))
	if x := must(s.ec2.DescribeLaunchTemplates(s.ctx, &ec2.DescribeLaunchTemplatesInput{})).LaunchTemplates[0]; *x.DefaultVersionNumber != 1 {
		t.Errorf("the repeated call made version %d the default again", *x.DefaultVersionNumber)
	}
}

// What would have been ignored is refused.
func TestParametersThatDoNotGoTogether(t *testing.T) {
	s := newSim(t)
	s.template("web", s.webTemplate())
	id := s.launch(1)[0]
	for name, row := range map[string]struct {
		pairs      []string
		code, text string
	}{
		"versions and a range": {[]string{"DescribeLaunchTemplateVersions", "LaunchTemplateName", "web", "LaunchTemplateVersion.1", "1", "MinVersion", "2"},
			"InvalidParameterCombination", "MinVersion"},
		"latest and a range":     {[]string{"DescribeLaunchTemplateVersions", "LaunchTemplateVersion.1", "$Latest", "MaxVersion", "50"}, "InvalidParameterCombination", "MaxVersion"},
		"ids and a token":        {[]string{"DescribeInstances", "InstanceId.1", id, "NextToken", "garbage"}, "InvalidPaginationToken", "garbage"},
		"status and a token":     {[]string{"DescribeInstanceStatus", "InstanceId.1", id, "NextToken", "garbage"}, "InvalidPaginationToken", "garbage"},
		"a value of nothing":     {[]string{"ModifyInstanceAttribute", "InstanceId", id, "DisableApiTermination.Value", "false", "Value", "foo"}, "InvalidParameterCombination", "Value"},
		"a key pair by id":       {[]string{"DescribeKeyPairs", "KeyPairId.1", "key-00000000000000bad"}, "InvalidKeyPair.NotFound", "key-00000000000000bad"},
		"101 types":              {append([]string{"DescribeInstanceTypes"}, many("InstanceType.N", 101, "t")...), "InvalidParameterValue", "At most 100"},
		"a page of 101 types":    {[]string{"DescribeInstanceTypes", "MaxResults", "101"}, "InvalidParameterValue", "smaller than 100"},
		"1001 images":            {append([]string{"DescribeImages"}, many("ImageId.N", 1001, "ami-")...), "InvalidRequest", "1001 exceeds"},
		"1001 subnets":           {append([]string{"DescribeSubnets"}, many("SubnetId.N", 1001, "subnet-")...), "InvalidRequest", "1001 exceeds"},
		"a long token":           {[]string{"CreateLaunchTemplate", "LaunchTemplateName", "x-1", "LaunchTemplateData.KeyName", "k", "ClientToken", strings.Repeat("t", 129)}, "InvalidParameterValue", "128 ASCII"},
		"a token beyond ASCII":   {[]string{"RunInstances", "MinCount", "1", "MaxCount", "1", "ImageId", s.site.V1, "ClientToken", "é"}, "InvalidParameterValue", "ASCII"},
		"an attribute of AWS's":  {[]string{"DescribeInstanceAttribute", "InstanceId", id, "Attribute", "rootDeviceName"}, "InvalidParameterValue", "not simulated"},
		"an attribute of nobody": {[]string{"DescribeInstanceAttribute", "InstanceId", id, "Attribute", "moon"}, "InvalidParameterValue", "Unknown attribute"},
		"a change of AWS's":      {[]string{"ModifyInstanceAttribute", "InstanceId", id, "Attribute", "userData", "Value", "x"}, "InvalidParameterValue", "not simulated"},
		"an image's short name":  {[]string{"CreateImage", "InstanceId", id, "Name", "a"}, "InvalidAMIName.Malformed", "between 3 and 128"},
		"a reserved tag, dry":    {[]string{"DeleteTags", "ResourceId.1", id, "Tag.1.Key", "aws:x", "DryRun", "true"}, "InvalidParameterValue", "reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, s.Cloud, form(append([]string{"Version", ec2Version, "Action"}, row.pairs...)...), row.code, row.text)
		})
	}
	s.wantAlive(1)
}

// Quotas count what runs: a stopped server needs room to start.
func TestStartingNeedsRoomInTheQuotas(t *testing.T) {
	for code, limit := range map[string]func(*sim){
		"InstanceLimitExceeded": func(s *sim) { s.SetInstanceQuota(2) },
		"VcpuLimitExceeded":     func(s *sim) { s.SetVCPUQuota(4) },
	} {
		s := newSim(t)
		id := s.launch(1)[0]
		s.clock.Advance(time.Minute)
		must(s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}}))
		s.clock.Advance(time.Minute)
		limit(s)
		s.launch(2)
		_, err := s.ec2.StartInstances(s.ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}})
		wantError(t, err, 400, code, "")
		if got := s.find("instance-state-name", stateStopped); len(got) != 1 || *got[0].InstanceId != id {
			t.Errorf("%d are stopped", len(got))
		}
	}
}

// An image has the size of the volume that it was made of.
func TestAnImageHasTheSizeOfItsRoot(t *testing.T) {
	s := newSim(t)
	device := func(name string) types.BlockDeviceMapping {
		return types.BlockDeviceMapping{DeviceName: &name, Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(20)}}
	}
	image := func(id string) (*ec2.CreateImageOutput, error) {
		s.clock.Advance(time.Minute)
		return s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String("golden"), NoReboot: aws.Bool(true)})
	}
	two := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.BlockDeviceMappings = []types.BlockDeviceMapping{device("/dev/sdb")}
	})[0]
	_, err := image(two)
	wantError(t, err, 400, "UnsupportedOperation", "An image with a volume beside the root device is not simulated here: '"+two+"' has /dev/sdb")
	made := must(image(s.launch(1, func(in *ec2.RunInstancesInput) {
		in.BlockDeviceMappings = []types.BlockDeviceMapping{device("/dev/xvda")}
	})[0]))
	shown := must(s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{ImageIds: []string{*made.ImageId}})).Images[0].BlockDeviceMappings
	if len(shown) != 1 || *shown[0].Ebs.VolumeSize != 20 {
		t.Errorf("devices %+v", shown)
	}
}

// A slip in the region's name shows no empty world.
func TestARegionThatCannotBe(t *testing.T) {
	s := newSim(t)
	for _, region := range []string{"x", "us-east", "us-east-1a", "US-EAST-1"} {
		cfg, text := s.config("AKIDTEST", region), "Credential should be scoped to a valid region, not '"+region+"'."
		_, err := ec2.NewFromConfig(cfg).DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{})
		wantError(t, err, http.StatusUnauthorized, "AuthFailure", text)
		_, err = ssm.NewFromConfig(cfg).GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/a")})
		wantError(t, err, 400, "InvalidSignatureException", text)
		_, err = sts.NewFromConfig(cfg).GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{})
		wantError(t, err, http.StatusForbidden, "SignatureDoesNotMatch", text)
	}
	for _, region := range []string{"eu-central-1", "ap-southeast-7", "us-gov-east-1"} {
		must(ec2.NewFromConfig(s.config("AKIDTEST", region)).DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{}))
	}
}

// /name and name are two parameters; only an ARN does not tell them apart.
func TestParametersWithAndWithoutASlash(t *testing.T) {
	s := newSim(t)
	put := func(name, value string) {
		must(s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: "String"}))
	}
	get := func(name string) (*ssm.GetParameterOutput, error) {
		return s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: &name})
	}
	put("image", "one")
	_, err := get("/image")
	wantError(t, err, 400, "ParameterNotFound", "")
	if p := must(get("arn:aws:ssm:us-east-1:123456789012:parameter/image")); *p.Parameter.Value != "one" {
		t.Errorf("by its ARN: %+v", p.Parameter)
	}
	put("/image", "two")
	if one, two := must(get("image")), must(get("/image")); *one.Parameter.Value != "one" || *two.Parameter.Value != "two" {
		t.Errorf("image is %s, /image is %s", *one.Parameter.Value, *two.Parameter.Value)
	}
}

func TestZonesByTheirRegion(t *testing.T) {
	s := newSim(t)
	for _, filters := range [][]types.Filter{ec2Filter("region-name", "us-east-1"), ec2Filter("group-name", "us-east-1"), ec2Filter("opt-in-status", "opt-in-not-required")} {
		if zones := must(s.ec2.DescribeAvailabilityZones(s.ctx, &ec2.DescribeAvailabilityZonesInput{Filters: filters})).AvailabilityZones; len(zones) < 2 {
			t.Errorf("%s: %d zones", *filters[0].Name, len(zones))
		}
	}
	if zones := must(s.ec2.DescribeAvailabilityZones(s.ctx, &ec2.DescribeAvailabilityZonesInput{Filters: ec2Filter("region-name", "eu-west-1")})); len(zones.AvailabilityZones) > 0 {
		t.Errorf("zones of another region: %v", zones.AvailabilityZones)
	}
}
