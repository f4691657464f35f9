package argocd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
)

// argoCD and flux apply on the server. Argo CD's three-way merge is played by test/e2e, and by test/safety with crashes.
var (
	argoCD = e2e.Deliverer{Manager: "argocd-controller", ServerSide: true}
	flux   = e2e.Deliverer{Manager: "kustomize-controller", ServerSide: true}
)

// realAPI is the real API server: who owns a field is its to say.
func realAPI(t *testing.T) client.Client {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDPaths: []string{root + "/config/crd/bases"}, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := plane.Config()
	config.QPS, config.Burst = -1, -1
	kube, err := client.New(config, client.Options{Scheme: operator.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return kube
}

// The life of an object by each recipe: what is committed is applied and applied again, and people run the actions.
func TestRecipes(t *testing.T) {
	kube, all := realAPI(t), folderScripts(t)
	for _, recipe := range e2e.Recipes {
		t.Run(recipe.Name, func(t *testing.T) {
			recipe.Play(e2e.NewWorld(t, kube), argoCD, func(g *e2e.Git) {
				g.Act = func(action string) {
					t.Helper()
					if err := run(g.World, all, action, map[string]string{"hours": "1"}); err != nil {
						t.Fatalf("%s: %v\n%s", action, err, g.Story())
					}
					g.Touched("web")
				}
			})
		})
	}
	t.Run("who keeps the phase is known", func(t *testing.T) { keepers(t, kube, all) })
	t.Run("the samples are taken", func(t *testing.T) { samplesAreTaken(t, kube) })
}

// keepers: discovery warns where Git has the phase, whoever applied it and however, and not where people have it.
func keepers(t *testing.T, kube client.Client, all scripts) {
	warned := func(w *e2e.World, by e2e.Deliverer) int {
		offered, err := sandbox{now: w.Clock.Now()}.discover(all.discovery, raw(t, w))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, action := range []string{"promote", "rollback", "complete"} {
			if strings.Contains(offered[action].DisplayName, "("+by.Manager+" has the phase from Git and undoes this: ") {
				n++
			}
		}
		return n
	}
	for _, by := range []e2e.Deliverer{e2e.ArgoCD, argoCD, flux} {
		w := e2e.NewWorld(t, kube)
		g := w.Repository(by, e2e.Declares("v1", v1alpha1.PhasePreview))
		if n := warned(w, by); n != 3 {
			t.Errorf("%s, with the phase in Git: %d of 3 actions warn", by, n)
		}
		g.Commit(e2e.Declares("v1", ""))
		g.Phase("web", v1alpha1.PhaseLive)
		g.Sync()
		if n := warned(w, by); n != 0 || w.Release("web").Spec.Phase != v1alpha1.PhaseLive {
			t.Errorf("%s, with the phase out of Git: %d of 3 actions warn", by, n)
		}
	}
}

// raw is "web" with who manages what.
func raw(t *testing.T, w *e2e.World) map[string]any {
	t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "slipway.dev/v1alpha1", "kind": "Release"}}
	if err := w.Kube.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: "web"}, obj); err != nil {
		t.Fatal(err)
	}
	return obj.Object
}

func samplesAreTaken(t *testing.T, kube client.Client) {
	w := e2e.NewWorld(t, kube)
	for _, recipe := range []string{"phase-in-git", "phase-left-out"} {
		obj := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(read(t, filepath.Join(samples, recipe, "release.yaml")), &obj.Object); err != nil {
			t.Fatal(err)
		}
		obj.SetNamespace(w.Namespace)
		if err := kube.Create(t.Context(), obj, client.DryRunAll, client.FieldValidation("Strict")); err != nil {
			t.Errorf("%s: %v", recipe, err)
		}
	}
}
