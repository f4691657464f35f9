package demo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// What happens between the API server's acceptance and its answer counts: the clock starts before the edit is sent.
func TestTheClockStartsBeforeTheEdit(t *testing.T) {
	var asked time.Time
	refused := errors.New("refused")
	from, err := step{ask: func(context.Context) error { asked = time.Now(); return refused }}.edit(t.Context())
	if from.IsZero() || from.After(asked) || !errors.Is(err, refused) {
		t.Errorf("the clock started at %s, the edit was sent at %s: %v", from, asked, err)
	}
}

func TestWrongCalls(t *testing.T) {
	var promote, launch, end step
	for _, s := range (&demo{}).script() {
		_, launches := s.mutations["RunInstances"]
		switch {
		case s.kind == promotion:
			promote = s
		case launches:
			launch = s
		}
		end = s
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
			promote, map[string]int{registerClassic: 1, registerTargets: 1, deregisterClassic: 2, deregisterTargets: 1, "CreateTags": 1}, "1 calls of CreateTags, where none is due",
		},
		// Servers that come up one after the other may be shown one after the other.
		"a launch":            {launch, map[string]int{"RunInstances": 2, registerClassic: 2}, ""},
		"a launch per server": {launch, map[string]int{"RunInstances": 3, registerClassic: 1}, "3 calls of RunInstances, where 2 are due"},
		"a launch that is not shown": {
			launch, map[string]int{"RunInstances": 2}, "0 calls of " + registerClassic + ", where 1 to 3 are due",
		},
		"a launch that is registered more than once": {
			launch, map[string]int{"RunInstances": 2, registerClassic: 4}, "4 calls of " + registerClassic,
		},
		"a launch that touches production": {
			launch, map[string]int{"RunInstances": 2, registerClassic: 1, deregisterTargets: 1}, "1 calls of " + deregisterTargets + ", where none is due",
		},
		"an end":                       {end, map[string]int{"CreateTags": 2, "TerminateInstances": 2}, ""},
		"an end without Terminate":     {end, map[string]int{"CreateTags": 2}, "0 calls of TerminateInstances"},
		"an end that launches a thing": {end, map[string]int{"CreateTags": 2, "TerminateInstances": 2, "RunInstances": 1}, "RunInstances, where none"},
	} {
		if got := test.step.wrongCalls(test.made); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
