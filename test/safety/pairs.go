package safety

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"slipway.dev/slipway/test/e2e"
)

// crashAt is a crash as a cell: the process is killed at its n-th call from the moment on in which the phase is asked for.
func crashAt(p Point) cell {
	var calls atomic.Int64
	var begun, hit atomic.Bool
	return cell{
		name: crashWord + p.String(),
		begin: func(*e2e.World) func() bool {
			begun.Store(true)
			return hit.Load
		},
		tap: func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
			if !begun.Load() || !counts(call) || calls.Add(1)-1 != int64(p.Call) {
				return send()
			}
			hit.Store(true)
			return killed(call.By, p.When, send)
		},
	}
}

const crashWord = "crash at call "

// both lets two things go wrong at once. What people do by hand begins before the other and ends after it: no call of theirs fails.
func both(a, b cell) cell {
	if b.byHand {
		a, b = b, a
	}
	return cell{
		name: a.name + and + b.name, lasts: max(a.lasts, b.lasts),
		begin: func(w *e2e.World) func() bool {
			endA := a.begin(w)
			endB := b.begin(w)
			return func() bool {
				hit := endB()
				return endA() && hit
			}
		},
		tap: func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
			return a.through(call, func() (*http.Response, error) { return b.through(call, send) })
		},
	}
}

const and = " + "

// through is the way of a call through what is wrong with it.
func (c cell) through(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	if c.tap == nil {
		return send()
	}
	return c.tap(call, send)
}

// apart: two cells that would undo each other, or whose end says nothing when the other one was on.
func apart(a, b cell) bool {
	moves := func(c cell) bool { return strings.Contains(c.name, "vanish") || strings.Contains(c.name, "made again") }
	return a.name != b.name && !(a.byHand && b.byHand) && !((moves(a) || a.byHand) && (moves(b) || b.byHand))
}

// pair is two things that go wrong at once: two crashes in a scenario, or two cells in a phase.
type pair struct {
	scenario string
	points   []Point
	phase    string
	cells    cell
}

// String is how the pair is asked for again.
func (p pair) String() string {
	if p.scenario != "" {
		return fmt.Sprintf("pair/%s/%s%s%s", p.scenario, p.points[0], and, p.points[1])
	}
	return "pair/" + p.phase + "/" + p.cells.name
}

// samplePair draws a pair: each kind as often as the others.
func samplePair(dice *rand.Rand, scenarios []string, phases []phase, called map[string]map[string]bool) pair {
	point := func(from, n int) Point { return Point{from + dice.IntN(n), moments[dice.IntN(len(moments))]} }
	kind := dice.IntN(4)
	if kind == 0 {
		first := point(0, 120)
		return pair{scenario: scenarios[dice.IntN(len(scenarios))], points: []Point{first, point(first.Call+1, 40)}}
	}
	p := phases[dice.IntN(len(phases))]
	pick := func(list []cell) cell {
		for {
			if c := list[dice.IntN(len(list))]; c.calls == "" || called[p.name][c.calls] {
				return c
			}
		}
	}
	switch kind {
	case 1:
		return pair{phase: p.name, cells: both(crashAt(point(0, 30)), pick(awsCells()))}
	case 2:
		return pair{phase: p.name, cells: both(crashAt(point(0, 30)), pick(kubeFaults()))}
	}
	for {
		if a, b := pick(awsCells()), pick(awsCells()); apart(a, b) {
			return pair{phase: p.name, cells: both(a, b)}
		}
	}
}

// parsePair reads what String gave, without "pair/".
func parsePair(text string) (pair, error) {
	first, second, ok := strings.Cut(text, and)
	if !ok {
		return pair{}, fmt.Errorf("%q is no pair", text)
	}
	where, what, _ := strings.Cut(first, "/")
	if !slices.ContainsFunc(phases, func(p phase) bool { return p.name == where }) {
		words := strings.Split(first, "/") // a scenario's name may have some of its own
		at := max(0, len(words)-2)
		a, errA := parsePoint(strings.Join(words[at:], "/"))
		b, errB := parsePoint(second)
		if errA != nil || errB != nil {
			return pair{}, fmt.Errorf("%q names no phase, nor a scenario and two points", text)
		}
		return pair{scenario: strings.Join(words[:at], "/"), points: []Point{a, b}}, nil
	}
	a, errA := parseCell(what)
	b, errB := parseCell(second)
	if errA != nil || errB != nil {
		return pair{}, fmt.Errorf("of %q and %q there is no cell", what, second)
	}
	return pair{phase: where, cells: both(a, b)}, nil
}

func parsePoint(text string) (Point, error) {
	call, when, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(call)
	if err != nil || !slices.Contains(moments, When(when)) {
		return Point{}, fmt.Errorf("%q is no point such as 12/lost", text)
	}
	return Point{n, When(when)}, nil
}

func parseCell(name string) (cell, error) {
	if point, is := strings.CutPrefix(name, crashWord); is {
		p, err := parsePoint(point)
		return crashAt(p), err
	}
	all := cells()
	at := slices.IndexFunc(all, func(c cell) bool { return c.name == name })
	if at < 0 {
		return cell{}, fmt.Errorf("there is no cell %q", name)
	}
	return all[at], nil
}

// phaseNamed is one of the phases.
func phaseNamed(name string) phase {
	return phases[slices.IndexFunc(phases, func(p phase) bool { return p.name == name })]
}

// undisturbed are the ends of scenarios without a crash, each played once.
type undisturbed struct {
	mu   sync.Mutex
	ends map[string]*undisturbedEnd
}

type undisturbedEnd struct {
	mu    sync.Mutex
	known bool
	end   string
}

// of gives that of a scenario; play plays it where it is not known, and holds up those who ask for another one no longer than a moment.
func (u *undisturbed) of(name string, play func() string) string {
	u.mu.Lock()
	if u.ends == nil {
		u.ends = map[string]*undisturbedEnd{}
	}
	if u.ends[name] == nil {
		u.ends[name] = &undisturbedEnd{}
	}
	one := u.ends[name]
	u.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if !one.known {
		one.end, one.known = play(), true
	}
	return one.end
}
