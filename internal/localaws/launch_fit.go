package localaws

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// capacityKey is one instance type in one zone.
type capacityKey struct{ instanceType, az string }

// quotas are the account's limits on running instances; negative means none.
type quotas struct {
	instances, vcpus         int
	usedInstances, usedVCPUs int
}

// tenancies are what Placement.Tenancy may be, the default first (SDK documentation of Placement).
var tenancies = []string{"default", "dedicated", "host"}

// place finds the subnet, and with it the zone that the client token belongs to: zonal if the request names a subnet or
// a zone, else regional (EC2 developer guide, idempotency).
func (l *launch) place(q *call) *apiError {
	az := q.str("Placement.AvailabilityZone")
	if az != "" && !slices.Contains(q.realm.zones, az) {
		return unknownZone(az)
	}
	l.tenancy = cmp.Or(q.str("Placement.Tenancy"), tenancies[0])
	if !slices.Contains(tenancies, l.tenancy) {
		return unknownTenancy(l.tenancy)
	}
	if id := q.str("SubnetId"); id != "" {
		return l.placeInSubnet(q, id, az)
	}
	l.tokenScope = az
	for _, id := range slices.Sorted(maps.Keys(q.realm.subnets)) {
		if s := q.realm.subnets[id]; s.isDefault && (az == "" || s.az == az) {
			l.subnet = s
			return nil
		}
	}
	return refuse("VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.")
}

func unknownTenancy(value string) *apiError {
	return refuse("InvalidParameterValue", "Value (%s) for parameter tenancy is invalid. Valid values: %s.", value, strings.Join(tenancies, ", "))
}

func (l *launch) placeInSubnet(q *call, id, az string) *apiError {
	found, err := pick(subnetID, []string{id}, q.realm.subnets)
	if err != nil {
		return err
	}
	l.subnet, l.tokenScope = found[0], found[0].az
	if az != "" && az != l.subnet.az {
		return refuse("InvalidParameterCombination", "The subnet '%s' is in the Availability Zone %s and not in %s", id, l.subnet.az, az)
	}
	return nil
}

// resolve finds everything else that the request names.
func (l *launch) resolve(c *Cloud, q *call) *apiError {
	for _, step := range []func(*call) *apiError{l.resolveImage, l.resolveType, l.resolveGroups, l.resolveKey, l.resolveProfile} {
		if err := step(q); err != nil {
			return err
		}
	}
	if err := c.authorize(q, l.launchRequests(q)...); err != nil {
		return err
	}
	settings, bad := parseAppSettings(l.image.app, string(l.userData)+q.settings)
	if bad != nil {
		return refuse("InvalidParameterValue", "User data: %s", bad)
	}
	l.app = settings
	return nil
}

// imageNamed is the id of an image that may be named by a parameter: resolve:ssm:name, with :version or :label.
func (r *realm) imageNamed(id string) (string, *apiError) {
	name, isParameter := strings.CutPrefix(id, "resolve:ssm:")
	if !isParameter {
		return id, nil
	}
	p, v, err := r.findParameter(name)
	if err != nil {
		return "", refuse("InvalidParameterValue", "Unable to resolve the image id from the Systems Manager parameter %s: %s", name, err.Message)
	}
	if p.kind != "String" { // a list has no one image, and EC2 decrypts nothing
		return "", refuse("InvalidParameterValue", "The Systems Manager parameter %s has the type %s, and not String", name, p.kind)
	}
	if p.dataType != "aws:ec2:image" {
		return "", refuse("InvalidParameterValue", "The Systems Manager parameter %s has the data type %s, and not aws:ec2:image", name, p.dataType)
	}
	return v.value, nil
}

func (l *launch) resolveImage(q *call) *apiError {
	id, err := q.realm.imageNamed(q.str("ImageId"))
	if err != nil {
		return err
	}
	found, err := pick(imageID, []string{id}, q.realm.images)
	if err != nil {
		return err
	}
	l.image = found[0]
	if l.image.state != imageAvailable {
		return unavailableImage(id)
	}
	return l.resolveRoot(q.realm)
}

