// Package hack tests the scripts beside it: a check that cannot fail is worse than none.
package hack

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	for _, dir := range []string{"api/v1alpha1", "config/iam", "controllers", "internal/rollout", "internal/cloud", "internal/awscloud", "internal/localaws", "internal/operator",
		"internal/controlplane", "internal/playground", "internal/laws", "internal/swap", "internal/demo", "internal/cli",
		"internal/plan", "internal/checkup", "internal/sight", "internal/notify"} {
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
				"internal/laws/a.go":     imports("laws", internal+"localaws"),
				"internal/laws/b.go":     imports("laws", internal+"cloud"),
				"internal/demo/b.go":     imports("demo", "slipway.dev/slipway/api/v1alpha1"),
				"internal/cli/a.go":      imports("cli", "slipway.dev/slipway/api/v1alpha1"),
				"internal/cli/b.go":      imports("cli", internal+"plan"),
				"internal/cli/c.go":      imports("cli", "slipway.dev/slipway/config/iam"),
				"controllers/b.go":       imports("controllers", internal+"plan"),
				"internal/cli/d.go":      imports("cli", internal+"checkup"),
				"controllers/c.go":       imports("controllers", internal+"checkup"),
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
		"the manager joins what main joins": {
			files: map[string]string{"internal/operator/a.go": imports("operator", internal+"awscloud")},
			want:  "internal/operator/... must not reach " + internal + "awscloud",
		},
		"the playground looks into the manager": {
			files: map[string]string{"internal/playground/a.go": imports("playground", "slipway.dev/slipway/controllers")},
			want:  "internal/playground/... must not reach slipway.dev/slipway/controllers",
		},
		"the demo asks AWS by way of the adapters": {
			files: map[string]string{"internal/demo/a.go": imports("demo", internal+"awscloud")},
			want:  "internal/demo/... must not reach " + internal + "awscloud",
		},
		"the command line decides for itself": {
			files: map[string]string{"internal/cli/a.go": imports("cli", internal+"rollout")},
			want:  "internal/cli/... must not reach " + internal + "rollout",
		},
		"the form of a plan knows how one is made": {
			files: map[string]string{"internal/plan/a.go": imports("plan", internal+"rollout")},
			want:  "internal/plan/... must not reach " + internal + "rollout",
		},
		"the form of a checkup knows how one is made": {
			files: map[string]string{"internal/checkup/a.go": imports("checkup", internal+"cloud")},
			want:  "internal/checkup/... must not reach " + internal + "cloud",
		},
		"the laws ask the product": {
			files: map[string]string{"internal/laws/a.go": imports("laws", "slipway.dev/slipway/controllers")},
			want:  "internal/laws/... must not reach slipway.dev/slipway/controllers",
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
		"config/rbac/role.yaml": "rbac/role.yaml", "docs/api.md": "api.md", "charts/slipway/templates/default/a.yaml": "templates/default/a.yaml",
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
		"test":                        "LOCALAWS_MODELS=$(hack/aws-models.sh); export LOCALAWS_MODELS",
		"test-awscli":                 "hack/check-tools.sh aws=awscli\n",
		"test-rules":                  "hack/check-tools.sh promtool=prometheus\n",
		"demo":                        "LOCALAWS_MODELS=$(hack/aws-models.sh); export LOCALAWS_MODELS",
		"build":                       `-ldflags "-s -w" -o bin/manager`,
		"docker-build VERSION=v1.2.3": `--build-arg VERSION="v1.2.3"`,
		"docker-push IMG=registry/slipway:1 CONTAINER_TOOL=podman": "podman push registry/slipway:1",
		"install KUBECTL=oc":            "config/crd | oc apply --server-side -f -",
		"deploy IMG=registry/slipway:1": `config/default | sed 's|image: controller:latest$|image: registry/slipway:1|' | kubectl apply --server-side -f -`,
	} {
		cmd := exec.CommandContext(t.Context(), "make", append([]string{"-C", "..", "-n"}, strings.Fields(target)...)...)
		cmd.Env = append(os.Environ(), "MAKEFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("make -n %s: %v, without %s:\n%s", target, err, want, out)
		}
	}
}

// stubs are the programs that the targets for a cluster call. Each writes down how it was called; kubectl answers from
// files beside it, and knows no definition and no object where there are none.
var stubs = map[string]string{
	"bin/kustomize": `echo "$*" # what kubectl gets to read`,
	"bin/kubectl": `here=$(dirname "$0")
case "$1 $2" in
"get crd") [ ! -e "$here/unreachable" ] || { echo "Unable to connect to the server" >&2; exit 1; }
  [ ! -e "$here/${3%%.*}" ] || echo "$3" ;;
"get "*) cat "$here/${2%%.*}" ;;
delete*) echo "$* < $(cat)" >>"$here/log" ;;
esac`,
}

