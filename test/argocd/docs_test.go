package argocd

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const samples = root + "/config/samples/gitops"

// blocks are the yaml and lua blocks of a page, each with the file that the text before it names last.
func blocks(t *testing.T, page string) (all []struct{ file, text string }) {
	t.Helper()
	named := regexp.MustCompile("`((?:config|docs)/[a-zA-Z0-9_./-]+\\.(?:yaml|lua))`")
	file := ""
	lines := strings.Split(string(read(t, page)), "\n")
	for i := 0; i < len(lines); i++ {
		if found := named.FindAllStringSubmatch(lines[i], -1); found != nil {
			file = found[len(found)-1][1]
		}
		if lines[i] != "```yaml" && lines[i] != "```lua" {
			continue
		}
		end := i + 1 + slices.Index(lines[i+1:], "```")
		all = append(all, struct{ file, text string }{file, strings.Join(lines[i+1:end], "\n") + "\n"})
		file, i = "", end
	}
	return all
}

// Whoever copies a block from the page has what is tested: it is in the file that is named above it, line by line.
func TestBlocksOfThePageAreInTheirFiles(t *testing.T) {
	all := blocks(t, root+"/docs/gitops.md")
	if len(all) < 6 {
		t.Errorf("%d blocks", len(all))
	}
	for _, block := range all {
		if block.file == "" {
			t.Errorf("no file is named before this block:\n%s", block.text)
			continue
		}
		if !within(string(read(t, filepath.Join(root, block.file))), block.text) {
			t.Errorf("%s has no such lines:\n%s", block.file, block.text)
		}
	}
}

// within: the lines are in the file, one after the other, at the same or at a deeper indentation.
func within(file, block string) bool {
	for indent := range 9 {
		lines := strings.SplitAfter(block, "\n")
		for i, line := range lines {
			if strings.TrimSpace(line) != "" {
				lines[i] = strings.Repeat(" ", indent) + line
			}
		}
		if strings.Contains("\n"+file, "\n"+strings.Join(lines, "")) {
			return true
		}
	}
	return false
}

// Every file of the samples is on the page.
func TestThePageNamesTheSamples(t *testing.T) {
	page := string(read(t, root+"/docs/gitops.md"))
	err := filepath.WalkDir(samples, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.Contains(page, strings.TrimPrefix(path, samples+"/")) && entry.Name() != "kustomization.yaml" {
			t.Errorf("the page does not name %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The folders of the layout build, alone and with the smoke test.
func TestTheLayoutBuilds(t *testing.T) {
	layout := t.TempDir()
	if err := os.CopyFS(layout, os.DirFS(samples)); err != nil {
		t.Fatal(err)
	}
	for _, recipe := range []string{"phase-in-git", "phase-left-out"} {
		text := "resources: [../" + recipe + "]\ncomponents: [../smoke]\n"
		folder := filepath.Join(layout, "with-smoke-"+recipe)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			t.Fatal(err)
		}
		written, err := built.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"slipway.dev/argocd-preview-health: Healthy", "argocd.argoproj.io/hook: PostSync", "kind: Release"} {
			if !strings.Contains(string(written), want) {
				t.Errorf("%s with the smoke test lacks %q:\n%s", recipe, want, written)
			}
		}
		if strings.Contains(string(written), "\n  phase: ") != (recipe == "phase-in-git") {
			t.Errorf("%s:\n%s", recipe, written)
		}
	}
}
