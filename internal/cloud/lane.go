package cloud

import (
	"context"
	"time"
)

// Lane is the priority of a call where calls are limited: a lower lane goes first.
type Lane int

// The lanes, most urgent first.
const (
	LaneRollback Lane = iota
	LanePromote
	LaneLaunch
	LaneTerminate
	LaneBackground
	// LaneLast is for who does not get on: its calls wait for as long as there is any other, and do not take from what is left to the background.
	LaneLast
)

type laneKey struct{}

// WithLane marks all calls made with the context.
func WithLane(ctx context.Context, lane Lane) context.Context {
	return context.WithValue(ctx, laneKey{}, lane)
}

// LaneOf is the lane of a context; LaneBackground where none was set.
func LaneOf(ctx context.Context) Lane {
	if lane, ok := ctx.Value(laneKey{}).(Lane); ok {
		return lane
	}
	return LaneBackground
}

type dueKey struct{}

// WithDue gives a call its place among those of its lane: they go in the order of these times. Default: the time at which it arrives.
func WithDue(ctx context.Context, due time.Time) context.Context {
	return context.WithValue(ctx, dueKey{}, due)
}

// DueOf is the time of a context, and arrival where none was set.
func DueOf(ctx context.Context, arrival time.Time) time.Time {
	if due, ok := ctx.Value(dueKey{}).(time.Time); ok {
		return due
	}
	return arrival
}
