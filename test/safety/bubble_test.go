//go:build !race

package safety

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// player is a test in a bubble that fails by a panic, so that whoever began it goes on: rapid plays worlds that fail again and
// again, to find the smallest.
type player struct {
	*testing.T
	name     string
	ctx      context.Context
	cleanups []func()
	tell     bool
}

// verdict is what a player fails with.
type verdict string

// Name implements e2e.T.
func (p *player) Name() string { return p.name }

// Context implements e2e.T.
func (p *player) Context() context.Context { return p.ctx }

// Cleanup implements e2e.T.
func (p *player) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// Logf implements e2e.T.
func (p *player) Logf(format string, args ...any) {
	if p.tell {
		p.T.Logf(format, args...)
	}
}

// Fatalf implements e2e.T.
func (p *player) Fatalf(format string, args ...any) { panic(verdict(fmt.Sprintf(format, args...))) }

// alone plays in a bubble of its own, and gives what it failed with; "" where it did not. What rapid panics with, where it has
// drawn enough, it panics with as well.
func alone(t *testing.T, name string, tell bool, play func(p *player)) string {
	var end any
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		p := &player{T: t, name: name, ctx: ctx, tell: tell}
		end = caught(func() { play(p) })
		cancel()
		for _, f := range slices.Backward(p.cleanups) {
			if why := caught(f); end == nil {
				end = why
			}
		}
	})
	switch end := end.(type) {
	case nil:
		return ""
	case verdict:
		return string(end)
	default:
		panic(end)
	}
}
