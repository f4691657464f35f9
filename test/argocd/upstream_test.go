package argocd

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"
)

// The files of Argo CD's own tests: health_test.yaml and actions/action_test.yaml.
type (
	healthTests struct {
		Tests []healthTest `json:"tests"`
	}
	healthTest struct {
		HealthStatus health `json:"healthStatus"`
		InputPath    string `json:"inputPath"`
	}
	actionTests struct {
		DiscoveryTests []discoveryTest `json:"discoveryTests"`
		ActionTests    []actionTest    `json:"actionTests"`
	}
	discoveryTest struct {
		InputPath string   `json:"inputPath"`
		Result    []action `json:"result"`
	}
	actionTest struct {
		Action               string            `json:"action"`
		InputPath            string            `json:"inputPath"`
		ExpectedOutputPath   string            `json:"expectedOutputPath,omitempty"`
		ExpectedErrorMessage string            `json:"expectedErrorMessage,omitempty"`
		Parameters           map[string]string `json:"parameters,omitempty"`
	}
)

// noon is the time of the scripts: after every stage, and before a hold of four hours ends. In a zone of its own, because Argo CD's
// os.date is in local time where nobody expects it.
var noon = time.Date(2026, 11, 22, 17, 30, 0, 0, time.FixedZone("", 7*3600+1800))

// objects are the files that the scripts are tried on.
func objects(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(testdata + "/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d objects: %v", len(files), err)
	}
	names := make([]string, 0, len(files))
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".yaml"))
	}
	slices.Sort(names)
	return names
}

func input(t *testing.T, name string) map[string]any {
	t.Helper()
	return object(t, filepath.Join(testdata, name+".yaml"))
}

// scripts are those of the folder.
type scripts struct {
	health, discovery string
	actions           map[string]string
}

func folderScripts(t *testing.T) scripts {
	t.Helper()
	s := scripts{string(read(t, folder+"/health.lua")), string(read(t, folder+"/actions/discovery.lua")), map[string]string{}}
	files, err := filepath.Glob(folder + "/actions/*/action.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		s.actions[filepath.Base(filepath.Dir(file))] = string(read(t, file))
	}
	return s
}

func TestHealth(t *testing.T) {
	const file = folder + "/health_test.yaml"
	script := folderScripts(t).health
	if *update {
		var tests healthTests
		for _, name := range objects(t) {
			h, err := sandboxes(noon)["argocd-cm"].health(script, input(t, name))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			tests.Tests = append(tests.Tests, healthTest{h, "testdata/" + name + ".yaml"})
		}
		write(t, file, tests)
	}
	var tests healthTests
	decode(t, file, &tests)
	tried := map[string]string{}
	for _, test := range tests.Tests {
		for mode, box := range sandboxes(noon) {
			got, err := box.health(script, object(t, filepath.Join(folder, test.InputPath)))
			if err != nil || got != test.HealthStatus {
				t.Errorf("%s, %s: %v (-want +got):\n%s", test.InputPath, mode, err, cmp.Diff(test.HealthStatus, got))
			}
		}
		tried[strings.TrimSuffix(filepath.Base(test.InputPath), ".yaml")] = test.HealthStatus.Status
	}
	if diff := cmp.Diff(objects(t), slices.Sorted(maps.Keys(tried))); diff != "" {
		t.Errorf("objects that are there and that are tried (-there +tried):\n%s", diff)
	}
	for _, s := range stages() {
		if tried[s.file] != s.argo {
			t.Errorf("%s is %s in Argo CD, and is to be %s", s.file, tried[s.file], s.argo)
		}
	}
}

