package localaws

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxFilterValues is how many values all filters of a call may have together. Seen as FilterLimitExceeded «The maximum
// number of filter values specified on a single call is 200» (gossm pull request 35).
const maxFilterValues = 200

// filterable is how the filters of one kind of resource read it: a field for each filter name, and its tags for
// tag:<key>, tag-key and tag-value; tags may be nil.
type filterable[T any] struct {
	fields map[string]func(T) []string
	tags   func(T, time.Time) map[string]string
}

// compile reads the call's filters (Filter.N.Name, Filter.N.Value.N) into one test. Values of one filter are
// alternatives, all filters must match. A filter that is not known is refused by name.
func (f filterable[T]) compile(q *call) (func(T) bool, *apiError) {
	var tests []func(T) bool
	total := 0
	for _, filter := range q.structs("Filter") {
		name, values := filter.str("Name"), filter.list("Value")
		if len(values) == 0 {
			return nil, refuse("MissingParameter", "The request must contain the parameter Value of the filter '%s'", name)
		}
		read := f.reader(name, q.at)
		if read == nil {
			return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		want := newValueSet(values, q.realm.c.knobs.QuestionMarksAreText)
		tests = append(tests, func(v T) bool { return slices.ContainsFunc(read(v), want.has) })
		total += len(values)
	}
	if total > maxFilterValues {
		return nil, refuse("FilterLimitExceeded", "The maximum number of filter values specified on a single call is %d", maxFilterValues)
	}
	return func(v T) bool {
		for _, test := range tests {
			if !test(v) {
				return false
			}
		}
		return true
	}, nil
}

// reader is what a filter looks at, nil if there is no such filter.
func (f filterable[T]) reader(name string, now time.Time) func(T) []string {
	if read, ok := f.fields[name]; ok {
		return read
	}
	if f.tags == nil {
		return nil
	}
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		return func(v T) []string {
			if value, has := f.tags(v, now)[key]; has {
				return []string{value}
			}
			return nil
		}
	}
	switch name {
	case "tag-key":
		return func(v T) []string { return slices.Collect(maps.Keys(f.tags(v, now))) }
	case "tag-value":
		return func(v T) []string { return slices.Collect(maps.Values(f.tags(v, now))) }
	}
	return nil
}

// valueSet is the values of one filter.
type valueSet struct {
	exact    map[string]bool
	patterns []string
}

// newValueSet takes question marks as text if asked to (Knobs.QuestionMarksAreText).
func newValueSet(values []string, plainMarks bool) valueSet {
	s := valueSet{exact: make(map[string]bool, len(values))}
	for _, v := range values {
		if plainMarks {
			v = strings.ReplaceAll(v, "?", `\?`)
		}
		if strings.ContainsAny(v, `*?\`) {
			s.patterns = append(s.patterns, v)
		} else {
			s.exact[v] = true
		}
	}
	return s
}

func (s valueSet) has(v string) bool { return s.exact[v] || matchesAny(s.patterns, v) }

// matches compares with AWS's wildcards: * is any text, ? any one character, and a backslash takes the next one as it
// is (SDK documentation of the Describe calls' filters). It is case-sensitive.
func matches(pattern, s string) bool {
	// A match need only be retried from the last star: what an earlier star could swallow more, the last one can too.
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, i
			p++
			continue
		}
		if width, size := literal(pattern[p:], s[i:]); width > 0 {
			p, i = p+width, i+size
			continue
		}
		if star < 0 {
			return false
		}
		_, size := utf8.DecodeRuneInString(s[mark:])
		mark += size
		p, i = star+1, mark
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// literal is how much of the pattern's beginning matches the text's first character, and the size of that; width 0: it does not.
func literal(pattern, s string) (width, size int) {
	_, size = utf8.DecodeRuneInString(s)
	switch {
	case pattern == "":
		return 0, size
	case pattern[0] == '?':
		return 1, size
	case pattern[0] == '\\' && len(pattern) > 1:
		if strings.HasPrefix(pattern[1:], s[:size]) {
			return 1 + size, size
		}
		return 0, size
	case strings.HasPrefix(pattern, s[:size]):
		return size, size
	}
	return 0, size
}

// matchesAny reports whether one of the patterns matches.
func matchesAny(patterns []string, s string) bool {
	for _, p := range patterns {
		if matches(p, s) {
			return true
		}
	}
	return false
}
