package laws

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What production may be given back to, by what it truly had: "v2" is alone in it.
func TestLives(t *testing.T) {
	for seen, want := range map[string]string{
		"v1":                 "v1",
		"v1 v2":              "v1 v2",
		"v1 v2 v1":           "v1",
		"v1 v2 v1 v2":        "v1 v2",
		"v1 v2 v3":           "v2 v3", // nothing before v2 is needed any more
		"v1 v2 v3 v2":        "v2",    // nor where production is given back to it
		"v1 v2 v3 v4":        "v3 v4",
		"v1 v2 v3 v2 v4":     "v2 v4",
		"v1-overtaken v2":    "v2",    // v2 was declared before v1 was whole: v1 is nothing to go back to
		"v1 v2-overtaken v3": "v1 v3", // and what was Live before it is
		"v1 v2 v2-overtaken": "v1 v2", // it was Live before another was declared
		"v1 v2 unasked":      "unasked",
	} {
		wish := newWishes()
		for _, version := range []string{"v1", "v2", "v3", "v4"} {
			wish.live[version] = time.Unix(0, 0)
		}
		for word := range strings.FieldsSeq(seen) {
			revision, overtaken := strings.CutSuffix(word, "-overtaken")
			if wish.declared = revision; overtaken {
				wish.declared = "another"
			}
			wish.wentLive(revision, revision)
		}
		if got := strings.Fields(want); !slices.Equal(wish.lives, got) {
			t.Errorf("%s: production had %v and may be given back to the last but one; to be %v", seen, wish.lives, got)
		}
	}
}
