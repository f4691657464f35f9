package localaws

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Entry is one line of the ledger: a call, or a change of state.
type Entry struct {
	// Seq counts entries from 1.
	Seq uint64
	// Time is when the call took effect or the state changed.
	Time time.Time
	// Account and Region are where.
	Account, Region string

	// Call is what was asked, nil for a change of state.
	Call *CallEntry
	// Change is what became of something, nil for a call.
	Change *ChangeEntry
}

// CallEntry is one API call.
type CallEntry struct {
	// Service is ec2, elb (classic), elbv2, ssm or sts; Action the operation's name.
	Service, Action string
	// Params are the parameters as on the wire; secret ones (user data, secure strings) are replaced by their hash.
	Params url.Values
	// Who made the call.
	Who Caller
	// RequestID is the id in the answer.
	RequestID string
	// Mutates says that it is an operation that changes the world, and no dry run of one.
	Mutates bool
	// Effects are what it did, in words; empty if it did nothing.
	Effects []string
	// Status, Code and Message are those of the error that the caller got, zero if it got none.
	Status        int
	Code, Message string
	// Fault is the fault that happened to it, as text; empty for none.
	Fault string
	// ReplyLost says that the caller got no answer (see Fault).
	ReplyLost bool
	// Abandoned says that the caller gave up before the operation ran, which therefore did nothing.
	Abandoned bool
}

// ChangeEntry is one change of state, whatever its cause.
type ChangeEntry struct {
	// Kind is what changed: instance, app, check (the status check), volume, image and what else EC2 makes; balancer,
	// targetGroup, listener, rule, healthCheck, zone, member, target; parameter, label; alarm; attribute and tag of any of them; or
	// call, for a caller that gave up while the answer was delayed.
	Kind string
	// Resource is its id, name or ARN; for a member "pool/instance", for a tag, an attribute or a zone of a load balancer
	// "resource/key".
	Resource string
	// From and To are the states before and after; From is empty for something new. To is deleted for something that is no
	// more; of a member, gone.
	From, To string
	// Why is the reason, in words.
	Why string
}

// ledger is guarded by Cloud.mu.
type ledger struct {
	entries []Entry
	trimmed uint64        // entries that were dropped from the beginning
	grown   chan struct{} // closed at the next entry; nil if nobody waits
}

func (l *ledger) add(e Entry) {
	e.Seq = l.trimmed + uint64(len(l.entries)) + 1
	l.entries = append(l.entries, e)
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

// recordChange notes a change of state. Called with c.mu held.
func (c *Cloud) recordChange(r *realm, kind, resource, from, to, why string) {
	if from == "" && born[kind] {
		c.bear(resource)
	}
	change := ChangeEntry{Kind: kind, Resource: resource, From: from, To: to, Why: why}
	c.ledger.add(Entry{Time: c.now(), Account: r.account, Region: r.region, Change: &change})
	for _, h := range c.changeHooks {
		h.f(change, World{c})
	}
}

// Ledger is everything that happened so far and was not trimmed. Entries are never changed afterwards.
func (c *Cloud) Ledger() []Entry { return c.LedgerSince(0) }

// LedgerSince is everything after the entry with that number.
func (c *Cloud) LedgerSince(seq uint64) []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledgerSince(seq)
}

func (c *Cloud) ledgerSince(seq uint64) []Entry {
	kept := max(seq, c.ledger.trimmed) - c.ledger.trimmed
	if kept >= uint64(len(c.ledger.entries)) {
		return nil
	}
	return slices.Clone(c.ledger.entries[kept:])
}

// LastSeq is World.LastSeq of this moment.
func (c *Cloud) LastSeq() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return World{c}.LastSeq()
}

// LastSeq is the number of the ledger's last entry so far, 0 if there is none.
func (w World) LastSeq() uint64 { return w.c.ledger.trimmed + uint64(len(w.c.ledger.entries)) }

// TrimLedger drops the entries up to the one with that number, for runs whose ledger would not fit in memory. Numbers go
// on counting.
func (c *Cloud) TrimLedger(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.ledger.entries) - len(c.ledgerSince(seq))
	c.ledger.entries = slices.Clone(c.ledger.entries[n:])
	c.ledger.trimmed += uint64(n)
}

// Follow calls f, in the caller's goroutine, with each entry after the one with that number, until ctx is done, whose
// error it returns. The world does not wait for f.
func (c *Cloud) Follow(ctx context.Context, seq uint64, f func(Entry)) error {
	for {
		entries, grown := c.ledgerOrWait(seq)
		for _, e := range entries {
			f(e)
			seq = e.Seq
		}
		if grown == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}

// ledgerOrWait is what came after seq or, if nothing did, a channel that is closed when something does.
func (c *Cloud) ledgerOrWait(seq uint64) ([]Entry, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entries := c.ledgerSince(seq); len(entries) > 0 {
		return entries, nil
	}
	if c.ledger.grown == nil {
		c.ledger.grown = make(chan struct{})
	}
	return nil, c.ledger.grown
}

// String is the entry as a line of a log.
func (e Entry) String() string {
	at := e.Time.Format("15:04:05.000")
	if e.Change != nil {
		from := ""
		if e.Change.From != "" {
			from = e.Change.From + " → "
		}
		return fmt.Sprintf("%s      %s %s: %s%s (%s)", at, e.Change.Kind, e.Change.Resource, from, e.Change.To, e.Change.Why)
	}
	line := fmt.Sprintf("%s %-5s %s", at, e.Call.Service, e.Call.Action)
	if len(e.Call.Effects) > 0 {
		line += ": " + strings.Join(e.Call.Effects, "; ")
	}
	if e.Call.Status != 0 {
		line += fmt.Sprintf(" → %d %s %s", e.Call.Status, e.Call.Code, e.Call.Message)
	}
	if e.Call.ReplyLost {
		line += " → the reply was lost"
	}
	if e.Call.Abandoned {
		line += " → the caller gave up before it ran"
	}
	if e.Call.Fault != "" {
		line += " [fault " + e.Call.Fault + "]"
	}
	return line
}
