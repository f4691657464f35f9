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
	// BeforeEvent is before something happens that no call does: a delay is over, or the test reaches in from outside (Kill,
	// SetAppStatus, a world fault). OnEvent only.
	BeforeEvent
	// AfterEvent is after it.
	AfterEvent
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
	h := &hook{f: f}
	return enlist(c, &c.hooks, h)
}

// runHooks is called with c.mu held.
func (c *Cloud) runHooks(phase Phase, q *call, op *operation, err *apiError) {
	if len(c.hooks) == 0 {
		return
	}
	seen := Call{Service: q.service.name, Action: q.action, Params: q.form, Who: q.who, Mutates: q.changes(op)}
	if err != nil {
		seen.Err = err
	}
	for _, h := range c.hooks {
		h.f(phase, seen, World{c})
	}
}

// changeHook is one function that hears of changes, eventHook one that hears of events.
type (
	changeHook struct{ f func(ChangeEntry, World) }
	eventHook  struct{ f func(Phase, World) }
)

// OnChange calls f with each change of state, whatever its cause, as the ledger records it. The world is that right after the
// change and may be in the middle of an effect with more of them: invariants of the whole are better judged in Hook and
// OnEvent. As for Hook, f must be quick and read the world only through its argument.
func (c *Cloud) OnChange(f func(change ChangeEntry, world World)) (remove func()) {
	h := &changeHook{f}
	return enlist(c, &c.changeHooks, h)
}

// OnEvent calls f before and after each event that is no call, with BeforeEvent and AfterEvent: together with Hook it sees
// the world before and after everything that ever happens to it. As for Hook, f must be quick and read the world only through
// its argument.
func (c *Cloud) OnEvent(f func(phase Phase, world World)) (remove func()) {
	h := &eventHook{f}
	return enlist(c, &c.eventHooks, h)
}

// enlist adds a hook to a list of the cloud.
func enlist[H comparable](c *Cloud, list *[]H, h H) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*list = append(*list, h)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		*list = slices.DeleteFunc(slices.Clone(*list), func(other H) bool { return other == h })
	}
}

// event lets something happen that is no call. Called with c.mu held.
func (c *Cloud) event(happen func()) {
	for _, h := range c.eventHooks {
		h.f(BeforeEvent, World{c})
	}
	happen()
	for _, h := range c.eventHooks {
		h.f(AfterEvent, World{c})
	}
}
