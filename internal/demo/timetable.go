package demo

import (
	"slices"
	"time"
)

// timetable says which versions may answer at which time. Its entries are in order.
type timetable []serving

// serving is what may answer from a moment on.
type serving struct {
	from     time.Time
	versions []string
}

// from adds an entry.
func (t *timetable) from(at time.Time, versions ...string) {
	*t = append(*t, serving{at, versions})
}

// allows reports whether a version may answer a request that began and ended then: if it might serve at any time between
// the two. Before the first entry nothing may.
func (t timetable) allows(version string, began, ended time.Time) bool {
	for i, s := range t {
		over := i+1 < len(t) && !began.Before(t[i+1].from)
		if !over && !s.from.After(ended) && slices.Contains(s.versions, version) {
			return true
		}
	}
	return false
}

// judge says what is wrong with an answer; empty if nothing is.
func (t timetable) judge(a answer) string {
	switch {
	case a.failure != "":
		return a.failure
	case a.version == "":
		return "an answer without a version"
	case !t.allows(a.version, a.began, a.ended):
		return "version " + a.version + " answered when it must not"
	}
	return ""
}
