// Package config checks what people apply to their clusters and accounts: that it builds, that it asks for no more than is
// needed, and that it names what the code names.
package config

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// build is `kustomize build`.
func build(t *testing.T, folder string) resmap.ResMap {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatalf("kustomize build config/%s: %v", folder, err)
	}
	return built
}

// find decodes the resource of a kind and name; unknown fields are errors.
func find(t *testing.T, built resmap.ResMap, kind, name string, into any) {
	t.Helper()
	for _, r := range built.Resources() {
		if r.GetKind() == kind && r.GetName() == name {
			if err := yaml.UnmarshalStrict([]byte(r.MustYaml()), into); err != nil {
				t.Fatalf("%s %s: %v", kind, name, err)
			}
			return
		}
	}
	t.Fatalf("no %s %s in %v", kind, name, names(built.Resources()))
}

func names(resources []*resource.Resource) []string {
	var all []string
	for _, r := range resources {
		all = append(all, r.GetKind()+"/"+r.GetName())
	}
	slices.Sort(all)
	return all
}

func TestDefaultHasEverythingOnce(t *testing.T) {
	want := []string{
		"ClusterRole/slipway-manager-role", "ClusterRole/slipway-metrics-auth-role", "ClusterRole/slipway-metrics-reader",
		"ClusterRole/slipway-release-admin-role", "ClusterRole/slipway-release-editor-role", "ClusterRole/slipway-release-viewer-role",
		"ClusterRole/slipway-releaseclass-admin-role", "ClusterRole/slipway-releaseclass-editor-role", "ClusterRole/slipway-releaseclass-viewer-role",
		"ClusterRoleBinding/slipway-manager-rolebinding", "ClusterRoleBinding/slipway-metrics-auth-rolebinding",
		"CustomResourceDefinition/releaseclasses.slipway.dev", "CustomResourceDefinition/releases.slipway.dev",
		"Deployment/slipway-controller-manager", "Namespace/slipway-system", "PodDisruptionBudget/slipway-controller-manager",
		"Role/slipway-leader-election-role", "RoleBinding/slipway-leader-election-rolebinding",
		"Service/slipway-controller-manager-metrics-service", "ServiceAccount/slipway-controller-manager",
	}
	if diff := cmp.Diff(want, names(build(t, "default").Resources())); diff != "" {
		t.Errorf("config/default (-want +got):\n%s", diff)
	}
}

// With all components on, whoever takes out the # is not the first to build them.
func TestComponentsBuild(t *testing.T) {
	built := buildWith(t, "access", "asked-by", "high-availability", "namespaced", "network-policy", "notifications", "prometheus")
	var binding admissionv1.ValidatingAdmissionPolicyBinding
	if find(t, built, "ValidatingAdmissionPolicyBinding", "slipway-release-verbs", &binding); binding.Spec.PolicyName != "slipway-release-verbs" {
		t.Errorf("the policy is not bound, but %q is", binding.Spec.PolicyName)
	}
	var asked admissionv1.MutatingAdmissionPolicyBinding
	if find(t, built, "MutatingAdmissionPolicyBinding", "slipway-release-asked-by", &asked); asked.Spec.PolicyName != "slipway-release-asked-by" {
		t.Errorf("the policy is not bound, but %q is", asked.Spec.PolicyName)
	}
	var manager appsv1.Deployment
	find(t, built, "Deployment", "slipway-controller-manager", &manager)
	if args := manager.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, "--trust-asked-by") || !slices.Contains(args, "--leader-elect") {
		t.Errorf("the manager is not told whom to believe: %v", args)
	}
	all := names(built.Resources())
	for _, want := range []string{"NetworkPolicy/slipway-controller-manager", "ServiceMonitor/slipway-controller-manager-metrics-monitor",
		"PrometheusRule/slipway-controller-manager-rules", "Deployment/slipway-notifications", "ConfigMap/slipway-notifications-cm",
		"ValidatingAdmissionPolicy/slipway-release-verbs"} {
		if !slices.Contains(all, want) {
			t.Errorf("with the components on, %s is missing from %v", want, all)
		}
	}
}

// The namespace enforces the restricted Pod Security Standard; these are its demands, and some of ours.
func TestManagerPodIsRestricted(t *testing.T) {
	built := build(t, "default")
	var namespace corev1.Namespace
	find(t, built, "Namespace", "slipway-system", &namespace)
	if got := namespace.Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("the namespace enforces %q, not restricted", got)
	}
	var deployment appsv1.Deployment
	find(t, built, "Deployment", "slipway-controller-manager", &deployment)
	pod := deployment.Spec.Template.Spec
	wantPod := &corev1.PodSecurityContext{
		RunAsNonRoot: new(true), RunAsUser: new(int64(65532)), RunAsGroup: new(int64(65532)),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if diff := cmp.Diff(wantPod, pod.SecurityContext); diff != "" {
		t.Errorf("security context of the pod (-want +got):\n%s", diff)
	}
	wantContainer := &corev1.SecurityContext{
		ReadOnlyRootFilesystem: new(true), AllowPrivilegeEscalation: new(false),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	for _, c := range pod.Containers {
		if diff := cmp.Diff(wantContainer, c.SecurityContext); diff != "" {
			t.Errorf("security context of container %s (-want +got):\n%s", c.Name, diff)
		}
		if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("container %s: resources %+v", c.Name, c.Resources)
		}
		if c.LivenessProbe == nil || c.ReadinessProbe == nil {
			t.Errorf("container %s has no probes", c.Name)
		}
	}
	if slices.Contains(pod.Containers[0].Args, "--trust-asked-by") {
		t.Error("the manager believes what anybody can write")
	}
	if *deployment.Spec.Replicas < 2 || !slices.Contains(pod.Containers[0].Args, "--leader-elect") {
		t.Errorf("%d replicas with %v: two, with leader election", *deployment.Spec.Replicas, pod.Containers[0].Args)
	}
}

