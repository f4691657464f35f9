package localaws

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// maxUserData is the limit of user data before base64 (EC2 user guide).
const maxUserData = 16 << 10

// launch is one RunInstances request after its checks.
type launch struct {
	min, max    int
	image       *image
	kind        instanceType
	subnet      *subnet
	groups      []string
	keyName     string
	profile     *instanceProfile
	userData    []byte
	token       string
	tokenScope  string // AZ for a zonal token, "" for a regional one
	hash        string // of all parameters that the token binds
	tags        map[string]map[string]string
	metadata    metadataOptions
	devices     []blockDevice
	behavior    string
	tenancy     string
	protectTerm bool
	protectStop bool
	monitoring  bool
	optimized   bool
	app         appSettings
	again       bool // see Cloud.launchAgain
}

// metadataOptions are those of the instance metadata service.
type metadataOptions struct {
	State    string `xml:"state"`
	Tokens   string `xml:"httpTokens"`
	Hops     int    `xml:"httpPutResponseHopLimit"`
	Endpoint string `xml:"httpEndpoint"`
	IPv6     string `xml:"httpProtocolIpv6"`
	Tags     string `xml:"instanceMetadataTags"`
}

var runInstancesParams = []string{
	"DryRun:bool", "ImageId", "InstanceType", "MinCount:int!", "MaxCount:int!", "SubnetId", "SecurityGroupId.N", "SecurityGroup.N", "KeyName",
	"IamInstanceProfile.Arn", "IamInstanceProfile.Name", "UserData", "ClientToken",
	"TagSpecification.N.ResourceType", "TagSpecification.N.Tag.N.Key", "TagSpecification.N.Tag.N.Value",
	"MetadataOptions.HttpTokens", "MetadataOptions.HttpPutResponseHopLimit:int", "MetadataOptions.HttpEndpoint",
	"MetadataOptions.HttpProtocolIpv6", "MetadataOptions.InstanceMetadataTags",
	"BlockDeviceMapping.N.DeviceName", "BlockDeviceMapping.N.Ebs.VolumeSize:int", "BlockDeviceMapping.N.Ebs.VolumeType",
	"BlockDeviceMapping.N.Ebs.DeleteOnTermination:bool", "BlockDeviceMapping.N.Ebs.Encrypted:bool", "BlockDeviceMapping.N.Ebs.Iops:int",
	"BlockDeviceMapping.N.Ebs.Throughput:int", "BlockDeviceMapping.N.Ebs.KmsKeyId", "BlockDeviceMapping.N.Ebs.SnapshotId",
	"InstanceInitiatedShutdownBehavior", "DisableApiTermination:bool", "DisableApiStop:bool", "Monitoring.Enabled:bool", "EbsOptimized:bool",
	"Placement.AvailabilityZone", "Placement.Tenancy",
	"LaunchTemplate.LaunchTemplateId", "LaunchTemplate.LaunchTemplateName", "LaunchTemplate.Version",
}

// readLaunch checks what can be checked of the request alone, and the snapshots that it names.
func (q *call) readLaunch() (*launch, *apiError) {
	l := &launch{min: q.int("MinCount", 0), max: q.int("MaxCount", 0), token: q.str("ClientToken"),
		protectTerm: q.bool("DisableApiTermination", false), protectStop: q.bool("DisableApiStop", false),
		monitoring: q.bool("Monitoring.Enabled", false), optimized: q.bool("EbsOptimized", false)}
	for _, check := range []func(*call) *apiError{l.readCounts, l.readUserData, l.readTags, l.readMetadata, l.readDevices, l.readBehavior} {
		if err := check(q); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// readCounts words its first refusal as seen in jenkinsci/ec2-plugin pull request 252.
func (l *launch) readCounts(q *call) *apiError {
	switch {
	case l.max < 1:
		return refuse("InvalidParameterValue", "Maximum instance count must be greater than zero")
	case l.min < 1:
		return refuse("InvalidParameterValue", "Minimum instance count must be greater than zero")
	case l.min > l.max:
		return refuse("InvalidParameterValue", "Minimum instance count must not be greater than maximum instance count")
	case l.max > maxLaunch:
		return refuse("ResourceCountExceeded", "The request asks for %d instances; at most %d can be launched in one request", l.max, maxLaunch)
	case len(l.token) > 64:
		return refuse("InvalidParameterValue", "Length of parameter clientToken is greater than 64")
	case !isASCII(l.token):
		return refuse("InvalidParameterValue", "Value (%s) for parameter clientToken is invalid. Only ASCII characters are allowed.", l.token)
	case !q.has("ImageId"):
		return q.service.protocol.missingParameter("ImageId")
	}
	return nil
}

// readUserData refuses as RunInstances does: InvalidParameterValue for both (aws-cli issue 19, runs-on issue 9). Launch
// templates and fleets answer InvalidUserData.Malformed instead.
func (l *launch) readUserData(q *call) *apiError {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(q.str("UserData")), ""))
	if err != nil {
		return refuse("InvalidParameterValue", "Invalid BASE64 encoding of user data")
	}
	if len(raw) > maxUserData {
		return refuse("InvalidParameterValue", "User data is limited to %d bytes", maxUserData)
	}
	l.userData = raw
	return nil
}

