package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
)

// well is a checkup of an installation in which nothing is wrong.
func well() *checkup.Checkup {
	c := &checkup.Checkup{Manager: "slipway-controller-manager-7d9f-x2x4z", Build: "v1.2.0", Program: "v1.2.0", Cluster: "5b8b0e0c", Class: "production",
		Account: "123456789012", Region: "us-east-1"}
	add := func(area, subject string, state checkup.State, message string) {
		c.Add(checkup.Check{Area: area, Subject: subject, State: state, Message: message})
	}
	add(checkup.AreaCluster, "API server", checkup.OK, "Kubernetes v1.37.2 at https://10.0.0.1")
	add(checkup.AreaManager, "Deployment", checkup.OK, "slipway-system/slipway-controller-manager: 2 of 2 pods ready")
	add(checkup.AreaCredentials, "who we are", checkup.OK, "arn:aws:sts::123456789012:assumed-role/slipway/slipway, account 123456789012, us-east-1")
	add(checkup.AreaPermissions, "ec2:RunInstances for shop/web", checkup.OK, "permitted: c7g.large in subnet-a from ami-1, with instance profile web")
	add(checkup.AreaPools, "registering and deregistering", checkup.Untried, "AWS has no DryRun for either")
	return c
}

// unwell is one with something of everything.
func unwell() *checkup.Checkup {
	c := well()
	c.Build = "v1.1.0"
	c.Add(
		checkup.Check{Area: checkup.AreaManager, Subject: "version", State: checkup.Warn, Message: "the manager is v1.1.0, this program v1.2.0",
			Advice: "Take both from the same release (docs/install.md, Upgrading)"},
		checkup.Check{Area: checkup.AreaPermissions, Subject: "ec2:TerminateInstances", State: checkup.Fail,
			Message: "server i-01: You are not authorized to perform this operation.\nUser: … (UnauthorizedOperation)",
			Advice:  "Compare the IAM policy with config/iam/policy.json (docs/install.md, step 3), for CLUSTER_NAME 5b8b0e0c"},
		checkup.Check{Area: "of a newer manager", Subject: "something", State: checkup.OK, Message: "fine"},
	)
	return c
}

func TestDoctorScreens(t *testing.T) {
	golden(t, filepath.Join("testdata", "doctor_well.golden"), strings.Join(doctorScreen{painter{}, well()}.lines(), "\n")+"\n")
	plain := strings.Join(doctorScreen{painter{}, unwell()}.lines(), "\n") + "\n"
	golden(t, filepath.Join("testdata", "doctor_unwell.golden"), plain)
	coloured := strings.Join(doctorScreen{painter{colours: true}, unwell()}.lines(), "\n") + "\n"
	if coloured == plain || ansi.Strip(coloured) != plain {
		t.Errorf("with colours it says something else:\n%s", coloured)
	}
	for _, line := range (doctorScreen{painter{ascii: true}, unwell()}).lines() {
		if strings.Contains(line, "→") {
			t.Errorf("not ASCII: %s", line)
		}
	}
}

// Where AWS was not looked at, nothing is promised, whatever else is in order.
func TestDoctorPromisesNothingUnseen(t *testing.T) {
	for name, row := range map[string]struct {
		credentials []checkup.Check
		exit        int
		promises    bool
	}{
		"good credentials":    {[]checkup.Check{{Area: checkup.AreaCredentials, State: checkup.OK}}, 0, true},
		"too many calls":      {[]checkup.Check{{Area: checkup.AreaCredentials, State: checkup.Untried}}, ExitFailed, false},
		"nobody looked":       {nil, ExitFailed, false},
		"no good credentials": {[]checkup.Check{{Area: checkup.AreaCredentials, State: checkup.Fail}}, ExitUnwell, false},
		"good credentials, and no permission": {[]checkup.Check{{Area: checkup.AreaCredentials, State: checkup.OK},
			{Area: checkup.AreaPermissions, State: checkup.Fail}}, ExitUnwell, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := &checkup.Checkup{Checks: append(row.credentials, checkup.Check{Area: checkup.AreaCluster, State: checkup.OK})}
			if got := ExitCode(verdict(c)); got != row.exit {
				t.Errorf("exit status %d, want %d", got, row.exit)
			}
			if end := (doctorScreen{painter{}, c}).end(); strings.Contains(end, "Nothing stands in the way") != row.promises {
				t.Errorf("it ends: %s", end)
			}
		})
	}
}

