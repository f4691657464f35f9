package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/controlplane"
)

func TestMain(m *testing.M) {
	testscript.Main(stopping{m}, map[string]func(){"kubectl-slipway": program})
}

// stopping puts the API server away behind the tests.
type stopping struct{ m *testing.M }

func (s stopping) Run() int {
	status := s.m.Run()
	if plane != nil {
		_ = plane.Stop() // the machine takes it back anyway
	}
	return status
}

// program is the command line without the local mode.
func program() {
	root := &cobra.Command{
		Use: "kubectl-slipway", SilenceUsage: true, SilenceErrors: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl slipway"},
	}
	o := NewOptions(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	o.Build = "v0.0.0-test"
	Setup(root, o)
	err := root.Execute()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl slipway:", err)
	}
	os.Exit(ExitCode(err))
}

var plane *controlplane.ControlPlane

// server is a real API server with the definitions, which all tests of this package share.
var server = sync.OnceValues(func() (*controlplane.ControlPlane, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour) // where nobody built it before, that takes ten minutes and more
	defer cancel()
	var err error
	plane, err = controlplane.Start(ctx, controlplane.Options{CRDPaths: []string{"../../config/crd/bases"}, Progress: os.Stderr})
	return plane, err
})

// cluster is a client of the API server, and a namespace of the test's own.
func cluster(t testing.TB, namespace string) (*controlplane.ControlPlane, client.WithWatch) {
	t.Helper()
	plane, err := server()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(plane.Config(), client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	return plane, c
}

// place makes a Release of a fixture in a namespace: spec first, as a person writes it, then status, as the controller does.
func place(ctx context.Context, c client.Client, r *v1alpha1.Release, namespace, manager string) error {
	made := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: r.Name, Labels: r.Labels}, Spec: r.Spec}
	if err := c.Create(ctx, made, client.FieldOwner(manager)); err != nil {
		return err
	}
	return settle(ctx, c, made, r.Status)
}

// settle gives a Release a status that has seen its spec. Nothing in it has changed within the last hour, whatever the date is.
func settle(ctx context.Context, c client.Client, r *v1alpha1.Release, status v1alpha1.ReleaseStatus) error {
	r.Status = status
	r.Status.ObservedGeneration, r.Status.ObservedRetry = r.Generation, r.RetryAsked()
	ago := metav1.NewTime(time.Now().Add(-time.Hour))
	for i := range r.Status.Conditions {
		if at := &r.Status.Conditions[i].LastTransitionTime; ago.Before(at) {
			*at = ago
		}
	}
	return c.Status().Update(ctx, r, client.FieldOwner("manager"))
}

const ownNamespace = "NAMESPACE"

// aboutManagers is held by one script at a time that makes a manager's Deployment or says that there is none: it is looked for in the
// whole cluster, which scripts share.
var aboutManagers sync.Mutex

func TestScripts(t *testing.T) {
	plane, err := server()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(plane.Config(), client.Options{Scheme: Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return ownWorld(env, plane, c) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"place":  func(ts *testscript.TestScript, neg bool, args []string) { placeCommand(ts, c, args) },
			"settle": func(ts *testscript.TestScript, neg bool, args []string) { settleCommand(ts, c, args) },
			"exits":  exitsCommand,
			"says":   saysCommand,
			"alone": func(ts *testscript.TestScript, _ bool, _ []string) {
				aboutManagers.Lock()
				ts.Defer(aboutManagers.Unlock)
			},
		},
	})
}

var noName = regexp.MustCompile(`[^a-z0-9]+`)

// ownWorld gives a script a namespace of its own, as that of its kubeconfig.
func ownWorld(env *testscript.Env, plane *controlplane.ControlPlane, c client.Client) error {
	name := "s-" + noName.ReplaceAllString(strings.ToLower(filepath.Base(env.WorkDir)), "-")
	if err := c.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return err
	}
	config, err := clientcmd.LoadFromFile(plane.KubeconfigPath)
	if err != nil {
		return err
	}
	config.Contexts[config.CurrentContext].Namespace = name
	path := filepath.Join(env.WorkDir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return err
	}
	env.Setenv("KUBECONFIG", path)
	env.Setenv("KUBECACHEDIR", filepath.Join(env.WorkDir, "cache"))
	env.Setenv(ownNamespace, name)
	env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+filepath.Dir(plane.KubectlPath))
	return nil
}

// fixture is a Release of testdata/releases, under the name that a script gives it.
func fixture(ts *testscript.TestScript, name, kind string) *v1alpha1.Release {
	text, err := os.ReadFile(filepath.Join("testdata", "releases", kind+".yaml"))
	ts.Check(err)
	var r v1alpha1.Release
	ts.Check(yaml.UnmarshalStrict(text, &r))
	r.Name = name
	return &r
}

// place NAME FIXTURE [MANAGER] makes a Release in the script's namespace, written by a field manager.
func placeCommand(ts *testscript.TestScript, c client.Client, args []string) {
	manager := "kubectl"
	if len(args) == 3 {
		manager = args[2]
	} else if len(args) != 2 {
		ts.Fatalf("usage: place NAME FIXTURE [MANAGER]")
	}
	ts.Check(place(context.Background(), c, fixture(ts, args[0], args[1]), ts.Getenv(ownNamespace), manager))
}

// settle NAME FIXTURE [older] is what the controller does, or an older one: it writes the status of a fixture, of the spec as it is.
func settleCommand(ts *testscript.TestScript, c client.Client, args []string) {
	older := len(args) == 3 && args[2] == "older" // one that knows no status.observedRetry
	if len(args) != 2 && !older {
		ts.Fatalf("usage: settle NAME FIXTURE [older]")
	}
	var r v1alpha1.Release
	ts.Check(c.Get(context.Background(), client.ObjectKey{Namespace: ts.Getenv(ownNamespace), Name: args[0]}, &r))
	ts.Check(settle(context.Background(), c, &r, fixture(ts, args[0], args[1]).Status))
	if older {
		r.Status.ObservedRetry = ""
		ts.Check(c.Status().Update(context.Background(), &r, client.FieldOwner("manager")))
	}
}

// exits STATUS COMMAND… runs a command that ends with this status.
func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status is %d and should be %d", got, want)
	}
}

// says TEXT… looks for words in what the last command wrote, on either stream, as they are and not as a pattern.
func saysCommand(ts *testscript.TestScript, neg bool, args []string) {
	all := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	for _, text := range args {
		if strings.Contains(all, text) == neg {
			ts.Fatalf("%q: said is %v, in:\n%s", text, !neg, all)
		}
	}
}
