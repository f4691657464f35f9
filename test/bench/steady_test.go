//go:build bench

package bench

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/figures"
)

var (
	steadyReleases = flag.String("bench.releases", "1,100", "how many Releases rest, in worlds one after the other")
	steadyFor      = flag.Duration("bench.for", 5*time.Minute, "how long they are measured")
)

// eachHas is how many servers a Release of the steady state has.
const eachHas = 10

// steady is what Releases at rest cost a minute, in real time, with the manager as a process of its own.
type steady struct {
	Releases        int     `json:"releases"`
	Servers         int     `json:"servers"`
	Minutes         float64 `json:"minutes"`
	EC2Reads        float64 `json:"ec2_reads_a_minute"`
	BalancerReads   float64 `json:"load_balancer_reads_a_minute"`
	OtherReads      float64 `json:"other_reads_a_minute"` // who we are: STS
	Mutations       int     `json:"aws_mutations"`
	Writes          int     `json:"kubernetes_writes"` // but for the lease
	CPUMilliseconds float64 `json:"cpu_ms_a_minute"`
	RSSMiB          float64 `json:"rss_mib"`
	SetUpSeconds    float64 `json:"set_up_seconds"` // from nothing to rest, under the limits that we keep to
}

// counting counts the calls of the manager.
type counting struct {
	mu             sync.Mutex
	aws            map[string]int // by action
	writes, change int
}

func (c *counting) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	c.mu.Lock()
	switch {
	case call.To == "aws":
		c.aws[call.What]++
		if call.Writes {
			c.change++
		}
	case call.Writes && !call.Lease:
		c.writes++
	}
	c.mu.Unlock()
	return send()
}

// begin counts from zero.
func (c *counting) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aws, c.writes, c.change = map[string]int{}, 0, 0
}

// sum adds what was counted to a row.
func (c *counting) sum(row *steady) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row.Writes, row.Mutations = c.writes, c.change
	for action, n := range c.aws {
		of := &row.BalancerReads
		switch {
		case action == "DescribeInstances", action == "DescribeInstanceStatus":
			of = &row.EC2Reads
		case action == "GetCallerIdentity", action == "AssumeRole":
			of = &row.OtherReads
		}
		*of += float64(n) / row.Minutes
	}
}

// TestSteady measures Releases at rest: out/bench-steady.json.
func TestSteady(t *testing.T) {
	report := struct {
		figures.Provenance
		Rows []steady `json:"rows"`
	}{Provenance: measured(t)}
	machine := machineFor(t)
	for _, text := range strings.Split(*steadyReleases, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(text, func(t *testing.T) { report.Rows = append(report.Rows, steadyState(t, machine, n)) })
	}
	write(t, "bench-steady.json", report)
}

// machineFor builds the manager, and starts an API server.
func machineFor(t *testing.T) e2e.Machine {
	t.Helper()
	machine := e2e.Machine{Manager: filepath.Join(t.TempDir(), "manager")}
	if out, err := exec.Command("go", "build", "-o", machine.Manager, "slipway.dev/slipway").CombinedOutput(); err != nil {
		t.Fatalf("building the manager: %v\n%s", err, out)
	}
	plane, err := controlplane.Start(context.Background(), controlplane.Options{CRDPaths: []string{root + "/config/crd/bases"}, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	machine.Plane = plane
	return machine
}

// steadyState brings n Releases to rest, each with a classic load balancer, and measures them.
func steadyState(t *testing.T, machine e2e.Machine, n int) steady {
	count, began := &counting{aws: map[string]int{}}, time.Now()
	w := e2e.NewReal(playing{t, fmt.Sprintf("%d Releases at rest", n)}, machine, e2e.Plain(), count.tap)
	w.Unjudged()
	for i := range n {
		name := fmt.Sprintf("web-%d", i)
		w.MakeClassic(name, true)
		w.Create(w.NewRelease(func(rel *v1alpha1.Release) {
			rel.Name, rel.Spec.Replicas = name, eachHas
			rel.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("edge", name)}}
			rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
		}))
	}
	for i := range n {
		w.UntilWithin(fmt.Sprintf("web-%d is complete", i), time.Hour, func() bool { return w.Ready(fmt.Sprintf("web-%d", i)) })
	}
	w.Pass(2 * time.Minute) // what goes on behind the last Ready
	row := steady{Releases: n, Servers: n * eachHas, SetUpSeconds: time.Since(began).Seconds()}
	count.begin()
	start, before := time.Now(), cpuOf(t, w.Process().PID())
	w.Pass(*steadyFor)
	row.Minutes = time.Since(start).Minutes()
	row.CPUMilliseconds = float64((cpuOf(t, w.Process().PID()) - before).Milliseconds()) / row.Minutes
	row.RSSMiB = rssOf(t, w.Process().PID())
	count.sum(&row)
	return row
}

// cpuOf is the processor time that a process has used: fields 14 and 15 of its stat, in hundredths of a second.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // from the third on
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// rssOf is the memory of a process that is in use, in MiB.
func rssOf(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, "VmRSS:"); is {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib / 1024
		}
	}
	t.Fatal("no VmRSS in /proc")
	return 0
}
