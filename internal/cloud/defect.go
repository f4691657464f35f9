package cloud

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
)

// module begins the names of our own functions.
const module = "slipway.dev/slipway/"

// Defect is a panic that was caught: a bug of Slipway's own, or of a library. Its text is safe to show to anybody.
type Defect struct {
	// Cause is what the code panicked with. It may hold anything, so it is told nobody.
	Cause any
	// Where is the innermost function of ours, with file and line: "internal/rollout.Decide (decide.go:40)".
	Where string
	// Stack is for whoever looks for the defect.
	Stack string
}

// Error tells where it was, and what the runtime says of it. Of other causes it tells the type only: their text may quote what
// was being worked on, user data for one.
func (d *Defect) Error() string {
	what := fmt.Sprintf("panic with a %T", d.Cause)
	if err, of := d.Cause.(error); of {
		if fault, ok := errors.AsType[runtime.Error](err); ok {
			what = fault.Error()
		}
	}
	return fmt.Sprintf("a defect in Slipway: %s, at %s", what, d.Where)
}

// caught counts the panics that Contain caught.
var caught atomic.Int64

// Defects is how many panics were caught in this process so far.
func Defects() int64 { return caught.Load() }

// Contain makes a call and turns a panic of it into a *Defect, which it counts. A *Defect that is raised again, to bring it from one
// goroutine to another, passes unchanged.
func Contain(call func() error) (err error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		again, is := cause.(*Defect)
		if !is {
			caught.Add(1)
			again = &Defect{Cause: cause, Where: where(), Stack: string(debug.Stack())}
		}
		err = again
	}()
	return call()
}

// where finds the innermost function of ours on the stack of a panic. It is called by the function that recovers.
func where() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)]) // without Callers, where and the function that recovers
	for {
		frame, more := frames.Next()
		if ours, is := strings.CutPrefix(frame.Function, module); is {
			return fmt.Sprintf("%s (%s:%d)", ours, path.Base(frame.File), frame.Line)
		}
		if !more {
			return "a place unknown"
		}
	}
}
