//go:build !race

package safety

import (
	"flag"
	"testing"
	"testing/synctest"

	"slipway.dev/slipway/test/e2e"
)

var undisturbed = flag.Bool("safety.undisturbed", false, "play no crashes")

var every = flag.Int("safety.every", 1, "of the points of each scenario, play each n-th")

func TestCrashPoints(t *testing.T) {
	for _, s := range e2e.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			var trace []step
			var end string
			if !t.Run("undisturbed", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { trace, end = play(t, s, e2e.Plain(), nil) })
			}) {
				return
			}
			if *undisturbed {
				return
			}
			all := classes(trace)
			t.Logf("%d calls, %d points, %d classes", len(trace), 3*len(trace), len(all))
			for i := 0; i < len(all); i += *every {
				point := all[i][i%len(all[i])]
				t.Run(point.String(), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						_, got := play(t, s, e2e.Plain(), &point)
						if got != end {
							t.Errorf("at the end the world is\n%s\nand should be\n%s", got, end)
						}
					})
				})
			}
		})
	}
}
