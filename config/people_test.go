package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// What each role for people holds, and which of the cluster's own roles it becomes a part of. A verb more in here is a right more for
// everybody who has view, edit or admin in a namespace.
func TestRolesForPeople(t *testing.T) {
	look := []string{"get", "list", "watch"}
	write := append(slices.Clone(look), "create", "update", "patch", "delete")
	for name, want := range map[string]struct {
		part string // of view, edit or admin
		may  map[string][]string
	}{
		"release-viewer-role": {"view", map[string][]string{
			"releases": look, "releases/status": {"get"}, "releases/scale": {"get"}}},
		"release-editor-role": {"edit", map[string][]string{
			"releases": append(slices.Clone(write), "rollback"), "releases/status": {"get"}, "releases/scale": {"get", "update", "patch"}}},
		"release-admin-role": {"admin", map[string][]string{
			"releases":        append(slices.Clone(write), "deletecollection", "promote", "rollback", "complete"),
			"releases/status": {"get"}, "releases/scale": {"get", "update", "patch"}}},
		"release-promoter-role": {"", map[string][]string{
			"releases": append(slices.Clone(look), "update", "patch", "promote", "rollback", "complete")}},
		"releaseclass-viewer-role": {"view", map[string][]string{"releaseclasses": look}},
		"releaseclass-editor-role": {"", map[string][]string{"releaseclasses": write}},
		"releaseclass-admin-role":  {"", map[string][]string{"releaseclasses": append(slices.Clone(write), "deletecollection")}},
	} {
		t.Run(name, func(t *testing.T) {
			var role rbacv1.ClusterRole
			find(t, buildWith(t, "access"), "ClusterRole", "slipway-"+name, &role)
			var may []string
			for kind, verbs := range want.may {
				for _, verb := range verbs {
					may = append(may, verb+" "+kind+".slipway.dev")
				}
			}
			slices.Sort(may)
			if diff := cmp.Diff(may, rights(role.Rules)); diff != "" {
				t.Errorf("rights (-want +got):\n%s", diff)
			}
			if part := parts(role); part != want.part {
				t.Errorf("it becomes a part of %q, not of %q", part, want.part)
			}
		})
	}
}

// parts are the roles of the cluster's that a role becomes a part of.
func parts(role rbacv1.ClusterRole) string {
	var all []string
	for label, value := range role.Labels {
		if of, is := strings.CutPrefix(label, "rbac.authorization.k8s.io/aggregate-to-"); is && value == "true" {
			all = append(all, of)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Who gives rights to people reads of the same: the cluster's role that each is a part of, and who has the verbs of config/access.
func TestThePageSaysWhatRolesHold(t *testing.T) {
	people := section(t, "install.md", "## 7. People")
	built := buildWith(t, "access")
	holders := map[string][]string{}
	for _, r := range built.Resources() {
		if r.GetKind() != "ClusterRole" || !strings.HasPrefix(r.GetName(), "slipway-release") {
			continue
		}
		var role rbacv1.ClusterRole
		find(t, built, "ClusterRole", r.GetName(), &role)
		part := parts(role)
		if _, row, _ := strings.Cut(people, "\n| `"+role.Name+"` |"); part != "" {
			if row, _, _ = strings.Cut(row, "\n"); !strings.Contains(row, "| `"+part+"`") {
				t.Errorf("the page does not say that %s is a part of %s: %s", role.Name, part, row)
			}
		}
		if part == "" {
			part = role.Name
		}
		for _, right := range rights(role.Rules) {
			verb, _, _ := strings.Cut(right, " ")
			holders[verb] = append(holders[verb], "`"+part+"`")
		}
	}
	for _, verb := range []string{"promote", "rollback", "complete"} {
		slices.Sort(holders[verb])
		_, row, _ := strings.Cut(people, "\n| `"+verb+"` |")
		row, _, _ = strings.Cut(row, " |\n")
		if want := strings.Join(holders[verb], ", "); row == "" || !strings.HasSuffix(row, "| "+want) {
			t.Errorf("the page says of %s %q, and %s have it", verb, row, want)
		}
	}
}