// What waits for a person says what to do, and what failed says why.
func TestHealthSpeaks(t *testing.T) {
	for name, words := range map[string][]string{
		"unseen":                    {"controller running"},
		"edited":                    {"not seen the last edit"},
		"launching":                 {"waiting for"},
		"preview":                   {"version v2 is ready in Preview", "action promote", `commit phase: Live and phaseFor: "v2"`},
		"preview-phase-left-behind": {`commit phase: Live and phaseFor: "v2"`},
		"preview-held":              {"Held", "alice", "checkout answers 500", "2026-11-22T", "the action release"},
		"live":                      {"v1 stands by", "action rollback or complete"},
		"first-live":                {"action complete"},
		"rolled-back":               {"rejected", "action promote"},
		"held":                      {"Held", "alice", "checkout answers 500", "the action release"},
		"promotion-failed":          {"PromotionFailed", "action retry"},
		"first-promotion-failed":    {"PromotionFailed", "goes Live by itself once its servers are healthy"},
		"auto-rolled-back":          {"AutoRolledBack", "action retry"},
		"image-not-found":           {"ImageNotFound", "ami-0dead000000000000"},
		"access-denied":             {"AccessDenied", "RunInstances"},
		"paused":                    {"spec.paused"},
	} {
		got, err := sandboxes(noon)["argocd-cm"].health(folderScripts(t).health, input(t, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !strings.Contains(got.Message, word) {
				t.Errorf("%s: %q lacks %q", name, got.Message, word)
			}
		}
	}
}

func TestDiscovery(t *testing.T) {
	const file = folder + "/actions/action_test.yaml"
	all := folderScripts(t)
	if *update {
		writeActionTests(t, file, all)
	}
	var tests actionTests
	decode(t, file, &tests)
	var tried []string
	for _, test := range tests.DiscoveryTests {
		tried = append(tried, strings.TrimSuffix(filepath.Base(test.InputPath), ".yaml"))
		want := map[string]action{}
		for _, a := range test.Result {
			want[a.Name] = a
		}
		for mode, box := range sandboxes(noon) {
			got, err := box.discover(all.discovery, object(t, filepath.Join(folder, "actions", test.InputPath)))
			if err != nil {
				t.Fatalf("%s, %s: %v", test.InputPath, mode, err)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got) != len(test.Result) {
				t.Errorf("%s, %s: %d actions, to be %d (-want +got):\n%s", test.InputPath, mode, len(got), len(test.Result), diff)
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(all.actions)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("%s: actions that are there and that are discovered (-there +discovered):\n%s", test.InputPath, diff)
			}
		}
	}
	if diff := cmp.Diff(objects(t), tried); diff != "" {
		t.Errorf("objects that are there and that are tried (-there +tried):\n%s", diff)
	}
}

// What may be done at which stage, in one place. Retry is offered after failures alone, release where there is an override.
func TestWhatIsOffered(t *testing.T) {
	for name, want := range map[string]string{
		"unseen": "", "first-preparing": "promote", "first-preview": "promote", "first-live": "complete", "first-complete": "",
		"edited": "", "launching": "hold promote rollback", "preview": "hold promote rollback", "preview-phase-left-behind": "hold promote rollback",
		"preview-held": "release rollback", "promoting": "hold rollback", "live": "complete hold rollback", "live-without-phase": "complete hold promote rollback",
		"live-sick": "hold rollback", "rolling-back": "hold promote", "rolled-back": "hold promote", "held": "release rollback", "retiring": "", "complete": "",
		"promotion-failed": "hold retry rollback", "auto-rolled-back": "hold retry rollback", "image-not-found": "promote", "paused": "hold promote rollback",
		"nothing-to-roll-back-to": "promote", "first-promotion-failed": "", "next-not-recorded": "promote rollback", "deleting": "",
	} {
		all, err := sandboxes(noon)["argocd-cm"].discover(folderScripts(t).discovery, input(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, action := range slices.Sorted(maps.Keys(all)) {
			if !all[action].Disabled {
				got = append(got, action)
			} else if !strings.Contains(all[action].DisplayName, ": not now, ") {
				t.Errorf("%s: %s is disabled without a reason: %q", name, action, all[action].DisplayName)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: offers %q, to be %q", name, got, want)
		}
	}
}

func TestActions(t *testing.T) {
	all := folderScripts(t)
	var tests actionTests
	decode(t, folder+"/actions/action_test.yaml", &tests)
	tried := map[string]bool{}
	for _, test := range tests.ActionTests {
		tried[test.Action] = true
		for mode, box := range sandboxes(noon) {
			got, err := box.act(all.actions[test.Action], object(t, filepath.Join(folder, "actions", test.InputPath)), test.Parameters)
			switch {
			case test.ExpectedErrorMessage != "":
				if err == nil || !strings.Contains(err.Error(), test.ExpectedErrorMessage) {
					t.Errorf("%s of %s, %s: %v", test.Action, test.InputPath, mode, err)
				}
			case err != nil:
				t.Errorf("%s of %s, %s: %v", test.Action, test.InputPath, mode, err)
			default:
				if diff := cmp.Diff(object(t, filepath.Join(folder, "actions", test.ExpectedOutputPath)), got); diff != "" {
					t.Errorf("%s of %s, %s (-want +got):\n%s", test.Action, test.InputPath, mode, diff)
				}
			}
		}
	}
	if len(tried) != len(all.actions) {
		t.Errorf("actions that are tried: %v", slices.Sorted(maps.Keys(tried)))
	}
}

// What is offered works, at every stage; and what refuses is not offered.
func TestWhatIsOfferedWorks(t *testing.T) {
	all := folderScripts(t)
	for _, name := range objects(t) {
		obj := input(t, name)
		offered, err := sandboxes(noon)["argocd-cm"].discover(all.discovery, obj)
		if err != nil {
			t.Fatal(err)
		}
		for action, script := range all.actions {
			for mode, box := range sandboxes(noon) {
				got, err := box.act(script, input(t, name), nil)
				if err != nil && !offered[action].Disabled {
					t.Errorf("%s, %s: %s is offered and refuses: %v", name, mode, action, err)
				}
				if err == nil {
					onlyAsked(t, name+", "+action, obj, got)
				}
			}
		}
	}
}

// onlyAsked: an action changes phase and phaseFor together, or the override, or the annotation; nothing else.
func onlyAsked(t *testing.T, what string, before, after map[string]any) {
	t.Helper()
	spec := after["spec"].(map[string]any)
	if was := before["spec"].(map[string]any); spec["phase"] != was["phase"] && spec["phaseFor"] != spec["version"] {
		t.Errorf("%s: phase %v for %v, and the version is %v", what, spec["phase"], spec["phaseFor"], spec["version"])
	}
	strip := func(from map[string]any) map[string]any {
		copied := clone(t, from)
		for _, field := range []string{"phase", "phaseFor", "override"} {
			delete(copied["spec"].(map[string]any), field)
		}
		metadata := copied["metadata"].(map[string]any)
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			delete(annotations, "slipway.dev/retry")
			if len(annotations) == 0 {
				delete(metadata, "annotations")
			}
		}
		return copied
	}
	if diff := cmp.Diff(strip(before), strip(after)); diff != "" {
		t.Errorf("%s changes more than it says (-before +after):\n%s", what, diff)
	}
}

func clone(t *testing.T, content map[string]any) map[string]any {
	t.Helper()
	written, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	var copied map[string]any
	if err := json.Unmarshal(written, &copied); err != nil {
		t.Fatal(err)
	}
	return copied
}

// actionCases are what is tried of the actions.
var actionCases = []actionTest{
	{Action: "promote", InputPath: "preview"}, {Action: "promote", InputPath: "preview-phase-left-behind"}, {Action: "promote", InputPath: "rolled-back"},
	{Action: "promote", InputPath: "edited"}, {Action: "promote", InputPath: "preview-held"}, {Action: "promote", InputPath: "promotion-failed"},
	{Action: "promote", InputPath: "complete"},
	{Action: "rollback", InputPath: "live"}, {Action: "rollback", InputPath: "promoting"}, {Action: "rollback", InputPath: "preview-held"},
	{Action: "rollback", InputPath: "first-live"}, {Action: "rollback", InputPath: "complete"},
	{Action: "complete", InputPath: "live"}, {Action: "complete", InputPath: "first-live"}, {Action: "complete", InputPath: "preview"},
	{Action: "complete", InputPath: "live-sick"}, {Action: "complete", InputPath: "rolled-back"}, {Action: "complete", InputPath: "held"}, {Action: "complete", InputPath: "edited"},
	{Action: "retry", InputPath: "promotion-failed"}, {Action: "retry", InputPath: "preview-tested"},
	{Action: "hold", InputPath: "live"}, {Action: "hold", InputPath: "preview"}, {Action: "hold", InputPath: "first-live"},
	{Action: "hold", InputPath: "promoting", Parameters: map[string]string{"hours": "0.5", "reason": "checkout answers 500", "by": "alice"}},
	{Action: "hold", InputPath: "live", Parameters: map[string]string{"hours": "200"}},
	{Action: "hold", InputPath: "live", Parameters: map[string]string{"hours": "soon"}},
	{Action: "hold", InputPath: "edited"}, {Action: "hold", InputPath: "next-not-recorded"},
	{Action: "release", InputPath: "held"}, {Action: "release", InputPath: "live"},
}

// writeActionTests writes what the scripts do now; whoever does that looks at the difference.
func writeActionTests(t *testing.T, file string, all scripts) {
	t.Helper()
	box := sandboxes(noon)["argocd-cm"]
	var tests actionTests
	for _, name := range objects(t) {
		found, err := box.discover(all.discovery, input(t, name))
		if err != nil {
			t.Fatal(err)
		}
		test := discoveryTest{InputPath: "../testdata/" + name + ".yaml"}
		for _, action := range slices.Sorted(maps.Keys(found)) {
			test.Result = append(test.Result, found[action])
		}
		tests.DiscoveryTests = append(tests.DiscoveryTests, test)
	}
	outputs := map[string]bool{}
	for _, test := range actionCases {
		name := test.InputPath
		got, err := box.act(all.actions[test.Action], input(t, name), test.Parameters)
		test.InputPath = "../testdata/" + name + ".yaml"
		if err != nil {
			test.ExpectedErrorMessage = firstLine(err)
		} else {
			test.ExpectedOutputPath = "testdata/" + name + "-" + test.Action + ".yaml"
			if outputs[test.ExpectedOutputPath] {
				t.Fatalf("two tests write %s", test.ExpectedOutputPath)
			}
			outputs[test.ExpectedOutputPath] = true
			write(t, filepath.Join(folder, "actions", test.ExpectedOutputPath), got)
		}
		tests.ActionTests = append(tests.ActionTests, test)
	}
	write(t, file, tests)
}

// firstLine is what a script says, without where.
func firstLine(err error) string {
	if raised, ok := errors.AsType[*lua.ApiError](err); ok {
		return raised.Object.String()
	}
	return err.Error()
}

func write(t *testing.T, file string, content any) {
	t.Helper()
	written, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, written, 0o600); err != nil {
		t.Fatal(err)
	}
}

func decode(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(read(t, file), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
