//go:build bench

package bench

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/test/e2e"
)

// coldStart is what a manager does that starts where every Release rests, until it has seen each of them once.
type coldStart struct {
	Seconds       float64 `json:"seconds"` // from its start
	EC2Reads      int     `json:"ec2_reads"`
	BalancerReads int     `json:"load_balancer_reads"`
	Passes        int     `json:"passes"`
	Mutations     int     `json:"aws_mutations"`
	Writes        int     `json:"kubernetes_writes"` // but for the lease and events
	Events        int     `json:"kubernetes_events"` // that it leads is one
	RSSMiB        float64 `json:"rss_mib"`
}

// startCold starts a manager, and measures until it was told the health of all load balancers, and the passes that asked are over.
func startCold(t *testing.T, w *e2e.World, count *counting, n int) coldStart {
	t.Helper()
	began := time.Now()
	p := w.Start()
	await(t, "every pool was asked for", time.Hour, func() bool { return count.asked(p) >= n })
	begun := count.of(p).passes
	await(t, "their passes have ended", time.Minute, func() bool { return passesEnded(t, p) >= begun })
	did := coldStart{Seconds: time.Since(began).Seconds(), RSSMiB: memoryOf(t, p.PID(), "VmRSS")}
	saw := count.of(p)
	did.Passes, did.Mutations, did.Writes, did.Events = saw.passes, saw.changes, saw.writes, saw.events
	for action, times := range saw.aws {
		switch {
		case action == "DescribeInstances", action == "DescribeInstanceStatus":
			did.EC2Reads += times
		case strings.HasPrefix(action, "DescribeLoadBalancer"), action == "DescribeInstanceHealth":
			did.BalancerReads += times
		}
	}
	return did
}

// passesEnded is how many passes over Releases the manager's metrics count, which they do at the end of each.
func passesEnded(t *testing.T, p *e2e.Process) (n int) {
	t.Helper()
	answer, err := http.Get(p.Metrics())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), "} ")
		if !strings.HasPrefix(series, `controller_runtime_reconcile_total{controller="release",`) {
			continue
		}
		times, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		n += int(times)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// failOver is how long nobody works where a second manager waits and the first is asked to end (Clean) or killed (Crash).
type failOver struct {
	// Seconds are from the signal to the first call to AWS, or reading of a Release, by the second.
	Seconds float64 `json:"seconds"`
	// EndSeconds are those of them that the first took to end.
	EndSeconds float64 `json:"end_seconds"`
}

// failsOver lets a second manager wait, ends the first, and measures until the second works.
func failsOver(t *testing.T, w *e2e.World, count *counting, end func(*e2e.Process)) failOver {
	t.Helper()
	first := w.Process()
	second := w.Start()
	await(t, "the second manager waits", time.Minute, func() bool { did := count.of(second); return did.watches && did.leases >= 3 })
	if !count.of(second).works.IsZero() {
		t.Fatal("the second manager works beside the first")
	}
	ended := time.Now()
	end(first)
	<-first.Ended
	took := failOver{EndSeconds: time.Since(ended).Seconds()}
	await(t, "the second manager works", time.Minute, func() bool { return !count.of(second).works.IsZero() })
	took.Seconds = count.of(second).works.Sub(ended).Seconds()
	return took
}
