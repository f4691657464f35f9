package hack

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	fenced  = regexp.MustCompile("(?ms)^ *(```+).*?^ *```+ *$")
	code    = regexp.MustCompile("`[^`\n]*`")
	place   = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	route   = regexp.MustCompile(`link: '?(/[^\s']*)`)
)

// Whatever a page links to is there: the file, and the heading in it. Pages of the site are linked to without .md in its own
// configuration.
func TestLinks(t *testing.T) {
	checked := 0
	for _, page := range pages(t) {
		text := read(t, page)
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(fenced.ReplaceAllString(text, ""), ""), -1) {
			if strings.Contains(found[1], "://") || strings.HasPrefix(found[1], "mailto:") {
				continue
			}
			checked++
			path, anchor, _ := strings.Cut(found[1], "#")
			to := page
			if path != "" {
				to = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", page, found[1])
				continue
			}
			if anchor != "" && strings.HasSuffix(to, ".md") && !anchors(read(t, to))[anchor] {
				t.Errorf("%s links to %s, and there is no such heading", page, found[1])
			}
		}
	}
	for _, file := range []string{"../docs/.vitepress/config.mts", "../docs/index.md"} {
		for _, found := range route.FindAllStringSubmatch(read(t, file), -1) {
			checked++
			if _, err := os.Stat(filepath.Join("../docs", found[1]+".md")); err != nil {
				t.Errorf("%s links to %s: %v", file, found[1], err)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were found", checked)
	}
}

// pages are all Markdown files of the repository.
func pages(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "bin" || entry.Name() == ".git" || entry.Name() == "out"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// anchors are the names under which the headings of a page can be linked to: in lower case, without punctuation, with hyphens for
// spaces; and the places that have a name without being headings.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, found := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		text := link.ReplaceAllString(found[1], "]")
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, strings.TrimSpace(text))
		all[name] = true
	}
	for _, found := range place.FindAllStringSubmatch(page, -1) {
		all[found[1]] = true
	}
	return all
}
