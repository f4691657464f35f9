package kubestore

import (
	"bytes"
	"encoding/json"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const kindNamespace = "Namespace"

// validMeta checks metadata by the rules for all objects; kept is nil for a new one.
func validMeta(k *kind, object, kept client.Object) field.ErrorList {
	path := field.NewPath("metadata")
	if kept != nil {
		return validation.ValidateObjectMetaAccessorUpdate(object, kept, path)
	}
	named := validation.NameIsDNSSubdomain
	if k.gvk.Kind == kindNamespace {
		named = validation.ValidateNamespaceName
	}
	return validation.ValidateObjectMetaAccessor(object, k.namespaced, named, path)
}

// normal is what the API server makes of an object of Kubernetes' own kinds; kept is nil for a new one.
func (s *Store) normal(k *kind, object, kept client.Object) (client.Object, error) {
	errs := validMeta(k, object, kept)
	switch o := object.(type) {
	case *corev1.Namespace:
		normalNamespace(o)
	case *corev1.Secret:
		errs = append(errs, normalSecret(o, kept)...)
	case *corev1.ConfigMap:
		errs = append(errs, normalConfigMap(o, kept)...)
	case *appsv1.ControllerRevision:
		if old, ok := kept.(*appsv1.ControllerRevision); ok && !bytes.Equal(o.Data.Raw, old.Data.Raw) {
			errs = append(errs, field.Invalid(field.NewPath("data"), o.Data, validation.FieldImmutableErrorMsg))
		}
	}
	if err := k.refused(object, errs); err != nil {
		return nil, err
	}
	return s.fromTheWire(k, object)
}

// fromTheWire is an object as a client reads it: times in seconds, and empty lists gone.
func (s *Store) fromTheWire(k *kind, object client.Object) (client.Object, error) {
	made, err := s.scheme.New(k.gvk)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, made); err != nil {
		return nil, err
	}
	made.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return made.(client.Object), nil
}

func normalNamespace(n *corev1.Namespace) {
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[corev1.LabelMetadataName] = n.Name
	n.Labels = labels
	n.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
	if n.Status.Phase == "" {
		n.Status.Phase = corev1.NamespaceActive
	}
}

func normalSecret(secret *corev1.Secret, kept client.Object) field.ErrorList {
	if len(secret.StringData) > 0 {
		data := maps.Clone(secret.Data)
		if data == nil {
			data = map[string][]byte{}
		}
		for key, value := range secret.StringData {
			data[key] = []byte(value)
		}
		secret.Data, secret.StringData = data, nil
	}
	if secret.Type == "" {
		secret.Type = corev1.SecretTypeOpaque
	}
	old, ok := kept.(*corev1.Secret)
	if !ok || !immutable(old.Immutable) {
		return nil
	}
	return unchangeable(secret.Immutable, equality.Semantic.DeepEqual(secret.Data, old.Data))
}

func normalConfigMap(config *corev1.ConfigMap, kept client.Object) field.ErrorList {
	old, ok := kept.(*corev1.ConfigMap)
	if !ok || !immutable(old.Immutable) {
		return nil
	}
	return unchangeable(config.Immutable, equality.Semantic.DeepEqual(config.Data, old.Data) &&
		equality.Semantic.DeepEqual(config.BinaryData, old.BinaryData))
}

func immutable(flag *bool) bool { return flag != nil && *flag }

// unchangeable is what is wrong with an update of an immutable Secret or ConfigMap.
func unchangeable(flag *bool, same bool) field.ErrorList {
	const fixed = "field is immutable when `immutable` is set"
	var errs field.ErrorList
	if !immutable(flag) {
		errs = append(errs, field.Forbidden(field.NewPath("immutable"), fixed))
	}
	if !same {
		errs = append(errs, field.Forbidden(field.NewPath("data"), fixed))
	}
	return errs
}
