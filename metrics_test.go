package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write config/prometheus/metrics.json as the manager of this test has it")

// metricsFile lists the metrics that alerts, the dashboard and docs/observability.md may speak of. Their tests go by it.
const metricsFile = "config/prometheus/metrics.json"

// metric is what is known of one, beside its name.
type metric struct {
	Type   string   `json:"type"`
	Help   string   `json:"help"`
	Labels []string `json:"labels,omitempty"`
}

// listed: metrics of ours, and others that are of use here and do not hang on versions of Go and libraries.
func listed(name string) bool {
	return strings.HasPrefix(name, "slipway_") || slices.Contains([]string{
		"controller_runtime_reconcile_total", "controller_runtime_reconcile_time_seconds", "controller_runtime_active_workers", "workqueue_depth",
		"workqueue_queue_duration_seconds", "leader_election_master_status", "process_resident_memory_bytes", "process_cpu_seconds_total", "go_goroutines",
	}, name)
}

// scrapes puts together what was scraped while the test ran: some series are there only while something happens.
type scrapes struct {
	mu  sync.Mutex
	all map[string]metric
}

func (s *scrapes) add(text string) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(strings.TrimSuffix(text, fmt.Sprint(error(nil)))))
	if err != nil {
		return // the manager is not there yet, or gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, family := range families {
		if !listed(name) {
			continue
		}
		if s.all == nil {
			s.all = map[string]metric{}
		}
		m := s.all[name]
		m.Type, m.Help = strings.ToLower(family.GetType().String()), family.GetHelp()
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				if !slices.Contains(m.Labels, label.GetName()) {
					m.Labels = append(m.Labels, label.GetName())
				}
			}
		}
		slices.Sort(m.Labels)
		s.all[name] = m
	}
}

// watch scrapes until the test's end.
func (s *scrapes) watch(done <-chan struct{}, scrape func() string) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			s.add(scrape())
		}
	}
}

// check compares the metrics with the file.
func (s *scrapes) check(g Gomega) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, err := json.MarshalIndent(s.all, "", "  ")
	g.Expect(err).NotTo(HaveOccurred())
	if *update {
		g.Expect(os.WriteFile(metricsFile, append(got, '\n'), 0o600)).To(Succeed())
	}
	want, err := os.ReadFile(metricsFile)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(got)+"\n").To(Equal(string(want)), "the metrics are not those of %s: run the test with -update, and look at the difference", metricsFile)
}

// mailbox receives CloudEvents on loopback.
type mailbox struct {
	mu   sync.Mutex
	told map[string]map[string]string // data, by type
}

// open serves until the test ends.
func (m *mailbox) open(g Gomega, cleanup func(func())) (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := cloudevents.NewEventFromHTTPRequest(r)
		data := map[string]string{}
		if err != nil || json.Unmarshal(event.Data(), &data) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.told == nil {
			m.told = map[string]map[string]string{}
		}
		m.told[event.Type()] = data
	})}
	go func() { _ = server.Serve(listener) }()
	cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}

func (m *mailbox) about(kind string) map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told[kind]
}