// resolveRoot makes the root volume from the image, unless the launch names another snapshot.
func (l *launch) resolveRoot(r *realm) *apiError {
	for i := range l.devices {
		if d := &l.devices[i]; d.name == rootDevice && d.snapshotID == "" {
			d.snapshotID = l.image.snapshotID
			err := d.fromSnapshot(r)
			d.fill()
			return err
		}
	}
	return nil
}

func (l *launch) resolveType(q *call) *apiError {
	name := q.str("InstanceType")
	if name == "" {
		// EC2's own default, m1.small, does not run images of today; text: baal issue 3.
		return refuse("InvalidParameterCombination",
			"Non-Windows instances with a virtualization type of 'hvm' are currently not supported for this instance type.")
	}
	kind, ok := instanceTypes[name]
	if !ok {
		return refuse("InvalidParameterValue", "Invalid value '%s' for InstanceType.", name)
	}
	l.kind = kind
	if kind.arch != l.image.arch {
		return refuse("InvalidParameterValue", "The architecture '%s' of the specified instance type does not match the architecture '%s' "+
			"of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again. You can use "+
			"'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.", kind.arch, l.image.arch)
	}
	if q.realm.withheld[capacityKey{name, l.subnet.az}] {
		return refuse("Unsupported", "Your requested instance type (%s) is not supported in your requested Availability Zone (%s). Please retry "+
			"your request by not specifying an Availability Zone or choosing %s.", name, l.subnet.az,
			strings.Join(q.realm.otherZones(l.subnet.az, func(z string) bool { return !q.realm.withheld[capacityKey{name, z}] }), ", "))
	}
	return nil
}

// otherZones are the zones but one for which a condition holds.
func (r *realm) otherZones(az string, holds func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(r.zones), func(z string) bool { return z == az || !holds(z) })
}

func (l *launch) resolveGroups(q *call) *apiError {
	ids := q.list("SecurityGroupId")
	if names := q.list("SecurityGroup"); names != nil {
		if q.has("SubnetId") {
			return refuse("InvalidParameterCombination", "The parameter groupName cannot be used with the parameter subnet")
		}
		for _, name := range names {
			id := q.realm.groupNamed(name, l.subnet.vpcID)
			if id == "" {
				return refuse("InvalidGroup.NotFound", "The security group '%s' does not exist in VPC '%s'", name, l.subnet.vpcID)
			}
			ids = append(ids, id)
		}
	}
	if ids == nil {
		if id := q.realm.groupNamed("default", l.subnet.vpcID); id != "" {
			ids = []string{id}
		}
	}
	groups, err := pick(groupID, ids, q.realm.groups)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.vpcID != l.subnet.vpcID {
			return refuse("InvalidParameter", "Security group %s and subnet %s belong to different networks.", g.id, l.subnet.id)
		}
	}
	l.groups = ids
	return nil
}

func (r *realm) groupNamed(name, vpc string) string {
	for _, g := range r.groups {
		if g.name == name && g.vpcID == vpc {
			return g.id
		}
	}
	return ""
}

func (l *launch) resolveKey(q *call) *apiError {
	l.keyName = q.str("KeyName")
	if l.keyName != "" && q.realm.keyPairs[l.keyName] == nil {
		return unknownKeyPair(l.keyName)
	}
	return nil
}

