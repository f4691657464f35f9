package localaws

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxPriority is the lowest priority of a rule (API reference).
const maxPriority = 50000

type ruleOnWire struct {
	RuleArn    string
	Priority   string
	Conditions members[conditionOnWire]
	Actions    members[actionOnWire]
	IsDefault  bool
}

type rulesOnWire struct {
	Rules      members[ruleOnWire]
	NextMarker string `xml:",omitempty"`
}

func (r *rule) describe() ruleOnWire {
	d := ruleOnWire{RuleArn: r.arn, Priority: "default", Conditions: describeConditions(r.conditions),
		Actions: describeActions(r.actions), IsDefault: r.priority == 0}
	if r.priority > 0 {
		d.Priority = strconv.Itoa(r.priority)
	}
	return d
}

func (r *rule) answer() rulesOnWire {
	return rulesOnWire{Rules: membersOf([]ruleOnWire{r.describe()})}
}

// newRule makes a rule and enters it; priority 0 is the default rule.
func (l *listener) newRule(c *Cloud, priority int, conditions []condition, actions []action) *rule {
	r := &rule{listener: l, priority: priority, conditions: conditions, actions: actions}
	r.arn = strings.Replace(l.arn, ":listener/", ":listener-rule/", 1) + "/" + c.newHex(16)
	l.lb.realm.balancers.rules[r.arn] = r
	return r
}

func createRule(c *Cloud, q *call) (any, *apiError) {
	l, err := q.listener(q.str("ListenerArn"))
	if err != nil {
		return nil, err
	}
	if l.lb.kind == network {
		return nil, refuse("InvalidConfigurationRequest", "Rules of network load balancers (by address type, on dual-stack ones) are not simulated here")
	}
	priority := q.int("Priority", 0)
	if priority < 1 || priority > maxPriority {
		return nil, refuse("ValidationError", "Rule priority '%d' must be in the range 1-%d", priority, maxPriority)
	}
	if slices.ContainsFunc(l.rules, func(r *rule) bool { return r.priority == priority }) {
		return nil, refuse("PriorityInUse", "Priority '%d' is currently in use", priority)
	}
	conditions, err := readConditions(q)
	if err != nil {
		return nil, err
	}
	actions, err := l.lb.readActions(q, "Actions", l.protocol)
	if err != nil {
		return nil, err
	}
	if limit := c.knobs.Balancers.Quotas.RulesPerBalancer; exceeds(l.lb.countRules()+1, limit) {
		return nil, refuse("TooManyRules", "You've reached the limit on the number of rules per load balancer (%d)", limit)
	}
	if err := l.lb.within(nil, actions); err != nil {
		return nil, err
	}
	tags, err := readBalancerTags(q, nil)
	if err != nil {
		return nil, err
	}
	r := l.newRule(c, priority, conditions, actions)
	r.tags = tags
	l.rules = append(l.rules, r)
	l.sortRules()
	l.lb.rewire()
	q.effect("created rule %d of the listener %d of %s: %s", priority, l.port, l.lb.name, actionsInWords(actions))
	return r.answer(), nil
}

func (lb *loadBalancer) countRules() int {
	n := 0
	for _, l := range lb.listeners {
		n += len(l.rules) - 1
	}
	return n
}

// rank is where a rule stands among those of its listener: by priority, the default one last.
func (r *rule) rank() int {
	if r.priority == 0 {
		return math.MaxInt
	}
	return r.priority
}

func (l *listener) sortRules() {
	l.rules = slices.SortedFunc(slices.Values(l.rules), func(a, b *rule) int { return cmp.Compare(a.rank(), b.rank()) })
}

// modifyRule replaces what is given and nothing else. The default rule is changed by ModifyListener alone.
func modifyRule(c *Cloud, q *call) (any, *apiError) {
	r, err := q.rule(q.str("RuleArn"))
	switch {
	case err != nil:
		return nil, err
	case r.priority == 0:
		return nil, c.unmodifiable(r)
	case !q.has("Actions") && !q.has("Conditions"):
		return nil, refuse("ValidationError", "Either conditions or actions must be specified")
	}
	conditions, actions := r.conditions, r.actions
	if q.has("Conditions") {
		if conditions, err = readConditions(q); err != nil {
			return nil, err
		}
	}
	if q.has("Actions") {
		if actions, err = r.listener.lb.readActions(q, "Actions", r.listener.protocol); err != nil {
			return nil, err
		}
		if err := r.listener.lb.within(r, actions); err != nil {
			return nil, err
		}
	}
	r.conditions, r.actions = conditions, actions
	r.listener.lb.rewire()
	q.effect("changed rule %d of the listener %d of %s: %s", r.priority, r.listener.port, r.listener.lb.name, actionsInWords(actions))
	return r.answer(), nil
}

