package demo

import (
	"testing"
	"time"
)

// second gives a moment of the tests' day.
func second(s float64) time.Time {
	return time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

// Version 1 serves from 0, both from 10, version 2 alone from 20.
func testTimetable() timetable {
	var t timetable
	t.from(second(0), v1)
	t.from(second(10), v1, v2)
	t.from(second(20), v2)
	return t
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		version      string
		began, ended float64
		failure      string
		want         string
	}{
		"the one that serves":                         {version: v1, began: 5, ended: 5.1},
		"the next one, before it was asked for":       {version: v2, began: 5, ended: 5.1, want: "version v2 answered when it must not"},
		"the next one, to a request across the edit":  {version: v2, began: 9.9, ended: 10.1},
		"the former one, while both are in":           {version: v1, began: 15, ended: 15.1},
		"the next one, while both are in":             {version: v2, began: 15, ended: 15.1},
		"the former one, to a request across the end": {version: v1, began: 19.9, ended: 25},
		"the former one, at the end":                  {version: v1, began: 20, ended: 20.1, want: "version v1 answered when it must not"},
		"the former one, after the end":               {version: v1, began: 21, ended: 21.1, want: "version v1 answered when it must not"},
		"the next one, after the end":                 {version: v2, began: 21, ended: 21.1},
		"a version that nobody knows":                 {version: "v3", began: 15, ended: 15.1, want: "version v3 answered when it must not"},
		"before anybody serves":                       {version: v1, began: -2, ended: -1, want: "version v1 answered when it must not"},
		"no answer":                                   {failure: "HTTP 503 Service Unavailable", began: 5, ended: 6, want: "HTTP 503 Service Unavailable"},
		"somebody else's answer":                      {began: 5, ended: 6, want: "an answer without a version"},
	} {
		t.Run(name, func(t *testing.T) {
			got := testTimetable().judge(answer{began: second(test.began), ended: second(test.ended), version: test.version, failure: test.failure})
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
