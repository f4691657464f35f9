package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/playground"
	"slipway.dev/slipway/internal/swap"
)

// steady gives answers at the demo's rate for so many seconds from the timetable's beginning.
func steady(listener string, seconds float64) []answer {
	var all []answer
	for i := range int(seconds * Rate) {
		at := second(float64(i) / Rate)
		version := v1
		if !at.Before(second(20)) {
			version = v2
		}
		all = append(all, answer{listener: listener, began: at, ended: at.Add(time.Millisecond), version: version})
	}
	return all
}

// sentFor is a stream to listeners for so many seconds from the timetable's beginning.
func sentFor(seconds float64, listeners ...string) stream {
	return stream{listeners: listeners, began: second(0), ended: second(seconds)}
}

func TestReportOfAGoodRun(t *testing.T) {
	r := newReport()
	r.judge(append(steady("prod-classic", 30), steady("prod-alb", 30)...), sentFor(30, "prod-alb", "prod-classic"), testTimetable())
	promote := map[string]int{registerClassic: 1, registerTargets: 1, deregisterClassic: 2, deregisterTargets: 1}
	r.add(step{version: v2, kind: promotion}, swap.Swap{Took: 7 * time.Second, Bound: 6500 * time.Millisecond}, promote)
	r.add(step{version: v2, kind: rollback}, swap.Swap{Took: 5 * time.Second, Bound: 4 * time.Second}, promote)
	r.add(step{version: v2, kind: promotion}, swap.Swap{Took: 6 * time.Second, Bound: 4400 * time.Millisecond}, promote)
	r.close(time.Now(), []localaws.Entry{{Call: &localaws.CallEntry{Service: "elb", Action: registerClassic, Who: localaws.Caller{AccessKey: playground.ManagerKey}}}})
	if r.OK {
		t.Error("a report is good before the world was put away")
	}
	r.Finish(patience, nil)

	if !r.OK || r.Requests != 60*Rate || r.FailedRequests != 0 {
		t.Errorf("ok %t, %d requests, %d failed: %q", r.OK, r.Requests, r.FailedRequests, r.Problems)
	}
	if diff := cmp.Diff(map[string]tally{"prod-classic": {v1: 20 * Rate, v2: 10 * Rate}, "prod-alb": {v1: 20 * Rate, v2: 10 * Rate}}, r.Answers); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	// Of two promotions, the one that took longer above its bound.
	if r.PromoteSeconds != 6 || r.PromoteBoundSeconds != 4.4 || r.RollbackSeconds != 5 || r.RollbackBoundSeconds != 4 || r.MutationsPerPromote != 5 {
		t.Errorf("figures: %+v", r)
	}
}

// What the file is to have, by name.
func TestReportFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out", "demo.json")
	r := newReport()
	r.close(time.Now(), nil)
	r.Finish(80*time.Second, nil)
	if err := r.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"promote_seconds", "rollback_seconds", "promote_bound_seconds", "rollback_bound_seconds", "requests",
		"failed_requests", "mutations_per_promote", "aws_calls", "settings", "total_seconds", "ok"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %s in %v", key, slices.Sorted(maps.Keys(got)))
		}
	}
	if settings, _ := got["settings"].(map[string]any); settings["health_check_interval"] != "5s" || settings["classic_connection_draining"] != "5s" {
		t.Errorf("settings: %v", got["settings"])
	}
}

func TestReportOfABadRun(t *testing.T) {
	good := steady("prod-classic", 30)
	sent := sentFor(30, "prod-classic")
	for name, test := range map[string]struct {
		spoil   func(*Report)
		took    time.Duration
		stopped error
		failed  int
		want    string
	}{
		"requests without an answer": {
			spoil: func(r *Report) {
				answers := slices.Clone(good)
				answers[100].failure, answers[200].failure = "HTTP 503 Service Unavailable", "HTTP 503 Service Unavailable"
				r.judge(answers, sent, testTimetable())
			},
			failed: 2,
			want:   "2 of the requests that began from 09:00:00.500 to 09:00:01.000, to prod-classic: HTTP 503 Service Unavailable",
		},
		"the former version after it was out": {
			spoil: func(r *Report) {
				answers := slices.Clone(good)
				answers[25*Rate].version = v1
				r.judge(answers, sent, testTimetable())
			},
			failed: 1,
			want:   "version v1 answered when it must not",
		},
		"thin traffic": {
			spoil: func(r *Report) {
				r.judge(append(slices.Clone(good[:20*Rate]), good[len(good)-1]), sent, testTimetable())
			},
			want: "too busy for the traffic",
		},
		"traffic that ended early": {
			spoil: func(r *Report) { r.judge(good[:20*Rate], sent, testTimetable()) },
			want:  "prod-classic got 4000 requests in 30 s instead of 6000",
		},
		"a listener that was never asked": {
			spoil: func(r *Report) { r.judge(good, sentFor(30, "prod-alb", "prod-classic"), testTimetable()) },
			want:  "prod-alb got 0 requests in 30 s instead of 6000",
		},
		"a demo that took long": {
			took: 151 * time.Second,
			want: "all of it took 151 s, from the start of the world to its end; the goal is at most 150 s",
		},
		"a world that was not put away": {
			stopped: errors.New("the manager was killed"),
			want:    "the world was not put away in order: the manager was killed",
		},
		"a slow rollback": {
			spoil: func(r *Report) {
				r.add(step{version: v2, kind: rollback}, swap.Swap{Took: 9601 * time.Millisecond, Bound: 8 * time.Second}, nil)
			},
			want: "roll back v2 took 9.60 s, 1.60 s above",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReport()
			if test.spoil != nil {
				test.spoil(r)
			}
			r.close(time.Now(), nil)
			r.Finish(test.took, test.stopped)
			if r.OK || r.FailedRequests != test.failed || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], test.want) {
				t.Errorf("ok %t, %d failed, problems %q; want %d failed and %q", r.OK, r.FailedRequests, r.Problems, test.failed, test.want)
			}
			var table strings.Builder
			r.WriteTable(&table)
			if !strings.Contains(table.String(), "FAILED: "+r.Problems[0]) || strings.Contains(table.String(), "\nok:") {
				t.Errorf("the table hides it:\n%s", table.String())
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	r := newReport()
	for range maxProblems + 5 {
		r.problem("something")
	}
	r.close(time.Now(), nil)
	r.Finish(time.Minute, nil)
	if len(r.Problems) != maxProblems+1 || r.Problems[maxProblems] != "and 5 more" || r.OK {
		t.Errorf("%d problems, the last one %q", len(r.Problems), r.Problems[len(r.Problems)-1])
	}
}

// A breach that stops the demo is one problem, and not two; another error is one beside it.
func TestReportTellsABreachOnce(t *testing.T) {
	const breach = "law 1: DeregisterTargets takes 2 healthy servers out of api"
	for name, test := range map[string]struct {
		err  error
		want []string
	}{
		"a breach ended it":           {fmt.Errorf("promote 2: %w", errBroken), []string{"broken " + breach}},
		"something else ended it":     {errors.New("promote 2: not after 2m0s"), []string{"the demo stopped: promote 2: not after 2m0s", "broken " + breach}},
		"a breach in its last moment": {nil, []string{"broken " + breach}},
	} {
		r := newReport()
		r.ended(test.err, []string{breach})
		if diff := cmp.Diff(test.want, r.Problems); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
