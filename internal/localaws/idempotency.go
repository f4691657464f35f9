package localaws

// pastRequest is what a client token of a call other than RunInstances stands for. Guarded by Cloud.mu.
type pastRequest struct {
	hash  string
	again func() (any, *apiError) // the answer to a repetition
}

// mismatchedToken is the refusal of a token that was used with other parameters (EC2 developer guide, idempotency; text: runs-on
// issue 251).
func mismatchedToken() *apiError {
	return refuse("IdempotentParameterMismatch",
		"Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
}

// repeated finds the earlier request with the same token and action; nil if there is none.
func (q *call) repeated() (*pastRequest, *apiError) {
	past := q.realm.requests[q.action+"\x00"+q.str("ClientToken")]
	if past == nil {
		return nil, nil
	}
	if past.hash != formHash(q.form) {
		return nil, mismatchedToken()
	}
	return past, nil
}

// repeat answers as before, or refuses.
func (p *pastRequest) repeat(err *apiError) (any, *apiError) {
	if err != nil {
		return nil, err
	}
	return p.again()
}

// remember binds the call's token, if it has one, and answers the call.
func (q *call) remember(answer func() (any, *apiError)) (any, *apiError) {
	if token := q.str("ClientToken"); token != "" {
		q.realm.requests[q.action+"\x00"+token] = &pastRequest{formHash(q.form), answer}
	}
	return answer()
}
