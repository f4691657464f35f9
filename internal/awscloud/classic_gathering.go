package awscloud

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/cloud"
)

const (
	// mostCalled is how many load balancers one call of the rolls names. AWS documents no limit for the classic ones; for the others it
	// is twenty.
	mostCalled = 20
	// gathersFor is how long a call waits at most for the one before it, which may hang.
	gathersFor = time.Second
	// spoilsFor is how long a load balancer is called alone after a call that named it was refused for it.
	spoilsFor = 10 * time.Minute
)

// gathering calls the rolls of the load balancers of many Releases together: who asks while a call waits for its turn, or is on its way, is
// called with all who ask meanwhile, as soon as that is over. Where nobody else asks, nobody waits.
//
//	web asks   ── call: web ──┤
//	shop asks        ·········├── call: shop, blog ──┤      ten calls a second are for everybody
//	blog asks           ······┘
//
// Lanes are called apart, and a rollback alone. An answer is never older than the question.
type gathering struct {
	clock Clock
	read  func(ctx context.Context, ids []string) (map[string]roll, error)

	mu     sync.Mutex
	calls  map[cloud.Lane]int       // that are under way
	next   map[cloud.Lane]*rollCall // for those who ask meanwhile
	spoils map[string]time.Time     // by id: when a call was refused for it
}

// rollCall is one call for several askers.
type rollCall struct {
	ids  []string
	late func()        // takes back that it is begun late; nil: it does not wait
	done chan struct{} // closed when all and err are set
	all  map[string]roll
	err  error
}

// call reads the rolls of load balancers, and perhaps with them those that others ask for. It fails where one of these does not exist.
func (g *gathering) call(ctx context.Context, ids []string) (map[string]roll, error) {
	if cloud.LaneOf(ctx) == cloud.LaneRollback || g.spoiled(ids) {
		return g.alone(ctx, ids)
	}
	call := g.join(ctx, ids)
	select {
	case <-call.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if call.err == nil || len(call.ids) == len(ids) || !ofOne(explain(call.err, "", poolMeanings)) {
		g.note(ids, call.err, len(call.ids) == len(ids))
		return call.all, call.err
	}
	return g.alone(ctx, ids) // it may be somebody else's that does not exist
}

func (g *gathering) alone(ctx context.Context, ids []string) (map[string]roll, error) {
	all, err := g.read(ctx, ids)
	g.note(ids, err, true)
	return all, err
}

// join finds a place in a call that has not begun, or begins one.
func (g *gathering) join(ctx context.Context, ids []string) *rollCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls == nil {
		g.calls, g.next = map[cloud.Lane]int{}, map[cloud.Lane]*rollCall{}
	}
	ctx, lane := context.WithoutCancel(ctx), cloud.LaneOf(ctx) // it goes on for the others, whoever began it
	call := g.next[lane]
	if call == nil || len(call.ids)+len(ids) > mostCalled {
		if call != nil { // full: it waits for nobody
			g.begin(ctx, lane, call)
		}
		call = &rollCall{done: make(chan struct{})}
		g.next[lane] = call
		if g.calls[lane] > 0 {
			call.late = g.clock.AfterFunc(gathersFor, func() { g.goes(ctx, lane, call) })
		}
	}
	for _, id := range ids {
		if !slices.Contains(call.ids, id) {
			call.ids = append(call.ids, id)
		}
	}
	if g.calls[lane] == 0 {
		delete(g.next, lane)
		g.begin(ctx, lane, call)
	}
	return call
}

// goes begins a call that has waited long enough, if it has not begun.
func (g *gathering) goes(ctx context.Context, lane cloud.Lane, call *rollCall) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next[lane] == call {
		delete(g.next, lane)
		g.begin(ctx, lane, call)
	}
}

// begin makes a call, and the one that was gathered meanwhile after it. Called with g.mu held.
func (g *gathering) begin(ctx context.Context, lane cloud.Lane, call *rollCall) {
	g.calls[lane]++
	if call.late != nil {
		call.late()
	}
	go func() {
		g.make(ctx, call)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.calls[lane]--
		if next := g.next[lane]; next != nil {
			delete(g.next, lane)
			g.begin(ctx, lane, next)
		}
	}()
}

func (g *gathering) make(ctx context.Context, call *rollCall) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	defer close(call.done)
	call.err = contained("reading the members of the classic load balancers", func() (err error) {
		call.all, err = g.read(ctx, call.ids)
		return err
	})
}

// note remembers for whom a call of just these was refused.
func (g *gathering) note(ids []string, err error, justThese bool) {
	if !justThese {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	maps.DeleteFunc(g.spoils, func(_ string, at time.Time) bool { return now.Sub(at) >= spoilsFor })
	for _, id := range ids {
		switch {
		case err == nil:
			delete(g.spoils, id)
		case ofOne(explain(err, "", poolMeanings)):
			if g.spoils == nil {
				g.spoils = map[string]time.Time{}
			}
			g.spoils[id] = now
		}
	}
}

// spoiled: a call was refused for one of them lately.
func (g *gathering) spoiled(ids []string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	return slices.ContainsFunc(ids, func(id string) bool {
		at, refused := g.spoils[id]
		return refused && now.Sub(at) < spoilsFor
	})
}
