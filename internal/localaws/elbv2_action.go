package localaws

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
)

// actionKind is the type of an action, as on the wire.
type actionKind string

const (
	forwardAction  actionKind = "forward"
	redirectAction actionKind = "redirect"
	fixedAction    actionKind = "fixed-response"
)

// action is what is done with a request.
type action struct {
	kind     actionKind
	order    int
	groups   []weighted // of forward
	sticky   sticky     // of forward
	redirect redirect
	fixed    fixedResponse
}

// weighted is one of the groups that a forward action spreads requests over.
type weighted struct {
	pool   *pool
	arn    string // of the target group
	weight int
}

// sticky keeps a client with the target group that it first got.
type sticky struct {
	on      bool
	seconds int
}

type fixedResponse struct {
	MessageBody string `xml:",omitempty"`
	StatusCode  string
	ContentType string `xml:",omitempty"`
}

// actionParams are the parameters of a list of actions.
func actionParams(list string) []string {
	fields := []string{
		"Type", "Order:int", "TargetGroupArn", "ForwardConfig.TargetGroups.member.N.TargetGroupArn",
		"ForwardConfig.TargetGroups.member.N.Weight:int", "ForwardConfig.TargetGroupStickinessConfig.Enabled:bool",
		"ForwardConfig.TargetGroupStickinessConfig.DurationSeconds:int", "RedirectConfig.Protocol", "RedirectConfig.Port",
		"RedirectConfig.Host", "RedirectConfig.Path", "RedirectConfig.Query", "RedirectConfig.StatusCode",
		"FixedResponseConfig.MessageBody", "FixedResponseConfig.StatusCode", "FixedResponseConfig.ContentType",
	}
	for i, field := range fields {
		fields[i] = list + ".member.N." + field
	}
	return fields
}

// readActions reads the actions of a rule of lb: here always one, because the actions that may come before the last
// one (authentication) are not simulated.
func (lb *loadBalancer) readActions(q *call, list string, protocol string) ([]action, *apiError) {
	given := q.structs(list)
	if len(given) != 1 {
		return nil, refuse("InvalidLoadBalancerAction", "A rule must have exactly one forward, redirect or fixed-response action; %d were given", len(given))
	}
	p := given[0]
	a := action{kind: actionKind(p.str("Type")), order: p.int("Order", 0)}
	if lb.kind == network && a.kind != forwardAction {
		return nil, refuse("InvalidLoadBalancerAction", "Load balancers of type 'network' only support forward actions")
	}
	var err *apiError
	switch a.kind {
	case forwardAction:
		err = a.readForward(lb, q, p, protocol)
	case redirectAction:
		err = a.readRedirect(p.at("RedirectConfig"), protocol)
	case fixedAction:
		err = a.readFixed(p.at("FixedResponseConfig"))
	default:
		err = refuse("ValidationError", "1 validation error detected: Value '%s' at '%s.1.member.type' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [forward, redirect, fixed-response]", a.kind, list)
	}
	return []action{a}, firstError(err, a.fits(p))
}

// actionConfigs are the members that belong to one type of action.
var actionConfigs = map[string]actionKind{
	"TargetGroupArn": forwardAction, "ForwardConfig": forwardAction, "RedirectConfig": redirectAction, "FixedResponseConfig": fixedAction,
}

// maxOrder is the largest Order of an action (SDK documentation of Action).
const maxOrder = 50000

// fits refuses the members of other types, which would be ignored, and an order that is out of bounds.
func (a *action) fits(p *params) *apiError {
	for _, name := range slices.Sorted(maps.Keys(actionConfigs)) {
		if p.has(name) && actionConfigs[name] != a.kind {
			return refuse("ValidationError", "%s cannot be specified with the action type '%s'", name, a.kind)
		}
	}
	if p.has("Order") && (a.order < 1 || a.order > maxOrder) {
		return refuse("ValidationError", "Action order '%d' must be in the range 1-%d", a.order, maxOrder)
	}
	return nil
}

// maxGroups is how many target groups an action may have (Application Load Balancers guide, quotas).
const maxGroups = 5

