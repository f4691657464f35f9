package localaws

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// launchRequests are what IAM is asked for a launch: RunInstances on all that it uses and makes, CreateTags on what it tags,
// and PassRole on the role that its servers get (service authorization reference of EC2).
func (l *launch) launchRequests(q *call) []iamRequest {
	r := q.realm
	var out []iamRequest
	ask := func(kind, id string, keys map[string][]string) {
		out = append(out, iamRequest{"ec2:RunInstances", r.ec2ARN(kind, id), keys})
	}
	ask("image", l.image.id, r.ec2Keys(l.image.id))
	ask("instance", "*", withKeys(l.instanceKeys(r), requestTagKeys(l.tags["instance"])))
	ask("network-interface", "*", withKeys(l.placeKeys(r), requestTagKeys(l.tags["network-interface"])))
	ask("volume", "*", withKeys(map[string][]string{"ec2:availabilityzone": {l.subnet.az}}, requestTagKeys(l.tags["volume"])))
	ask("subnet", l.subnet.id, r.ec2Keys(l.subnet.id))
	for _, id := range l.groups {
		ask("security-group", id, r.ec2Keys(id))
	}
	if l.keyName != "" {
		ask("key-pair", l.keyName, nil)
	}
	if q.template != nil {
		ask("launch-template", q.template.id, r.ec2Keys(q.template.id))
	}
	for _, id := range q.namedIDs() {
		if strings.HasPrefix(id, "snap-") {
			ask("snapshot", id, r.ec2Keys(id))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(l.tags)) {
		out = append(out, q.tagAtCreation(kind, l.tags[kind]))
	}
	if l.profile != nil {
		out = append(out, iamRequest{"iam:PassRole", l.profile.role, map[string][]string{"iam:passedtoservice": {"ec2.amazonaws.com"}}})
	}
	return out
}

func (l *launch) instanceKeys(r *realm) map[string][]string {
	keys := map[string][]string{
		"ec2:instancetype":                    {l.kind.name},
		"ec2:availabilityzone":                {l.subnet.az},
		"ec2:region":                          {r.region},
		"ec2:tenancy":                         {l.tenancy},
		"ec2:ebsoptimized":                    {strconv.FormatBool(l.optimized)},
		"ec2:metadatahttptokens":              {l.metadata.Tokens},
		"ec2:metadatahttpendpoint":            {l.metadata.Endpoint},
		"ec2:metadatahttpputresponsehoplimit": {strconv.Itoa(l.metadata.Hops)},
	}
	if l.profile != nil {
		keys["ec2:instanceprofile"] = []string{l.profile.arn}
	}
	return keys
}

func (l *launch) placeKeys(r *realm) map[string][]string {
	return map[string][]string{"ec2:subnet": {r.ec2ARN("subnet", l.subnet.id)}, "ec2:vpc": {r.ec2ARN("vpc", l.subnet.vpcID)},
		"ec2:availabilityzone": {l.subnet.az}}
}
