package cloud

import "context"

// Lane is the priority of a call where calls are limited: a lower lane goes first.
type Lane int

// The lanes, most urgent first.
const (
	LaneRollback Lane = iota
	LanePromote
	LaneLaunch
	LaneTerminate
	LaneBackground
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
