package localaws

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/localaws/awsmodel"
)

// refusal sends one parameter to an operation and returns the error's code and text.
func refusal(t *testing.T, c *Cloud, s *service, action, name string) string {
	t.Helper()
	if s.protocol == awsJSON {
		_, _, body := send(t, c, jsonCall(s.version+"."+action, nested(name)))
		return body
	}
	_, _, body := send(t, c, form("Action", action, "Version", s.version, name, "1"))
	return body
}

// nested spells a dotted name as JSON: "Tags.1.Key" is {"Tags":[{"Key":"1"}]}.
func nested(name string) string {
	body := `"1"`
	for _, part := range slices.Backward(strings.Split(name, ".")) {
		if isNumber(part) {
			body = "[" + body + "]"
		} else {
			body = `{"` + part + `":` + body + "}"
		}
	}
	return body
}

// refusedByName sends the parameter of that pattern, and wants it to be understood or refused with its name.
func refusedByName(t *testing.T, c *Cloud, s *service, action, name string) {
	t.Helper()
	op := s.operations[action]
	wire := strings.ReplaceAll(name+".", ".N.", ".1.")
	wire = wire[:len(wire)-1]
	if _, known := op.allowed[pattern(wire)]; known {
		return
	}
	if body := refusal(t, c, s, action, wire); !strings.Contains(body, "The parameter "+wire+" is not recognized") {
		t.Errorf("%s %s: the parameter %s is neither in the table nor refused: %s", s.name, action, wire, body)
	}
}

// Every member of an operation's request in AWS's own model is understood, or refused by name; so is every operation.
func TestNoInputOfAWSModelsIsIgnored(t *testing.T) {
	own := os.Getenv(modelsVariable) == "" // the two operations of the model in testdata
	models, err := awsmodel.Open(cmp.Or(os.Getenv(modelsVariable), "testdata/models"))
	if err != nil {
		t.Fatal(err)
	}
	c, tried := newSim(t).Cloud, 0
	for _, s := range c.services {
		load := models.Service
		if s.json10 {
			load = models.JSONService
		}
		model, err := load(s.name, s.modelVersion())
		if err != nil && !own {
			t.Error(err)
		}
		if err != nil {
			continue
		}
		for action := range s.operations {
			if !model.Has(action) && !own {
				t.Errorf("%s %s is not an operation of AWS", s.name, action)
			}
			for _, name := range model.Inputs(action) {
				tried++
				refusedByName(t, c, s, action, name)
			}
		}
	}
	if tried == 0 {
		t.Error("no parameter was tried")
	}
}

// snapshots are the requests that a module of the SDK keeps of each operation, with every member set.
func snapshots(t *testing.T, module string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+module).Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "request_snapshot", "*.request.snap"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no snapshots: %v", module, err)
	}
	return files
}

// readSnapshot turns a snapshot into the request that it shows: a line of method and path, headers, the body.
func readSnapshot(t *testing.T, file string) (r *http.Request, form url.Values, action string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	action = strings.TrimSuffix(filepath.Base(file), ".request.snap")
	parts := strings.SplitN(string(text), "\n\n", 3)
	path, isPost := strings.CutPrefix(parts[0], "POST ")
	if len(parts) != 3 || !isPost {
		t.Fatalf("%s is not a request as it was: %s", file, text)
	}
	if _, target, isJSON := strings.Cut(parts[1], "X-Amz-Target: "); isJSON {
		target, _, _ = strings.Cut(target, "\n")
		body := map[string]any{}
		if err := json.Unmarshal([]byte(parts[2]), &body); err != nil {
			t.Fatal(err)
		}
		form = url.Values{}
		for name, value := range body {
			flatten(form, name, "", value)
		}
		return jsonCall(target, parts[2]), form, action
	}
	if strings.HasPrefix(path, cborService) {
		body := map[string]any{}
		if err := cborReader.Unmarshal([]byte(parts[2]), &body); err != nil && parts[2] != "" {
			t.Fatal(err)
		}
		form = url.Values{}
		for name, value := range body {
			flatten(form, name, ".member", value)
		}
		r = post(parts[2])
		r.URL.Path = path
		r.Header = http.Header{"Content-Type": {cborType}, smithyKey: {smithyRPC}}
		return r, form, action
	}
	form, err = url.ParseQuery(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	r = post(parts[2])
	form.Del("Action")
	form.Del("Version")
	return r, form, action
}

// Each request that the SDK's modules show, of every operation of AWS with every member set: the operation is refused by name where
// it is not simulated, and otherwise the first parameter that is not, and so is each of them alone.
func TestNoKeyOfTheSDKsSnapshotsIsIgnored(t *testing.T) {
	c := newSim(t).Cloud
	for module, name := range map[string]string{"ec2": "ec2", "elasticloadbalancing": "elb", "elasticloadbalancingv2": "elbv2", "ssm": "ssm", "sts": "sts",
		"cloudwatch": "cloudwatch", "sqs": "sqs"} {
		s := c.services[slices.IndexFunc(c.services, func(s *service) bool { return s.name == name })]
		simulated := 0
		for _, file := range snapshots(t, module) {
			r, form, action := readSnapshot(t, file)
			_, _, body := send(t, c, r)
			op, known := s.operations[action]
			if !known {
				if !strings.Contains(body, action) || !strings.Contains(body, "InvalidAction") && !strings.Contains(body, "UnknownOperationException") {
					t.Errorf("%s %s is not simulated, and was answered with %s", name, action, body)
				}
				continue
			}
			simulated++
			var unknown []string
			for key := range form {
				if _, understood := op.allowed[pattern(key)]; !understood {
					unknown = append(unknown, key)
					refusedByName(t, c, s, action, pattern(key))
				}
			}
			refused := strings.Contains(body, "is not recognized")
			if refused != (len(unknown) > 0) || refused && !strings.Contains(body, "The parameter "+slices.Min(unknown)+" is not recognized") {
				t.Errorf("%s %s does not know %v, and answered %s", name, action, unknown, body)
			}
		}
		if simulated != len(s.operations) {
			t.Errorf("%s: %d of %d operations have a snapshot", name, simulated, len(s.operations))
		}
	}
}
