package awscloud

import (
	"context"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"slipway.dev/slipway/internal/cloud"
)

// watched tells the watcher of each attempt that got its turn, with the time on the wire and without the wait for the turn.
func watched(watcher cloud.Watcher) func(*middleware.Stack) error {
	handle := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		ctx, end := watcher(ctx, cloud.Attempt{Service: awsmiddleware.GetServiceID(ctx), Operation: awsmiddleware.GetOperationName(ctx)})
		out, metadata, err := next.HandleFinalize(ctx, in)
		answer := cloud.Answer{Outcome: outcomeOf(err), Status: statusOf(err)}
		if answer.Outcome == cloud.OutcomeDone {
			answer.Status = 200
		}
		answer.Request, _ = awsmiddleware.GetRequestIDMetadata(metadata)
		end(answer)
		return out, metadata, err
	}
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("slipway.Watch", handle), "slipway.Turn", middleware.After)
	}
}

// outcomeOf sorts what came of an attempt.
func outcomeOf(err error) cloud.Outcome {
	code, status := codeOf(err), statusOf(err)
	switch {
	case err == nil:
		return cloud.OutcomeDone
	case explained(err) != nil:
		return cloud.OutcomeCredentials
	case throttled.has(code):
		return cloud.OutcomeThrottled
	case denied.has(code):
		return cloud.OutcomeDenied
	case status >= 500:
		return cloud.OutcomeFailed
	case status >= 400:
		return cloud.OutcomeRefused
	default:
		return cloud.OutcomeUnanswered
	}
}
