package chart

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/cmd"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	folder    = "../../charts/slipway"
	config    = "../../config"
	namespace = "slipway-system"
)

// helm runs Helm's command line in this process.
func helm(args ...string) (string, error) {
	var out bytes.Buffer
	root, err := cmd.NewRootCmd(&out, args, func(bool) {})
	if err != nil {
		return "", err
	}
	root.SetErr(io.Discard)
	root.SetArgs(args)
	err = root.Execute()
	return out.String(), err
}

// TestMain keeps Helm away from the files of whoever runs the tests.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "slipway-helm-")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"} {
		_ = os.Setenv(name, home)
	}
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

// with are Helm's arguments for values; the image is the one that config/ has.
func with(values ...string) []string {
	args := []string{"-n", namespace, "--set", "manager.image.repository=controller", "--set", "manager.image.tag=latest"}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	return args
}

// kubeVersion is what Helm takes a cluster for that it does not ask.
const kubeVersion = "1.37.0"

// template is `helm template`, of a release of the name that config/default puts before names.
func template(args ...string) (string, error) {
	return helm(append([]string{"template", "slipway", folder, "--kube-version", kubeVersion}, args...)...)
}

// copied is a copy of config/ to write into.
func copied(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(config)); err != nil {
		t.Fatal(err)
	}
	return root
}

// kustomize builds config/default with components on.
func kustomize(t *testing.T, components []string) string {
	t.Helper()
	root := copied(t)
	file := filepath.Join(root, "default", "kustomization.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(components) > 0 {
		text = append(text, "\ncomponents: [../"+strings.Join(components, ", ../")+"]\n"...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return build(t, filepath.Join(root, "default"))
}

// roleIn is what namespaced mode needs in a namespace.
func roleIn(t *testing.T, name string) string {
	t.Helper()
	placed := filepath.Join(copied(t), "placed")
	if err := os.Mkdir(placed, 0o700); err != nil {
		t.Fatal(err)
	}
	overlay := fmt.Sprintf("namespace: %s\nresources: [../namespaced/role]\n", name)
	if err := os.WriteFile(filepath.Join(placed, "kustomization.yaml"), []byte(overlay), 0o600); err != nil {
		t.Fatal(err)
	}
	return build(t, placed)
}

func build(t *testing.T, path string) string {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type object = map[string]any

// decode gives the objects of a manifest by kind, namespace and name.
func decode(t *testing.T, manifest string) map[string]object {
	t.Helper()
	all := map[string]object{}
	for text := range strings.SplitSeq("\n"+manifest, "\n---\n") {
		var o object
		if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if o == nil {
			continue
		}
		metadata := o["metadata"].(object)
		if strings.Contains(o["kind"].(string), "AdmissionPolicy") { // in no namespace, which not every kustomize knows; the API server drops it
			delete(metadata, "namespace")
		}
		key := fmt.Sprintf("%v %v/%v", o["kind"], metadata["namespace"], metadata["name"])
		if all[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		all[key] = o
	}
	return all
}

// alike takes away what only the one or the other tool needs: labels that say who installed an object, and that Helm leaves
// definitions where they are. The namespace itself is `helm install --create-namespace`'s.
func alike(all map[string]object) map[string]object {
	for key, o := range all {
		if o["kind"] == "Namespace" {
			delete(all, key)
		}
		metadata := o["metadata"].(object)
		for part, unless := range map[string]func(string) bool{
			"labels": func(k string) bool {
				return strings.HasPrefix(k, "app.kubernetes.io/") || strings.HasPrefix(k, "helm.sh/")
			},
			"annotations": func(k string) bool { return k == "helm.sh/resource-policy" },
		} {
			if values, ok := metadata[part].(object); ok {
				maps.DeleteFunc(values, func(k string, _ any) bool { return unless(k) })
				if len(values) == 0 {
					delete(metadata, part)
				}
			}
		}
	}
	return all
}

// The chart installs what config/ does, object by object, with each component.
func TestChartIsConfig(t *testing.T) {
	all := []string{"access", "asked-by", "high-availability", "namespaced", "network-policy", "notifications", "prometheus"}
	named := map[string][]string{
		"access": {"access.enabled=true"}, "asked-by": {"askedBy.enabled=true"}, "high-availability": {"highAvailability.enabled=true"},
		"namespaced":     {"rbac.namespaced=true", "manager.watchNamespaces={default}"},
		"network-policy": {"networkPolicy.enabled=true"}, "prometheus": {"prometheus.enabled=true"},
		"notifications": {"notifications.enabled=true", "notifications.image.repository=notifications", "notifications.image.tag=latest"},
	}
	rows := map[string][]string{"defaults": nil, "all": all}
	for _, component := range all {
		rows[component] = []string{component}
	}
	for name, components := range rows {
		t.Run(name, func(t *testing.T) {
			var values []string
			for _, component := range components {
				values = append(values, named[component]...)
			}
			rendered, err := template(with(values...)...)
			if err != nil {
				t.Fatal(err)
			}
			want := alike(decode(t, kustomize(t, components)))
			if slices.Contains(components, "namespaced") {
				maps.Copy(want, alike(decode(t, roleIn(t, "default"))))
			}
			if diff := cmp.Diff(want, alike(decode(t, rendered))); diff != "" {
				t.Errorf("(-config +chart):\n%s", diff)
			}
		})
	}
}

// elsewhere is a component that the chart does not have: a patch for Argo CD's own installation.
const elsewhere = "argocd"

// The other components of config/ are those that the chart has.
func TestEveryComponentIsInTheChart(t *testing.T) {
	found, err := filepath.Glob(config + "/*/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var components []string
	for _, file := range found {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "\nkind: Component\n") {
			if name := filepath.Base(filepath.Dir(file)); name != elsewhere {
				components = append(components, name)
			}
		}
	}
	want := []string{"access", "asked-by", "high-availability", "namespaced", "network-policy", "notifications", "prometheus"}
	if diff := cmp.Diff(want, components); diff != "" {
		t.Errorf("components (-chart +config): give the chart a value for it, and TestChartIsConfig a row\n%s", diff)
	}
}
