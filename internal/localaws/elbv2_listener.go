package localaws

import (
	"cmp"
	"slices"
	"strings"
)

type listenerOnWire struct {
	ListenerArn     string
	LoadBalancerArn string
	Port            int
	Protocol        string
	DefaultActions  members[actionOnWire]
}

type listenersOnWire struct {
	Listeners  members[listenerOnWire]
	NextMarker string `xml:",omitempty"`
}

func (l *listener) describe() listenerOnWire {
	return listenerOnWire{l.arn, l.lb.arn, l.port, l.protocol, describeActions(l.defaultRule().actions)}
}

func (l *listener) answer() listenersOnWire {
	return listenersOnWire{Listeners: membersOf([]listenerOnWire{l.describe()})}
}

func (l *listener) defaultRule() *rule { return l.rules[len(l.rules)-1] }

// createListener is idempotent for equal settings; the text of the refusal is AWS's (hashicorp/terraform issue 26407).
func createListener(c *Cloud, q *call) (any, *apiError) {
	lb, err := q.loadBalancer(q.str("LoadBalancerArn"))
	if err != nil {
		return nil, err
	}
	l := &listener{lb: lb, protocol: q.str("Protocol"), port: q.int("Port", 0)}
	if err := l.validate(); err != nil {
		return nil, err
	}
	actions, err := lb.readActions(q, "DefaultActions", l.protocol)
	if err != nil {
		return nil, err
	}
	if i := lb.onPort(l.port); i >= 0 {
		return lb.listeners[i].again(q, l.protocol, actions)
	}
	if limit := c.knobs.Balancers.Quotas.ListenersPerBalancer; exceeds(len(lb.listeners)+1, limit) {
		return nil, refuse("TooManyListeners", "You've reached the limit on the number of listeners per load balancer (%d)", limit)
	}
	if err := lb.within(nil, actions); err != nil {
		return nil, err
	}
	if l.tags, err = readBalancerTags(q, nil); err != nil {
		return nil, err
	}
	l.arn = lb.listenerARN()
	l.rules = []*rule{l.newRule(c, 0, nil, actions)}
	lb.listeners = append(lb.listeners, l)
	lb.sortListeners()
	q.realm.balancers.listeners[l.arn] = l
	lb.rewire()
	q.effect("created the listener %s %d of %s", l.protocol, l.port, lb.name)
	return l.answer(), nil
}

// again answers a repeated creation.
func (l *listener) again(q *call, protocol string, actions []action) (any, *apiError) {
	if l.protocol != protocol || !slices.EqualFunc(l.defaultRule().actions, actions, action.sameAs) {
		return nil, refuse("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", l.lb.arn)
	}
	if err := q.repeatsTags(l.tags, "DuplicateListener", "A listener already exists on this port for this load balancer '%s'", l.lb.arn); err != nil {
		return nil, err
	}
	return l.answer(), nil
}

func (lb *loadBalancer) onPort(port int) int {
	return slices.IndexFunc(lb.listeners, func(l *listener) bool { return l.port == port })
}

func (lb *loadBalancer) sortListeners() {
	lb.listeners = slices.SortedFunc(slices.Values(lb.listeners), func(a, b *listener) int { return cmp.Compare(a.port, b.port) })
}

// validate checks protocol and port; TLS and UDP are not simulated.
func (l *listener) validate() *apiError {
	want := "HTTP"
	if l.lb.kind == network {
		want = "TCP"
	}
	switch {
	case l.protocol == "":
		return refuse("ValidationError", "A protocol must be specified")
	case l.port == 0:
		return refuse("ValidationError", "A port must be specified")
	case l.protocol != want:
		return refuse("UnsupportedProtocol", "The protocol '%s' is not supported by load balancers of type '%s', or is not simulated here; use %s",
			l.protocol, l.lb.kind, want)
	case l.port < 1 || l.port > 65535:
		return refuse("ValidationError", "Port %d is not in the range 1-65535", l.port)
	}
	return nil
}

func modifyListener(_ *Cloud, q *call) (any, *apiError) {
	l, err := q.listener(q.str("ListenerArn"))
	if err != nil {
		return nil, err
	}
	changed := listener{lb: l.lb, protocol: cmp.Or(q.str("Protocol"), l.protocol), port: q.int("Port", l.port)}
	if err := changed.validate(); err != nil {
		return nil, err
	}
	if i := l.lb.onPort(changed.port); i >= 0 && l.lb.listeners[i] != l {
		return nil, refuse("ValidationError", "Listener port '%d' is already in use", changed.port)
	}
	actions := l.defaultRule().actions
	if q.has("DefaultActions") {
		if actions, err = l.lb.readActions(q, "DefaultActions", changed.protocol); err != nil {
			return nil, err
		}
		if err := l.lb.within(l.defaultRule(), actions); err != nil {
			return nil, err
		}
	}
	l.protocol, l.port = changed.protocol, changed.port
	l.defaultRule().actions = actions
	l.lb.sortListeners()
	l.lb.rewire()
	q.effect("changed the listener %s %d of %s: %s", l.protocol, l.port, l.lb.name, actionsInWords(actions))
	return l.answer(), nil
}

func deleteListener(_ *Cloud, q *call) (any, *apiError) {
	l, err := q.listener(q.str("ListenerArn"))
	if err != nil {
		return nil, err
	}
	l.remove()
	l.lb.rewire()
	q.effect("deleted the listener %s %d of %s", l.protocol, l.port, l.lb.name)
	return nil, nil
}

// listenerARN is that of a new listener.
func (lb *loadBalancer) listenerARN() string {
	return strings.Replace(lb.arn, ":loadbalancer/", ":listener/", 1) + "/" + lb.realm.c.newHex(16)
}

// remove forgets the listener and its rules; rewire must follow.
func (l *listener) remove() {
	b := l.lb.realm.balancers
	for _, r := range l.rules {
		delete(b.rules, r.arn)
	}
	delete(b.listeners, l.arn)
	l.lb.listeners = slices.DeleteFunc(slices.Clone(l.lb.listeners), func(other *listener) bool { return other == l })
}

func describeListeners(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.listeners()
	if err != nil {
		return nil, err
	}
	found, next, err := pageByMarker(q, found, func(l *listener) string { return l.arn })
	if err != nil {
		return nil, err
	}
	out := listenersOnWire{NextMarker: next}
	for _, l := range found {
		out.Listeners.Members = append(out.Listeners.Members, l.describe())
	}
	return out, nil
}

// listeners are those of a load balancer, or the named ones, by ARN.
func (q *call) listeners() ([]*listener, *apiError) {
	arns := q.list("ListenerArns")
	if q.has("LoadBalancerArn") == (len(arns) > 0) {
		return nil, refuse("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
	}
	var out []*listener
	if len(arns) == 0 {
		lb, err := q.loadBalancer(q.str("LoadBalancerArn"))
		if err != nil {
			return nil, err
		}
		out = slices.Clone(lb.listeners)
	}
	for _, arn := range arns {
		l, err := q.listener(arn)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b *listener) int { return cmp.Compare(a.arn, b.arn) })
	return slices.Compact(out), nil
}
