package localaws

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Image describes an AMI to seed.
type Image struct {
	// ID, made up if empty. Name defaults to the id.
	ID, Name, Description string
	// Arch is x86_64 (default) or arm64.
	Arch string
	// Owner is an account, or amazon. Default: the realm's account.
	Owner  string
	Public bool
	// State is available (default), pending, failed …; only an available image can be launched.
	State string
	Tags  map[string]string
	// App are settings that every server of this image starts with: "version=v1 configure=5s". See the settings that
	// user data may carry after #localaws.
	App string
}

// Subnet describes a subnet to seed.
type Subnet struct {
	// ID, made up if empty.
	ID string
	// AZ is its zone. Default: the region's first.
	AZ string
	// VPC is its network, made if it does not exist. Default: the realm's default VPC, made if there is none.
	VPC string
	// CIDR of its addresses. Default: the next /20 of 172.16.0.0/12.
	CIDR string
	// Free is how many addresses can be given out. Default: as many as the CIDR holds, less AWS's five.
	Free int
	// Default makes it the zone's default subnet, where launches go that name none.
	Default bool
	Tags    map[string]string
}

// Role is an IAM role that AssumeRole may be called for.
type Role struct {
	// ARN is arn:aws:iam::ACCOUNT:role/NAME; what is done with its credentials is done in that account.
	ARN string
	// ExternalID, if set, must be given by whoever assumes the role.
	ExternalID string
}

// SeedImage adds an image, or replaces the one with its id, and returns the id.
func (r Realm) SeedImage(i Image) string {
	r.edit(func(r *realm) {
		if i.ID == "" {
			i.ID = r.c.newID("ami-")
		}
		fill(&i.Name, i.ID)
		fill(&i.Arch, archX86)
		fill(&i.Owner, r.account)
		fill(&i.State, imageAvailable)
		r.images[i.ID] = &image{tagged: r.newTagged(i.ID, "image", i.Tags), name: i.Name, description: i.Description, owner: i.Owner,
			arch: i.Arch, state: i.State, public: i.Public, created: r.c.now(), app: i.App, snapshotID: r.c.newID("snap-")}
		r.snapshots[r.images[i.ID].snapshotID] = defaultVolume
	})
	return i.ID
}

// SeedSnapshot adds a snapshot of a volume of that size, and returns its id, made up if empty.
func (r Realm) SeedSnapshot(id string, sizeGiB int) string {
	r.edit(func(r *realm) {
		if id == "" {
			id = r.c.newID("snap-")
		}
		r.newTagged(id, "snapshot", nil)
		r.snapshots[id] = sizeGiB
	})
	return id
}

func fill(s *string, missing string) {
	if *s == "" {
		*s = missing
	}
}

// SetImageState moves an image to another state, such as deregistered; it fails for an unknown image.
func (r Realm) SetImageState(id, state string) error {
	err := fmt.Errorf("there is no image %s", id)
	r.edit(func(r *realm) {
		if i := r.images[id]; i != nil {
			i.state, err = state, nil
		}
	})
	return err
}

// SeedVPC adds a network and returns its id, made up if empty. The first one is the default VPC. Each has a security
// group named default.
func (r Realm) SeedVPC(id string) string {
	r.edit(func(r *realm) { id = r.seedVPC(id).id })
	return id
}

func (r *realm) seedVPC(id string) *vpc {
	if v := r.vpcs[id]; v != nil {
		return v
	}
	if id == "" {
		id = r.c.newID("vpc-")
	}
	v := &vpc{tagged: r.newTagged(id, "vpc", nil), cidr: netip.MustParsePrefix("172.16.0.0/12"), isDefault: len(r.vpcs) == 0}
	r.vpcs[id] = v
	r.seedGroup("", "default", id)
	return v
}

// defaultVPC is made where it is needed and missing.
func (r *realm) defaultVPC() *vpc {
	for _, v := range r.vpcs {
		if v.isDefault {
			return v
		}
	}
	return r.seedVPC("")
}

