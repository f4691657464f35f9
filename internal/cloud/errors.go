package cloud

import (
	"errors"
	"fmt"
)

// Kind is what an error means for the caller.
type Kind string

// Kinds of error. Unknown is for whatever could not be understood; trying again may help.
const (
	Unknown    Kind = ""
	NotFound   Kind = "not found"  // the thing does not exist, with the account confirmed where that matters
	NoCapacity Kind = "capacity"   // the provider has no room for this type in this place
	Quota      Kind = "quota"      // the account's own limit
	Invalid    Kind = "invalid"    // the provider refuses the request as it is
	Denied     Kind = "denied"     // the provider refuses us
	Throttled  Kind = "throttled"  // too many calls; try later
	Terminated Kind = "terminated" // the servers of this launch token are gone already
)

// Error is an understood answer of the provider.
type Error struct {
	Kind Kind
	// Reason is the condition reason that this error asks for ("SubnetNotFound"), a constant of package rollout.
	Reason string
	// Thing is what it is about ("subnet subnet-0abc"), in words for people.
	Thing string
	// Code and Message are the provider's own ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-0abc' does not exist").
	Code, Message string
	// Advice is what to do next, an imperative sentence; may be empty.
	Advice string
	// Err is the error as it came.
	Err error
}

// Error puts thing, the provider's words and the advice into one line.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s (%s)", e.Thing, e.Message, e.Code)
	if e.Advice != "" {
		text += ". " + e.Advice
	}
	return text
}

// Unwrap gives the error as it came.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of an error, Unknown for one that was not understood.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unknown
}
