package safety

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/test/e2e"
)

// worker is a manager of the soak that lives, with what was measured of it in its present role.
type worker struct {
	process *e2e.Process
	parted  time.Time // until when it was off a network last
	panics  float64   // that were told of
	leaked  bool      // a secret, which was told of
	stint   *stint
}

// stint is the time of a process in one role. A leader has more to do and to keep than one that waits, so each is judged by itself.
type stint struct {
	key     string
	leads   bool
	began   time.Time
	samples []sample
}

// sample is what a process uses at a moment.
type sample struct {
	at                                          time.Time
	rss, heap, goroutines, descriptors, threads float64
	panics                                      float64 // since it began
	leaks                                       string  // a secret that its metrics have
}

// gauge is one of the figures of a sample, and how much it may grow.
type gauge struct {
	name  string
	of    func(sample) float64
	share float64 // of what it was
	more  float64
	judge bool
}

const mebi = 1 << 20

// gauges: a leader has a connection for each of its calls under way, 20 in one quarter of an hour and 30 in another, by what happens;
// what it loses, be it one in a deploy, is more than that within an hour of hundreds.
var gauges = []gauge{
	{"rss_bytes", func(s sample) float64 { return s.rss }, 0.1, 8 * mebi, true},
	{"goroutines", func(s sample) float64 { return s.goroutines }, 0.1, 10, true},
	{"descriptors", func(s sample) float64 { return s.descriptors }, 0.1, 15, true},
	{"threads", func(s sample) float64 { return s.threads }, 0, 0, false},
	{"heap_bytes", func(s sample) float64 { return s.heap }, 0, 0, false},
}

// employ takes a process into the staff.
func (s *soak) employ(p *e2e.Process) {
	if p != nil {
		s.staff = append(s.staff, &worker{process: p, stint: &stint{key: p.Key, began: time.Now()}})
	}
}

// dismiss takes one out of it, and keeps what was measured.
func (s *soak) dismiss(p *worker) {
	s.staff = slices.DeleteFunc(s.staff, func(other *worker) bool { return other == p })
	s.endStint(p.stint)
}

func (s *soak) endStint(done *stint) {
	s.report.Lives = append(s.report.Lives, done.judged(s.o.WarmUp))
}

// find is the worker of a process that lives.
func (s *soak) find(p *e2e.Process) *worker {
	if i := slices.IndexFunc(s.staff, func(w *worker) bool { return w.process == p }); i >= 0 {
		return s.staff[i]
	}
	return nil
}

// measure looks at all processes, this one too.
func (s *soak) measure() {
	for _, p := range s.staff {
		leads := s.leader.Load() == p.process
		if leads != p.stint.leads {
			if len(p.stint.samples) > 0 {
				s.endStint(p.stint)
			}
			p.stint = &stint{key: p.process.Key, leads: leads, began: time.Now()}
		}
		if taken, err := sampleOf(p.process); err == nil {
			p.stint.samples = append(p.stint.samples, taken)
			if taken.leaks != "" && !p.leaked {
				s.violation("law 11: the metrics of %s have %s", p.process.Key, taken.leaks)
				p.leaked = true
			}
			if taken.panics > p.panics {
				s.violation("%s panicked %.0f times", p.process.Key, taken.panics-p.panics)
				p.panics = taken.panics
			}
		} else {
			s.report.Unmeasured++ // it starts, or has just ended
		}
	}
	s.report.own.samples = append(s.report.own.samples, ownSample())
}

// ownSample is what this process uses: the local AWS with all that it remembers, and the laws.
func ownSample() sample {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	own, _ := processSample(os.Getpid()) // best effort: nothing is judged by it
	own.at, own.heap, own.goroutines = time.Now(), float64(heap[0].Value.Uint64()), float64(runtime.NumGoroutine())
	return own
}

// sampleOf asks the operating system and the process itself.
func sampleOf(p *e2e.Process) (sample, error) {
	taken, err := processSample(p.PID())
	if err != nil {
		return sample{}, err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}} // leaves nothing behind in it
	response, err := client.Get(p.Metrics())
	if err != nil {
		return sample{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return sample{}, err
	}
	taken.leaks = e2e.SecretIn(string(text))
	values, err := readGauges(bytes.NewReader(text), "go_goroutines", "go_memstats_heap_alloc_bytes", "slipway_panics_total")
	taken.goroutines, taken.heap, taken.panics = values[0], values[1], values[2]
	return taken, err
}

// processSample reads /proc.
func processSample(pid int) (sample, error) {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.Open(filepath.Join(folder, "status"))
	if err != nil {
		return sample{}, err
	}
	defer func() { _ = status.Close() }()
	values, err := readGauges(status, "VmRSS:", "Threads:")
	if err != nil {
		return sample{}, err
	}
	open, err := os.ReadDir(filepath.Join(folder, "fd"))
	return sample{at: time.Now(), rss: values[0] * 1024, threads: values[1], descriptors: float64(len(open))}, err
}

// readGauges reads the numbers of lines that begin with these words, as in /proc and in the text of metrics.
func readGauges(text io.Reader, names ...string) ([]float64, error) {
	values := slices.Repeat([]float64{math.NaN()}, len(names))
	for lines := bufio.NewScanner(text); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		i := slices.Index(names, words[0])
		if i < 0 {
			continue
		}
		value, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			return values, err
		}
		values[i] = value
	}
	if slices.ContainsFunc(values, math.IsNaN) {
		return values, fmt.Errorf("not all of %v are there: %v", names, values)
	}
	return values, nil
}

// soakLife is a stint in the report.
type soakLife struct {
	Process string  `json:"process"`
	Role    string  `json:"role"`
	Seconds float64 `json:"seconds"` // up to the last sample; 0 where the warm-up was not over
	Samples int     `json:"samples"`
	// Medians are, by figure, those of the second and the last quarter of what came after the warm-up. Without them it was too short.
	Medians map[string][2]float64 `json:"medians,omitempty"`
	// Grown are the figures that grew more than they may.
	Grown []string `json:"grown,omitempty"`
}

// leastSamples are needed for medians of quarters that say something.
const leastSamples = 12

// judged compares the last quarter's medians with the second quarter's.
func (d *stint) judged(warmUp time.Duration) soakLife {
	life := soakLife{Process: d.key, Role: "waits", Samples: len(d.samples)}
	if d.leads {
		life.Role = "leads"
	}
	warm := slices.DeleteFunc(slices.Clone(d.samples), func(s sample) bool { return s.at.Sub(d.began) < warmUp })
	n := len(warm)
	if n > 0 {
		life.Seconds = warm[n-1].at.Sub(d.began).Seconds()
	}
	if n < leastSamples {
		return life
	}
	life.Medians = map[string][2]float64{}
	for _, g := range gauges {
		before, after := g.median(warm[n/4:n/2]), g.median(warm[n-n/4:])
		life.Medians[g.name] = [2]float64{before, after}
		if g.judge && after > before*(1+g.share)+g.more {
			life.Grown = append(life.Grown, fmt.Sprintf("%s: %.0f to %.0f", g.name, before, after))
		}
	}
	return life
}

func (g gauge) median(samples []sample) float64 {
	values := make([]float64, 0, len(samples))
	for _, s := range samples {
		values = append(values, g.of(s))
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