// makeOnCluster runs a target of the real Makefile with stubs, on a cluster that holds some objects, and returns what it
// printed, what was deleted, and whether it passed.
func makeOnCluster(t *testing.T, target string, held map[string]string) (out, deleted string, passed bool) {
	t.Helper()
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"Makefile", "hack/check-unused.sh"} {
		text, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		write(path, string(text))
	}
	write("hack/check-machine.sh", "#!/usr/bin/env bash\n")
	for _, older := range []string{"hack/tools/go.mod", "hack/tools/go.sum"} { // than the tools, which are not built anew then
		write(older, "")
		if err := os.Chtimes(filepath.Join(root, older), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range stubs {
		write(path, "#!/usr/bin/env bash\n"+text+"\n")
	}
	for kind, objects := range held {
		write("bin/"+kind, objects)
	}
	cmd := exec.CommandContext(t.Context(), "make", target, "KUBECTL=bin/kubectl")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "MAKEFLAGS=")
	printed, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(root, "bin/log")) // not there where nothing was deleted
	return string(printed), string(log), err == nil
}

// Definitions take every Release with them. Nobody's Release goes unasked, and nothing that is removed waits for a manager
// that was removed before.
func TestNothingIsUninstalledUnderReleases(t *testing.T) {
	const crds, everything = "delete --ignore-not-found -f - < build config/crd\n", "delete --ignore-not-found -f - < build config/default\n"
	deletes := map[string]string{"uninstall": crds, "undeploy": crds + everything}
	for name, test := range map[string]struct {
		held map[string]string
		want []string // in what it prints; none: it passes
	}{
		"nothing is left":              {held: map[string]string{"releases": "", "releaseclasses": ""}},
		"it was not installed":         {},
		"a class that no Release uses": {held: map[string]string{"releases": "", "releaseclasses": "default   <none>\n"}},
		"Releases": {
			held: map[string]string{"releases": "shop   web   Retain\npay   api   Terminate\n", "releaseclasses": ""},
			want: []string{"  shop   web   Retain\n  pay   api   Terminate\n", "kubectl delete releases --all -A ",
				"kubectl delete releaseclasses --all\n", "docs/install.md"},
		},
		"a class that nobody lets go of": {
			held: map[string]string{"releases": "", "releaseclasses": "default   [slipway.dev/class-in-use]\n"},
			want: []string{`kubectl patch releaseclass default --type merge -p '{"metadata":{"finalizers":null}}'`},
		},
		"nobody knows": {held: map[string]string{"unreachable": ""}, want: []string{"Unable to connect to the server"}},
	} {
		for target, all := range deletes {
			t.Run(target+" where "+name, func(t *testing.T) {
				out, deleted, passed := makeOnCluster(t, target, test.held)
				if test.want != nil {
					all = ""
				}
				if passed != (test.want == nil) || deleted != all {
					t.Errorf("passed = %v, deleted %q, want %q, with:\n%s", passed, deleted, all, out)
				}
				for _, want := range test.want {
					if !strings.Contains(out, want) {
						t.Errorf("lacks %q:\n%s", want, out)
					}
				}
			})
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

func TestAWSModelsAreFoundWhereverTheCommandLineWasInstalled(t *testing.T) {
	root := t.TempDir()
	const data = "usr/local/aws-cli/v2/current/dist/awscli/botocore/data"
	if out, passed := run(t, "aws-models.sh", "LOCALAWS_MODELS=", "AWS_MODELS_ROOT="+root); !passed ||
		!strings.Contains(out, "not checked against AWS's own models") || !strings.Contains(out, "apt-get install -y awscli\n") {
		t.Errorf("without any: passed = %v, with:\n%s", passed, out)
	}
	if err := os.MkdirAll(filepath.Join(root, data, "ec2/2016-11-15"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, data, "ec2/2016-11-15/service-2.json.gz"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, passed := run(t, "aws-models.sh", "LOCALAWS_MODELS=", "AWS_MODELS_ROOT="+root); !passed || out != filepath.Join(root, data)+"\n" {
		t.Errorf("with AWS's installer: passed = %v, with:\n%s", passed, out)
	}
	if out, passed := run(t, "aws-models.sh", "LOCALAWS_MODELS=/mine", "AWS_MODELS_ROOT="+root); !passed || out != "/mine\n" {
		t.Errorf("with a choice: passed = %v, with:\n%s", passed, out)
	}
}

func TestCheckToolsSaysHowToGetThem(t *testing.T) {
	for _, script := range []string{"check-tools.sh echo=coreutils aws=awscli", "check-tools.sh install aws=awscli"} { // install has no apt-get here either
		cmd := exec.CommandContext(t.Context(), "/bin/bash", strings.Fields(script)...)
		cmd.Env = []string{"PATH=" + t.TempDir()}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "missing: aws\ninstall with: apt-get install -y awscli\n") {
			t.Errorf("%s: %v, with:\n%s", script, err, out)
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
