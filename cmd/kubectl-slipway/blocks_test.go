package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/operator"
)

// fence is a fenced block of a page.
type fence struct {
	at       string // page and line
	language string
	text     string
}

// fences are all blocks of the pages that people read, also those within lists.
func fences(t *testing.T) (all []fence) {
	t.Helper()
	pattern := regexp.MustCompile("(?ms)^( *)```([^\n]*)\n(.*?)^ *```$")
	texts := advice(t)
	for _, page := range slices.Sorted(maps.Keys(texts)) {
		if filepath.Ext(page) != ".md" {
			continue
		}
		for _, at := range pattern.FindAllStringSubmatchIndex(texts[page], -1) {
			part := func(i int) string { return texts[page][at[2*i]:at[2*i+1]] }
			all = append(all, fence{
				at:       fmt.Sprintf("%s:%d", page, 1+strings.Count(texts[page][:at[0]], "\n")),
				language: part(2),
				text:     strings.ReplaceAll("\n"+part(3), "\n"+part(1), "\n")[1:],
			})
		}
	}
	return all
}

// Each block is of a language that something below looks at; the one in Go is a part of a file.
func TestBlocksAreOfKnownLanguages(t *testing.T) {
	found := map[string]int{}
	for _, block := range fences(t) {
		if found[block.language]++; !slices.Contains([]string{"", "sh", "bash", "yaml", "json", "go"}, block.language) {
			t.Errorf("%s: nothing looks at a block in %q", block.at, block.language)
		}
	}
	for language, least := range map[string]int{"sh": 50, "bash": 3, "yaml": 20, "json": 1} {
		if found[language] < least {
			t.Errorf("found %d blocks in %s", found[language], language)
		}
	}
}

// What is to be written into a file is what reads it understands, to the last field.
func TestBlocksOfDataAreTaken(t *testing.T) {
	for _, block := range fences(t) {
		switch block.language {
		case "json":
			if !json.Valid([]byte(block.text)) {
				t.Errorf("%s: no JSON:\n%s", block.at, block.text)
			}
		case "yaml":
			if err := taken(block.text); err != nil {
				t.Errorf("%s: %v:\n%s", block.at, err, block.text)
			}
		}
	}
}

// elsewhere are fields of kinds of Argo CD's and Flux's: test/argocd holds these blocks equal to the samples.
var elsewhere = []string{"ignoreDifferences", "healthCheckExprs", "spec.project"}

// kustomization are the fields by which a part of a kustomization.yaml is known.
var kustomization = []string{"resources", "components", "patches", "images", "configMapGenerator", "replacements"}

// taken fails where YAML is neither a whole object without a field that its kind does not have, nor such a part of one.
func taken(text string) error {
	var list []corev1.EnvVar
	if strings.HasPrefix(text, "- ") {
		return yaml.UnmarshalStrict([]byte(text), &list)
	}
	var fields map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &fields); err != nil {
		return err
	}
	spec, _ := fields["spec"].(map[string]any)
	has := func(name string) bool {
		name, inSpec := strings.CutPrefix(name, "spec.")
		_, there := map[bool]map[string]any{true: spec, false: fields}[inSpec][name]
		return there
	}
	switch version, _ := fields["apiVersion"].(string); {
	case version != "":
		return decodes(schema.FromAPIVersionAndKind(version, fmt.Sprint(fields["kind"])), []byte(text))
	case slices.ContainsFunc(elsewhere, has):
		return nil
	case slices.ContainsFunc(kustomization, has):
		return customizes(text)
	case has("spec") || has("metadata"):
		return yaml.UnmarshalStrict([]byte(text), &v1alpha1.Release{})
	}
	return yaml.UnmarshalStrict([]byte(text), &v1alpha1.ReleaseSpec{})
}

// decodes fails where the kind is not known, or has no such field.
func decodes(kind schema.GroupVersionKind, text []byte) error {
	object, err := operator.Scheme().New(kind)
	if err != nil {
		return err
	}
	return yaml.UnmarshalStrict(text, object)
}

// customizes is taken for a part of a kustomization.yaml, and for the patches in it.
func customizes(text string) error {
	var whole types.Kustomization
	if err := yaml.UnmarshalStrict([]byte(text), &whole); err != nil {
		return err
	}
	var wrong []error
	for _, patch := range whole.Patches {
		if patch.Patch != "" {
			wrong = append(wrong, operates(patch.Patch))
		}
	}
	return errors.Join(wrong...)
}

// operates fails where the text is no JSON patch.
func operates(text string) error {
	written, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return err
	}
	var operations []struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	decoder := json.NewDecoder(bytes.NewReader(written))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&operations); err != nil {
		return err
	}
	for _, o := range operations {
		if !slices.Contains([]string{"add", "replace", "remove", "test"}, o.Op) || !strings.HasPrefix(o.Path, "/") {
			return fmt.Errorf("no operation of a JSON patch: %+v", o)
		}
	}
	return nil
}

func TestDataThatNobodyTakesIsFound(t *testing.T) {
	for text, wrong := range map[string]bool{
		"adopt: {tags: {role: web}}":            false,
		"adopt: {tag: {role: web}}":             true,
		"spec: {replica: 2}":                    true,
		"spec: {replicas: 2, replicas: 3}":      true,
		"metadata: {name: web, annotation: {}}": true,
		"apiVersion: slipway.dev/v1alpha1\nkind: ReleaseClass\nspec: {region: us-east-1}":          false,
		"apiVersion: slipway.dev/v1alpha1\nkind: ReleaseClass\nspec: {regions: us-east-1}":         true,
		"apiVersion: slipway.dev/v1alpha1\nkind: Releases":                                         true,
		"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 2}":                               false,
		"apiVersion: apps/v1\nkind: Deployment\nspec: {replica: 2}":                                true,
		"- {name: A, valueFrom: {secretKeyRef: {name: b, key: c}}}":                                false,
		"- {name: A, valueFrom: {secretRef: {name: b, key: c}}}":                                   true,
		"images: [{name: a, newTag: b}]":                                                           false,
		"images: [{name: a, tag: b}]":                                                              true,
		"patches: [{target: {kind: A}, patch: '[{op: add, path: /a, value: 1}]'}]":                 false,
		"patches: [{target: {kind: A}, patch: '[{op: put, path: /a, value: 1}]'}]":                 true,
		"patches: [{target: {kind: A}, patch: '[{op: add, pth: /a, value: 1}]'}]":                  true,
		"ignoreDifferences: [{group: slipway.dev}]":                                                false,
		"spec: {project: default}":                                                                 false,
		"project: default":                                                                         true,
		"loadBalancers: {test: [{name: a, classic: {name: b}}], production: [{name: a, alb: {}}]}": true,
	} {
		if err := taken(text); (err != nil) != wrong {
			t.Errorf("%s: %v", text, err)
		}
	}
}
