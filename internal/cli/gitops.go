package cli

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// The fields that Git may own, as managedFields spell them.
const (
	fieldPhase  = "phase"
	fieldPaused = "paused"
)

// kustomizeController is Flux's controller of Kustomizations.
const kustomizeController = "kustomize-controller"

// gitManagers are the names under which what applies Git writes: Argo CD's controller, by what it applies and by its program; Flux's, and its
// operator's, for a ResourceSet. argocd-server is a person who runs an action in Argo CD's screens, which self-heal does not undo while Git
// leaves the field out. The actions in config/argocd warn of the same.
var gitManagers = []string{"argocd-controller", "argocd-application-controller", kustomizeController, "helm-controller", "flux-operator"}

// gitTracked are what Argo CD and Flux put on an object that they apply.
var gitTracked = map[string]string{
	"argocd.argoproj.io/tracking-id":    "argocd",
	"kustomize.toolkit.fluxcd.io/name":  kustomizeController,
	"helm.toolkit.fluxcd.io/name":       "helm-controller",
	"argocd.argoproj.io/instance":       "argocd",
	"kustomize.toolkit.fluxcd.io/ssa":   kustomizeController,
	"kustomize.toolkit.fluxcd.io/force": kustomizeController,
}

// gitOwner is who writes a field of the spec from Git, and would undo a change of it; empty for nobody.
func gitOwner(r *v1alpha1.Release, field string) string {
	for _, entry := range r.ManagedFields {
		if slices.Contains(gitManagers, entry.Manager) && entry.Subresource == "" && owns(entry, field) {
			return entry.Manager
		}
	}
	return appliedBy(r, field)
}

// owns says whether a manager's entry has spec.field.
func owns(entry metav1.ManagedFieldsEntry, field string) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	var fields struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
		return false
	}
	_, ok := fields.Spec["f:"+field]
	return ok
}

// appliedBy is for an apply on the client's side, which keeps what it applied in an annotation: where Argo CD or Flux tracks the
// object and that has the field, they own it, whatever managedFields say.
func appliedBy(r *v1alpha1.Release, field string) string {
	if applied(r, field) == "" {
		return ""
	}
	for key, owner := range gitTracked {
		if r.Annotations[key] != "" || r.Labels[key] != "" {
			return owner
		}
	}
	return ""
}

// applied is what kubectl apply, on the client's side, gave a field of the spec last, as it stands in JSON or as the text that it is;
// empty where it left the field out.
func applied(r *v1alpha1.Release, field string) string {
	var manifest struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	if json.Unmarshal([]byte(r.Annotations[corev1.LastAppliedConfigAnnotation]), &manifest) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(manifest.Spec[field], &text) == nil {
		return text
	}
	return string(manifest.Spec[field])
}

// commit is the edit to make in Git instead, as a piece of the manifest.
func commit(r *v1alpha1.Release, phase v1alpha1.Phase) string {
	return strings.Join([]string{
		"    spec:", "      phase: " + string(phase), "      phaseFor: " + quote(string(r.Spec.Version)),
	}, "\n")
}

// quote makes a version YAML text, whatever it looks like.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil { // of a string there is none
		return s
	}
	return string(text)
}
