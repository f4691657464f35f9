//go:build !race

package safety

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"slipway.dev/slipway/test/e2e"
)

var seed = flag.String("safety.repro", "", "one run that failed: "+seeds)

const seeds = "crash/SCENARIO/N/MOMENT, cell/PHASE/CELL, path/WORLD/NUMBER, pair/…, life/…, field/release/PATH or field/class/PATH, kube/SCENARIO/FAULT/N, real/SCENARIO/N/MOMENT, handover/shards or handover/INCIDENT, STAGE"

// TestRepro plays one run again, and tells its calls.
func TestRepro(t *testing.T) {
	if *seed == "" {
		return
	}
	kind, rest, _ := strings.Cut(*seed, "/")
	switch kind {
	case "crash":
		reproCrash(t, rest)
	case "cell":
		reproCell(t, rest)
	case "real":
		reproReal(t, rest)
	case "handover":
		reproHandover(t, rest)
	case "path":
		reproPath(t, rest)
	case "pair":
		reproPair(t, rest)
	case "kube":
		reproKube(t, rest)
	case "life":
		reproLife(t, rest)
	case "field":
		reproField(t, rest)
	default:
		t.Fatalf("SEED=%q is none of %s", *seed, seeds)
	}
}

// scenarioAt reads SCENARIO/N/MOMENT, or a scenario alone.
func scenarioAt(t *testing.T, what string) (e2e.Scenario, *Point) {
	words := strings.Split(what, "/")
	name, point := what, (*Point)(nil)
	if n := len(words); n > 2 {
		if call, err := strconv.Atoi(words[n-2]); err == nil && slices.Contains(moments, When(words[n-1])) {
			name, point = strings.Join(words[:n-2], "/"), &Point{call, When(words[n-1])}
		}
	}
	return scenarioNamed(t, name), point
}

func reproCrash(t *testing.T, what string) {
	s, point := scenarioAt(t, what)
	var points []Point
	if point != nil {
		points = []Point{*point}
	}
	playAgain(t, s, points)
}

// playAgain plays a scenario without crashes and with them, and tells its calls.
func playAgain(t *testing.T, s e2e.Scenario, points []Point) {
	var end, got string
	synctest.Test(t, func(t *testing.T) { _, end = play(t, s, e2e.Plain(), "") })
	synctest.Test(t, func(t *testing.T) {
		c := &crasher{points: points}
		t.Cleanup(func() { tell(t, c.trace) })
		got = c.play(t, s, e2e.Plain(), end)
	})
	if got != end {
		t.Errorf("at the end the world is\n%s\nand should be\n%s", got, end)
	}
}

func tell(t *testing.T, trace []step) {
	for i, s := range trace {
		t.Logf("%4d %s %s %s", i, s.at.Format("15:04:05.000"), s.To, s.What)
	}
}

// reproPath walks a path of the sample, or of the last make safety-deep.
func reproPath(t *testing.T, what string) {
	for _, file := range []string{"testdata/paths.json", "../../out/paths.json"} {
		if _, err := os.Stat(file); err != nil {
			continue
		}
		for _, p := range readPaths(t, file) {
			if fmt.Sprintf("%s/%d", p.World, p.Seed) != what {
				continue
			}
			for n, step := range p.Steps {
				t.Logf("%3d %+v", n, step)
			}
			if err := walkOne(t, p); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("there is no path %q", what)
}

func reproCell(t *testing.T, what string) {
	name, rest, _ := strings.Cut(what, "/")
	for _, p := range phases {
		for _, c := range cells() {
			if p.name == name && c.name == rest {
				synctest.Test(t, func(t *testing.T) {
					w := cellWorld(t, p, c)
					c.endure(w, p)
					t.Log(w.Story())
				})
				return
			}
		}
	}
	t.Fatalf("there is no cell %q in the phase %q", rest, name)
}

func reproPair(t *testing.T, what string) {
	p, err := parsePair(what)
	if err != nil {
		t.Fatal(err)
	}
	if p.scenario != "" {
		playAgain(t, scenarioNamed(t, p.scenario), p.points)
		return
	}
	synctest.Test(t, func(t *testing.T) {
		w := cellWorld(t, phaseNamed(p.phase), p.cells)
		p.cells.endure(w, phaseNamed(p.phase))
		t.Log(w.Story())
	})
}

// reproLife lives a random life again: SEED/LINE; LINE; …
func reproLife(t *testing.T, what string) {
	seed, lines, _ := strings.Cut(what, "/")
	if why := again(t, seed, lines, true); why != "" {
		t.Fatal(why)
	}
}

// reproField edits a field again, there and back: release/PATH or class/PATH.
func reproField(t *testing.T, what string) {
	all := append(releaseFields(t), classFields(t)...)
	at := slices.IndexFunc(all, func(f fieldEdits) bool { return f.name == what })
	if at < 0 {
		t.Fatalf("there is no field %q", what)
	}
	why, came := all[at].thereAndBack(t, true)
	if why == "" {
		why = all[at].vain(came)
	}
	if why != "" {
		t.Fatal(why)
	}
}

// reproReal plays one of these again: SCENARIO/N/MOMENT.
func reproReal(t *testing.T, what string) {
	s, point := scenarioAt(t, what)
	k := &killer{point: point}
	playReal(t, "again", "real/"+what, func(t *testing.T, on e2e.Machine) {
		defer func() { tell(t, k.trace) }()
		t.Log(k.play(t, on, s))
	})
}

// reproHandover plays a hand-over again: INCIDENT, STAGE, or that of a class from one shard to another.
func reproHandover(t *testing.T, what string) {
	if what == "shards" {
		playReal(t, "again", "handover/shards", playShards)
		return
	}
	for _, s := range stages() {
		for _, i := range incidents {
			if i.name+", "+s.name == what {
				playReal(t, "again", "handover/"+what, func(t *testing.T, on e2e.Machine) { s.handover(t, on, i) })
				return
			}
		}
	}
	t.Fatalf("there is no hand-over %q", what)
}
