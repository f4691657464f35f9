package cloud

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A call is under way as long as the permit is renewed, and not longer.
func TestAPermitEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		withdrawn := errors.New("withdrawn")
		var until atomic.Pointer[time.Time]
		renew := func() { end := time.Now().Add(10 * time.Second); until.Store(&end) }
		renew()
		ctx, cancel, err := MayChange(WithPermit(t.Context(), func() (time.Duration, error) {
			if left := time.Until(*until.Load()); left > 0 {
				return left, nil
			}
			return 0, withdrawn
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer cancel()
		time.Sleep(9 * time.Second) // of the bubble
		renew()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatal("it was renewed, and the call ended")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !errors.Is(context.Cause(ctx), withdrawn) {
			t.Fatalf("it is withdrawn, and the call goes on: %v", context.Cause(ctx))
		}
		if _, _, err := MayChange(WithPermit(t.Context(), func() (time.Duration, error) { return 0, withdrawn })); !errors.Is(err, withdrawn) {
			t.Fatalf("a call may begin: %v", err)
		}
	})
}

// A call that is over leaves nothing behind: the bubble waits for its goroutines.
func TestAPermitIsNotAskedAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		_, cancel, err := MayChange(WithPermit(t.Context(), func() (time.Duration, error) { asked++; return time.Second, nil }))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(time.Minute)
		if asked != 1 {
			t.Fatalf("asked %d times", asked)
		}
	})
}

// Of two permits both have to be given, and the shorter one is asked again first.
func TestTwoPermits(t *testing.T) {
	withdrawn := errors.New("withdrawn")
	gives := func(left time.Duration, err error) Permit { return func() (time.Duration, error) { return left, err } }
	for name, c := range map[string]struct {
		first, second Permit
		left          time.Duration
		err           error
	}{
		"both":            {gives(10*time.Second, nil), gives(time.Second, nil), time.Second, nil},
		"the first alone": {gives(10*time.Second, nil), gives(0, withdrawn), 0, withdrawn},
		"the second":      {gives(0, withdrawn), gives(time.Second, nil), 0, withdrawn},
		"no first":        {nil, gives(time.Second, nil), time.Second, nil},
	} {
		ctx := t.Context()
		if c.first != nil {
			ctx = WithPermit(ctx, c.first)
		}
		permit, _ := AlsoWithPermit(ctx, c.second).Value(permitKey{}).(Permit)
		if left, err := permit(); left != c.left || !errors.Is(err, c.err) {
			t.Errorf("%s: %s, %v", name, left, err)
		}
	}
}
