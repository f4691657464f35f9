package localaws

import (
	"slices"
	"strings"
)

// blockDevice is one volume that a launch asks for.
type blockDevice struct {
	name, kind       string
	size             int // GiB
	sized            bool
	iops, throughput int // MiB/s; 0 where the type has none
	keep             bool
	encrypted        bool
	kmsKeyID         string // as asked for: an id, an alias, or the ARN of either
	snapshotID       string
	volumeID         string
}

// volumeType is what EBS accepts of one type.
type volumeType struct {
	minSize, maxSize int // GiB
	// minIOPS and maxIOPS bound what can be asked for; 0: nothing can. perGiB is how many each GiB may have.
	minIOPS, maxIOPS, perGiB int
	needsIOPS                bool
	iops, throughput         int // what a volume gets that asks for none
}

// volumeTypes are the types with their limits (SDK documentation of EbsBlockDevice and CreateVolume; EBS user guide, volume
// types).
var volumeTypes = map[string]volumeType{
	"standard": {minSize: 1, maxSize: 1024},
	"gp2":      {minSize: 1, maxSize: 16384},
	"gp3":      {minSize: 1, maxSize: 65536, minIOPS: 3000, maxIOPS: 80000, perGiB: 500, iops: 3000, throughput: 125},
	"io1":      {minSize: 4, maxSize: 16384, minIOPS: 100, maxIOPS: 64000, perGiB: 50, needsIOPS: true},
	"io2":      {minSize: 4, maxSize: 65536, minIOPS: 100, maxIOPS: 256000, perGiB: 1000, needsIOPS: true},
	"st1":      {minSize: 125, maxSize: 16384},
	"sc1":      {minSize: 125, maxSize: 16384},
}

// What gp3 volumes may have of throughput, in MiB/s, and how many IOPS each MiB/s takes.
const (
	minThroughput     = 125
	maxThroughput     = 2000
	iopsForThroughput = 4
)

// defaultVolume is the size of a volume that asks for none and is made from nothing that has a size.
const defaultVolume = 8

func (l *launch) readDevices(q *call) *apiError {
	for _, p := range q.structs("BlockDeviceMapping") {
		d, err := readDevice(q, p)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(l.devices, func(other blockDevice) bool { return other.name == d.name }) {
			return refuse("InvalidBlockDeviceMapping", "The device '%s' is used in more than one block-device mapping", d.name)
		}
		l.devices = append(l.devices, d)
	}
	if !slices.ContainsFunc(l.devices, func(d blockDevice) bool { return d.name == rootDevice }) {
		root := blockDevice{name: rootDevice, kind: "gp3", size: defaultVolume}
		root.fill()
		l.devices = append([]blockDevice{root}, l.devices...)
	}
	return nil
}

func readDevice(q *call, p *params) (blockDevice, *apiError) {
	d := blockDevice{name: p.str("DeviceName"), kind: p.str("Ebs.VolumeType"), size: p.int("Ebs.VolumeSize", 0),
		iops: p.int("Ebs.Iops", 0), throughput: p.int("Ebs.Throughput", 0), keep: !p.bool("Ebs.DeleteOnTermination", true),
		encrypted: p.bool("Ebs.Encrypted", false), kmsKeyID: p.str("Ebs.KmsKeyId"), snapshotID: p.str("Ebs.SnapshotId")}
	if d.name == "" {
		return d, q.service.protocol.missingParameter("deviceName")
	}
	if d.kind == "" {
		d.kind = "gp3"
	}
	d.sized = p.has("Ebs.VolumeSize")
	if err := d.fromSnapshot(q.realm); err != nil {
		return d, err
	}
	for _, check := range []func(*params) *apiError{d.checkSize, d.checkIOPS, d.checkThroughput, d.checkKey} {
		if err := check(p); err != nil {
			return d, err
		}
	}
	d.fill()
	return d, nil
}

// fromSnapshot finds the snapshot, whose size is the least that the volume may have. The text for one that is too small is
// AWS's (hashicorp/packer issue 3073).
func (d *blockDevice) fromSnapshot(r *realm) *apiError {
	if d.snapshotID == "" {
		if !d.sized {
			d.size = defaultVolume
		}
		return nil
	}
	found, err := pick(snapshotID, []string{d.snapshotID}, r.snapshots)
	if err != nil {
		return err
	}
	switch least := found[0]; {
	case !d.sized:
		d.size = least
	case d.size < least:
		return refuse("InvalidBlockDeviceMapping", "Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB", d.size, d.snapshotID, least)
	}
	return nil
}

