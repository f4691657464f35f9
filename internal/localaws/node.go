package localaws

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// balancerKind is the kind of a load balancer; those of the second generation are spelled as on the wire.
type balancerKind string

const (
	classic     balancerKind = "classic"
	application balancerKind = "application"
	network     balancerKind = "network"
)

// balancer is what all load balancers have: zones, and nodes that do the work. Guarded by Cloud.mu.
type balancer struct {
	realm  *realm
	kind   balancerKind
	name   string
	arn    string        // of the second generation
	places []place       // by zone
	zones  []string      // of the places: those that are enabled
	nodes  []*node       // one a zone, by zone
	fronts map[int]front // the listeners by port, as the control plane has them
	dns    dns

	shifted string // the zone that a zonal shift leads away from

	changes int // of the listeners and rules, ever
}

// front is a listener as the nodes know it; it is replaced, never changed.
type front struct {
	protocol string // HTTP or TCP
	routes   []route
	idle     time.Duration // a connection without data is closed after it; of HTTP: between requests
	patience time.Duration // of HTTP: a request in which nothing moves is ended after it
}

// route is what is done with the requests that meet all conditions. The last route of a front has none.
type route struct {
	conditions []condition
	action     action
}

// node is one machine of a load balancer, in one of its zones: it follows the control plane in its own time, checks health by
// itself, and carries traffic.
type node struct {
	lb      *balancer
	zone    string
	down    bool             // its zone is out
	deaf    atomic.Bool      // the same, for requests
	gone    atomic.Bool      // the zone is not enabled any more
	adopted map[int]adoption // by port: the rules that it follows
	turn    turn             // of its requests, for weights
	table   atomic.Pointer[table]
}

// checks tells whether the node checks a member: one of its own zone, or any if balancing is cross-zone. AWS does not say
// whether nodes check members that they never send requests to; assumed that they do not.
func (n *node) checks(m *member) bool { return n.zone == m.inst.az || m.pool.rules.crossZone() }

// reaches tells whether the node may send requests to a member.
func (n *node) reaches(m *member) bool { return n.checks(m) && !m.shiftedAway() }

// place is where a load balancer has nodes: a subnet, or only a zone where it was given none. The subnet may be deleted
// later; its zone stays enabled.
type place struct{ subnet, zone string }

// settle enables the zones of the places.
func (lb *balancer) settle(places []place) {
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.zone, b.zone), cmp.Compare(a.subnet, b.subnet)) })
	lb.places, lb.zones = places, nil
	for _, p := range places {
		lb.zones = append(lb.zones, p.zone)
	}
}

func (lb *balancer) placed(zone string) bool {
	return slices.ContainsFunc(lb.places, func(p place) bool { return p.zone == zone })
}

// subnets are those of the places, for the wire.
func (lb *balancer) subnets() members[string] {
	out := members[string]{}
	for _, p := range lb.places {
		if p.subnet != "" {
			out.Members = append(out.Members, p.subnet)
		}
	}
	return out
}

// adoption is the version of a listener's rules that a node follows.
type adoption struct {
	change int // the change of the load balancer that it came with
	routes []route
}

// adopt makes the listeners known to the nodes. What is new or gone counts at once; a changed rule counts for each
// node after its own delay (BalancerKnobs.RulePropagation).
func (lb *balancer) adopt(fronts map[int]front) {
	lb.staff()
	before := lb.fronts
	lb.fronts = fronts
	lb.changes++
	change := lb.changes
	for _, n := range lb.nodes {
		n.open(fronts, before, change)
		lag := lb.realm.draw(lb.realm.c.knobs.Balancers.RulePropagation, "rules/"+lb.name+"/"+n.zone, change)
		if lag > 0 {
			lb.realm.c.after(lag, rulesArrive{n, fronts, change})
			n.publish()
		} else {
			n.learn(fronts, change)
		}
	}
	lb.fade()
	lb.answer()
}

// rulesArrive is learn, later.
type rulesArrive struct {
	n      *node
	fronts map[int]front
	change int
}

