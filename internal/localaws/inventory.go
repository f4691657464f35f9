package localaws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// item is one fact of the world that calls can change: a load balancer that exists, an attribute, a tag, a rule.
type item struct{ kind, resource string }

// inventory are the facts that a call may change, and what they are. States of instances and members are not among them:
// these change by themselves too, and whatever changes them records it.
type inventory map[item]string

func (i inventory) add(kind, resource, is string) { i[item{kind, resource}] = is }

// addAll adds a fact for each key of a map.
func (i inventory) addAll(kind, of string, facts map[string]string) {
	for key, value := range facts {
		i.add(kind, of+"/"+key, value)
	}
}

// deletedFact is what a fact becomes that is no more.
const deletedFact = "deleted"

// recording runs a call that may change facts, and records those that it changed. Called with c.mu held.
func (c *Cloud) recording(q *call, run func() (any, *apiError)) (any, *apiError) {
	before := q.inventory()
	result, err := run()
	after := q.inventory()
	changed := map[item]bool{}
	for _, facts := range []inventory{before, after} {
		for what := range facts {
			was, had := before[what]
			is, has := after[what]
			if had != has || was != is {
				changed[what] = true
			}
		}
	}
	for _, what := range slices.SortedFunc(maps.Keys(changed), func(a, b item) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.resource, b.resource))
	}) {
		is, has := after[what]
		if !has {
			is = deletedFact
		}
		c.recordChange(q.realm, what.kind, what.resource, before[what], is, "by "+q.action)
	}
	return result, err
}

// inventory are the facts that this call may change.
func (q *call) inventory() inventory {
	out := inventory{}
	switch q.service.name {
	case "ec2":
		q.realm.ec2Facts(out, q)
	case "ssm":
		q.realm.parameterFacts(out)
	case "cloudwatch":
		for name, a := range q.realm.alarms {
			out.add("alarm", name, a.state)
		}
	case "elb":
		if !isMembership(q.action) {
			q.realm.balancers.classicFacts(out)
		}
	case "elbv2":
		if !isMembership(q.action) {
			q.realm.balancers.v2Facts(out)
		}
	}
	return out
}

// isMembership tells whether a call only changes members of pools, which record that themselves.
func isMembership(action string) bool {
	return strings.HasPrefix(action, "Register") || strings.HasPrefix(action, "Deregister")
}

// ec2Facts are about the resources that the call names and, for calls that make or delete something, about all but instances
// and what belongs to them.
func (r *realm) ec2Facts(out inventory, q *call) {
	for _, id := range q.namedIDs() {
		if t := r.tagged[id]; t != nil {
			out.addAll("tag", id, t.tags)
		}
		if in := r.instances[id]; in != nil {
			out.addAll("attribute", id, map[string]string{
				"disableApiTermination":             strconv.FormatBool(in.protectTerminate),
				"disableApiStop":                    strconv.FormatBool(in.protectStop),
				"instanceInitiatedShutdownBehavior": in.shutdownBehavior,
			})
		}
	}
	if strings.Contains(q.action, "LaunchTemplate") {
		for id, t := range r.templates {
			out.add("attribute", id+"/defaultVersion", strconv.Itoa(t.byDefault))
			out.add("attribute", id+"/versions", strconv.Itoa(len(t.versions)))
		}
	}
	if q.makesOrDeletes() {
		r.existing(out)
	}
}

// makesOrDeletes tells whether a call may make or delete something other than tags.
func (q *call) makesOrDeletes() bool {
	does := func(verb string) bool { return strings.HasPrefix(q.action, verb) }
	return !strings.HasSuffix(q.action, "Tags") && slices.ContainsFunc([]string{"Create", "Delete", "Deregister"}, does)
}

// existing is all that EC2 keeps but instances and what belongs to them.
func (r *realm) existing(out inventory) {
	for id, t := range r.tagged {
		switch t.kind {
		case "instance", "volume", "network-interface":
		case "image":
			out.add(t.kind, id, r.images[id].state)
		default:
			out.add(t.kind, id, "available")
		}
	}
}

// parameterFacts tell the version of each parameter, not its value, which may be secret.
func (r *realm) parameterFacts(out inventory) {
	for name, p := range r.params {
		last := p.versions[len(p.versions)-1]
		out.add("parameter", name, "version "+strconv.Itoa(last.number))
		for _, v := range p.versions {
			for _, label := range v.labels {
				out.add("label", name+":"+label, "version "+strconv.Itoa(v.number))
			}
		}
	}
}

func (b *balancers) classicFacts(out inventory) {
	for name, lb := range b.classic {
		out.add("balancer", name, "active")
		out.addAll("tag", name, lb.tags)
		out.addAll("zone", name, enabledZones(lb.zones))
		for _, l := range lb.listeners {
			out.add("listener", fmt.Sprintf("%s:%d", name, l.port), fmt.Sprintf("%s to %s %d", l.protocol, l.instanceProtocol, l.instancePort))
		}
		a := lb.attrs
		out.addAll("attribute", name, map[string]string{
			"crossZone": strconv.FormatBool(a.crossZone), "connectionDraining": strconv.FormatBool(a.draining),
			"connectionDrainingTimeout": strconv.Itoa(a.drainTimeout), "idleTimeout": strconv.Itoa(a.idle),
		})
		out.add("healthCheck", name, lb.pool.check.inWords())
	}
}

// inWords are all settings of a health check, the thresholds included.
func (h healthCheck) inWords() string { return fmt.Sprintf("%+v", h) }

func enabledZones(zones []string) map[string]string {
	out := map[string]string{}
	for _, z := range zones {
		out[z] = "enabled"
	}
	return out
}

func (b *balancers) v2Facts(out inventory) {
	for arn, lb := range b.v2 {
		out.add("balancer", arn, "active")
		out.addAll("tag", arn, lb.tags)
		out.addAll("attribute", arn, lb.attrs)
		out.addAll("zone", arn, enabledZones(lb.zones))
	}
	for arn, tg := range b.groups {
		out.add("targetGroup", arn, "active")
		out.addAll("tag", arn, tg.tags)
		out.addAll("attribute", arn, tg.attrs)
		out.add("healthCheck", arn, tg.pool.check.inWords())
	}
	for arn, l := range b.listeners {
		out.add("listener", arn, fmt.Sprintf("%s %d", l.protocol, l.port))
		out.addAll("tag", arn, l.tags)
	}
	for arn, r := range b.rules {
		out.add("rule", arn, fmt.Sprintf("%d %v: %s", r.priority, conditionsInWords(r.conditions), actionsInWords(r.actions)))
		out.addAll("tag", arn, r.tags)
	}
}

// conditionsInWords are the conditions as on the wire.
func conditionsInWords(list []condition) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.field + c.header + "=" + strings.Join(c.values, ",")
		for _, want := range c.query {
			out[i] += want.Key + ":" + want.Value + ","
		}
	}
	return out
}
