package localaws

// pastRequest is what a client token of a call other than RunInstances stands for: what it made. Guarded by Cloud.mu.
type pastRequest struct {
	hash     string
	template *launchTemplate  // of CreateLaunchTemplate and CreateLaunchTemplateVersion
	version  *templateVersion // of CreateLaunchTemplateVersion
	fleet    *fleet           // of CreateFleet
}

// mismatchedToken is the refusal of a token that was used with other parameters (EC2 developer guide, idempotency; text:
// runs-on issue 251).
func mismatchedToken() *apiError {
	return refuse("IdempotentParameterMismatch",
		"Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
}

// maxToken is how many characters a token has at most, all of them ASCII (the model of CreateLaunchTemplate).
const maxToken = 128

// repeated finds the earlier request with the same token and action; nil if there is none.
func (q *call) repeated() (*pastRequest, *apiError) {
	if token := q.str("ClientToken"); len(token) > maxToken || !isASCII(token) {
		return nil, refuse("InvalidParameterValue", "Value (%s) for parameter clientToken is invalid. It has at most %d ASCII characters.", token, maxToken)
	}
	past := q.realm.requests[q.action+"\x00"+q.str("ClientToken")]
	if past == nil {
		return nil, nil
	}
	if past.hash != formHash(q.form) {
		return nil, mismatchedToken()
	}
	return past, nil
}

// remember binds the call's token, if it has one.
func (q *call) remember(made pastRequest) {
	if token := q.str("ClientToken"); token != "" {
		made.hash = formHash(q.form)
		q.realm.requests[q.action+"\x00"+token] = &made
	}
}
