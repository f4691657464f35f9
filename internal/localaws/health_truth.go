package localaws

import "time"

// PoolKind is the kind of a pool.
type PoolKind string

// The kinds of pools.
const (
	ClassicPool     PoolKind = "classic"     // the instances of a classic load balancer
	TargetGroupPool PoolKind = "targetGroup" // the targets of a target group
)

// PoolInfo is the truth about one pool.
type PoolInfo struct {
	Name            string
	ARN             string // of a target group; empty for a classic load balancer
	Kind            PoolKind
	Account, Region string
	// Balancer is the name of the load balancer that sends the pool requests, BalancerKind its kind: classic,
	// application or network. Both are empty while no rule that a node follows names the target group.
	Balancer, BalancerKind string
	// Zones are those that are enabled for the load balancer; CrossZone tells whether each zone's nodes send requests
	// to the members of all zones.
	Zones     []string
	CrossZone bool
	// Members are all members, draining ones included, by instance id and port.
	Members []MemberInfo
	// Healthy is how many members are healthy and not leaving.
	Healthy int
}

// MemberInfo is the truth about one member of a pool.
type MemberInfo struct {
	InstanceID string // of a target by address: of the instance that has it, or the address itself
	Port       int    // of a target; 0 in a classic load balancer
	Zone       string
	// State is registered (not judged yet), healthy, unhealthy, unused (cannot be checked) or draining. It is what the
	// load balancer goes by; what Describe calls answer may lag behind it.
	State string
	// AWSState, Reason and Description are the answer of DescribeInstanceHealth or DescribeTargetHealth.
	AWSState, Reason, Description string
	// Draining says that the member was deregistered and is on its way out.
	Draining bool
	// Receiving says that some node sends new requests to it: the node finds it healthy, or the pool fails open for the
	// node, or its deregistration has not reached the node yet.
	Receiving bool
	// Joined is when it was registered, Since when it entered its present state, from Was: empty where it is its first.
	Joined, Since time.Time
	Was           string
}

// Pools are all pools of all accounts and regions: classic load balancers and target groups, by account, region and
// name.
func (w World) Pools() []PoolInfo {
	all := w.c.pools()
	out := make([]PoolInfo, len(all))
	for i, p := range all {
		out[i] = p.info()
	}
	return out
}

// Pool is the pool of the home realm with that name or ARN.
func (w World) Pool(nameOrARN string) (PoolInfo, bool) {
	home := w.c.realm(w.c.Realm.key).balancers
	if tg := home.groups[nameOrARN]; tg != nil {
		return tg.pool.info(), true
	}
	if lb := home.classic[nameOrARN]; lb != nil {
		return lb.pool.info(), true
	}
	if tg := home.groupNamed(nameOrARN); tg != nil {
		return tg.pool.info(), true
	}
	return PoolInfo{}, false
}

func (p *pool) info() PoolInfo {
	out := PoolInfo{Name: p.name, ARN: p.arn, Kind: p.kind, Account: p.realm.account, Region: p.realm.region,
		CrossZone: p.rules.crossZone()}
	if lb := p.rules.balancer(); lb != nil {
		out.Balancer, out.BalancerKind, out.Zones = lb.name, string(lb.kind), append(out.Zones, lb.zones...)
	}
	receiving := p.receiving()
	for _, m := range p.sorted() {
		s := p.rules.status(m)
		out.Members = append(out.Members, MemberInfo{InstanceID: m.inst.id, Port: m.key.port, Zone: m.inst.az,
			State: m.state, AWSState: s.state, Reason: s.reason, Description: s.description,
			Draining: m.phase == draining, Receiving: receiving[m], Joined: m.joined, Since: m.since, Was: m.was})
	}
	out.Healthy, _ = p.inService()
	return out
}

// receiving are the members that some node sends new requests to.
func (p *pool) receiving() map[*member]bool {
	out := map[*member]bool{}
	lb := p.rules.balancer()
	if lb == nil {
		return out
	}
	for _, n := range lb.nodes {
		open := n.failsOpen(p)
		for _, m := range p.members {
			if n.receives(m, open) {
				out[m] = true
			}
		}
	}
	return out
}

// Pools is World.Pools of this moment.
func (c *Cloud) Pools() []PoolInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return World{c}.Pools()
}

// Pool is World.Pool of this moment.
func (c *Cloud) Pool(nameOrARN string) (PoolInfo, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return World{c}.Pool(nameOrARN)
}
