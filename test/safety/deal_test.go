//go:build !race

package safety

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"slipway.dev/slipway/test/e2e"
)

// turn is one world that is played on a scenario.
type turn struct {
	name string
	play func(t *testing.T)
}

// lot is what is to be played on one scenario, in no order.
type lot struct {
	of    string
	turns []turn
}

// deal asks what is to be played on each of the chosen scenarios, of which some are played at once.
func deal(t *testing.T, turns func(t *testing.T, n int, s e2e.Scenario) []turn) []lot {
	some := chosen(t)
	lots := make([]lot, len(some))
	t.Run("dealt", func(t *testing.T) {
		for n, s := range some {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				lots[n] = lot{s.Name, turns(t, n, s)}
				shuffled := rand.New(rand.NewPCG(*pairSeed, uint64(n)))
				shuffled.Shuffle(len(lots[n].turns), func(i, j int) {
					lots[n].turns[i], lots[n].turns[j] = lots[n].turns[j], lots[n].turns[i]
				})
			})
		}
	})
	for _, l := range lots {
		if l.of == "" {
			t.Fatal("-run left some scenario out: name those to be played with -safety.scenarios")
		}
	}
	return lots
}

// take plays all turns, or as many as that share of the time allows: one of each scenario, then a second one of each, so that a time that is
// too short is too short for all alike. It gives the scenarios that had none.
//
//	scenario 1   1 4 7 9
//	scenario 2   2 5 8 10
//	scenario 3   3 6
func take(t *testing.T, share float64, lots []lot) (without []string) {
	queue := make(chan turn)
	taken := make([]int, len(lots))
	go func() {
		defer close(queue)
		for round, some := 0, true; some; round++ {
			some = false
			for i, l := range lots {
				if round < len(l.turns) && !late(share) {
					queue <- l.turns[round]
					taken[i]++
					some = true
				}
			}
		}
	}()
	t.Run("played", func(t *testing.T) {
		for n := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("by ", n), func(t *testing.T) {
				t.Parallel()
				for next := range queue {
					t.Run(next.name, next.play)
				}
			})
		}
	})
	for i, l := range lots {
		if taken[i] == 0 {
			without = append(without, l.of)
		}
	}
	return without
}
