package laws

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
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

// So does a server that died by itself, and none that was ended by a call.
func TestWhatRanWhenItWasRead(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		ran    time.Time
		reason string
		lately time.Duration
		want   bool
	}{
		{"died after the reading", now.Add(-2 * time.Second), "Server.InternalError", 3 * time.Second, true},
		{"died at the reading", now.Add(-3 * time.Second), "Server.InternalError", 3 * time.Second, false},
		{"died where readings have no age", now, "Server.InternalError", 0, false},
		{"was ended by a call", now.Add(-2 * time.Second), "Client.UserInitiatedShutdown", 3 * time.Second, false},
		{"runs, or never did", time.Time{}, "", 3 * time.Second, false},
	} {
		s := scene{now: now, lately: c.lately}
		if got := s.justDied(localaws.InstanceInfo{Ran: c.ran, StateReason: c.reason}); got != c.want {
			t.Errorf("%s: justDied is %v, not %v", c.name, got, c.want)
		}
	}
}

// And as many servers are asked for as were then, if they were fewer.
func TestWhatWasAskedForWhenItWasRead(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{UID: "uid"}, Spec: v1alpha1.ReleaseSpec{Replicas: 3}}
	for _, c := range []struct {
		name   string
		asked  map[int32]time.Time
		lately time.Duration
		want   int
	}{
		{"fewer, after the reading", map[int32]time.Time{2: now.Add(-2 * time.Second), 3: now}, 3 * time.Second, 2},
		{"fewer, at the reading", map[int32]time.Time{2: now.Add(-3 * time.Second), 3: now}, 3 * time.Second, 3},
		{"more", map[int32]time.Time{4: now.Add(-time.Second), 3: now}, 3 * time.Second, 3},
		{"fewer, where readings have no age", map[int32]time.Time{2: now, 3: now}, 0, 3},
	} {
		w := &Watch{wishes: map[types.UID]*wishes{"uid": {replicas: c.asked}}}
		if got := w.leastAsked(scene{now: now, lately: c.lately}, rel); got != c.want {
			t.Errorf("%s: %d are asked for, not %d", c.name, got, c.want)
		}
	}
}
