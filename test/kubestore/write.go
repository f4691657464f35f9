package kubestore

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// part is what a write may change.
type part int

const (
	// wholeBut is all of an object but its status, if that is a part of its own.
	wholeBut part = iota
	// statusAlone is the status.
	statusAlone
)

// Create implements client.Client.
func (s *Store) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
	k, err := s.begin(ctx, object)
	if err != nil {
		return err
	}
	var options client.CreateOptions
	options.ApplyOptions(opts)
	s.mu.Lock()
	defer s.mu.Unlock()
	made, err := s.prepare(ctx, k, object)
	if err != nil {
		return err
	}
	if _, taken := s.objects[k.gvk][k.key(made)]; taken {
		return apierrors.NewAlreadyExists(k.resource.GroupResource(), made.GetName())
	}
	return s.commit(k, nil, made, object, len(options.DryRun) > 0)
}

// prepare makes of a caller's object the one that is stored. Called with s.mu held.
func (s *Store) prepare(ctx context.Context, k *kind, object client.Object) (client.Object, error) {
	if object.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if err := s.namespaceThere(k, object); err != nil {
		return nil, err
	}
	made, err := k.draft(object, wholeBut)
	if err != nil {
		return nil, err
	}
	made.SetUID(s.uid())
	made.SetCreationTimestamp(metav1.NewTime(s.now().Truncate(time.Second)))
	made.SetDeletionTimestamp(nil)
	made.SetDeletionGracePeriodSeconds(nil)
	made.SetSelfLink("")
	made.SetManagedFields(nil)
	if made.GetName() == "" && made.GetGenerateName() != "" {
		made.SetName(fmt.Sprintf("%s%05x", made.GetGenerateName(), s.version%0xfffff))
	}
	if k.definition == nil {
		return s.normal(k, made, nil)
	}
	made.SetGeneration(1)
	content := contentOf(made)
	if k.definition.status != nil {
		delete(content, "status")
	}
	return made, k.refused(made, append(validMeta(k, made, nil), k.definition.valid(ctx, content, nil)...))
}

// namespaceThere refuses what would be created nowhere.
func (s *Store) namespaceThere(k *kind, object client.Object) error {
	if !k.namespaced {
		return nil
	}
	for of, there := range s.objects {
		if of.Kind != kindNamespace {
			continue
		}
		namespace, ok := there[client.ObjectKey{Name: object.GetNamespace()}]
		switch {
		case !ok:
			return apierrors.NewNotFound(s.kinds[of].resource.GroupResource(), object.GetNamespace())
		case !namespace.given.GetDeletionTimestamp().IsZero():
			return apierrors.NewForbidden(k.resource.GroupResource(), object.GetName(), fmt.Errorf("unable to create new content in "+
				"namespace %s because it is being terminated", object.GetNamespace()))
		}
	}
	return nil
}

// Update implements client.Client.
func (s *Store) Update(ctx context.Context, object client.Object, opts ...client.UpdateOption) error {
	var options client.UpdateOptions
	options.ApplyOptions(opts)
	return s.update(ctx, object, wholeBut, len(options.DryRun) > 0)
}

