package localaws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// vanishedWhy is the reason, in the ledger, of everything that a vanishing takes along.
const vanishedWhy = "deleted from outside"

// vanishing are the load balancers or pools of that name or ARN, of all realms: each as the function that deletes it and
// gives back what makes it again. Called with c.mu held.
func (c *Cloud) vanishing(part WorldPart, pattern string) []func() (again undoing) {
	var found []func() undoing
	for _, r := range c.sortedRealms() {
		b := r.balancers
		for _, name := range slices.Sorted(maps.Keys(b.classic)) {
			if matches(pattern, name) {
				found = append(found, b.classic[name].vanish)
			}
		}
		if part == PartPool {
			for _, tg := range b.groupsByName() {
				if matches(pattern, tg.name) || matches(pattern, tg.arn) {
					found = append(found, tg.vanish)
				}
			}
			continue
		}
		for _, arn := range slices.Sorted(maps.Keys(b.v2)) {
			if lb := b.v2[arn]; matches(pattern, lb.name) || matches(pattern, arn) {
				found = append(found, lb.vanish)
			}
		}
	}
	return found
}

// sortedRealms are the realms in an order that does not change.
func (c *Cloud) sortedRealms() []*realm {
	return slices.SortedFunc(maps.Values(c.realms), func(a, b *realm) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region))
	})
}

func (lb *classicBalancer) vanish() (again undoing) {
	r := lb.realm
	lb.adopt(nil)
	lb.pool.dissolve(vanishedWhy)
	delete(r.balancers.classic, lb.name)
	r.c.recordChange(r, "balancer", lb.name, "active", deletedFact, vanishedWhy)
	return classicAgain{lb}
}

// classicAgain makes a classic load balancer that vanished again.
type classicAgain struct{ lb *classicBalancer }

func (a classicAgain) undo(*Cloud) {
	lb := a.lb
	r := lb.realm
	if _, taken := r.balancers.classic[lb.name]; taken {
		return
	}
	made := &classicBalancer{balancer: balancer{realm: r, kind: classic, name: lb.name}, scheme: lb.scheme, vpcID: lb.vpcID,
		groups: lb.groups, created: r.c.now(), listeners: lb.listeners, attrs: lb.attrs, tags: maps.Clone(lb.tags)}
	made.settle(slices.Clone(lb.places))
	made.pool = newPool(r, ClassicPool, made.name, "", classicRules{made})
	made.pool.check = lb.pool.check
	made.dnsName = r.newDNSName(made.name, made.scheme)
	r.balancers.classic[made.name] = made
	made.open()
	r.c.recordChange(r, "balancer", made.name, "", "active", "made again from outside")
}

// newDNSName is that of a load balancer that is made.
func (r *realm) newDNSName(name, scheme string) string {
	dns := fmt.Sprintf("%s-%010d.%s.elb.amazonaws.com", name, r.c.rng.Uint64N(1e10), r.region)
	if scheme == "internal" {
		dns = "internal-" + dns
	}
	return dns
}

// vanish takes the group out of the rules that name it first; a rule that named no other answers 503 from then on.
func (tg *targetGroup) vanish() (again undoing) {
	r := tg.realm
	if tg.lb != nil {
		tg.lb.dropGroup(tg)
	}
	tg.pool.dissolve(vanishedWhy)
	delete(r.balancers.groups, tg.arn)
	r.c.recordChange(r, "targetGroup", tg.arn, "active", deletedFact, vanishedWhy)
	return groupAgain{tg}
}

// groupAgain makes a target group that vanished again.
type groupAgain struct{ tg *targetGroup }

