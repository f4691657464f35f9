//go:build !race

package safety

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"slipway.dev/slipway/test/e2e"
)

var (
	pairs = flag.Int("safety.pairs", 40, "so many pairs of things that go wrong at once are drawn; "+
		"with -safety.deep as many as the time allows, each round by another seed")
	pairSeed = flag.Uint64("safety.seed", 1, "what they are drawn by, and the random lives")
)

// TestPairs lets two things go wrong at once: crashes, and cells of the fault matrix.
func TestPairs(t *testing.T) {
	called := map[string]map[string]bool{}
	some := slices.DeleteFunc(slices.Clone(phases), func(p phase) bool { return p.deep && !*deep })
	for _, p := range some {
		run(t, "undisturbed "+p.name, "cell/"+p.name+"/nothing", func(t *testing.T) {
			called[p.name] = p.usual(cellWorld(t, p, cell{name: "nothing"}))
		})
	}
	of := canonical
	if *deep {
		of = nil
		for _, s := range chosen(t) {
			of = append(of, s.Name)
		}
	}
	ends := &undisturbed{}
	for round := *pairSeed; !late(pairsShare); round++ {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			for i := range *pairs {
				drawn := samplePair(rand.New(rand.NewPCG(round, uint64(i))), of, some, called)
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					t.Parallel()
					if !late(pairsShare) {
						playPair(t, drawn, ends)
					}
				})
			}
		})
		if !*deep || *budget == 0 {
			return
		}
	}
}

func playPair(t *testing.T, drawn pair, ends *undisturbed) {
	hit := false
	want := drawn.undisturbed(t, ends)
	run(t, drawn.String(), drawn.String(), func(t *testing.T) { hit = drawn.play(t, want) })
	total.add(func(r *report) {
		r.PairsRun++
		if hit {
			r.PairsHit++
		}
	})
}

// A pair is asked for again as it was told.
func TestPairsAreReadBack(t *testing.T) {
	called := map[string]map[string]bool{}
	for i := range uint64(200) {
		told := samplePair(rand.New(rand.NewPCG(1, i)), []string{canonical[0], "a tag slipway.dev/hold, of v1, in Live"}, phases, called).String()
		read, err := parsePair(strings.TrimPrefix(told, "pair/"))
		if err != nil || read.String() != told {
			t.Errorf("%s is read as %s: %v", told, read, err)
		}
	}
}

// undisturbed is the end that the pair's scenario has without it; "" where it is one of a phase.
func (p pair) undisturbed(t *testing.T, ends *undisturbed) (end string) {
	if p.scenario == "" {
		return ""
	}
	return ends.of(p.scenario, func() string {
		synctest.Test(t, func(t *testing.T) { _, end = play(t, scenarioNamed(t, p.scenario), e2e.Plain(), "") })
		return end
	})
}

// play plays the pair in the bubble that it is called in, and reports whether both things happened to anything.
func (p pair) play(t *testing.T, want string) (hit bool) {
	if p.scenario == "" {
		return p.cells.endure(cellWorld(t, phaseNamed(p.phase), p.cells), phaseNamed(p.phase))
	}
	c := &crasher{points: p.points}
	if got := c.play(t, scenarioNamed(t, p.scenario), e2e.Plain(), want); got != want {
		t.Errorf("at the end the world is\n%s\nand should be\n%s", got, want)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crashes == len(p.points)
}

func scenarioNamed(t *testing.T, name string) e2e.Scenario {
	all := e2e.All()
	at := slices.IndexFunc(all, func(s e2e.Scenario) bool { return s.Name == name })
	if at < 0 {
		t.Fatalf("there is no scenario %q", name)
	}
	return all[at]
}
