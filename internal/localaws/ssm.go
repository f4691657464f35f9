package localaws

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func ssmOperations() map[string]operation {
	return map[string]operation{
		"GetParameter":          getParameter,
		"PutParameter":          putParameter,
		"DeleteParameter":       deleteParameter,
		"LabelParameterVersion": labelParameterVersion,
	}
}

// parameter is one SSM parameter with all its versions, oldest first. Guarded by Cloud.mu.
type parameter struct {
	name, kind, dataType string
	versions             []*parameterVersion
}

type parameterVersion struct {
	number   int
	value    string
	modified time.Time
	labels   []string
}

var parameterName = regexp.MustCompile(`^/?[\w.-]+(/[\w.-]+)*$`)

// secureString is the kind of a parameter whose value is secret.
const secureString = "SecureString"

// maxParameter is the size of a standard parameter's value (Systems Manager user guide).
const maxParameter = 4 << 10

// findParameter reads a selector: a name or an ARN, optionally with :version or :label.
func (r *realm) findParameter(selector string) (*parameter, *parameterVersion, *apiError) {
	name, choice := selector, ""
	if rest, isARN := strings.CutPrefix(selector, "arn:aws:ssm:"); isARN {
		realm, resource, _ := strings.Cut(rest, ":parameter")
		owner := r.account
		if isPublic(resource) {
			owner = ""
		}
		if realm != r.region+":"+owner {
			return nil, nil, refuse("ParameterNotFound", "Parameter %s not found.", selector)
		}
		name = resource
	}
	name, choice, _ = strings.Cut(name, ":")
	p := r.params[name]
	if p == nil && strings.HasPrefix(selector, "arn:") {
		p = r.params[strings.TrimPrefix(name, "/")] // an ARN does not tell /name from name
	}
	if p == nil {
		return nil, nil, refuse("ParameterNotFound", "Parameter %s not found.", selector)
	}
	if choice == "" {
		return p, p.versions[len(p.versions)-1], nil
	}
	for _, v := range p.versions {
		if strconv.Itoa(v.number) == choice || slices.Contains(v.labels, choice) {
			return p, v, nil
		}
	}
	return nil, nil, refuse("ParameterVersionNotFound",
		"Systems Manager could not find version %s of %s. Verify the version and try again.", choice, name)
}

// isPublic says that a parameter is one of those that AWS publishes for everybody. They belong to no account, and IAM is asked for
// an ARN with none in it: arn:aws:ssm:us-east-1::parameter/aws/service/….
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
func isPublic(name string) bool { return strings.HasPrefix(name, "/aws/service/") }

