package controllers

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// softMemory is what this process alone remembers of each Release from pass to pass. Nothing in it is written down: after
// a restart clocks start again and calls that failed are tried at once. The zero value is ready for use.
type softMemory struct {
	mu       sync.Mutex
	releases map[types.NamespacedName]*recollection
	readings map[types.NamespacedName]*reading // of the last pass over each, for plans
	// calls joins a pass to a call of an earlier one that has not answered yet; keys are tokens of launches, else retryKeys.
	calls singleflight.Group
}

// recollection is the soft memory of one Release. The work queue hands an object to one worker at a time, so it needs no
// lock of its own.
type recollection struct {
	uid types.UID
	// soft belongs to rollout.Decide.
	soft rollout.Soft
	// unresolved is why the declared revision could not be recorded, when that was last tried.
	unresolved lookup
	// calls are those of earlier passes that have not answered yet.
	calls callsUnderWay
	// stage is that of the last decision.
	stage rollout.Stage
	// rest is how it rested after the last pass, stirred that one of its servers changed since. Others see and end it: they are under the
	// lock of softMemory.
	rest    rest
	stirred bool
	// retries are the calls that are not to be repeated yet, by retryKey.
	retries map[string]retry
	// conflicts counts the passes in a row that ended in a conflict with another writer.
	conflicts int
	// defects are the passes in a row that panicked.
	defects defects
	// lastRead is when each pool was last read, by pool ID.
	lastRead map[string]time.Time
	// began is when this process first saw the Release, emptied when each revision that showed a server since first showed none.
	began   time.Time
	emptied map[string]time.Time
	// servers are those of the last good reading of EC2.
	servers []rollout.Server
	// decoded are the Release's ControllerRevisions, most of which are what they were in the pass before.
	decoded decodedRevisions
	// said are the events of the pass before: what goes on from pass to pass is said once.
	said map[event]bool
	// waits is how long the transition under way has waited for a person, for the metrics.
	waits waits
	// unsaid are events of passes whose status could not be written.
	unsaid []event
}

// callsUnderWay ends calls that outlived their pass once a later decision does not ask for them any more: a termination that
// waits for its turn must not hit a server that was declared again meanwhile. The zero value is ready for use.
type callsUnderWay struct {
	mu  sync.Mutex
	end map[string]context.CancelFunc // by retryKey
}

// begin notes a call.
func (c *callsUnderWay) begin(key string, end context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = map[string]context.CancelFunc{}
	}
	c.end[key] = end
}

// done forgets a call that has answered.
func (c *callsUnderWay) done(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.end, key)
}

// keep ends all calls but those with one of the keys.
func (c *callsUnderWay) keep(keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, end := range c.end {
		if !slices.Contains(keys, key) {
			end()
		}
	}
}

// lookup is what the last look-up of the declared revision failed with.
type lookup struct {
	generation int64
	problem    rollout.Problem
	at         time.Time
}

// lookUpEvery is how long a failed look-up holds: no step of a rollback may wait for one after the other.
const lookUpEvery = 30 * time.Second

// lately: the same spec was looked up not long ago, in vain.
func (l lookup) lately(generation int64, now time.Time) bool {
	return l.problem.Some() && l.generation == generation && now.Sub(l.at) < lookUpEvery
}

// retry is a call that is not made again before its time: it failed, or it succeeded and no reading shows it yet.
type retry struct {
	action   rollout.Action
	failures int
	notUntil time.Time
	err      error
}

// of gives the recollection of a Release, a new one for an object that was made again under an old name.
func (m *softMemory) of(rel *v1alpha1.Release) *recollection {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name}
	if known := m.releases[name]; known != nil && known.uid == rel.UID {
		return known
	}
	if m.releases == nil {
		m.releases = map[types.NamespacedName]*recollection{}
	}
	fresh := &recollection{
		uid: rel.UID, retries: map[string]retry{}, lastRead: map[string]time.Time{}, decoded: decodedRevisions{}, said: map[event]bool{},
	}
	m.releases[name] = fresh
	return fresh
}

// forget drops what is remembered of a Release that is gone.
func (m *softMemory) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.releases, name)
	delete(m.readings, name)
}

// noteReading keeps what the last pass over a Release went by.
func (m *softMemory) noteReading(name types.NamespacedName, last *reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.readings == nil {
		m.readings = map[types.NamespacedName]*reading{}
	}
	m.readings[name] = last
}

// reading is what the last pass over a Release went by; nil where there was none.
func (m *softMemory) reading(name types.NamespacedName) *reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.readings[name]
}

// noteReadings keeps when each pool gave its last good reading, and forgets the pools that are no longer looked at.
func (c *recollection) noteReadings(pools []rollout.Pool, now time.Time) {
	latest := map[string]time.Time{}
	for _, pool := range pools {
		if pool.Readable() {
			latest[pool.ID] = now
		} else if at, ok := c.lastRead[pool.ID]; ok {
			latest[pool.ID] = at
		}
	}
	c.lastRead = latest
}

// noteFleets keeps since when each revision has shown no server that EC2 has not ended: from the first such reading on, however long
// before it the last one was.
func (c *recollection) noteFleets(servers []rollout.Server, now time.Time) {
	if c.began.IsZero() {
		c.began, c.emptied = now, map[string]time.Time{}
	}
	for revision, at := range c.emptied {
		if at.IsZero() {
			c.emptied[revision] = now
		}
	}
	for _, s := range servers {
		if exists(s) {
			c.emptied[s.Revision] = time.Time{}
		}
	}
}

// emptyFor is how long good readings have shown no server of the revision.
func (c *recollection) emptyFor(revision string, now time.Time) time.Duration {
	at, shown := c.emptied[revision]
	switch {
	case !shown:
		return now.Sub(c.began)
	case at.IsZero():
		return 0
	}
	return now.Sub(at)
}

// Pauses after failures: doubled with each one, never longer than maxPause, so that what was mended heals within that.
const (
	conflictPause = 50 * time.Millisecond
	failurePause  = time.Second
	maxPause      = 30 * time.Second
	// maxProductionPause is the longest pause of a call that moves servers of a production pool.
	maxProductionPause = 2 * time.Second
)

// pause is first, doubled for every failure after the first, at most maxPause.
func pause(first time.Duration, failures int) time.Duration {
	for ; failures > 1 && first < maxPause; failures-- {
		first *= 2
	}
	return min(first, maxPause)
}
