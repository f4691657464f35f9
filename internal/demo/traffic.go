package demo

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

const (
	// requestTimeout is when a request counts as failed.
	requestTimeout = 10 * time.Second
	// workers is how many requests to one listener may be under way at a time: enough for two seconds of silence. All of
	// them are there from the beginning, for vegeta adds workers in a loop without a pause, thousands of them, where the
	// machine is too busy to let one begin.
	workers = 2 * Rate
)

// answer is one request of the traffic and what came of it.
type answer struct {
	listener     string
	began, ended time.Time
	version      string
	failure      string // why there is no good answer
}

// traffic is a steady stream of requests to listeners, as from many users: requests begin at their time whether or not
// earlier ones were answered.
type traffic struct {
	attackers []*vegeta.Attacker
	sent      stream
	done      sync.WaitGroup

	mu      sync.Mutex
	answers []answer
}

// stream is which listeners requests were sent to, and from when to when.
type stream struct {
	listeners    []string
	began, ended time.Time
}

// startTraffic sends each listener so many requests a second, until stop.
func startTraffic(listeners map[string]string, rate int) *traffic {
	t := &traffic{sent: stream{listeners: slices.Sorted(maps.Keys(listeners)), began: time.Now()}}
	for _, name := range t.sent.listeners {
		attacker := vegeta.NewAttacker(vegeta.Timeout(requestTimeout), vegeta.Workers(workers), vegeta.MaxWorkers(workers))
		t.attackers = append(t.attackers, attacker)
		results := attacker.Attack(
			vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: listeners[name] + "/"}),
			vegeta.Rate{Freq: rate, Per: time.Second}, 0, name)
		t.done.Go(func() {
			for r := range results {
				t.add(answer{listener: name, began: r.Timestamp, ended: r.End(), version: r.Headers.Get("X-Version"), failure: failure(r)})
			}
		})
	}
	return t
}

// failure says why a result is no good answer; empty if it is one.
func failure(r *vegeta.Result) string {
	switch {
	case r.Code == 0:
		return r.Error
	case r.Code != http.StatusOK:
		return fmt.Sprintf("HTTP %d %s", r.Code, http.StatusText(int(r.Code)))
	}
	return r.Error
}

func (t *traffic) add(a answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers = append(t.answers, a)
}

// stop ends the stream and gives all answers, once those under way have come.
func (t *traffic) stop() ([]answer, stream) {
	t.sent.ended = time.Now()
	for _, a := range t.attackers {
		a.Stop()
	}
	t.done.Wait()
	return t.answers, t.sent
}

// since gives the answers after the first n, and how many there are now.
func (t *traffic) since(n int) ([]answer, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.answers[n:]), len(t.answers)
}

// tally counts answers by version; failures count as "failed".
type tally map[string]int

func tallyOf(answers []answer) tally {
	counts := tally{}
	for _, a := range answers {
		if a.failure != "" {
			counts["failed"]++
		} else {
			counts[a.version]++
		}
	}
	return counts
}

// String is "v1 1200, v2 400".
func (t tally) String() string {
	if len(t) == 0 {
		return "none"
	}
	var parts []string
	for _, version := range slices.Sorted(maps.Keys(t)) {
		parts = append(parts, fmt.Sprintf("%s %d", version, t[version]))
	}
	return strings.Join(parts, ", ")
}
