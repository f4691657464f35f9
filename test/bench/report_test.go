//go:build bench

package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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

// TestSum puts the reports of `make bench` into one, and says which aims they reach: out/bench.json. It fails where one of them is
// missing, or of another commit. An aim that is missed is told, and fails nothing: the machine may be busy.
func TestSum(t *testing.T) {
	all := struct {
		figures.Provenance
		Aims    []aim    `json:"aims"`
		Switch  switches `json:"switch"`
		Traffic traffics `json:"traffic"`
		Storm   storms   `json:"storm"`
		Steady  rests    `json:"steady"`
		// As in out/bench-passes.json.
		Decide     []cost `json:"decide"`
		PassAtRest []cost `json:"pass_at_rest"`
	}{Provenance: measured(t)}
	read := func(part string, into any, of *figures.Provenance) {
		text, err := os.ReadFile(filepath.Join(root, "out", "bench-"+part+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("bench-%s.json: %v", part, err)
		}
		if of.Commit != all.Commit {
			t.Fatalf("bench-%s.json is of commit %v, and this is %s", part, of.Commit, all.Commit)
		}
	}
	read("switch", &all.Switch, &all.Switch.Provenance)
	read("traffic", &all.Traffic, &all.Traffic.Provenance)
	read("storm", &all.Storm, &all.Storm.Provenance)
	read("steady", &all.Steady, &all.Steady.Provenance)
	var pass passes
	read("passes", &pass, &pass.Provenance)
	all.Decide, all.PassAtRest = pass.Decide, pass.PassAtRest
	all.Aims = slices.Concat(all.Switch.aims(), all.Traffic.aims(), all.Storm.aims(), all.Steady.aims())
	write(t, "bench.json", &all)
	for _, a := range all.Aims {
		t.Log(a)
	}
}
