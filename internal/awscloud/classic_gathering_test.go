package awscloud

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/cloud"
)

// roundTrip is how long a call takes in these tests.
const roundTrip = 50 * time.Millisecond

// gatherer is a gathering whose calls are noted, and refused where they name "gone".
type gatherer struct {
	*gathering
	t     *testing.T
	began time.Time

	mu   sync.Mutex
	made []string // calls: when they began, and whom they name
	got  []string // answers: when they came, to whom, and whether there was one
}

func gathers(t *testing.T, test func(g *gatherer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &gatherer{t: t, began: time.Now()}
		g.gathering = &gathering{clock: wallClock{}, read: g.describe}
		test(g)
	})
}

func (g *gatherer) describe(_ context.Context, ids []string) (map[string]roll, error) {
	g.mu.Lock()
	g.made = append(g.made, fmt.Sprintf("%s %s", time.Since(g.began), strings.Join(ids, " ")))
	g.mu.Unlock()
	if slices.Contains(ids, "hangs") {
		<-time.After(30*time.Second - roundTrip)
	}
	<-time.After(roundTrip)
	if slices.Contains(ids, "gone") {
		return nil, awsError("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named 'gone'")
	}
	all := map[string]roll{}
	for _, id := range ids {
		all[id] = roll{"i-" + id: true}
	}
	return all, nil
}

// ask asks for load balancers; it has its place when ask returns.
func (g *gatherer) ask(ctx context.Context, ids ...string) {
	go func() {
		all, err := g.call(ctx, ids)
		complete := !slices.ContainsFunc(ids, func(id string) bool { return !all[id]["i-"+id] })
		g.mu.Lock()
		defer g.mu.Unlock()
		g.got = append(g.got, fmt.Sprintf("%s %s %t", time.Since(g.began), strings.Join(ids, " "), err == nil && complete))
	}()
	synctest.Wait()
}

func (g *gatherer) expect(made, got []string) {
	g.t.Helper()
	<-time.After(time.Minute)
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.Sort(g.got)
	if !slices.Equal(g.made, made) {
		g.t.Errorf("calls\n%s\nwant\n%s", strings.Join(g.made, "\n"), strings.Join(made, "\n"))
	}
	if !slices.Equal(g.got, got) {
		g.t.Errorf("answers\n%s\nwant\n%s", strings.Join(g.got, "\n"), strings.Join(got, "\n"))
	}
}

// Who asks first waits for nobody; those who ask meanwhile have the next call together, which begins after they asked.
func TestRollsAreCalledTogether(t *testing.T) {
	gathers(t, func(g *gatherer) {
		g.ask(g.t.Context(), "web")
		g.ask(g.t.Context(), "shop")
		g.ask(g.t.Context(), "blog", "shop")
		g.expect([]string{"0s web", "50ms shop blog"}, []string{"100ms blog shop true", "100ms shop true", "50ms web true"})
	})
}

func TestNoRollWaitsForOneThatIsLessUrgent(t *testing.T) {
	gathers(t, func(g *gatherer) {
		g.ask(g.t.Context(), "web")
		g.ask(cloud.WithLane(g.t.Context(), cloud.LaneRollback), "shop")
		g.expect([]string{"0s web", "0s shop"}, []string{"50ms shop true", "50ms web true"})
	})
}

// One that hangs holds up the others for a second.
func TestACallThatHangsIsNotWaitedFor(t *testing.T) {
	gathers(t, func(g *gatherer) {
		g.ask(g.t.Context(), "hangs")
		<-time.After(100 * time.Millisecond)
		g.ask(g.t.Context(), "web")
		g.ask(g.t.Context(), "shop")
		g.expect([]string{"0s hangs", "1.1s web shop"}, []string{"1.15s shop true", "1.15s web true", "30s hangs true"})
	})
}

// A call that is full waits for nobody either.
func TestRollsAreCalledInBatches(t *testing.T) {
	gathers(t, func(g *gatherer) {
		var wanted []string
		g.ask(g.t.Context(), "web")
		for i := range mostCalled + 1 {
			g.ask(g.t.Context(), fmt.Sprint(i))
			wanted = append(wanted, fmt.Sprint(i))
		}
		g.mu.Lock()
		made := slices.Clone(g.made)
		g.mu.Unlock()
		if want := []string{"0s web", "0s " + strings.Join(wanted[:mostCalled], " ")}; !slices.Equal(made, want) {
			g.t.Errorf("calls at once\n%s", strings.Join(made, "\n"))
		}
		<-time.After(time.Minute)
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.got) != mostCalled+2 || slices.ContainsFunc(g.got, func(s string) bool { return strings.HasSuffix(s, "false") }) {
			g.t.Errorf("answers\n%s", strings.Join(g.got, "\n"))
		}
	})
}

// A load balancer that is not there costs the others one call more, once; from then on it is called alone, for ten minutes.
func TestOneThatIsGoneSpoilsNoOther(t *testing.T) {
	gathers(t, func(g *gatherer) {
		g.ask(g.t.Context(), "web")
		g.ask(g.t.Context(), "shop")
		g.ask(g.t.Context(), "gone")
		<-time.After(time.Second)
		g.ask(g.t.Context(), "web")
		g.ask(g.t.Context(), "shop")
		g.ask(g.t.Context(), "gone")
		<-time.After(time.Second)
		g.mu.Lock()
		slices.Sort(g.made[2:4])
		g.mu.Unlock()
		g.expect([]string{"0s web", "50ms shop gone", "100ms gone", "100ms shop", "1s web", "1s gone", "1.05s shop"},
			[]string{"1.05s gone false", "1.05s web true", "1.1s shop true", "150ms gone false", "150ms shop true", "50ms web true"})
		if g.spoiled([]string{"gone"}) != true || g.spoiled([]string{"shop"}) {
			g.t.Errorf("spoilers are %v", g.spoils)
		}
		<-time.After(spoilsFor)
		if g.spoiled([]string{"gone"}) {
			g.t.Error("it is called alone for ever")
		}
	})
}

// Who gives up leaves the call to those who wait for it with him.
func TestARollIsReadForThoseWhoWait(t *testing.T) {
	gathers(t, func(g *gatherer) {
		hasty, cancel := context.WithTimeout(g.t.Context(), 60*time.Millisecond)
		defer cancel()
		g.ask(g.t.Context(), "web")
		g.ask(hasty, "shop")
		g.ask(g.t.Context(), "blog")
		g.expect([]string{"0s web", "50ms shop blog"}, []string{"100ms blog true", "50ms web true", "60ms shop false"})
	})
}
