package localaws

import (
	"slices"
	"sync/atomic"
	"time"
)

// table is all that a node needs to carry a request. It is built under Cloud.mu and never changed afterwards, so that
// requests are routed without a lock.
type table struct {
	lb     *balancer // only its unchanging fields are read: kind and name
	fronts map[int]*frontTable
}

// frontTable is one listener of a table.
type frontTable struct {
	protocol string
	idle     time.Duration
	patience time.Duration
	routes   []*routeTable
}

// routeTable is one rule of a listener.
type routeTable struct {
	conditions []condition
	action     action
	shares     []share // of a forward action
	weights    int     // of all shares
}

// share is the part of the requests that one pool gets.
type share struct {
	weight  int
	away    bool // others take over, whoever stays with it
	members []*backend
	turn    *turn
	cookie  string        // names the target group, for clients that stay with it
	sticky  time.Duration // clients stay with a server for that long; 0: they do not
}

// publish makes the node's table anew from what it follows and from the members of now. Without a data plane nobody
// reads it.
func (n *node) publish() {
	plane := n.lb.realm.c.plane()
	if plane == nil {
		return
	}
	t := &table{lb: n.lb, fronts: map[int]*frontTable{}}
	for port, known := range n.adopted {
		f := n.lb.fronts[port]
		ft := &frontTable{protocol: f.protocol, idle: f.idle, patience: f.patience}
		for _, r := range known.routes {
			ft.routes = append(ft.routes, n.route(r))
		}
		t.fronts[port] = ft
	}
	n.table.Store(t)
	plane.listen(n, t)
	n.lb.resolve()
}

func (n *node) route(r route) *routeTable {
	out := &routeTable{conditions: r.conditions, action: r.action}
	for _, g := range r.action.groups {
		s := share{weight: g.weight, turn: g.pool.turn, cookie: cookieOf(g.arn), sticky: g.pool.rules.stickyFor()}
		open := n.failsOpen(g.pool)
		for _, m := range g.pool.sorted() {
			if m.backend != nil && n.receives(m, open) {
				s.members = append(s.members, m.backend)
			}
		}
		out.shares = append(out.shares, s)
		out.weights += g.weight
	}
	if n.lb.realm.c.knobs.Balancers.WeightsFailOver {
		n.failOver(out)
	}
	return out
}

// failOver gives the requests of groups without a healthy member to the others, if there is one that can take them.
func (n *node) failOver(t *routeTable) {
	weights := 0
	for i, g := range t.action.groups {
		if healthyOnes, _ := n.inService(g.pool); healthyOnes == 0 {
			t.shares[i].away = true
		} else {
			weights += g.weight
		}
	}
	if weights == 0 { // nobody can: all keep what they have
		for i := range t.shares {
			t.shares[i].away = false
		}
		return
	}
	t.weights = weights
}

// turn hands out numbers for round-robin.
type turn struct{ n atomic.Uint64 }

func (t *turn) next() uint64 { return t.n.Add(1) - 1 }

// golden is the golden ratio as a fraction of 2^64: multiples of it fall evenly, so that any weights are mixed finely
// from the first request on.
const golden = 0x9e3779b97f4a7c15

// choose picks the share of the n-th request of a route, by weight; nil if all weights are 0.
func (t *routeTable) choose(n uint64) *share {
	if len(t.shares) == 1 && t.weights > 0 {
		return &t.shares[0]
	}
	at := int((n * golden >> 32) * uint64(t.weights) >> 32)
	for i := range t.shares {
		if t.shares[i].away {
			continue
		}
		if at -= t.shares[i].weight; at < 0 {
			return &t.shares[i]
		}
	}
	return nil
}

// take picks the next member in turn and reserves it; the caller must release it. It passes over members that left
// after the table was made. nil: there is none.
func (s *share) take() *backend {
	start := s.turn.next()
	for i := range uint64(len(s.members)) {
		if b := s.members[(start+i)%uint64(len(s.members))]; b.acquire() {
			return b
		}
	}
	return nil
}

// named is the member with that cookie value, reserved; nil if it is not there any more.
func (s *share) named(cookie string) *backend {
	i := slices.IndexFunc(s.members, func(b *backend) bool { return b.cookie == cookie })
	if i >= 0 && s.members[i].acquire() {
		return s.members[i]
	}
	return nil
}
