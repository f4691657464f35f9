package awscloud

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A reading that began before our own Register may be told afterwards that the load balancer never saw the server: that is of
// before, and the server is asked for as one that was registered.
func TestRefusalFromBeforeTheRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := acquaintances{clock: wallClock{}}
		began := time.Now()
		known.meet("pool", "i-1")
		known.refuse("pool", "i-1", began)
		if met, unknown := known.sort("pool", []string{"i-1", "i-2"}); !slices.Equal(met, []string{"i-1"}) || !slices.Equal(unknown, []string{"i-2"}) {
			t.Errorf("met are %v, unknown are %v", met, unknown)
		}
	})
}

// What a load balancer forgot or never saw is not asked for again for a while, and then it is.
func TestRefusalIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := acquaintances{clock: wallClock{}}
		known.meet("pool", "i-1")
		<-time.After(time.Second)
		known.refuse("pool", "i-1", time.Now())
		if met, unknown := known.sort("pool", []string{"i-1"}); len(met)+len(unknown) > 0 {
			t.Errorf("asked again at once: %v, %v", met, unknown)
		}
		<-time.After(neverSeen)
		if _, unknown := known.sort("pool", []string{"i-1"}); !slices.Equal(unknown, []string{"i-1"}) {
			t.Errorf("after %s: %v", neverSeen, unknown)
		}
	})
}

// Who is said to be gone is not asked for again for a few seconds, unless it was registered since the question.
func TestWhoIsGoneIsNotAskedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := acquaintances{clock: wallClock{}}
		known.meet("pool", "i-1")
		<-time.After(time.Second)
		known.leave("pool", "i-1", time.Now())
		known.leave("pool", "i-2", time.Now())
		hidden := []string{"i-1", "i-2"}
		if met, unknown := known.sort("pool", hidden); len(met)+len(unknown) > 0 {
			t.Errorf("asked again at once: %v, %v", met, unknown)
		}
		<-time.After(goneFor)
		if met, _ := known.sort("pool", hidden); !slices.Equal(met, hidden) {
			t.Errorf("after %s: %v", goneFor, met)
		}
		began := time.Now()
		known.leave("pool", "i-1", began)
		known.meet("pool", "i-1")
		if met, _ := known.sort("pool", hidden[:1]); !slices.Equal(met, hidden[:1]) {
			t.Error("a server that was registered since is not asked for")
		}
		known.leave("pool", "i-1", began)
		if met, _ := known.sort("pool", hidden[:1]); !slices.Equal(met, hidden[:1]) {
			t.Error("a question from before the registration counts")
		}
	})
}
