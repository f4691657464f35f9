// Package overlay compiles and tests the code with changes that are in no file of it: hack/claims switches off what the local AWS
// simulates, hack/bugbank puts bugs into the product, and both see tests fail.
package overlay

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Write puts texts into a folder, by the path of the file that each stands for, from the repository's root, and gives the file that
// tells the compiler so (go build -overlay).
func Write(dir string, texts map[string][]byte) (string, error) {
	replace := map[string]string{}
	for path, text := range texts {
		original, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		replace[original] = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(replace[original]), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(replace[original], text, 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o600)
}

// fails is what go test prints of a test that failed, as opposed to code that does not compile.
var fails = regexp.MustCompile(`(?m)^\s*--- FAIL: |^panic: `)

// hangs is what it prints where the time was up. Which test waited says nothing of why: that is no assertion.
var hangs = regexp.MustCompile(`(?m)^panic: test timed out after `)

// The ways in which a run of tests shows nothing of the change under which they ran.
var (
	ErrPass   = errors.New("the tests pass")
	ErrNotRun = errors.New("the tests do not run")
	ErrHangs  = errors.New("the tests do not end")
)

// Failed is nil where a run of go test, or of a test binary, failed in its tests; else it is one of these, or what kept the command
// from running.
func Failed(out []byte, err error) error {
	var failed *exec.ExitError
	switch {
	case err == nil:
		return ErrPass
	case !errors.As(err, &failed):
		return err
	case hangs.Match(out):
		return ErrHangs
	case !fails.Match(out):
		return ErrNotRun
	}
	return nil
}

// LastLines are the last four of what a command printed, in one.
func LastLines(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], " | ")
}
