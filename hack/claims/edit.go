package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"slipway.dev/slipway/hack/overlay"
)

// seen is the verdict on a switch whose test failed.
const seen = "seen"

// edit takes one behavior out of the code. In the files of hack/claims/switches they are divided by empty lines:
//
//	claim A1.2
//	file  launch.go
//	tests TestPartialLaunch
//	- 	if n < wanted {
//	+ 	if false {
//
// The lines after "- " must be in the file exactly once, one after the other; those after "+ " take their place.
type edit struct {
	claim    string
	file     string
	tests    []string
	old, new string
	at       string // file and line of the edit itself
}

// readAllEdits reads every file of a folder.
func readAllEdits(folder string) ([]edit, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("there are no switches in %s (%w)", folder, err)
	}
	var all []edit
	for _, path := range paths {
		edits, err := readEdits(path)
		if err != nil {
			return nil, err
		}
		all = append(all, edits...)
	}
	return all, nil
}

func readEdits(path string) ([]edit, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var edits []edit
	var e edit
	for i, line := range strings.Split(string(text)+"\n", "\n") {
		switch key, rest, _ := strings.Cut(line, " "); {
		case strings.TrimSpace(line) == "":
			if e.claim != "" {
				edits = append(edits, e)
			}
			e = edit{}
		case strings.HasPrefix(line, "#"):
		case key == "claim":
			e.claim, e.at = strings.TrimSpace(rest), fmt.Sprintf("%s:%d", path, i+1)
		case key == "file":
			e.file = strings.TrimSpace(rest)
		case key == "tests":
			e.tests = strings.Fields(rest)
		case key == "-":
			e.old += rest + "\n"
		case key == "+":
			e.new += rest + "\n"
		default:
			return nil, fmt.Errorf("%s:%d: %q begins with none of claim, file, tests, -, +, #", path, i+1, line)
		}
	}
	return edits, nil
}

// changed is the file with the edit made.
func (e edit) changed() ([]byte, error) {
	path := filepath.Join(code, e.file)
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(before, []byte(e.old)); n != 1 || e.old == "" {
		return nil, fmt.Errorf("%s: the lines of %s are %d times in %s, and have to be once", e.at, e.claim, n, path)
	}
	return bytes.Replace(before, []byte(e.old), []byte(e.new), 1), nil
}

// try compiles the edit by itself, runs its tests, and says what became of them.
func (e edit) try(ctx context.Context) string {
	dir, err := os.MkdirTemp("", "claims-")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder in the system's own place for such
	after, err := e.changed()
	if err != nil {
		return err.Error()
	}
	file, err := overlay.Write(dir, map[string][]byte{filepath.Join(code, e.file): after})
	if err != nil {
		return err.Error()
	}
	return verdict(exec.CommandContext(ctx, "go", "test", "-overlay", file, "-vet=off", "-count=1", "-timeout=2m", "-run", pattern(e.tests),
		"./"+code).CombinedOutput())
}

// pattern is how go test is told of tests.
func pattern(tests []string) string { return "^(" + strings.Join(tests, "|") + ")$" }

// verdict says what a run of tests shows of the edit under which they ran.
func verdict(out []byte, err error) string {
	switch err := overlay.Failed(out, err); {
	case errors.Is(err, overlay.ErrPass):
		return "NOT SEEN: the tests pass"
	case errors.Is(err, overlay.ErrNotRun):
		return "DOES NOT RUN: " + overlay.LastLines(out)
	case err != nil:
		return err.Error()
	}
	return seen
}
