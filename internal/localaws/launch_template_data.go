package localaws

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// withTemplate makes the call whose parameters are those of the launch template, overridden by its own; the call itself
// where it names no template.
func (q *call) withTemplate() (*call, *apiError) {
	if !q.has("LaunchTemplate") {
		return q, nil
	}
	t, err := q.launchTemplate("LaunchTemplate.LaunchTemplateId", "LaunchTemplate.LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	v, err := t.version(q.str("LaunchTemplate.Version"))
	if err != nil {
		return nil, err
	}
	out := *q
	out.form = overridden(v.data, q.form, q.realm.c.knobs.TemplateTagsReplaced)
	out.params = parseParams(out.form)
	out.template, out.templateVersion = t, v
	return &out, nil
}

// templateTags are those that EC2 puts on what it launches from a template; nobody else can (EC2 user guide, launch from a
// launch template).
func (q *call) templateTags() map[string]string {
	if q.template == nil {
		return nil
	}
	return map[string]string{"aws:ec2launchtemplate:id": q.template.id, "aws:ec2launchtemplate:version": strconv.Itoa(q.templateVersion.number)}
}

// overridden lays the parameters of a call over those of a template: a parameter of the call replaces the template's of the
// same name (SDK documentation of RunInstances), but devices are changed setting by setting (API reference of
// FleetBlockDeviceMappingRequest), and tags key by key (Knobs.TemplateTagsReplaced).
func overridden(template, call url.Values, tagsReplaced bool) url.Values {
	out := replaceSections(template, call)
	merge := map[string]string{"BlockDeviceMapping": "DeviceName"}
	if !tagsReplaced {
		merge["TagSpecification"] = "ResourceType"
	}
	for list, key := range merge {
		if theirs := elements(template, list); len(theirs) > 0 {
			setElements(out, list, mergeElements(theirs, elements(call, list), key))
		}
	}
	return out
}

// replaceSections lays parameters over others; each replaces the whole of the one of its name, and security groups by id
// those by name.
func replaceSections(base, over url.Values) url.Values {
	given := map[string]bool{}
	for name := range over {
		given[section(name)] = true
	}
	groups := given["SecurityGroupId"] || given["SecurityGroup"]
	given["SecurityGroupId"], given["SecurityGroup"] = groups, groups
	out := maps.Clone(over)
	for name, values := range base {
		if !given[section(name)] {
			out[name] = values
		}
	}
	return out
}

// elements are the elements of a list, each with the names below it.
func elements(form url.Values, list string) []url.Values {
	byIndex := map[int]url.Values{}
	for name, values := range form {
		rest, ok := strings.CutPrefix(name, list+".")
		number, field, _ := strings.Cut(rest, ".")
		i, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		if byIndex[i] == nil {
			byIndex[i] = url.Values{}
		}
		byIndex[i][field] = values
	}
	out := make([]url.Values, 0, len(byIndex))
	for _, i := range slices.Sorted(maps.Keys(byIndex)) {
		out = append(out, byIndex[i])
	}
	return out
}

// setElements replaces a list.
func setElements(form url.Values, list string, all []url.Values) {
	maps.DeleteFunc(form, func(name string, _ []string) bool { return section(name) == list || strings.HasPrefix(name, list+".") })
	for i, element := range all {
		for field, values := range element {
			form[fmt.Sprintf("%s.%d.%s", list, i+1, field)] = values
		}
	}
}

// mergeElements lays elements over those with the same key; new ones are added. Tags within them are merged by their keys.
func mergeElements(base, over []url.Values, key string) []url.Values {
	out := make([]url.Values, 0, len(base)+len(over))
	for _, b := range base {
		out = append(out, maps.Clone(b))
	}
	for _, o := range over {
		i := slices.IndexFunc(out, func(b url.Values) bool { return b.Get(key) == o.Get(key) })
		if i < 0 {
			out = append(out, maps.Clone(o))
			continue
		}
		tags := elements(out[i], "Tag")
		maps.Copy(out[i], o)
		if len(tags) > 0 {
			setElements(out[i], "Tag", mergeElements(tags, elements(o, "Tag"), "Key"))
		}
	}
	return out
}

// withoutSnapshots leaves out the snapshots of devices.
func withoutSnapshots(data url.Values) url.Values {
	out := maps.Clone(data)
	maps.DeleteFunc(out, func(name string, _ []string) bool { return pattern(name) == "BlockDeviceMapping.N.Ebs.SnapshotId" })
	return out
}

// checkTemplate refuses settings that no launch could have, which DescribeLaunchTemplateVersions would answer with: a template may
// name what does not exist, but not what cannot be. The checks are those of a launch that reads the same parameters.
func (q *call) checkTemplate(p *params) *apiError {
	given, l := *q, launch{}
	given.params = p
	if err := firstError(l.readMetadata(&given), l.readBehavior(&given)); err != nil {
		return err
	}
	if kind := p.str("InstanceType"); kind != "" && instanceTypes[kind].name == "" {
		return refuse("InvalidParameterValue", "Invalid value '%s' for InstanceType.", kind)
	}
	if tenancy := p.str("Placement.Tenancy"); tenancy != "" && !slices.Contains(tenancies, tenancy) {
		return unknownTenancy(tenancy)
	}
	for _, d := range p.structs("BlockDeviceMapping") {
		kind := d.str("Ebs.VolumeType")
		if _, known := volumeTypes[kind]; kind != "" && !known {
			return unknownVolumeType(kind)
		}
	}
	return nil
}

// templateVersionXML is one version with its parameters.
type templateVersionXML struct {
	ID          string          `xml:"launchTemplateId"`
	Name        string          `xml:"launchTemplateName"`
	Number      int             `xml:"versionNumber"`
	Description string          `xml:"versionDescription,omitempty"`
	Created     string          `xml:"createTime"`
	Creator     string          `xml:"createdBy"`
	Default     bool            `xml:"defaultVersion"`
	Data        templateDataXML `xml:"launchTemplateData"`
}

// templateDataXML shows what was given and leaves out the rest; the values are as they came, and were checked then.
type templateDataXML struct {
	Image        string                    `xml:"imageId,omitempty"`
	Type         string                    `xml:"instanceType,omitempty"`
	Key          string                    `xml:"keyName,omitempty"`
	UserData     string                    `xml:"userData,omitempty"`
	Behavior     string                    `xml:"instanceInitiatedShutdownBehavior,omitempty"`
	Protected    string                    `xml:"disableApiTermination,omitempty"`
	StopDenied   string                    `xml:"disableApiStop,omitempty"`
	EBSOptimized string                    `xml:"ebsOptimized,omitempty"`
	Groups       *items[string]            `xml:"securityGroupIdSet"`
	GroupNames   *items[string]            `xml:"securityGroupSet"`
	Profile      *templateProfileXML       `xml:"iamInstanceProfile"`
	Monitoring   *enabledXML               `xml:"monitoring"`
	Placement    *templatePlaceXML         `xml:"placement"`
	Metadata     *templateIMDSXML          `xml:"metadataOptions"`
	Devices      *items[templateDeviceXML] `xml:"blockDeviceMappingSet"`
	Tags         *items[templateTagsXML]   `xml:"tagSpecificationSet"`
}

type templateProfileXML struct {
	ARN  string `xml:"arn,omitempty"`
	Name string `xml:"name,omitempty"`
}

type enabledXML struct {
	Enabled string `xml:"enabled"`
}

type templatePlaceXML struct {
	AZ      string `xml:"availabilityZone,omitempty"`
	Tenancy string `xml:"tenancy,omitempty"`
}

type templateIMDSXML struct {
	Tokens   string `xml:"httpTokens,omitempty"`
	Hops     string `xml:"httpPutResponseHopLimit,omitempty"`
	Endpoint string `xml:"httpEndpoint,omitempty"`
	IPv6     string `xml:"httpProtocolIpv6,omitempty"`
	Tags     string `xml:"instanceMetadataTags,omitempty"`
}

type templateDeviceXML struct {
	Name string          `xml:"deviceName"`
	EBS  *templateEBSXML `xml:"ebs"`
}

type templateEBSXML struct {
	Size       string `xml:"volumeSize,omitempty"`
	Type       string `xml:"volumeType,omitempty"`
	Delete     string `xml:"deleteOnTermination,omitempty"`
	Encrypted  string `xml:"encrypted,omitempty"`
	IOPS       string `xml:"iops,omitempty"`
	Throughput string `xml:"throughput,omitempty"`
	Key        string `xml:"kmsKeyId,omitempty"`
	Snapshot   string `xml:"snapshotId,omitempty"`
}

type templateTagsXML struct {
	Kind string        `xml:"resourceType"`
	Tags items[tagXML] `xml:"tagSet"`
}

// versionXML shows a version; with ResolveAlias the image that a parameter names instead of the parameter.
func (q *call) versionXML(t *launchTemplate, v *templateVersion) (templateVersionXML, *apiError) {
	x := templateVersionXML{ID: t.id, Name: t.name, Number: v.number, Description: v.description, Created: timestamp(v.created),
		Creator: v.creator, Default: v.number == t.byDefault, Data: showTemplateData(parseParams(v.data))}
	if q.bool("ResolveAlias", false) && x.Data.Image != "" {
		image, err := q.realm.imageNamed(x.Data.Image)
		if err != nil {
			return x, err
		}
		x.Data.Image = image
	}
	return x, nil
}

func showTemplateData(p *params) templateDataXML {
	x := templateDataXML{Image: p.str("ImageId"), Type: p.str("InstanceType"), Key: p.str("KeyName"), UserData: p.str("UserData"),
		Behavior: p.str("InstanceInitiatedShutdownBehavior"), Protected: p.str("DisableApiTermination"), StopDenied: p.str("DisableApiStop"),
		EBSOptimized: p.str("EbsOptimized"), Groups: given(p.list("SecurityGroupId")), GroupNames: given(p.list("SecurityGroup"))}
	if m := p.at("IamInstanceProfile"); m != nil {
		x.Profile = &templateProfileXML{m.str("Arn"), m.str("Name")}
	}
	if m := p.at("Monitoring"); m != nil {
		x.Monitoring = &enabledXML{m.str("Enabled")}
	}
	if m := p.at("Placement"); m != nil {
		x.Placement = &templatePlaceXML{m.str("AvailabilityZone"), m.str("Tenancy")}
	}
	if m := p.at("MetadataOptions"); m != nil {
		x.Metadata = &templateIMDSXML{m.str("HttpTokens"), m.str("HttpPutResponseHopLimit"), m.str("HttpEndpoint"), m.str("HttpProtocolIpv6"),
			m.str("InstanceMetadataTags")}
	}
	mapped, specs := p.structs("BlockDeviceMapping"), p.structs("TagSpecification")
	devices, tags := make([]templateDeviceXML, 0, len(mapped)), make([]templateTagsXML, 0, len(specs))
	for _, d := range mapped {
		devices = append(devices, templateDeviceXML{d.str("DeviceName"), showTemplateEBS(d.at("Ebs"))})
	}
	for _, spec := range specs {
		set := map[string]string{}
		for _, tag := range spec.structs("Tag") {
			set[tag.str("Key")] = tag.str("Value")
		}
		tags = append(tags, templateTagsXML{spec.str("ResourceType"), tagSet(set)})
	}
	x.Devices, x.Tags = given(devices), given(tags)
	return x
}

func showTemplateEBS(p *params) *templateEBSXML {
	if p == nil {
		return nil
	}
	return &templateEBSXML{p.str("VolumeSize"), p.str("VolumeType"), p.str("DeleteOnTermination"), p.str("Encrypted"), p.str("Iops"),
		p.str("Throughput"), p.str("KmsKeyId"), p.str("SnapshotId")}
}

// given is a list for an answer that leaves out empty ones.
func given[T any](list []T) *items[T] {
	if len(list) == 0 {
		return nil
	}
	return &items[T]{list}
}
