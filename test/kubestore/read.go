package kubestore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Get implements client.Client.
func (s *Store) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	k, err := s.begin(ctx, into)
	if err != nil {
		return err
	}
	if !k.namespaced {
		key.Namespace = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, err := s.find(k, key)
	if err != nil {
		return err
	}
	kept.give(into)
	return nil
}

// begin is what every operation looks at first.
func (s *Store) begin(ctx context.Context, object runtime.Object) (*kind, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.kindOf(object)
}

// List implements client.Client. Objects come in the order of namespace and name, as from etcd.
func (s *Store) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k, err := s.kindOfList(into)
	if err != nil {
		return err
	}
	var options client.ListOptions
	options.ApplyOptions(opts)
	matches, err := selection(k, &options)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []runtime.Object
	shared := options.UnsafeDisableDeepCopy != nil && *options.UnsafeDisableDeepCopy
	for _, kept := range s.objects[k.gvk] {
		switch {
		case !matches(kept.given):
		case shared:
			found = append(found, kept.given)
		default:
			found = append(found, kept.given.DeepCopyObject())
		}
	}
	slices.SortFunc(found, func(a, b runtime.Object) int {
		one, other := a.(client.Object), b.(client.Object)
		return strings.Compare(one.GetNamespace()+"/"+one.GetName(), other.GetNamespace()+"/"+other.GetName())
	})
	into.SetResourceVersion(strconv.FormatUint(s.version, 10))
	return meta.SetList(into, found)
}

func (s *Store) kindOfList(list client.ObjectList) (*kind, error) {
	gvk, err := s.GroupVersionKindFor(list)
	if err != nil {
		return nil, err
	}
	gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
	k, ok := s.kinds[gvk]
	if !ok {
		return nil, &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
	}
	return k, nil
}

// selection is the test that a list's options ask for.
func selection(k *kind, options *client.ListOptions) (func(client.Object) bool, error) {
	if options.Limit != 0 || options.Continue != "" {
		return nil, fmt.Errorf("kubestore does not page lists: limit %d, continue %q", options.Limit, options.Continue)
	}
	byLabel, byField := labels.Everything(), fields.Everything()
	if options.LabelSelector != nil {
		byLabel = options.LabelSelector
	}
	if options.FieldSelector != nil {
		byField = options.FieldSelector
	}
	for _, r := range byField.Requirements() {
		if r.Field != "metadata.name" && r.Field != "metadata.namespace" {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("field label not supported: %s", r.Field))
		}
	}
	return func(object client.Object) bool {
		return within(k, object, options.Namespace) && byLabel.Matches(labels.Set(object.GetLabels())) && (byField.Empty() ||
			byField.Matches(fields.Set{"metadata.name": object.GetName(), "metadata.namespace": object.GetNamespace()}))
	}, nil
}

// within: the object is in the namespace that is asked for; none means all.
func within(k *kind, object client.Object, namespace string) bool {
	return namespace == "" || !k.namespaced || object.GetNamespace() == namespace
}
