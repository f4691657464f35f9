package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

// schema is one place in the schema of a kind.
type schema struct {
	path string // "spec.image.id"; "[]" stands for an item, "{}" for a value of a map
	apiextensionsv1.JSONSchemaProps
}

// definition reads one of the generated CustomResourceDefinitions.
func definition(file string) *apiextensionsv1.CustomResourceDefinition {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(crdFolder, file))
	Expect(err).NotTo(HaveOccurred())
	crd := &apiextensionsv1.CustomResourceDefinition{}
	Expect(yaml.UnmarshalStrict(content, crd)).To(Succeed())
	Expect(crd.Spec.Versions).To(HaveLen(1))
	return crd
}

// fields lists every place in the schema of a kind but metadata, apiVersion and kind; the root is "".
func fields(crd *apiextensionsv1.CustomResourceDefinition) []schema {
	root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.DeepCopy()
	for _, common := range []string{"apiVersion", "kind", "metadata"} {
		delete(root.Properties, common)
	}
	return below("", *root)
}

func below(path string, props apiextensionsv1.JSONSchemaProps) []schema {
	out := []schema{{path, props}}
	for name, property := range props.Properties {
		out = append(out, below(strings.TrimPrefix(path+"."+name, "."), property)...)
	}
	if props.Items != nil {
		out = append(out, below(path+"[]", *props.Items.Schema)...)
	}
	if props.AdditionalProperties != nil {
		out = append(out, below(path+"{}", *props.AdditionalProperties.Schema)...)
	}
	return out
}

// name is the json name of a field, empty for an item or a value of a map.
func (s schema) name() string {
	name := s.path[strings.LastIndex(s.path, ".")+1:]
	if strings.ContainsAny(name, "[{") {
		return ""
	}
	return name
}

// leaf tells whether the field holds a value rather than other fields.
func (s schema) leaf() bool { return len(s.Properties) == 0 }

// bounded tells whether the field has the maximum that its type calls for.
func (s schema) bounded() bool {
	switch {
	case s.Type == "string":
		return s.MaxLength != nil || len(s.Enum) > 0 || s.Format == "date-time"
	case s.Type == "array":
		return s.MaxItems != nil
	case s.AdditionalProperties != nil: // for keys there is no maximum in a schema, so a rule has to say it
		return s.MaxProperties != nil && slices.ContainsFunc(s.XValidations, func(rule apiextensionsv1.ValidationRule) bool {
			return strings.Contains(rule.Rule, "self.all(k, size(k) > 0 && size(k) <= ")
		})
	default:
		return true
	}
}

// explained tells whether the manual says what happens without the field and shows one.
func (s schema) explained() bool {
	return strings.Contains(s.Description, "Example: ") || strings.HasSuffix(s.path, "override.expiresAt")
}

// celRule is a rule of the schema: where it points, and its message or the expression that makes it.
type celRule struct{ field, message string }

// celRules lists the rules of a kind.
func celRules(crd *apiextensionsv1.CustomResourceDefinition) []celRule {
	var out []celRule
	for _, field := range fields(crd) {
		for _, validation := range field.XValidations {
			out = append(out, celRule{field.path + validation.FieldPath, validation.Message + validation.MessageExpression})
		}
	}
	return out
}

// index finds the number of an item in a path.
var index = regexp.MustCompile(`\[\d+\]`)

// refuses tells whether a line of a table is about the rule.
func (r celRule) refuses(line rule) bool {
	return index.ReplaceAllString(line.field, "[]") == r.field && strings.Contains(r.message, line.message)
}

// spoken is the default that a description tells of.
func spoken(description string) string {
	_, rest, _ := strings.Cut(description, "Default: ")
	value, _, _ := strings.Cut(rest, ". ")
	return plainly(strings.TrimSuffix(value, "."))
}

// plainly spells durations alike: the schema holds 15m0s, as Go writes it, so that a typed write changes nothing, where people write 15m.
func plainly(value string) string {
	if d, err := time.ParseDuration(value); err == nil {
		return d.String()
	}
	return value
}

