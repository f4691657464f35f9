package localaws

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states of an image that occur here.
const (
	imagePending      = "pending"
	imageAvailable    = "available"
	imageDeregistered = "deregistered"
)

// image is one AMI as one realm sees it. Guarded by Cloud.mu.
type image struct {
	*tagged
	name, description string
	owner, arch       string
	state             string
	public            bool
	created           time.Time
	app               string // #localaws settings that its servers start with, see app.go
	snapshotID        string
}

const rootDevice = "/dev/xvda"

type imageXML struct {
	ID           string                  `xml:"imageId"`
	Location     string                  `xml:"imageLocation"`
	State        string                  `xml:"imageState"`
	Owner        string                  `xml:"imageOwnerId"`
	OwnerAlias   string                  `xml:"imageOwnerAlias,omitempty"`
	Created      string                  `xml:"creationDate"`
	Public       bool                    `xml:"isPublic"`
	Architecture string                  `xml:"architecture"`
	Type         string                  `xml:"imageType"`
	Platform     string                  `xml:"platformDetails"`
	Name         string                  `xml:"name"`
	Description  string                  `xml:"description,omitempty"`
	RootType     string                  `xml:"rootDeviceType"`
	RootName     string                  `xml:"rootDeviceName"`
	Devices      items[imageBlockDevice] `xml:"blockDeviceMapping"`
	Virtual      string                  `xml:"virtualizationType"`
	Hypervisor   string                  `xml:"hypervisor"`
	ENA          bool                    `xml:"enaSupport"`
	IMDS         string                  `xml:"imdsSupport"`
	Tags         items[tagXML]           `xml:"tagSet"`
}

type imageBlockDevice struct {
	Name string `xml:"deviceName"`
	EBS  struct {
		SnapshotID string `xml:"snapshotId"`
		Size       int    `xml:"volumeSize"`
		Type       string `xml:"volumeType"`
		Delete     bool   `xml:"deleteOnTermination"`
	} `xml:"ebs"`
}

// xml shows the image as realm r sees it.
func (i *image) xml(r *realm, now time.Time) imageXML {
	var root imageBlockDevice
	root.Name = rootDevice
	root.EBS.SnapshotID, root.EBS.Size, root.EBS.Type, root.EBS.Delete = i.snapshotID, cmp.Or(r.snapshots[i.snapshotID], defaultVolume), "gp3", true
	x := imageXML{
		ID: i.id, Location: i.owner + "/" + i.name, State: i.state, Owner: i.owner, Created: timestamp(i.created), Public: i.public,
		Architecture: i.arch, Type: "machine", Platform: "Linux/UNIX", Name: i.name, Description: i.description,
		RootType: "ebs", RootName: rootDevice, Devices: itemsOf([]imageBlockDevice{root}),
		Virtual: "hvm", Hypervisor: "xen", ENA: true, IMDS: "v2.0", Tags: tagSet(i.visibleTags(now)),
	}
	if i.owner == "amazon" {
		x.OwnerAlias = "amazon"
	}
	return x
}

var imageFilters = filterable[*image]{
	fields: map[string]func(*image) []string{
		"image-id":            func(i *image) []string { return one(i.id) },
		"name":                func(i *image) []string { return one(i.name) },
		"state":               func(i *image) []string { return one(i.state) },
		"architecture":        func(i *image) []string { return one(i.arch) },
		"owner-id":            func(i *image) []string { return one(i.owner) },
		"description":         func(i *image) []string { return one(i.description) },
		"is-public":           func(i *image) []string { return one(strconv.FormatBool(i.public)) },
		"creation-date":       func(i *image) []string { return one(timestamp(i.created)) },
		"image-type":          func(*image) []string { return one("machine") },
		"root-device-type":    func(*image) []string { return one("ebs") },
		"root-device-name":    func(*image) []string { return one(rootDevice) },
		"virtualization-type": func(*image) []string { return one("hvm") },
		"hypervisor":          func(*image) []string { return one("xen") },
	},
	tags: func(i *image, now time.Time) map[string]string { return i.visibleTags(now) },
}

var describeImages = operation{
	params: []string{"DryRun:bool", "ImageId.N", "Owner.N", "ExecutableBy.N", "Filter.N.Name", "Filter.N.Value.N",
		"IncludeDeprecated:bool", "MaxResults:int", "NextToken"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		keep, err := imageFilters.compile(q)
		if err != nil {
			return nil, err
		}
		if err := q.byIDOrPaged("ImageId", "imagesSet"); err != nil {
			return nil, err
		}
		images, err := q.wantedImages()
		if err != nil {
			return nil, err
		}
		owners, users := q.list("Owner"), q.list("ExecutableBy")
		images = slices.DeleteFunc(images, func(i *image) bool {
			return i.state == imageDeregistered || !i.ownedBy(q.realm, owners) || !i.executableBy(users) || !keep(i)
		})
		images, next, err := page(q, images, func(i *image) string { return i.id })
		if err != nil {
			return nil, err
		}
		list := make([]imageXML, len(images))
		for n, i := range images {
			list[n] = i.xml(q.realm, q.at)
		}
		return struct {
			Set  items[imageXML] `xml:"imagesSet"`
			Next string          `xml:"nextToken,omitempty"`
		}{itemsOf(list), next}, nil
	},
}

