package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/controlplane"
)

// kubectl itself finds the plugin, and completes its lines by the link that `make plugin` lays beside it.
func TestKubectlCompletesThePlugin(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // where nobody built it before, that takes ten minutes and more
	defer cancel()
	binaries, err := controlplane.Assets(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, name := range []string{"kubectl-slipway", completer} {
		if err := os.Symlink(self, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"slipway promo":           "promote",
		"slipway status --for=ro": "rolledback",
		"slipway iam-policy --":   "--server-role",
	} {
		words := strings.Fields(line)
		cmd := exec.CommandContext(ctx, filepath.Join(binaries, "kubectl"), append([]string{"__complete"}, words...)...)
		cmd.Env = append(os.Environ(), playVariable+"=1", "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"), "KUBECONFIG="+filepath.Join(folder, "none"))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("kubectl %s: %v, and not %q in:\n%s", line, err, want, out)
		}
	}
}
