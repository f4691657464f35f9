package prometheus

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

const root = "../../"

// metric is an entry of config/prometheus/metrics.json, which TestManager holds equal to what a running manager has.
type metric struct {
	Type   string
	Labels []string
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(root + path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func known(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{}
	if err := json.Unmarshal(read(t, "config/prometheus/metrics.json"), &all); err != nil {
		t.Fatal(err)
	}
	for name, m := range all {
		if m.Type == "histogram" {
			all[name+"_sum"] = metric{"counter", m.Labels}
			all[name+"_count"] = metric{"counter", m.Labels}
			all[name+"_bucket"] = metric{"counter", append(slices.Clone(m.Labels), "le")}
			delete(all, name)
		}
	}
	return all
}

// target are the labels that Prometheus gives to whatever it scrapes, by the ServiceMonitor.
var target = []string{"job", "instance", "namespace", "pod", "service", "endpoint", "container"}

// words are the values that labels of ours can have, as far as they are words of ours.
func words(t *testing.T) map[string][]string {
	t.Helper()
	constants := func(path, pattern string) (found []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(read(t, path)), -1) {
			found = append(found, match[1])
		}
		if len(found) == 0 {
			t.Fatalf("%s: nothing like %s", path, pattern)
		}
		return found
	}
	return map[string][]string{
		"stage":      constants("internal/rollout/state.go", `Stage\w+ +Stage = "(\w+)"`),
		"condition":  constants("api/v1alpha1/conditions.go", `Condition\w+ = "(\w+)"`),
		"reason":     constants("api/v1alpha1/conditions.go", `Reason\w+ = "(\w+)"`),
		"outcome":    append(constants("internal/cloud/watch.go", `Outcome\w+ +Outcome = "(\w+)"`), "delivered", "failed", "dropped"),
		"time":       {"machine", "person"},
		"fleet":      {"stable", "candidate", "retired"},
		"role":       {"production", "test", "released"},
		"result":     {"success", "error", "requeue", "requeue_after"},
		"controller": {"release", "releaseclass", "notify"},
	}
}

// check parses a query and looks up what it names. Labels are those that it selects or groups by.
func check(query string, metrics map[string]metric, values map[string][]string) (problems []string) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	var can []string // the labels of all metrics in it
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		m, there := metrics[selector.Name]
		if !there {
			problems = append(problems, "there is no metric "+selector.Name)
			return nil
		}
		can = append(can, m.Labels...)
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != labels.MetricName {
				problems = append(problems, matched(selector.Name, m, matcher, values)...)
			}
		}
		return nil
	})
	grouped := func(names []string) {
		for _, name := range names {
			if !slices.Contains(can, name) && !slices.Contains(target, name) {
				problems = append(problems, "nothing in it has a label "+name)
			}
		}
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.AggregateExpr:
			grouped(n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				grouped(n.VectorMatching.MatchingLabels)
				grouped(n.VectorMatching.Include)
			}
		}
		return nil
	})
	return append(problems, rated(expr, metrics)...)
}

// matched checks one matcher of a metric.
func matched(name string, m metric, matcher *labels.Matcher, values map[string][]string) (problems []string) {
	if !slices.Contains(m.Labels, matcher.Name) {
		return []string{fmt.Sprintf("%s has no label %s", name, matcher.Name)}
	}
	may, ours := values[matcher.Name]
	if !ours || strings.Contains(matcher.Value, "$") || matcher.Value == ".*" {
		return nil
	}
	for value := range strings.SplitSeq(matcher.Value, "|") {
		if !slices.Contains(may, value) {
			problems = append(problems, fmt.Sprintf("%s of %s is never %q", matcher.Name, name, value))
		}
	}
	return problems
}

// rated: counters are looked at by their growth, and gauges are not.
func rated(expr parser.Expr, metrics map[string]metric) (problems []string) {
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		grows := slices.ContainsFunc(path, func(above parser.Node) bool {
			call, is := above.(*parser.Call)
			return is && slices.Contains([]string{"rate", "increase"}, call.Func.Name)
		})
		if m, there := metrics[selector.Name]; there && grows != (m.Type == "counter") {
			problems = append(problems, fmt.Sprintf("%s is a %s, and its growth is looked at: %v", selector.Name, m.Type, grows))
		}
		return nil
	})
	return problems
}

func rules(t *testing.T) monitoringv1.PrometheusRule {
	t.Helper()
	var rule monitoringv1.PrometheusRule
	if err := yaml.UnmarshalStrict(read(t, "config/prometheus/rules.yaml"), &rule); err != nil {
		t.Fatal(err)
	}
	return rule
}

