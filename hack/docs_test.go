package hack

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// importRules are what verify-imports.sh checks, by package: the line's two last words.
func importRules(t *testing.T) map[string][][]string {
	t.Helper()
	rules := map[string][][]string{}
	for _, found := range regexp.MustCompile(`(?m)^check (\S+) +(\w+) +"(.*?)"`).FindAllStringSubmatch(read(t, "verify-imports.sh"), -1) {
		path := strings.TrimSuffix(strings.Replace(found[1], "api/", "api/v1alpha1/", 1), "/...")
		if path == "." {
			path = "main.go"
		}
		rules[path] = append(rules[path], found[2:])
	}
	return rules
}

// importTable are the rows of the design's tables of who may import whom.
func importTable(t *testing.T) map[string][2]string {
	t.Helper()
	rows := map[string][2]string{}
	for _, found := range regexp.MustCompile("(?m)^\\| `(.+?)` \\| (.+) \\| (.+) \\|$").FindAllStringSubmatch(read(t, "../docs/design/loop.md"), -1) {
		rows[found[1]] = [2]string{found[2], found[3]}
	}
	return rows
}

// The design's table and the check say the same of the same packages.
func TestTheTableOfImportsIsWhatIsChecked(t *testing.T) {
	rules, rows := importRules(t), importTable(t)
	if got, want := slices.Sorted(maps.Keys(rows)), slices.Sorted(maps.Keys(rules)); !slices.Equal(got, want) {
		t.Fatalf("loop.md has rows for\n%v, verify-imports.sh checks\n%v", got, want)
	}
	said := map[string]string{"$sdk": "the AWS SDK", "$kubernetes": "Kubernetes"}
	for path, checks := range rules {
		for _, check := range checks {
			if check[0] == "never" {
				for name := range strings.SplitSeq(check[1], "|") {
					if !strings.Contains(rows[path][1], said[name]) {
						t.Errorf("%s: loop.md does not say that it never imports %s", path, said[name])
					}
				}
				continue
			}
			for _, name := range regexp.MustCompile(`[a-z]+`).FindAllString(strings.TrimPrefix(check[1], "$ours/"), -1) {
				itself := name == "internal" || name == "config" || slices.Contains(strings.Split(path, "/"), name)
				if !itself && !strings.Contains(rows[path][0], "`"+name+"`") && !strings.Contains(rows[path][0], "/"+name+"`") {
					t.Errorf("%s: loop.md does not say that it may import %s", path, name)
				}
			}
		}
	}
}

// What is kept in an annotation is in the design's table of what is remembered.
func TestMemoryNamesEveryAnnotation(t *testing.T) {
	page, found := read(t, "../docs/design/memory.md"), 0
	for _, folder := range []string{"../controllers", "../api/v1alpha1"} {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, constant := range regexp.MustCompile(`\b[aA]nnotation\w+ += "(slipway\.dev/.+)"`).FindAllStringSubmatch(read(t, file), -1) {
				found++
				if !strings.Contains(page, "`"+constant[1]+"`") {
					t.Errorf("memory.md does not name %s, of %s", constant[1], file)
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d annotations", found)
	}
}

// Whoever looks for the place of a scenario finds every file that has some.
func TestContributingNamesTheFilesOfScenarios(t *testing.T) {
	text := read(t, "../CONTRIBUTING.md")
	_, text, _ = strings.Cut(text, "### A scenario")
	text, _, _ = strings.Cut(text, "```")
	files, err := filepath.Glob("../test/e2e/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, file := range files {
		name := filepath.Base(file)
		there = append(there, name)
		machinery := name == "scenario.go" || strings.HasSuffix(name, "_test.go")
		if !machinery && strings.Contains(read(t, file), "[]Scenario") && !strings.Contains(text, "`"+name+"`") {
			t.Errorf("CONTRIBUTING.md does not name %s", name)
		}
	}
	for _, named := range regexp.MustCompile("`([a-z]+\\.go)`").FindAllStringSubmatch(text, -1) {
		if !slices.Contains(there, named[1]) {
			t.Errorf("CONTRIBUTING.md names %s, which is not there", named[1])
		}
	}
}

// `kubebuilder create api` reads both.
func TestKubebuilderKnowsTheProject(t *testing.T) {
	project := read(t, "../PROJECT")
	for _, kind := range []string{"Release", "ReleaseClass"} {
		_, resource, found := strings.Cut(project, "  kind: "+kind+"\n")
		before, _, _ := strings.Cut(project, "  kind: "+kind+"\n")
		before = before[strings.LastIndex(before, "- api:"):]
		if !found || !strings.Contains(before, "  controller: true\n") || !strings.Contains(resource, "  version: v1alpha1\n") {
			t.Errorf("PROJECT lacks the controller or the version of %s:\n%s", kind, before)
		}
	}
	read(t, "boilerplate.go.txt")
}
