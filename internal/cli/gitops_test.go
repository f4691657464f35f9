package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// warned are the field managers of which the actions in Argo CD say that they undo what is done by hand.
func warned(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../../config/argocd/resource_customizations/slipway.dev/Release/actions/discovery.lua")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "local tools = {")
	list, _, _ = strings.Cut(list, "}")
	for _, found := range regexp.MustCompile(`\["([^"]+)"\] = true`).FindAllStringSubmatch(list, -1) {
		names = append(names, found[1])
	}
	return names
}

// Whoever is refused on the command line because Git has the phase is warned in Argo CD's screens, and nobody else is.
func TestTheActionsKnowTheSameManagers(t *testing.T) {
	actions := warned(t)
	for name, applies := range map[string]bool{
		"argocd-controller": true, "argocd-application-controller": true, "kustomize-controller": true, "helm-controller": true, "flux-operator": true,
		"argocd-server": false, "argocd-notifications-controller": false, "argocd": false, "flux": false, "helm": false, "kubectl-edit": false,
		"kubectl-client-side-apply": false, "source-controller": false, "": false, FieldOwner: false,
	} {
		r := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{
			{Manager: name, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:phase":{}}}`)},
		}}}
		if refused := name != "" && gitOwner(&r, fieldPhase) == name; refused != applies {
			t.Errorf("%s: refused on the command line: %t, and it applies Git: %t", name, refused, applies)
		}
		if warns := slices.Contains(actions, name); warns != applies {
			t.Errorf("%s: warned of by the actions: %t, and it applies Git: %t", name, warns, applies)
		}
	}
	slices.Sort(actions)
	if diff := cmp.Diff(slices.Sorted(slices.Values(gitManagers)), actions); diff != "" {
		t.Errorf("managers (-command line +actions):\n%s", diff)
	}
}
