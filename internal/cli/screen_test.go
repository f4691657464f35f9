package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

var (
	update   = flag.Bool("update", false, "write the golden files anew")
	fixtures = flag.String("fixtures", "testdata/releases", "the folder of Releases that screens are drawn of")
)

// read reads a Release; a field that the API does not have is an error.
func read(t *testing.T, path string) *v1alpha1.Release {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r v1alpha1.Release
	if err := yaml.UnmarshalStrict(text, &r); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &r
}

// later is a moment after everything that status tells of.
func later(r *v1alpha1.Release) time.Time {
	var last time.Time
	for _, c := range r.Status.Conditions {
		if c.LastTransitionTime.After(last) {
			last = c.LastTransitionTime.Time
		}
	}
	if last.IsZero() {
		last = r.CreationTimestamp.Time
	}
	r.CreationTimestamp.Time = last.Add(-time.Hour) // the API server's clock is not that of the scenario's world
	for i := range r.Status.History {
		r.Status.History[i].Created = &r.CreationTimestamp // by that clock, too
	}
	return last.Add(95 * time.Second)
}

// told is everything that the command line says of a Release.
func told(r *v1alpha1.Release) string {
	var text strings.Builder
	now, p := later(r), painter{}
	section := func(name string, lines ...string) {
		fmt.Fprintf(&text, "── %s\n%s\n", name, strings.Join(lines, "\n"))
	}
	section("get", screen(r, p, now)...)
	section("list -A", list([]v1alpha1.Release{*r}, p, true, false, now)...)
	section("get -w, not on a terminal", plainLine(r, false))
	section("explain", whyNow(r, now).lines(p, now)...)
	section("history", historyLines(r, p, now, false)...)
	for _, v := range verbs {
		c := phaseChange{v, &phaseFlags{}, func() time.Time { return now }}
		nothing, err := c.check(r)
		switch {
		case err != nil:
			section(v.name, fmt.Sprintf("exit %d: %v", ExitCode(err), err))
		case nothing != "":
			section(v.name, "unchanged: "+nothing)
		default:
			section(v.name, c.effects(r)...)
		}
	}
	for _, name := range goalNames {
		end := goals[name].judge(r, string(r.Spec.Version))
		wait := "waits"
		if end.done {
			wait = fmt.Sprintf("exit %d", end.code)
		}
		section("status --for="+name, ansi.Truncate(wait+": "+end.text, 160, "…"))
	}
	return text.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; to write it: go test ./internal/cli -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; to write it anew: go test ./internal/cli -update):\n%s", path, diff)
	}
}

// The Releases were taken from the scenarios of test/e2e (-e2e.tape): they are what the controller writes.
func TestScreens(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(*fixtures, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in %s: %v", *fixtures, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", told(read(t, path)))
		})
	}
}

// What taking Slipway out of a cluster takes: of a whole cluster, of one namespace, and where something hangs.
func TestScreensOfUninstall(t *testing.T) {
	several := func(t *testing.T) []v1alpha1.Release {
		var all []v1alpha1.Release
		for _, kind := range []string{"live", "first-preview", "deleting", "deleting-blind"} {
			r := read(t, filepath.Join("testdata", "releases", kind+".yaml"))
			r.Name = kind
			all = append(all, *r)
		}
		all[0].Spec.DeletionPolicy = v1alpha1.DeletionTerminate
		return all
	}
	production := v1alpha1.ReleaseClass{}
	production.Name, production.Finalizers = "production", []string{v1alpha1.FinalizerClass}
	leaving := *production.DeepCopy()
	leaving.Name, leaving.DeletionTimestamp = "former", &metav1.Time{Time: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	classes := []v1alpha1.ReleaseClass{production, leaving}
	for name, there := range map[string]*inventory{
		"nothing":           {manager: managerAway},
		"cluster":           {releases: several(t), classes: classes, manager: managerRuns},
		"hanging":           {releases: several(t), classes: classes, manager: managerAway},
		"unknown":           {releases: several(t)[2:3], classes: classes[:1], manager: managerUnknown},
		"namespace":         {namespace: "shop", releases: several(t)[:1], manager: managerRuns},
		"namespace_nothing": {namespace: "shop", manager: managerRuns},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "uninstall_"+name+".golden"), strings.Join(there.plan(painter{}), "\n")+"\n")
		})
	}
}

// Which versions there are: of all, and where something cannot be asked.
func TestScreensOfVersion(t *testing.T) {
	const program = "v1.4.0"
	known := &definitions{Installed: true, Served: []string{"slipway.dev/v1alpha1", "slipway.dev/v1"}, Generation: 3, ControllerGen: "v0.21.0"}
	for name, found := range map[string]*versions{
		"all": {Program: program, Definitions: known, Managers: []managerVersion{
			{"slipway-system", "slipway-controller-manager", "ghcr.io/slipway/slipway:v1.4.0", 1, 2}, {"other", "manager", "", 0, 0}}},
		"by_hand":       {Program: program, Definitions: &definitions{Installed: true, Served: []string{"slipway.dev/v1alpha1"}}, Managers: []managerVersion{}},
		"not_installed": {Program: program, Definitions: &definitions{}, Managers: []managerVersion{}},
		"not_allowed": {Program: program, DefinitionsUnknown: notKnown(forbidden("customresourcedefinitions"), "read CustomResourceDefinitions"),
			ManagersUnknown: notKnown(forbidden("deployments"), "list Deployments in all namespaces")},
		"no_cluster": {Program: program, Cluster: "no cluster is configured"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Join(found.lines(), "\n") + "\n"
			for _, form := range answerForms {
				var answer strings.Builder
				f := answerForm(form)
				if err := f.write(NewOptions(genericiooptions.IOStreams{Out: &answer}), found, nil); err != nil {
					t.Fatal(err)
				}
				text += "── -o " + form + "\n" + answer.String()
			}
			golden(t, filepath.Join("testdata", "version_"+name+".golden"), text)
		})
	}
}

// forbidden is what the API server says to who may not.
func forbidden(resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
}
