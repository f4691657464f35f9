package config

import (
	"os"
	"strings"
	"testing"
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
	for _, next := range []string{rank, strings.TrimPrefix(rank, "#")} {
		if next != "" {
			rest, _, _ = strings.Cut(rest, "\n"+next+" ")
		}
	}
	return rest
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
