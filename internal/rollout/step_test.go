package rollout

import (
	"fmt"
	"testing"
	"time"
)

// A step is looked at about every second; with many pools less often, so that looks stay below seven calls a second.
func TestStepGoesByTheNumberOfPools(t *testing.T) {
	for pools, want := range map[int]time.Duration{1: stepEvery, 4: stepEvery, 6: 1020 * time.Millisecond, 12: 2040 * time.Millisecond} {
		in := newCase(promoting)
		for n := len(in.World.Pools); n < pools; n++ {
			in.World.Pools = append(in.World.Pools, aPool(fmt.Sprint("more-", n), UseTest))
		}
		in.World.Pools = in.World.Pools[:pools]
		v := newView(in)
		if got := v.step(); got != want {
			t.Errorf("%d pools: the next look comes after %s, want %s", pools, got, want)
		}
		if calls := float64(pools+1) / (v.step().Seconds() + 0.15); calls > 7 {
			t.Errorf("%d pools: %.1f calls a second", pools, calls)
		}
	}
}
