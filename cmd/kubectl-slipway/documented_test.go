package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// advice are the files that tell people what to type.
func advice(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	texts := map[string]string{}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "docs", "config", "charts"} {
		err := filepath.WalkDir(filepath.Join(root, name), func(path string, entry fs.DirEntry, err error) error {
			if entry != nil && entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".vitepress" || entry.Name() == "cli") {
				return fs.SkipDir // the reference is generated
			}
			if err != nil || entry.IsDir() || !strings.Contains(".md .yaml .txt", filepath.Ext(path)) || filepath.Ext(path) == "" {
				return err
			}
			text, err := os.ReadFile(path)
			texts[strings.TrimPrefix(path, root+string(filepath.Separator))] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

var (
	// inCode is a command between backquotes, or on a line of its own, as in a block, a comment or an annotation.
	inCode = regexp.MustCompile("`(kubectl slipway[^`\n]*)`|(?m)^[ #]*(?:\\$ )?(kubectl slipway [^`\n]*)$")
	word   = regexp.MustCompile(`'[^']*'?|"[^"]*"?|[^\s'"]+`)
	ends   = regexp.MustCompile(`^(#|&&|\|\|?|>|;)`)
)

// words are those of one command, without what a shell does with it.
func words(line string) []string {
	var all []string
	for _, w := range word.FindAllString(line, -1) {
		if ends.MatchString(w) {
			break
		}
		all = append(all, strings.Trim(w, `'"`))
	}
	return all
}

// Whatever the documents, manifests and the chart tell people to type is a command that there is, with flags that it has.
func TestWhatIsDocumentedCanBeTyped(t *testing.T) {
	found := 0
	for path, text := range advice(t) {
		for _, match := range inCode.FindAllStringSubmatch(text, -1) {
			line := strings.TrimRight(match[1]+match[2], " \\")
			args := words(line)[2:]
			if len(args) == 0 || strings.Contains(line, "{{") {
				continue
			}
			found++
			if err := typed(args); err != nil {
				t.Errorf("%s: %s: %v", path, line, err)
			}
		}
	}
	if found < 50 {
		t.Errorf("found %d commands", found)
	}
}

// typed fails where the words are no command of ours. A command alone stands for itself in a sentence: it needs no arguments there.
func typed(args []string) error {
	cmd, rest, err := newRoot().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if len(rest) == 0 {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

func TestWhatIsNoCommandIsFound(t *testing.T) {
	for line, wrong := range map[string]bool{
		"promote web -y": false, "get": false, "promote": false, "local up": false,
		"prmote web": true, "promote web --yess": true, "promote web extra": true, "status web --for=": false, "doctr": true, "promote -y": true,
	} {
		if err := typed(words(line)); (err != nil) != wrong {
			t.Errorf("%s: %v", line, err)
		}
	}
}
