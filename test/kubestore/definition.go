package kubestore

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"sigs.k8s.io/yaml"
)

// definition is what a CustomResourceDefinition says of its objects, in the API server's own implementation. The order of the
// checks is the API server's too (apiextensions-apiserver, pkg/registry/customresource).
type definition struct {
	structural *structuralschema.Structural
	whole      validation.SchemaValidator
	status     validation.SchemaValidator // nil where there is no status subresource
	statusForm *structuralschema.Structural
	rules      *cel.Validator
	scaled     []string // paths of the replicas that the scale subresource shows
}

// known keeps what a folder defines: compiling the rules takes longer than most tests.
var known sync.Map // folder → []*kind

// readDefinitions reads the CustomResourceDefinitions of a folder, once in a process.
func readDefinitions(folder string) ([]*kind, error) {
	if kinds, ok := known.Load(folder); ok {
		return kinds.([]*kind), nil
	}
	kinds, err := parseDefinitions(folder)
	if err == nil {
		known.Store(folder, kinds)
	}
	return kinds, err
}

func parseDefinitions(folder string) ([]*kind, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no CustomResourceDefinitions in %q (%w)", folder, err)
	}
	var kinds []*kind
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(text, &crd); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for i := range crd.Spec.Versions {
			k, err := kindOfDefinition(&crd, &crd.Spec.Versions[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}

func kindOfDefinition(crd *apiextensionsv1.CustomResourceDefinition, version *apiextensionsv1.CustomResourceDefinitionVersion) (*kind, error) {
	var internal apiextensions.CustomResourceValidation
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(version.Schema, &internal, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	d := &definition{structural: structural, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit)}
	if d.whole, _, err = validation.NewSchemaValidator(internal.OpenAPIV3Schema); err != nil {
		return nil, err
	}
	if version.Subresources != nil && version.Subresources.Status != nil {
		status := internal.OpenAPIV3Schema.Properties["status"]
		if d.status, _, err = validation.NewSchemaValidator(&status); err != nil {
			return nil, err
		}
		d.statusForm = new(structural.Properties["status"])
	}
	if version.Subresources != nil && version.Subresources.Scale != nil {
		d.scaled = []string{version.Subresources.Scale.SpecReplicasPath, version.Subresources.Scale.StatusReplicasPath}
	}
	group := crd.Spec.Group
	return &kind{
		gvk:        schema.GroupVersionKind{Group: group, Version: version.Name, Kind: crd.Spec.Names.Kind},
		resource:   schema.GroupVersionResource{Group: group, Version: version.Name, Resource: crd.Spec.Names.Plural},
		namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped,
		definition: d,
	}, nil
}

// complete drops what the definition does not know and fills in its defaults.
func (d *definition) complete(content map[string]any) {
	pruning.Prune(content, d.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(content, d.structural)
	defaulting.Default(content, d.structural)
}

// valid checks an object; old is nil for a new one.
func (d *definition) valid(ctx context.Context, content, old map[string]any) field.ErrorList {
	if old == nil {
		errs := append(validation.ValidateCustomResource(nil, content, d.whole), d.validScale(content)...)
		errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.structural, content)...)
		return d.rulesAfter(ctx, errs, content, nil)
	}
	ratchet := ratchet(content, old, d.structural)
	errs := append(formed(nil, d.whole, ratchet), d.validScale(content)...)
	if len(listtype.ValidateListSetsAndMaps(nil, d.structural, old)) == 0 {
		errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.structural, content)...)
	}
	return d.rulesAfter(ctx, errs, content, old, cel.WithRatcheting(ratchet))
}

// validScale checks what the scale subresource shows.
func (d *definition) validScale(content map[string]any) field.ErrorList {
	var errs field.ErrorList
	for _, path := range d.scaled {
		n, _, err := unstructured.NestedInt64(content, strings.Split(strings.TrimPrefix(path, "."), ".")...)
		switch {
		case err != nil:
			errs = append(errs, field.Invalid(field.NewPath(path), n, err.Error()))
		case n < 0:
			errs = append(errs, field.Invalid(field.NewPath(path), n, "should be a non-negative integer"))
		case n > math.MaxInt32:
			errs = append(errs, field.Invalid(field.NewPath(path), n, fmt.Sprintf("should be less than or equal to %d", math.MaxInt32)))
		}
	}
	return errs
}

// validStatus completes and checks the status of an update of that alone. The rest is what it was, so the rules for it hold as they
// held; and so do those for each part of the status that is what it was.
func (d *definition) validStatus(content, old map[string]any) field.ErrorList {
	if _, has := content["status"]; !has {
		return nil
	}
	var same map[string]any
	object, is := content["status"].(map[string]any)
	if is {
		object, same = d.compared(object, old["status"])
		d.complete(map[string]any{"status": object})
		content["status"] = object
	}
	path := field.NewPath("status")
	errs := formed(path, d.status, ratchet(content["status"], old["status"], d.statusForm))
	errs = append(errs, listtype.ValidateListSetsAndMaps(path, d.statusForm, object)...)
	if meaningless(errs) {
		errs = append(errs, notAllChecked)
	}
	maps.Copy(object, same)
	return errs
}

// compared parts a status into what it was and what it was not; what every status needs is always among the latter.
func (d *definition) compared(status map[string]any, before any) (news, same map[string]any) {
	was, _ := before.(map[string]any)
	news, same = map[string]any{}, map[string]any{}
	for name, value := range status {
		old, had := was[name]
		needed := d.statusForm.ValueValidation != nil && slices.Contains(d.statusForm.ValueValidation.Required, name)
		if had && !needed && reflect.DeepEqual(value, old) {
			same[name] = old
		} else {
			news[name] = value
		}
	}
	return news, same
}

// formed checks an updated value against its schema. Only what is wrong is compared with what was there before, which an update may
// leave as wrong as it was: to correlate the two takes longer than to look at the new one.
func formed(path *field.Path, schema validation.SchemaValidator, updated *common.CorrelatedObject) field.ErrorList {
	if schema.Validate(updated.Value).IsValid() {
		return nil
	}
	return validation.ValidateCustomResourceUpdate(path, updated.Value, updated.OldValue, schema, validation.WithRatcheting(updated))
}

// notAllChecked is what is added where mistakes of form keep the CEL rules from being evaluated.
var notAllChecked = field.Invalid(nil, nil, "some validation rules were not checked because the object was invalid; "+
	"correct the existing errors to complete validation")

// meaningless reports whether rules would be evaluated on something that has not the form that they are written for.
func meaningless(errs field.ErrorList) bool {
	return slices.ContainsFunc(errs, func(e *field.Error) bool {
		switch e.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		}
		return false
	})
}

func ratchet(content, old any, form *structuralschema.Structural) *common.CorrelatedObject {
	return common.NewCorrelatedObject(content, old, &model.Structural{Structural: form})
}

// rulesAfter evaluates the CEL rules, unless what was found makes them meaningless.
func (d *definition) rulesAfter(
	ctx context.Context, errs field.ErrorList, content, old map[string]any, options ...cel.Option,
) field.ErrorList {
	if meaningless(errs) {
		return append(errs, notAllChecked)
	}
	found, _ := d.rules.Validate(ctx, nil, d.structural, content, anyOrNil(old), celconfig.RuntimeCELCostBudget, options...)
	return append(errs, found...)
}

// anyOrNil keeps "no old object" a nil that a rule's oldSelf can be told by.
func anyOrNil(content map[string]any) any {
	if content == nil {
		return nil
	}
	return content
}
