package localaws

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// volume is one EBS volume: the disk of a server, or what is left of one that keeps it. Guarded by Cloud.mu.
type volume struct {
	*tagged
	device  blockDevice
	in      *instance // that it is or was attached to
	created time.Time
}

// attachVolumes makes the volumes of a new instance.
func (r *realm) attachVolumes(in *instance, devices []blockDevice, tags map[string]string, newID func() string) {
	in.devices = slices.Clone(devices)
	for n := range in.devices {
		d := &in.devices[n]
		t := r.newTagged(newID(), "volume", tags)
		d.volumeID = t.id
		r.volumes[t.id] = &volume{tagged: t, device: *d, in: in, created: in.launched}
		r.c.recordChange(r, "volume", t.id, "", "in-use", "made for "+in.id)
	}
}

// dropVolumes deletes the volumes of an instance that has ended, but for those that are to be kept.
func (r *realm) dropVolumes(in *instance) {
	for _, d := range in.devices {
		if d.keep {
			r.c.recordChange(r, "volume", d.volumeID, "in-use", "available", in.id+" was terminated")
			continue
		}
		delete(r.tagged, d.volumeID)
		delete(r.volumes, d.volumeID)
		r.c.recordChange(r, "volume", d.volumeID, "in-use", deletedFact, in.id+" was terminated")
	}
}

// rootSize is the size of the instance's root volume.
func (in *instance) rootSize() int {
	i := slices.IndexFunc(in.devices, func(d blockDevice) bool { return d.name == rootDevice })
	return in.devices[i].size // every launch has a root device
}

func (v *volume) attached() bool { return v.in.state != stateTerminated }

func (v *volume) state() string {
	if v.attached() {
		return "in-use"
	}
	return "available"
}

type attachmentXML struct {
	Volume   string `xml:"volumeId"`
	Instance string `xml:"instanceId"`
	Device   string `xml:"device"`
	Status   string `xml:"status"`
	Attached string `xml:"attachTime"`
	Delete   bool   `xml:"deleteOnTermination"`
}

type volumeXML struct {
	ID          string               `xml:"volumeId"`
	Size        int                  `xml:"size"`
	Snapshot    string               `xml:"snapshotId"`
	AZ          string               `xml:"availabilityZone"`
	Status      string               `xml:"status"`
	Created     string               `xml:"createTime"`
	Attachments items[attachmentXML] `xml:"attachmentSet"`
	Type        string               `xml:"volumeType"`
	IOPS        int                  `xml:"iops,omitempty"`
	Throughput  int                  `xml:"throughput,omitempty"`
	Encrypted   bool                 `xml:"encrypted"`
	Key         string               `xml:"kmsKeyId,omitempty"`
	MultiAttach bool                 `xml:"multiAttachEnabled"`
	Tags        items[tagXML]        `xml:"tagSet"`
}

func (v *volume) xml(r *realm, now time.Time) volumeXML {
	d := v.device
	x := volumeXML{ID: v.id, Size: d.size, Snapshot: d.snapshotID, AZ: v.in.az, Status: v.state(), Created: timestamp(v.created), Type: d.kind,
		IOPS: d.iops, Throughput: d.throughput, Encrypted: d.encrypted, Key: d.keyARN(r), Tags: tagSet(v.visibleTags(now))}
	if v.attached() {
		x.Attachments = itemsOf([]attachmentXML{{v.id, v.in.id, d.name, "attached", timestamp(v.created), !d.keep}})
	}
	return x
}

var volumeFilters = filterable[*volume]{
	fields: map[string]func(*volume) []string{
		"volume-id":         func(v *volume) []string { return one(v.id) },
		"volume-type":       func(v *volume) []string { return one(v.device.kind) },
		"size":              func(v *volume) []string { return one(strconv.Itoa(v.device.size)) },
		"status":            func(v *volume) []string { return one(v.state()) },
		"snapshot-id":       func(v *volume) []string { return one(v.device.snapshotID) },
		"encrypted":         func(v *volume) []string { return one(strconv.FormatBool(v.device.encrypted)) },
		"availability-zone": func(v *volume) []string { return one(v.in.az) },
		"attachment.instance-id": func(v *volume) []string {
			if !v.attached() {
				return nil
			}
			return one(v.in.id)
		},
	},
	tags: func(v *volume, now time.Time) map[string]string { return v.visibleTags(now) },
}

var describeVolumes = describeByID(listing[*volume, volumeXML]{
	kind: volumeID, param: "VolumeId", set: "volumeSet", filters: volumeFilters,
	all:  func(r *realm) map[string]*volume { return r.volumes },
	show: func(r *realm, v *volume, now time.Time) volumeXML { return v.xml(r, now) },
	result: func(list []volumeXML, next string) any {
		return struct {
			Set  items[volumeXML] `xml:"volumeSet"`
			Next string           `xml:"nextToken,omitempty"`
		}{itemsOf(list), next}
	},
})

// VolumeInfo is the truth about one volume of an instance.
type VolumeInfo struct {
	ID, Device, Type    string
	SizeGiB             int
	IOPS, Throughput    int // 0 where the type has none
	Encrypted           bool
	KMSKeyID            string // as the launch named it
	SnapshotID          string
	DeleteOnTermination bool
}

// volumeInfos are the volumes that the instance was launched with, by device.
func (in *instance) volumeInfos() []VolumeInfo {
	out := make([]VolumeInfo, len(in.devices))
	for i, d := range in.devices {
		out[i] = VolumeInfo{ID: d.volumeID, Device: d.name, Type: d.kind, SizeGiB: d.size, IOPS: d.iops, Throughput: d.throughput,
			Encrypted: d.encrypted, KMSKeyID: d.kmsKeyID, SnapshotID: d.snapshotID, DeleteOnTermination: !d.keep}
	}
	slices.SortFunc(out, func(a, b VolumeInfo) int { return cmp.Compare(a.Device, b.Device) })
	return out
}
