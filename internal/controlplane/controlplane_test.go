package controlplane

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// inTemp gives the test a folder for temporary files of its own, so that it sees what is left there.
func inTemp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

// processesOf lists the processes that have the folder in their command line: etcd, kube-apiserver and the guard.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, line := range commandLines(t) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return found
}

// commandLines reads the process table; where there is no /proc (macOS), from ps.
func commandLines(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(paths) == 0 {
		out, err := exec.CommandContext(t.Context(), "ps", "-axww", "-o", "command").Output()
		if err != nil {
			t.Fatalf("reading the process table: %v", err)
		}
		return strings.Split(string(out), "\n")
	}
	var lines []string
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err == nil { // else it ended meanwhile
			lines = append(lines, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return lines
}

func wantNothingLeft(t *testing.T, temp string) {
	t.Helper()
	if left := files(t, temp); len(left) > 0 {
		t.Errorf("files left behind: %v", left)
	}
	if left := processesOf(t, temp); len(left) > 0 {
		t.Errorf("processes left behind:\n%s", strings.Join(left, "\n"))
	}
}

// One after the other what Slipway needs of it, on one control plane, for it takes seconds to start.
func TestControlPlane(t *testing.T) {
	temp := inTemp(t)
	cp, err := Start(t.Context(), Options{CRDPaths: []string{"testdata"}, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cp.Stop() })
	if got := len(processesOf(t, temp)); got != 3 {
		t.Errorf("%d processes run, want etcd, kube-apiserver and the guard", got)
	}
	t.Run("reports the version that is pinned", func(t *testing.T) { testVersion(t, cp) })
	t.Run("kubectl, kubeconfig and the definitions", func(t *testing.T) { testKubectl(t, cp) })
	t.Run("RBAC decides", func(t *testing.T) { testRBAC(t, cp) })

	for range 2 { // the second call does nothing
		if err := cp.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
	wantNothingLeft(t, temp)
}

func testVersion(t *testing.T, cp *ControlPlane) {
	set, err := kubernetes.NewForConfig(cp.Config())
	if err != nil {
		t.Fatal(err)
	}
	version, err := set.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.GitVersion != KubernetesVersion() {
		t.Errorf("the server says %s, want %s", version.GitVersion, KubernetesVersion())
	}
}

func testKubectl(t *testing.T, cp *ControlPlane) {
	kubectl := func(stdin string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), cp.KubectlPath, args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+cp.KubeconfigPath, "KUBECACHEDIR="+t.TempDir())
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	const widget = "{apiVersion: test.slipway.dev/v1, kind: Widget, metadata: {name: one, namespace: default}, spec: {size: SIZE}}"
	if out, err := kubectl(strings.ReplaceAll(widget, "SIZE", "0"), "apply", "-f", "-"); err == nil || !strings.Contains(out, "spec.size") {
		t.Errorf("apply of a size below the minimum: %v, %s", err, out)
	}
	if out, err := kubectl(strings.ReplaceAll(widget, "SIZE", "2"), "apply", "-f", "-"); err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	if out, err := kubectl("", "get", "widgets", "-o", "name"); err != nil || strings.TrimSpace(out) != "widget.test.slipway.dev/one" {
		t.Errorf("get: %v\n%s", err, out)
	}
}

func testRBAC(t *testing.T, cp *ControlPlane) {
	stranger, err := cp.AddUser("stranger")
	if err != nil {
		t.Fatal(err)
	}
	cl, err := client.New(stranger.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "default"}}
	if err := cl.Create(t.Context(), secret); !apierrors.IsForbidden(err) {
		t.Errorf("a user without any role creates a Secret: %v, want Forbidden", err)
	}
}

// Two in one process, as when packages are tested side by side, share neither ports nor files nor objects.
func TestTwoControlPlanesAtOnce(t *testing.T) {
	temp := inTemp(t)
	planes := make(chan *ControlPlane, 2)
	for range 2 {
		go func() {
			cp, err := Start(t.Context(), Options{})
			if err != nil {
				t.Error(err)
			}
			planes <- cp
		}()
	}
	first, second := <-planes, <-planes
	for _, cp := range []*ControlPlane{first, second} {
		if cp == nil {
			t.FailNow() // the guard cleans up after the other one
		}
		t.Cleanup(func() { _ = cp.Stop() })
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "only-in-the-first"}}
	if err := newClient(t, first).Create(t.Context(), namespace.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := newClient(t, second).Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace); !apierrors.IsNotFound(err) {
		t.Errorf("the second one has the first one's namespace: %v", err)
	}
	if err := errors.Join(first.Stop(), second.Stop()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	wantNothingLeft(t, temp)
}

func newClient(t *testing.T, cp *ControlPlane) client.Client {
	t.Helper()
	cl, err := client.New(cp.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// kill -9 gives no time to clean up; the guard does it.
func TestKilledProcessLeavesNothing(t *testing.T) {
	temp := inTemp(t)
	owner := startHelper(t, "run-control-plane")
	dir := owner.line(t)
	if got := processesOf(t, dir); filepath.Dir(dir) != temp || len(got) != 3 {
		t.Fatalf("in %s run\n%s\nwant etcd, kube-apiserver and the guard in %s", dir, strings.Join(got, "\n"), temp)
	}
	owner.kill(t)
	eventually(t, "processes and files are gone", func() bool {
		return len(files(t, temp)) == 0 && len(processesOf(t, dir)) == 0
	})
}

// A start that is given up half-way leaves nothing, with its guard and without.
func TestStartEndsWithTheContext(t *testing.T) {
	for name, before := range map[string]func(*testing.T, string){
		"guarded":             func(*testing.T, string) {},
		"the guard is killed": killGuard,
	} {
		t.Run(name, func(t *testing.T) {
			temp := inTemp(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := Start(ctx, Options{})
				ended <- err
			}()
			eventually(t, "etcd runs", func() bool {
				pids, err := filepath.Glob(filepath.Join(temp, "*", "etcd.pid"))
				return err == nil && len(pids) == 1
			})
			before(t, temp)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Start = %v, want the context's error", err)
			}
			wantNothingLeft(t, temp)
		})
	}
}

// rivals are two definitions of one kind: the API server serves one of them and never the other, so that the wait for them
// lasts until somebody ends it.
func rivals() []*apiextensionsv1.CustomResourceDefinition {
	define := func(plural string) *apiextensionsv1.CustomResourceDefinition {
		return &apiextensionsv1.CustomResourceDefinition{
			ObjectMeta: metav1.ObjectMeta{Name: plural + ".rivals.slipway.dev"},
			Spec: apiextensionsv1.CustomResourceDefinitionSpec{
				Group: "rivals.slipway.dev", Scope: apiextensionsv1.NamespaceScoped,
				Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "Rival", ListKind: "RivalList", Plural: plural},
				Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
					Name: "v1", Served: true, Storage: true,
					Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"}},
				}},
			},
		}
	}
	return []*apiextensionsv1.CustomResourceDefinition{define("firsts"), define("seconds")}
}

