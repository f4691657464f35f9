//go:build bench

package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"slipway.dev/slipway/test/figures"
)

// root is the repository's, from here.
const root = "../.."

func measured(t *testing.T) figures.Provenance {
	t.Helper()
	here, err := figures.Here()
	if err != nil {
		t.Fatal(err)
	}
	return here
}

// write keeps a report as out/NAME, and shows it.
func write(t *testing.T, name string, report any) {
	t.Helper()
	text, err := figures.Write(filepath.Join(root, "out", name), report)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("out/%s:\n%s", name, text)
}

// TestSum puts the reports of `make bench` into one: out/bench.json. It fails where one of them is missing, or of another commit.
func TestSum(t *testing.T) {
	here := measured(t)
	all := map[string]any{"commit": here.Commit, "date": here.Date, "go": here.Go, "cores": here.Cores}
	for _, part := range []string{"switch", "storm", "steady"} {
		text, err := os.ReadFile(filepath.Join(root, "out", "bench-"+part+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var report map[string]any
		if err := json.Unmarshal(text, &report); err != nil {
			t.Fatalf("bench-%s.json: %v", part, err)
		}
		if report["commit"] != here.Commit {
			t.Fatalf("bench-%s.json is of commit %v, and this is %s", part, report["commit"], here.Commit)
		}
		all[part] = report
	}
	write(t, "bench.json", all)
}
