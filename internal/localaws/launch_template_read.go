package localaws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxTemplatePage is the largest page of launch templates and of their versions (SDK documentation of
// DescribeLaunchTemplates).
const maxTemplatePage = 200

func (r *realm) templateNamed(name string) *launchTemplate {
	for _, t := range r.templates {
		if t.name == name {
			return t
		}
	}
	return nil
}

// launchTemplate finds the one that a call names by id or by name. The texts are AWS's: karpenter pull request 5665 for ids,
// moto pull request 5477 for names.
func (q *call) launchTemplate(idParam, nameParam string) (*launchTemplate, *apiError) {
	id, name := q.str(idParam), q.str(nameParam)
	switch {
	case id != "" && name != "":
		return nil, refuse("InvalidParameterCombination", "You may specify either the launch template ID or the launch template name, but not both.")
	case id != "":
		return q.templateByID(id)
	case name != "":
		return q.templateByName(name)
	}
	return nil, refuse("MissingParameter", "Either the launch template ID or the launch template name must be specified.")
}

func (q *call) templateByID(id string) (*launchTemplate, *apiError) {
	if t := q.realm.templates[id]; t != nil {
		return t, nil
	}
	if !strings.HasPrefix(id, "lt-") || !longOrShortForm.MatchString(id) {
		return nil, refuse("InvalidLaunchTemplateId.Malformed", "Invalid id: %q (expecting \"lt-...\")", id)
	}
	return nil, refuse("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", id)
}

func (q *call) templateByName(name string) (*launchTemplate, *apiError) {
	if t := q.realm.templateNamed(name); t != nil {
		return t, nil
	}
	return nil, refuse("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", name)
}

// version finds $Default, $Latest or a number. The text is AWS's (eksctl issue 7786).
func (t *launchTemplate) version(which string) (*templateVersion, *apiError) {
	number := 0
	switch which {
	case "", "$Default":
		number = t.byDefault
	case "$Latest":
		number = t.latest
	default:
		n, err := strconv.Atoi(which)
		if err != nil {
			return nil, refuse("InvalidParameterValue", "Value (%s) for parameter version is invalid. It must be a number, $Latest or $Default.", which)
		}
		number = n
	}
	if v := t.versions[number]; v != nil {
		return v, nil
	}
	return nil, refuse("InvalidLaunchTemplateId.VersionNotFound",
		"Could not find the specified version %d for the launch template with ID %s.", number, t.id)
}

type templateXML struct {
	ID      string        `xml:"launchTemplateId"`
	Name    string        `xml:"launchTemplateName"`
	Created string        `xml:"createTime"`
	Creator string        `xml:"createdBy"`
	Default int           `xml:"defaultVersionNumber"`
	Latest  int           `xml:"latestVersionNumber"`
	Tags    items[tagXML] `xml:"tagSet"`
}

func (t *launchTemplate) xml(now time.Time) templateXML {
	return templateXML{t.id, t.name, timestamp(t.created), t.creator, t.byDefault, t.latest, tagSet(t.visibleTags(now))}
}

func (t *launchTemplate) answer(now time.Time) any {
	return struct {
		Template templateXML `xml:"launchTemplate"`
	}{t.xml(now)}
}

var templateFilters = filterable[*launchTemplate]{
	fields: map[string]func(*launchTemplate) []string{
		"create-time":          func(t *launchTemplate) []string { return one(timestamp(t.created)) },
		"launch-template-name": func(t *launchTemplate) []string { return one(t.name) },
	},
	tags: func(t *launchTemplate, now time.Time) map[string]string { return t.visibleTags(now) },
}

// describeLaunchTemplates refuses an unknown id or name; a filter that nothing passes is no error.
func (c *Cloud) describeLaunchTemplates(q *call) (any, *apiError) {
	keep, err := templateFilters.compile(q)
	if err != nil {
		return nil, err
	}
	found, err := q.namedTemplates()
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(t *launchTemplate) bool { return !keep(t) })
	found, next, err := pageWithin(q, found, func(t *launchTemplate) string { return t.id }, 1, maxTemplatePage)
	if err != nil {
		return nil, err
	}
	list := make([]templateXML, len(found))
	for i, t := range found {
		list[i] = t.xml(q.at)
	}
	return struct {
		Set  items[templateXML] `xml:"launchTemplates"`
		Next string             `xml:"nextToken,omitempty"`
	}{itemsOf(list), next}, nil
}

