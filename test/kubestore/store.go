package kubestore

import (
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Store is one API. It is safe for concurrent use.
type Store struct {
	scheme *runtime.Scheme
	mapper *meta.DefaultRESTMapper
	now    func() time.Time
	kinds  map[schema.GroupVersionKind]*kind

	mu      sync.Mutex
	version uint64 // the resourceVersion of the last write
	uids    uint64
	objects map[schema.GroupVersionKind]map[types.NamespacedName]record
	// histories are by kind, for watches; grown is closed at the next write, nil if nobody waits for it.
	histories map[schema.GroupVersionKind]*history
	grown     chan struct{}
}

// record is one object: as it is stored, and as a caller gets it. They are the same for Kubernetes' own kinds. Of a kind that is
// defined the JSON is stored, because its spelling counts: "15m" that becomes "15m0s" is a change of the spec.
type record struct{ stored, given client.Object }

var _ client.Client = (*Store)(nil)

// kind is one kind of object that is served.
type kind struct {
	gvk        schema.GroupVersionKind
	resource   schema.GroupVersionResource
	namespaced bool
	definition *definition // nil for Kubernetes' own kinds
}

// New makes an empty API with Kubernetes' own kinds that Slipway uses (Namespace, Secret, ConfigMap, ControllerRevision,
// Event, Lease) and
// those that the CustomResourceDefinitions in a folder define. now stamps what is created and deleted.
func New(scheme *runtime.Scheme, crds string, now func() time.Time) (*Store, error) {
	s := &Store{
		scheme: scheme, now: now, mapper: meta.NewDefaultRESTMapper(nil), kinds: map[schema.GroupVersionKind]*kind{},
		objects: map[schema.GroupVersionKind]map[types.NamespacedName]record{}, histories: map[schema.GroupVersionKind]*history{},
	}
	for object, namespaced := range map[client.Object]bool{
		&corev1.Namespace{}: false, &corev1.Secret{}: true, &corev1.ConfigMap{}: true, &appsv1.ControllerRevision{}: true,
		&eventsv1.Event{}: true, &coordinationv1.Lease{}: true,
	} {
		gvk, err := apiutil.GVKForObject(object, scheme)
		if err != nil {
			return nil, err
		}
		resource, _ := meta.UnsafeGuessKindToResource(gvk)
		s.serve(&kind{gvk: gvk, resource: resource, namespaced: namespaced})
	}
	defined, err := readDefinitions(crds)
	if err != nil {
		return nil, err
	}
	for _, k := range defined {
		s.serve(k)
	}
	return s, nil
}

func (s *Store) serve(k *kind) {
	scope := meta.RESTScope(meta.RESTScopeRoot)
	if k.namespaced {
		scope = meta.RESTScopeNamespace
	}
	s.mapper.Add(k.gvk, scope)
	s.kinds[k.gvk] = k
	s.objects[k.gvk] = map[types.NamespacedName]record{}
}

// Scheme implements client.Client.
func (s *Store) Scheme() *runtime.Scheme { return s.scheme }

// RESTMapper implements client.Client.
func (s *Store) RESTMapper() meta.RESTMapper { return s.mapper }

// GroupVersionKindFor implements client.Client.
func (s *Store) GroupVersionKindFor(object runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(object, s.scheme)
}

// IsObjectNamespaced implements client.Client.
func (s *Store) IsObjectNamespaced(object runtime.Object) (bool, error) {
	k, err := s.kindOf(object)
	if err != nil {
		return false, err
	}
	return k.namespaced, nil
}

// kindOf finds the kind of an object, which has to be one of the scheme's own types.
func (s *Store) kindOf(object runtime.Object) (*kind, error) {
	gvk, err := apiutil.GVKForObject(object, s.scheme)
	if err != nil {
		return nil, err
	}
	k, ok := s.kinds[gvk]
	if !ok {
		return nil, &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
	}
	if _, typed := s.scheme.AllKnownTypes()[gvk]; !typed || reflect.TypeOf(object) != reflect.PointerTo(s.scheme.AllKnownTypes()[gvk]) {
		return nil, fmt.Errorf("%T is not the type that the scheme has for %s", object, gvk)
	}
	return k, nil
}

// key is where an object is kept.
func (k *kind) key(object client.Object) types.NamespacedName {
	if !k.namespaced {
		return types.NamespacedName{Name: object.GetName()}
	}
	return client.ObjectKeyFromObject(object)
}

// find gives what is kept of an object. Called with s.mu held; what it gives is not to be changed.
func (s *Store) find(k *kind, key types.NamespacedName) (record, error) {
	kept, ok := s.objects[k.gvk][key]
	if !ok {
		return record{}, apierrors.NewNotFound(k.resource.GroupResource(), key.Name)
	}
	return kept, nil
}

// keep stores an object under a new resourceVersion, or lets it go. Called with s.mu held.
func (s *Store) keep(k *kind, stored client.Object, gone bool) (record, error) {
	s.version++
	stored.SetResourceVersion(strconv.FormatUint(s.version, 10))
	r, err := s.record(k, stored)
	if err != nil {
		return record{}, err
	}
	key, c := k.key(stored), change{version: s.version, after: r.given}
	if kept, was := s.objects[k.gvk][key]; was {
		c.before = kept.given
	}
	if gone {
		c.after = nil
		delete(s.objects[k.gvk], key)
	} else {
		s.objects[k.gvk][key] = r
	}
	s.note(k, c)
	return r, nil
}

// record makes what a caller gets of what is stored.
func (s *Store) record(k *kind, stored client.Object) (record, error) {
	if k.definition == nil {
		return record{stored, stored}, nil
	}
	given, err := s.scheme.New(k.gvk)
	if err != nil {
		return record{}, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(contentOf(stored), given); err != nil {
		return record{}, err
	}
	given.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{}) // a typed client does not see it
	return record{stored, given.(client.Object)}, nil
}

// contentOf is the JSON of an object of a kind that is defined.
func contentOf(stored client.Object) map[string]any {
	return stored.(*unstructured.Unstructured).Object
}

// uid makes the next uid: they count, so that runs can be compared. Called with s.mu held.
func (s *Store) uid() types.UID {
	s.uids++
	return types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012x", s.uids))
}

// give copies what is kept into a caller's object.
func (r record) give(into client.Object) {
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(r.given.DeepCopyObject()).Elem())
}