// wantedImages are those that are named, or all. A deregistered image can still be named for a while, and is then
// missing from the answer (SDK documentation of DescribeImages).
func (q *call) wantedImages() ([]*image, *apiError) {
	if ids := q.list("ImageId"); ids != nil {
		return pick(imageID, ids, q.realm.images)
	}
	images := make([]*image, 0, len(q.realm.images))
	for _, i := range q.realm.images {
		images = append(images, i)
	}
	slices.SortFunc(images, func(a, b *image) int { return strings.Compare(a.id, b.id) })
	return images, nil
}

func (i *image) ownedBy(r *realm, owners []string) bool {
	return owners == nil || slices.ContainsFunc(owners, func(o string) bool {
		return o == i.owner || o == "self" && i.owner == r.account
	})
}

func (i *image) executableBy(users []string) bool {
	return users == nil || i.public && slices.Contains(users, "all")
}

var createImage = operation{
	params: []string{"DryRun:bool", "InstanceId!", "Name!", "Description", "NoReboot:bool", "TagSpecification.N.ResourceType",
		"TagSpecification.N.Tag.N.Key", "TagSpecification.N.Tag.N.Value"},
	mutates: true,
	run:     (*Cloud).createImage,
}

func (c *Cloud) createImage(q *call) (any, *apiError) {
	found, err := q.mutableInstances([]string{q.str("InstanceId")})
	if err != nil {
		return nil, err
	}
	in, name := found[0], q.str("Name")
	if err := firstError(q.realm.imageNameTaken(name), imageOf(in)); err != nil {
		return nil, err
	}
	if in.state != stateRunning && in.state != stateStopped {
		return nil, refuse("IncorrectState", "Instance '%s' is not 'running' or 'stopped'.", in.id)
	}
	if in.state == stateRunning && !q.bool("NoReboot", false) {
		return nil, refuse("UnsupportedOperation", "The reboot of the running instance '%s' is not simulated here; "+
			"set the parameter NoReboot to true, or stop the instance first", in.id)
	}
	tags, err := readTagSpecifications(q.params, "image", "snapshot")
	if err != nil {
		return nil, err
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	i := &image{tagged: q.realm.newTagged(c.newID("ami-"), "image", tags["image"]), name: name, description: q.str("Description"),
		owner: q.realm.account, arch: instanceTypes[in.instanceType].arch, state: imagePending, created: q.at, snapshotID: c.newID("snap-")}
	if source := q.realm.images[in.imageID]; source != nil {
		i.app = source.app
	}
	q.realm.newTagged(i.snapshotID, "snapshot", tags["snapshot"])
	q.realm.snapshots[i.snapshotID] = in.rootSize()
	q.realm.images[i.id] = i
	c.after(c.knobs.ImagePending, imageReady{q.realm, i})
	q.effect("image %s of %s", i.id, in.id)
	return struct {
		ID string `xml:"imageId"`
	}{i.id}, nil
}

// imageReady ends what createImage began, unless the image was deregistered meanwhile.
type imageReady struct {
	realm *realm
	image *image
}

func (j imageReady) run(c *Cloud) {
	if j.image.state == imagePending {
		j.image.state = imageAvailable
		c.recordChange(j.realm, "image", j.image.id, imagePending, imageAvailable, "made")
	}
}

// imageOf refuses what the image would have beside the root volume: its servers would come up without it.
func imageOf(in *instance) *apiError {
	for _, d := range in.devices {
		if d.name != rootDevice {
			return refuse("UnsupportedOperation", "An image with a volume beside the root device is not simulated here: '%s' has %s", in.id, d.name)
		}
	}
	return nil
}

// imageName is what the model of CreateImage says of names.
var imageName = regexp.MustCompile(`^[A-Za-z0-9()\[\] ./\-'@_]{3,128}$`)

// imageNameTaken refuses a name that no image can have, or that another of the account's images has.
func (r *realm) imageNameTaken(name string) *apiError {
	if !imageName.MatchString(name) {
		return refuse("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, spaces and "+
			"( ) [ ] . / - ' @ _")
	}
	for _, other := range r.images {
		if other.name == name && other.owner == r.account && other.state != imageDeregistered {
			return refuse("InvalidAMIName.Duplicate", "AMI name %s is already in use by AMI %s", name, other.id)
		}
	}
	return nil
}

var deregisterImage = operation{
	params:  []string{"DryRun:bool", "ImageId!"},
	mutates: true,
	run: func(c *Cloud, q *call) (any, *apiError) {
		id := q.str("ImageId")
		found, err := pick(imageID, []string{id}, q.realm.images)
		if err != nil {
			return nil, err
		}
		switch i := found[0]; {
		case i.owner != q.realm.account:
			return nil, refuseWith(401, "AuthFailure", "Not authorized for image:%s", id)
		case i.state == imageDeregistered:
			return nil, unavailableImage(id)
		}
		if err := q.dryRun(); err != nil {
			return nil, err
		}
		found[0].state = imageDeregistered
		c.after(c.knobs.DeregisteredKnown, imageVanishes{q.realm, id})
		q.effect("deregistered %s", id)
		return returned{true}, nil
	},
}

// imageVanishes ends what deregisterImage began.
type imageVanishes struct {
	realm *realm
	id    string
}

func (j imageVanishes) run(*Cloud) {
	delete(j.realm.images, j.id)
	delete(j.realm.tagged, j.id)
}

// unavailableImage is what a deregistered image answers (ansible issue 24945).
func unavailableImage(id string) *apiError {
	return refuse("InvalidAMIID.Unavailable", "The image ID '%s' is no longer available", id)
}
