package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// blocks are the shell blocks of a page; those that are marked "bash" need something else to be there.
func blocks(t *testing.T, page string) []string { return fenced(t, page, "sh") }

// fenced are the blocks of a page in a language, also those within lists.
func fenced(t *testing.T, page, language string) (all []string) {
	t.Helper()
	for _, found := range regexp.MustCompile("(?ms)^( *)```"+language+"\n(.*?)^ *```").FindAllStringSubmatch(document(t, page), -1) {
		text := strings.ReplaceAll("\n"+found[2], "\n"+found[1], "\n")
		all = append(all, strings.Trim(text, "\n"))
	}
	return all
}

func document(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// asPlugin is a folder with this program under the name that kubectl looks for.
func asPlugin(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", playVariable, quote(program))
	if err := os.WriteFile(filepath.Join(folder, "kubectl-slipway"), []byte(script), 0o700); err != nil { //nolint:gosec // to be run
		t.Fatal(err)
	}
	return folder
}

// deploy is README's part about one.
var deploy = regexp.MustCompile("(?s)### A deploy\n.*?```sh\n(.*?)```")

// guide are the blocks of README and of the user guide for one who has v2 Live, and v1 to go back to. They change nothing: kubectl tries
// its part on the server, and our own commands ask somebody who is not there.
func guide(t *testing.T) []string {
	t.Helper()
	found := deploy.FindStringSubmatch(document(t, "../README.md"))
	if found == nil {
		t.Fatal("README.md has no deploy")
	}
	all := []string{found[1]}
	for _, block := range blocks(t, "user-guide.md") {
		if !strings.HasPrefix(block, "aws ") {
			all = append(all, block)
		}
	}
	if len(all) < 7 {
		t.Fatalf("README.md and the user guide have %q", all)
	}
	asks := regexp.MustCompile(`(?m)^kubectl slipway (promote|rollback|complete) web`)
	text := asks.ReplaceAllString(strings.Join(all, "\n"), "$0 || [ $$? = 8 ]")
	text = strings.NewReplacer(" get web -w", " get web", "2026.11.22-1", "v2", "release.yaml", "config/samples/release-v2.yaml").Replace(text)
	return []string{"(kubectl() { case $1 in apply|annotate|patch) command kubectl \"$@\" --dry-run=server ;; *) command kubectl \"$@\" ;; esac; }", text, ") >&2"}
}

// The tutorial's commands do what it says, one after the other in one shell, in the folder of a checkout.
func TestTutorial(t *testing.T) {
	t.Parallel() // most of it is waiting
	up := start(t, "up")
	up.await(ready)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	lines := append(pasted(t, up.text(), "Paste this", "The load balancers"), pathLine(asPlugin(t)), "cd "+quote(root))
	commands := blocks(t, "tutorial.md")
	if len(commands) < 10 {
		t.Fatalf("the tutorial has the commands %q", commands)
	}
	live := slices.IndexFunc(commands, func(block string) bool { return strings.HasPrefix(block, "kubectl slipway rollback ") })
	out := shell(t, append(lines, slices.Insert(commands, live, guide(t)...)...))

	answers := regexp.MustCompile(`"version":"(v\d)"|^503$`)
	var got []string
	for line := range strings.Lines(out) {
		if found := answers.FindStringSubmatch(strings.TrimSpace(line)); found != nil {
			got = append(got, found[0][max(0, len(found[0])-3):])
		}
	}
	if want := []string{`v1"`, "503", `v1"`, `v1"`, `v2"`, `v1"`, `v2"`, `v1"`}; !slices.Equal(got, want) {
		t.Errorf("curl was answered by %q, want %q:\n%s", got, want, out)
	}
	for _, want := range []string{"ami-0a11ce000000000ff", "RegisterInstancesWithLoadBalancer"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing said %q:\n%s", want, out)
		}
	}
	up.interrupt()
	if status := up.status(); status != 0 {
		t.Errorf("Ctrl-C ended it with %d:\n%s", status, up.text())
	}
}