func (a groupAgain) undo(*Cloud) {
	tg := a.tg
	r := tg.realm
	if r.balancers.groupNamed(tg.name) != nil {
		return
	}
	made := &targetGroup{realm: r, name: tg.name, kind: tg.kind, protocol: tg.protocol, port: tg.port, vpcID: tg.vpcID,
		attrs: maps.Clone(tg.attrs), tags: maps.Clone(tg.tags)}
	made.arn = r.arn("elasticloadbalancing", "targetgroup/"+made.name+"/"+r.c.newHex(16))
	made.pool = newPool(r, TargetGroupPool, made.name, made.arn, groupRules{made})
	made.pool.check, made.pool.port, made.pool.addresses = tg.pool.check, tg.pool.port, tg.pool.addresses
	r.balancers.groups[made.arn] = made
	r.c.recordChange(r, "targetGroup", made.arn, "", "active", "made again from outside")
}

func (lb *loadBalancer) dropGroup(tg *targetGroup) {
	for _, l := range lb.listeners {
		for _, rule := range l.rules {
			rule.actions = slices.Clone(rule.actions)
			for i, a := range rule.actions {
				rule.actions[i] = a.without(tg.arn)
			}
		}
	}
	lb.rewire()
}

// without is the action that no longer forwards to a group.
func (a action) without(arn string) action {
	kept := slices.DeleteFunc(slices.Clone(a.groups), func(g weighted) bool { return g.arn == arn })
	if len(kept) == 0 && len(a.groups) > 0 {
		return action{kind: fixedAction, order: a.order, fixed: fixedResponse{StatusCode: "503"}}
	}
	a.groups = kept
	return a
}

// vanish takes the listeners and rules along; what is made again has the same ones, as far as their groups are still there.
func (lb *loadBalancer) vanish() (again undoing) {
	r := lb.realm
	listeners := lb.listeners
	for _, l := range slices.Clone(listeners) {
		l.remove()
	}
	lb.rewire()
	delete(r.balancers.v2, lb.arn)
	r.c.recordChange(r, "balancer", lb.arn, "active", deletedFact, vanishedWhy)
	return balancerAgain{lb, listeners}
}

// balancerAgain makes a load balancer that vanished again.
type balancerAgain struct {
	lb        *loadBalancer
	listeners []*listener
}

func (a balancerAgain) undo(*Cloud) {
	lb, r := a.lb, a.lb.realm
	if r.balancers.v2Named(lb.name) != nil {
		return
	}
	flavour := "app"
	if lb.kind == network {
		flavour = "net"
	}
	made := &loadBalancer{balancer: balancer{realm: r, kind: lb.kind, name: lb.name}, scheme: lb.scheme, vpcID: lb.vpcID,
		ipAddressType: lb.ipAddressType, groups: lb.groups, created: r.c.now(), attrs: maps.Clone(lb.attrs), tags: maps.Clone(lb.tags)}
	made.arn = r.arn("elasticloadbalancing", "loadbalancer/"+flavour+"/"+lb.name+"/"+r.c.newHex(16))
	made.dnsName = r.newDNSName(lb.name, lb.scheme)
	made.active = made.created.Add(r.draw(r.c.knobs.Balancers.Provisioning, made.arn, 0))
	made.settle(slices.Clone(lb.places))
	r.balancers.v2[made.arn] = made
	made.adopt(nil)
	for _, l := range a.listeners {
		made.relisten(l)
	}
	made.rewire()
	r.c.recordChange(r, "balancer", made.arn, "", "active", "made again from outside")
}

// relisten makes a listener as another one was.
func (lb *loadBalancer) relisten(was *listener) {
	r := lb.realm
	l := &listener{lb: lb, protocol: was.protocol, port: was.port, tags: maps.Clone(was.tags)}
	l.arn = lb.listenerARN()
	for _, old := range was.rules {
		actions := slices.Clone(old.actions)
		for i := range actions {
			for _, g := range actions[i].groups {
				if tg := r.balancers.groups[g.arn]; tg == nil || tg.lb != nil && tg.lb != lb {
					actions[i] = actions[i].without(g.arn)
				}
			}
		}
		made := l.newRule(r.c, old.priority, old.conditions, actions)
		made.tags = maps.Clone(old.tags)
		l.rules = append(l.rules, made)
	}
	lb.listeners = append(lb.listeners, l)
	lb.sortListeners()
	r.balancers.listeners[l.arn] = l
}
