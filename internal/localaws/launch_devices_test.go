package localaws

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// withDevices asks for volumes, the first one on the root device.
func withDevices(wanted ...types.EbsBlockDevice) func(*ec2.RunInstancesInput) {
	return func(in *ec2.RunInstancesInput) {
		for i, ebs := range wanted {
			name := rootDevice
			if i > 0 {
				name = "/dev/sd" + string(rune('e'+i))
			}
			in.BlockDeviceMappings = append(in.BlockDeviceMappings, types.BlockDeviceMapping{DeviceName: &name, Ebs: &ebs})
		}
	}
}

func TestVolumesAreCheckedByType(t *testing.T) {
	size := func(kind types.VolumeType, size int32) types.EbsBlockDevice {
		return types.EbsBlockDevice{VolumeType: kind, VolumeSize: &size}
	}
	with := func(d types.EbsBlockDevice, change func(*types.EbsBlockDevice)) types.EbsBlockDevice {
		change(&d)
		return d
	}
	iops := func(d types.EbsBlockDevice, n int32) types.EbsBlockDevice {
		return with(d, func(d *types.EbsBlockDevice) { d.Iops = &n })
	}
	throughput := func(d types.EbsBlockDevice, n int32) types.EbsBlockDevice {
		return with(d, func(d *types.EbsBlockDevice) { d.Throughput = &n })
	}
	for name, tc := range map[string]struct {
		ebs     types.EbsBlockDevice
		code    string // "" if it is accepted
		message string
	}{
		"gp3 as it comes":              {size("gp3", 20), "", ""},
		"gp3 at its most":              {throughput(iops(size("gp3", 160), 80000), 2000), "", ""},
		"gp3, too few IOPS":            {iops(size("gp3", 100), 2999), "InvalidParameterValue", "Volume iops of 2999 is too low; minimum is 3000."},
		"gp3, too many IOPS":           {iops(size("gp3", 65536), 80001), "InvalidParameterValue", "Volume iops of 80001 is too high; maximum is 80000."},
		"gp3, too many IOPS a GiB":     {iops(size("gp3", 8), 4001), "InvalidParameterValue", "Iops to volume size ratio of 500.1 is too high; maximum is 500."},
		"gp3, small with its own":      {iops(size("gp3", 8), 3000), "", ""},
		"gp3, throughput that fits":    {throughput(size("gp3", 20), 750), "", ""},
		"gp3, too much throughput":     {throughput(size("gp3", 20), 751), "InvalidParameterValue", "Throughput (MiB/s) to iops ratio of 0.25 is too high; maximum is 0.25 MiB/s per iops."},
		"gp3, throughput off limits":   {throughput(iops(size("gp3", 160), 80000), 2001), "InvalidParameterValue", ""},
		"gp2 with IOPS":                {iops(size("gp2", 100), 3000), "InvalidParameterCombination", "The parameter iops is not supported for gp2 volumes."},
		"gp2 with throughput":          {throughput(size("gp2", 100), 125), "InvalidParameterCombination", "The parameter throughput is not supported for gp2 volumes."},
		"gp2, too large":               {size("gp2", 16385), "InvalidBlockDeviceMapping", "Volume of 16385GiB is too large for volume type gp2; maximum is 16384GiB."},
		"io1":                          {iops(size("io1", 100), 5000), "", ""},
		"io1 without IOPS":             {size("io1", 100), "MissingParameter", "The parameter iops must be specified for io1 volumes."},
		"io1, too many IOPS a GiB":     {iops(size("io1", 10), 501), "InvalidParameterValue", "Iops to volume size ratio of 50.1 is too high; maximum is 50."},
		"io2":                          {iops(size("io2", 256), 256000), "", ""},
		"io2 with throughput":          {throughput(iops(size("io2", 256), 1000), 125), "InvalidParameterCombination", ""},
		"st1, too small":               {size("st1", 124), "InvalidBlockDeviceMapping", "Volume of 124GiB is too small; minimum is 125GiB."},
		"an unknown type":              {size("gp4", 8), "InvalidParameterValue", "Value (gp4) for parameter volumeType is invalid."},
		"encrypted":                    {types.EbsBlockDevice{Encrypted: aws.Bool(true)}, "", ""},
		"encrypted with a key":         {types.EbsBlockDevice{Encrypted: aws.Bool(true), KmsKeyId: aws.String("alias/disks")}, "", ""},
		"a key without encryption":     {types.EbsBlockDevice{KmsKeyId: aws.String("alias/disks")}, "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."},
		"a snapshot":                   {types.EbsBlockDevice{SnapshotId: aws.String("snap-0a11ce0000000000d")}, "", ""},
		"smaller than its snapshot":    {types.EbsBlockDevice{SnapshotId: aws.String("snap-0a11ce0000000000d"), VolumeSize: new(int32(29))}, "InvalidBlockDeviceMapping", "Volume of size 29GB is smaller than snapshot 'snap-0a11ce0000000000d', expect size >= 30GB"},
		"a snapshot that is not there": {types.EbsBlockDevice{SnapshotId: aws.String("snap-0a11ce0000000000e")}, "InvalidSnapshot.NotFound", "The snapshot 'snap-0a11ce0000000000e' does not exist"},
		"no snapshot at all":           {types.EbsBlockDevice{SnapshotId: aws.String("backup")}, "InvalidSnapshotID.Malformed", ""},
		"smaller than its image":       {types.EbsBlockDevice{VolumeSize: new(int32(4))}, "InvalidBlockDeviceMapping", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.SeedSnapshot("snap-0a11ce0000000000d", 30)
			_, err := s.ec2.RunInstances(s.ctx, s.input(1, withDevices(tc.ebs)))
			made := must(s.ec2.DescribeVolumes(s.ctx, &ec2.DescribeVolumesInput{})).Volumes
			if tc.code != "" {
				wantError(t, err, 400, tc.code, tc.message)
				if len(made) != 0 {
					t.Errorf("it made %+v", made)
				}
				return
			}
			succeed(t, err)
			if len(made) != 1 {
				t.Fatalf("it made %+v", made)
			}
			d := tc.ebs
			if v := made[0]; d.VolumeType != "" && v.VolumeType != d.VolumeType || d.VolumeSize != nil && *v.Size != *d.VolumeSize ||
				d.Iops != nil && *v.Iops != *d.Iops || d.Throughput != nil && *v.Throughput != *d.Throughput || *v.Encrypted != aws.ToBool(d.Encrypted) {
				t.Errorf("it made %+v", made)
			}
		})
	}
}