func TestManagerRoleIsNarrow(t *testing.T) {
	var role rbacv1.ClusterRole
	find(t, build(t, "default"), "ClusterRole", "slipway-manager-role", &role)
	allowed := map[string][]string{}
	for _, rule := range role.Rules {
		for _, word := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs) {
			if strings.Contains(word, "*") {
				t.Errorf("wildcard in %+v", rule)
			}
		}
		for _, kind := range rule.Resources {
			allowed[kind] = append(allowed[kind], rule.Verbs...)
		}
	}
	for kind, never := range map[string][]string{
		"secrets":    {"list", "watch", "update", "patch", "deletecollection"},
		"configmaps": {"list", "watch", "create", "update", "patch", "delete"},
		"releases":   {"create", "update", "delete"},
		"namespaces": {"create", "update", "patch", "delete"},
	} {
		if len(allowed[kind]) == 0 {
			t.Errorf("the role says nothing of %s", kind)
		}
		for _, verb := range never {
			if slices.Contains(allowed[kind], verb) {
				t.Errorf("the manager may %s %s", verb, kind)
			}
		}
	}
}

// policy is an IAM policy document, as far as it is looked at here.
type policy struct {
	Statement []struct {
		Sid       string
		Effect    string
		Action    oneOrMany
		Resource  oneOrMany
		Condition map[string]map[string]oneOrMany
	}
}

type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

func readPolicy(t *testing.T) policy {
	t.Helper()
	text, err := os.ReadFile("iam/policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var p policy
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if len(text) > 6144 { // AWS's limit for a managed policy does not count white space
		if dense := strings.Join(strings.Fields(string(text)), ""); len(dense) > 6144 {
			t.Errorf("the policy has %d characters without white space; AWS takes 6144", len(dense))
		}
	}
	return p
}

// calledActions are the IAM actions of the methods in the interfaces that list the AWS adapters' calls.
func calledActions(t *testing.T) sets.Set[string] {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/awscloud/sdk.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	service := map[string]string{"ec2": "ec2", "elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing", "sqs": "sqs", "ssm": "ssm", "sts": "sts"}
	called := sets.New[string]()
	ast.Inspect(file, func(node ast.Node) bool {
		list, ok := node.(*ast.InterfaceType)
		if !ok {
			return true
		}
		for _, method := range list.Methods.List {
			input := method.Type.(*ast.FuncType).Params.List[1].Type.(*ast.StarExpr).X.(*ast.SelectorExpr)
			called.Insert(service[input.X.(*ast.Ident).Name] + ":" + method.Names[0].Name)
		}
		return false
	})
	return called
}

// The policy allows what the code calls, and nothing else.
func TestPolicyAllowsExactlyTheCallsThatAreMade(t *testing.T) {
	called := calledActions(t).Insert("iam:PassRole") // no call: RunInstances with an instance profile needs it
	allowed := sets.New[string]()
	for _, s := range readPolicy(t).Statement {
		allowed.Insert(s.Action...)
	}
	if diff := cmp.Diff(sets.List(called), sets.List(allowed)); diff != "" {
		t.Errorf("actions (-called +allowed):\n%s", diff)
	}
}

// Whatever changes something is bound to our tags, to what people marked, or to one role.
func TestPolicyBindsEveryChange(t *testing.T) {
	bound := map[string]string{
		"LaunchServersThatCarryOurTags": "aws:RequestTag/slipway.dev/cluster",
		"TagInTheLaunchCall":            "ec2:CreateAction",
		"RetagOurServers":               "aws:ResourceTag/slipway.dev/cluster",
		"AdoptServersThatAPersonMarked": "aws:ResourceTag/slipway.dev/adopt",
		"TerminateOurServers":           "aws:ResourceTag/slipway.dev/cluster",
		"WorkOnPoolsThatAreGranted":     "aws:ResourceTag/slipway.dev/cluster",
		"GiveServersTheirRole":          "iam:PassedToService",
	}
	free := []string{"Read", "ReadImageParameters", "LaunchServersFromWhatIsThere", "HearOfServers"} // the last: of one queue, which is Slipway's own
	for _, s := range readPolicy(t).Statement {
		if s.Effect != "Allow" {
			t.Errorf("%s: effect %s", s.Sid, s.Effect)
		}
		if s.Sid != "Read" && slices.Contains(s.Resource, "*") {
			t.Errorf("%s: any resource", s.Sid)
		}
		for _, action := range s.Action {
			if strings.Contains(action, "*") {
				t.Errorf("%s: wildcard action %s", s.Sid, action)
			}
		}
		if slices.Contains(free, s.Sid) {
			continue
		}
		keys := sets.New[string]()
		for _, tests := range s.Condition {
			for key := range tests {
				keys.Insert(key)
			}
		}
		if want := bound[s.Sid]; want == "" || !keys.Has(want) {
			t.Errorf("%s has conditions on %v, want one on %q", s.Sid, sets.List(keys), want)
		}
	}
}

// The tags that the policy lets the controller change are those that the adapters write.
func TestPolicyKnowsOurTags(t *testing.T) {
	for _, s := range readPolicy(t).Statement {
		keys, ok := s.Condition["ForAllValues:StringEquals"]
		if !ok {
			continue
		}
		for _, key := range []string{"cluster", "owner", "release", "revision", "role", "version"} {
			if want := fmt.Sprintf("slipway.dev/%s", key); !slices.Contains(keys["aws:TagKeys"], want) {
				t.Errorf("%s: tag %s is missing from %v", s.Sid, want, keys["aws:TagKeys"])
			}
		}
	}
}
