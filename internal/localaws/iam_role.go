package localaws

import (
	"maps"
	"slices"
	"strings"
)

// roleRequests are what IAM is asked, on the caller's side, for assuming a role. Where the role's trust policy names the
// caller itself and both are of one account, that is enough, and nothing is asked (IAM user guide, policy evaluation).
func (c *Cloud) roleRequests(q *call) []iamRequest {
	role := q.str("RoleArn")
	out := []iamRequest{{"sts:AssumeRole", role, q.roleKeys()}}
	if len(q.sessionTags()) > 0 {
		out = append(out, iamRequest{"sts:TagSession", role, q.roleKeys()})
	}
	if q.credential.account != accountOf(role) {
		return out
	}
	if trust := c.iam.trusts[role]; trust != nil && c.trusts(q, trust.naming(q.credential), out[0]) == allowed {
		return nil
	}
	return out
}

// roleKeys are the condition keys of AssumeRole.
func (q *call) roleKeys() map[string][]string {
	keys := requestTagKeys(q.sessionTags())
	for name, param := range map[string]string{"sts:externalid": "ExternalId", "sts:rolesessionname": "RoleSessionName"} {
		if q.has(param) {
			keys[name] = []string{q.str(param)}
		}
	}
	if transitive := q.list("TransitiveTagKeys"); len(transitive) > 0 {
		keys["sts:transitivetagkeys"] = transitive
	}
	return keys
}

func (q *call) sessionTags() map[string]string { return tagsIn(q.structs("Tags")) }

func accountOf(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// trusts asks the statements of a trust policy that are about the caller.
func (c *Cloud) trusts(q *call, statements []statement, r iamRequest) verdictOf {
	r.keys = withKeys(c.callerKeys(q), r.keys)
	return evaluate([]*policy{{statements}}, &r)
}

// about are the statements that name the caller, its account, or everybody.
func (p *policy) about(who credential) []statement {
	return p.having([]string{"*", who.account, "arn:aws:iam::" + who.account + ":root", who.arn, who.role})
}

// naming are the statements that name the caller itself.
func (p *policy) naming(who credential) []statement { return p.having([]string{who.arn, who.role}) }

func (p *policy) having(names []string) []statement {
	return slices.DeleteFunc(slices.Clone(p.statements), func(s statement) bool {
		return !slices.ContainsFunc(s.principals, func(name string) bool { return name != "" && slices.Contains(names, name) })
	})
}

// mayAssume asks the role's side.
func (c *Cloud) mayAssume(q *call, role Role) *apiError {
	refused := func(action string) *apiError {
		return q.accessDenied("User: %s is not authorized to perform: %s on resource: %s", q.who.ARN, action, role.ARN)
	}
	if role.ExternalID != "" && role.ExternalID != q.str("ExternalId") {
		return refused("sts:AssumeRole")
	}
	trust := c.iam.trusts[role.ARN]
	if trust == nil {
		return nil
	}
	about := trust.about(q.credential)
	if c.trusts(q, about, iamRequest{"sts:AssumeRole", role.ARN, q.roleKeys()}) != allowed {
		return refused("sts:AssumeRole")
	}
	if len(q.sessionTags()) > 0 && c.trusts(q, about, iamRequest{"sts:TagSession", role.ARN, q.roleKeys()}) != allowed {
		return refused("sts:TagSession")
	}
	return nil
}

// inherit gives a session its tags: the call's, and those that the caller's own session passes on, which the call must not
// change (IAM user guide, session tags).
func (q *call) inherit() (tags map[string]string, transitive []string, err *apiError) {
	tags, transitive = q.sessionTags(), q.list("TransitiveTagKeys")
	for _, key := range transitive {
		if _, given := tags[key]; !given {
			return nil, nil, refuse("ValidationError", "The transitive tag key %s is not among the session tags of the request.", key)
		}
	}
	for _, key := range q.credential.transitive {
		if _, given := tags[key]; given {
			return nil, nil, refuse("InvalidParameterValue",
				"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		tags[key] = q.credential.tags[key]
	}
	return maps.Clone(tags), append(slices.Clone(q.credential.transitive), transitive...), nil
}