// runDoctor runs the command line.
func runDoctor(t *testing.T, kubeconfig string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o := NewOptions(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: io.Discard})
	o.Build = "v1.2.0"
	root := &cobra.Command{Use: "kubectl-slipway", SilenceErrors: true, SilenceUsage: true}
	Setup(root, o)
	root.SetArgs(append([]string{"doctor", "--kubeconfig", kubeconfig}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// What the manager says is shown beside what is wrong with the cluster, and each is told where the other cannot be had.
func TestDoctorAsksTheManager(t *testing.T) {
	var asked string
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		told := &checkup.Checkup{Manager: "me", Build: "v1.1.0", Cluster: "c-1", Class: "prod", Checks: []checkup.Check{
			{Area: checkup.AreaCredentials, Subject: "who we are", State: checkup.OK, Message: "slipway"}}}
		_ = json.NewEncoder(w).Encode(told)
	})
	c := newPlanCluster(t, answer)
	for name, local := range map[string]string{"through the API server": "", "by the address in the kubeconfig": c.manager} {
		t.Run(name, func(t *testing.T) {
			out, err := runDoctor(t, c.kubeconfig(local), "--class=prod", "-o", "json")
			if ExitCode(err) != ExitUnwell { // that API server has nothing but a lease
				t.Errorf("exit status %d: %v", ExitCode(err), err)
			}
			got := &checkup.Checkup{}
			if err := json.Unmarshal([]byte(out), got); err != nil {
				t.Fatal(err)
			}
			if asked != "/v1/checkups/prod" || got.Manager != "me" || got.Program != "v1.2.0" || got.Class != "prod" {
				t.Errorf("asked for %s, got %+v", asked, got)
			}
			for _, want := range []string{"credentials who we are ok", "manager version warn", "definitions releases fail"} {
				if !hasCheck(got, want) {
					t.Errorf("no %q in %+v", want, got.Checks)
				}
			}
		})
	}
	t.Run("the default class, as YAML", func(t *testing.T) {
		out, _ := runDoctor(t, c.kubeconfig(c.manager), "-o", "yaml")
		if asked != "/v1/checkups/-" || yaml.Unmarshal([]byte(out), &checkup.Checkup{}) != nil {
			t.Errorf("asked for %s, got %s", asked, out)
		}
	})
	t.Run("no API server, but a manager", func(t *testing.T) {
		config := c.kubeconfig(c.manager)
		out, err := runDoctor(t, config, "--server", "http://127.0.0.1:1")
		if ExitCode(err) != ExitUnwell || !strings.Contains(out, "FAIL  API server") || !strings.Contains(out, "there is no way to a manager") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("a manager that does not lead", func(t *testing.T) {
		waits := newPlanCluster(t, plansFor("nothing", nil))
		out, err := runDoctor(t, waits.kubeconfig(""))
		if ExitCode(err) != ExitUnwell || !strings.Contains(out, "there is no checkup: asked for /v1/checkups/-") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	const rights = "you need create on pods/portforward and get on leases in namespace slipway-system"
	const no = `{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"Forbidden","code":403,"message":"dev cannot do this"}`
	for name, row := range map[string]struct{ forbids, refusal, want, says string }{
		"who may not read the lease": {"/leases/manager.slipway.dev", no, "untried", rights},
		"who may not forward a port": {"/pods/slipway-abc/portforward", no, "untried", rights},
		"an API server that may not": {"/pods/slipway-abc/portforward", "Forbidden (user=kube-apiserver)", "fail", "Forbidden (user=kube-apiserver)"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newPlanCluster(t, answer)
			c.forbids, c.refusal = row.forbids, row.refusal
			out, _ := runDoctor(t, c.kubeconfig(""), "-o", "json")
			got := &checkup.Checkup{}
			if err := json.Unmarshal([]byte(out), got); err != nil {
				t.Fatal(err)
			}
			if !hasCheck(got, "manager AWS, by the manager "+row.want) || got.ReachedAWS() || !strings.Contains(out, row.says) {
				t.Errorf("it says %s", out)
			}
		})
	}
	t.Run("no such form", func(t *testing.T) {
		if _, err := runDoctor(t, c.kubeconfig(""), "-o", "xml"); ExitCode(err) != ExitUsage {
			t.Errorf("exit status %d: %v", ExitCode(err), err)
		}
	})
}

// A real API server's refusals are told from what else keeps a port from being forwarded: here, that there is no such pod.
func TestWhoMayNotForward(t *testing.T) {
	plane, _ := cluster(t, "doctor-rights")
	from := planSource{namespace: "doctor-rights", port: 8082}
	nobody := rest.CopyConfig(plane.Config())
	nobody.Impersonate = rest.ImpersonationConfig{UserName: "dev"}
	if _, err := from.leader(t.Context(), nobody); !apierrors.IsForbidden(err) {
		t.Errorf("of the lease it says: %v", err)
	}
	if _, err := from.forward(nobody, "web"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `User "dev" cannot create resource "pods/portforward"`) {
		t.Errorf("of the port it says: %v", err)
	}
	if _, err := from.forward(plane.Config(), "web"); err == nil || apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "not found") {
		t.Errorf("who may is told: %v", err)
	}
}

func hasCheck(c *checkup.Checkup, want string) bool {
	for _, check := range c.Checks {
		if check.Area+" "+check.Subject+" "+string(check.State) == want {
			return true
		}
	}
	return false
}

// A program or a manager without a version compares nothing.
func TestDoctorComparesVersions(t *testing.T) {
	for _, row := range []struct {
		manager, program string
		state            checkup.State
	}{{"v1", "v1", checkup.OK}, {"v1", "v2", checkup.Warn}, {"unknown", "v1", checkup.Untried}, {"v1", "", checkup.Untried}, {"", "v1", checkup.Untried}} {
		e := &clusterCheckup{o: &Options{Build: row.program}}
		e.builds(&checkup.Checkup{Build: row.manager})
		if len(e.checks) != 1 || e.checks[0].State != row.state {
			t.Errorf("manager %q and program %q: %+v", row.manager, row.program, e.checks)
		}
	}
}

// A field that the cluster's definition does not have is named: the API server would drop it without a word.
func TestDoctorMissesFields(t *testing.T) {
	_, c := cluster(t, "doctor-fields")
	var crd apiextensionsv1.CustomResourceDefinition
	if err := c.Get(t.Context(), client.ObjectKey{Name: "releases.slipway.dev"}, &crd); err != nil {
		t.Fatal(err)
	}
	schema := crd.Spec.Versions[0].Schema
	e := &clusterCheckup{}
	e.fields("releases", "v1alpha1", reflect.TypeFor[v1alpha1.Release](), schema, "")
	delete(schema.OpenAPIV3Schema.Properties["spec"].Properties, "paused")
	delete(schema.OpenAPIV3Schema.Properties["spec"].Properties["loadBalancers"].Properties["test"].Items.Schema.Properties["classic"].Properties, "name")
	e.fields("releases", "v1alpha1", reflect.TypeFor[v1alpha1.Release](), schema, "")
	if len(e.checks) != 2 || e.checks[0].State != checkup.OK || e.checks[1].State != checkup.Warn {
		t.Fatalf("%+v", e.checks)
	}
	for _, field := range []string{"spec.paused", "spec.loadBalancers.test.classic.name"} {
		if !strings.Contains(e.checks[1].Message, field) {
			t.Errorf("%s is not named: %s", field, e.checks[1].Message)
		}
	}
}
