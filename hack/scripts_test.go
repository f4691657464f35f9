// Package hack tests the scripts beside it: a check that cannot fail is worse than none.
package hack

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs one of the scripts and returns all that it prints, and whether it passed.
func run(t *testing.T, script string, env ...string) (string, bool) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bash, script)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func TestCheckMachineNamesWhatIsMissing(t *testing.T) {
	out, passed := run(t, "check-machine.sh", "PATH="+t.TempDir(), "CC=gcc")
	if passed {
		t.Error("passed on a machine without anything")
	}
	for _, want := range []string{
		"missing: git\n", "missing: make\n", "missing: a C compiler with its headers (gcc)\n", "missing: Go",
		"apt-get install -y git make gcc libc6-dev\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
}

func TestCheckMachinePassesWhereNothingIsMissing(t *testing.T) {
	if out, passed := run(t, "check-machine.sh"); !passed || out != "" {
		t.Errorf("passed = %v, with:\n%s", passed, out)
	}
}

// module lays out a module of Slipway's name with the script that is tested in its place.
func module(t *testing.T, name string, files map[string]string) (script string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"go.mod": "module slipway.dev/slipway\n\ngo 1.26\n", "hack/" + name: string(text)}
	for _, dir := range []string{"api/v1alpha1", "controllers", "internal/rollout", "internal/cloud", "internal/awscloud", "internal/localaws",
		"internal/controlplane", "internal/playground", "internal/demo"} {
		all[dir+"/doc.go"] = "package " + filepath.Base(dir) + "\n"
	}
	all["main.go"] = "package main\n\nfunc main() {}\n"
	maps.Copy(all, files)
	root := t.TempDir()
	for path, text := range all {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, "hack", name)
}

func TestVerifyImports(t *testing.T) {
	imports := func(pkg, path string) string { return "package " + pkg + "\n\nimport _ \"" + path + "\"\n" }
	const internal = "slipway.dev/slipway/internal/"
	for name, tc := range map[string]struct {
		files map[string]string
		want  string // empty: it passes
	}{
		"what is allowed": {
			files: map[string]string{
				"internal/cloud/a.go":    imports("cloud", internal+"rollout"),
				"internal/awscloud/a.go": imports("awscloud", internal+"cloud"),
				"controllers/a.go":       imports("controllers", internal+"cloud"),
				"internal/rollout/a.go":  imports("rollout", "time"),
				"internal/demo/a.go":     imports("demo", internal+"playground"),
				"internal/demo/b.go":     imports("demo", "slipway.dev/slipway/api/v1alpha1"),
				"internal/playground/a.go": "package playground\n\nimport (\n\t_ \"" + internal + "controlplane\"\n\t_ \"" +
					internal + "localaws\"\n)\n",
				"cmd/kubectl-slipway/main.go": imports("main", internal+"demo"),
			},
		},
		"a test may import more": {
			files: map[string]string{"controllers/a_test.go": imports("controllers", internal+"localaws")},
		},
		"the core imports a port": {
			files: map[string]string{"internal/rollout/a.go": imports("rollout", internal+"cloud")},
			want:  "internal/rollout/... must not reach " + internal + "cloud",
		},
		"the core does I/O": {
			files: map[string]string{"internal/rollout/a.go": imports("rollout", "log/slog")},
			want:  "internal/rollout must not import log/slog",
		},
		"the controllers reach the adapters by way of something else": {
			files: map[string]string{
				"controllers/a.go":      imports("controllers", internal+"between"),
				"internal/between/a.go": imports("between", internal+"awscloud"),
			},
			want: "controllers/... must not reach " + internal + "awscloud",
		},
		"the local AWS shares code with the product": {
			files: map[string]string{"internal/localaws/wire/a.go": imports("wire", internal+"rollout")},
			want:  "internal/localaws/... must not reach " + internal + "rollout",
		},
		"the API brings our insides along": {
			files: map[string]string{"api/v1alpha1/a.go": imports("v1alpha1", internal+"rollout")},
			want:  "api/... must not reach " + internal + "rollout",
		},
		"the manager brings the local mode along": {
			files: map[string]string{"main.go": imports("main", internal+"playground")},
			want:  ". must not reach " + internal + "playground",
		},
		"the controllers know the demo": {
			files: map[string]string{"controllers/a.go": imports("controllers", internal+"demo")},
			want:  "controllers/... must not reach " + internal + "demo",
		},
		"the playground looks into the manager": {
			files: map[string]string{"internal/playground/a.go": imports("playground", "slipway.dev/slipway/controllers")},
			want:  "internal/playground/... must not reach slipway.dev/slipway/controllers",
		},
		"the demo asks AWS by way of the adapters": {
			files: map[string]string{"internal/demo/a.go": imports("demo", internal+"awscloud")},
			want:  "internal/demo/... must not reach " + internal + "awscloud",
		},
		"the control plane knows whose it is": {
			files: map[string]string{"internal/controlplane/a.go": imports("controlplane", "slipway.dev/slipway/api/v1alpha1")},
			want:  "internal/controlplane/... must not reach slipway.dev/slipway/api/v1alpha1",
		},
		"code that does not compile is not passed over": {
			files: map[string]string{"internal/cloud/a.go": "package cloud\n\nimport \"\n"},
			want:  "string literal not terminated",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, passed := run(t, module(t, "verify-imports.sh", tc.files), "GOFLAGS=", "GOWORK=off")
			if passed != (tc.want == "") || !strings.Contains(out, tc.want) {
				t.Errorf("passed = %v, with:\n%s\nwant %q", passed, out, tc.want)
			}
		})
	}
}

