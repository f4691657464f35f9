package laws

import (
	"testing"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// Where passes take time, a member that fell sick after it was read counts as it was read, and as nothing else: not one that was never
// healthy, nor one that has been sick for longer.
func TestWhatWasHealthyWhenItWasRead(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name       string
		state, was string
		ago        time.Duration
		lately     time.Duration
		want       bool
	}{
		{"healthy", healthy, "unhealthy", time.Minute, 0, true},
		{"just became healthy", healthy, "registered", 0, 3 * time.Second, true},
		{"fell sick after the reading", "unhealthy", healthy, 2 * time.Second, 3 * time.Second, true},
		{"fell sick at the reading", "unhealthy", healthy, 3 * time.Second, 3 * time.Second, false},
		{"fell sick where readings have no age", "unhealthy", healthy, 0, 0, false},
		{"never was healthy", "unhealthy", "registered", time.Second, 3 * time.Second, false},
		{"stopped", "unused", healthy, time.Second, 3 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scene{now: now, lately: c.lately}
			if got := s.wasHealthy(localaws.MemberInfo{State: c.state, Was: c.was, Since: now.Add(-c.ago)}); got != c.want {
				t.Errorf("wasHealthy is %v, not %v", got, c.want)
			}
		})
	}
}
