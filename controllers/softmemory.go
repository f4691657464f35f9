package controllers

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// softMemory is what this process alone remembers of each Release from pass to pass. Nothing in it is written down: after
// a restart clocks start again and calls that failed are tried at once. The zero value is ready for use.
type softMemory struct {
	mu       sync.Mutex
	releases map[types.NamespacedName]*recollection
	readings map[types.NamespacedName]*reading // of the last pass over each, for plans
	// early are the Releases whose servers changed before the first pass over them.
	early map[types.NamespacedName]bool
	// calls joins a pass to a call of an earlier one that has not answered yet; keys are tokens of launches, else retryKeys.
	calls singleflight.Group
	// hears asks for a pass over a Release whose launch was answered; nil: nobody does.
	hears func(types.NamespacedName)
}

// mostEarly bounds softMemory.early: servers of Releases that are gone, or another controller's, change too, and no pass ever takes those names
// out. To lose the others costs a glance at a sweep that may be a minute old.
const mostEarly = 4096

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
	// stage is that of the last decision that was remembered; empty before the first: undecided.
	stage rollout.Stage
	// stuck is the wish that it does not get on with; zero: it does.
	stuck wish
	// rest is how it rested after the last pass, stirred that one of its servers changed and no pass that read after it has ended, astir that
	// one did since the last pass began to read, due when the next pass comes; zero: one waits for its turn or goes on. Others see and end
	// it: they are under the lock of softMemory.
	rest           rest
	stirred, astir bool
	due            time.Time
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
// waits for its turn must not hit a server that was declared again meanwhile. It keeps the answers of launches until a pass takes them. The
// zero value is ready for use.
type callsUnderWay struct {
	mu      sync.Mutex
	end     map[string]context.CancelFunc // by callKey
	tokens  map[string]cloud.Compute      // those of them that are launches, with the account that they are made in
	passes  map[string]bool               // the launches that a pass waits for, by token
	answers map[string]launchAnswer       // by token
}

// launchAnswer is what RunInstances answered.
type launchAnswer struct {
	servers []string
	err     error
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

// beginLaunch notes a launch.
func (c *callsUnderWay) beginLaunch(token string, in cloud.Compute, end context.CancelFunc) {
	c.begin(token, end)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens == nil {
		c.tokens = map[string]cloud.Compute{}
	}
	c.tokens[token] = in
}

// done forgets a call that has answered.
func (c *callsUnderWay) done(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.end, key)
}

// expect: a pass waits for the answer of a launch.
func (c *callsUnderWay) expect(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passes == nil {
		c.passes = map[string]bool{}
	}
	c.passes[token] = true
}

// answered keeps the answer of a launch, and reports whether no pass waits for it. One that was given up has none: whether it is to be made
// after all, as by somebody else, the next pass says.
func (c *callsUnderWay) answered(token string, answer launchAnswer, unwanted bool) (nobodyWaits bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.end, token)
	delete(c.tokens, token)
	if unwanted {
		return true
	}
	if c.answers == nil {
		c.answers = map[string]launchAnswer{}
	}
	c.answers[token] = answer
	return !c.passes[token]
}

// taken is what a pass takes that has waited long enough.
func (c *callsUnderWay) taken(token string) (launchAnswer, bool) {
	c.mu.Lock()
	delete(c.passes, token)
	c.mu.Unlock()
	return c.answer(token)
}

// answer is that of a launch, if it is there. A failure is told once, and asked for again; servers stay known until memory has them, and the
// launch is not asked for any more.
func (c *callsUnderWay) answer(token string) (launchAnswer, bool) {
	last, answered := c.peek(token)
	if last.err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.answers, token)
	}
	return last, answered
}

func (c *callsUnderWay) peek(token string) (launchAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, answered := c.answers[token]
	return last, answered
}

// drop ends a call.
func (c *callsUnderWay) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if end := c.end[key]; end != nil {
		end()
	}
}

// dropOthers ends a launch that is made in another account, or as somebody else.
func (c *callsUnderWay) dropOthers(token string, in cloud.Compute) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of, launches := c.tokens[token]; launches && of != in {
		c.end[token]()
	}
}

// keep ends all calls but those with one of the keys, and forgets the other answers. While EC2 cannot be read nobody can tell which launches
// are wanted, and they stay.
func (c *callsUnderWay) keep(keys []string, blind bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, end := range c.end {
		if _, launches := c.tokens[key]; !slices.Contains(keys, key) && !(launches && blind) {
			end()
		}
	}
	if blind {
		return
	}
	maps.DeleteFunc(c.answers, func(token string, _ launchAnswer) bool { return !slices.Contains(keys, token) })
}

// launching are the tokens of the launches that have not been answered, sorted.
func (c *callsUnderWay) launching() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.tokens))
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
	before := m.releases[name]
	if before != nil && before.uid == rel.UID {
		return before
	}
	if before != nil {
		before.calls.keep(nil, false)
	}
	if m.releases == nil {
		m.releases = map[types.NamespacedName]*recollection{}
	}
	fresh := &recollection{
		uid: rel.UID, stirred: m.early[name], retries: map[string]retry{}, lastRead: map[string]time.Time{}, decoded: decodedRevisions{}, said: map[event]bool{},
	}
	m.releases[name] = fresh
	delete(m.early, name)
	return fresh
}

// forget drops what is remembered of a Release that is gone, and ends its calls.
func (m *softMemory) forget(name types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.releases[name]; known != nil {
		known.calls.keep(nil, false)
	}
	delete(m.releases, name)
	delete(m.readings, name)
}

// undecided: this process has made no decision on the Release, or gave it away since.
func (c *recollection) undecided() bool { return c.stage == "" }

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
