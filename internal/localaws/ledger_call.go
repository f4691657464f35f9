package localaws

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
)

// recordCall writes a call to the ledger. Called with c.mu held.
func (c *Cloud) recordCall(q *call, op *operation, failed *apiError, lost bool) {
	e := &CallEntry{Service: q.service.name, Action: q.action, Params: redact(q), Who: q.who, RequestID: q.requestID,
		Mutates: op != nil && op.mutates, Effects: q.effects, ReplyLost: lost}
	if failed != nil {
		e.Status, e.Code, e.Message = failed.Status, failed.Code, failed.Message
	}
	c.ledger.add(Entry{Time: q.at, Account: q.realm.account, Region: q.realm.region, Call: e})
}

// redact replaces what may be secret (user data, values of secure strings) by its hash: equal values stay recognizable.
func redact(q *call) url.Values {
	form := q.form
	for _, name := range []string{"UserData", "UserData.Value", "Value"} {
		secret := name != "Value" || q.service.name == "ssm" && q.str("Type") == "SecureString"
		if !secret || !form.Has(name) {
			continue
		}
		form = maps.Clone(form)
		sum := sha256.Sum256([]byte(form.Get(name)))
		form[name] = []string{"sha256:" + hex.EncodeToString(sum[:])}
	}
	return form
}
