package rollout

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// Grace periods, from the design of the system; none is a knob.
const (
	// brokenAfter is how long a stopped or impaired server may take to come back before it is replaced.
	brokenAfter = 5 * time.Minute
	// absentAfter is how long good readings must leave a thing out before it counts as gone. EC2 is eventually
	// consistent; AWS advises to poll for up to about five minutes.
	absentAfter = 5 * time.Minute
	// outBeforeEnd is how long a server is in no pool before it is terminated, unless a network load balancer had it.
	outBeforeEnd = 30 * time.Second
	// autoRollbackAfter is how long the live candidate may fall short before it is taken back.
	autoRollbackAfter = 30 * time.Second
	// longUnseen is how far apart two looks may be for the time between them to count: a few sweeps.
	longUnseen = 5 * time.Minute
	// readingLag is how long a pool's reading may tell of the time before our own Deregister. AWS names no figure;
	// DescribeInstanceHealth is known to lag by seconds.
	readingLag = 10 * time.Second
	// nlbExtra is added to the health timeout where a network load balancer takes part, and is how long a server is out of it before it is
	// terminated: it takes minutes to register, and as long to send no new connections any more, whatever the deregistration delay.
	nlbExtra = 5 * time.Minute
)

// How soon to look again.
const (
	confirmEvery = 100 * time.Millisecond // after a first good pass
	stepEvery    = 400 * time.Millisecond // a pool holds up a step; with the reading itself, that is about twice a second
	stepPerCall  = 150 * time.Millisecond // and so much for each call of a look at least, of some seven a second that we allow ourselves
	stepSlowest  = 5 * time.Second        // how far apart the looks at a promotion come that is not healthy and not healthy
	previewEvery = time.Second            // a test pool holds up a preview, or a Live version is sick: nobody waits for a part of a second there
	launchEvery  = 2 * time.Second        // a server is on its way
	drainEvery   = 10 * time.Second       // something drains, or time passes before an end
	stuckEvery   = 5 * time.Second        // a pool holds up a step, and somebody was told to look
	retryEvery   = 30 * time.Second       // somebody has to mend something
)

// view is everything that one Decide works out and collects. It lives for one call.
type view struct {
	in     Input
	memory Memory // the working copy that becomes Decision.Memory
	soft   Soft   // the next pass's
	asked  int    // servers that must be healthy

	fleets    []*fleet // every fleet with servers or memory, sorted by name
	stable    *fleet   // what production falls back to; nil before the first Complete
	candidate *fleet   // what is being deployed; nil when the spec describes the stable fleet
	kept      *fleet   // stable before stable; kept until the candidate is Live

	phase     Phase
	phaseRule PhaseRule
	phaseWhy  string
	// afterOverride counts when the override that counts is over, if nobody changes anything until then.
	afterOverride Phase

	actions []Action
	held    []Note
	trouble []Problem // what to report as stalled, most important first
	minor   []Problem // trouble that gates nothing: a standby that cannot be made whole
	waits   []string  // what is waited for, for the message
	wake    time.Duration
	needs   bool // NeedTarget
	gone    bool
}

// fleet is all servers of one revision, sorted into what they are good for. The three lists do not overlap.
type fleet struct {
	*Revision
	label   string   // what it is called in sentences: its version, with the revision behind it where two fleets share one
	servers []Server // pending, running, or not long enough away to be given up
	broken  []Server // to be replaced: stopped or impaired for too long
	heldOut []Server // tagged slipway.dev/hold by a person: not ours to use or to end
}

// newView reads the world: which fleets there are and which server belongs where.
func newView(in Input) *view {
	v := &view{in: in, memory: in.Memory.clone(), soft: Soft{Since: map[string]time.Time{}}}
	v.asked = askedFor(in.Spec.Replicas, in.Spec.MinHealthyPercent)
	v.sortMembers()
	v.distrust()
	v.rememberLost()
	v.gather()
	v.notePools()
	v.noteEnds()
	return v
}

// sortMembers makes sure of what member relies on. Readings are sorted already: the input is copied only where one is not.
func (v *view) sortMembers() {
	sorted := func(p Pool) bool { return slices.IsSortedFunc(p.Members, byServer) }
	if !slices.ContainsFunc(v.in.World.Pools, func(p Pool) bool { return !sorted(p) }) {
		return
	}
	v.in.World.Pools = slices.Clone(v.in.World.Pools)
	for i := range v.in.World.Pools {
		p := &v.in.World.Pools[i]
		p.Members = slices.SortedStableFunc(slices.Values(p.Members), byServer)
	}
}

func byServer(a, b Member) int { return cmp.Compare(a.Server, b.Server) }

