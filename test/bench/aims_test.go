//go:build bench

package bench

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// aim is a figure, and how high it may be at the most.
type aim struct {
	What     string  `json:"what"`
	Measured float64 `json:"measured"`
	AtMost   float64 `json:"at_most"`
	Met      bool    `json:"met"`
}

// String is a line for people.
func (a aim) String() string {
	verdict := "reached"
	if !a.Met {
		verdict = "MISSED "
	}
	return fmt.Sprintf("%s  %-70s %8.3f, at most %.3f", verdict, a.What, a.Measured, a.AtMost)
}

func atMost(what string, measured, most float64) aim {
	return aim{what, measured, most, measured <= most}
}

// aims are about one promotion, and one rollback.
func (r *switches) aims() (all []aim) {
	for _, c := range []struct {
		who         string
		median, p99 float64
	}{{"slipway, consecutive 1", 0.8, 1.3}, {"slipway, consecutive 2", 1.0, 1.6}} {
		row := r.All[c.who]
		if row == nil {
			continue
		}
		all = append(all,
			atMost(c.who+": promotion, seconds over AWS's own, median", row.OverMedian, c.median),
			atMost(c.who+": promotion, seconds over AWS's own, p99", row.OverP99, c.p99),
			atMost(c.who+": rollback, seconds over AWS's own, median", row.RollbackOver, c.median),
			atMost(c.who+": rollback, seconds over AWS's own, p99", row.RollbackP99, c.p99))
		for _, cell := range slices.Sorted(maps.Keys(r.Cells)) {
			all = append(all, besideTheRakefile(c.who, cell, r.Cells[cell][c.who], r.Cells[cell][theRakefile])...)
		}
	}
	return all
}

// besideTheRakefile holds medians against the Rakefile's, of the runs in which that did not give up, if there are any.
func besideTheRakefile(who, cell string, row, other *row) (all []aim) {
	if row == nil || other == nil {
		return nil
	}
	if other.SecondsMedian > 0 {
		all = append(all, atMost(who+": "+cell+", seconds; the Rakefile's, where it did not give up", row.SecondsMedian, other.SecondsMedian))
	}
	if other.RollbackMedian > 0 {
		all = append(all, atMost(who+": "+cell+", seconds of a rollback; the Rakefile's, where it did not give up", row.RollbackMedian, other.RollbackMedian))
	}
	return all
}

// aims are about what people get meanwhile.
func (r *traffics) aims() (all []aim) {
	for _, c := range r.Cells {
		all = append(all, atMost(c.String()+": failed requests and answers of the wrong version", float64(c.Failed+c.Wrong), 0))
	}
	return all
}

// aims are about very many at once. Where a burst that AWS allows covers all, there is no bound to hold them against.
func (r *storms) aims() (all []aim) {
	if l := r.Launches; l.Bound > 0 {
		all = append(all,
			atMost(fmt.Sprintf("%d Releases from nothing, over the bound", l.Releases), l.Seconds/l.Bound, 1.02),
			atMost(fmt.Sprintf("%d Releases from nothing, the mean over its bound", l.Releases), l.MeanSeconds/l.MeanBound, 1.1))
	}
	if p := r.Promotions; p.Bound > 0 {
		all = append(all,
			atMost(fmt.Sprintf("%d promotions, over the bound of their calls", p.Releases), p.Seconds/p.Bound, 1.05),
			atMost(fmt.Sprintf("a rollback amid %d promotions, seconds over AWS's own more than alone", p.Releases), p.AmidOver-p.AloneOver, 5))
	}
	if i := r.Isolation; i.Healthy > 0 {
		all = append(all,
			atMost(fmt.Sprintf("a deploy beside %d Releases that fail, over what it takes without", i.Sick), i.With.Alone/i.Without.Alone, 1.1),
			atMost(fmt.Sprintf("%d deploys at once beside %d that fail, over what they take without", i.Healthy-inTurn, i.Sick),
				i.With.Together/i.Without.Together, 1.1))
	}
	return append(all,
		atMost("from nothing, share of calls that are throttled", r.Launches.Throttled, 0.001),
		atMost("promotions, share of calls that are throttled", r.Promotions.Throttled, 0.001))
}

// aims are about Releases at rest.
func (r *rests) aims() (all []aim) {
	for _, row := range r.Rows {
		add := func(what string, measured, most float64) {
			all = append(all, atMost(fmt.Sprintf("%s at rest: %s", resting{row.Releases, row.Servers / row.Releases}, what), measured, most))
		}
		add("EC2 reads a minute", row.EC2Reads, 10)
		add("writes to Kubernetes and to AWS", float64(row.Writes+row.Mutations), 0)
		add("memory, MiB", row.RSSMiB, 128)
		add("cold start, seconds", row.ColdStart.Seconds, 30)
		add("changes in AWS by a cold start", float64(row.ColdStart.Mutations), 0)
		add("fail-over, the leader asked to end, seconds", row.Clean.Seconds, 3)
		add("fail-over, the leader killed, seconds", row.Crash.Seconds, 17) // a lease, 15 s, and two
	}
	return append(all, r.alike()...)
}

// alike holds the rows against the first of as many servers: what EC2 is read does not depend on how many Releases have them. One sweep,
// a page for each thousand servers and two calls for their status, may fall into the time that was measured or just not.
func (r *rests) alike() (all []aim) {
	for _, row := range r.Rows {
		first := r.Rows[slices.IndexFunc(r.Rows, func(other steady) bool { return other.Servers == row.Servers })]
		if first.Releases == row.Releases {
			continue
		}
		sweep := math.Ceil(float64(row.Servers)/1000) + 2
		all = append(all, atMost(fmt.Sprintf("%d servers: EC2 reads a minute by %d Releases, away from those by %d", row.Servers, row.Releases, first.Releases),
			math.Abs(row.EC2Reads-first.EC2Reads), sweep/min(row.Minutes, first.Minutes)))
	}
	return all
}
