package cloud

import (
	"context"
	"time"
)

// Permit is asked right before a call is sent that changes something. It tells how long the call may take before the permit has to be
// asked again, and is an error when nothing may be changed any more: of several processes, this one does not lead now.
type Permit func() (time.Duration, error)

type permitKey struct{}

// WithPermit makes every call that changes something ask permit first, and while it is under way.
func WithPermit(ctx context.Context, permit Permit) context.Context {
	return context.WithValue(ctx, permitKey{}, permit)
}

// AlsoWithPermit asks for another permit beside the one that the context may have.
func AlsoWithPermit(ctx context.Context, also Permit) context.Context {
	first, ok := ctx.Value(permitKey{}).(Permit)
	if !ok {
		return WithPermit(ctx, also)
	}
	return WithPermit(ctx, func() (time.Duration, error) {
		left, err := first()
		if err != nil {
			return 0, err
		}
		also, err := also()
		return min(left, also), err
	})
}

// MayChange asks the permit of a context, and gives the context for one call that changes something: it is done when the permit is
// withdrawn. A call that was allowed may wait for a connection long after that, or in a process that is frozen, and would be sent then.
// It is an error where the permit is withdrawn now. The caller cancels when the call is over.
func MayChange(ctx context.Context) (context.Context, context.CancelFunc, error) {
	permit, ok := ctx.Value(permitKey{}).(Permit)
	if !ok {
		return ctx, func() {}, nil
	}
	left, err := permit()
	if err != nil {
		return ctx, func() {}, err
	}
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		for err == nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(left):
				left, err = permit()
			}
		}
		end(err)
	}()
	return ctx, func() { end(nil) }, nil
}
