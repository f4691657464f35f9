package cli

import (
	"errors"
	"fmt"
)

// Exit statuses, beside 0. They are part of the contract with scripts: numbers are never given another meaning.
const (
	// ExitFailed is of whatever has no number of its own: no connection, no permission, a refusal of the API server.
	ExitFailed = 1
	// ExitUsage is of a command that was not written as it should be; nothing was asked or changed.
	ExitUsage = 2
	// ExitStalled is of a Release that cannot get where it was waited for unless a person changes something.
	ExitStalled = 3
	// ExitTimeout is of a wait that took longer than --timeout.
	ExitTimeout = 4
	// ExitDecision is of a Release that waits for a person before it can get where it was waited for.
	ExitDecision = 5
	// ExitNotFound is of a Release that does not exist, or was deleted meanwhile.
	ExitNotFound = 6
	// ExitSuperseded is of a Release that was given another version, or another phase, meanwhile.
	ExitSuperseded = 7
	// ExitRefused is of a change that was not made: the phase does not allow it, nobody confirmed it, Git would undo
	// it, or the Release was changed by another meanwhile.
	ExitRefused = 8
	// ExitUnwell is of doctor, where a check failed.
	ExitUnwell = 9
)

// Exit is an error with the exit status that the program should end with.
type Exit struct {
	Code int
	Err  error
}

// Error is that of Err.
func (e *Exit) Error() string { return e.Err.Error() }

// Unwrap gives Err.
func (e *Exit) Unwrap() error { return e.Err }

// ExitCode is the exit status of an error: 0 of nil, that of an [Exit] within it, else [ExitFailed].
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*Exit](err); ok {
		return exit.Code
	}
	return ExitFailed
}

// exitf is fmt.Errorf with an exit status.
func exitf(code int, format string, args ...any) error {
	return &Exit{Code: code, Err: fmt.Errorf(format, args...)}
}