func (r *realm) parameterARN(name string) string {
	if isPublic(name) {
		return "arn:aws:ssm:" + r.region + "::parameter" + name
	}
	return r.arn("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
}

var getParameter = operation{
	params: []string{"Name!", "WithDecryption:bool"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		selector := q.str("Name")
		p, v, err := q.realm.findParameter(selector)
		if err != nil {
			return nil, err
		}
		type answer struct {
			ARN              string
			DataType         string
			LastModifiedDate float64
			Name             string
			Selector         string `json:",omitempty"`
			Type             string
			Value            string
			Version          int
		}
		a := answer{q.realm.parameterARN(p.name), p.dataType, float64(v.modified.UnixMilli()) / 1000, p.name, "", p.kind, v.value, v.number}
		if p.kind == secureString && !q.bool("WithDecryption", false) {
			a.Value = "AQICAHlocal" + checksum(v.value) // what is stored, encrypted
		}
		if _, choice, chosen := strings.Cut(strings.TrimPrefix(selector, a.ARN), ":"); chosen {
			a.Selector = ":" + choice
		}
		return struct{ Parameter answer }{a}, nil
	},
}

// maxVersions is how many versions of a parameter are kept; the oldest goes (Systems Manager user guide).
const maxVersions = 100

var putParameter = operation{
	params:  []string{"Name!", "Value!", "Type", "Overwrite:bool", "DataType"},
	mutates: true,
	run: func(_ *Cloud, q *call) (any, *apiError) {
		name, value := q.str("Name"), q.str("Value")
		if err := q.checkParameter(name, value); err != nil {
			return nil, err
		}
		p := q.realm.params[name]
		switch {
		case p == nil && q.str("Type") == "":
			return nil, refuse("ValidationException", "A parameter type is required when you create a parameter.")
		case p != nil && !q.bool("Overwrite", false):
			return nil, refuse("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		case p == nil:
			p = &parameter{name: name, kind: q.str("Type"), dataType: cmp.Or(q.str("DataType"), "text")}
			q.realm.params[name] = p
		default:
			if err := p.checkTypes(q); err != nil {
				return nil, err
			}
		}
		v := p.add(value, q.at)
		q.effect("%s is at version %d", name, v.number)
		return struct {
			Tier    string
			Version int
		}{"Standard", v.number}, nil
	},
}

// add gives a parameter its next version.
func (p *parameter) add(value string, at time.Time) *parameterVersion {
	v := &parameterVersion{number: 1, value: value, modified: at}
	if n := len(p.versions); n > 0 {
		v.number = p.versions[n-1].number + 1
	}
	p.versions = append(p.versions, v)
	if len(p.versions) > maxVersions {
		p.versions = p.versions[1:]
	}
	return v
}

// checkParameter is what PutParameter checks first.
func (q *call) checkParameter(name, value string) *apiError {
	kind, dataType := q.str("Type"), q.str("DataType")
	switch {
	case isPublic(name):
		return refuse("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case !parameterName.MatchString(name):
		return refuse("ValidationException", `Parameter name: can't be prefixed with "ssm" (case-insensitive) and can only contain `+
			"letters, numbers and the following symbols: . - _ (and / between path elements): %s", name)
	case kind != "" && !slices.Contains([]string{"String", "StringList", secureString}, kind):
		return refuse("ValidationException", "1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [SecureString, StringList, String]", kind)
	case dataType != "" && dataType != "text" && dataType != "aws:ec2:image":
		return refuse("ValidationException", "The following data type is not supported: %s", dataType)
	case len(value) > maxParameter:
		return refuse("ValidationException", "Standard tier parameters support a maximum parameter value of %d characters.", maxParameter)
	}
	return nil
}

// checkTypes refuses to overwrite a parameter by one of another type. For the type AWS does so too (SDK documentation of
// HierarchyTypeMismatchException); of the data type no page says.
func (p *parameter) checkTypes(q *call) *apiError {
	if kind := cmp.Or(q.str("Type"), p.kind); kind != p.kind {
		return refuse("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type in a hierarchy: "+
			"the Type of %s is %s, and not %s", p.name, p.kind, kind)
	}
	if dataType := cmp.Or(q.str("DataType"), p.dataType); dataType != p.dataType {
		return refuse("ValidationException", "The change of a DataType is not simulated here: that of %s is %s, and not %s", p.name, p.dataType, dataType)
	}
	return nil
}

var deleteParameter = operation{
	params:  []string{"Name!"},
	mutates: true,
	run: func(_ *Cloud, q *call) (any, *apiError) {
		name := q.str("Name")
		if q.realm.params[name] == nil {
			return nil, refuse("ParameterNotFound", "Parameter %s not found.", name)
		}
		delete(q.realm.params, name)
		q.effect("deleted %s", name)
		return nil, nil
	},
}

// labelParameterVersion moves labels to a version, the latest if none is named.
var labelParameterVersion = operation{
	params:  []string{"Name!", "ParameterVersion:int", "Labels.N!"},
	mutates: true,
	run: func(_ *Cloud, q *call) (any, *apiError) {
		selector := q.str("Name")
		if n := q.int("ParameterVersion", 0); n > 0 {
			selector += ":" + strconv.Itoa(n)
		}
		p, chosen, err := q.realm.findParameter(selector)
		if err != nil {
			return nil, err
		}
		labels := q.list("Labels")
		for _, v := range p.versions {
			v.labels = slices.DeleteFunc(v.labels, func(l string) bool { return slices.Contains(labels, l) })
		}
		chosen.labels = append(chosen.labels, labels...)
		q.effect("labels %s are at version %d of %s", strings.Join(labels, ", "), chosen.number, p.name)
		return struct {
			InvalidLabels    []string
			ParameterVersion int
		}{[]string{}, chosen.number}, nil
	},
}
