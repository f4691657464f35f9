package localaws

import (
	"slices"
	"strconv"
	"sync/atomic"
)

// dns is the name of a load balancer: it gives each new connection the next of its nodes that are fit to have it.
type dns struct {
	turn  turn
	nodes atomic.Pointer[[]*node]
}

// resolve takes nodes out of the name that are not fit, and puts them back. Resolvers that hold on to an old answer are not
// simulated. Where no node is fit, the name has all of them (Application Load Balancers guide, target group health).
func (lb *balancer) resolve() {
	fit := slices.DeleteFunc(slices.Clone(lb.nodes), func(n *node) bool { return !n.fit() })
	if len(fit) == 0 {
		fit = slices.Clone(lb.nodes)
	}
	lb.dns.nodes.Store(&fit)
}

// next is the node of a new connection, nil if the load balancer has none.
func (d *dns) next() *node {
	nodes := d.nodes.Load()
	if nodes == nil || len(*nodes) == 0 {
		return nil
	}
	return (*nodes)[d.turn.next()%uint64(len(*nodes))]
}

// fit tells whether the node finds enough healthy targets in each target group that gets requests. Classic load balancers
// have no such rule: users of a zone without healthy instances get 503 (classic guide, error messages).
func (n *node) fit() bool {
	if n.down || n.zone == n.lb.shifted {
		return false
	}
	for _, known := range n.adopted {
		for _, r := range known.routes {
			for _, g := range r.action.groups {
				if rules, isGroup := g.pool.rules.(groupRules); isGroup && g.weight > 0 && !rules.enough(n.inService(g.pool)) {
					return false
				}
			}
		}
	}
	return true
}

// enough tells whether a node with so many healthy targets stays in the name of the load balancer.
func (r groupRules) enough(healthy, total int) bool {
	least, _ := strconv.Atoi(r.tg.attrs[dnsMinimumAttribute]) // 0 for "off"
	percent, _ := strconv.Atoi(r.tg.attrs[dnsPercentageAttribute])
	return healthy >= least && healthy*100 >= percent*total
}
