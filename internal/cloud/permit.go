package cloud

import "context"

type permitKey struct{}

// WithPermit makes every call that changes something ask permit first, right before it is sent. An error keeps the call back: of
// several processes, this one does not lead any more.
func WithPermit(ctx context.Context, permit func() error) context.Context {
	return context.WithValue(ctx, permitKey{}, permit)
}

// MayChange is what the permit of a context says now; nil where there is none.
func MayChange(ctx context.Context) error {
	if permit, ok := ctx.Value(permitKey{}).(func() error); ok {
		return permit()
	}
	return nil
}