// askedFor is ceil(replicas × percent / 100), at least 1. 3 at 100 % is 3, 3 at 50 % is 2, 1 at 1 % is 1.
func askedFor(replicas, percent int) int {
	return max(1, (replicas*percent+99)/100)
}

// rememberLost gives a place in memory to revisions that only servers still tell of.
func (v *view) rememberLost() {
	for _, s := range v.in.World.Servers {
		if s.Revision != "" && v.memory.find(s.Revision) == nil && alive(s) {
			v.memory.Revisions = append(v.memory.Revisions,
				Revision{Name: s.Revision, Version: cmp.Or(s.Version, s.Revision), Image: s.Image, Lost: true})
		}
	}
	sort.Slice(v.memory.Revisions, func(i, j int) bool { return v.memory.Revisions[i].Name < v.memory.Revisions[j].Name })
}

// gather sorts the servers into fleets and finds stable and candidate.
func (v *view) gather() {
	v.fleets = nil
	for i := range v.memory.Revisions {
		v.fleets = append(v.fleets, &fleet{Revision: &v.memory.Revisions[i], label: v.labelOf(v.memory.Revisions[i])})
	}
	for _, s := range v.in.World.Servers {
		f := v.fleet(s.Revision)
		if f == nil || !alive(s) {
			continue
		}
		switch tooLong := v.watch("away/"+s.ID, v.in.World.ServersErr, away(s) && !v.in.Spec.Paused, brokenAfter); {
		case s.Hold:
			f.heldOut = append(f.heldOut, s)
		case tooLong:
			f.broken = append(f.broken, s)
		default:
			f.servers = append(f.servers, s)
		}
	}
}

// labelOf is what a revision is called in sentences.
func (v *view) labelOf(r Revision) string {
	namesake := func(other Revision) bool { return other.Version == r.Version && other.Name != r.Name }
	if slices.ContainsFunc(v.memory.Revisions, namesake) {
		return r.Version + " (" + r.Name + ")"
	}
	return r.Version
}

// notePools remembers the pools in which a fleet is seen, also by another hand than ours: should one leave the spec, the
// servers must be drained from it before they end.
func (v *view) notePools() {
	for _, f := range v.fleets {
		for _, p := range v.in.World.Pools {
			if slices.ContainsFunc(f.all(), func(s Server) bool { _, in := p.member(s.ID); return in }) {
				f.notePool(p.ID)
			}
		}
	}
}

func (f *fleet) notePool(id string) {
	if !slices.Contains(f.Pools, id) {
		f.Pools = append(f.Pools, id)
		slices.Sort(f.Pools)
	}
}

// away: it may come back, and does not serve meanwhile.
func away(s Server) bool { return s.State == StateStopped || s.State == StateStopping || s.Impaired }

// alive: EC2 has not ended it.
func alive(s Server) bool { return s.State != StateShuttingDown && s.State != StateTerminated }

// fleet finds a fleet by revision name; nil where there is none.
func (v *view) fleet(revision string) *fleet {
	for _, f := range v.fleets {
		if f.Name == revision {
			return f
		}
	}
	return nil
}

// running are the servers of the fleet that run.
func (f *fleet) running() []Server {
	if f == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.servers), func(s Server) bool { return s.State != StateRunning })
}

// all are the servers of the fleet that EC2 has not ended, whatever they are good for.
func (f *fleet) all() []Server {
	if f == nil {
		return nil
	}
	return slices.Concat(f.servers, f.broken, f.heldOut)
}

// ids gives the IDs of servers, sorted.
func ids(servers []Server) []string {
	list := make([]string, 0, len(servers))
	for _, s := range servers {
		list = append(list, s.ID)
	}
	sort.Strings(list)
	return list
}

// lasting reports whether something has been so without interruption for at least d. It keeps the clock in Soft and
// wakes the next pass in time.
func (v *view) lasting(key string, is bool, d time.Duration) bool {
	if !is {
		return false
	}
	since, known := v.in.Soft.Since[key]
	if !known {
		since = v.in.Now
	}
	v.soft.Since[key] = since
	if left := d - v.in.Now.Sub(since); left > 0 {
		v.again(left)
		return false
	}
	return true
}

// keep lets a clock stand as it is, where nobody can see whether what it measures goes on.
func (v *view) keep(key string) {
	if since, known := v.in.Soft.Since[key]; known {
		v.soft.Since[key] = since
	}
}