func (j rulesArrive) run(*Cloud) { j.n.learn(j.fronts, j.change) }

// staff makes the nodes those of the enabled zones. A new one follows what the control plane has now.
func (lb *balancer) staff() {
	kept := map[string]*node{}
	for _, n := range lb.nodes {
		if lb.placed(n.zone) {
			kept[n.zone] = n
			continue
		}
		n.gone.Store(true)
		n.adopted = nil
		n.publish() // closes its listeners
	}
	lb.nodes = nil
	for _, zone := range slices.Compact(slices.Clone(lb.zones)) {
		n := kept[zone]
		if n == nil {
			n = &node{lb: lb, zone: zone, adopted: map[int]adoption{}, down: lb.realm.out[zone]}
			n.deaf.Store(n.down)
			n.open(lb.fronts, nil, lb.changes)
		}
		lb.nodes = append(lb.nodes, n)
	}
}

// rezone follows a change of the enabled zones.
func (lb *balancer) rezone(pools ...*pool) {
	lb.staff()
	for _, p := range pools {
		p.reconsider()
	}
	lb.publish()
}

// open takes over which listeners there are.
func (n *node) open(fronts, before map[int]front, change int) {
	adopted := map[int]adoption{}
	for port, f := range fronts {
		if known, has := n.adopted[port]; has && before[port].protocol == f.protocol {
			adopted[port] = known
		} else {
			adopted[port] = adoption{change, f.routes}
		}
	}
	n.adopted = adopted
}

// learn takes over the rules of a change, except where the node has heard of a later one.
func (n *node) learn(fronts map[int]front, change int) {
	for port, f := range fronts {
		if known, has := n.adopted[port]; has && known.change < change {
			n.adopted[port] = adoption{change, f.routes}
		}
	}
	n.publish()
	n.lb.fade()
}

// publish lets the nodes see the present members.
func (lb *balancer) publish() {
	for _, n := range lb.nodes {
		n.publish()
	}
	lb.answer()
}

// listenersNow are the listeners of a v2 load balancer as its control plane has them.
func (lb *loadBalancer) listenersNow() map[int]front {
	out := map[int]front{}
	for _, l := range lb.listeners {
		f := front{protocol: l.protocol, idle: 350 * time.Second}
		if lb.kind == application {
			keepAlive, _ := strconv.Atoi(lb.attrs[keepAliveAttribute]) // validated when it was set
			f.idle = time.Duration(keepAlive) * time.Second
			idle, _ := strconv.Atoi(lb.attrs[idleAttribute])
			f.patience = time.Duration(idle) * time.Second
		}
		for _, r := range l.rules {
			f.routes = append(f.routes, route{r.conditions, r.actions[len(r.actions)-1]})
		}
		out[l.port] = f
	}
	return out
}

// balancers are all load balancers of the cloud, in an order that does not change.
func (c *Cloud) balancers() []*balancer {
	var out []*balancer
	for _, r := range c.realms {
		for _, lb := range r.balancers.classic {
			out = append(out, &lb.balancer)
		}
		for _, lb := range r.balancers.v2 {
			out = append(out, &lb.balancer)
		}
	}
	slices.SortFunc(out, func(a, b *balancer) int {
		return cmp.Or(cmp.Compare(a.realm.account, b.realm.account), cmp.Compare(a.realm.region, b.realm.region),
			cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
	return out
}

// pools are all pools of the cloud, in an order that does not change.
func (c *Cloud) pools() []*pool {
	var out []*pool
	for _, r := range c.realms {
		for lb := range maps.Values(r.balancers.classic) {
			out = append(out, lb.pool)
		}
		for tg := range maps.Values(r.balancers.groups) {
			out = append(out, tg.pool)
		}
	}
	slices.SortFunc(out, func(a, b *pool) int {
		return cmp.Or(cmp.Compare(a.realm.account, b.realm.account), cmp.Compare(a.realm.region, b.realm.region),
			cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
	return out
}