// SeedSubnet adds a subnet and returns its id. It panics on a CIDR that is none.
func (r Realm) SeedSubnet(s Subnet) string {
	r.edit(func(r *realm) {
		if s.ID == "" {
			s.ID = r.c.newID("subnet-")
		}
		fill(&s.AZ, r.zones[0])
		fill(&s.CIDR, fmt.Sprintf("172.%d.%d.0/20", 16+len(r.subnets)/16, len(r.subnets)%16*16))
		if s.VPC == "" {
			s.VPC = r.defaultVPC().id
		}
		r.seedVPC(s.VPC)
		if !slices.Contains(r.zones, s.AZ) {
			r.zones = append(r.zones, s.AZ)
			slices.Sort(r.zones)
		}
		cidr := netip.MustParsePrefix(s.CIDR)
		n := &subnet{tagged: r.newTagged(s.ID, "subnet", s.Tags), vpcID: s.VPC, az: s.AZ, cidr: cidr, isDefault: s.Default,
			free: 1<<(32-cidr.Bits()) - reservedAddresses, used: map[netip.Addr]bool{}}
		n.next = n.first()
		if s.Free > 0 {
			n.free = min(n.free, s.Free)
		}
		r.subnets[s.ID] = n
	})
	return s.ID
}

// SetFreeAddresses changes how many addresses a subnet can still give out; it fails for an unknown subnet.
func (r Realm) SetFreeAddresses(id string, free int) error {
	err := fmt.Errorf("there is no subnet %s", id)
	r.edit(func(r *realm) {
		if s := r.subnets[id]; s != nil {
			s.free, err = min(free, 1<<(32-s.cidr.Bits())-reservedAddresses-len(s.used)), nil
		}
	})
	return err
}

// RemoveSubnet takes a subnet away, as if a person had deleted it; servers in it are not touched.
func (r Realm) RemoveSubnet(id string) {
	r.edit(func(r *realm) {
		delete(r.subnets, id)
		delete(r.tagged, id)
	})
}

// SeedSecurityGroup adds a security group and returns its id, made up if empty. An empty vpc is the default one.
func (r Realm) SeedSecurityGroup(id, name, vpc string) string {
	r.edit(func(r *realm) {
		if vpc == "" {
			vpc = r.defaultVPC().id
		}
		r.seedVPC(vpc)
		id = r.seedGroup(id, name, vpc)
	})
	return id
}

func (r *realm) seedGroup(id, name, vpc string) string {
	if id == "" {
		id = r.c.newID("sg-")
	}
	r.groups[id] = &securityGroup{tagged: r.newTagged(id, "security-group", nil), name: name, description: name + " group", vpcID: vpc}
	return id
}

// RemoveSecurityGroup takes a security group away.
func (r Realm) RemoveSecurityGroup(id string) {
	r.edit(func(r *realm) {
		delete(r.groups, id)
		delete(r.tagged, id)
	})
}

// SeedKeyPair adds a key pair.
func (r Realm) SeedKeyPair(name string) {
	r.edit(func(r *realm) {
		k := &keyPair{tagged: r.newTagged(r.c.newID("key-"), "key-pair", nil), name: name}
		for i := range 20 {
			if i > 0 {
				k.fingerprint += ":"
			}
			k.fingerprint += r.c.newHex(2)
		}
		r.keyPairs[name] = k
	})
}

// SeedInstanceProfile adds an instance profile with a role of the same name, and returns the profile's ARN.
func (r Realm) SeedInstanceProfile(name string) (arn string) {
	r.edit(func(r *realm) {
		arn = "arn:aws:iam::" + r.account + ":instance-profile/" + name
		r.profiles[name] = &instanceProfile{name: name, arn: arn, id: "AIPA" + strings.ToUpper(r.c.newHex(16)), role: "arn:aws:iam::" + r.account + ":role/" + name,
			usableFrom: r.c.now().Add(r.c.knobs.ProfileLag)}
	})
	return arn
}

