package chart

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// cluster is a real API server with a namespace that enforces the restricted Pod Security Standard.
type cluster struct {
	*testing.T
	client.Client
	assets, kubeconfig string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" { // built or found as for Slipway's own tests
		found := exec.CommandContext(t.Context(), "go", "run", "./hack/assets")
		found.Dir, found.Stderr = "../..", os.Stderr
		out, err := found.Output()
		if err != nil {
			t.Fatal(err)
		}
		assets = strings.TrimSpace(string(out))
	}
	env := &envtest.Environment{BinaryAssetsDirectory: assets, ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute}
	config, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{T: t, assets: assets, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if c.Client, err = client.New(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.kubeconfig, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	c.must(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}))
	return c
}

func (c *cluster) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// helm runs Helm on this cluster.
func (c *cluster) helm(args ...string) string {
	c.Helper()
	out, err := helm(append(args, "--kubeconfig", c.kubeconfig, "-n", namespace)...)
	if err != nil {
		c.Fatalf("helm %v: %v\n%s", args, err, out)
	}
	return out
}

func (c *cluster) kubectl(stdin string, args ...string) string {
	c.Helper()
	run := exec.CommandContext(c.Context(), filepath.Join(c.assets, "kubectl"), append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
	run.Stdin = strings.NewReader(stdin)
	out, err := run.CombinedOutput()
	if err != nil {
		c.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// stored are the objects of the release as the API server has them.
func (c *cluster) stored() map[string]*unstructured.Unstructured {
	c.Helper()
	all := map[string]*unstructured.Unstructured{}
	for key, o := range decode(c.T, c.helm("get", "manifest", "slipway")) {
		there := &unstructured.Unstructured{Object: o}
		c.must(c.Get(c.Context(), client.ObjectKeyFromObject(there), there))
		all[key] = there
	}
	return all
}

func versions(objects map[string]*unstructured.Unstructured) map[string]string {
	all := map[string]string{}
	for key, o := range objects {
		all[key] = fmt.Sprint(o.GetUID(), " ", o.GetResourceVersion())
	}
	return all
}

// A release is installed, changed and taken away by Helm itself, on a real API server.
func TestInstallUpgradeUninstall(t *testing.T) {
	c := newCluster(t)
	image := []string{"--set", "manager.image.repository=controller", "--set", "manager.image.tag=latest"}
	all := []string{"access.enabled", "askedBy.enabled", "networkPolicy.enabled", "highAvailability.enabled", "notifications.enabled"}
	notes := c.helm(append([]string{"install", "slipway", folder}, image...)...)
	first := c.stored()
	c.admitsThePods(first["Deployment slipway-system/slipway-controller-manager"])
	c.followsNotes(notes)
	rel := c.sample("release-v1.yaml")
	c.must(c.Create(c.Context(), rel))

	c.helm(append([]string{"upgrade", "slipway", folder}, image...)...)
	if diff := cmp.Diff(versions(first), versions(c.stored())); diff != "" {
		t.Errorf("an upgrade to the same wrote (-before +after):\n%s", diff)
	}
	for _, value := range all {
		image = append(image, "--set", value+"=true")
	}
	image = append(image, "--set", "notifications.image.repository=notifications")
	c.helm(append([]string{"upgrade", "slipway", folder}, append(image, "--set", "rbac.namespaced=true", "--set", "manager.watchNamespaces={default}")...)...)
	second := c.stored()
	c.admitsThePods(second["Deployment slipway-system/slipway-notifications"])
	if len(second) != len(first)+2+5+1+7 {
		t.Errorf("of %d objects and 15 more there are now: %v", len(first), slices.Sorted(maps.Keys(second)))
	}
	for key, before := range first {
		if second[key].GetUID() != before.GetUID() {
			t.Errorf("%s was made again", key)
		}
	}

	c.helm("uninstall", "slipway")
	for key, o := range second {
		err := c.Get(c.Context(), client.ObjectKeyFromObject(o), o)
		if kept := o.GetKind() == "CustomResourceDefinition"; kept && err != nil || !kept && !apierrors.IsNotFound(err) {
			t.Errorf("uninstalled, and of %s: %v", key, err)
		}
	}
	c.must(c.Get(c.Context(), client.ObjectKeyFromObject(rel), rel))
	if rel.GetDeletionTimestamp() != nil {
		t.Error("the Release went with the chart")
	}
	c.helm(append([]string{"install", "slipway", folder}, image...)...) // over the definitions that stayed
	c.upgradesToANewValue()
}

// upgradesToANewValue goes on to a chart that has a value more, as install.md says.
func (c *cluster) upgradesToANewValue() {
	c.Helper()
	text, err := os.ReadFile("../../docs/install.md")
	c.must(err)
	flags := regexp.MustCompile("`helm upgrade slipway charts/slipway -n " + namespace + " ([^`]+)`").FindSubmatch(text)
	if flags == nil {
		c.Fatal("install.md has no helm upgrade")
	}
	newer := c.TempDir()
	c.must(os.CopyFS(newer, os.DirFS(folder)))
	c.must(os.Remove(filepath.Join(newer, "values.schema.json")))
	values, err := os.ReadFile(filepath.Join(newer, "values.yaml"))
	c.must(err)
	c.must(os.WriteFile(filepath.Join(newer, "values.yaml"), append(values, "\nadded: {switch: {enabled: false}}\n"...), 0o600))
	c.must(os.WriteFile(filepath.Join(newer, "templates", "added.yaml"), []byte("{{- if .Values.added.switch.enabled }}\n{{- end }}\n"), 0o600))
	c.helm(append([]string{"upgrade", "slipway", newer}, strings.Fields(string(flags[1]))...)...)
	image, _, err := unstructured.NestedSlice(c.stored()["Deployment slipway-system/slipway-controller-manager"].Object, "spec", "template", "spec", "containers")
	c.must(err)
	if got := image[0].(object)["image"]; got != "controller:1.1" {
		c.Errorf("upgraded, it runs %v", got)
	}
}

// admitsThePods creates a pod as the Deployment's controller does.
func (c *cluster) admitsThePods(deployment *unstructured.Unstructured) {
	c.Helper()
	template, _, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	c.must(err)
	pod := &unstructured.Unstructured{Object: template}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetNamespace(namespace)
	pod.SetName(deployment.GetName())
	c.must(c.Create(c.Context(), pod))
	root := pod.DeepCopy()
	root.SetName("root")
	root.SetResourceVersion("")
	unstructured.RemoveNestedField(root.Object, "spec", "securityContext")
	if err := c.Create(c.Context(), root); err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
		c.Errorf("a pod that may be root: %v", err)
	}
}

// typed are the commands that the notes say to type, as they are printed.
func typed(notes string) (commands []string) {
	for block := range strings.SplitSeq(notes, "\n\n") {
		if strings.HasPrefix(strings.TrimSpace(block), "kubectl ") {
			commands = append(commands, strings.TrimRight(block, "\n")+"\n")
		}
	}
	return commands
}

// followsNotes types what the notes say, the three commands of it, as it is copied from the screen.
func (c *cluster) followsNotes(notes string) {
	c.Helper()
	commands := typed(notes)
	if len(commands) != 3 {
		c.Fatalf("the notes have %d commands, not 3:\n%s", len(commands), notes)
	}
	for _, command := range commands {
		shell := exec.CommandContext(c.Context(), "bash", "-n")
		shell.Stdin = strings.NewReader(command)
		if out, err := shell.CombinedOutput(); err != nil || len(out) > 0 { // a here-document without its end is a warning alone
			c.Errorf("bash says of\n%s%v %s", command, err, out)
		}
		line, rest, _ := strings.Cut(command, "\n")
		line, heredoc := strings.CutSuffix(line, " <<EOF")
		args := strings.Fields(line)[1:]
		if slices.Contains(args, "rollout") { // nothing runs pods here
			args = []string{"-n", args[1], "get", args[4], args[5]}
		}
		stdin := ""
		if heredoc {
			stdin, _, _ = strings.Cut(rest, "\nEOF\n")
		}
		c.kubectl(stdin, args...)
	}
	class := &unstructured.Unstructured{}
	class.SetAPIVersion("slipway.dev/v1alpha1")
	class.SetKind("ReleaseClass")
	c.must(c.Get(c.Context(), client.ObjectKey{Name: "default"}, class))
}

// sample reads one of config/samples.
func (c *cluster) sample(file string) *unstructured.Unstructured {
	c.Helper()
	text, err := os.ReadFile(filepath.Join(config, "samples", file))
	c.must(err)
	o := &unstructured.Unstructured{}
	c.must(yaml.Unmarshal(text, &o.Object))
	return o
}
