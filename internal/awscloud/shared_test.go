package awscloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/cloud"
)

// counter is a shared reading that takes a second and answers how often it was read; it fails while broken.
func counter(broken *atomic.Bool) (*shared[int], *atomic.Int64) {
	var reads atomic.Int64
	return &shared[int]{clock: wallClock{}, limit: time.Minute, read: func(ctx context.Context, _ string) (int, error) {
		n := int(reads.Add(1))
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if broken.Load() {
			return 0, errors.New("broken")
		}
		return n, nil
	}}, &reads
}

func TestSharedReadingServesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		s, reads := counter(&broken)
		ask := func(n int, maxAge time.Duration, want int) {
			t.Helper()
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					if got, err := s.get(t.Context(), "", maxAge); got != want || err != nil {
						t.Errorf("got reading %d, %v; want %d", got, err, want)
					}
				})
			}
			all.Wait()
		}
		ask(50, time.Minute, 1)
		ask(50, time.Minute, 1)
		ask(1, 0, 2)

		// Those who come while a reading is under way and must have a newer one share the next.
		var all sync.WaitGroup
		for _, when := range []struct {
			wait time.Duration
			want int
		}{{0, 3}, {300 * time.Millisecond, 4}, {600 * time.Millisecond, 4}, {time.Second + 500*time.Millisecond, 5}} {
			all.Go(func() {
				time.Sleep(when.wait)
				if got, err := s.get(t.Context(), "", 0); got != when.want || err != nil {
					t.Errorf("after %s: got reading %d, %v; want %d", when.wait, got, err, when.want)
				}
			})
		}
		all.Wait()
		if got := reads.Load(); got != 5 {
			t.Errorf("read %d times, want 5", got)
		}
	})
}

func TestSharedReadingAgesFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		s, _ := counter(&broken)
		for _, step := range []struct {
			wait, maxAge time.Duration
			want         int
		}{
			{0, time.Minute, 1},                    // takes a second
			{time.Second, 2 * time.Second, 1},      // began two seconds ago
			{time.Millisecond, 2 * time.Second, 2}, // a bit more
			{0, 999 * time.Millisecond, 3},         // the last began a second ago
		} {
			time.Sleep(step.wait)
			if got, _ := s.get(t.Context(), "", step.maxAge); got != step.want {
				t.Errorf("%+v: got reading %d", step, got)
			}
		}
	})
}

func TestFailedReadingIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		s, _ := counter(&broken)
		broken.Store(true)
		if _, err := s.get(t.Context(), "", time.Minute); err == nil {
			t.Error("no error")
		}
		broken.Store(false)
		if got, err := s.get(t.Context(), "", time.Minute); got != 2 || err != nil {
			t.Errorf("got reading %d, %v", got, err)
		}
		broken.Store(true)
		time.Sleep(2 * time.Minute)
		if got, err := s.get(t.Context(), "", time.Minute); err == nil {
			t.Errorf("got reading %d of long ago for an error", got)
		}
	})
}

func TestReadingOutlivesItsAsker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		s, reads := counter(&broken)
		hasty, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		go func() {
			if _, err := s.get(hasty, "", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the hasty one got %v", err)
			}
		}()
		synctest.Wait()
		if got, err := s.get(t.Context(), "", time.Minute); got != 1 || err != nil || reads.Load() != 1 {
			t.Errorf("got reading %d of %d, %v", got, reads.Load(), err)
		}
	})
}

func TestKeysAreReadApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared[string]{clock: wallClock{}, limit: time.Minute,
			read: func(_ context.Context, key string) (string, error) { return "of " + key, nil }}
		for _, key := range []string{"a", "b"} {
			if got, _ := s.get(t.Context(), key, time.Minute); got != "of "+key {
				t.Errorf("%s got %q", key, got)
			}
		}
	})
}

func TestKeysThatNobodyReadsAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared[string]{clock: wallClock{}, limit: time.Minute,
			read: func(_ context.Context, key string) (string, error) { return "of " + key, nil }}
		for n := range 200 {
			for _, key := range []string{"used", fmt.Sprint(n)} {
				if got, _ := s.get(t.Context(), key, 10*time.Minute); got != "of "+key {
					t.Errorf("%s got %q", key, got)
				}
			}
			time.Sleep(10 * time.Minute)
		}
		if len(s.keys) > 20 || s.keys["used"] == nil {
			t.Errorf("%d keys are left", len(s.keys))
		}
	})
}

func TestPanicOfAReadingIsItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared[int]{clock: wallClock{}, limit: time.Minute, read: func(context.Context, string) (int, error) { panic("oops") }}
		if _, err := s.get(t.Context(), "k", time.Minute); err == nil || !strings.Contains(err.Error(), "shared_test.go") {
			t.Errorf("got %v", err)
		}
	})
}

func TestReadingIsAsUrgentAsThoseWhoWaitForIt(t *testing.T) {
	tests := map[string]struct {
		asked, read []cloud.Lane // one after the other, while the first reading is under way
	}{
		"one that waits becomes as urgent as the most urgent question": {
			asked: []cloud.Lane{cloud.LaneRollback, cloud.LaneBackground, cloud.LanePromote, cloud.LaneTerminate},
			read:  []cloud.Lane{cloud.LaneRollback, cloud.LanePromote},
		},
		"nobody waits for one under way that is less urgent": {
			asked: []cloud.Lane{cloud.LaneBackground, cloud.LaneTerminate, cloud.LaneRollback, cloud.LaneRollback},
			read:  []cloud.Lane{cloud.LaneBackground, cloud.LaneTerminate, cloud.LaneRollback, cloud.LaneRollback},
		},
		"nor does one that waits": {
			asked: []cloud.Lane{cloud.LaneBackground, cloud.LaneBackground, cloud.LaneRollback},
			read:  []cloud.Lane{cloud.LaneBackground, cloud.LaneRollback},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lanes []cloud.Lane
				s := &shared[int]{clock: wallClock{}, limit: time.Minute, read: func(ctx context.Context, _ string) (int, error) {
					lanes = append(lanes, cloud.LaneOf(ctx))
					<-time.After(time.Second)
					return 0, nil
				}}
				var all sync.WaitGroup
				for _, lane := range test.asked {
					all.Go(func() {
						if _, err := s.get(cloud.WithLane(t.Context(), lane), "", 0); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				all.Wait()
				if !slices.Equal(lanes, test.read) {
					t.Errorf("read in lanes %v, want %v", lanes, test.read)
				}
			})
		})
	}
}

// A reading that stood in the queue for long must not hide what a more urgent one, which began later, has seen.
func TestTheNewestReadingIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		s := &shared[string]{clock: wallClock{}, limit: time.Minute, read: func(ctx context.Context, _ string) (string, error) {
			if cloud.LaneOf(ctx) == cloud.LaneRollback {
				return "new", nil
			}
			<-slow
			return "old", nil
		}}
		ask := func(lane cloud.Lane, maxAge time.Duration, want string) {
			t.Helper()
			if got, err := s.get(cloud.WithLane(t.Context(), lane), "", maxAge); got != want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
		go ask(cloud.LaneBackground, time.Minute, "old")
		time.Sleep(time.Second)
		ask(cloud.LaneRollback, time.Minute, "new")
		close(slow)
		synctest.Wait()
		ask(cloud.LaneBackground, time.Minute, "new")
	})
}
