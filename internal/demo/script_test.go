package demo

import (
	"strings"
	"testing"
)

func TestWrongCalls(t *testing.T) {
	var promote, launch step
	for _, s := range (&demo{}).script() {
		switch {
		case s.kind == promotion:
			promote = s
		case s.mutations["RunInstances"] > 0:
			launch = s
		}
	}
	five := map[string]int{registerClassic: 1, registerTargets: 1, deregisterClassic: 2, deregisterTargets: 1}
	for name, test := range map[string]struct {
		step step
		made map[string]int
		want string
	}{
		"a promotion's five": {promote, five, ""},
		"one more Register":  {promote, map[string]int{registerClassic: 2, registerTargets: 1, deregisterClassic: 2, deregisterTargets: 1}, "2 calls of " + registerClassic},
		"no Deregister":      {promote, map[string]int{registerClassic: 1, registerTargets: 1, deregisterClassic: 2}, "0 calls of " + deregisterTargets},
		"tags in a promotion": {
			promote, map[string]int{registerClassic: 1, registerTargets: 1, deregisterClassic: 2, deregisterTargets: 1, "CreateTags": 1}, "CreateTags 1",
		},
		// Servers that come up one after the other may be shown one after the other.
		"a launch":            {launch, map[string]int{"RunInstances": 2, registerClassic: 2}, ""},
		"a launch per server": {launch, map[string]int{"RunInstances": 3, registerClassic: 1}, "3 calls of RunInstances, where 2 are due"},
	} {
		if got := test.step.wrongCalls(test.made); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
