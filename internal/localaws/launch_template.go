package localaws

import (
	"encoding/base64"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// launchTemplate keeps launch parameters under a name, in numbered versions. Guarded by Cloud.mu.
type launchTemplate struct {
	*tagged

	name       string
	created    time.Time
	creator    string
	versions   map[int]*templateVersion
	byDefault  int
	latest     int // the highest number that exists
	everLatest int // the highest number ever; a deleted one is not given out again
}

// templateVersion never changes once it was made.
type templateVersion struct {
	number      int
	description string
	created     time.Time
	creator     string
	data        url.Values // parameters of RunInstances, as on the wire
}

// templateData is how the parameters of a launch are called within LaunchTemplateData.
const templateData = "LaunchTemplateData"

// templateParams are the parameters that a template can hold: those of RunInstances but for what is about the one call, and
// the subnet, which templates only know within network interfaces.
func templateParams() []string {
	var out []string
	for _, p := range runInstancesParams {
		name, _, _ := strings.Cut(strings.TrimSuffix(p, "!"), ":")
		if !slices.Contains([]string{"DryRun", "MinCount", "MaxCount", "SubnetId", "ClientToken"}, name) && section(name) != "LaunchTemplate" {
			out = append(out, templateData+"."+p)
		}
	}
	return out
}

// section is the parameter that a dotted name is part of: "Placement" of "Placement.Tenancy".
func section(name string) string {
	first, _, _ := strings.Cut(name, ".")
	return first
}

var templateName = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)

func launchTemplateOperations() map[string]operation {
	one := []string{"DryRun:bool", "LaunchTemplateId", "LaunchTemplateName"}
	with := func(more ...string) []string { return append(slices.Clone(one), more...) }
	writes := func(run func(*Cloud, *call) (any, *apiError), params []string) operation {
		return operation{params: params, mutates: true, run: run}
	}
	return map[string]operation{
		"CreateLaunchTemplate": writes((*Cloud).createLaunchTemplate, append(templateParams(), "DryRun:bool", "ClientToken", "LaunchTemplateName!",
			"VersionDescription", "TagSpecification.N.ResourceType", "TagSpecification.N.Tag.N.Key", "TagSpecification.N.Tag.N.Value")),
		"CreateLaunchTemplateVersion": writes((*Cloud).createTemplateVersion, append(templateParams(),
			with("ClientToken", "SourceVersion", "VersionDescription", "ResolveAlias:bool")...)),
		"ModifyLaunchTemplate":         writes((*Cloud).modifyLaunchTemplate, with("ClientToken", "SetDefaultVersion")),
		"DeleteLaunchTemplate":         writes((*Cloud).deleteLaunchTemplate, one),
		"DeleteLaunchTemplateVersions": writes((*Cloud).deleteTemplateVersions, with("LaunchTemplateVersion.N!")),
		"DescribeLaunchTemplates": {run: (*Cloud).describeLaunchTemplates, params: []string{"DryRun:bool", "LaunchTemplateId.N",
			"LaunchTemplateName.N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults:int", "NextToken"}},
		"DescribeLaunchTemplateVersions": {run: (*Cloud).describeTemplateVersions, params: with("LaunchTemplateVersion.N", "MinVersion:int",
			"MaxVersion:int", "ResolveAlias:bool", "Filter.N.Name", "Filter.N.Value.N", "MaxResults:int", "NextToken")},
	}
}

// createLaunchTemplate is idempotent by its token. What the template names need not exist; a launch will tell.
func (c *Cloud) createLaunchTemplate(q *call) (any, *apiError) {
	name := q.str("LaunchTemplateName")
	if !templateName.MatchString(name) {
		return nil, refuse("InvalidLaunchTemplateName.MalformedException", "A launch template name must be between 3 and 128 characters, and may "+
			"contain letters, numbers, and the following characters: - ( ) . / _.")
	}
	data, err := q.readTemplateData()
	if err != nil {
		return nil, err
	}
	tags, err := readTagSpecifications(q.params, "launch-template")
	if err != nil {
		return nil, err
	}
	past, err := q.repeated()
	switch {
	case err != nil:
		return nil, err
	case past == nil && q.realm.templateNamed(name) != nil:
		return nil, refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	if past != nil {
		return past.template.answer(q.at), nil
	}
	t := &launchTemplate{tagged: q.realm.newTagged(c.newID("lt-"), "launch-template", tags["launch-template"]), name: name, created: q.at,
		creator: q.who.ARN, versions: map[int]*templateVersion{}, byDefault: 1}
	t.add(q, data)
	q.realm.templates[t.id] = t
	q.effect("created the launch template %s, %s", t.id, name)
	q.remember(pastRequest{template: t})
	return t.answer(q.at), nil
}

// add makes the next version.
func (t *launchTemplate) add(q *call, data url.Values) *templateVersion {
	t.everLatest++
	t.latest = t.everLatest
	v := &templateVersion{number: t.latest, description: q.str("VersionDescription"), created: q.at, creator: q.who.ARN, data: data}
	t.versions[v.number] = v
	return v
}

// readTemplateData reads the parameters that a call puts into a template. The code for user data is that of the EC2 error
// codes; a launch answers with another one (see launch.readUserData).
func (q *call) readTemplateData() (url.Values, *apiError) {
	data := url.Values{}
	for name, values := range q.form {
		if rest, ok := strings.CutPrefix(name, templateData+"."); ok {
			data[rest] = values
		}
	}
	if len(data) == 0 {
		return nil, q.service.protocol.missingParameter(templateData)
	}
	if len(q.str("VersionDescription")) > 255 {
		return nil, refuse("InvalidParameterValue", "The version description can have at most 255 characters.")
	}
	raw, bad := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data.Get("UserData")), ""))
	switch {
	case bad != nil:
		return nil, refuse("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.")
	case len(raw) > maxUserData:
		return nil, refuse("InvalidUserData.Malformed", "User data is limited to %d bytes", maxUserData)
	case data.Has("SecurityGroupId.1") && data.Has("SecurityGroup.1"):
		return nil, refuse("InvalidParameterCombination", "The parameter groupName cannot be used with the parameter securityGroupIds")
	}
	p := q.params.at(templateData)
	_, err := readTagSpecifications(p, "instance", "volume", "network-interface")
	return data, firstError(err, q.checkTemplate(p))
}