func TestQueriesOfTheRules(t *testing.T) {
	metrics, values := known(t), words(t)
	n := 0
	for _, group := range rules(t).Spec.Groups {
		for _, rule := range group.Rules {
			n++
			for _, problem := range check(rule.Expr.String(), metrics, values) {
				t.Errorf("%s: %s", rule.Alert, problem)
			}
			if of := rule.Expr.String(); strings.Contains(of, "slipway_release_") && !strings.HasPrefix(of, "max by (namespace, name") {
				t.Errorf("%s begins anew when another pod leads: %s", rule.Alert, of)
			}
			if page := string(read(t, "docs/runbook.md")); !strings.Contains(page, "\n### "+rule.Alert+"\n") ||
				rule.Annotations["runbook_url"] != "docs/runbook.md#"+strings.ToLower(rule.Alert) {
				t.Errorf("%s: the runbook has no such heading, or %s is not there", rule.Alert, rule.Annotations["runbook_url"])
			}
			for _, annotation := range []string{"summary", "description"} {
				for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(rule.Annotations[annotation], -1) {
					if !strings.Contains(rule.Expr.String(), label[1]) && !slices.ContainsFunc([]string{"namespace", "name", "stage"}, func(s string) bool { return s == label[1] }) {
						t.Errorf("%s: %s speaks of the label %s", rule.Alert, annotation, label[1])
					}
				}
				if rule.Annotations[annotation] == "" {
					t.Errorf("%s has no %s", rule.Alert, annotation)
				}
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, rule.Labels["severity"]) {
				t.Errorf("%s has severity %q", rule.Alert, rule.Labels["severity"])
			}
		}
	}
	if n < 10 {
		t.Errorf("%d rules", n)
	}
}

// dashboard is as much of Grafana's format as has queries in it.
type dashboard struct {
	Panels []struct {
		Title, Type string
		Targets     []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct {
			Name  string
			Query json.RawMessage
		}
	}
}

// variables of Grafana's own, as it fills them in.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$name", ".*")

func TestQueriesOfTheDashboard(t *testing.T) {
	metrics, values := known(t), words(t)
	var d dashboard
	if err := json.Unmarshal(read(t, "config/grafana/dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	shown := ""
	for _, panel := range d.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%s asks nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			shown += target.Expr + "\n"
			query := variables.Replace(target.Expr)
			if strings.Contains(query, "$") {
				t.Errorf("%s: %s has a variable that nobody fills in", panel.Title, query)
			}
			for _, problem := range check(query, metrics, values) {
				t.Errorf("%s: %s", panel.Title, problem)
			}
		}
	}
	for _, variable := range d.Templating.List {
		query := struct{ Query string }{}
		if json.Unmarshal(variable.Query, &query) != nil {
			continue // the data source
		}
		asks := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(query.Query)
		if asks == nil {
			t.Errorf("variable %s: %q", variable.Name, query.Query)
			continue
		}
		if problems := check("count by ("+asks[2]+") ("+variables.Replace(asks[1])+")", metrics, values); len(problems) > 0 {
			t.Errorf("variable %s: %v", variable.Name, problems)
		}
	}
	for name := range metrics {
		family := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count"), "_bucket")
		if strings.HasPrefix(name, "slipway_") && !strings.Contains(shown, family) && name != "slipway_release_stage" {
			t.Errorf("%s is on no panel", family)
		}
	}
}

// The check finds what is wrong with a query.
func TestTheCheckCanFail(t *testing.T) {
	metrics, values := known(t), words(t)
	for query, want := range map[string]string{
		`slipway_releases{stage=`:                      "parse error",
		`sum(slipway_releasez)`:                        "no metric slipway_releasez",
		`slipway_releases{phase="Live"}`:               "has no label phase",
		`slipway_releases{stage="Promotin"}`:           "is never",
		`sum by (law) (slipway_releases)`:              "has a label law",
		`slipway_panics_total > 0`:                     "its growth is looked at: false",
		`rate(slipway_releases[5m])`:                   "its growth is looked at: true",
		`slipway_releases * on (law) slipway_releases`: "has a label law",
	} {
		if got := strings.Join(check(query, metrics, values), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", query, got, want)
		}
	}
}

// The ServiceMonitor is one that the operator understands, and finds the port of the service.
func TestServiceMonitor(t *testing.T) {
	var monitor monitoringv1.ServiceMonitor
	if err := yaml.UnmarshalStrict(read(t, "config/prometheus/monitor.yaml"), &monitor); err != nil {
		t.Fatal(err)
	}
	service := struct {
		Metadata struct{ Labels map[string]string }
		Spec     struct{ Ports []struct{ Name string } }
	}{}
	if err := yaml.Unmarshal(read(t, "config/base/metrics_service.yaml"), &service); err != nil {
		t.Fatal(err)
	}
	for label, value := range monitor.Spec.Selector.MatchLabels {
		if service.Metadata.Labels[label] != value {
			t.Errorf("the service has no label %s=%s", label, value)
		}
	}
	endpoint := monitor.Spec.Endpoints[0]
	if len(monitor.Spec.Selector.MatchLabels) == 0 || endpoint.Port != service.Spec.Ports[0].Name || endpoint.Path != "/metrics" || endpoint.Scheme.String() != "https" {
		t.Errorf("%+v does not fit %+v", endpoint, service.Spec)
	}
	if !endpoint.HonorLabels {
		t.Error("without honorLabels the namespace and the name of a Release become exported_namespace, and no query finds them")
	}
}
