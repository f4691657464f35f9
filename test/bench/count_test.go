//go:build bench

package bench

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
)

// tally is what a manager's process did.
type tally struct {
	aws             map[string]int // by action
	changes, writes int            // mutations of AWS; writes to Kubernetes, but for the lease and events
	events          int            // written: that it leads is one
	passes          int            // that it began: each reads its Release first
	leases          int            // answers about the lease
	watches         bool           // Releases: its caches are filled, or about to be
	works           time.Time      // its first call to AWS or reading of a Release, which only a leader makes
	swept           time.Time      // its last reading of EC2's servers
}

// counting counts the calls of managers.
type counting struct {
	mu    sync.Mutex
	by    map[*e2e.Process]*tally
	pools map[string]map[string]bool // that each access key has been told the health of
}

func newCounting() *counting {
	return &counting{by: map[*e2e.Process]*tally{}, pools: map[string]map[string]bool{}}
}

// tap implements e2e.Tap.
func (c *counting) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	c.note(call)
	response, err := send()
	if err == nil && call.Lease {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tally(call.By).leases++
	}
	return response, err
}

func (c *counting) note(call e2e.Wire) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, now := c.tally(call.By), time.Now()
	looks := strings.HasPrefix(call.What, "GET releases/")
	switch {
	case call.To == e2e.ToAWS:
		of.aws[call.What]++
		if call.Writes {
			of.changes++
		}
	case call.Writes && strings.Contains(call.What, " events"):
		of.events++
	case call.Writes && !call.Lease:
		of.writes++
	case looks:
		of.passes++
	case call.What == "WATCH releases":
		of.watches = true
	}
	if of.works.IsZero() && (looks || call.To == e2e.ToAWS) {
		of.works = now
	}
	if call.What == "DescribeInstances" {
		of.swept = now
	}
}

// tally finds or makes that of a process. Called with c.mu held.
func (c *counting) tally(p *e2e.Process) *tally {
	if c.by[p] == nil {
		c.by[p] = &tally{aws: map[string]int{}}
	}
	return c.by[p]
}

// hook sees which load balancers' health AWS has told of.
func (c *counting) hook(phase localaws.Phase, call localaws.Call, _ localaws.World) {
	if phase != localaws.AfterCall || call.Action != "DescribeInstanceHealth" || call.Err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := call.Who.AccessKey
	if c.pools[key] == nil {
		c.pools[key] = map[string]bool{}
	}
	c.pools[key][call.Params.Get("LoadBalancerName")] = true
}

// of is what a process did so far.
func (c *counting) of(p *e2e.Process) tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	did := *c.tally(p)
	did.aws = maps.Clone(did.aws)
	return did
}

// asked is of how many load balancers a process was told the health.
func (c *counting) asked(p *e2e.Process) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pools[p.Key])
}

// begin counts the calls of a process from zero.
func (c *counting) begin(p *e2e.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.tally(p)
	of.aws, of.writes, of.changes, of.events = map[string]int{}, 0, 0, 0
}

// await polls for something that nobody tells of.
func await(t *testing.T, what string, limit time.Duration, holds func() bool) {
	t.Helper()
	tick, late := time.NewTicker(50*time.Millisecond), time.After(limit)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not after %s", what, limit)
		}
	}
}
