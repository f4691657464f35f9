package localaws

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
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
// (the operation is not run), Young and the operation itself (in the past with Stale), Missing, After (its effect
// stands), DelayReply, HangReply, LoseReply. Each call is in the ledger, also one whose caller gave up
// (CallEntry.Abandoned). ParseFault reads a Fault from one line of text.
type Fault struct {
	// Service and Action choose the calls, with wildcards; empty means any. Services: ec2, elb, elbv2, ssm, sts,
	// cloudwatch, sqs.
	Service, Action string
	// Resource, if set, is a pattern that an id, a name or an ARN among the call's parameters must match, filter values
	// included. The name within an ARN counts too: "web" finds the target group arn:…:targetgroup/web/1234.
	Resource string
	// Match, if set, must hold for the call's parameters too.
	Match func(params url.Values) bool
	// From and Until bound the time in which calls are hit, counted on the cloud's clock from the moment of Inject.
	// Until 0: for good.
	From, Until time.Duration
	// Skip lets that many matching calls pass first.
	Skip int
	// Count is how many calls are hit. 0: all.
	Count int
	// Probability is how likely each matching call is hit, after Skip. 0: always. Whether the n-th matching call of an
	// operation is hit depends on the cloud's seed, the fault and n, and on nothing else: a run with the same seed hits
	// the same ones, although calls of other operations arrive in another order.
	Probability float64

	// Delay passes, on the cloud's clock, before the operation runs.
	Delay time.Duration
	// Hang never answers: the call waits until its context ends, without effect.
	Hang bool
	// Before refuses the call without effect.
	Before *APIFault
	// Young hides what was made less than that long ago, as eventual consistency does: named, it is not found, by calls
	// that read and by calls that write; in lists it is missing.
	Young time.Duration
	// Stale answers a call that reads with the world as it was that long ago, at most ten minutes: instances, their states
	// and their tags; the members of pools and their health in DescribeTargetHealth, DescribeInstanceHealth and, for who is
	// registered, DescribeLoadBalancers of classic ones. What else there is reads as it is.
	Stale time.Duration
	// Missing is a pattern: elements of that id, name or ARN are left out of the lists that a call answers with.
	Missing string
	// Launch are settings of the application on servers that the call launches, as after #localaws in user data: they win
	// over those. "boot=never" is a pending that never ends; "fail=Server.InternalError" goes from pending to terminated.
	Launch string
	// Twice lets a RunInstances happen twice: there is a second pending instance for each, if they fit too, with the same
	// client token and tags, and no answer names it. What AWS documents of tokens does not allow for it; a caller that counts on
	// tokens alone finds out.
	Twice bool
	// After refuses the call although its effect happened.
	After *APIFault
	// DelayReply passes, on the cloud's clock, between the effect and the answer.
	DelayReply time.Duration
	// HangReply lets the effect happen and then never answers: the caller learns nothing until its context ends.
	HangReply bool
	// LoseReply lets the effect happen and then breaks the connection.
	LoseReply bool
}

// Faults of other kinds: WorldFault; the quotas; the lags of Knobs.

// faultSet is guarded by Cloud.mu.
type faultSet struct {
	active []*FaultHandle
	named  map[string]int // how many faults of the same text there ever were
}

// Inject adds a fault. Of several that match a call the one that was injected first happens.
func (c *Cloud) Inject(f Fault) *FaultHandle {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.newFault(f.String())
	h.fault = &f
	return h
}

// newFault enters a fault under a name that depends on its text alone, and on how often that was injected.
func (c *Cloud) newFault(text string) *FaultHandle {
	if c.faults.named == nil {
		c.faults.named = map[string]int{}
	}
	c.faults.named[text]++
	h := &FaultHandle{c: c, text: text, name: text + "#" + strconv.Itoa(c.faults.named[text]), since: c.clock.Now()}
	c.faults.active = append(c.faults.active, h)
	return h
}

// faultFor finds the fault that happens to a call, and counts it; it is never nil. Called with c.mu held.
func (c *Cloud) faultFor(q *call) *Fault {
	age := c.clock.Now()
	for _, h := range c.faults.active {
		if h.fault != nil && h.fault.during(age.Sub(h.since)) && h.fault.matches(q) && h.strikes(q) {
			h.hits.Add(1)
			q.fault = h.text
			return h.fault
		}
	}
	return &Fault{}
}

// during tells whether a fault happens at that age.
func (f *Fault) during(age time.Duration) bool {
	return age >= f.From && (f.Until == 0 || age < f.Until)
}

// strikes counts a matching call and tells whether it is hit.
func (h *FaultHandle) strikes(q *call) bool {
	f := h.fault
	h.seen++
	if h.seen <= f.Skip || f.Count > 0 && h.Hits() >= f.Count {
		return false
	}
	if f.Probability <= 0 {
		return true
	}
	operation := q.service.name + ":" + q.action
	if h.draws == nil {
		h.draws = map[string]int{}
	}
	h.draws[operation]++
	return h.c.source("fault", h.name, operation, strconv.Itoa(h.draws[operation])).Float64() < f.Probability
}

func (f *Fault) matches(q *call) bool {
	return (f.Service == "" || matches(f.Service, q.service.name)) &&
		(f.Action == "" || matches(f.Action, q.action)) &&
		(f.Resource == "" || names(q.form, f.Resource)) &&
		(f.Match == nil || f.Match(q.form))
}

// names tells whether a parameter that holds ids, names or ARNs, or a filter's value, matches a pattern.
func names(form url.Values, pattern string) bool {
	for key, values := range form {
		if namesResource(key) && slices.ContainsFunc(values, func(v string) bool { return isCalled(v, pattern) }) {
			return true
		}
	}
	return false
}

// namesResource tells whether a parameter holds an id, a name or an ARN: by the last part of its name that is no number.
func namesResource(key string) bool {
	parts := strings.Split(key, ".")
	for len(parts) > 1 && (isNumber(parts[len(parts)-1]) || parts[len(parts)-1] == "member") {
		parts = parts[:len(parts)-1]
	}
	last := parts[len(parts)-1]
	if parts[0] == "Filter" {
		return last == "Value"
	}
	last = strings.TrimSuffix(last, "s")
	return strings.HasSuffix(last, "Id") || strings.HasSuffix(last, "Name") || strings.HasSuffix(strings.ToUpper(last), "ARN")
}

// isCalled tells whether a pattern matches an id, a name or an ARN, or the name within an ARN.
func isCalled(name, pattern string) bool {
	if matches(pattern, name) {
		return true
	}
	if !strings.HasPrefix(name, "arn:") {
		return false
	}
	_, resource, _ := strings.Cut(name, "/")
	for part := range strings.SplitSeq(resource, "/") {
		if matches(pattern, part) {
			return true
		}
	}
	return false
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
