package kubestore

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// listKind is the kind of a list of these.
func (k *kind) listKind() schema.GroupVersionKind {
	return k.gvk.GroupVersion().WithKind(k.gvk.Kind + "List")
}

// discover answers what there is: /api, /apis and the resources of each version.
func (s *Store) discover(path string) (any, bool) {
	path = strings.Trim(path, "/")
	switch path {
	case "api":
		return &metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions", APIVersion: "v1"}, Versions: []string{"v1"}}, true
	case "apis":
		return s.groups(), true
	}
	version := strings.TrimPrefix(strings.TrimPrefix(path, "apis/"), "api/")
	list := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version}
	for _, k := range s.sortedKinds() {
		if k.gvk.GroupVersion().String() == version {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: k.resource.Resource, SingularName: strings.ToLower(k.gvk.Kind), Namespaced: k.namespaced, Kind: k.gvk.Kind,
				Verbs: metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"},
			})
		}
	}
	return &list, len(list.APIResources) > 0
}

func (s *Store) groups() *metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for _, k := range s.sortedKinds() {
		seen := slices.ContainsFunc(list.Groups, func(g metav1.APIGroup) bool { return g.Name == k.gvk.Group })
		if k.gvk.Group == "" || seen {
			continue
		}
		version := metav1.GroupVersionForDiscovery{GroupVersion: k.gvk.GroupVersion().String(), Version: k.gvk.Version}
		list.Groups = append(list.Groups, metav1.APIGroup{
			Name: k.gvk.Group, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
		})
	}
	return &list
}

func (s *Store) sortedKinds() []*kind {
	all := make([]*kind, 0, len(s.kinds))
	for _, k := range s.kinds {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *kind) int { return strings.Compare(a.gvk.String(), b.gvk.String()) })
	return all
}
