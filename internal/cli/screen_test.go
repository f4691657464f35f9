package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
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
