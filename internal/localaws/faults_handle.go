package localaws

import (
	"slices"
	"sync/atomic"
	"time"
)

// FaultHandle removes a fault and counts its hits. It is of a Fault or of a WorldFault.
type FaultHandle struct {
	c     *Cloud
	text  string
	name  string // which no other fault of the cloud has
	since time.Time

	fault *Fault         // nil for a world fault
	seen  int            // matching calls; guarded by Cloud.mu
	draws map[string]int // by operation: the calls that Probability was drawn for; guarded by Cloud.mu
	hits  atomic.Int64   // calls, or parts of the world, that it happened to

	world   *WorldFault
	begun   bool      // it happened; guarded by Cloud.mu
	on      bool      // it lasts; guarded by Cloud.mu
	undo    []undoing // what ends it; guarded by Cloud.mu
	waiting []*wake   // what it waits for; guarded by Cloud.mu
}

// Hits is how many calls the fault has happened to; of a world fault, how many servers, pools and so on.
func (h *FaultHandle) Hits() int { return int(h.hits.Load()) }

// String is the fault as ParseFault reads it.
func (h *FaultHandle) String() string { return h.text }

// Remove ends the fault; calls that it holds up go on. What a world fault did and what can be undone is undone.
func (h *FaultHandle) Remove() {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	h.c.faults.active = slices.DeleteFunc(slices.Clone(h.c.faults.active), func(other *FaultHandle) bool { return other == h })
	for _, w := range h.waiting {
		w.stop()
	}
	h.waiting = nil
	if len(h.undo) > 0 {
		h.c.event(h.end)
	}
	h.on = false
}

// Faults are those that were injected and not removed, in that order.
func (c *Cloud) Faults() []*FaultHandle {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.faults.active)
}