func (l *launch) readTags(q *call) (err *apiError) {
	l.tags, err = readTagSpecifications(q.params, "instance", "volume", "network-interface")
	return err
}

// readTagSpecifications reads the tags that a call puts on what it creates, by kind of resource.
func readTagSpecifications(p *params, kinds ...string) (map[string]map[string]string, *apiError) {
	out := map[string]map[string]string{}
	for _, spec := range p.structs("TagSpecification") {
		kind := spec.str("ResourceType")
		if kind == "spot-instances-request" { // there is no spot capacity, so nothing would bear the tags
			return nil, refuse("InvalidParameterValue", "Tags of the resource type '%s' are not simulated here", kind)
		}
		if !slices.Contains(kinds, kind) {
			return nil, refuse("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", kind)
		}
		if out[kind] != nil {
			return nil, refuse("InvalidParameterValue", "The same resource type may not be specified more than once in tag specifications")
		}
		tags, err := readTags(spec, func(string) *apiError {
			return refuse("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		})
		if err != nil {
			return nil, err
		}
		if len(tags) == 0 {
			return nil, refuse("InvalidParameterValue", "Tag specification must have at least one tag")
		}
		out[kind] = tags
	}
	return out, nil
}

// readMetadata fills in the defaults of a current image: version 2 required (Knobs.TokensOptionalByDefault), one hop.
func (l *launch) readMetadata(q *call) *apiError {
	pick := func(name, missing string, allowed ...string) (string, *apiError) {
		v := q.str("MetadataOptions." + name)
		if v == "" {
			return missing, nil
		}
		if !slices.Contains(allowed, v) {
			return "", refuse("InvalidParameterValue", "Value (%s) for parameter MetadataOptions.%s is invalid. Valid values: %s.",
				v, name, strings.Join(allowed, ", "))
		}
		return v, nil
	}
	m := metadataOptions{State: "applied", Hops: q.int("MetadataOptions.HttpPutResponseHopLimit", 1)}
	if m.Hops < 1 || m.Hops > 64 {
		return refuse("InvalidParameterValue", "Value (%d) for parameter HttpPutResponseHopLimit is invalid. Valid values: 1-64.", m.Hops)
	}
	byDefault := "required"
	if q.realm.c.knobs.TokensOptionalByDefault {
		byDefault = "optional"
	}
	var errs [4]*apiError
	m.Tokens, errs[0] = pick("HttpTokens", byDefault, "optional", "required")
	m.Endpoint, errs[1] = pick("HttpEndpoint", "enabled", "enabled", "disabled")
	m.IPv6, errs[2] = pick("HttpProtocolIpv6", "disabled", "enabled", "disabled")
	m.Tags, errs[3] = pick("InstanceMetadataTags", "disabled", "enabled", "disabled")
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if m.Endpoint == "disabled" && q.has("MetadataOptions.HttpTokens") {
		return refuse("InvalidParameterCombination", "HttpTokens can only be set when HttpEndpoint is enabled.")
	}
	l.metadata = m
	return nil
}

func (l *launch) readBehavior(q *call) *apiError {
	l.behavior = q.str("InstanceInitiatedShutdownBehavior")
	switch l.behavior {
	case "":
		l.behavior = "stop"
	case "stop", "terminate":
	default:
		return refuse("InvalidParameterValue", "Value (%s) for parameter instanceInitiatedShutdownBehavior is invalid.", l.behavior)
	}
	return nil
}

// formHash is what a client token binds: every parameter but the token itself and DryRun.
func formHash(form url.Values) string { return hashWithout(form, []string{"ClientToken", "DryRun"}) }

// hashWithout is of all parameters but those.
func hashWithout(form url.Values, without []string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if !slices.Contains(without, name) {
			_, _ = h.Write([]byte(name + "\x00" + form.Get(name) + "\x00")) // a hash never fails
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
