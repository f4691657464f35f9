package awscloud

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"

	"slipway.dev/slipway/internal/cloud"
)

// How long one attempt may take on the wire. An attempt that runs out of time is not repeated within the call: its
// outcome is not known, and the next pass looks at the world again.
const (
	callTimeout   = 10 * time.Second
	launchTimeout = 30 * time.Second // RunInstances of many servers is slow
	stsTimeout    = 5 * time.Second
)

// attempts and the two delays bound what retries add to a call: with a second at most between three attempts, a
// throttled Register is over in about two.
const (
	attempts        = 3
	firstBackoff    = 200 * time.Millisecond
	defaultPatience = time.Second // Options.MaxBackoff
)

// newRetryer makes the SDK's standard retryer with short pauses. Two things are never retried here:
// InsufficientInstanceCapacity, which is an HTTP 500 and would be retried in silence where the next instance type could
// be tried; and, by the SDK's own rules, an attempt that ran out of time.
func newRetryer(maxBackoff time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			longest := min(firstBackoff<<min(attempt, 10), maxBackoff)
			return rand.N(longest) + 1, nil
		})
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(noCapacityIsFinal)}, o.Retryables...)
	})
}

func noCapacityIsFinal(err error) aws.Ternary {
	if noCapacity.has(codeOf(err)) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// takeTurns makes every attempt of every call wait for its turn, by the lane of its context, and gives it a deadline
// from there on.
func takeTurns(all gates) func(*middleware.Stack) error {
	handle := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
		limits := documented[service].of(ctx, operation)
		if err := all[service].wait(ctx, cloud.LaneOf(ctx), limits); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, &notSentError{operation, err}
		}
		went := all[service].clock.Now()
		ctx, cancel := context.WithTimeout(ctx, timeoutOf(service, operation))
		defer cancel()
		out, metadata, err := next.HandleFinalize(ctx, in)
		switch {
		case err == nil:
			all[service].granted(limits, went)
		case throttled.has(codeOf(err)) && explained(err) == nil: // and not by STS, on the way to the credentials
			all[service].refused(limits, went)
		}
		return out, metadata, err
	}
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("slipway.Turn", handle), "Retry", middleware.After)
	}
}

// askPermit keeps back, as the last thing before it is sent, what changes something and may not be called any more: it was decided
// on a while ago, and has waited for its turn or to be tried again, or the process was frozen. One that is under way then is given up.
func askPermit(stack *middleware.Stack) error {
	handle := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		if operation := awsmiddleware.GetOperationName(ctx); !reads(operation) {
			permitted, cancel, err := cloud.MayChange(ctx)
			if err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("%s: not sent: %w", operation, err)
			}
			defer cancel()
			ctx = permitted
		}
		return next.HandleFinalize(ctx, in)
	}
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("slipway.Permit", handle), middleware.After)
}

// reads: the operation changes nothing.
func reads(operation string) bool {
	return slices.ContainsFunc([]string{"Describe", "Get", "Assume"}, func(verb string) bool { return strings.HasPrefix(operation, verb) })
}

func timeoutOf(service, operation string) time.Duration {
	switch {
	case operation == "RunInstances":
		return launchTimeout
	case service == stsService:
		return stsTimeout
	case operation == "ReceiveMessage":
		return longPoll + callTimeout
	default:
		return callTimeout
	}
}

const notSentWords = "not sent, its turn under the account's rate limit did not come in time"

// notSentError says that a call never left: its context ended while it waited for its turn.
type notSentError struct {
	operation string
	err       error
}

func (e *notSentError) Error() string {
	return e.operation + ": " + notSentWords + ": " + e.err.Error()
}

func (e *notSentError) Unwrap() error { return e.err }
