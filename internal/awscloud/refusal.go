package awscloud

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// emptyAfter is how long a token may be bound to other parameters and show no server, until none was launched with it.
	// EC2 shows a new server within five minutes; this is twice that.
	emptyAfter = 2 * youth
	// boundMemory is how long such a token is remembered.
	boundMemory = time.Hour

	parameterMismatch = "IdempotentParameterMismatch"
)

// refused deals with a launch that EC2 refused. Before it says that nothing was launched it looks for servers of the
// token, because an earlier call may have brought some and lost the answer:
//
//   - IdempotentInstanceTerminated: one of the token's servers is gone; others may live.
//   - IdempotentParameterMismatch: the token is bound, by a success or a failure, to other parameters. That should not
//     be; without a server in sight nothing is known, until none came in sight for long enough (stillEmpty).
//   - A refused permission or parameter: AWS does not say whether it looks at the token or at those first. Between two
//     calls an image can go, or a policy change.
//
// A lack of capacity is found after the token, and the next type should not wait: it is believed as it is.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
func (c *compute) refused(ctx context.Context, request cloud.LaunchRequest, err error) ([]string, error) {
	mismatch := codeOf(err) == parameterMismatch
	err = explainLaunch(err, request)
	switch kind := cloud.KindOf(err); {
	case kind == cloud.NoCapacity, kind == cloud.Throttled, kind == cloud.Unknown && !mismatch:
		return nil, err
	}
	ids, lookup := c.inventory.withToken(ctx, request.Token)
	switch {
	case lookup != nil:
		return nil, &unsureError{refused: err, lookup: lookup}
	case len(ids) > 0:
		c.remember(ids)
		return ids, nil
	case mismatch && c.stillEmpty(request.Token):
		api, _ := errors.AsType[smithy.APIError](err)
		return nil, tokenSpent.about(request.String(), api, err)
	default:
		return nil, err
	}
}

// stillEmpty notes that a bound token shows no server, and reports whether that has been so for long enough. A process
// that has just started counts anew: it errs on the side of another ten minutes.
func (c *compute) stillEmpty(token string) bool {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.bound, func(_ string, since time.Time) bool { return now.Sub(since) > boundMemory })
	since, known := c.bound[token]
	if !known {
		c.bound[token] = now
		return false
	}
	return now.Sub(since) >= emptyAfter
}

// unsureError is a refusal that may hide servers of an earlier call. It wraps neither of its errors: either could be taken
// for "nothing was launched".
type unsureError struct{ refused, lookup error }

func (e *unsureError) Error() string {
	return e.refused.Error() + "; whether an earlier call with its token launched anything could not be read: " + e.lookup.Error()
}

// explainLaunch names the part of the request that EC2 refuses.
func explainLaunch(err error, request cloud.LaunchRequest) error {
	if said := explained(err); said != nil {
		return said
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if ok && api.ErrorCode() == "InvalidParameterValue" {
		switch {
		case refusesProfile(api):
			return profileMissing.about("instance profile "+request.InstanceProfile, api, err)
		case len(request.UserData) > maxUserData:
			return userDataTooLarge.about("user data", api, err)
		}
	}
	err = explain(err, request.String(), launchMeanings)
	understood, known := errors.AsType[*cloud.Error](err)
	switch {
	case known:
		understood.Thing = cmp.Or(launchThing(understood.Reason, request), understood.Thing)
	case ok && !passes.has(api.ErrorCode()) && refusesForGood(statusOf(err)):
		return launchRefused.about(request.String(), api, err)
	}
	return err
}

// refusesForGood reports whether an answer that no table lists says that the request will not be carried out: AWS puts the
// fault on the caller's side (HTTP 4xx), and advises not to repeat such a call. Were it taken for an unknown outcome, the
// launch would be repeated for ever and nobody told.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
func refusesForGood(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

func launchThing(reason string, request cloud.LaunchRequest) string {
	switch reason {
	case rollout.ReasonImageMalformed, rollout.ReasonImageNotFound, rollout.ReasonImageNotAvailable:
		return "image " + request.Image
	case rollout.ReasonSubnetNotFound:
		return "subnet " + request.Subnet
	case rollout.ReasonSecurityGroupNotFound:
		return "security groups " + strings.Join(request.SecurityGroups, ", ")
	case rollout.ReasonKeyPairNotFound:
		return "key pair " + request.KeyName
	case rollout.ReasonUserDataTooLarge:
		return "user data"
	default:
		return ""
	}
}

// refusesProfile is the one place that reads a message: EC2 has no code of its own for an unknown instance profile. Its
// InvalidParameterValue says "Value (web) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile
// name" (or "… ARN"). If the wording changes, the error is still Invalid, with AWS's words and a less helpful reason.
func refusesProfile(api smithy.APIError) bool {
	return strings.Contains(api.ErrorMessage(), "Invalid IAM Instance Profile")
}
