package localaws

import (
	"regexp"
	"strings"
	"time"
)

func stsOperations() map[string]operation {
	return map[string]operation{"GetCallerIdentity": getCallerIdentity, "AssumeRole": assumeRole}
}

// getCallerIdentity needs no permission (IAM user guide).
var getCallerIdentity = operation{
	run: func(c *Cloud, q *call) (any, *apiError) {
		known, err := c.identify(q)
		if err != nil {
			return nil, err
		}
		return struct {
			ARN     string `xml:"Arn"`
			UserID  string `xml:"UserId"`
			Account string
		}{known.arn, known.userID, known.account}, nil
	},
}

// externalID is the model's, and so are the bounds of its length.
var externalID = regexp.MustCompile(`^[\w+=,.@:/-]*$`)

var (
	roleARN     = regexp.MustCompile(`^arn:aws:iam::([0-9]{12}):role/(?:.*/)?([^/]+)$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// The bounds of AssumeRole's DurationSeconds (SDK documentation).
const (
	minSession     = 900
	maxSession     = 43200
	defaultSession = 3600
)

const (
	minExternalID = 2
	maxExternalID = 1224
)

// assumeRole gives temporary credentials for a role that was seeded; whatever is wrong (no such role, another external
// id, a trust policy that does not allow it) is the same AccessDenied, as in AWS. Policies know session tags as
// aws:PrincipalTag.
var assumeRole = operation{
	params: []string{"RoleArn!", "RoleSessionName!", "ExternalId", "DurationSeconds:int", "Tags.member.N.Key", "Tags.member.N.Value",
		"TransitiveTagKeys.member.N"},
	mutates: true,
	run: func(c *Cloud, q *call) (any, *apiError) {
		arn, session := q.str("RoleArn"), q.str("RoleSessionName")
		seconds := q.int("DurationSeconds", defaultSession)
		if err := q.checkSession(arn, session, seconds); err != nil {
			return nil, err
		}
		role, ok := c.roles[arn]
		if !ok {
			return nil, q.accessDenied("User: %s is not authorized to perform: sts:AssumeRole on resource: %s", q.who.ARN, arn)
		}
		if err := c.mayAssume(q, role); err != nil {
			return nil, err
		}
		tags, transitive, err := q.inherit()
		if err != nil {
			return nil, err
		}
		parts := roleARN.FindStringSubmatch(arn)
		account, name := parts[1], parts[2]
		key := credential{account: account, arn: "arn:aws:sts::" + account + ":assumed-role/" + name + "/" + session,
			userID: "AROA" + strings.ToUpper(c.newHex(16)) + ":" + session, expires: q.at.Add(time.Duration(seconds) * time.Second),
			role: arn, tags: tags, transitive: transitive}
		id := "ASIA" + strings.ToUpper(c.newHex(16))
		c.keys[id] = key
		c.after(key.expires.Sub(q.at)+time.Hour, keyVanishes{id})
		q.effect("%s may act as %s", q.who.ARN, key.arn)
		return assumed(key, id, c.newHex(16)+c.newHex(16)+c.newHex(8), "local-"+c.newHex(16)+c.newHex(16)), nil
	},
}

// keyVanishes forgets temporary credentials that expired long ago.
type keyVanishes struct{ id string }

func (j keyVanishes) run(c *Cloud) { delete(c.keys, j.id) }

// checkSession refuses what is wrong with the request alone. A session of a role that assumes another one lasts an hour at most
// (SDK documentation of AssumeRole).
func (q *call) checkSession(arn, session string, seconds int) *apiError {
	switch {
	case !roleARN.MatchString(arn):
		return refuse("ValidationError", "%s is invalid", arn)
	case !sessionName.MatchString(session):
		return refuse("ValidationError", "1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: "+
			`Member must satisfy regular expression pattern: [\w+=,.@-]*`, session)
	case seconds < minSession || seconds > maxSession:
		return refuse("ValidationError", "1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: "+
			"Member must have value between %d and %d", seconds, minSession, maxSession)
	case q.credential.role != "" && seconds > defaultSession:
		return refuse("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	if id := q.str("ExternalId"); q.has("ExternalId") && (len(id) < minExternalID || len(id) > maxExternalID || !externalID.MatchString(id)) {
		return refuse("ValidationError", "1 validation error detected: Value '%s' at 'externalId' failed to satisfy constraint: Member must have "+
			`%d to %d characters, and satisfy regular expression pattern: [\w+=,.@:\/-]*`, id, minExternalID, maxExternalID)
	}
	return nil
}

func assumed(key credential, id, secret, token string) any {
	type credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	type user struct {
		ID  string `xml:"AssumedRoleId"`
		ARN string `xml:"Arn"`
	}
	return struct {
		Credentials     credentials
		AssumedRoleUser user
	}{credentials{id, secret, token, timestamp(key.expires)}, user{key.userID, key.arn}}
}
