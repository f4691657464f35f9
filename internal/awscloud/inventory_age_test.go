package awscloud

import (
	"testing"
	"time"
)

// The more pages a sweep has, the older it may get: together with the two lists of impaired servers, EC2 is read at most ten times a
// minute for all Releases at rest, and never twice within what one minute's status checks can change.
func TestAgeOfSweepsAtRest(t *testing.T) {
	for servers, want := range map[int]time.Duration{
		0: restAge, 1: restAge, 1000: restAge, 6000: restAge, 6001: 52500 * time.Millisecond, 10_000: 75 * time.Second, 50_000: 3 * time.Minute,
	} {
		if got := ageAtRest(servers); got != want {
			t.Errorf("%d servers: %s, want %s", servers, got, want)
		}
	}
	for servers := 1; servers <= 10_000; servers += 999 {
		pages := float64((servers + pageSize - 1) / pageSize)
		every := ageAtRest(servers).Minutes()
		lists := 2 / max(statusEvery.Minutes(), every)
		if calls := pages/every + lists; calls > 10 {
			t.Errorf("%d servers: %.1f calls a minute", servers, calls)
		}
	}
}
