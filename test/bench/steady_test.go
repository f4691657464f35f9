//go:build bench

package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/figures"
)

var (
	steadyReleases = flag.String("bench.releases", "1,100", "how many Releases rest, in worlds one after the other")
	steadyServers  = flag.String("bench.servers", "10", "how many servers each of them has: the same in all worlds, or a number for each")
	steadyFor      = flag.Duration("bench.for", 5*time.Minute, "how long they are measured")
)

// restsAfter is for how long EC2 is not swept where every Release rests: the sweeps for those come 50 s apart and more, and each look
// at one that does not rest asks for one that is a second old.
const restsAfter = 30 * time.Second

// resting is how many Releases rest in a world, and how many servers each has.
type resting struct{ releases, each int }

func (r resting) String() string { return fmt.Sprintf("%d Releases of %d servers", r.releases, r.each) }

// restings reads the flags: worlds one after the other.
func restings(releases, servers string) (all []resting, err error) {
	texts, each := strings.Split(releases, ","), strings.Split(servers, ",")
	if len(each) == 1 {
		each = slices.Repeat(each, len(texts))
	}
	if len(each) != len(texts) {
		return nil, fmt.Errorf("%d worlds, and servers for %d", len(texts), len(each))
	}
	for i := range texts {
		var r resting
		r.releases, err = strconv.Atoi(texts[i])
		if err == nil {
			r.each, err = strconv.Atoi(each[i])
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// steady is what Releases at rest cost, in real time, with the manager as a process of its own.
type steady struct {
	Releases        int     `json:"releases"`
	Servers         int     `json:"servers"`
	SetUpSeconds    float64 `json:"set_up_seconds"` // from nothing to rest, by toRest
	Minutes         float64 `json:"minutes"`
	EC2Reads        float64 `json:"ec2_reads_a_minute"`
	BalancerReads   float64 `json:"load_balancer_reads_a_minute"`
	OtherReads      float64 `json:"other_reads_a_minute"` // who we are: STS
	Mutations       int     `json:"aws_mutations"`
	Writes          int     `json:"kubernetes_writes"` // but for the lease and events
	Events          int     `json:"kubernetes_events"`
	CPUMilliseconds float64 `json:"cpu_ms_a_minute"`
	RSSMiB          float64 `json:"rss_mib"`
	FileMiB         float64 `json:"rss_file_mib"` // of that, the program itself
	PeakRSSMiB      float64 `json:"rss_peak_mib"` // since the start of the process, which was cold
	// Heap is what of it is alive, and who made most of that: the profile itself is out/heap-RELEASESxSERVERS.pb.gz.
	Heap []string `json:"heap"`

	ColdStart coldStart `json:"cold_start"`
	Rest      float64   `json:"rests_after_seconds"` // from the cold start until nothing but glances was made for a while
	Clean     failOver  `json:"fail_over_clean"`
	Crash     failOver  `json:"fail_over_crash"`
}

// sum adds what a process did in a while at rest to a row.
func (row *steady) sum(did tally) {
	row.Writes, row.Mutations, row.Events = did.writes, did.changes, did.events
	for action, n := range did.aws {
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

// rests is out/bench-steady.json.
type rests struct {
	figures.Provenance
	Rows []steady `json:"rows"`
}

// TestSteady measures Releases at rest: out/bench-steady.json.
func TestSteady(t *testing.T) {
	worlds, err := restings(*steadyReleases, *steadyServers)
	if err != nil {
		t.Fatal(err)
	}
	report := rests{Provenance: measured(t)}
	machine := machineFor(t)
	for _, r := range worlds {
		t.Run(r.String(), func(t *testing.T) { report.Rows = append(report.Rows, steadyState(t, machine, r)) })
	}
	write(t, "bench-steady.json", report)
}

// machineFor builds the manager, and starts an API server.
func machineFor(t *testing.T) e2e.Machine {
	t.Helper()
	machine := e2e.Machine{Manager: filepath.Join(t.TempDir(), "manager"), Metrics: true, Profiles: true, Concurrent: 32} // as by default
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

// steadyState brings Releases to rest, each with a classic load balancer, and measures them.
func steadyState(t *testing.T, machine e2e.Machine, r resting) steady {
	n, count, began := r.releases, newCounting(), time.Now()
	w := e2e.NewReal(playing{t, fmt.Sprintf("%d Releases at rest", n)}, machine, unlimited(), count.tap)
	w.Unjudged()
	w.AWS.Hook(count.hook)
	toRest(t, w, count, r)
	row := steady{Releases: n, Servers: n * r.each, SetUpSeconds: time.Since(began).Seconds()}
	w.AWS.Tune(byTheBook)
	w.AWS.TrimLedger(w.AWS.LastSeq())
	t.Logf("%s rest after %.0f s", r, row.SetUpSeconds)

	started := time.Now()
	row.ColdStart = startCold(t, w, count, n)
	t.Logf("cold start: %+v", row.ColdStart)
	p := w.Process()
	awaitRest(t, w, count, p, n)
	row.Rest = time.Since(started).Seconds()
	count.begin(p)
	start, before := time.Now(), cpuOf(t, p.PID())
	w.Clock.Advance(*steadyFor)
	row.Minutes = time.Since(start).Minutes()
	row.CPUMilliseconds = float64((cpuOf(t, p.PID()) - before).Milliseconds()) / row.Minutes
	row.RSSMiB, row.PeakRSSMiB = memoryOf(t, p.PID(), "VmRSS"), memoryOf(t, p.PID(), "VmHWM")
	row.FileMiB = memoryOf(t, p.PID(), "RssFile")
	row.Heap = heapOf(t, p, filepath.Join(root, "out", fmt.Sprintf("heap-%dx%d.pb.gz", n, r.each)))
	row.sum(count.of(p))

	row.Clean = failsOver(t, w, count, (*e2e.Process).Stop)
	row.Crash = failsOver(t, w, count, (*e2e.Process).Kill)
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

// memoryOf is the memory of a process, in MiB: VmRSS, what is in use, RssFile, what of it is mapped from files, or VmHWM, the most that ever was.
func memoryOf(t *testing.T, pid int, which string) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, is := strings.CutPrefix(line, which+":"); is {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib / 1024
		}
	}
	t.Fatalf("no %s in /proc", which)
	return 0
}

// heapOf keeps the profile of what is alive in a process's heap, after a collection, and gives its sum and the ten functions that made the most.
func heapOf(t *testing.T, p *e2e.Process, file string) []string {
	t.Helper()
	answer, err := http.Get(p.Profiles() + "heap?gc=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	profile, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, profile, 0o600)); err != nil {
		t.Fatal(err)
	}
	top, err := exec.Command("go", "tool", "pprof", "-top", "-sample_index=inuse_space", "-nodecount=10", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(top), "Showing")
	return strings.Split(strings.TrimSpace("Showing"+table), "\n")
}
