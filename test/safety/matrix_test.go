//go:build !race

package safety

import (
	"testing"

	"slipway.dev/slipway/test/e2e"
)

// TestFaultMatrix lets every call go wrong in every way, and the world too, in each phase.
func TestFaultMatrix(t *testing.T) {
	for _, p := range phases {
		if p.deep && !*deep {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			for _, c := range cells() {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					if late() {
						return
					}
					hit := false
					run(t, "endured", func(t *testing.T) { hit = c.endure(newWorld(t, p.name+"/"+c.name, e2e.Plain(), c.tap), p) })
					total.add(func(r *report) {
						r.FaultCells++
						if hit {
							r.FaultCellsHit++
						}
					})
				})
			}
		})
	}
}
