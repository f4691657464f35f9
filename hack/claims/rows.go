package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// row is a statement about AWS and what the local AWS makes of it. In docs/local-aws.md:
//
//	| A1.2 | Too little capacity: as many as there is room for, from MinCount on | simulated | `TestPartialLaunch` |
//	| A5.3 | A terminated instance can be described for about an hour | knob | `TerminatedVisible`, `TestTerminatedIsForgotten` |
//	| A4.1 | CreateFleet | not simulated | Slipway has no use for it |
type row struct {
	id, statement, how, by string
	line                   int
}

const (
	simulated    = "simulated"
	knob         = "knob"
	notSimulated = "not simulated"
)

var (
	claimRow = regexp.MustCompile(`^\| ([A-G]\d*\.\d+[a-z]?) \| (.*?) \| ([a-z ]+?) \| (.*?) \|$`)
	quoted   = regexp.MustCompile("`([A-Za-z][A-Za-z0-9]*)`")
	function = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	field    = regexp.MustCompile(`(?m)^\t([A-Z]\w*(?:, [A-Z]\w*)*)\s+(?:\S+)`)
)

func readRows(path string) ([]row, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, line := range strings.Split(string(text), "\n") {
		if m := claimRow.FindStringSubmatch(line); m != nil {
			rows = append(rows, row{m[1], m[2], m[3], m[4], i + 1})
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no rows like | A1.1 | statement | simulated | `Test` |", path)
	}
	return rows, nil
}

// fit checks that every row can be believed: what is simulated names tests that exist and has a switch, a knob exists, and what
// is not simulated says why.
func fit(rows []row, edits []edit) error {
	tests, knobs, err := known()
	if err != nil {
		return err
	}
	byClaim, ids := map[string][]edit{}, map[string]bool{}
	var wrong []error
	for _, e := range edits {
		byClaim[e.claim] = append(byClaim[e.claim], e)
		if _, err := e.changed(); err != nil {
			wrong = append(wrong, err)
		}
	}
	for _, r := range rows {
		if ids[r.id] {
			wrong = append(wrong, fmt.Errorf("%s:%d: %s is there twice", page, r.line, r.id))
		}
		ids[r.id] = true
		wrong = append(wrong, r.wrong(tests, knobs, byClaim[r.id])...)
	}
	for _, e := range edits {
		if !ids[e.claim] {
			wrong = append(wrong, fmt.Errorf("%s: no row is called %s", e.at, e.claim))
		}
	}
	return errors.Join(wrong...)
}

func (r row) wrong(tests, knobs map[string]bool, edits []edit) []error {
	bad := func(format string, args ...any) []error {
		return []error{fmt.Errorf("%s:%d: %s: "+format, append([]any{page, r.line, r.id}, args...)...)}
	}
	shown, turned, missing := r.names(tests, knobs)
	if missing != "" {
		return bad("there is no test %s in %s", missing, code)
	}
	switch r.how {
	case notSimulated:
		if strings.TrimSpace(r.by) == "" || len(edits) > 0 {
			return bad("it says not why it is not simulated, or has a switch")
		}
	case knob:
		if turned == 0 || shown == 0 {
			return bad("it has to name a field of Knobs and a test of it")
		}
	case simulated:
		if shown == 0 || len(edits) == 0 {
			return bad("it has to name a test, and a file of %s has to switch it off", switches)
		}
	default:
		return bad("%q is none of %s, %s, %s", r.how, simulated, knob, notSimulated)
	}
	return nil
}

// names counts the tests and the knobs that a row names, and finds a test that does not exist.
func (r row) names(tests, knobs map[string]bool) (shown, turned int, missing string) {
	for _, name := range quoted.FindAllStringSubmatch(r.by, -1) {
		switch n := name[1]; {
		case strings.HasPrefix(n, "Test") && !tests[n]:
			return 0, 0, n
		case strings.HasPrefix(n, "Test"):
			shown++
		case knobs[n]:
			turned++
		}
	}
	return shown, turned, ""
}

// known are the tests of the local AWS, and the fields of its structs, knobs among them.
func known() (tests, knobs map[string]bool, err error) {
	paths, err := filepath.Glob(filepath.Join(code, "*.go"))
	if err != nil {
		return nil, nil, err
	}
	tests, knobs = map[string]bool{}, map[string]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range function.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		if !strings.HasSuffix(path, "_test.go") {
			for _, m := range field.FindAllSubmatch(text, -1) {
				for name := range strings.SplitSeq(string(m[1]), ", ") {
					knobs[name] = true
				}
			}
		}
	}
	return tests, knobs, nil
}
