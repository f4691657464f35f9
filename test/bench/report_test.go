//go:build bench

package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// root is the repository's, from here.
const root = "../.."

// provenance says what was measured, and where.
type provenance struct {
	Commit string `json:"commit"`
	Date   string `json:"date"`
	Go     string `json:"go"`
	Cores  int    `json:"cores"`
}

func measured(t *testing.T) provenance {
	t.Helper()
	commit, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		t.Fatalf("which commit this is: %v", err)
	}
	return provenance{strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.RFC3339), runtime.Version(), runtime.NumCPU()}
}

// write keeps a report as out/NAME, and shows it.
func write(t *testing.T, name string, report any) {
	t.Helper()
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "out", name), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("out/%s:\n%s", name, text)
}