// checkSize and the checks after it word their refusals as CreateVolume does, so far as pages quote it; codes as in A3 of
// the EC2 error codes.
func (d *blockDevice) checkSize(*params) *apiError {
	t, known := volumeTypes[d.kind]
	switch {
	case !known:
		return unknownVolumeType(d.kind)
	case d.size < t.minSize:
		return refuse("InvalidBlockDeviceMapping", "Volume of %dGiB is too small; minimum is %dGiB.", d.size, t.minSize)
	case d.size > t.maxSize:
		return refuse("InvalidBlockDeviceMapping", "Volume of %dGiB is too large for volume type %s; maximum is %dGiB.", d.size, d.kind, t.maxSize)
	}
	return nil
}

func unknownVolumeType(kind string) *apiError {
	return refuse("InvalidParameterValue", "Value (%s) for parameter volumeType is invalid.", kind)
}

func (d *blockDevice) checkIOPS(p *params) *apiError {
	t, given := volumeTypes[d.kind], p.has("Ebs.Iops")
	switch {
	case !given && t.needsIOPS:
		return refuse("MissingParameter", "The parameter iops must be specified for %s volumes.", d.kind)
	case !given:
		return nil
	case t.maxIOPS == 0:
		return refuse("InvalidParameterCombination", "The parameter iops is not supported for %s volumes.", d.kind)
	case d.iops < t.minIOPS:
		return refuse("InvalidParameterValue", "Volume iops of %d is too low; minimum is %d.", d.iops, t.minIOPS)
	case d.iops > t.maxIOPS:
		return refuse("InvalidParameterValue", "Volume iops of %d is too high; maximum is %d.", d.iops, t.maxIOPS)
	case d.iops > max(t.iops, t.perGiB*d.size): // a small gp3 volume has its baseline all the same
		return refuse("InvalidParameterValue", "Iops to volume size ratio of %.1f is too high; maximum is %d.", float64(d.iops)/float64(d.size), t.perGiB)
	}
	return nil
}

func (d *blockDevice) checkThroughput(p *params) *apiError {
	t := volumeTypes[d.kind]
	iops := max(d.iops, t.iops)
	switch {
	case !p.has("Ebs.Throughput"):
		return nil
	case t.throughput == 0:
		return refuse("InvalidParameterCombination", "The parameter throughput is not supported for %s volumes.", d.kind)
	case d.throughput < minThroughput || d.throughput > maxThroughput:
		return refuse("InvalidParameterValue", "Volume throughput of %d MiB/s is not in the range %d-%d.", d.throughput, minThroughput, maxThroughput)
	case d.throughput*iopsForThroughput > iops:
		return refuse("InvalidParameterValue", "Throughput (MiB/s) to iops ratio of %.2f is too high; maximum is 0.25 MiB/s per iops.",
			float64(d.throughput)/float64(iops))
	}
	return nil
}

// checkKey: whether the key exists and may be used, EC2 finds out after the call (a launch that ends in terminated). Keys
// are not simulated; fail= makes such a launch.
func (d *blockDevice) checkKey(p *params) *apiError {
	if p.has("Ebs.KmsKeyId") && !d.encrypted {
		return refuse("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	return nil
}

// fill gives the volume what its type has without asking. Of gp2 that is its baseline: 3 IOPS a GiB, at least 100.
func (d *blockDevice) fill() {
	t := volumeTypes[d.kind]
	if d.iops == 0 {
		d.iops = t.iops
	}
	if d.throughput == 0 {
		d.throughput = t.throughput
	}
	if d.kind == "gp2" {
		d.iops = min(max(3*d.size, 100), 16000)
	}
}

// keyARN is the key as volumes show it; without one that was named it is the account's own for EBS. An alias stays one:
// which key it stands for is not simulated.
func (d *blockDevice) keyARN(r *realm) string {
	switch key := d.kmsKeyID; {
	case !d.encrypted:
		return ""
	case key == "":
		return r.arn("kms", "alias/aws/ebs")
	case strings.HasPrefix(key, "arn:"):
		return key
	case strings.HasPrefix(key, "alias/"):
		return r.arn("kms", key)
	default:
		return r.arn("kms", "key/"+key)
	}
}