// installed tells whether the control plane in the folder has a definition.
func installed(t *testing.T, temp string) bool {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(temp, "*", "kubeconfig"))
	if err != nil || len(found) != 1 {
		return false
	}
	config, err := clientcmd.BuildConfigFromFlags("", found[0])
	if err != nil {
		return false // it is being written
	}
	cl, err := client.New(config, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	definitions := &apiextensionsv1.CustomResourceDefinitionList{}
	return cl.List(t.Context(), definitions) == nil && len(definitions.Items) > 0
}

// Ctrl-C while the definitions are not served yet is not made to wait for them.
func TestStartEndsWhileDefinitionsAreEstablished(t *testing.T) {
	temp := inTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := Start(ctx, Options{CRDs: rivals()})
		ended <- err
	}()
	eventually(t, "a definition exists", func() bool { return installed(t, temp) })
	cancel()
	asked := time.Now()
	err := <-ended
	if took := time.Since(asked); took > 5*time.Second {
		t.Errorf("Start returned %s after its context had ended", took)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want the context's error", err)
	}
	wantNothingLeft(t, temp)
}

func TestMissingDefinitionsStopTheStart(t *testing.T) {
	temp := inTemp(t)
	_, err := Start(t.Context(), Options{CRDPaths: []string{"testdata/no-such-folder"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-folder") {
		t.Errorf("Start = %v, want an error that names the folder", err)
	}
	wantNothingLeft(t, temp)
}

// A binary that does not come up: another attempt is made, and the error has what the process said.
func TestProcessThatFailsSaysWhy(t *testing.T) {
	temp := inTemp(t)
	dir := t.TempDir()
	for _, a := range assets {
		script := "#!/bin/sh\necho \"$(basename \"$0\"): cannot bind, says the test\"\nexit 1\n"
		if err := os.WriteFile(filepath.Join(dir, a.name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(assetsVariable, dir)
	progress := &buffer{}
	_, err := Start(t.Context(), Options{Progress: progress})
	if err == nil || !strings.Contains(err.Error(), "etcd: cannot bind, says the test") {
		t.Errorf("Start = %v, want the end of the process's log", err)
	}
	if !strings.Contains(progress.String(), "attempt 2 of 3 failed") {
		t.Errorf("progress does not tell of the attempts:\n%s", progress)
	}
	wantNothingLeft(t, temp)
}
