package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"slipway.dev/slipway/hack/overlay"
)

// bug is one patch. Its first lines, before the first that begins with "diff ", are:
//
//	Bug: a timed-out RunInstances is tried again under another token
//	Source: https://github.com/kubernetes-sigs/cluster-api-provider-aws/issues/…, or: likely here
//	Run: ./test/safety -run TestFaultMatrix/Preview
//	Gate: yes
//
// Run are the arguments of go test; Gate, which may be left out, says that it is run for every change.
type bug struct {
	file              string
	what, source, run string
	gate              bool
	patch             string
}

// readBugs reads every patch of a folder.
func readBugs(folder string) ([]bug, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there are no patches in %s (%w)", folder, err)
	}
	bugs := make([]bug, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		b, err := parse(file, string(text))
		if err != nil {
			return nil, err
		}
		bugs = append(bugs, b)
	}
	return bugs, nil
}

func parse(file, text string) (bug, error) {
	header, patch, found := strings.Cut(text, "diff ")
	b := bug{file: file, patch: "diff " + patch}
	for line := range strings.Lines(header) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Bug":
			b.what = value
		case "Source":
			b.source = value
		case "Run":
			b.run = value
		case "Gate":
			b.gate = value == "yes"
		case "":
		default:
			return b, fmt.Errorf("%s: %q is none of Bug, Source, Run, Gate", file, line)
		}
	}
	if !found || b.what == "" || b.source == "" || b.run == "" {
		return b, fmt.Errorf("%s: it needs the lines Bug, Source and Run, and a patch after them", file)
	}
	return b, nil
}

// changes are the files that the patch changes.
var changes = regexp.MustCompile(`(?m)^diff --git a/(\S+) b/`)

// everything is a package that is made from all of the product.
const everything = "./internal/operator"

// kill applies the patch in an overlay, compiles the product, runs the tests, and gives the assertion that failed; an error where none
// did. With check it only applies it.
func (b bug) kill(ctx context.Context, check bool) (by string, err error) {
	dir, err := os.MkdirTemp("", "bugbank-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder in the system's own place for such
	changed, err := b.overlay(ctx, dir)
	if err != nil {
		return "", err
	}
	if check {
		return "applies", nil
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", changed, everything) // and nothing is linked
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not compile: %w: %s", err, overlay.LastLines(out))
	}
	arguments := strings.Fields(b.run)
	arguments = append([]string{"test", "-overlay", changed, "-vet=off", "-ldflags=-s -w", "-count=1", "-failfast", "-timeout=15m"}, arguments...)
	test := exec.CommandContext(ctx, "go", arguments...)
	out, err := test.CombinedOutput()
	if err := overlay.Failed(out, err); errors.Is(err, overlay.ErrPass) {
		return "", err
	} else if err != nil {
		return "", fmt.Errorf("%w: %s", err, overlay.LastLines(out))
	}
	return assertion(out), nil
}

// overlay makes the files as the patch leaves them, and gives the file that tells the compiler to take them.
func (b bug) overlay(ctx context.Context, dir string) (string, error) {
	texts := map[string][]byte{}
	for _, m := range changes.FindAllStringSubmatch(b.patch, -1) {
		text, err := os.ReadFile(m[1])
		if err != nil {
			return "", err
		}
		if strings.HasSuffix(m[1], "_test.go") {
			return "", fmt.Errorf("it changes a test: %s", m[1])
		}
		texts[m[1]] = text
	}
	file, err := overlay.Write(dir, texts)
	if err != nil {
		return "", err
	}
	apply := exec.CommandContext(ctx, "git", "apply", "-")
	apply.Dir, apply.Stdin, apply.Env = dir, strings.NewReader(b.patch), append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
	if out, err := apply.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not apply: %w: %s", err, overlay.LastLines(out))
	}
	return file, nil
}

var (
	// asserts is how a test says what is wrong: FILE_test.go:LINE: …
	asserts = regexp.MustCompile(`(?m)^\s+\w+\.go:\d+: (.*)$`)
	laws    = regexp.MustCompile(`(?m)law \d+: .*$`)
)

// assertion is what killed the bug: a law, or the first thing that a test said.
func assertion(out []byte) string {
	const most = 150
	said := string(laws.Find(out))
	if m := asserts.FindSubmatch(out); said == "" && m != nil {
		said = string(m[1])
	}
	if said == "" {
		said = overlay.LastLines(out)
	}
	return said[:min(len(said), most)]
}
