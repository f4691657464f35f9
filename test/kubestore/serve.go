package kubestore

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ServeHTTP answers as an API server does, in JSON: what client-go's REST clients, informers and discovery ask of one.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if found, known := s.discover(r.URL.Path); known {
		answer(w, http.StatusOK, found)
		return
	}
	q, err := s.request(r)
	if err != nil {
		refuse(w, err)
		return
	}
	if q.name == "" && r.Method == http.MethodGet && r.URL.Query().Get("watch") == "true" {
		q.watch(w, r)
		return
	}
	result, err := q.handle(r)
	switch {
	case err != nil:
		refuse(w, err)
	case r.Method == http.MethodPost:
		answer(w, http.StatusCreated, result)
	default:
		answer(w, http.StatusOK, result)
	}
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", runtime.ContentTypeJSON)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object) // the caller may be gone
}

func refuse(w http.ResponseWriter, err error) {
	status := statusOf(err).(*metav1.Status)
	answer(w, int(status.Code), status)
}

// request is what a path names.
type request struct {
	*Store
	k               *kind
	namespace, name string
	part            string // subresource, "" for none
}

// request reads /api/v1/… and /apis/GROUP/VERSION/…, with namespaces/NAMESPACE before what is in one.
func (s *Store) request(r *http.Request) (request, error) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(path) > 2 && path[0] == "api":
		path = path[1:]
	case len(path) > 3 && path[0] == "apis":
		group, path = path[1], path[2:]
	default:
		return request{}, unknownPath(r)
	}
	q, version, path := request{Store: s}, path[0], path[1:]
	if path[0] == "namespaces" && len(path) > 2 {
		q.namespace, path = path[1], path[2:]
	}
	if q.k = s.served(schema.GroupVersionResource{Group: group, Version: version, Resource: path[0]}); q.k == nil || len(path) > 3 {
		return request{}, unknownPath(r)
	}
	path = append(path[1:], "", "")
	q.name, q.part = path[0], path[1]
	return q, nil
}

// served finds a kind by its resource; nil where there is none.
func (s *Store) served(resource schema.GroupVersionResource) *kind {
	for _, k := range s.kinds {
		if k.resource == resource {
			return k
		}
	}
	return nil
}

func unknownPath(r *http.Request) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound,
		Message: "the server could not find the requested resource: " + r.Method + " " + r.URL.Path,
	}}
}

// handle does what is asked, and gives the object to answer with.
func (q request) handle(r *http.Request) (any, error) {
	if r.Method == http.MethodGet && q.name == "" {
		return q.list(r)
	}
	object, err := q.read(r)
	if err != nil {
		return nil, err
	}
	switch r.Method {
	case http.MethodGet:
		err = q.Get(r.Context(), client.ObjectKeyFromObject(object), object)
	case http.MethodPost:
		err = q.Create(r.Context(), object, &client.CreateOptions{DryRun: r.URL.Query()["dryRun"]})
	case http.MethodPut:
		err = q.replace(r, object)
	case http.MethodPatch:
		err = q.patchBy(r, object)
	case http.MethodDelete:
		err = q.remove(r, object)
	default:
		err = unknownPath(r)
	}
	if err != nil {
		return nil, err
	}
	object.GetObjectKind().SetGroupVersionKind(q.k.gvk)
	return object, nil
}

func (q request) replace(r *http.Request, object client.Object) error {
	options := client.UpdateOptions{DryRun: r.URL.Query()["dryRun"]}
	if q.part != "" {
		return q.SubResource(q.part).Update(r.Context(), object, &client.SubResourceUpdateOptions{UpdateOptions: options})
	}
	return q.Update(r.Context(), object, &options)
}

// read makes the object that a request is about: from its body, or empty but for the names in the path.
func (q request) read(r *http.Request) (client.Object, error) {
	made, err := q.scheme.New(q.k.gvk)
	if err != nil {
		return nil, err
	}
	object := made.(client.Object)
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		if err := json.NewDecoder(r.Body).Decode(object); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	if q.k.namespaced {
		object.SetNamespace(q.namespace)
	}
	if q.name != "" {
		object.SetName(q.name)
	}
	return object, nil
}

func (q request) patchBy(r *http.Request, object client.Object) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	patch := client.RawPatch(types.PatchType(r.Header.Get("Content-Type")), text)
	if q.part != "" {
		return q.SubResource(q.part).Patch(r.Context(), object, patch)
	}
	return q.Patch(r.Context(), object, patch, &client.PatchOptions{DryRun: r.URL.Query()["dryRun"]})
}

func (q request) remove(r *http.Request, object client.Object) error {
	if q.name == "" {
		options, err := q.options(r)
		if err != nil {
			return err
		}
		return q.DeleteAllOf(r.Context(), object, &client.DeleteAllOfOptions{ListOptions: *options})
	}
	var options metav1.DeleteOptions
	if err := json.NewDecoder(r.Body).Decode(&options); err != nil && err != io.EOF {
		return apierrors.NewBadRequest(err.Error())
	}
	return q.Delete(r.Context(), object, &client.DeleteOptions{
		Preconditions: options.Preconditions, PropagationPolicy: options.PropagationPolicy, DryRun: options.DryRun,
	})
}

// options are those of a list or a watch. A limit is not kept to, as by the API server where it answers from its cache.
func (q request) options(r *http.Request) (*client.ListOptions, error) {
	query := r.URL.Query()
	byLabel, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	byField, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return &client.ListOptions{
		LabelSelector: byLabel, FieldSelector: byField, Namespace: q.namespace,
		Raw: &metav1.ListOptions{ResourceVersion: query.Get("resourceVersion")},
	}, nil
}

func (q request) list(r *http.Request) (any, error) {
	list, err := q.newList()
	if err != nil {
		return nil, err
	}
	options, err := q.options(r)
	if err != nil {
		return nil, err
	}
	if err := q.List(r.Context(), list, options); err != nil {
		return nil, err
	}
	list.GetObjectKind().SetGroupVersionKind(q.k.listKind())
	return list, meta.EachListItem(list, func(item runtime.Object) error {
		item.GetObjectKind().SetGroupVersionKind(q.k.gvk)
		return nil
	})
}

func (q request) newList() (client.ObjectList, error) {
	made, err := q.scheme.New(q.k.listKind())
	if err != nil {
		return nil, fmt.Errorf("a list of %s: %w", q.k.gvk.Kind, err)
	}
	return made.(client.ObjectList), nil
}

// watch streams events until the caller goes. What a watch begins with (sendInitialEvents) it does not send: informers list first
// where a server says that it cannot.
func (q request) watch(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("sendInitialEvents") != "" {
		refuse(w, apierrors.NewInvalid(q.k.listKind().GroupKind(), "", nil))
		return
	}
	list, err := q.newList()
	if err != nil {
		refuse(w, err)
		return
	}
	options, err := q.options(r)
	if err != nil {
		refuse(w, err)
		return
	}
	events, err := q.Watch(r.Context(), list, options)
	if err != nil {
		refuse(w, err)
		return
	}
	defer events.Stop()
	w.Header().Set("Content-Type", runtime.ContentTypeJSON)
	w.WriteHeader(http.StatusOK)
	for event := range events.ResultChan() {
		if _, ok := event.Object.(client.Object); ok {
			event.Object.GetObjectKind().SetGroupVersionKind(q.k.gvk)
		}
		if json.NewEncoder(w).Encode(map[string]any{"type": event.Type, "object": event.Object}) != nil {
			return
		}
	}
}
