package figures

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Parts that are measured side by side come into one report, in any order; what is of another commit is none of it.
func TestPartsOfAReport(t *testing.T) {
	here, err := Here()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "out", "report.json")
	add := func(members any) {
		t.Helper()
		if err := Add(file, members); err != nil {
			t.Fatal(err)
		}
	}
	read := func() map[string]any {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		report := map[string]any{}
		if err := json.Unmarshal(text, &report); err != nil {
			t.Fatal(err)
		}
		delete(report, "date")
		return report
	}
	if _, err := Write(file, map[string]any{"commit": "another", "old": 1}); err != nil {
		t.Fatal(err)
	}
	add(map[string]any{"states": 3})
	add(struct {
		Provenance
		Runs int `json:"runs"`
	}{Provenance: here, Runs: 2})
	add(map[string]any{"states": 4})
	want := map[string]any{"commit": here.Commit, "go": here.Go, "cores": float64(here.Cores), "runs": 2., "states": 4.}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
