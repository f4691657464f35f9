package localaws

import (
	"slices"
	"strings"
)

// iamRequest is one question to IAM: may a principal do this to that? A call asks several, all of which must be allowed.
type iamRequest struct {
	action   string
	resource string              // an ARN, or *
	keys     map[string][]string // the condition keys that it has, in lower case
}

// verdictOf is what policies say of a request.
type verdictOf int

const (
	notAllowed verdictOf = iota // no statement allows it
	allowed
	forbidden // a statement denies it, whatever others say
)

// evaluate is what policies say together.
func evaluate(policies []*policy, r *iamRequest) verdictOf {
	verdict := notAllowed
	for _, p := range policies {
		for _, s := range p.statements {
			if !s.applies(r) {
				continue
			}
			if s.effect == "Deny" {
				return forbidden
			}
			verdict = allowed
		}
	}
	return verdict
}

func (s statement) applies(r *iamRequest) bool {
	if !s.names(r) {
		return false
	}
	for _, c := range s.conditions {
		if !c.holds(r) {
			return false
		}
	}
	return true
}

// names tells whether the statement is about the action and the resource.
func (s statement) names(r *iamRequest) bool {
	if len(s.actions) > 0 != namesAction(slices.Concat(s.actions, s.notActions), r.action) {
		return false
	}
	return s.trust || len(s.resources) > 0 == s.namesResource(slices.Concat(s.resources, s.notResources), r)
}

// namesAction: actions are compared without regard to case.
func namesAction(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if !strings.ContainsAny(p, "*?") { // nearly all of them, at each call
			return strings.EqualFold(p, action)
		}
		return matches(strings.ToLower(strings.ReplaceAll(p, `\`, `\\`)), strings.ToLower(action))
	})
}

// namesResource: a wildcard reaches over the parts of an ARN.
func (s statement) namesResource(patterns []string, r *iamRequest) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		pattern, ok := expand(p, r, true)
		return ok && matches(pattern, r.resource)
	})
}
