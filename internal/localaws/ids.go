package localaws

import (
	"regexp"
	"strings"
)

// maxIDs is how many ids one call may name (EC2 developer guide, pagination).
const maxIDs = 1000

// idKind is one kind of EC2 identifier and how AWS refuses bad ones. Only some kinds have an error for bad form; for
// the others a malformed id is one that does not exist.
type idKind struct {
	prefix    string
	what      string // in the text of the error: "instance ID"
	notFoundC string // error code
	malformed string // error code, "" if there is none
}

var (
	instanceID      = idKind{"i", "instance ID", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"}
	imageID         = idKind{"ami", "image id", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed"}
	subnetID        = idKind{"subnet", "subnet ID", "InvalidSubnetID.NotFound", ""}
	vpcID           = idKind{"vpc", "vpc ID", "InvalidVpcID.NotFound", ""}
	groupID         = idKind{"sg", "security group", "InvalidGroup.NotFound", "InvalidGroupId.Malformed"}
	snapshotID      = idKind{"snap", "snapshot", "InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"}
	volumeID        = idKind{"vol", "volume", "InvalidVolume.NotFound", ""}
	interfaceID     = idKind{"eni", "networkInterface ID", "InvalidNetworkInterfaceID.NotFound", ""}
	keyPairIDKind   = idKind{"key", "key pair", "InvalidKeyPair.NotFound", ""}
	templateID      = idKind{"lt", "launch template", "InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.Malformed"}
	idKinds         = []idKind{templateID, instanceID, imageID, subnetID, vpcID, groupID, snapshotID, volumeID, interfaceID, keyPairIDKind}
	longOrShortForm = regexp.MustCompile(`^[a-z]+-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

// notFound is the refusal of unknown ids, malformed ones first.
func (k idKind) notFound(ids []string) *apiError {
	for _, id := range ids {
		if k.malformed != "" && (!strings.HasPrefix(id, k.prefix+"-") || !longOrShortForm.MatchString(id)) {
			return refuse(k.malformed, `Invalid id: "%s" (expecting "%s-...")`, id, k.prefix)
		}
	}
	if k.prefix == "ami" {
		return refuse(k.notFoundC, "The image id '[%s]' does not exist", strings.Join(ids, ", "))
	}
	if len(ids) > 1 {
		return refuse(k.notFoundC, "The %ss '%s' do not exist", k.what, strings.Join(ids, ", "))
	}
	return refuse(k.notFoundC, "The %s '%s' does not exist", k.what, ids[0])
}

// tooManyIDs is the refusal of a list that is too long (text seen for DescribeInstanceStatus: ec2box issue 8).
func tooManyIDs(n, limit int) *apiError {
	return refuse("InvalidRequest", "%d exceeds the maximum number of instance IDs that can be specificied (%d). "+
		"Please specify fewer than %d instance IDs.", n, limit, limit)
}

// distinct leaves out what was named before.
func distinct(ids []string) []string {
	out := make([]string, 0, len(ids))
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// pick finds resources by id, in the order given, each once. One unknown id fails the call.
func pick[T any](kind idKind, ids []string, known map[string]T) ([]T, *apiError) {
	if len(ids) > maxIDs {
		return nil, tooManyIDs(len(ids), maxIDs)
	}
	var missing []string
	out := make([]T, 0, len(ids))
	for _, id := range distinct(ids) {
		if v, ok := known[id]; ok {
			out = append(out, v)
		} else {
			missing = append(missing, id)
		}
	}
	if missing != nil {
		return nil, kind.notFound(missing)
	}
	return out, nil
}