// SeedPublicParameter publishes a parameter as AWS does, with a name below /aws/service/, where PutParameter lets nobody write.
func (r Realm) SeedPublicParameter(name, value string) {
	r.edit(func(r *realm) {
		p := r.params[name]
		if p == nil {
			p = &parameter{name: name, kind: "String", dataType: "text"}
			r.params[name] = p
		}
		p.add(value, r.c.now())
	})
}

// SeedRole makes a role known to AssumeRole.
func (c *Cloud) SeedRole(role Role) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roles[role.ARN] = role
}

// SetCapacity limits how many more servers of a type EC2 will start in a zone: launches use it up and terminations give
// nothing back. Negative: no limit.
func (r Realm) SetCapacity(instanceType, az string, more int) {
	r.edit(func(r *realm) {
		key := capacityKey{instanceType, az}
		if more < 0 {
			delete(r.capacity, key)
		} else {
			r.capacity[key] = more
		}
	})
}

// SetOffered says whether a zone offers an instance type at all; where it does not, launches answer Unsupported.
func (r Realm) SetOffered(instanceType, az string, offered bool) {
	r.edit(func(r *realm) {
		key := capacityKey{instanceType, az}
		if offered {
			delete(r.withheld, key)
		} else {
			r.withheld[key] = true
		}
	})
}

// SetInstanceQuota limits how many servers the account may have pending or running (InstanceLimitExceeded). Negative:
// no limit.
func (r Realm) SetInstanceQuota(n int) { r.edit(func(r *realm) { r.quotas.instances = n }) }

// SetVCPUQuota limits their vCPUs (VcpuLimitExceeded). Negative: no limit.
func (r Realm) SetVCPUQuota(n int) { r.edit(func(r *realm) { r.quotas.vcpus = n }) }

// Site is what DefaultWorld furnishes a realm with.
type Site struct {
	VPC, SecurityGroup, KeyPair, Profile string
	// Subnets are in the region's first three zones, each its zone's default.
	Subnets []string
	// V1 and V2 are images for x86_64, V1ARM and V2ARM for arm64, named web-v1 and web-v2 (and -arm64).
	V1, V2, V1ARM, V2ARM string
}

// DefaultWorld makes one VPC with a subnet in each of three zones, a security group, the key pair ops, the instance
// profile web, and images. The ids are always the same.
func (r Realm) DefaultWorld() Site {
	s := Site{VPC: "vpc-0a11ce0000000000a", SecurityGroup: "sg-0a11ce0000000000b", KeyPair: "ops", Profile: "web",
		V1: "ami-0a11ce00000000001", V2: "ami-0a11ce00000000002", V1ARM: "ami-0a11ce00000000003", V2ARM: "ami-0a11ce00000000004"}
	r.SeedVPC(s.VPC)
	for i, zone := range []string{"a", "b", "c"} {
		s.Subnets = append(s.Subnets, r.SeedSubnet(Subnet{ID: fmt.Sprintf("subnet-0a11ce000000000%02x", 0xa1+i), AZ: r.Region() + zone,
			VPC: s.VPC, Default: true}))
	}
	r.SeedSecurityGroup(s.SecurityGroup, "web", s.VPC)
	r.SeedKeyPair(s.KeyPair)
	r.SeedInstanceProfile(s.Profile)
	r.SeedImage(Image{ID: s.V1, Name: "web-v1", App: "version=v1"})
	r.SeedImage(Image{ID: s.V2, Name: "web-v2", App: "version=v2"})
	r.SeedImage(Image{ID: s.V1ARM, Name: "web-v1-arm64", Arch: archARM, App: "version=v1"})
	r.SeedImage(Image{ID: s.V2ARM, Name: "web-v2-arm64", Arch: archARM, App: "version=v2"})
	return s
}