// unmodifiable is the refusal of ModifyRule for a default rule.
func (c *Cloud) unmodifiable(r *rule) *apiError {
	code := "OperationNotPermitted"
	if c.knobs.Balancers.DefaultRuleIsInvalid {
		code = "ValidationError"
	}
	return refuse(code, "Default rule '%s' cannot be modified", r.arn)
}

func deleteRule(_ *Cloud, q *call) (any, *apiError) {
	r, err := q.rule(q.str("RuleArn"))
	if err != nil {
		return nil, err
	}
	if r.priority == 0 {
		return nil, refuse("OperationNotPermitted", "Default rule '%s' cannot be deleted", r.arn)
	}
	l := r.listener
	l.rules = slices.DeleteFunc(slices.Clone(l.rules), func(other *rule) bool { return other == r })
	delete(q.realm.balancers.rules, r.arn)
	l.lb.rewire()
	q.effect("deleted rule %d of the listener %d of %s", r.priority, l.port, l.lb.name)
	return nil, nil
}

// setRulePriorities reorders several rules at once; what counts is that no two are equal afterwards.
func setRulePriorities(c *Cloud, q *call) (any, *apiError) {
	wanted, err := q.readPriorities()
	if err != nil {
		return nil, err
	}
	out, together := rulesOnWire{}, c.knobs.Balancers.PrioritiesArriveTogether
	var moved []*loadBalancer
	for _, p := range q.structs("RulePriorities") {
		r := q.realm.balancers.rules[p.str("RuleArn")]
		r.priority = wanted[r]
		out.Rules.Members = append(out.Rules.Members, r.describe())
		q.effect("rule %s has priority %d", r.arn, r.priority)
		r.listener.sortRules()
		if lb := r.listener.lb; !together {
			lb.rewire()
		} else if !slices.Contains(moved, lb) {
			moved = append(moved, lb)
		}
	}
	for _, lb := range moved {
		lb.rewire()
	}
	return out, nil
}

// readPriorities reads which rules are to have which priority, and refuses what would make two equal.
func (q *call) readPriorities() (map[*rule]int, *apiError) {
	wanted := map[*rule]int{}
	for _, p := range q.structs("RulePriorities") {
		r, err := q.rule(p.str("RuleArn"))
		priority := p.int("Priority", 0)
		switch {
		case err != nil:
			return nil, err
		case r.priority == 0:
			return nil, refuse("OperationNotPermitted", "Default rule '%s' cannot be modified", r.arn)
		case priority < 1 || priority > maxPriority:
			return nil, refuse("ValidationError", "Rule priority '%d' must be in the range 1-%d", priority, maxPriority)
		}
		wanted[r] = priority
	}
	for _, p := range q.structs("RulePriorities") {
		r := q.realm.balancers.rules[p.str("RuleArn")]
		for _, other := range r.listener.rules {
			theirs, moves := wanted[other]
			if !moves {
				theirs = other.priority
			}
			if other != r && theirs == wanted[r] {
				return nil, refuse("PriorityInUse", "Priority '%d' is currently in use", theirs)
			}
		}
	}
	return wanted, nil
}

func describeRules(_ *Cloud, q *call) (any, *apiError) {
	arns := q.list("RuleArns")
	if q.has("ListenerArn") == (len(arns) > 0) {
		return nil, refuse("ValidationError", "You must specify either listener rule ARNs or a listener ARN")
	}
	var found []*rule
	if len(arns) == 0 {
		l, err := q.listener(q.str("ListenerArn"))
		if err != nil {
			return nil, err
		}
		found = slices.Clone(l.rules)
	}
	for _, arn := range arns {
		r, err := q.rule(arn)
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	key := func(r *rule) string { return fmt.Sprintf("%s %020d", r.listener.arn, r.rank()) }
	slices.SortFunc(found, func(a, b *rule) int { return cmp.Compare(key(a), key(b)) })
	found, next, err := pageByMarker(q, slices.Compact(found), key)
	if err != nil {
		return nil, err
	}
	out := rulesOnWire{NextMarker: next}
	for _, r := range found {
		out.Rules.Members = append(out.Rules.Members, r.describe())
	}
	return out, nil
}

// actionsInWords is for the ledger.
func actionsInWords(actions []action) string {
	var out []string
	for _, a := range actions {
		if a.kind != forwardAction {
			out = append(out, string(a.kind))
		}
		for _, g := range a.groups {
			out = append(out, fmt.Sprintf("%d to %s", g.weight, g.pool.name))
		}
	}
	return strings.Join(out, ", ")
}
