package cloud

import "context"

// Watcher is told of every attempt of every call as it is sent, for metrics and traces. What it returns is called once with what came
// of it; the context that it returns is that of the attempt. It must be quick, and may be called by many at once.
type Watcher func(ctx context.Context, attempt Attempt) (context.Context, func(Answer))

// Attempt names a call of the provider's, as the provider does: "EC2", "DescribeInstances". Both are closed sets.
type Attempt struct{ Service, Operation string }

// Answer is what came of an attempt.
type Answer struct {
	Outcome Outcome
	// Status is that of HTTP; 0 where nothing answered.
	Status int
	// Request is the provider's ID of the request, for its support; empty where nothing answered.
	Request string
}

// Outcome is what came of an attempt in a word; a closed set.
type Outcome string

// The outcomes. They sort answers by who can do something about them.
const (
	OutcomeDone        Outcome = "done"
	OutcomeThrottled   Outcome = "throttled"   // too many calls
	OutcomeDenied      Outcome = "denied"      // the credentials are not good enough
	OutcomeRefused     Outcome = "refused"     // anything else that is wrong with the request, "no such thing" among it
	OutcomeFailed      Outcome = "failed"      // the provider could not (HTTP 5xx)
	OutcomeUnanswered  Outcome = "unanswered"  // no answer came, or it was given up
	OutcomeCredentials Outcome = "credentials" // there were no credentials to sign it with
)

// Outcomes lists all of them.
func Outcomes() []Outcome {
	return []Outcome{OutcomeDone, OutcomeThrottled, OutcomeDenied, OutcomeRefused, OutcomeFailed, OutcomeUnanswered, OutcomeCredentials}
}
