package localaws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// pool is a set of members that a load balancer balances over: the instances of a classic load balancer, or the
// targets of a target group. The state machine of a member (health_member.go) is the same for all; what differs is
// asked of the rules.
type pool struct {
	realm *realm
	kind  PoolKind
	name  string
	arn   string // of a target group
	port  int    // of a target group: where its members take traffic that name no other

	addresses bool // its members are addresses, whoever has them, and not instances
	rules     poolRules
	check     healthCheck
	members   map[memberKey]*member
	turns     map[memberKey]int // how often each was registered, ever: "known" to the load balancer
	turn      *turn             // round-robin position, shared by all routing tables
	buried    []buried          // by time: those who left lately, for Fault.Stale
}

// poolRules is what classic load balancers and target groups do differently.
type poolRules interface {
	memberRules
	trafficRules
}

// memberRules are about the health of members.
type memberRules interface {
	// balancer is the load balancer in front of the pool, nil while none sends it requests.
	balancer() *balancer
	// firstPasses is how many checks a member passes before its first "healthy".
	firstPasses() int
	// rejoin is how a draining or formerly registered member starts again.
	rejoin(m *member) restart
	// departure is how a member leaves.
	departure(m *member) departure
	// status is a member's health in AWS's words.
	status(m *member) status
}

// trafficRules are about the requests that members get.
type trafficRules interface {
	// failsOpen tells whether so few of the members are healthy that all get requests.
	failsOpen(healthy, total int) bool
	// crossZone tells whether each node balances over the members of all zones.
	crossZone() bool
	// severs tells whether the connections of a member that becomes unhealthy are cut.
	severs() bool
	// stickyFor is how long a client stays with the same member; 0: it does not.
	stickyFor() time.Duration
}

// departure is how a member leaves.
type departure struct {
	limit     time.Duration // how long it drains, at most; 0: not at all
	untilIdle bool          // it is gone earlier, once it has no open connection
	keep      bool          // open connections outlive the registration; otherwise they are cut at its end
}

// status is a member's health in the words of its API; healthy targets have neither reason nor description.
type status struct{ state, reason, description string }

// restart is where a member that is registered again begins.
type restart int

const (
	afresh  restart = iota // registration, then checks
	checks                 // straight with the first health check
	resumed                // with the verdict that it had
)

func newPool(r *realm, kind PoolKind, name, arn string, rules poolRules) *pool {
	return &pool{realm: r, kind: kind, name: name, arn: arn, rules: rules, turn: &turn{},
		members: map[memberKey]*member{}, turns: map[memberKey]int{}}
}

// memberKey is one member: an instance, or an address, and, in a target group, the port that it takes traffic on.
type memberKey struct {
	id   string
	port int
}

func compareKeys(a, b memberKey) int {
	return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.port, b.port))
}

// sorted are the members by instance and port.
func (p *pool) sorted() []*member {
	return slices.SortedFunc(maps.Values(p.members), func(a, b *member) int { return compareKeys(a.key, b.key) })
}

// join registers an instance, or the address of one; of what is registered and not leaving it changes nothing.
func (p *pool) join(in *instance, port int, why string) {
	key := memberKey{in.id, port}
	if p.addresses {
		key.id = in.privateIP
	}
	if m, there := p.members[key]; there {
		if m.phase == draining {
			m.record("registered", why)
			m.start(p.rules.rejoin(m))
		}
		return
	}
	m := &member{pool: p, key: key, inst: in, turn: p.turns[key], joined: p.realm.c.now()}
	p.turns[key]++
	p.members[key] = m
	known := p.realm.balancers.members
	known[key.id] = append(known[key.id], m)
	m.record("registered", why)
	m.start(p.rules.rejoin(m))
}

// leave deregisters a member; false if there is none.
func (p *pool) leave(key memberKey, why string) bool {
	m, there := p.members[key]
	if there && m.phase != draining {
		m.leave(why)
	}
	return there
}

// dissolve forgets all members, for a pool that is deleted.
func (p *pool) dissolve(why string) {
	for _, m := range p.sorted() {
		m.vanish(why)
	}
}

// reconsider lets every member look again at whether it may be checked, after something around it changed.
func (p *pool) reconsider() {
	for _, m := range p.sorted() {
		m.reconsider()
	}
	p.reroute()
}

// recheck starts the grid of checks anew, after their settings changed.
func (p *pool) recheck() {
	for _, m := range p.sorted() {
		if m.phase == checked {
			m.checkAll()
		}
	}
}

// inService counts members that the load balancer finds healthy and that are not leaving, and all that it could send
// requests to.
func (p *pool) inService() (healthyOnes, total int) {
	for _, m := range p.members {
		if m.phase != registering && m.phase != checked {
			continue
		}
		total++
		if m.healthy() {
			healthyOnes++
		}
	}
	return healthyOnes, total
}

// receives tells whether the node sends new requests to the member: if it reaches it and finds it healthy, or if the pool
// fails open for the node. A member whose deregistration has not reached the node yet still gets some.
func (n *node) receives(m *member, open bool) bool {
	if n.down || !n.reaches(m) {
		return false
	}
	v := m.viewOf(n)
	switch m.phase {
	case draining:
		return v != nil && v.lingering
	case registering:
		return open && n.takesInitial()
	case checked:
		return v != nil && v.receives(open)
	}
	return false
}

// receives is the same for a member that the node checks.
func (v *view) receives(open bool) bool {
	if v.verdict.standing == unknown {
		return open && v.node.takesInitial()
	}
	return open || v.verdict.standing == healthy
}

// takesInitial tells whether fail-open routing includes members that were never judged.
func (n *node) takesInitial() bool { return !n.lb.realm.c.knobs.Balancers.FailOpenSkipsInitial }

// failsOpen tells whether the node finds so few healthy members among those that it reaches that all of them get requests.
func (n *node) failsOpen(p *pool) bool { return p.rules.failsOpen(n.inService(p)) }

// inService counts the members that the node reaches: those that it finds healthy, and all that it could send requests to.
func (n *node) inService(p *pool) (healthyOnes, total int) {
	for _, m := range p.members {
		if m.phase != registering && m.phase != checked || !n.reaches(m) {
			continue
		}
		total++
		if v := m.viewOf(n); m.phase == checked && v != nil && v.verdict.standing == healthy {
			healthyOnes++
		}
	}
	return healthyOnes, total
}

// reroute tells the nodes of the load balancer that the set of members that get requests may have changed.
func (p *pool) reroute() {
	if lb := p.rules.balancer(); lb != nil {
		lb.publish()
	}
}

// resource is the name of a member in the ledger: pool/instance, with the port where it is not the pool's own.
func (p *pool) resource(key memberKey) string {
	if key.port == p.port {
		return p.name + "/" + key.id
	}
	return fmt.Sprintf("%s/%s:%d", p.name, key.id, key.port)
}
