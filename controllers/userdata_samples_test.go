package controllers

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// The samples of user data as servers get them: version "2026.11.22-1" of shop/web.
func renderedSample(t *testing.T, file string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("../config/samples/userdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(renderUserData(source, "2026.11.22-1", "shop/web", "web-abc123"))
}

// Of every sample the three words are replaced, all of them and nothing else, and EC2 takes the rest.
func TestUserDataSamples(t *testing.T) {
	files, err := filepath.Glob("../config/samples/userdata/*")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v (%v)", files, err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		words := strings.NewReplacer("${SLIPWAY_VERSION}", "2026.11.22-1", "${SLIPWAY_RELEASE}", "shop/web", "${SLIPWAY_REVISION}", "web-abc123")
		rendered := renderedSample(t, filepath.Base(file))
		if diff := cmp.Diff(words.Replace(string(source)), rendered); diff != "" {
			t.Errorf("%s (-three words replaced +rendered):\n%s", file, diff)
		}
		for _, value := range []string{"2026.11.22-1", "shop/web", "web-abc123"} {
			if !strings.Contains(rendered, value) {
				t.Errorf("%s does not use %s", file, value)
			}
		}
		if strings.Contains(rendered, "SLIPWAY_") || !strings.Contains(rendered, "${") {
			t.Errorf("%s: every word of ours is to be replaced, and one of the script's own is to show that it is not:\n%s", file, rendered)
		}
		if problem := sizeProblem([]byte(rendered)); problem.Some() {
			t.Errorf("%s: %s", file, problem.Message)
		}
	}
}

// boot runs a script as a server would, below a folder in place of /, with commands that only note how they were called. It gives the
// folder and the calls.
func boot(t *testing.T, script string, commands map[string]string) (root, calls string) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for _, folder := range []string{"etc/systemd/system", "etc/web", "opt", "usr/local/bin", "stubs"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	called := filepath.Join(root, "called")
	for name, does := range commands {
		stub := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >> %s\n%s\n", name, called, does)
		if err := os.WriteFile(filepath.Join(root, "stubs", name), []byte(stub), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	script = regexp.MustCompile(`([ =])/(etc|opt)\b`).ReplaceAllString(script, "${1}"+root+"/$2")
	run := exec.CommandContext(t.Context(), shell)
	run.Stdin, run.Env = strings.NewReader(script), []string{"PATH=" + filepath.Join(root, "stubs") + ":" + os.Getenv("PATH")}
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(called)
	if err != nil {
		t.Fatal(err)
	}
	return root, strings.ReplaceAll(string(text), root, "")
}

// Whichever client the image has is run with the run list and what it is to install.
func TestUserDataForChef(t *testing.T) {
	const metadata = `case "$*" in *api/token) echo secret ;; *"token: secret"*instance-id) echo i-0123 ;; *) exit 22 ;; esac`
	for client, folder := range map[string]string{"chef-client": "/etc/chef", "cinc-client": "/etc/cinc"} {
		t.Run(client, func(t *testing.T) {
			root, calls := boot(t, renderedSample(t, "chef.sh"), map[string]string{client: "", "curl": metadata})
			if want := client + " --once --json-attributes " + folder + "/first-boot.json --environment production\n"; !strings.HasSuffix(calls, want) {
				t.Errorf("called:\n%s, which does not end with %s", calls, want)
			}
			text, err := os.ReadFile(filepath.Join(root, folder, "first-boot.json"))
			if err != nil {
				t.Fatal(err)
			}
			var got any
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"run_list": []any{"recipe[base]", "role[app-server]"},
				"slipway":  map[string]any{"version": "2026.11.22-1", "release": "shop/web", "revision": "web-abc123"},
			}
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if text, err := os.ReadFile(filepath.Join(root, folder, "client.rb")); err != nil || !strings.Contains(string(text), "node_name 'i-0123'\n") {
				t.Errorf("client.rb (%v):\n%s", err, text)
			}
		})
	}
}

// The unit is written before it is started, with systemd's own variable in it.
func TestUserDataForSystemd(t *testing.T) {
	root, calls := boot(t, renderedSample(t, "systemd.sh"), map[string]string{"curl": "", "tar": "", "systemctl": ""})
	for _, want := range []string{
		"curl -sSf https://artifacts.example.com/web/2026.11.22-1.tar.gz\n", "tar -xz -C /opt/web\n",
		"systemctl daemon-reload\nsystemctl enable --now web.service\n",
	} {
		if !strings.Contains(calls, want) {
			t.Errorf("called:\n%s, which lacks %s", calls, want)
		}
	}
	unit, err := os.ReadFile(filepath.Join(root, "etc/systemd/system/web.service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Description=web 2026.11.22-1 (shop/web, web-abc123)\n", "ExecStart=/opt/web/bin/web --port ${PORT}\n"} {
		if !strings.Contains(strings.ReplaceAll(string(unit), root, ""), want) {
			t.Errorf("the unit lacks %q:\n%s", want, unit)
		}
	}
}

// cloudInit is what the sample uses of cloud-init's modules; another key is one that cloud-init does not know, or that is to be added here.
type cloudInit struct {
	PackageUpdate bool     `json:"package_update"`
	Packages      []string `json:"packages"`
	WriteFiles    []struct {
		Path        string `json:"path"`
		Permissions string `json:"permissions"`
		Content     string `json:"content"`
	} `json:"write_files"`
	RunCmd [][]string `json:"runcmd"`
}

// cloud-init takes the file for its own by the first line; what it installs runs.
func TestUserDataForCloudInit(t *testing.T) {
	text := renderedSample(t, "cloud-init.yaml")
	if !strings.HasPrefix(text, "#cloud-config\n") {
		t.Error("without #cloud-config in its first line it is a script")
	}
	var config cloudInit
	if err := yaml.UnmarshalStrict([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range config.WriteFiles {
		if len(file.Permissions) != 4 || file.Permissions[0] != '0' {
			t.Errorf("%s: permissions %q are no octal number in quotes", file.Path, file.Permissions)
		}
		files[file.Path] = file.Content
	}
	if len(config.RunCmd) != 2 || files[config.RunCmd[0][0]] == "" || !slices.Contains(config.Packages, config.RunCmd[1][3]) {
		t.Fatalf("what is run is not what is written, or installed: %v of %v", config.RunCmd, slices.Collect(maps.Keys(files)))
	}
	script := "cat > /etc/web/release.env <<'EOF'\n" + files["/etc/web/release.env"] + "EOF\n" + files[config.RunCmd[0][0]]
	_, calls := boot(t, script, map[string]string{"curl": "", "unzip": ""})
	want := "curl -sSf -o /tmp/web.zip https://artifacts.example.com/web/2026.11.22-1.zip\nunzip -q -o /tmp/web.zip -d /var/www/html\n"
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("called (-want +got):\n%s", diff)
	}
}
