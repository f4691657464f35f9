package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/resmap"
)

// buildWith builds config/default with the # taken out before these components, as whoever turns them on does. All that are listed
// there have to be named: one that nobody tests would be found here.
func buildWith(t *testing.T, components ...string) resmap.ResMap {
	t.Helper()
	text, err := os.ReadFile("default/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	on := strings.Replace(string(text), "\n#components:\n", "\ncomponents:\n", 1)
	for _, component := range components {
		line := "\n#  - ../" + component + "\n"
		if !strings.Contains(on, line) {
			t.Fatalf("config/default/kustomization.yaml has no component %s to turn on", component)
		}
		on = strings.Replace(on, line, strings.Replace(line, "#", "", 1), 1)
	}
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "default", "kustomization.yaml"), []byte(on), 0o600); err != nil {
		t.Fatal(err)
	}
	return build(t, filepath.Join(root, "default"))
}

// components are all that there are, but for the one that is for Argo CD's installation.
func components(t *testing.T) (there []string) {
	t.Helper()
	files, err := filepath.Glob("*/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "\nkind: Component\n") && filepath.Dir(file) != "argocd" {
			there = append(there, filepath.Dir(file))
		}
	}
	return there
}

// Every component is listed in config/default, and explained; but for the one that is for Argo CD's installation.
func TestComponentsAreListed(t *testing.T) {
	text, err := os.ReadFile("default/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, match := range regexp.MustCompile(`(?m)^# [^\n]+\n#  - \.\./(\S+)$`).FindAllStringSubmatch(string(text), -1) {
		listed = append(listed, match[1])
	}
	slices.Sort(listed)
	if diff := cmp.Diff(components(t), listed); diff != "" {
		t.Errorf("components (-there +listed):\n%s", diff)
	}
}

// rights takes rules apart: "verb resource.group" each.
func rights(rules []rbacv1.PolicyRule) []string {
	all := map[string]bool{}
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, kind := range rule.Resources {
				for _, verb := range rule.Verbs {
					all[verb+" "+kind+"."+group] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// In namespaced mode the manager has the same rights, parted into those about what is in no namespace and the rest.
func TestNamespacedRolesAreTheWholeRole(t *testing.T) {
	var whole, cluster rbacv1.ClusterRole
	find(t, build(t, "default"), "ClusterRole", "slipway-manager-role", &whole)
	built := buildWith(t, "namespaced")
	find(t, built, "ClusterRole", "slipway-manager-role", &cluster)
	var role rbacv1.Role
	roleBuilt := build(t, "namespaced/role")
	find(t, roleBuilt, "Role", "slipway-manager-role", &role)
	if diff := cmp.Diff(rights(whole.Rules), rights(slices.Concat(cluster.Rules, role.Rules))); diff != "" {
		t.Errorf("rights (-everywhere +namespaced):\n%s", diff)
	}
	for _, right := range rights(cluster.Rules) {
		if _, what, _ := strings.Cut(right, " "); what != "namespaces." && what != "releaseclasses.slipway.dev" {
			t.Errorf("in the whole cluster: %s", right)
		}
		if slices.Contains(rights(role.Rules), right) {
			t.Errorf("in a namespace and in the whole cluster: %s", right)
		}
	}
	var binding rbacv1.RoleBinding
	find(t, roleBuilt, "RoleBinding", "slipway-manager-rolebinding", &binding)
	var account corev1.ServiceAccount
	find(t, built, "ServiceAccount", "slipway-controller-manager", &account)
	want := []rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: account.Namespace}}
	if diff := cmp.Diff(want, binding.Subjects); diff != "" || binding.RoleRef.Name != role.Name {
		t.Errorf("the role %s is bound to (-the account +whom):\n%s", binding.RoleRef.Name, diff)
	}
	var deployment appsv1.Deployment
	find(t, built, "Deployment", "slipway-controller-manager", &deployment)
	if env := deployment.Spec.Template.Spec.Containers[0].Env; len(env) != 1 || env[0].Name != "WATCH_NAMESPACE" || env[0].Value == "" {
		t.Errorf("environment %v", env)
	}
}

// A cluster that drains nodes, or loses one, keeps a manager, and is not kept from draining.
func TestHighAvailability(t *testing.T) {
	built := buildWith(t, "high-availability")
	var deployment appsv1.Deployment
	find(t, built, "Deployment", "slipway-controller-manager", &deployment)
	var budget policyv1.PodDisruptionBudget
	find(t, built, "PodDisruptionBudget", "slipway-controller-manager", &budget)
	// Of three pods two may be without a node, and a node can be drained all the same; pods that are not ready block no drain.
	replicas, left, policy := *deployment.Spec.Replicas, budget.Spec.MinAvailable, budget.Spec.UnhealthyPodEvictionPolicy
	if replicas != 3 || left == nil || left.IntVal != 1 || budget.Spec.MaxUnavailable != nil || policy == nil || *policy != policyv1.AlwaysAllow {
		t.Errorf("%d replicas, and the budget %+v", replicas, budget.Spec)
	}
	spread := map[string]corev1.UnsatisfiableConstraintAction{}
	for _, constraint := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		spread[constraint.TopologyKey] = constraint.WhenUnsatisfiable
		// A node whose taints keep the pods out would count as one that has none yet, and no other node could have a second.
		if taints := constraint.NodeTaintsPolicy; constraint.WhenUnsatisfiable == corev1.DoNotSchedule && (taints == nil || *taints != corev1.NodeInclusionPolicyHonor) {
			t.Errorf("%s counts nodes that take no pod", constraint.TopologyKey)
		}
		if diff := cmp.Diff(deployment.Spec.Selector, constraint.LabelSelector); diff != "" || constraint.MaxSkew != 1 {
			t.Errorf("%s: skew %d of others than the pods (-want +got):\n%s", constraint.TopologyKey, constraint.MaxSkew, diff)
		}
	}
	want := map[string]corev1.UnsatisfiableConstraintAction{corev1.LabelHostname: corev1.DoNotSchedule, corev1.LabelTopologyZone: corev1.ScheduleAnyway}
	if diff := cmp.Diff(want, spread); diff != "" {
		t.Errorf("spread (-want +got):\n%s", diff)
	}
}

// Names are asked for wherever they are answered, which is not always a pod of kube-system, and Pod Identity in both families.
func TestNetworkPolicy(t *testing.T) {
	var policy networkingv1.NetworkPolicy
	find(t, buildWith(t, "network-policy"), "NetworkPolicy", "slipway-controller-manager", &policy)
	anywhere, credentials := map[string]bool{}, map[string]bool{}
	for _, rule := range policy.Spec.Egress {
		for _, port := range rule.Ports {
			where := fmt.Sprintf("%s %d", *port.Protocol, port.Port.IntVal)
			if len(rule.To) == 0 {
				anywhere[where] = true
			}
			for _, to := range rule.To {
				if to.IPBlock == nil {
					t.Errorf("%s is let out to %+v alone", where, to)
					continue
				}
				credentials[to.IPBlock.CIDR+" "+where] = true
			}
		}
	}
	want := map[string]bool{"UDP 53": true, "TCP 53": true, "UDP 5353": true, "TCP 5353": true, "TCP 443": true, "TCP 6443": true}
	if diff := cmp.Diff(want, anywhere); diff != "" {
		t.Errorf("ports to anywhere (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"169.254.170.23/32 TCP 80": true, "fd00:ec2::23/128 TCP 80": true}, credentials); diff != "" {
		t.Errorf("Pod Identity (-want +got):\n%s", diff)
	}
}
