package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The bank is worth something if it is large, and not one place of the product that is broken again and again.
func TestTheBankIsLargeAndWide(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	bugs, err := readBugs(folder)
	if err != nil {
		t.Fatal(err)
	}
	published, in, by := 0, map[string]int{}, map[string][]string{}
	for _, b := range bugs {
		if strings.Contains(b.source, "https://") {
			published++
		}
		dirs := map[string]bool{}
		for _, m := range changes.FindAllStringSubmatch(b.patch, -1) {
			dirs[filepath.Dir(m[1])] = true
		}
		for dir := range dirs {
			in[dir]++
		}
		for _, function := range changed(t, b) {
			by[function] = append(by[function], filepath.Base(b.file))
		}
	}
	if len(bugs) < 40 || published < 25 {
		t.Errorf("%d bugs, %d of them with a public source; it takes 40 and 25", len(bugs), published)
	}
	for _, dir := range []string{"controllers", "internal/awscloud", "internal/rollout"} {
		if in[dir] < 10 {
			t.Errorf("%d bugs in %s; it takes 10", in[dir], dir)
		}
	}
	for function, files := range by {
		if len(files) > 2 {
			t.Errorf("%d bugs in %s: %v; two are the most", len(files), function, files)
		}
	}
	if len(by) < len(bugs)/2 {
		t.Errorf("%d functions for %d bugs: changes are not seen", len(by), len(bugs))
	}
}

// changed are the functions of the product that the bug changes or takes away, as "controllers.*ReleaseReconciler.pass".
func changed(t *testing.T, b bug) (all []string) {
	t.Helper()
	dir := t.TempDir()
	if _, err := b.overlay(t.Context(), dir); err != nil {
		t.Fatalf("%s: %v", b.file, err)
	}
	for _, m := range changes.FindAllStringSubmatch(b.patch, -1) {
		was, is := functions(t, m[1]), functions(t, filepath.Join(dir, m[1]))
		for name := range was {
			if was[name] != is[name] {
				all = append(all, filepath.Dir(m[1])+"."+name)
			}
		}
	}
	slices.Sort(all)
	return all
}

// functions are those of a file, each with its text.
func functions(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	positions := token.NewFileSet()
	parsed, err := parser.ParseFile(positions, file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, declaration := range parsed.Decls {
		function, is := declaration.(*ast.FuncDecl)
		if !is {
			continue
		}
		name := function.Name.Name
		if function.Recv != nil {
			at := function.Recv.List[0].Type
			name = string(text[positions.Position(at.Pos()).Offset:positions.Position(at.End()).Offset]) + "." + name
		}
		found[name] = string(text[positions.Position(function.Pos()).Offset:positions.Position(function.End()).Offset])
	}
	return found
}
