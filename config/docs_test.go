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
