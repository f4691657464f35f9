package install

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/operator"
)

const (
	systemNamespace = "slipway-system"
	account         = "slipway-controller-manager"
)

// cluster is a real API server, with RBAC, Pod Security admission, and the check that OpenShift has on: who owns an object in a way that
// blocks the owner's deletion has to have a right on the owner's finalizers.
type cluster struct {
	*WithT
	t       *testing.T
	admin   client.Client
	config  *rest.Config
	kubectl func(stdin string, args ...string) string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	g := NewWithT(t)
	assets, err := controlplane.Assets(t.Context(), io.Discard)
	g.Expect(err).NotTo(HaveOccurred())
	server := &envtest.APIServer{}
	server.Configure().Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets, ControlPlane: envtest.ControlPlane{APIServer: server},
		ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute,
	}
	config, err := env.Start()
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(env.Stop()).To(Succeed()) })
	config.QPS = -1
	admin, err := client.New(config, client.Options{Scheme: operator.Scheme()})
	g.Expect(err).NotTo(HaveOccurred())
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	g.Expect(os.WriteFile(kubeconfig, env.KubeConfig, 0o600)).To(Succeed())
	return &cluster{WithT: g, t: t, admin: admin, config: config, kubectl: func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		g.Expect(err).NotTo(HaveOccurred(), "kubectl %v: %s", args, out)
		return string(out)
	}}
}

// apply is what `make deploy` does.
func (c *cluster) apply(manifest string) {
	c.t.Helper()
	c.kubectl(manifest, "apply", "--server-side", "-f", "-")
}

// build is `kustomize build`, which puts namespaces before what is in them.
func build(t *testing.T, folder string) string {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy
	built, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", folder, err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// overlay builds config/default with components on, as an overlay does.
func overlay(t *testing.T, components ...string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("../../config")); err != nil {
		t.Fatal(err)
	}
	lines := "\ncomponents:\n"
	for _, component := range components {
		lines += "  - ../" + component + "\n"
	}
	file := filepath.Join(root, "default", "kustomization.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, lines...), 0o600); err != nil {
		t.Fatal(err)
	}
	return build(t, filepath.Join(root, "default"))
}

// objects are those of a manifest.
func objects(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for text := range bytes.SplitSeq([]byte(manifest), []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &object.Object); err != nil {
			t.Fatal(err)
		}
		if object.Object != nil {
			all = append(all, object)
		}
	}
	return all
}

// versions are the resource versions of a manifest's objects, by kind and name: each write of one makes another.
func (c *cluster) versions(manifest string) map[string]string {
	c.t.Helper()
	all := map[string]string{}
	for _, object := range objects(c.t, manifest) {
		c.Expect(c.admin.Get(c.t.Context(), client.ObjectKeyFromObject(object), object)).To(Succeed())
		all[object.GetKind()+" "+object.GetName()] = object.GetResourceVersion()
	}
	return all
}

// admitsThePods creates a pod as the Deployment's controller does.
func (c *cluster) admitsThePods(manifest string) {
	c.t.Helper()
	for _, object := range objects(c.t, manifest) {
		if object.GetKind() != "Deployment" {
			continue
		}
		template, found, err := unstructured.NestedMap(object.Object, "spec", "template")
		c.Expect(found, err).To(BeTrue())
		pod := &unstructured.Unstructured{Object: template}
		pod.SetAPIVersion("v1")
		pod.SetKind("Pod")
		pod.SetNamespace(systemNamespace)
		pod.SetName("manager")
		c.Expect(c.admin.Create(c.t.Context(), pod)).To(Succeed())
		root := pod.DeepCopy()
		root.SetName("root")
		root.SetResourceVersion("")
		unstructured.RemoveNestedField(root.Object, "spec", "securityContext")
		c.Expect(c.admin.Create(c.t.Context(), root)).To(MatchError(ContainSubstring("violates PodSecurity \"restricted")))
		return
	}
	c.t.Fatal("no Deployment")
}

func (c *cluster) namespace(name string) {
	c.t.Helper()
	c.Expect(c.admin.Create(c.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": name}}})).To(Succeed())
}
