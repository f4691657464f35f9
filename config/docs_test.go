package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/kustomize/api/resmap"
)

// section is what a page says below a heading, up to the next one of the same rank.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", page, heading)
	}
	rank, _, _ := strings.Cut(heading, " ")
	var lines []string
	code := false // where # begins a comment
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		}
		if marks, _, found := strings.Cut(line, " "); found && !code && marks != "" && len(marks) <= len(rank) && strings.Trim(marks, "#") == "" {
			break
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// Nobody is told of servers with another cluster's tag, so both pages have to: with what, and before what.
func TestWhatAMoveNeedsIsWrittenDown(t *testing.T) {
	for page, heading := range map[string]string{"user-guide.md": "### Servers of a Release that is gone", "install.md": "## Moving to another cluster"} {
		text := section(t, page, heading)
		for _, want := range []string{
			"Name=tag:slipway.dev/release,Values=shop/web", "Tags[?Key=='slipway.dev/owner']", "Tags[?Key=='slipway.dev/cluster']",
			"adopt: {formerOwner: ", "formerCluster: ", "first apply",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s, %s: lacks %q", page, heading, want)
			}
		}
	}
}

// Whatever goes by the cluster's tag of something that is there already refuses a cluster that moved in.
func TestAMoveIsNotEndedByThePolicy(t *testing.T) {
	readme, err := os.ReadFile("iam/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, moving, _ := strings.Cut(string(readme), "- **`adopt.formerCluster`.**")
	moving, _, _ = strings.Cut(moving, "\n\n")
	texts := map[string]string{"install.md": section(t, "install.md", "## Moving to another cluster"), "iam/README.md": moving}
	bound := 0
	for _, statement := range readPolicy(t).Statement {
		if _, ok := statement.Condition["StringEquals"]["aws:ResourceTag/slipway.dev/cluster"]; !ok {
			continue
		}
		bound++
		for page, text := range texts {
			if !strings.Contains(text, "`"+statement.Sid+"`") {
				t.Errorf("%s does not say what %s needs when an application moves", page, statement.Sid)
			}
		}
	}
	if bound < 3 {
		t.Errorf("%d statements go by the cluster's tag", bound)
	}
}

// Whoever gives rights to people finds every role that there is for them.
func TestRolesForPeopleAreInTheTable(t *testing.T) {
	people := section(t, "install.md", "## 7. People")
	var roles []string
	for _, r := range build(t, "default").Resources() {
		if r.GetKind() == "ClusterRole" && strings.Contains(r.GetName(), "-release") {
			roles = append(roles, r.GetName())
		}
	}
	if len(roles) != 6 {
		t.Errorf("roles about Releases and classes: %v", roles)
	}
	for _, role := range roles {
		if !strings.Contains(people, "| `"+role+"` |") {
			t.Errorf("install.md does not list %s", role)
		}
	}
}

// yamlBlocks are those of a page that begin with a comment.
func yamlBlocks(t *testing.T, page, comment string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		if block, _, _ = strings.Cut(block, "```"); strings.HasPrefix(block, comment) {
			all = append(all, block)
		}
	}
	return all
}

// overlay builds a kustomization beside a clone of this repository.
func overlay(t *testing.T, text string) resmap.ResMap {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, "mine")
	if err := errors.Join(os.CopyFS(filepath.Join(root, "slipway", "config"), os.DirFS(".")), os.Mkdir(folder, 0o700),
		os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return build(t, folder)
}

