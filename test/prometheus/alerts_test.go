package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestAlerts gives the rules to promtool: that Prometheus takes them, and that each fires when it should.
func TestAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing: apt-get install -y --no-install-recommends prometheus")
	}
	dir := t.TempDir()
	spec, err := yaml.Marshal(rules(t).Spec)
	if err != nil {
		t.Fatal(err)
	}
	tests := read(t, "test/prometheus/alerts.yaml")
	for name, text := range map[string][]byte{"rules.yaml": spec, "alerts.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "alerts.yaml"}} {
		command := exec.CommandContext(t.Context(), promtool, args...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, group := range rules(t).Spec.Groups {
		for _, rule := range group.Rules {
			if strings.Count(string(tests), "alertname: "+rule.Alert+"\n        exp_alerts:") == 0 {
				t.Errorf("no test sees %s fire", rule.Alert)
			}
			if !strings.Contains(string(tests), "alertname: "+rule.Alert+"}") {
				t.Errorf("no test sees %s silent", rule.Alert)
			}
		}
	}
}