func (a *action) readForward(lb *loadBalancer, q *call, p *params, protocol string) *apiError {
	if err := lb.weighs(p); err != nil {
		return err
	}
	single := p.str("TargetGroupArn")
	for _, g := range p.at("ForwardConfig").structs("TargetGroups") {
		a.groups = append(a.groups, weighted{arn: g.str("TargetGroupArn"), weight: g.int("Weight", 1)})
	}
	switch {
	case single == "" && len(a.groups) == 0:
		return refuse("ValidationError", "A target group ARN must be specified")
	case len(a.groups) == 0:
		a.groups = []weighted{{arn: single, weight: 1}}
	case single != "" && (len(a.groups) > 1 || a.groups[0].arn != single):
		return refuse("InvalidLoadBalancerAction", "You can't specify both the TargetGroupArn and a ForwardConfig that does not have that target group alone")
	case len(a.groups) > maxGroups:
		return refuse("ValidationError", "A forward action can have at most %d target groups", maxGroups)
	}
	if err := a.resolve(lb, q, protocol); err != nil {
		return err
	}
	return a.readSticky(lb, p.at("ForwardConfig.TargetGroupStickinessConfig"))
}

// weighs refuses weights where they are not known yet (BalancerKnobs.NetworkRefusesWeights). The texts are AWS's: aws-cdk
// issue 23922 and provider-upjet-aws issue 1771.
func (lb *loadBalancer) weighs(p *params) *apiError {
	if lb.kind != network || !lb.realm.c.knobs.Balancers.NetworkRefusesWeights {
		return nil
	}
	groups := p.at("ForwardConfig").structs("TargetGroups")
	if len(groups) > 1 {
		return refuse("ValidationError", "You cannot specify multiple target groups in a single action with a load balancer of type 'network'")
	}
	if slices.ContainsFunc(groups, func(g *params) bool { return g.has("Weight") }) {
		return refuse("ValidationError", "You cannot specify a target group weight on load balancers of type 'network'")
	}
	return nil
}

// resolve finds the target groups and checks their weights.
func (a *action) resolve(lb *loadBalancer, q *call, protocol string) *apiError {
	for i, g := range a.groups {
		tg, err := lb.usable(q, g.arn, protocol)
		if err != nil {
			return err
		}
		if g.weight < 0 || g.weight > 999 {
			return refuse("ValidationError", "The weight for each target group must be between 0 and 999, inclusive") // aws-cdk issue 24805
		}
		if slices.ContainsFunc(a.groups[:i], func(other weighted) bool { return other.arn == g.arn }) {
			return refuse("ValidationError", "The target group '%s' is named more than once", g.arn)
		}
		a.groups[i].pool = tg.pool
	}
	return nil
}

func (a *action) readSticky(lb *loadBalancer, p *params) *apiError {
	a.sticky = sticky{on: p.bool("Enabled", false), seconds: p.int("DurationSeconds", 0)}
	switch {
	case a.sticky.on && lb.kind == network:
		return refuse("InvalidLoadBalancerAction", "Target group stickiness is not supported by load balancers of type 'network'")
	case !a.sticky.on && !p.has("DurationSeconds"): // it has to be right wherever it is given
	case a.sticky.seconds < 1 || a.sticky.seconds > 604800:
		return refuse("ValidationError", "Target group stickiness duration '%d' must be in the range 1-604800 seconds", a.sticky.seconds)
	}
	if a.sticky.on {
		return nil
	}
	return a.needsSticky()
}

// needsSticky refuses several target groups of which one is sticky, without stickiness for the groups (Application Load
// Balancers guide, sticky sessions).
func (a *action) needsSticky() *apiError {
	for _, g := range a.groups {
		if len(a.groups) > 1 && g.pool.rules.stickyFor() > 0 {
			return refuse("InvalidConfigurationRequest",
				"You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups (%s)", g.arn)
		}
	}
	return nil
}

// usable finds a target group that lb may send to: of its VPC and layer, and of no other load balancer. The text of
// the last refusal is AWS's (hashicorp/terraform-provider-aws issue 22005).
func (lb *loadBalancer) usable(q *call, arn, protocol string) (*targetGroup, *apiError) {
	tg, err := q.targetGroup(arn)
	switch {
	case err != nil:
		return nil, err
	case tg.protocol != protocol:
		return nil, refuse("IncompatibleProtocols", "Listener protocol '%s' and target group protocol '%s' are not compatible", protocol, tg.protocol)
	case tg.vpcID != lb.vpcID:
		return nil, refuse("InvalidConfigurationRequest", "The following target groups are in a different VPC than load balancer '%s': %s", lb.arn, arn)
	case tg.lb != nil && tg.lb != lb:
		return nil, refuse("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", arn)
	}
	return tg, nil
}

// fixedStatus is what a fixed response may answer (SDK documentation of FixedResponseActionConfig).
var fixedStatus = regexp.MustCompile(`^[245]\d\d$`)

