package awscloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway.dev/slipway/internal/cloud"
)

// noCode is the SDK's for an answer without one: it may come from a proxy on the way.
const noCode = "UnknownError"

// unknownError is an error that no table lists, in words that are the same whenever it happens. The SDK's own carry request
// ids and ports; in a status each would be a change, and an outage of AWS a write for every Release at every pass.
type unknownError struct {
	thing, words string
	err          error // as it came
}

func (e *unknownError) Error() string { return e.thing + ": " + e.words }

func (e *unknownError) Unwrap() error { return e.err }

// explained is what was put into our words already, by the credentials (credentials.go), which every call needs first; nil if
// nothing was. What STS says of those says nothing of the call.
func explained(err error) error {
	if understood, ok := errors.AsType[*cloud.Error](err); ok {
		return understood
	}
	if unknown, ok := errors.AsType[*unknownError](err); ok {
		return unknown
	}
	return nil
}

// wordsOfUnknown says what AWS answered, or why it did not.
func wordsOfUnknown(err error) string {
	status := statusOf(err)
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() != noCode {
		return fmt.Sprintf("%s (%s, HTTP %d)", cmp.Or(wordsOf(api), "AWS says nothing more"), api.ErrorCode(), status)
	}
	if status >= http.StatusBadRequest {
		return fmt.Sprintf("HTTP %d, without a word from AWS", status)
	}
	if _, ok := errors.AsType[*notSentError](err); ok {
		return notSentWords
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "AWS did not answer in time"
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return "lookup " + lookup.Name + ": " + lookup.Err // without the resolver's address
	}
	for cause := err; cause != nil; cause = beneath(cause) {
		err = cause // what it began with, and not how it came here: "read tcp 10.0.0.1:54321->52.0.0.1:443: …"
	}
	return numbers.ReplaceAllString(err.Error(), "…")
}

// beneath is what an error was made from. Of several joined ones it is the first: the SDK joins what happened with why it did not
// try once more ("retry quota exceeded").
func beneath(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if causes := joined.Unwrap(); len(causes) > 0 {
			return causes[0]
		}
	}
	return errors.Unwrap(err)
}

// statusOf is the HTTP status of AWS's answer, zero without one.
func statusOf(err error) int {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || answer.Response == nil || answer.Response.Response == nil {
		return 0
	}
	return answer.HTTPStatusCode()
}

var (
	// numbers are addresses, ports, times and streams in what the network says; not the digits of http2 or x509.
	numbers = regexp.MustCompile(`\[[0-9a-fA-F:.%]+\]|\b\d[\d.:]*\d\b`)
	// requestID is how some of AWS's messages end.
	requestID = regexp.MustCompile(`(?i)[\s(;,]*\brequest[ -]?id\b[:= ]*[\w-]+\)?`)
)