var _ = Describe("The schema", func() {
	for file, refusals := range map[string][]rule{
		"slipway.dev_releases.yaml":       append(ofChanges(releaseChanges), releaseRules...),
		"slipway.dev_releaseclasses.yaml": append(ofChanges(classChanges), classRules...),
	} {
		Describe(file, func() {
			It("has an entry in the manual for every field, which starts with its name", func() {
				for _, field := range fields(definition(file)) {
					if name := field.name(); name != "" && name != "spec" {
						Expect(field.Description).To(HavePrefix(name+" "), field.path)
					}
				}
			})

			It("shows an example of every value that a person may write", func() {
				for _, field := range fields(definition(file)) {
					if strings.HasPrefix(field.path, "spec.") && field.leaf() && field.name() != "" {
						Expect(field.explained()).To(BeTrue(), "%s: %s", field.path, field.Description)
					}
				}
			})

			It("names the default of every field that has one", func() {
				for _, field := range fields(definition(file)) {
					if field.Default != nil && field.leaf() {
						value := strings.Trim(string(field.Default.Raw), `"`)
						Expect(spoken(field.Description)).To(Equal(plainly(value)), field.path)
					}
				}
			})

			It("has a maximum for every string, list and map", func() {
				for _, field := range fields(definition(file)) {
					Expect(field.bounded()).To(BeTrue(), "%s has no maximum", field.path)
				}
			})

			It("says of every list how it is merged", func() {
				for _, field := range fields(definition(file)) {
					if field.Type == "array" {
						Expect(field.XListType).NotTo(BeNil(), field.path)
					}
				}
			})

			It("has rules on spec and below, never on the root or on status", func() {
				for _, rule := range celRules(definition(file)) {
					Expect(rule.field).To(HavePrefix("spec"), rule.message)
				}
			})

			It("has a line in a table for every rule", func() {
				for _, rule := range celRules(definition(file)) {
					Expect(rule.message).NotTo(BeEmpty(), rule.field)
					Expect(slices.ContainsFunc(refusals, rule.refuses)).To(BeTrue(), "no line is refused by the rule of %s: %s", rule.field, rule.message)
				}
			})
		})
	}

	It("gives no default to phase, image and template: it would change revisions", func() {
		for _, field := range fields(definition("slipway.dev_releases.yaml")) {
			for _, path := range []string{"spec.phase", "spec.image", "spec.template", "spec.version"} {
				if field.path == path || strings.HasPrefix(field.path, path+".") {
					Expect(field.Default).To(BeNil(), field.path)
				}
			}
		}
	})

	It("bounds status by the limits that its writers cut it to", func() {
		limits := map[string]int64{
			"status.message":                      v1alpha1.MaxTextLength,
			"status.effectivePhaseMessage":        v1alpha1.MaxTextLength,
			"status.stage":                        v1alpha1.MaxNameLength,
			"status.liveVersion":                  v1alpha1.MaxNameLength,
			"status.candidate.serverIDs":          v1alpha1.MaxShownServers,
			"status.candidate.note":               v1alpha1.MaxTextLength,
			"status.retired":                      v1alpha1.MaxShownFleets,
			"status.pools":                        v1alpha1.MaxShownPools,
			"status.pools[].name":                 v1alpha1.MaxNameLength,
			"status.pools[].reference":            v1alpha1.MaxNameLength,
			"status.pools[].message":              v1alpha1.MaxTextLength,
			"status.pools[].fleets":               v1alpha1.MaxShownFleets,
			"status.pools[].fleets[].serverIDs":   v1alpha1.MaxShownServers,
			"status.pools[].unhealthy":            v1alpha1.MaxShownUnhealthy,
			"status.pools[].unhealthy[].reason":   v1alpha1.MaxReasonLength,
			"status.pools[].unhealthy[].serverID": v1alpha1.MaxNameLength,
			"status.history":                      v1alpha1.MaxShownHistory,
			"status.history[].message":            v1alpha1.MaxTextLength,
			"status.history[].verdict":            v1alpha1.MaxNameLength,
		}
		seen := map[string]int64{}
		for _, field := range fields(definition("slipway.dev_releases.yaml")) {
			if maximum := field.maximum(); limits[field.path] != 0 && maximum != nil {
				seen[field.path] = *maximum
			}
		}
		Expect(seen).To(Equal(limits))
	})
})

// maximum is the maximum length of a string or list.
func (s schema) maximum() *int64 {
	if s.MaxItems != nil {
		return s.MaxItems
	}
	return s.MaxLength
}

// ofChanges are the lines of a table of edits.
func ofChanges(changes []change) []rule {
	var out []rule
	for _, change := range changes {
		out = append(out, change.rule)
	}
	return out
}
