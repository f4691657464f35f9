//go:build bench

package bench

import (
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/test/figures"
)

// As many servers cost as many reads of EC2, or the report says so.
func TestReadsThatDependOnTheNumberOfReleasesAreTold(t *testing.T) {
	rows := func(reads float64) *rests {
		return &rests{Rows: []steady{
			{Releases: 1, Servers: 10, Minutes: 2, EC2Reads: 9},
			{Releases: 10, Servers: 1000, Minutes: 2, EC2Reads: 3},
			{Releases: 100, Servers: 1000, Minutes: 2, EC2Reads: reads},
		}}
	}
	if a := rows(4.5).alike(); len(a) != 1 || !a[0].Met {
		t.Errorf("a sweep more: %v", a)
	}
	if a := rows(30).alike(); len(a) != 1 || a[0].Met {
		t.Errorf("a sweep for each ten Releases: %v", a)
	}
}

// One number of servers is for all worlds, several are one for each.
func TestWorldsAtRest(t *testing.T) {
	for servers, want := range map[string][]resting{"10": {{1, 10}, {100, 10}}, "100,10": {{1, 100}, {100, 10}}, "1,2,3": nil, "x": nil} {
		if got, err := restings("1,100", servers); !slices.Equal(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%s: %v, %v", servers, got, err)
		}
	}
}

// Promotions and rollbacks are held against the Rakefile's, one by one and by their medians, but for those that it gave up.
func TestRollbacksRaceTheRakefileToo(t *testing.T) {
	seconds := func(n time.Duration) outcome { return outcome{took: n * time.Second} }
	us, cell := contenders[0].name, setting{"alb", 1, 3}
	r := newSwitches(figures.Provenance{})
	for _, run := range []struct{ promotion, rollback, itsPromotion, itsRollback outcome }{
		{seconds(10), seconds(12), seconds(11), seconds(11)},
		{seconds(10), seconds(12), seconds(11), outcome{gaveUp: true}},
		{seconds(10), seconds(12), outcome{gaveUp: true}, outcome{gaveUp: true}},
	} {
		r.add(us, cell, run.promotion, run.rollback)
		r.add(theRakefile, cell, run.itsPromotion, run.itsRollback)
		r.race(cell, map[string]outcome{us: run.promotion, theRakefile: run.itsPromotion}, map[string]outcome{us: run.rollback, theRakefile: run.itsRollback})
	}
	r.sum()
	rows := r.Cells[cell.String()]
	if got, want := rows[us].Rollbacks, (race{Raced: 1, Slower: 1, SlowerBy: 1}); got != want {
		t.Errorf("rollbacks: %+v", got)
	}
	if got, want := rows[us].race, (race{Raced: 2}); got != want {
		t.Errorf("promotions: %+v", got)
	}
	if gave := rows[theRakefile]; gave.GaveUp != 1 || gave.RollbackGaveUp != 1 {
		t.Errorf("the Rakefile gave up %d promotions and %d rollbacks", gave.GaveUp, gave.RollbackGaveUp)
	}
	var missed []string
	for _, a := range r.aims() {
		if !a.Met && strings.Contains(a.What, "Rakefile") {
			missed = append(missed, a.What)
		}
	}
	if len(missed) != 1 || !strings.Contains(missed[0], "rollback") {
		t.Errorf("missed: %v", missed)
	}
}
