package rollout

import (
	"fmt"
	"testing"
	"time"
)

// A step is looked at about twice a second; with many pools less often, so that looks stay below seven calls a second to either generation
// of load balancers.
func TestStepGoesByTheCallsOfALook(t *testing.T) {
	for _, c := range []struct {
		groups, classic int
		want            time.Duration
	}{
		{1, 0, stepEvery}, {1, 1, stepEvery}, {2, 1, stepEvery}, {0, 2, 450 * time.Millisecond}, {5, 1, 750 * time.Millisecond},
		{0, 6, 1050 * time.Millisecond}, {12, 0, 1800 * time.Millisecond},
	} {
		in := newCase(promoting)
		in.World.Pools = nil
		for n := range c.groups + c.classic {
			p := aPool(fmt.Sprint("pool-", n), UseTest)
			if n >= c.groups {
				p.Kind = KindClassic
			}
			in.World.Pools = append(in.World.Pools, p)
		}
		v := newView(in)
		if got := v.step(); got != c.want {
			t.Errorf("%d target groups, %d classic load balancers: the next look comes after %s, want %s", c.groups, c.classic, got, c.want)
		}
		groups, classic := CallsOf(in.World.Pools)
		if most := max(c.classic+1, c.groups); max(groups, classic) != most && c.classic > 0 || groups != c.groups {
			t.Errorf("%d target groups, %d classic load balancers: a look costs %d and %d calls", c.groups, c.classic, groups, classic)
		}
		const reading = 0.05 // seconds that a look takes at least
		if calls := float64(max(groups, classic)) / (v.step().Seconds() + reading); calls > 7 {
			t.Errorf("%d target groups, %d classic load balancers: %.1f calls a second", c.groups, c.classic, calls)
		}
	}
}
