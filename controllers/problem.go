package controllers

import (
	"cmp"
	"errors"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// reasonOfKind is the condition reason of an error of the provider that does not name one itself.
var reasonOfKind = map[cloud.Kind]string{
	cloud.NoCapacity: rollout.ReasonNoCapacity,
	cloud.Quota:      rollout.ReasonQuotaExceeded,
	cloud.Invalid:    rollout.ReasonInvalidParameter,
	cloud.Denied:     rollout.ReasonAccessDenied,
	cloud.Throttled:  rollout.ReasonThrottled,
}

// problemOf puts an error into a problem: the reason that it asks for, else that of its kind, else the given one, and the
// provider's own words. It says whether trying again may help.
func problemOf(err error, otherwise string) rollout.Problem {
	reason := reasonOfKind[cloud.KindOf(err)]
	if understood, ok := errors.AsType[*cloud.Error](err); ok {
		reason = cmp.Or(understood.Reason, reason)
	}
	return rollout.Problem{Reason: cmp.Or(reason, otherwise), Message: err.Error(), Passing: passing(err)}
}

// lastingReason is the reason of an error that only a person can mend; empty for one that may pass by itself.
func lastingReason(err error) string {
	if passing(err) {
		return ""
	}
	return problemOf(err, "").Reason
}

// refuse forbids every call. The first problem found is the one that is told.
func (o *observation) refuse(problem rollout.Problem) {
	if problem.Some() && !o.input.Spec.Refused.Some() {
		o.input.Spec.Refused = problem
	}
}
