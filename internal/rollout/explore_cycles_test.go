package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// Progress. The fault-free steps between the states make a graph; that everything which stays possible happens in the end
// (passes, deliveries, time, mending) makes a run through it fair. Every fair run ends in a strongly connected part of the
// graph that is fair itself: each kind of step is taken within it, or is not possible in some state of it. So there is no fair
// run without progress where every such part
//
//	lacks nothing that is asked for, in any of its states, and
//	has no pass that calls or writes anything.

// stuck finds a fair part of the graph that is not at rest as asked.
func (x *search) stuck() *finding {
	for _, part := range x.parts() {
		if !x.isFair(part) {
			continue
		}
		for _, id := range part {
			if x.short[id] {
				return x.tellStuck(part, id)
			}
		}
		for _, id := range part {
			for _, e := range x.edgesOf(id) {
				if e.acted && x.within(part, e.to) {
					return x.tellStuck(part, id)
				}
			}
		}
	}
	return nil
}

func (x *search) edgesOf(id uint32) []edge { return x.edges[x.edgesAt[id]:x.edgesAt[id+1]] }

// within: parts are sorted.
func (x *search) within(part []uint32, id uint32) bool {
	_, found := slices.BinarySearch(part, id)
	return found
}

// isFair: a run can stay in the part for ever and be fair.
func (x *search) isFair(part []uint32) bool {
	var taken, impossible [fairKinds]bool
	inside := false
	for _, id := range part {
		var possible [fairKinds]bool
		for _, e := range x.edgesOf(id) {
			possible[e.fair] = true
			if x.within(part, e.to) {
				taken[e.fair], inside = true, true
			}
		}
		for kind := range possible {
			impossible[kind] = impossible[kind] || !possible[kind]
		}
	}
	for kind := range taken {
		if !taken[kind] && !impossible[kind] {
			return false
		}
	}
	return inside
}

// parts are the strongly connected parts of the graph (Tarjan), each sorted.
func (x *search) parts() [][]uint32 {
	n := len(x.parents)
	t := &tarjan{index: make([]uint32, n), low: make([]uint32, n), on: make([]bool, n)}
	for root := range n {
		if t.index[root] == 0 {
			x.visit(t, uint32(root)) //nolint:gosec // states are fewer
		}
	}
	return t.parts
}

type tarjan struct {
	index, low []uint32 // from 1; 0: not visited
	on         []bool
	stack      []uint32
	count      uint32
	parts      [][]uint32
}

func (t *tarjan) push(id uint32) {
	t.count++
	t.index[id], t.low[id], t.on[id] = t.count, t.count, true
	t.stack = append(t.stack, id)
}

// pop closes the part whose first state this is.
func (t *tarjan) pop(id uint32) {
	if t.low[id] != t.index[id] {
		return
	}
	at := len(t.stack) - 1
	for t.stack[at] != id {
		at--
	}
	part := slices.Clone(t.stack[at:])
	for _, member := range part {
		t.on[member] = false
	}
	t.stack = t.stack[:at]
	slices.Sort(part)
	t.parts = append(t.parts, part)
}

// visit goes through what can be reached from a state, without recursion: the ways are long.
func (x *search) visit(t *tarjan, root uint32) {
	type frame struct {
		id   uint32
		edge int
	}
	t.push(root)
	frames := []frame{{root, 0}}
	for len(frames) > 0 {
		f := &frames[len(frames)-1]
		edges := x.edgesOf(f.id)
		if f.edge == len(edges) {
			t.pop(f.id)
			done := f.id
			if frames = frames[:len(frames)-1]; len(frames) > 0 {
				up := frames[len(frames)-1].id
				t.low[up] = min(t.low[up], t.low[done])
			}
			continue
		}
		to := edges[f.edge].to
		f.edge++
		if t.index[to] == 0 {
			t.push(to)
			frames = append(frames, frame{to, 0})
		} else if t.on[to] {
			t.low[f.id] = min(t.low[f.id], t.index[to])
		}
	}
}

// tellStuck tells the way into the part, and one way round in it.
func (x *search) tellStuck(part []uint32, id uint32) *finding {
	state, _ := x.replay(id)
	what := fmt.Sprintf("%s: a fair run can stay for ever in %d states without getting there: %s", x.scope.name, len(part), state.lacks(x.scope))
	text := x.tell(id) + state.String() + "  and round and round:\n"
	var lines []string
	for range min(len(part), 3) {
		for _, e := range x.edgesOf(id) {
			if x.within(part, e.to) && (e.to != id || e.acted) {
				lines = append(lines, "       "+x.follow(state, int(e.step)).words)
			}
		}
		for _, e := range x.edgesOf(id) {
			if x.within(part, e.to) && e.to != id {
				state, id = x.follow(state, int(e.step)).state, e.to
				break
			}
		}
	}
	return &finding{what, text + strings.Join(lines, "\n")}
}
