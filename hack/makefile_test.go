package hack

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a long target is made of is all run, whichever part of it fails, and a part that fails is told and fails the target.
func TestOneFailureEndsNoOther(t *testing.T) {
	for name, target := range map[string]struct {
		stub  string   // the variable that the program in the place of the real one is given by
		parts []string // regular expressions, each of one call
	}{
		"safety-deep": {"GO", []string{
			`-run TestPaths -rollout.paths=\S+/out/paths.json`, `./test/safety -safety.report=\S+/out/safety.json -safety.deep .*-safety.paths=\S+/out/paths.json`,
			`-run TestExplore ./internal/rollout -rollout.report=\S+/out/safety.json`, `run ./hack/bugbank -report=\S+/out/safety.json$`,
		}},
		"safety": {"GO", []string{
			`./test/safety -safety.report=\S+/out/safety.json$`, `-run TestExplore ./internal/rollout -rollout.report=\S+/out/safety.json`,
			`run ./hack/bugbank -gate -report=\S+/out/safety.json$`,
		}},
		"nightly": {"MAKE", []string{
			"nightly-worlds", "explore", "nightly-kubestore", "nightly-race", "nightly-e2e", "fuzz", "bugbank", "claims", "e2e-matrix", "safety-deep",
			"safety-real", "test-upgrade", "soak", "bench",
		}},
	} {
		for _, broken := range append([]string{""}, target.parts...) {
			out, calls, passed := makeWith(t, name, target.stub, broken)
			if passed != (broken == "") {
				t.Errorf("make %s passed = %v with %q broken:\n%s", name, passed, broken, out)
			}
			for _, part := range target.parts {
				if !regexp.MustCompile(`(?m)` + part).MatchString(calls) {
					t.Errorf("make %s with %q broken runs no %q:\n%s", name, broken, part, calls)
				}
			}
			if name == "nightly" && broken != "" && !strings.Contains(out, "these failed: "+broken+"\n") {
				t.Errorf("make %s does not tell that %q failed:\n%s", name, broken, out)
			}
		}
	}
}

// makeWith makes a target with a program in the place of one that it calls, which fails where it is called like broken, and returns all
// that is printed, and how the program was called, a line each.
func makeWith(t *testing.T, target, variable, broken string) (out, calls string, passed bool) {
	dir := t.TempDir()
	stub, log := filepath.Join(dir, "stub"), filepath.Join(dir, "calls")
	script := "#!/bin/sh\necho \"$*\" >>" + log + "\n[ -z '" + broken + "' ] || ! echo \"$*\" | grep -qE -e '" + broken + "'\n"
	if err := os.WriteFile(stub, []byte(script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "make", "-C", "..", target, variable+"="+stub, "SAFETY_REPORT="+dir+"/out/safety.json")
	cmd.Env = append(os.Environ(), "MAKEFLAGS=")
	text, failed := cmd.CombinedOutput()
	lines, err := os.ReadFile(log)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return string(text), string(lines), failed == nil
}
