package localaws

import (
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	check := healthCheck{healthy: 3, unhealthy: 2}
	for name, tc := range map[string]struct {
		first    int
		outcomes string // p: passed, f: failed
		want     string // after each: u unknown, h healthy, s sick
	}{
		"one pass makes a new member healthy":             {1, "p", "h"},
		"the first passes may have to be several":         {3, "ppp", "uuh"},
		"a failure among the first passes starts over":    {3, "ppfppp", "uuuuuh"},
		"a new member is unknown until the threshold":     {1, "ff", "us"},
		"one failure does not make a member sick":         {1, "pfpfp", "hhhhh"},
		"failures in a row do":                            {1, "pff", "hhs"},
		"a sick member needs the healthy threshold":       {1, "ffppp", "ussss"[:4] + "h"},
		"a failure on the way back starts the count over": {1, "ffppfppp", "usssss" + "sh"},
	} {
		t.Run(name, func(t *testing.T) {
			var v verdict
			var got strings.Builder
			for _, o := range tc.outcomes {
				before := v.standing
				changed := v.observe(outcome{passed: o == 'p'}, check, tc.first)
				if changed != (v.standing != before) {
					t.Errorf("changed is %t from %d to %d", changed, before, v.standing)
				}
				got.WriteByte("uhs"[v.standing])
			}
			if got.String() != tc.want {
				t.Errorf("outcomes %s: got %s, want %s", tc.outcomes, got.String(), tc.want)
			}
		})
	}
}

func TestMatcher(t *testing.T) {
	for _, tc := range []struct {
		m          matcher
		pass, fail int
		valid      bool
	}{
		{"200", 200, 201, true},
		{"200,302", 302, 301, true},
		{"200-299", 204, 300, true},
		{"200-299,401", 401, 400, true},
		{"200-600", 200, 199, false},
		{"abc", 0, 200, false},
		{"300-200", 0, 250, false},
		{"", 0, 200, false},
	} {
		if got := tc.m.valid(200, 499); got != tc.valid {
			t.Errorf("%q valid: %t", tc.m, got)
		}
		if tc.valid && (!tc.m.passes(tc.pass) || tc.m.passes(tc.fail)) {
			t.Errorf("%q passes %d: %t, %d: %t", tc.m, tc.pass, tc.m.passes(tc.pass), tc.fail, tc.m.passes(tc.fail))
		}
	}
}

func TestDrawDependsOnPurposeAndSeedAlone(t *testing.T) {
	world := func(seed int64) *realm {
		return New(Options{Seed: seed, Clock: NewVirtualClock(testStart)}).realm(realmKey{"1", "r"})
	}
	a, b, other := world(1), world(1), world(2)
	span := Span{time.Second, 30 * time.Second}
	a.draw(span, "first", 0) // an earlier draw must not matter
	if a.draw(span, "x", 3) != b.draw(span, "x", 3) {
		t.Error("the same draw differs between two worlds of one seed")
	}
	if a.draw(span, "x", 3) == other.draw(span, "x", 3) || a.draw(span, "x", 3) == a.draw(span, "x", 4) || a.draw(span, "x", 3) == a.draw(span, "y", 3) {
		t.Error("seed, turn and purpose must matter")
	}
	low, high := span.Max, span.Min
	for i := range 10_000 {
		d := a.draw(span, "spread", i)
		low, high = min(low, d), max(high, d)
		if d < span.Min || d > span.Max {
			t.Fatalf("%s is outside of %v", d, span)
		}
	}
	if low > 2*time.Second || high < 29*time.Second {
		t.Errorf("10000 draws reach only from %s to %s", low, high)
	}
}