func (a *action) readFixed(p *params) *apiError {
	a.fixed = fixedResponse{MessageBody: p.str("MessageBody"), StatusCode: p.str("StatusCode"), ContentType: p.str("ContentType")}
	types := []string{"", "text/plain", "text/css", "text/html", "application/javascript", "application/json"}
	switch {
	case !fixedStatus.MatchString(a.fixed.StatusCode):
		return refuse("ValidationError", "The status code '%s' of a fixed response must be 2XX, 4XX or 5XX", a.fixed.StatusCode)
	case !slices.Contains(types, a.fixed.ContentType):
		return refuse("InvalidLoadBalancerAction", "The ContentType '%s' is not valid", a.fixed.ContentType)
	case len(a.fixed.MessageBody) > 1024:
		return refuse("ValidationError", "The message of a fixed response must have at most 1024 characters")
	}
	return nil
}

type groupOnWire struct {
	TargetGroupArn string
	Weight         int
}

type stickyOnWire struct {
	Enabled         bool
	DurationSeconds int `xml:",omitempty"`
}

type forwardOnWire struct {
	TargetGroups                members[groupOnWire]
	TargetGroupStickinessConfig stickyOnWire
}

type actionOnWire struct {
	Type                string
	TargetGroupArn      string `xml:",omitempty"`
	Order               int    `xml:",omitempty"`
	ForwardConfig       *forwardOnWire
	RedirectConfig      *redirect
	FixedResponseConfig *fixedResponse
}

func (a action) describe() actionOnWire {
	d := actionOnWire{Type: string(a.kind), Order: a.order}
	switch a.kind {
	case redirectAction:
		d.RedirectConfig = &a.redirect
	case fixedAction:
		d.FixedResponseConfig = &a.fixed
	default:
		d.ForwardConfig = &forwardOnWire{TargetGroupStickinessConfig: stickyOnWire{a.sticky.on, a.sticky.seconds}}
		for _, g := range a.groups {
			d.ForwardConfig.TargetGroups.Members = append(d.ForwardConfig.TargetGroups.Members, groupOnWire{g.arn, g.weight})
		}
		if len(a.groups) == 1 {
			d.TargetGroupArn = a.groups[0].arn
		}
	}
	return d
}

func describeActions(actions []action) members[actionOnWire] {
	out := members[actionOnWire]{}
	for _, a := range actions {
		out.Members = append(out.Members, a.describe())
	}
	return out
}

// references are the target groups that any action of the load balancer names, also with weight 0, by name.
func (lb *loadBalancer) references() []*targetGroup {
	found := map[string]*targetGroup{}
	for _, l := range lb.listeners {
		for _, r := range l.rules {
			for _, a := range r.actions {
				for _, g := range a.groups {
					found[g.arn] = lb.realm.balancers.groups[g.arn]
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *targetGroup) int { return cmp.Compare(a.name, b.name) })
}

// rewire follows a change of listeners or rules: target groups come into use at once, and the nodes learn of the new rules.
// A group falls out of use when the last node has learned.
func (lb *loadBalancer) rewire() {
	used := lb.references()
	for _, tg := range lb.realm.balancers.groupsByName() {
		before, uses := tg.lb == lb, slices.Contains(used, tg)
		switch {
		case uses && !before:
			tg.lb, tg.fading = lb, nil
			tg.pool.reconsider()
		case before && !uses:
			tg.lb, tg.fading = nil, lb
		}
	}
	lb.adopt(lb.listenersNow())
}

// serving is the load balancer that sends the group requests: the one whose rules name it, or whose nodes still follow rules
// that did.
func (tg *targetGroup) serving() *loadBalancer {
	if tg.lb != nil {
		return tg.lb
	}
	return tg.fading
}

// fade ends the use of target groups that the rules of no node name any more.
func (lb *balancer) fade() {
	var over []*targetGroup
	for _, tg := range lb.realm.balancers.groups {
		if tg.fading != nil && &tg.fading.balancer == lb && !lb.follow(tg.pool) {
			over = append(over, tg)
		}
	}
	slices.SortFunc(over, func(a, b *targetGroup) int { return cmp.Compare(a.name, b.name) })
	for _, tg := range over {
		tg.fading = nil
		tg.pool.reconsider()
	}
}

// follow tells whether the rules of any node name the pool.
func (lb *balancer) follow(p *pool) bool {
	for _, n := range lb.nodes {
		for _, known := range n.adopted {
			for _, r := range known.routes {
				if slices.ContainsFunc(r.action.groups, func(g weighted) bool { return g.pool == p }) {
					return true
				}
			}
		}
	}
	return false
}

func (b *balancers) groupsByName() []*targetGroup {
	return slices.SortedFunc(maps.Values(b.groups), func(x, y *targetGroup) int { return cmp.Compare(x.name, y.name) })
}
