package localaws

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// State is the whole truth at one moment, for people and programs outside of the process. Values of secure strings and user
// data are not in it.
type State struct {
	Clock ClockState
	// Account and Region are home.
	Account, Region string
	Seed            int64
	Realms          []RealmState
	Faults          []FaultState
	Knobs           []KnobSetting
	// Endpoints are the URLs of the load balancers' listeners: see Cloud.Endpoints.
	Endpoints map[string]string
	// LastSeq is the number of the ledger's last entry.
	LastSeq uint64
}

// ClockState is the cloud's clock. Speed is how many times as fast as the wall clock it runs; 0: it does not run by itself.
type ClockState struct {
	Now   time.Time
	Speed float64
}

// RealmState is one account in one region.
type RealmState struct {
	Account, Region string
	ZonesOut        []string
	Instances       []InstanceInfo
	Pools           []PoolState
	LoadBalancers   []BalancerState
	Images          []ImageState
	Parameters      []ParameterState
}

// PoolState is a pool with its settings. A classic load balancer is a pool and a load balancer.
type PoolState struct {
	PoolInfo
	HealthCheck HealthCheckState
	Attributes  map[string]string // of a target group
	Tags        map[string]string
}

// HealthCheckState is how a pool's members are checked.
type HealthCheckState struct {
	Protocol, Path, Codes string
	Port                  int // 0: the member's own
	Interval, Timeout     string
	Healthy, Unhealthy    int // thresholds
}

// FaultState is a fault that is in force, as ParseFault reads it, and how often it happened.
type FaultState struct {
	Text string
	Hits int
}

// ImageState is one image.
type ImageState struct{ ID, Name, Arch, State, Owner string }

// ParameterState is the latest version of a parameter. The value of a secure string is empty.
type ParameterState struct {
	Name, Type, Value string
	Version           int
	Labels            []string
	Modified          time.Time
}

// State is that of this moment.
func (c *Cloud) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := State{
		Clock: ClockState{Now: c.clock.Now().UTC(), Speed: speed(c.clock)}, Account: c.Realm.key.account, Region: c.Realm.key.region,
		Seed: int64(c.seed), Knobs: c.knobs.Settings(), Endpoints: c.endpoints(), LastSeq: c.ledger.trimmed + uint64(len(c.ledger.entries)),
	}
	for _, h := range c.faults.active {
		out.Faults = append(out.Faults, FaultState{h.String(), h.Hits()})
	}
	realms := slices.SortedFunc(maps.Values(c.realms), func(a, b *realm) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region))
	})
	for _, r := range realms {
		out.Realms = append(out.Realms, r.state(out.Endpoints))
	}
	return out
}

func (r *realm) state(endpoints map[string]string) RealmState {
	out := RealmState{Account: r.account, Region: r.region, ZonesOut: slices.Sorted(maps.Keys(r.out))}
	for _, in := range r.order {
		if !in.gone {
			out.Instances = append(out.Instances, in.info())
		}
	}
	for _, p := range r.c.pools() {
		if p.realm == r {
			out.Pools = append(out.Pools, p.state())
		}
	}
	for _, lb := range slices.SortedFunc(maps.Values(r.balancers.classic), func(a, b *classicBalancer) int { return cmp.Compare(a.name, b.name) }) {
		out.LoadBalancers = append(out.LoadBalancers, lb.state(endpoints))
	}
	for _, lb := range slices.SortedFunc(maps.Values(r.balancers.v2), func(a, b *loadBalancer) int { return cmp.Compare(a.name, b.name) }) {
		out.LoadBalancers = append(out.LoadBalancers, lb.state(endpoints))
	}
	for _, id := range slices.Sorted(maps.Keys(r.images)) {
		i := r.images[id]
		out.Images = append(out.Images, ImageState{i.id, i.name, i.arch, i.state, i.owner})
	}
	for _, name := range slices.Sorted(maps.Keys(r.params)) {
		out.Parameters = append(out.Parameters, r.params[name].state())
	}
	return out
}

func (p *parameter) state() ParameterState {
	v := p.versions[len(p.versions)-1]
	out := ParameterState{Name: p.name, Type: p.kind, Value: v.value, Version: v.number, Labels: slices.Clone(v.labels), Modified: v.modified}
	if p.kind == secureString {
		out.Value = ""
	}
	return out
}

func (p *pool) state() PoolState {
	check := p.check
	out := PoolState{PoolInfo: p.info(), HealthCheck: HealthCheckState{Protocol: check.protocol, Path: check.path, Codes: string(check.matcher),
		Port: check.port, Interval: check.interval.String(), Timeout: check.timeout.String(), Healthy: check.healthy, Unhealthy: check.unhealthy}}
	switch rules := p.rules.(type) {
	case groupRules:
		out.Attributes, out.Tags = maps.Clone(rules.tg.attrs), maps.Clone(rules.tg.tags)
	case classicRules:
		out.Tags = maps.Clone(rules.lb.tags)
	}
	return out
}

// priorityText is the priority as people read it.
func (r *rule) priorityText() string {
	if r.priority == 0 {
		return "default"
	}
	return strconv.Itoa(r.priority)
}