func (l *launch) resolveProfile(q *call) *apiError {
	name, arn := q.str("IamInstanceProfile.Name"), q.str("IamInstanceProfile.Arn")
	if name == "" && arn == "" {
		return nil
	}
	if name != "" && arn != "" {
		return refuse("InvalidParameterCombination", "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
	}
	for _, p := range q.realm.profiles {
		if (p.name == name || p.arn == arn) && !q.at.Before(p.usableFrom) {
			l.profile = p
			return nil
		}
	}
	if name != "" {
		return refuse("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", name)
	}
	return refuse("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN", arn)
}

// fit finds how many instances there is room for: the largest number that is possible between MinCount and MaxCount
// (SDK documentation of RunInstances).
func (l *launch) fit(r *realm) (int, *apiError) {
	count := l.max
	for _, limit := range []func(*realm) (int, *apiError){l.fitQuota, l.fitAddresses, l.fitCapacity} {
		room, err := limit(r)
		if err != nil {
			return 0, err
		}
		count = min(count, room)
	}
	return count, nil
}

func (l *launch) fitQuota(r *realm) (int, *apiError) {
	room := l.max
	if r.quotas.instances >= 0 {
		room = min(room, max(0, r.quotas.instances-r.quotas.usedInstances))
	}
	if l.short(r, room) {
		return 0, r.quotas.tooMany(l.max)
	}
	if r.quotas.vcpus >= 0 {
		room = min(room, max(0, (r.quotas.vcpus-r.quotas.usedVCPUs)/l.kind.vcpus))
	}
	if l.short(r, room) {
		return 0, r.quotas.tooManyVCPUs()
	}
	return room, nil
}

func (q *quotas) tooMany(asked int) *apiError {
	return refuse("InstanceLimitExceeded", "You have requested more instances (%d) than your current instance limit of %d allows for the "+
		"specified instance type. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
		q.usedInstances+asked, q.instances)
}

func (q *quotas) tooManyVCPUs() *apiError {
	return refuse("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of %d allows for the instance "+
		"bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an "+
		"adjustment to this limit.", q.vcpus)
}

// fitStart: quotas count what runs, so that stopped instances need room to start (epam/cloud-pipeline issue 4270).
func (q *quotas) fitStart(need map[capacityKey]int) *apiError {
	count, vcpus := 0, 0
	for key, n := range need {
		count += n
		vcpus += n * instanceTypes[key.instanceType].vcpus
	}
	switch {
	case count > 0 && q.instances >= 0 && q.usedInstances+count > q.instances:
		return q.tooMany(count)
	case count > 0 && q.vcpus >= 0 && q.usedVCPUs+vcpus > q.vcpus:
		return q.tooManyVCPUs()
	}
	return nil
}

func (l *launch) fitAddresses(r *realm) (int, *apiError) {
	if l.short(r, l.subnet.free) {
		return 0, refuse("InsufficientFreeAddressesInSubnet",
			"There are not enough free addresses in subnet '%s' to satisfy the requested number of instances.", l.subnet.id)
	}
	return l.subnet.free, nil
}

// short says whether room is too little for a limit that no page says to be filled partially (Knobs.LimitsFillPartially).
func (l *launch) short(r *realm, room int) bool {
	if r.c.knobs.LimitsFillPartially {
		return room < l.min
	}
	return room < l.max
}

func (l *launch) fitCapacity(r *realm) (int, *apiError) {
	room, limited := r.capacity[capacityKey{l.kind.name, l.subnet.az}]
	if !limited || room >= l.min {
		if !limited {
			room = l.max
		}
		return room, nil
	}
	return 0, insufficientCapacity(l.kind.name, l.subnet.az, r.otherZones(l.subnet.az, func(z string) bool {
		n, limited := r.capacity[capacityKey{l.kind.name, z}]
		return !limited || n > 0
	}))
}

// insufficientCapacity is a server error, with HTTP 500 (hammertime issue 29); text as seen there.
func insufficientCapacity(kind, az string, others []string) *apiError {
	text := ""
	if len(others) > 0 {
		text = " You can currently get " + kind + " capacity by not specifying an Availability Zone in your request or choosing " +
			strings.Join(others, ", ") + "."
	}
	return refuseWith(http.StatusInternalServerError, "InsufficientInstanceCapacity",
		"We currently do not have sufficient %s capacity in the Availability Zone you requested (%s). Our system will be working on "+
			"provisioning additional capacity.%s", kind, az, text)
}

// useCapacity takes servers that are started out of what their zone has left.
func (r *realm) useCapacity(key capacityKey, count int) {
	if _, limited := r.capacity[key]; limited {
		r.capacity[key] -= count
	}
}