func TestVolumesAreShown(t *testing.T) {
	s := newSim(t)
	s.SeedSnapshot("snap-0a11ce0000000000d", 30)
	id := s.launch(1, withDevices(
		types.EbsBlockDevice{VolumeType: "gp3", VolumeSize: new(int32(20)), Iops: new(int32(4000)), Throughput: new(int32(250)), Encrypted: aws.Bool(true),
			KmsKeyId: aws.String("1234abcd-12ab-34cd-56ef-1234567890ab")},
		types.EbsBlockDevice{VolumeType: "gp2", SnapshotId: aws.String("snap-0a11ce0000000000d"), DeleteOnTermination: aws.Bool(false)}))[0]

	in, _ := s.Instance(id)
	image := must(s.ec2.DescribeImages(s.ctx, &ec2.DescribeImagesInput{ImageIds: []string{s.site.V1}})).Images[0]
	want := []VolumeInfo{
		{Device: "/dev/sdf", Type: "gp2", SizeGiB: 30, IOPS: 100, SnapshotID: "snap-0a11ce0000000000d"},
		{Device: rootDevice, Type: "gp3", SizeGiB: 20, IOPS: 4000, Throughput: 250, Encrypted: true,
			KMSKeyID: "1234abcd-12ab-34cd-56ef-1234567890ab", SnapshotID: *image.BlockDeviceMappings[0].Ebs.SnapshotId, DeleteOnTermination: true},
	}
	if diff := cmp.Diff(want, in.Volumes, cmpopts.IgnoreFields(VolumeInfo{}, "ID")); diff != "" {
		t.Errorf("the truth (-want +got):\n%s", diff)
	}

	volumes := func(filter string, values ...string) map[string]types.Volume {
		out, err := s.ec2.DescribeVolumes(s.ctx, &ec2.DescribeVolumesInput{Filters: []types.Filter{{Name: &filter, Values: values}}})
		succeed(t, err)
		found := map[string]types.Volume{}
		for _, v := range out.Volumes {
			found[string(v.VolumeType)] = v
		}
		return found
	}
	found := volumes("attachment.instance-id", id)
	if root := found["gp3"]; len(found) != 2 || *root.Size != 20 || *root.Iops != 4000 || *root.Throughput != 250 || !*root.Encrypted ||
		*root.KmsKeyId != "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" || root.State != types.VolumeStateInUse ||
		len(root.Attachments) != 1 || *root.Attachments[0].Device != rootDevice || !*root.Attachments[0].DeleteOnTermination {
		t.Errorf("described: %+v", found)
	}
	if data := found["gp2"]; *data.SnapshotId != "snap-0a11ce0000000000d" || *data.Encrypted || data.KmsKeyId != nil || *data.Iops != 100 {
		t.Errorf("described: %+v", data)
	}

	s.clock.Advance(time.Minute)
	succeed(t, s.terminate(id))
	s.clock.Advance(time.Minute)
	if left := volumes("status", "available"); len(left) != 1 || *left["gp2"].Size != 30 || len(left["gp2"].Attachments) != 0 {
		t.Errorf("left after the end: %+v", left)
	}
	if left := volumes("status", "in-use"); len(left) != 0 {
		t.Errorf("still in use: %+v", left)
	}
}

// What has no effect here is refused by its name, rather than accepted and forgotten.
func TestParametersWithoutEffectAreRefused(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	s.clock.Advance(time.Minute)
	for name, call := range map[string]func() error{
		"Force of Terminate": func() error {
			_, err := s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}, Force: aws.Bool(true)})
			return err
		},
		"Hibernate": func() error {
			_, err := s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}, Hibernate: aws.Bool(true)})
			return err
		},
		"Force of Stop": func() error {
			_, err := s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}, Force: aws.Bool(true)})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, call(), 400, "UnknownParameter", "")
			if got := s.state(id); got != "running" {
				t.Errorf("after the refusal it is %s", got)
			}
		})
	}
}
