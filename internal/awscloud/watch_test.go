package awscloud

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway.dev/slipway/internal/cloud"
)

// replied is what the SDK gives for an answer with a status and a code.
func replied(status int, code string) error {
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code},
	}
}

func TestOutcomes(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		want cloud.Outcome
	}{
		{"nothing wrong", nil, cloud.OutcomeDone},
		{"too many calls", replied(503, "RequestLimitExceeded"), cloud.OutcomeThrottled},
		{"not permitted", replied(403, "UnauthorizedOperation"), cloud.OutcomeDenied},
		{"not there", replied(400, "LoadBalancerNotFound"), cloud.OutcomeRefused},
		{"AWS's own trouble", replied(500, "InternalError"), cloud.OutcomeFailed},
		{"no capacity", replied(500, "InsufficientInstanceCapacity"), cloud.OutcomeFailed},
		{"given up", context.DeadlineExceeded, cloud.OutcomeUnanswered},
		{"reset", errors.New("connection reset by peer"), cloud.OutcomeUnanswered},
		{"no credentials", &cloud.Error{Kind: cloud.Throttled, Err: replied(400, "Throttling")}, cloud.OutcomeCredentials},
	} {
		if got := outcomeOf(row.err); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
