//go:build bench

package bench

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/figures"
)

const (
	// requestsPerSecond go to all production listeners of a cell together.
	requestsPerSecond = 1000
	// believed is how long somebody waits before they ask for the next phase: in the first ten seconds after a switch a rollback keeps
	// both versions, which is not what is measured here.
	believed = 12 * time.Second
)

// underTraffic are the cells that are played in real time, with real sockets.
func underTraffic() []setting {
	return []setting{{"alb", 1, 3}, {"mixed", 2, 3}, {"classic", 5, 3}}
}

// served is what people got while a cell was promoted and rolled back.
type served struct {
	setting
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	// Wrong came from a version that served no more, or not yet.
	Wrong         int      `json:"wrong_version"`
	Why           []string `json:"why,omitempty"` // each failure's words once
	P50           float64  `json:"p50_ms"`
	P99           float64  `json:"p99_ms"`
	Promotion     float64  `json:"promotion_seconds"`
	PromotionOver float64  `json:"promotion_over_bound_seconds"`
	Rollback      float64  `json:"rollback_seconds"`
	RollbackOver  float64  `json:"rollback_over_bound_seconds"`
}

// traffics is out/bench-traffic.json.
type traffics struct {
	figures.Provenance
	RequestsPerSecond int      `json:"requests_per_second"`
	Cells             []served `json:"cells"`
}

// TestTraffic promotes and rolls back three cells in real time, with the manager as a process and the local AWS's load balancers as
// sockets, while a thousand requests a second come in. The worlds are made ready side by side, and swap one after the other.
func TestTraffic(t *testing.T) {
	report := traffics{Provenance: measured(t), RequestsPerSecond: requestsPerSecond}
	machine := machineFor(t)
	var turn sync.Mutex
	t.Run("cells", func(t *testing.T) {
		for _, s := range underTraffic() {
			t.Run(s.String(), func(t *testing.T) {
				t.Parallel()
				st := serving(t, machine, s)
				turn.Lock()
				defer turn.Unlock()
				report.Cells = append(report.Cells, st.swapUnderTraffic(t))
			})
		}
	})
	slices.SortFunc(report.Cells, func(a, b served) int { return a.Pools - b.Pools })
	write(t, "bench-traffic.json", report)
}

// serving is the world of a setting, in which v2 is ready to be promoted and the load balancers answer on loopback. The laws are watched.
func serving(t *testing.T, machine e2e.Machine, s setting) *stage {
	w := e2e.NewReal(playing{t, s.String() + ", under traffic"}, machine, distant(), nil)
	if err := w.AWS.StartDataPlane(w.Context(), localaws.DataPlaneOptions{}); err != nil {
		t.Fatal(err)
	}
	st := &stage{World: w, setting: s, calm: believed}
	st.prepare(2)
	return st
}

// swapUnderTraffic is both swaps of a stage, and what came of the requests meanwhile.
func (st *stage) swapUnderTraffic(t *testing.T) served {
	crowd := st.attack()
	var alone []stay // who serves alone, and from when to when
	began := time.Now()
	st.Pass(believed)
	alone = append(alone, stay{"v1", began, time.Now()})
	promotion := st.measure("v2", func() error {
		st.Phase("web", v1alpha1.PhaseLive)
		return nil
	})
	edited := time.Now()
	alone = append(alone, stay{"v2", edited.Add(-st.calm), edited}) // measure ends with it
	rollback := st.measure("v1", func() error {
		st.Phase("web", v1alpha1.PhaseRolledBack)
		return nil
	})
	ended := time.Now()
	alone = append(alone, stay{"v1", ended.Add(-st.calm), ended})
	out := crowd.stop(alone)
	out.setting = st.setting
	seconds := func(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
	out.Promotion, out.PromotionOver = seconds(promotion.took), seconds(promotion.took-promotion.bound)
	out.Rollback, out.RollbackOver = seconds(rollback.took), seconds(rollback.took-rollback.bound)
	if out.Failed+out.Wrong > 0 {
		t.Errorf("%d requests failed, %d were answered by the wrong version: %q", out.Failed, out.Wrong, out.Why)
	}
	for _, s := range alone {
		if n := crowd.within(s)[s.version]; n < requestsPerSecond {
			t.Errorf("%d good answers came from %s in the %s in which it served alone", n, s.version, s.until.Sub(s.from))
		}
	}
	return out
}

// stay is a time in which one version serves.
type stay struct {
	version     string
	from, until time.Time
}

// requests are many people's: they begin at their time, whether or not earlier ones were answered.
type requests struct {
	attacker *vegeta.Attacker
	ended    chan struct{}
	results  []*vegeta.Result
}

// attack begins to send requests to all production listeners in turn.
func (st *stage) attack() *requests {
	var targets []vegeta.Target
	for _, pool := range st.production {
		targets = append(targets, vegeta.Target{Method: http.MethodGet, URL: st.AWS.Endpoints()[pool.name] + "/"})
	}
	r := &requests{ended: make(chan struct{})}
	// All workers from the beginning: vegeta makes them in a loop without a pause where the machine is busy.
	r.attacker = vegeta.NewAttacker(vegeta.Timeout(10*time.Second), vegeta.Workers(requestsPerSecond), vegeta.MaxWorkers(requestsPerSecond))
	results := r.attacker.Attack(vegeta.NewStaticTargeter(targets...), vegeta.Rate{Freq: requestsPerSecond, Per: time.Second}, 0, st.String())
	go func() {
		defer close(r.ended)
		for result := range results {
			r.results = append(r.results, result)
		}
	}()
	return r
}

// stop ends them, once those under way are answered, and sums them up.
func (r *requests) stop(alone []stay) served {
	r.attacker.Stop()
	<-r.ended
	out, metrics := served{Requests: len(r.results)}, vegeta.Metrics{}
	for _, result := range r.results {
		metrics.Add(result)
		if bad(result) {
			out.Failed++
			if why := fmt.Sprintf("%d %s", result.Code, result.Error); !slices.Contains(out.Why, why) {
				out.Why = append(out.Why, why)
			}
		}
	}
	for _, s := range alone {
		for version, n := range r.within(s) {
			if version != s.version {
				out.Wrong += n
			}
		}
	}
	metrics.Close()
	milliseconds := func(d time.Duration) float64 { return math.Round(d.Seconds()*1e5) / 100 }
	out.P50, out.P99 = milliseconds(metrics.Latencies.P50), milliseconds(metrics.Latencies.P99)
	return out
}

func bad(result *vegeta.Result) bool { return result.Code != http.StatusOK || result.Error != "" }

// within counts the good answers of each version to requests that began and ended in a stay.
func (r *requests) within(s stay) map[string]int {
	counts := map[string]int{}
	for _, result := range r.results {
		if !bad(result) && !result.Timestamp.Before(s.from) && !result.End().After(s.until) {
			counts[result.Headers.Get("X-Version")]++
		}
	}
	return counts
}
