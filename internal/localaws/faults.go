package localaws

import (
	"context"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// APIFault is an error that a Fault answers with.
type APIFault struct {
	// Status is the HTTP status. Default 400 with a Code, 500 without.
	Status int
	// Code and Message are AWS's. Without a Code the answer is a bare HTTP error, as from a broken front end.
	Code, Message string
}

// Fault is one thing that goes wrong at the call boundary. What is set happens in this order: Delay, Hang, Before
// (the operation is not run), the operation itself, After (its effect stands), DelayReply, HangReply, LoseReply.
// Each call is in the ledger, also one whose caller gave up (CallEntry.Abandoned).
type Fault struct {
	// Service and Action choose the calls, with wildcards; empty means any. Services: ec2, elb, elbv2, ssm, sts.
	Service, Action string
	// Match, if set, must hold for the call's parameters too.
	Match func(params url.Values) bool
	// Skip lets that many matching calls pass first.
	Skip int
	// Count is how many calls are hit. 0: all.
	Count int

	// Delay passes, on the cloud's clock, before the operation runs.
	Delay time.Duration
	// Hang never answers: the call waits until its context ends, without effect.
	Hang bool
	// Before refuses the call without effect.
	Before *APIFault
	// After refuses the call although its effect happened.
	After *APIFault
	// DelayReply passes, on the cloud's clock, between the effect and the answer.
	DelayReply time.Duration
	// HangReply lets the effect happen and then never answers: the caller learns nothing until its context ends.
	HangReply bool
	// LoseReply lets the effect happen and then breaks the connection.
	LoseReply bool
}

// Faults of other kinds: Cloud.Kill, Impair, SetAppStatus and ShutDown of a server; SetCapacity and the quotas; the lags of
// Knobs; a zone that is out (Realm.OutOfZone) or shifted away from (Realm.ShiftZone).

// FaultHandle removes a fault and counts its hits.
type FaultHandle struct {
	c     *Cloud
	fault Fault
	seen  int          // matching calls; guarded by Cloud.mu
	hits  atomic.Int64 // calls that it happened to
}

// Hits is how many calls the fault has happened to.
func (h *FaultHandle) Hits() int { return int(h.hits.Load()) }

// Remove ends the fault; calls that it holds up go on.
func (h *FaultHandle) Remove() {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	h.c.faults.active = slices.DeleteFunc(h.c.faults.active, func(other *FaultHandle) bool { return other == h })
}

// faultSet is guarded by Cloud.mu.
type faultSet struct {
	active []*FaultHandle
}

// Inject adds a fault. Of several that match a call the one that was injected first happens.
func (c *Cloud) Inject(f Fault) *FaultHandle {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := &FaultHandle{c: c, fault: f}
	c.faults.active = append(c.faults.active, h)
	return h
}

// faultFor finds the fault that happens to a call, and counts it. Called with c.mu held.
func (c *Cloud) faultFor(q *call) *Fault {
	for _, h := range c.faults.active {
		if !h.fault.matches(q) {
			continue
		}
		h.seen++
		if h.seen <= h.fault.Skip || h.fault.Count > 0 && h.seen > h.fault.Skip+h.fault.Count {
			continue
		}
		h.hits.Add(1)
		return &h.fault
	}
	return nil
}

func (f *Fault) matches(q *call) bool {
	return (f.Service == "" || matches(f.Service, q.service.name)) &&
		(f.Action == "" || matches(f.Action, q.action)) &&
		(f.Match == nil || f.Match(q.form))
}

// wait lets a delay pass on the cloud's clock, and after it hangs for good if it is told to; it fails when the caller gives
// up first.
func (c *Cloud) wait(ctx context.Context, delay time.Duration, hang bool) error {
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if delay <= 0 {
		return nil
	}
	passed := make(chan struct{})
	stop := c.clock.AfterFunc(delay, func() { close(passed) })
	defer stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-passed:
		return nil
	}
}

// apiError is the error as an operation would have returned it.
func (f *APIFault) apiError() *apiError {
	e := &apiError{Status: f.Status, Code: f.Code, Message: f.Message, injected: true}
	if e.Status == 0 {
		e.Status = 400
		if f.Code == "" {
			e.Status = 500
		}
	}
	return e
}

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
