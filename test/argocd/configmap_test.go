package argocd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"slipway.dev/slipway/test/e2e"
)

// configured are the scripts as Argo CD reads them from its ConfigMap.
func configured(t *testing.T, data map[string]string) scripts {
	t.Helper()
	var actions struct {
		Discovery   string `json:"discovery.lua"`
		Definitions []struct {
			Name   string `json:"name"`
			Action string `json:"action.lua"`
		} `json:"definitions"`
	}
	if err := yaml.UnmarshalStrict([]byte(data["resource.customizations.actions.slipway.dev_Release"]), &actions); err != nil {
		t.Fatal(err)
	}
	s := scripts{data["resource.customizations.health.slipway.dev_Release"], actions.Discovery, map[string]string{}}
	for _, d := range actions.Definitions {
		s.actions[d.Name] = d.Action
	}
	return s
}

// The component adds what the folder holds to Argo CD's own ConfigMap, and takes nothing away.
func TestTheConfigMapIsTheFolder(t *testing.T) {
	installation := t.TempDir()
	if err := os.CopyFS(filepath.Join(installation, "slipway"), os.DirFS(root+"/config/argocd")); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"argocd-cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {url: https://argocd.example.com}\n",
		"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n" +
			"resources: [argocd-cm.yaml]\ncomponents: [slipway]\n",
	} {
		if err := os.WriteFile(filepath.Join(installation, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), installation)
	if err != nil {
		t.Fatal(err)
	}
	if built.Size() != 1 {
		t.Fatalf("%d resources", built.Size())
	}
	data := built.Resources()[0].GetDataMap()
	if data["url"] != "https://argocd.example.com" || len(data) != 3 {
		t.Errorf("data of argocd-cm: %d keys, url %q", len(data), data["url"])
	}
	if diff := cmp.Diff(folderScripts(t), configured(t, data), cmp.AllowUnexported(scripts{})); diff != "" {
		t.Errorf("-folder +ConfigMap:\n%s", diff)
	}
}

// run runs an action on "web" of a world as Argo CD does: its script gives an object, and the difference is a merge patch.
func run(w *e2e.World, all scripts, name string, params map[string]string, opts ...client.PatchOption) error {
	rel := w.Release("web")
	before, err := json.Marshal(rel)
	if err != nil {
		return err
	}
	var content map[string]any
	if err := json.Unmarshal(before, &content); err != nil {
		return err
	}
	changed, err := sandbox{now: w.Clock.Now()}.act(all.actions[name], content, params)
	if err != nil {
		return err
	}
	after, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		return err
	}
	opts = append(opts, client.FieldOwner("argocd-server"))
	return w.Kube.Patch(w.Context(), rel, client.RawPatch(types.MergePatchType, patch), opts...)
}

// acceptable: whatever is offered of a Release, the API server takes.
func acceptable(t *testing.T, w *e2e.World) {
	t.Helper()
	all := folderScripts(t)
	written, err := json.Marshal(w.Release("web"))
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(written, &content); err != nil {
		t.Fatal(err)
	}
	offered, err := sandbox{now: w.Clock.Now()}.discover(all.discovery, content)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range offered {
		if a.Disabled {
			continue
		}
		if err := run(w, all, name, nil, client.DryRunAll); err != nil {
			t.Errorf("%s is offered: %v", name, err)
		}
	}
}
