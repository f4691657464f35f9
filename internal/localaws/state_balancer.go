package localaws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BalancerState is one load balancer.
type BalancerState struct {
	Name, Kind, ARN, DNSName string // Kind: classic, application or network
	Scheme, VpcID            string
	// Status is active, or provisioning; a classic load balancer is active at once.
	Status         string
	Created        time.Time
	SecurityGroups []string
	Zones          []string
	// ZoneShifted is the zone that a zonal shift leads away from.
	ZoneShifted string
	Attributes  map[string]string
	Tags        map[string]string
	Listeners   []ListenerState
}

// ListenerState is one listener.
type ListenerState struct {
	Port     int
	Protocol string
	ARN      string // not of classic ones
	// URL answers while the data plane is on.
	URL string
	// Rules are what is done with requests, in the order in which they are asked. A classic listener has one.
	Rules []RuleState
}

// RuleState is one rule, in words: "path-pattern /admin*" and "forward to blue (weight 1), green (weight 9)".
type RuleState struct {
	Priority   string // a number, or default
	Conditions []string
	Action     string
}

func (lb *balancer) state(dnsName, scheme, vpcID string, groups []string, created time.Time) BalancerState {
	return BalancerState{Name: lb.name, Kind: string(lb.kind), ARN: lb.arn, DNSName: dnsName, Scheme: scheme, VpcID: vpcID, Created: created,
		Status: "active", SecurityGroups: slices.Clone(groups), Zones: slices.Clone(lb.zones), ZoneShifted: lb.shifted}
}

// url is where a listener of the load balancer answers; empty while it does not.
func (lb *balancer) url(port int, endpoints map[string]string) string {
	key := lb.name + ":" + strconv.Itoa(port)
	return cmp.Or(endpoints[string(lb.kind)+"/"+key], endpoints[key])
}

func (lb *classicBalancer) state(endpoints map[string]string) BalancerState {
	out := lb.balancer.state(lb.dnsName, lb.scheme, lb.vpcID, lb.groups, lb.created)
	out.Tags = maps.Clone(lb.tags)
	out.Attributes = map[string]string{
		"ConnectionDraining":     strconv.FormatBool(lb.attrs.draining),
		"DrainingTimeout":        strconv.Itoa(lb.attrs.drainTimeout),
		"CrossZoneLoadBalancing": strconv.FormatBool(lb.attrs.crossZone),
		"IdleTimeout":            strconv.Itoa(lb.attrs.idle),
	}
	for _, l := range lb.listeners {
		out.Listeners = append(out.Listeners, ListenerState{Port: l.port, Protocol: l.protocol, URL: lb.url(l.port, endpoints),
			Rules: []RuleState{{Priority: "default", Action: fmt.Sprintf("to its instances, %s on port %d", l.instanceProtocol, l.instancePort)}}})
	}
	return out
}

func (lb *loadBalancer) state(endpoints map[string]string) BalancerState {
	out := lb.balancer.state(lb.dnsName, lb.scheme, lb.vpcID, lb.groups, lb.created)
	out.Status, out.Attributes, out.Tags = lb.describe().State.Code, maps.Clone(lb.attrs), maps.Clone(lb.tags)
	for _, l := range lb.listeners {
		ls := ListenerState{Port: l.port, Protocol: l.protocol, ARN: l.arn, URL: lb.url(l.port, endpoints)}
		for _, r := range l.rules {
			rs := RuleState{Priority: r.priorityText(), Action: r.actions[len(r.actions)-1].text()}
			for _, c := range r.conditions {
				rs.Conditions = append(rs.Conditions, c.text())
			}
			ls.Rules = append(ls.Rules, rs)
		}
		out.Listeners = append(out.Listeners, ls)
	}
	return out
}

func (c condition) text() string {
	values := slices.Clone(c.values)
	for _, q := range c.query {
		values = append(values, strings.TrimPrefix(q.Key+"="+q.Value, "="))
	}
	return strings.Join(slices.DeleteFunc([]string{c.field, c.header, strings.Join(values, " or ")}, func(s string) bool { return s == "" }), " ")
}

func (a action) text() string {
	switch a.kind {
	case redirectAction:
		return fmt.Sprintf("redirect to %s://%s:%s%s, %s", a.redirect.Protocol, a.redirect.Host, a.redirect.Port, a.redirect.Path, a.redirect.StatusCode)
	case fixedAction:
		return "answer " + a.fixed.StatusCode
	}
	groups := make([]string, len(a.groups))
	for i, g := range a.groups {
		groups[i] = g.pool.name
		if len(a.groups) > 1 || g.weight != 1 {
			groups[i] += fmt.Sprintf(" (weight %d)", g.weight)
		}
	}
	return "forward to " + strings.Join(groups, ", ")
}