// A file that is not what its source says now is named, whichever it is.
func TestVerifyGenerated(t *testing.T) {
	committed := map[string]string{ // and what it is compared with, below generate-into's DIR
		"api/v1alpha1/zz_generated.deepcopy.go": "object/zz_generated.deepcopy.go", "config/crd/bases/a.yaml": "crd/a.yaml",
		"config/rbac/role.yaml": "rbac/role.yaml", "docs/api.md": "api.md",
	}
	copied := map[string]string{
		"internal/controlplane/module/go.mod.txt": "hack/controlplane/go.mod", "internal/controlplane/module/go.sum.txt": "hack/controlplane/go.sum",
	}
	layout := func(stale string) map[string]string {
		files := map[string]string{"Makefile": "generate-into:\n\tcp -R fresh/. $(DIR)\n"}
		for path, source := range committed {
			files[path], files["fresh/"+source] = "package v1alpha1\n", "package v1alpha1\n"
		}
		for path, source := range copied {
			files[path], files[source] = "same", "same"
		}
		if stale != "" {
			files[stale] = "package stale\n"
		}
		return files
	}
	const script = "verify-generated.sh"
	if out, passed := run(t, module(t, script, layout(""))); !passed {
		t.Errorf("failed where everything is up to date:\n%s", out)
	}
	maps.Copy(committed, copied)
	for path := range committed {
		out, passed := run(t, module(t, script, layout(path)))
		if passed || !strings.Contains(out, strings.TrimSuffix(path, "/a.yaml")+" is not up to date") {
			t.Errorf("passed = %v, with %s stale:\n%s", passed, path, out)
		}
	}
}

// What `make` would run: the reference is written where the other generated files are, and what is built is stripped.
func TestMakefile(t *testing.T) {
	for target, want := range map[string]string{
		"generate":                    "--output-path=docs/api.md",
		"generate-into DIR=/nowhere":  "--output-path=/nowhere/api.md",
		"build":                       `-ldflags "-s -w" -o bin/manager`,
		"docker-build VERSION=v1.2.3": `--build-arg VERSION="v1.2.3"`,
	} {
		cmd := exec.CommandContext(t.Context(), "make", append([]string{"-C", "..", "-n"}, strings.Fields(target)...)...)
		cmd.Env = append(os.Environ(), "MAKEFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("make -n %s: %v, without %s:\n%s", target, err, want, out)
		}
	}
}

func TestVerifySleep(t *testing.T) {
	const script = "verify-sleep.sh"
	const sleeps = "package cloud\n\nfunc f() { time." + "Sleep(1) }\n" // in two pieces, for the script also looks at this file
	if out, passed := run(t, module(t, script, map[string]string{"internal/cloud/a_test.go": sleeps})); passed ||
		!strings.Contains(out, "internal/cloud/a_test.go: time.Sleep outside") {
		t.Errorf("passed = %v with a test that sleeps:\n%s", passed, out)
	}
	bubble := strings.Replace(sleeps, "\n\n", "\n\nimport \"testing/synctest\"\n\n", 1)
	for name, files := range map[string]map[string]string{
		"none sleeps":          nil,
		"in a synctest bubble": {"internal/cloud/a_test.go": bubble},
	} {
		if out, passed := run(t, module(t, script, files)); !passed {
			t.Errorf("%s: failed with:\n%s", name, out)
		}
	}
}

// Progress is a line per hundred packages; what the compiler complains of is passed on.
func TestProgress(t *testing.T) {
	input := strings.Repeat("k8s.io/api/core/v1\n", 250) + "# slipway.dev/slipway\nmain.go:1:1: expected 'package'\n"
	cmd := exec.CommandContext(t.Context(), "awk", "-f", "progress.awk")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	want := "  100 packages compiled\n  200 packages compiled\n# slipway.dev/slipway\nmain.go:1:1: expected 'package'\n"
	if err != nil || string(out) != want {
		t.Errorf("awk: %v, %q, want %q", err, out, want)
	}
}
