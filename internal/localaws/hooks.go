package localaws

import (
	"net/url"
	"slices"
)

// Phase is when a hook is called.
type Phase int

const (
	// BeforeCall is before the operation runs; faults that refuse it come first.
	BeforeCall Phase = iota
	// AfterCall is after the effect, before the caller hears of it.
	AfterCall
)

// Call is what a hook sees of a call.
type Call struct {
	Service, Action string
	Params          url.Values
	Who             Caller
	Mutates         bool
	// Err is the error that the operation answered; AfterCall only.
	Err error
}

// hook is one registered function.
type hook struct {
	f func(Phase, Call, World)
}

// Hook calls f before and after each call, with the world as it is at that moment. It runs with the world locked: it
// must be quick, and read the world only through its argument. remove ends it.
func (c *Cloud) Hook(f func(phase Phase, call Call, world World)) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &hook{f: f}
	c.hooks = append(c.hooks, h)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.hooks = slices.DeleteFunc(slices.Clone(c.hooks), func(other *hook) bool { return other == h })
	}
}

// runHooks is called with c.mu held.
func (c *Cloud) runHooks(phase Phase, q *call, op *operation, err *apiError) {
	if len(c.hooks) == 0 {
		return
	}
	seen := Call{Service: q.service.name, Action: q.action, Params: q.form, Who: q.who, Mutates: op != nil && op.mutates}
	if err != nil {
		seen.Err = err
	}
	for _, h := range c.hooks {
		h.f(phase, seen, World{c})
	}
}