// createTemplateVersion makes a version of its own, or one that takes over what it does not name itself from another
// version. Snapshots of the other version's devices are not taken over (SDK documentation of CreateLaunchTemplateVersion).
func (c *Cloud) createTemplateVersion(q *call) (any, *apiError) {
	t, err := q.launchTemplate("LaunchTemplateId", "LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	data, err := q.readTemplateData()
	if err != nil {
		return nil, err
	}
	if source := q.str("SourceVersion"); source != "" {
		from, err := t.version(source)
		if err != nil {
			return nil, err
		}
		data = replaceSections(withoutSnapshots(from.data), data)
	}
	past, err := q.repeated()
	if err := firstError(err, q.dryRun()); err != nil {
		return nil, err
	}
	if past != nil {
		return q.versionAnswer(past.template, past.version)
	}
	v := t.add(q, data)
	q.effect("version %d of the launch template %s", v.number, t.id)
	q.remember(pastRequest{template: t, version: v})
	return q.versionAnswer(t, v)
}

func (q *call) versionAnswer(t *launchTemplate, v *templateVersion) (any, *apiError) {
	x, err := q.versionXML(t, v)
	return struct {
		Version templateVersionXML `xml:"launchTemplateVersion"`
	}{x}, err
}

func (c *Cloud) modifyLaunchTemplate(q *call) (any, *apiError) {
	t, err := q.launchTemplate("LaunchTemplateId", "LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	if !q.has("SetDefaultVersion") {
		return nil, q.service.protocol.missingParameter("SetDefaultVersion")
	}
	v, err := t.version(q.str("SetDefaultVersion"))
	if err != nil {
		return nil, err
	}
	past, err := q.repeated()
	if err := firstError(err, q.dryRun()); err != nil {
		return nil, err
	}
	if past == nil {
		t.byDefault = v.number
		q.effect("the default version of %s is %d", t.id, v.number)
		q.remember(pastRequest{template: t})
	}
	return t.answer(q.at), nil
}

func (c *Cloud) deleteLaunchTemplate(q *call) (any, *apiError) {
	t, err := q.launchTemplate("LaunchTemplateId", "LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	delete(q.realm.templates, t.id)
	delete(q.realm.tagged, t.id)
	q.effect("deleted the launch template %s", t.id)
	return t.answer(q.at), nil
}

// maxDeletedVersions is how many versions one call may name (SDK documentation of DeleteLaunchTemplateVersions).
const maxDeletedVersions = 200

// deletedVersionXML is what became of one version.
type deletedVersionXML struct {
	ID     string         `xml:"launchTemplateId"`
	Name   string         `xml:"launchTemplateName"`
	Number int            `xml:"versionNumber"`
	Error  *responseError `xml:"responseError"`
}

type responseError struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

// deleteTemplateVersions tells of each version by itself; the default one stays.
func (c *Cloud) deleteTemplateVersions(q *call) (any, *apiError) {
	t, err := q.launchTemplate("LaunchTemplateId", "LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	wanted := q.list("LaunchTemplateVersion")
	if len(wanted) > maxDeletedVersions {
		return nil, refuse("InvalidParameterValue", "At most %d launch template versions can be deleted in one request.", maxDeletedVersions)
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	var out struct {
		Done   items[deletedVersionXML] `xml:"successfullyDeletedLaunchTemplateVersionSet"`
		Failed items[deletedVersionXML] `xml:"unsuccessfullyDeletedLaunchTemplateVersionSet"`
	}
	for _, text := range wanted {
		number, _ := strconv.Atoi(text)
		x := deletedVersionXML{ID: t.id, Name: t.name, Number: number}
		switch {
		case t.versions[number] == nil:
			x.Error = &responseError{"launchTemplateVersionDoesNotExist", "The launch template version does not exist."}
		case number == t.byDefault:
			x.Error = &responseError{"unexpectedError", "You cannot delete the default version of a launch template."}
		}
		if x.Error != nil {
			out.Failed.Items = append(out.Failed.Items, x)
			continue
		}
		delete(t.versions, number)
		t.latest = slices.Max(slices.Collect(maps.Keys(t.versions)))
		out.Done.Items = append(out.Done.Items, x)
		q.effect("deleted version %d of the launch template %s", number, t.id)
	}
	return out, nil
}
