package localaws

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
)

// recordCall writes a call to the ledger. Called with c.mu held.
func (c *Cloud) recordCall(q *call, op *operation, failed *apiError, lost bool) {
	e := q.entry(op)
	e.ReplyLost = lost
	if failed != nil {
		e.Status, e.Code, e.Message = failed.Status, failed.Code, failed.Message
	}
	c.ledger.add(Entry{Time: q.at, Account: q.realm.account, Region: q.realm.region, Call: e})
}

func (q *call) entry(op *operation) *CallEntry {
	return &CallEntry{Service: q.service.name, Action: q.action, Params: redact(q), Who: q.who, RequestID: q.requestID,
		Mutates: q.changes(op), Effects: q.effects, Fault: q.fault}
}

// abandon writes down a call whose caller gave up before the operation ran.
func (c *Cloud) abandon(q *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	op, _ := c.receive(q)
	e := q.entry(op)
	e.ReplyLost, e.Abandoned = true, true
	c.ledger.add(Entry{Time: q.at, Account: q.realm.account, Region: q.realm.region, Call: e})
}

// abandonReply writes down that the caller of a call that took effect gave up before the answer came. The call itself is in
// the ledger already, and entries never change.
func (c *Cloud) abandonReply(q *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recordChange(q.realm, "call", q.requestID, "", "abandoned", "the caller of "+q.action+" gave up before the answer came")
}

// redact replaces what may be secret (user data, values of secure strings) by its hash: equal values stay recognizable.
func redact(q *call) url.Values {
	form := q.form
	for _, name := range []string{"UserData", "UserData.Value", "LaunchTemplateData.UserData", "Value"} {
		secret := name != "Value" || q.service.name == "ssm" && q.str("Type") == secureString
		if !secret || !form.Has(name) {
			continue
		}
		form = maps.Clone(form)
		sum := sha256.Sum256([]byte(form.Get(name)))
		form[name] = []string{"sha256:" + hex.EncodeToString(sum[:])}
	}
	return form
}
