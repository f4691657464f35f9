package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/demo"
)

// What whoever reads the file alone is told, and what is kept beside it.
func TestConclude(t *testing.T) {
	for name, test := range map[string]struct {
		took    time.Duration
		stopped error
		want    string
		good    bool
	}{
		"a good run":                    {time.Minute, nil, `"ok": true`, true},
		"a world that was not put away": {time.Minute, errors.New("etcd was killed"), `"ok": false`, false},
		"a slow one":                    {time.Hour, nil, `"ok": false`, false},
	} {
		report := filepath.Join(t.TempDir(), "demo.json")
		result := &demo.Report{}
		result.Finish(test.took, test.stopped)
		err := conclude(io.Discard, result, report, []byte("the manager's log"))
		text, unread := os.ReadFile(report)
		if unread != nil || !strings.Contains(string(text), test.want) || (err == nil) != test.good {
			t.Errorf("%s: %v; the file: %v\n%s", name, err, unread, text)
		}
		if log, err := os.ReadFile(report + ".manager.log"); (err == nil) == test.good || !test.good && string(log) != "the manager's log" {
			t.Errorf("%s: the log beside it: %q, %v", name, log, err)
		}
	}
}
