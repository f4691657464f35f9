package localaws

import (
	"fmt"
	"net/http"
)

// apiError is an answer that refuses. Its form on the wire is the protocol's affair (encode.go).
type apiError struct {
	Status  int
	Code    string
	Message string

	injected bool // by a Fault: the operation knows nothing of it
}

func (e *apiError) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// refuse makes a client error with HTTP 400, the status of nearly all of them.
func refuse(code, format string, args ...any) *apiError {
	return refuseWith(http.StatusBadRequest, code, format, args...)
}

// refuseWith makes an error with another HTTP status.
func refuseWith(status int, code, format string, args ...any) *apiError {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &apiError{Status: status, Code: code, Message: format}
}

// tooMany refuses a list that is longer than the query services take it, as their own checks of it do.
func tooMany(list string, given, most int) *apiError {
	if given <= most {
		return nil
	}
	return refuse("ValidationError", "1 validation error detected: Value at '%s' failed to satisfy constraint: "+
		"Member must have length less than or equal to %d", list, most)
}
