package config

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// constants are the values of a file's string constants whose names begin with a prefix.
func constants(t *testing.T, path, prefix string) (values []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, is := node.(*ast.ValueSpec); is && strings.HasPrefix(spec.Names[0].Name, prefix) && len(spec.Values) == 1 {
			if value, is := spec.Values[0].(*ast.BasicLit); is {
				values = append(values, strings.Trim(value.Value, `"`))
			}
		}
		return true
	})
	slices.Sort(values)
	return values
}

// matches are the first groups of a pattern, sorted.
func matches(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return found
}

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whoever meets a reason or an alert at night finds it, with something to do.
func TestTheRunbookIsComplete(t *testing.T) {
	runbook := page(t, "../docs/runbook.md")
	reasons := section(t, "runbook.md", "## Reasons")
	if diff := cmp.Diff(constants(t, "../api/v1alpha1/conditions.go", "Reason"), matches(reasons, "(?m)^\\| <a id=\"[a-z]+\"></a>`(\\w+)` \\|")); diff != "" {
		t.Errorf("reasons (-conditions.go +runbook.md):\n%s", diff)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| <a id=\"([a-z]+)\"></a>`(\\w+)` \\| (.*) \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(reasons, -1) {
		if row[1] != strings.ToLower(row[2]) || slices.Contains(row[3:], "") {
			t.Errorf("the row of %s: %q", row[2], row)
		}
	}
	alerts := section(t, "runbook.md", "## Alerts")
	if diff := cmp.Diff(matches(page(t, "prometheus/rules.yaml"), `(?m)^ +- alert: (\w+)$`), matches(alerts, `(?m)^### (\w+)$`)); diff != "" {
		t.Errorf("alerts (-rules.yaml +runbook.md):\n%s", diff)
	}
	for _, alert := range strings.Split(alerts, "\n### ")[1:] {
		if strings.Count(alert, "\n- **Look at** ") != 1 || strings.Count(alert, "\n- **Type** ") != 1 {
			t.Errorf("where to look, or what to type, is missing: %s", alert)
		}
	}
	anchors := append(matches(runbook, `<a id="([a-z]+)">`), matches(strings.ToLower(runbook), `(?m)^##+ ([a-z]+)$`)...)
	for _, link := range matches(runbook, `\]\(#([a-z]+)\)`) {
		if !slices.Contains(anchors, link) {
			t.Errorf("nothing is at #%s", link)
		}
	}
	for _, link := range matches(page(t, "prometheus/rules.yaml"), `runbook_url: docs/runbook\.md#(\S+)`) {
		if !slices.Contains(anchors, link) {
			t.Errorf("an alert leads to #%s, and nothing is there", link)
		}
	}
}

// Patches in the runbook are JSON that sets fields of a Release.
func TestPatchesOfTheRunbook(t *testing.T) {
	patches := matches(page(t, "../docs/runbook.md"), ` -p '(.+?)'`)
	if len(patches) < 10 {
		t.Errorf("patches: %v", patches)
	}
	for _, patch := range patches {
		var fields struct {
			Spec struct {
				Phase, PhaseFor  string
				Paused, Override any
			}
		}
		decoder := json.NewDecoder(strings.NewReader(patch))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&fields); err != nil {
			t.Errorf("%s: %v", patch, err)
		}
		if forward := slices.Contains([]string{"Live", "Complete"}, fields.Spec.Phase); forward != (fields.Spec.PhaseFor != "") {
			t.Errorf("%s: phase and phaseFor go together where production changes", patch)
		}
	}
}

// The page lists every metric of ours with its labels, and no other.
func TestEveryMetricIsListed(t *testing.T) {
	var metrics map[string]struct {
		Type, Help string
		Labels     []string
	}
	if err := json.Unmarshal([]byte(page(t, "prometheus/metrics.json")), &metrics); err != nil {
		t.Fatal(err)
	}
	want, got := map[string][]string{}, map[string][]string{}
	for name, metric := range metrics {
		if strings.HasPrefix(name, "slipway_") {
			want[name] = slices.Sorted(slices.Values(metric.Labels))
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `(slipway_\\w+)` \\|(.*?)\\| .+ \\|$").FindAllStringSubmatch(section(t, "observability.md", "## Metrics"), -1)
	for _, row := range rows {
		got[row[1]] = matches(row[2], "`(\\w+)`")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-metrics.json +observability.md):\n%s", diff)
	}
}

// The page lists every notice, every field of its data, and every trigger.
func TestEveryNoticeIsListed(t *testing.T) {
	notices := section(t, "observability.md", "## Notices")
	source := page(t, "../internal/notify/notice.go")
	for _, kind := range matches(source, `(?m)^\t\w+ +Kind = "(\w+)"$`) {
		if !strings.Contains(notices, "`"+kind+"`") {
			t.Errorf("the notice %s is not listed", kind)
		}
	}
	for _, field := range matches(source, `json:"(\w+)(?:,omitempty)?"`) {
		if !strings.Contains(notices, "`"+field+"`") {
			t.Errorf("the field %s is not listed", field)
		}
	}
	var cm corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(page(t, "notifications/configmap.yaml")), &cm); err != nil {
		t.Fatal(err)
	}
	var triggers []string
	for key := range cm.Data {
		if name, is := strings.CutPrefix(key, "trigger."); is {
			triggers = append(triggers, name)
		}
	}
	slices.Sort(triggers)
	if diff := cmp.Diff(triggers, matches(notices, "(?m)^\\| `(on-[a-z-]+)` \\|")); diff != "" {
		t.Errorf("triggers (-configmap.yaml +observability.md):\n%s", diff)
	}
}

// Of two pods one leads and writes what is looked for: whoever is told to read the log reads both.
func TestLogsAreThoseOfEveryPod(t *testing.T) {
	var deployment appsv1.Deployment
	if err := yaml.Unmarshal([]byte(page(t, "manager/manager.yaml")), &deployment); err != nil {
		t.Fatal(err)
	}
	want, told := "-l control-plane="+deployment.Spec.Template.Labels["control-plane"]+" ", 0
	for _, path := range []string{"../docs/runbook.md", "../docs/observability.md", "../docs/user-guide.md", "../docs/install.md", "../internal/cli/doctor.go"} {
		for _, args := range matches(page(t, path), "kubectl -n \\S+ logs ([^`|;\n]+)") {
			told++
			if !strings.HasPrefix(args, want) || !strings.Contains(args, "--tail=-1") {
				t.Errorf("%s: logs %s", path, args)
			}
		}
	}
	if told < 9 {
		t.Errorf("%d commands", told)
	}
}