// The overlay of the guide with a component has what config/default has with it, under the names and in the namespace that the pages say.
func TestTheOverlayTakesEveryComponent(t *testing.T) {
	const named = "  - ../slipway/config/prometheus\n"
	block := yamlBlocks(t, "install.md", "# kustomization.yaml")[0]
	if strings.Count(block, named) != 1 {
		t.Fatalf("the overlay names no component:\n%s", block)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `[A-Za-z.]+` \\| ").FindAllStringSubmatch(page(t, "../docs/install.md"), -1)
	var all []string
	lines := ""
	for _, row := range rows {
		line := strings.Replace(named, "prometheus", row[1], 1)
		all, lines = append(all, row[1]), lines+line
		t.Run(row[1], func(t *testing.T) {
			placed(t, overlay(t, strings.Replace(block, named, line, 1)), row[1])
		})
	}
	slices.Sort(all)
	if diff := cmp.Diff(components(t), all); diff != "" {
		t.Errorf("components (-there +in the table):\n%s", diff)
	}
	built := overlay(t, strings.Replace(block, named, lines, 1))
	placed(t, built, all...)
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range matches(page(t, "../docs/install.md")+page(t, "../docs/observability.md"), "`(slipway-[a-z-]+)`") {
		if name != "slipway-notifications-secret" && !strings.Contains(string(text), "name: "+name+"\n") { // the Secret is its users' to make
			t.Errorf("the pages speak of %s, and nothing is called so", name)
		}
	}
}

// With the lines of observability.md in the overlay, alerts lead to where the runbook is read, and nothing else comes with that.
func TestAlertsLeadToTheRunbook(t *testing.T) {
	const here = "https://git.example.com/slipway/docs/runbook.md#"
	block, lines := yamlBlocks(t, "install.md", "# kustomization.yaml")[0], yamlBlocks(t, "observability.md", "# part of a kustomization.yaml: where the runbook is")
	if len(lines) != 1 {
		t.Fatalf("observability.md has %d parts of overlays", len(lines))
	}
	built := overlay(t, block+lines[0])
	placed(t, built, "prometheus")
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	alerts := strings.Count(page(t, "prometheus/rules.yaml"), "runbook_url: docs/runbook.md#")
	if got := strings.Count(string(text), "runbook_url: "+here); got != alerts {
		t.Errorf("%d of %d alerts lead to %s", got, alerts, here)
	}
}

// Both images are those that the overlay names, with the lines of observability.md in it.
func TestTheImageOfTheNotificationsIsSet(t *testing.T) {
	block, lines := yamlBlocks(t, "install.md", "# kustomization.yaml")[0], yamlBlocks(t, "observability.md", "# part of a kustomization.yaml: the images")
	if len(lines) != 1 {
		t.Fatalf("observability.md has the images %d times", len(lines))
	}
	block, _, _ = strings.Cut(block, "images:")
	built := overlay(t, strings.Replace(block, "config/prometheus", "config/notifications", 1)+lines[0])
	for name, want := range map[string]string{
		"slipway-controller-manager": "registry.example.com/slipway:1.0", "slipway-notifications": "registry.example.com/slipway-notifications:1.0",
	} {
		var deployment appsv1.Deployment
		find(t, built, "Deployment", name, &deployment)
		if got := deployment.Spec.Template.Spec.Containers[0].Image; got != want {
			t.Errorf("%s runs %s", name, got)
		}
		if built := "docker build -f cmd/slipway-notifications/Dockerfile -t " + want + " ."; name == "slipway-notifications" && !strings.Contains(page(t, "../docs/observability.md"), built) {
			t.Errorf("the page does not build %s", want)
		}
	}
}

// With the lines of install.md in the overlay, the network policy lets out one port more.
func TestTheNetworkPolicyCanLetOutMore(t *testing.T) {
	block, lines := yamlBlocks(t, "install.md", "# kustomization.yaml")[0], yamlBlocks(t, "install.md", "# part of a kustomization.yaml")
	if len(lines) != 1 {
		t.Fatalf("install.md has %d parts of overlays", len(lines))
	}
	block, _, _ = strings.Cut(block, "patches:")
	var before, after networkingv1.NetworkPolicy
	find(t, buildWith(t, "network-policy"), "NetworkPolicy", "slipway-controller-manager", &before)
	find(t, overlay(t, strings.Replace(block, "config/prometheus", "config/network-policy", 1)+lines[0]), "NetworkPolicy", "slipway-controller-manager", &after)
	if len(after.Spec.Egress) != len(before.Spec.Egress)+1 || after.Spec.Egress[len(before.Spec.Egress)].Ports[0].Port.IntVal != 4318 {
		t.Errorf("let out is %+v", after.Spec.Egress)
	}
}

// placed: the objects are those of config/default with the components, and in its namespace.
func placed(t *testing.T, got resmap.ResMap, components ...string) {
	t.Helper()
	objects := func(built resmap.ResMap) map[string]string {
		all := map[string]string{}
		for _, r := range built.Resources() {
			id := r.CurId().String()
			if all[id] = r.MustYaml(); slices.Contains([]string{"Deployment", "ServiceAccount"}, r.GetKind()) {
				all[id] = "" // the page's patches and images are for these
			}
			if r.GetNamespace() != "" && r.GetNamespace() != "slipway-system" {
				t.Errorf("%s is in the namespace %s", r.GetName(), r.GetNamespace())
			}
		}
		return all
	}
	want, have := objects(buildWith(t, components...)), objects(got)
	for id, rule := range have { // and so are the links of alerts
		have[id] = strings.ReplaceAll(rule, "https://git.example.com/slipway/docs/runbook.md#", "docs/runbook.md#")
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-config/default +overlay):\n%s", diff)
	}
	text, err := got.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "namespace: system\n") {
		t.Error("something refers to the namespace system, which there is not")
	}
}

// The overlays of the guide build as they stand, beside a clone of this repository.
func TestOverlaysOfTheGuideBuild(t *testing.T) {
	blocks := yamlBlocks(t, "install.md", "# kustomization.yaml")
	if len(blocks) != 2 {
		t.Fatalf("install.md has %d overlays, not 2", len(blocks))
	}
	for i, row := range []struct {
		has []string
	}{
		{[]string{"image: registry.example.com/slipway:1.0", "eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/slipway", "--log-level=debug"}},
		{[]string{"value: shop,blog"}},
	} {
		text, err := overlay(t, blocks[i]).AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range row.has {
			if !strings.Contains(string(text), want) {
				t.Errorf("overlay %d lacks %q:\n%s", i+1, want, blocks[i])
			}
		}
	}
}
