//go:build bench

package bench

import (
	"math"
	"slices"
	"sync"

	"slipway.dev/slipway/test/figures"
)

// switches is the report: how long promotions and rollbacks took, over what AWS needed for them, for each contender.
type switches struct {
	figures.Provenance
	// LatencyMilliseconds is how long each call to AWS takes, Seeds how often each cell was played.
	LatencyMilliseconds int64 `json:"aws_latency_ms"`
	Seeds               int   `json:"seeds"`
	// All is over all cells in which nobody gave up, Cells each of them.
	All   map[string]*row            `json:"all"`
	Cells map[string]map[string]*row `json:"cells"`

	mu sync.Mutex
}

// row is one contender in one cell, or in all. Seconds count from the edit of spec.phase, or the Rakefile's start, to the effect of the
// last Deregister in production; over is what of them was not AWS's own.
type row struct {
	Runs           int     `json:"runs"`
	GaveUp         int     `json:"gave_up,omitempty"`
	SecondsMedian  float64 `json:"seconds_median"`
	OverMedian     float64 `json:"over_median"`
	OverP99        float64 `json:"over_p99"`
	OverMost       float64 `json:"over_most"`
	CallsMedian    float64 `json:"calls_median"`
	RollbackMedian float64 `json:"rollback_seconds_median"`
	RollbackOver   float64 `json:"rollback_over_median"`
	RollbackP99    float64 `json:"rollback_over_p99"`
	RollbackMost   float64 `json:"rollback_over_most"`
	RollbackCalls  float64 `json:"rollback_calls_median"`
	// RollbackGaveUp is of those whose promotion did not give up.
	RollbackGaveUp int `json:"rollback_gave_up,omitempty"`
	// AWS's own delays are drawn for each call, and differ between the two that race.
	race
	Rollbacks race `json:"rollbacks_raced"`

	promotions, rollbacks []outcome
}

// race is how many promotions, or rollbacks, have one by the Rakefile beside them, with the same seed, that did not give up; Slower is how
// many of them took longer than that, SlowerBy the most seconds that one did.
type race struct {
	Raced    int     `json:"raced,omitempty"`
	Slower   int     `json:"slower_than_rakefile,omitempty"`
	SlowerBy float64 `json:"slower_by_most,omitempty"`
}

// add holds one against the Rakefile's.
func (r *race) add(one, other outcome) {
	if one.gaveUp || other.gaveUp {
		return
	}
	r.Raced++
	if late := (one.took - other.took).Seconds(); late > 0 {
		r.Slower, r.SlowerBy = r.Slower+1, max(r.SlowerBy, math.Round(late*1000)/1000)
	}
}

func newSwitches(here figures.Provenance) *switches {
	return &switches{Provenance: here, LatencyMilliseconds: latency.Milliseconds(), Seeds: *seeds, All: map[string]*row{}, Cells: map[string]map[string]*row{}}
}

func (r *switches) add(who string, s setting, promotion, rollback outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Cells[s.String()] == nil {
		r.Cells[s.String()] = map[string]*row{}
	}
	for _, rows := range []map[string]*row{r.All, r.Cells[s.String()]} {
		if rows[who] == nil {
			rows[who] = &row{}
		}
		rows[who].add(promotion, rollback)
	}
}

func (r *row) add(promotion, rollback outcome) {
	r.Runs++
	if promotion.gaveUp {
		r.GaveUp++
		return
	}
	r.promotions = append(r.promotions, promotion)
	if rollback.gaveUp {
		r.RollbackGaveUp++
		return
	}
	r.rollbacks = append(r.rollbacks, rollback)
}

// race holds the promotions and rollbacks of one cell and seed against the Rakefile's.
func (r *switches) race(s setting, promotions, rollbacks map[string]outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for who := range promotions {
		if who == theRakefile {
			continue
		}
		for _, row := range []*row{r.All[who], r.Cells[s.String()][who]} {
			row.race.add(promotions[who], promotions[theRakefile])
			row.Rollbacks.add(rollbacks[who], rollbacks[theRakefile])
		}
	}
}

// sum fills in the figures.
func (r *switches) sum() *switches {
	all := []map[string]*row{r.All}
	for _, rows := range r.Cells {
		all = append(all, rows)
	}
	for _, rows := range all {
		for _, row := range rows {
			row.sum()
		}
	}
	return r
}

func (r *row) sum() {
	took := func(o outcome) float64 { return o.took.Seconds() }
	over := func(o outcome) float64 { return (o.took - o.bound).Seconds() }
	r.SecondsMedian, r.OverMedian = quantile(r.promotions, took, 0.5), quantile(r.promotions, over, 0.5)
	r.OverP99, r.OverMost = quantile(r.promotions, over, 0.99), quantile(r.promotions, over, 1)
	calls := func(o outcome) float64 { return float64(o.calls) }
	r.CallsMedian, r.RollbackCalls = quantile(r.promotions, calls, 0.5), quantile(r.rollbacks, calls, 0.5)
	r.RollbackMedian, r.RollbackOver = quantile(r.rollbacks, took, 0.5), quantile(r.rollbacks, over, 0.5)
	r.RollbackP99, r.RollbackMost = quantile(r.rollbacks, over, 0.99), quantile(r.rollbacks, over, 1)
}

// quantile is the smallest figure that so large a part of all does not exceed; 0 where there are none.
func quantile(all []outcome, figure func(outcome) float64, part float64) float64 {
	if len(all) == 0 {
		return 0
	}
	var sorted []float64
	for _, o := range all {
		sorted = append(sorted, figure(o))
	}
	slices.Sort(sorted)
	at := int(math.Ceil(part*float64(len(sorted)))) - 1
	return math.Round(sorted[max(0, at)]*1000) / 1000
}
