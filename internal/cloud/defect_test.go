package cloud

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestContainTellsWhereAndWhat(t *testing.T) {
	var none map[string]int
	tests := map[string]struct {
		fall  func()
		words []string
		not   string
	}{
		"the runtime's words": {
			fall:  func() { none["a"] = 1 },
			words: []string{"a defect in Slipway", "assignment to entry in nil map", "internal/cloud.TestContainTellsWhereAndWhat", "(defect_test.go:"},
		},
		"an index": {
			fall:  func() { _ = strings.Split("a", ",")[len(t.Name())] },
			words: []string{"index out of range [28] with length 1"},
		},
		"a library that ours calls": {
			fall:  func() { _ = strings.Repeat("a", -len(t.Name())) },
			words: []string{"internal/cloud.TestContainTellsWhereAndWhat"},
		},
		"a text that may be secret": {
			fall:  func() { panic("password=hunter2") },
			words: []string{"panic with a string"},
			not:   "hunter2",
		},
		"an error that may be secret": {
			fall:  func() { panic(fmt.Errorf("password=%s", "hunter2")) },
			words: []string{"panic with a *errors.errorString"},
			not:   "hunter2",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := Defects()
			err := Contain(func() error { test.fall(); return nil })
			for _, word := range test.words {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%v does not say %q", err, word)
				}
			}
			if test.not != "" && strings.Contains(fmt.Sprint(err), test.not) {
				t.Errorf("%v tells %q", err, test.not)
			}
			if Defects() != before+1 {
				t.Errorf("counted %d", Defects()-before)
			}
			if d, is := errors.AsType[*Defect](err); !is || !strings.Contains(d.Stack, "defect_test.go") {
				t.Errorf("the stack is not kept")
			}
		})
	}
}

func TestContainCountsADefectOnceThatIsRaisedAgain(t *testing.T) {
	before := Defects()
	first := Contain(func() error { panic("oops") })
	if again := Contain(func() error { panic(first) }); !errors.Is(again, first) {
		t.Errorf("got %v, want %v", again, first)
	}
	if Defects() != before+1 {
		t.Errorf("counted %d", Defects()-before)
	}
}

func TestContainLeavesErrorsAsTheyAre(t *testing.T) {
	want := errors.New("busy")
	if err := Contain(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	if err := Contain(func() error { return nil }); err != nil {
		t.Errorf("got %v", err)
	}
}
