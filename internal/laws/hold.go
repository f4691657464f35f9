package laws

import (
	"fmt"
	"strings"
)

// Test is what a watch needs of one; *testing.T and GinkgoTB() are.
type Test interface {
	Helper()
	Cleanup(f func())
	Errorf(format string, args ...any)
}

// Hold watches a world until the test ends, which fails if a law was broken. The watch is for what a test has to tell it.
func Hold(t Test, o Options) *Watch {
	t.Helper()
	w := New(o)
	t.Cleanup(func() {
		t.Helper()
		w.Stop()
		if trace := w.Trace(); trace != "" {
			t.Errorf("%s", trace)
		}
	})
	return w
}

// Trace is what was broken so far, with everything that AWS was asked and that happened there; "" where nothing was.
func (w *Watch) Trace() string {
	broken := w.Broken()
	if len(broken) == 0 {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "broken law: %s\n", strings.Join(broken, "\n"))
	for _, entry := range w.AWS.Ledger() {
		fmt.Fprintln(&text, entry)
	}
	return text.String()
}
