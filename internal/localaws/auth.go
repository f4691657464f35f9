package localaws

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Caller is who made a call, as far as its access key tells; signatures themselves are not verified.
type Caller struct {
	// AccessKey is the key from the request's signature; empty for an unsigned request.
	AccessKey string
	// Account is the account that the call works in.
	Account string
	// ARN is the caller's identity, as GetCallerIdentity answers it.
	ARN string

	region string // that the request was signed for; "" means home
}

// credential is what the cloud knows of an access key.
type credential struct {
	account string
	arn     string
	userID  string
	expires time.Time // zero: never

	role       string            // its ARN, for a session of a role
	tags       map[string]string // of the session
	transitive []string          // the keys of those that it passes on to the next session
}

// RegisterAccessKey makes the access key one of that account. Keys that were not registered are of the home account.
func (c *Cloud) RegisterAccessKey(key, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[key] = credential{account: account, arn: "arn:aws:iam::" + account + ":user/" + key, userID: "AIDA" + key}
}

// identify finds the caller's account and the realm of the call. Called with c.mu held.
func (c *Cloud) identify(q *call) (credential, *apiError) {
	known, ok := c.keys[q.who.AccessKey]
	if !ok {
		account := c.Realm.key.account
		known = credential{account: account, arn: "arn:aws:iam::" + account + ":root", userID: account}
	}
	q.who.Account, q.who.ARN, q.credential = known.account, known.arn, known
	region := q.who.region
	if region == "" {
		region = c.Realm.key.region
	}
	if !regionName.MatchString(region) {
		q.realm = c.realm(c.Realm.key)
		return known, q.service.wrongRegion(region)
	}
	q.realm = c.realm(realmKey{known.account, region})
	if !known.expires.IsZero() && !c.now().Before(known.expires) || c.expires(q.who.AccessKey) {
		return known, q.service.expired()
	}
	return known, nil
}

// regionName is the form that all regions have. Which there are is left open: a world may be in any of them.
var regionName = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-\d{1,2}$`)

// wrongRegion is how each protocol says that a request was signed for no region: without it, a slip in AWS_REGION would show an
// empty world.
func (s *service) wrongRegion(region string) *apiError {
	text := "Credential should be scoped to a valid region, not '%s'."
	switch s.protocol {
	case ec2Query:
		return refuseWith(http.StatusUnauthorized, "AuthFailure", text, region)
	case awsJSON:
		return refuse("InvalidSignatureException", text, region)
	default:
		return refuseWith(http.StatusForbidden, "SignatureDoesNotMatch", text, region)
	}
}

// expired is how each protocol says that temporary credentials are past their time.
func (s *service) expired() *apiError {
	switch s.protocol {
	case ec2Query:
		return refuse("RequestExpired", "Request has expired.")
	case awsJSON:
		return refuse("ExpiredTokenException", "The security token included in the request is expired")
	default:
		return refuseWith(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	}
}

// denial is one pattern of refused actions.
type denial struct{ pattern string }

// Deny refuses actions, as a missing IAM permission would: "ec2:RunInstances", "elasticloadbalancing:Register*",
// "iam:PassRole" (launches with an instance profile), "ec2:CreateTags" (also launches with tags). undo permits them
// again.
func (c *Cloud) Deny(action string) (undo func()) {
	d := &denial{pattern: action}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denials = append(c.denials, d)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.denials = slices.DeleteFunc(c.denials, func(other *denial) bool { return other == d })
	}
}

// deniesAction tells whether Deny refuses an action.
func (c *Cloud) deniesAction(action string) bool {
	return slices.ContainsFunc(c.denials, func(d *denial) bool { return matches(d.pattern, action) })
}

// denied is how each service words a missing permission. The text after "because", or after "with", is that of AWS's
// access-denied messages for identity-based policies.
func (q *call) denied(r iamRequest, verdict verdictOf) *apiError {
	why := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		q.who.ARN, r.action, r.resource, r.action)
	if verdict == forbidden {
		why = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s with an explicit deny in an identity-based policy",
			q.who.ARN, r.action, r.resource)
	}
	switch q.service.protocol {
	case ec2Query:
		encoded := strings.ToUpper(q.requestID)
		return refuseWith(http.StatusForbidden, "UnauthorizedOperation",
			"You are not authorized to perform this operation. %s. Encoded authorization failure message: %s", why, encoded)
	case awsJSON:
		return refuse("AccessDeniedException", "%s", why)
	default:
		return q.accessDenied("%s", why)
	}
}

// accessDenied is how the query services say it, with the status that Knobs.AccessDeniedIs400 chooses.
func (q *call) accessDenied(format string, args ...any) *apiError {
	if q.realm.c.knobs.AccessDeniedIs400 {
		return refuse("AccessDenied", format, args...)
	}
	return refuseWith(http.StatusForbidden, "AccessDenied", format, args...)
}
