package demo

import (
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/playground"
	"slipway.dev/slipway/internal/swap"
)

// exits remembers when servers were out of production. The ledger has the moment in which a call was taken up; requests
// are held against the moment in which its effect was complete, a little later on a busy machine.
type exits struct {
	mu sync.Mutex
	at time.Time
}

// watch is called around each call, with the world locked.
func (e *exits) watch(phase localaws.Phase, call localaws.Call, _ localaws.World) {
	if phase != localaws.AfterCall || call.Err != nil || call.Who.AccessKey != playground.ManagerKey || !strings.HasPrefix(call.Action, "Deregister") {
		return
	}
	if !byManager.Production(swap.PoolOf(call.Params)) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at = time.Now()
}

// last is when the last servers were out.
func (e *exits) last() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at
}
