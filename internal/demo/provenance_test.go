package demo

import (
	"encoding/json"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/test/figures"
)

func TestProvenance(t *testing.T) {
	at := time.Date(2026, 11, 22, 17, 30, 0, 0, time.FixedZone("", 2*3600))
	const revision = "13d922e0123456789abcdef0123456789abcdef0"
	for name, test := range map[string]struct {
		settings []debug.BuildSetting
		want     string
	}{
		"of a commit":                     {[]debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "false"}}, "13d922e01234"},
		"of a tree with changes":          {[]debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "true"}}, "13d922e01234-dirty"},
		"of a version, by the go command": {nil, "v1.0.0"},
	} {
		got := provenance(&debug.BuildInfo{Main: debug.Module{Version: "v1.0.0"}, Settings: test.settings}, at)
		if diff := cmp.Diff(Provenance{test.want, "2026-11-22T15:30:00Z", runtime.Version(), runtime.NumCPU()}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The demo's report says where it is from in the words of the others, which this package may not import, and leaves none of them empty.
func TestReportSaysWhereItIsFrom(t *testing.T) {
	members := func(of any) map[string]any {
		text, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	report := members(newReport())
	for _, name := range slices.Sorted(maps.Keys(members(figures.Provenance{}))) {
		if value, ok := report[name]; !ok || value == "" || value == 0.0 {
			t.Errorf("the report's %s is %v", name, value)
		}
	}
	if when, err := time.Parse(time.RFC3339, report["date"].(string)); err != nil || time.Since(when) > time.Hour {
		t.Errorf("the report's date is %v: %v", report["date"], err)
	}
}
