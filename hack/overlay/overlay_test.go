package overlay

import (
	"errors"
	"os/exec"
	"testing"
)

// Only a test that says what is wrong has found something.
func TestWhatFailsIsToldFromWhatShowsNothing(t *testing.T) {
	failed := exec.CommandContext(t.Context(), "false").Run()
	elsewhere := errors.New("exec: go: not found")
	for name, c := range map[string]struct {
		out  string
		err  error
		want error
	}{
		"passes":           {"ok  \tslipway.dev/slipway/x\t0.1s\n", nil, ErrPass},
		"fails":            {"--- FAIL: TestX (0.00s)\n    x_test.go:1: law 1: …\nFAIL\n", failed, nil},
		"fails inside":     {"=== RUN\n    --- FAIL: TestX/a (0.00s)\n", failed, nil},
		"panics":           {"panic: runtime error: index out of range\n\ngoroutine 1 [running]:\n", failed, nil},
		"hangs":            {"panic: test timed out after 15m0s\n\trunning tests:\n\t\tTestX (15m0s)\n", failed, ErrHangs},
		"does not compile": {"# slipway.dev/slipway/x\nx.go:1: undefined: y\nFAIL\n", failed, ErrNotRun},
		"is not run":       {"", elsewhere, elsewhere},
	} {
		if got := Failed([]byte(c.out), c.err); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