func (s *Store) update(ctx context.Context, object client.Object, what part, dry bool) error {
	k, err := s.begin(ctx, object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, err := s.find(k, k.key(object))
	if err != nil {
		return err
	}
	draft, err := k.draft(object, what)
	if err != nil {
		return err
	}
	updated, err := s.change(ctx, k, kept.stored, draft, what)
	if err != nil {
		return err
	}
	return s.commit(k, kept.stored, updated, object, dry)
}

// commit keeps a changed object, or lets it go where nothing holds it any more, and gives it to the caller. kept is nil for a
// new one. A change that changes nothing is not written.
func (s *Store) commit(k *kind, kept, updated, object client.Object, dry bool) error {
	var r record
	var err error
	if dry || kept != nil && equality.Semantic.DeepEqual(kept, updated) {
		r, err = s.record(k, updated)
	} else {
		r, err = s.keep(k, updated, !updated.GetDeletionTimestamp().IsZero() && len(updated.GetFinalizers()) == 0)
	}
	if err != nil {
		return err
	}
	r.give(object)
	return nil
}

// change makes of what is stored and of what a caller sends the object that is to be stored. Called with s.mu held.
func (s *Store) change(ctx context.Context, k *kind, kept, updated client.Object, what part) (client.Object, error) {
	if err := sameObject(k, kept, updated); err != nil {
		return nil, err
	}
	if k.definition != nil && updated.GetResourceVersion() == "" {
		return nil, k.refused(updated, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update")})
	}
	keepSystemFields(kept, updated)
	if k.definition == nil {
		return s.normal(k, updated, kept)
	}
	old, content := contentOf(kept), contentOf(updated)
	if what == statusAlone {
		next := maps.Clone(old)
		next["metadata"] = maps.Clone(old["metadata"].(map[string]any)) // it gets a new resourceVersion
		replace(next, content, "status")
		return &unstructured.Unstructured{Object: next}, k.refused(kept, k.definition.validStatus(next, old))
	}
	if k.definition.status != nil {
		replace(content, old, "status")
	}
	if !equality.Semantic.DeepEqual(withoutMetadata(content), withoutMetadata(old)) {
		updated.SetGeneration(kept.GetGeneration() + 1)
	}
	return updated, k.refused(kept, append(validMeta(k, updated, kept), k.definition.valid(ctx, content, old)...))
}

// sameObject refuses a write that was meant for another object of that name, or for an older version.
func sameObject(k *kind, kept, object client.Object) error {
	if uid := object.GetUID(); uid != "" && uid != kept.GetUID() && sameVersion(k, kept, object) == nil {
		return conflict(k, kept, "Precondition failed: UID in precondition: %v, UID in object meta: %v", uid, kept.GetUID())
	}
	return sameVersion(k, kept, object)
}

func sameVersion(k *kind, kept, object client.Object) error {
	if v := object.GetResourceVersion(); v != "" && v != kept.GetResourceVersion() {
		return conflict(k, kept, "the object has been modified; please apply your changes to the latest version and try again")
	}
	return nil
}

func conflict(k *kind, kept client.Object, format string, args ...any) error {
	return apierrors.NewConflict(k.resource.GroupResource(), kept.GetName(), fmt.Errorf(format, args...))
}

// keepSystemFields are those that no caller can write.
func keepSystemFields(kept, updated client.Object) {
	updated.SetUID(kept.GetUID())
	updated.SetResourceVersion(kept.GetResourceVersion())
	updated.SetGeneration(kept.GetGeneration())
	updated.SetCreationTimestamp(kept.GetCreationTimestamp())
	updated.SetDeletionTimestamp(kept.GetDeletionTimestamp())
	updated.SetDeletionGracePeriodSeconds(kept.GetDeletionGracePeriodSeconds())
	updated.SetSelfLink("")
	updated.SetManagedFields(nil)
}

// draft is a copy of a caller's object in the form in which it is stored: of a kind that is defined its JSON, without what the
// definition does not know, and with its defaults. A status that is written alone is completed where it is compared.
func (k *kind) draft(object client.Object, what part) (client.Object, error) {
	if k.definition == nil {
		return object.DeepCopyObject().(client.Object), nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	if what == statusAlone {
		return &unstructured.Unstructured{Object: content}, nil
	}
	return k.complete(content), nil
}

func (k *kind) complete(content map[string]any) client.Object {
	k.definition.complete(content)
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(k.gvk)
	return u
}

// refused is the answer to an object with mistakes, nil if there are none.
func (k *kind) refused(object client.Object, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(k.gvk.GroupKind(), object.GetName(), errs)
}

func replace(into, from map[string]any, name string) {
	if value, has := from[name]; has {
		into[name] = value
		return
	}
	delete(into, name)
}

func withoutMetadata(content map[string]any) map[string]any {
	rest := maps.Clone(content)
	delete(rest, "metadata")
	return rest
}