// step is how soon to look again where a pool holds up a step. Looks at many pools come further apart than two a second: if they ran
// into the rate of calls that AWS allows, the one that matters would stand in the queue behind them.
//
//	production, test        calls       the next look after
//	1 group, 1 classic      1, 2        400 ms
//	5 groups, 1 classic     5, 2        750 ms
//	5 classic, 1 classic    0, 7      1,050 ms
func (v *view) step() time.Duration {
	return max(stepEvery, time.Duration(max(CallsOf(v.in.World.Pools)))*stepPerCall)
}

// unhurried is how soon to look again at what has been waited for so long already. A version that never gets healthy would have each of its
// looks ask, until its time is over, for most of the calls that the account has; and who waits for minutes misses no eightieth of them.
// Time in which the promotion was held up by something else counts too.
//
//	waited      30 s    40 s    80 s    160 s   400 s and more
//	next look   0.4 s   0.5 s   1 s     2 s     5 s
func unhurried(waited time.Duration) time.Duration { return min(waited/80, stepSlowest) }

// again asks for the next pass within d.
func (v *view) again(d time.Duration) {
	if v.wake == 0 || d < v.wake {
		v.wake = d
	}
}

// do plans an action.
func (v *view) do(a Action) { v.actions = append(v.actions, a) }

// stall reports trouble that a person has to know of; the first one said counts most.
func (v *view) stall(reason, message string) {
	v.trouble = append(v.trouble, Problem{Reason: reason, Message: message})
}

// tell reports a problem: what may pass is waited for.
func (v *view) tell(p Problem) {
	if p.Passing {
		v.wait("it to pass: " + p.Message)
		return
	}
	v.stall(p.Reason, p.Message)
}

// aside plans something that gates nothing: its trouble is told, and stalls nobody.
func (v *view) aside(plan func()) {
	before := len(v.trouble)
	plan()
	v.minor = append(v.minor, v.trouble[before:]...)
	v.trouble = v.trouble[:before]
}

// wait says what is waited for.
func (v *view) wait(what string) {
	if !slices.Contains(v.waits, what) {
		v.waits = append(v.waits, what)
	}
}

// pools are the pools of one use.
func (v *view) pools(use PoolUse) []Pool {
	return slices.DeleteFunc(slices.Clone(v.in.World.Pools), func(p Pool) bool { return p.Use != use })
}

// member finds a server in a pool.
func (p Pool) member(server string) (Member, bool) {
	i, found := slices.BinarySearchFunc(p.Members, Member{Server: server}, byServer)
	if !found {
		return Member{}, false
	}
	return p.Members[i], true
}

// registered are those of the servers that the pool sends, or may send, new requests to: not the draining ones.
func (p Pool) registered(servers []Server) []Server {
	return slices.DeleteFunc(slices.Clone(servers), func(s Server) bool {
		m, in := p.member(s.ID)
		return !in || m.State == MemberDraining
	})
}

// healthy are those of the servers that this reading shows healthy in the pool; none if it is no evidence (laws 2 and 3).
func (p Pool) healthy(servers []Server) []Server { return p.reads(servers, MemberHealthy) }

// maybeHealthy are the healthy ones, and those of which AWS could not tell.
func (p Pool) maybeHealthy(servers []Server) []Server {
	return p.reads(servers, MemberHealthy, MemberUnknown)
}

// reads are those of the servers that this reading shows in one of the states.
func (p Pool) reads(servers []Server, states ...MemberState) []Server {
	if !p.Readable() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(servers), func(s Server) bool {
		m, in := p.member(s.ID)
		return !in || !slices.Contains(states, m.State)
	})
}

// holds reports whether the server is one of the list.
func holds(list []Server, s Server) bool {
	return slices.ContainsFunc(list, func(other Server) bool { return other.ID == s.ID })
}

// ours are all servers of all fleets that EC2 has not ended.
func (v *view) ours() []Server {
	var list []Server
	for _, f := range v.fleets {
		list = append(list, f.all()...)
	}
	return list
}

// inProduction reports whether a server of the fleet is registered in some production pool.
func (v *view) inProduction(f *fleet) bool {
	return slices.ContainsFunc(v.pools(UseProduction), func(p Pool) bool { return len(p.registered(f.all())) > 0 })
}

// serving is the fleet that production is to have: the candidate where it takes over, or where there is no other.
func (v *view) serving() *fleet {
	if v.stable == nil || v.takesOver() {
		return v.candidate
	}
	return v.stable
}

// mixed: production has servers of more of our fleets than the one that is to serve.
func (v *view) mixed() bool {
	return slices.ContainsFunc(v.fleets, func(f *fleet) bool { return f != v.serving() && v.inProduction(f) })
}

// healthyEverywhere are those of the servers that are healthy in every one of the pools.
func healthyEverywhere(pools []Pool, servers []Server) []Server {
	for _, p := range pools {
		servers = p.healthy(servers)
	}
	return servers
}
