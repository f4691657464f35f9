package localaws

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// iam is what the cloud knows of permissions. Whoever has no policy may do everything; whoever has one may do what their
// policies allow, and nothing else. Guarded by Cloud.mu.
type iam struct {
	policies map[string][]*policy         // by access key, or ARN of a user or role
	trusts   map[string]*policy           // by role
	tags     map[string]map[string]string // of principals: aws:PrincipalTag
}

// principalName is what a policy can be attached to.
var principalName = regexp.MustCompile(`^(arn:aws:iam::[0-9]{12}:(role|user|root)(/.+)?|[A-Za-z0-9]+)$`)

// AttachPolicy gives an IAM policy, in AWS's JSON, to a principal: an access key, or the ARN of a user or role. From then on
// the principal may do what its policies allow, and nothing else. It fails for a policy that is malformed or that says
// something that is not simulated: an element, a condition operator or a key. detach takes it away again.
func (c *Cloud) AttachPolicy(principal, document string) (detach func(), err error) {
	if !principalName.MatchString(principal) {
		return nil, fmt.Errorf("%q is neither an access key nor the ARN of a user or role", principal)
	}
	p, err := parsePolicy(document, identityPolicy)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.iam.policies[principal] = append(slices.Clone(c.iam.policies[principal]), p)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.iam.policies[principal] = slices.DeleteFunc(slices.Clone(c.iam.policies[principal]), func(other *policy) bool { return other == p })
	}, nil
}

// TrustRole gives a role its trust policy: who may assume it, and how. A role without one can be assumed by everybody who
// knows its external id (Role). It fails for a policy as AttachPolicy does, and for a role that was not seeded.
func (c *Cloud) TrustRole(role, document string) error {
	p, err := parsePolicy(document, trustPolicy)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.roles[role]; !known {
		return fmt.Errorf("there is no role %s", role)
	}
	c.iam.trusts[role] = p
	return nil
}

// TagPrincipal gives a principal its tags, which policies know as aws:PrincipalTag. Those of a session win over its role's.
func (c *Cloud) TagPrincipal(principal string, tags map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.iam.tags[principal] = maps.Clone(tags)
}

// names are what a credential's policies and tags may be known by.
func (k credential) names(accessKey string) []string {
	out := []string{accessKey, k.arn}
	if k.role != "" {
		out = append(out, k.role)
	}
	return out
}

// policiesOf are the policies of the caller; none: they may do everything.
func (c *Cloud) policiesOf(q *call) []*policy {
	var out []*policy
	for _, name := range q.credential.names(q.who.AccessKey) {
		out = append(out, c.iam.policies[name]...)
	}
	return out
}

// authorize asks whether the caller may do all this. The dispatcher asks for each call; a launch asks for what it turned out
// to need. Called with c.mu held.
func (c *Cloud) authorize(q *call, requests ...iamRequest) *apiError {
	policies := c.policiesOf(q)
	for _, r := range requests {
		if c.deniesAction(r.action) {
			return q.denied(r, notAllowed)
		}
		if len(policies) == 0 {
			continue
		}
		r.keys = withKeys(c.callerKeys(q), r.keys)
		if verdict := evaluate(policies, &r); verdict != allowed {
			return q.denied(r, verdict)
		}
	}
	return nil
}

// withKeys puts the keys of one request over those of the caller.
func withKeys(base, more map[string][]string) map[string][]string {
	maps.Copy(base, more)
	return base
}

// callerKeys are the condition keys that every request of a call has.
func (c *Cloud) callerKeys(q *call) map[string][]string {
	known := q.credential
	keys := map[string][]string{
		"aws:currenttime":      {q.at.Format(time.RFC3339)},
		"aws:epochtime":        {strconv.FormatInt(q.at.Unix(), 10)},
		"aws:principalaccount": {known.account},
		"aws:principalarn":     {known.arn},
		"aws:principaltype":    {"User"},
		"aws:requestedregion":  {q.realm.region},
		"aws:securetransport":  {"true"}, // AWS has no other
		"aws:userid":           {known.userID},
		"aws:viaawsservice":    {"false"},
	}
	switch {
	case known.role != "":
		keys["aws:principalarn"], keys["aws:principaltype"] = []string{known.role}, []string{"AssumedRole"}
	case strings.Contains(known.arn, ":user/"):
		keys["aws:username"] = []string{known.arn[strings.LastIndex(known.arn, "/")+1:]}
	default:
		keys["aws:principaltype"] = []string{"Account"}
	}
	for _, name := range slices.Backward(known.names(q.who.AccessKey)) {
		addTagKeys(keys, "aws:principaltag/", c.iam.tags[name])
	}
	addTagKeys(keys, "aws:principaltag/", known.tags)
	return keys
}

// addTagKeys makes condition keys of tags.
func addTagKeys(keys map[string][]string, prefix string, tags map[string]string) {
	for key, value := range tags {
		keys[prefix+strings.ToLower(key)] = []string{value}
	}
}

// requestTagKeys are the keys that tags in a request bring along.
func requestTagKeys(tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	if len(tags) > 0 {
		addTagKeys(keys, "aws:requesttag/", tags)
		keys["aws:tagkeys"] = slices.Sorted(maps.Keys(tags))
	}
	return keys
}

// resourceTagKeys are the keys that the tags of what is there bring along; service is ec2 or elasticloadbalancing.
func resourceTagKeys(service string, tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	addTagKeys(keys, "aws:resourcetag/", tags)
	addTagKeys(keys, service+":resourcetag/", tags)
	return keys
}
