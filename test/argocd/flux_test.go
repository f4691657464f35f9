package argocd

import (
	"path/filepath"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// live reads an object as a Kubernetes client gets it: whole numbers are int64.
func live(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	written, err := yaml.YAMLToJSON(read(t, filepath.Join(testdata, name+".yaml")))
	if err != nil {
		t.Fatal(err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(written); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return obj
}

// Flux, Helm and kubectl's successors wait by kstatus.
func TestKstatus(t *testing.T) {
	for _, s := range stages() {
		got, err := status.Compute(live(t, s.file))
		if err != nil {
			t.Fatalf("%s: %v", s.file, err)
		}
		if string(got.Status) != s.kstatus {
			t.Errorf("%s is %s (%s), and is to be %s", s.file, got.Status, got.Message, s.kstatus)
		}
		if s.file != "unseen" && got.Status != status.CurrentStatus && got.Message == "" {
			t.Errorf("%s: %s without a word", s.file, got.Status)
		}
	}
}

// What Argo CD and kstatus say of an object goes together.
func TestArgoAndKstatusAgree(t *testing.T) {
	together := map[string][]string{
		current: {healthy, suspended}, inProgress: {progressing, suspended}, failed: {degraded}, terminating: {progressing},
	}
	for _, s := range stages() {
		found := s.file == "unseen" // Argo CD waits for the first status, which kstatus does not
		for _, argo := range together[s.kstatus] {
			found = found || argo == s.argo
		}
		if !found {
			t.Errorf("%s: %s and %s", s.file, s.kstatus, s.argo)
		}
	}
}

// healthCheckExprs are those of a Flux Kustomization.
type healthCheckExprs struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress,omitempty"`
	Failed     string `json:"failed,omitempty"`
	Current    string `json:"current"`
}

// evaluate is Flux's StatusEvaluator (fluxcd/pkg runtime/cel): the generation first, then inProgress, failed and current. An
// expression that cannot be evaluated is an error there; here it is the empty status.
func (h healthCheckExprs) evaluate(t *testing.T, obj map[string]any) string {
	t.Helper()
	if state, ok := obj["status"].(map[string]any); ok {
		if observed, ok := state["observedGeneration"]; ok && observed != obj["metadata"].(map[string]any)["generation"] {
			return inProgress
		}
	}
	for _, e := range []struct{ expression, status string }{{h.InProgress, inProgress}, {h.Failed, failed}, {h.Current, current}} {
		if e.expression == "" {
			continue
		}
		is, err := holds(t, e.expression, obj)
		if err != nil {
			return ""
		}
		if is {
			return e.status
		}
	}
	return inProgress
}

func holds(t *testing.T, expression string, obj map[string]any) (bool, error) {
	t.Helper()
	env, err := cel.NewEnv(cel.HomogeneousAggregateLiterals(), cel.DefaultUTCTimeZone(true), cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(), ext.Strings(), ext.Sets())
	if err != nil {
		t.Fatal(err)
	}
	parsed, issues := env.Parse(expression)
	if issues.Err() != nil {
		t.Fatalf("%s: %v", expression, issues.Err())
	}
	program, err := env.Program(parsed)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	value, _, err := program.Eval(obj)
	if err != nil {
		return false, err
	}
	is, ok := value.Value().(bool)
	if !ok {
		t.Fatalf("%s gives %v", expression, value)
	}
	return is, nil
}

// The sample waits until the version serves, not only until it can be looked at.
func TestHealthCheckExprs(t *testing.T) {
	var kustomization struct {
		Spec struct {
			Wait             bool               `json:"wait"`
			HealthCheckExprs []healthCheckExprs `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, samples+"/flux/kustomization.yaml"), &kustomization); err != nil {
		t.Fatal(err)
	}
	checks := kustomization.Spec.HealthCheckExprs
	if len(checks) != 1 || checks[0].APIVersion != "slipway.dev/v1alpha1" || checks[0].Kind != "Release" || !kustomization.Spec.Wait {
		t.Fatalf("%+v", kustomization)
	}
	serves := map[string]bool{"first-live": true, "first-complete": true, "live": true, "live-without-phase": true, "complete": true}
	for _, s := range stages() {
		want := inProgress
		switch {
		case s.file == "unseen":
			want = ""
		case s.kstatus == failed:
			want = failed
		case serves[s.file]:
			want = current
		}
		if got := checks[0].evaluate(t, live(t, s.file).Object); got != want {
			t.Errorf("%s is %q, and is to be %q", s.file, got, want)
		}
	}
}
