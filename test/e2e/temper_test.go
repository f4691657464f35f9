//go:build !race

// The race detector would make these ten times as slow; the same scenarios run under it on a real API server.

package e2e

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/kubestore"
)

var matrix = flag.Bool("e2e.matrix", false, "play the scenarios under each row of the matrix of AWS's knobs, for an hour and more")

// TestTempers plays all scenarios in memory, in a bubble of virtual time each, under an AWS that is harsh; with -e2e.matrix under
// a plain one and each row of the matrix.
func TestTempers(t *testing.T) {
	tempers := []Temper{Harsh()}
	if *matrix {
		tempers = append([]Temper{Plain()}, Matrix()...)
	}
	for _, temper := range tempers {
		t.Run(temper.Name, func(t *testing.T) {
			for i, s := range All() {
				if leftOut(i+1, thirds) { // others than on the API server
					continue
				}
				t.Run(s.Name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { play(t, s, temper) })
				})
			}
		})
	}
}

func play(t *testing.T, s Scenario, temper Temper) {
	clock := NewBubble()
	t.Cleanup(func() { clock.Advance(time.Minute) }) // for calls that are still under way
	kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.Run(NewWorldUnder(t, kube, clock, temper))
}

// Each two switches meet in all four positions.
func TestMatrixIsPairwise(t *testing.T) {
	met := map[[4]int]bool{}
	for _, temper := range Matrix() {
		at := positions(temper)
		for a := range at {
			for b := range a {
				met[[4]int{a, b, at[a], at[b]}] = true
			}
		}
	}
	n := len(switches())
	if pairs := n * (n - 1) / 2; len(met) != 4*pairs {
		t.Errorf("%d of %d meetings", len(met), 4*pairs)
	}
}

// positions are those of the switches under a temper: 1 where it is another than by default.
func positions(temper Temper) []int {
	at := make([]int, len(switches()))
	for s, knob := range switches() {
		plain, turned, now := localaws.DefaultKnobs(), localaws.DefaultKnobs(), localaws.DefaultKnobs()
		knob.turn(&turned)
		temper.Tune(&now)
		for i, setting := range now.Settings() {
			if plain.Settings()[i] != turned.Settings()[i] && setting == turned.Settings()[i] {
				at[s] = 1
			}
		}
	}
	return at
}

// Under the harsh temper every knob that is on or off is in its other position, but for the rate limits.
func TestHarshTurnsEveryFlag(t *testing.T) {
	plain, harsh := localaws.DefaultKnobs(), localaws.DefaultKnobs()
	Harsh().Tune(&harsh)
	for i, f := range flags(&harsh) {
		if *f.value == *flags(&plain)[i].value && f.name != "Throttle" && f.name != "LargerELBReads" {
			t.Errorf("%s is as by default", f.name)
		}
	}
}