// namedTemplates are those that a call names by ids and names, or all; by id.
func (q *call) namedTemplates() ([]*launchTemplate, *apiError) {
	byID := func(a, b *launchTemplate) int { return cmp.Compare(a.id, b.id) }
	ids, names := q.list("LaunchTemplateId"), q.list("LaunchTemplateName")
	if ids == nil && names == nil {
		return slices.SortedFunc(maps.Values(q.realm.templates), byID), nil
	}
	var out []*launchTemplate
	for i, text := range slices.Concat(ids, names) {
		find := q.templateByID
		if i >= len(ids) {
			find = q.templateByName
		}
		t, err := find(text)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.SortFunc(out, byID)
	return slices.Compact(out), nil
}

// versionOf is one version with its template, for filters and pages.
type versionOf struct {
	t *launchTemplate
	v *templateVersion
}

var versionFilters = filterable[versionOf]{fields: map[string]func(versionOf) []string{
	"create-time":          func(x versionOf) []string { return one(timestamp(x.v.created)) },
	"ebs-optimized":        func(x versionOf) []string { return one(cmp.Or(x.v.data.Get("EbsOptimized"), "false")) },
	"http-endpoint":        func(x versionOf) []string { return x.v.data["MetadataOptions.HttpEndpoint"] },
	"http-tokens":          func(x versionOf) []string { return x.v.data["MetadataOptions.HttpTokens"] },
	"iam-instance-profile": func(x versionOf) []string { return x.v.data["IamInstanceProfile.Arn"] },
	"image-id":             func(x versionOf) []string { return x.v.data["ImageId"] },
	"instance-type":        func(x versionOf) []string { return x.v.data["InstanceType"] },
	"is-default-version":   func(x versionOf) []string { return one(strconv.FormatBool(x.v.number == x.t.byDefault)) },
}}

// describeTemplateVersions shows the versions of one template, the newest first, or the latest or default ones of all.
func (c *Cloud) describeTemplateVersions(q *call) (any, *apiError) {
	keep, err := versionFilters.compile(q)
	if err != nil {
		return nil, err
	}
	found, err := q.wantedVersions()
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(x versionOf) bool { return !keep(x) })
	key := func(x versionOf) string { return fmt.Sprintf("%s %08d", x.t.id, 1e8-x.v.number) }
	slices.SortFunc(found, func(a, b versionOf) int { return cmp.Compare(key(a), key(b)) })
	found, next, err := pageWithin(q, slices.Compact(found), key, 1, maxTemplatePage)
	if err != nil {
		return nil, err
	}
	list := make([]templateVersionXML, len(found))
	for i, x := range found {
		if list[i], err = q.versionXML(x.t, x.v); err != nil {
			return nil, err
		}
	}
	return struct {
		Set  items[templateVersionXML] `xml:"launchTemplateVersionSet"`
		Next string                    `xml:"nextToken,omitempty"`
	}{itemsOf(list), next}, nil
}

func (q *call) wantedVersions() ([]versionOf, *apiError) {
	wanted := q.list("LaunchTemplateVersion")
	if wanted != nil && (q.has("MinVersion") || q.has("MaxVersion")) {
		return nil, refuse("InvalidParameterCombination", "MinVersion and MaxVersion cannot be used with the parameter LaunchTemplateVersion")
	}
	if !q.has("LaunchTemplateId") && !q.has("LaunchTemplateName") {
		return q.versionsOfAll(wanted)
	}
	t, err := q.launchTemplate("LaunchTemplateId", "LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	var out []versionOf
	for _, which := range wanted {
		v, err := t.version(which)
		if err != nil {
			return nil, err
		}
		out = append(out, versionOf{t, v})
	}
	if wanted == nil {
		out = q.versionsInRange(t)
	}
	return out, nil
}

// versionsInRange are those of a template from MinVersion to MaxVersion.
func (q *call) versionsInRange(t *launchTemplate) (out []versionOf) {
	least, most := q.int("MinVersion", 1), q.int("MaxVersion", t.latest)
	for number, v := range t.versions {
		if least <= number && number <= most {
			out = append(out, versionOf{t, v})
		}
	}
	return out
}

// versionsOfAll are the latest or the default versions of all templates.
func (q *call) versionsOfAll(wanted []string) (out []versionOf, err *apiError) {
	if wanted == nil {
		return nil, refuse("MissingParameter", "Either the launch template ID or the launch template name must be specified.")
	}
	for _, which := range wanted {
		if which != "$Latest" && which != "$Default" {
			return nil, refuse("InvalidParameterCombination", "Without a launch template only the versions $Latest and $Default can be described.")
		}
		for _, t := range q.realm.templates {
			v, err := t.version(which)
			if err != nil {
				return nil, err
			}
			out = append(out, versionOf{t, v})
		}
	}
	return out, nil
}
