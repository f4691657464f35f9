package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A small EC2 with load balancers, an etcd and a spec, in virtual time: everything around Decide. The world keeps the
// truth; what Decide gets to read may lag, fail or be cut short. laws_test.go checks the laws on the truth, at every call.

// reporter is what *testing.T and *rapid.T have in common here.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}

var epoch = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// Timings of the world. Boot and health are those of a quick service; lag and drain are changed by tests.
const (
	bootTime   = 5 * time.Second
	healthTime = 6 * time.Second
	drainTime  = 20 * time.Second
	sweepTime  = time.Minute
	visibleFor = time.Hour // how long EC2 shows a terminated server
	uid        = "uid-1"
)

// machine is the truth about one server.
type machine struct {
	Server
	owner string
	sick  bool
	mute  bool      // load balancers cannot tell how it is
	seen  time.Time // from then on EC2 shows it
	runs  time.Time // from then on it runs
	ended time.Time // zero: alive
	place int       // for stories only
}

// balancer is the truth about one load balancer.
type balancer struct {
	Pool
	delay   time.Duration // from Register to healthy
	drain   time.Duration
	members map[string]*membership
	gone    bool // deleted in AWS
	goneAt  time.Time
	left    map[string]time.Time // when a server was last taken out
	ours    map[string]bool      // revisions that were registered by our hand
	broken  string               // cannot be read
	sick    bool                 // fails every health check
	spares  string               // but those of this version

	behind   time.Duration // for so long after a Deregister readings tell of the time before it
	old      []Member
	oldUntil time.Time
}

type membership struct {
	since   time.Time
	leaving time.Time // the end of draining; zero: registered
}

// launched is what EC2 remembers of a client token.
type launched struct {
	places  []int
	servers []string
	failure Failure
}

// crash says at which point of a pass the process dies.
type crash int

// The points. A crash loses Soft, and whatever comes after the point.
const (
	crashNever         crash = iota
	crashBeforeMemory        // decided, nothing written
	crashWithinMemory        // one ControllerRevision of several written
	crashAfterMemory         // all written, no call made
	crashWithinActions       // half of the calls made
	crashBeforeRecord        // all calls made, their outcome not written
)

type world struct {
	t   reporter
	now time.Time

	spec     Spec // Target is worked out at each reading
	known    bool // image and user data of every version can be resolved
	unknown  Problem
	declared []poolRef

	etcd   Memory
	writes int // revisions written
	soft   Soft
	input  Input // of the last pass
	last   Decision

	machines  []*machine
	balancers []*balancer
	tokens    map[string]*launched
	asking    map[string]bool // tokens that the laws have seen
	next      int             // number of the next server

	ec2Err       string
	lastServers  []Server          // of the last good reading, as the process keeps it
	quietFor     time.Duration     // without any change, that is rest; default: 6 minutes, longer than any one clock of Decide that is not set
	lag          time.Duration     // from RunInstances to the first reading that shows the server
	room         map[string]int    // "type@subnet": how many more; absent: enough
	refusal      Failure           // EC2 refuses every launch
	lost         int               // so many launches from now on have an effect and no answer
	vain         int               // so many launches from now on have no effect and no answer
	slow         time.Duration     // boots take so much longer
	sickVersions map[string]bool   // servers of these are born sick
	stillborn    bool              // servers terminate as they boot
	failing      func(Action) bool // calls that fail without an effect
	dice         *rand.Rand        // decides what is left to chance; nil: nothing
	crash        crash             // in the next pass
	former       []Server          // servers of a former object
	adopting     []Server          // servers that spec.adopt selects

	calls map[string]int // successful mutations by verb, for stories that count
	story *story
}

type poolRef struct {
	id  string
	use PoolUse
}

// newWorld has two subnets, one test pool and one production pool, and asks for two servers. Nothing is declared yet.
func newWorld(t reporter) *world {
	w := &world{
		t: t, now: epoch, known: true, tokens: map[string]*launched{}, asking: map[string]bool{}, sickVersions: map[string]bool{},
		room: map[string]int{}, calls: map[string]int{},
		spec: Spec{
			Release: "shop/web", UID: uid, Replicas: 2, MinHealthyPercent: 100,
			Health: Health{Consecutive: 2, Timeout: 10 * time.Minute, LaunchTimeout: 15 * time.Minute, RollbackTimeout: time.Minute},
		},
	}
	w.addPool("preview", UseTest, KindClassic)
	w.addPool("edge", UseProduction, KindALB)
	return w
}

// addPool makes a load balancer and declares it in the spec.
func (w *world) addPool(id string, use PoolUse, kind PoolKind) *balancer {
	b := &balancer{Pool: Pool{ID: id, Name: id, Use: use, Kind: kind}, delay: healthTime, drain: drainTime, members: map[string]*membership{},
		left: map[string]time.Time{}, ours: map[string]bool{}}
	w.balancers = append(w.balancers, b)
	w.declarePool(id, use)
	return b
}

func (w *world) declarePool(id string, use PoolUse) {
	w.undeclarePool(id)
	w.declared = append(w.declared, poolRef{id, use})
	sort.Slice(w.declared, func(i, j int) bool { return w.declared[i].id < w.declared[j].id })
}

func (w *world) undeclarePool(id string) {
	w.declared = slices.DeleteFunc(w.declared, func(r poolRef) bool { return r.id == id })
}

func (w *world) pool(id string) *balancer {
	for _, b := range w.balancers {
		if b.ID == id {
			return b
		}
	}
	w.t.Fatalf("the world has no pool %s", id)
	return nil
}

// machine finds the truth about a server; nil for one that never was.
func (w *world) machine(id string) *machine {
	for _, m := range w.machines {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// fleet are the living machines of a version that are ours.
func (w *world) fleet(version string) []*machine {
	var list []*machine
	for _, m := range w.machines {
		if m.owner == uid && m.Version == version && m.ended.IsZero() {
			list = append(list, m)
		}
	}
	return list
}

// revisionOf is the name under which a version is recorded.
func revisionOf(version string) string { return "web-" + version }

// settle lets time do its work: servers boot, drains end, what is long gone is forgotten.
func (w *world) settle() {
	for _, m := range w.machines {
		if m.ended.IsZero() && m.State == StatePending && !w.now.Before(m.runs) {
			m.State = StateRunning
			if w.stillborn && m.owner == uid {
				w.end(m, "Client.InstanceInitiatedShutdown: Instance initiated shutdown")
			}
		}
	}
	for _, b := range w.balancers {
		for id, ms := range b.members {
			drained := !ms.leaving.IsZero() && !w.now.Before(ms.leaving)
			m := w.machine(id)
			buried := m != nil && !m.ended.IsZero() && w.now.Sub(m.ended) > 5*time.Minute
			if drained || buried {
				delete(b.members, id)
				b.left[id] = w.now
			}
		}
	}
}

func (w *world) end(m *machine, reason string) {
	m.State, m.Reason, m.ended = StateTerminated, reason, w.now
}

// healthy is the truth: the load balancer sends requests to the server and the server answers them.
func (w *world) healthy(b *balancer, id string) bool {
	ms, m := b.members[id], w.machine(id)
	fails := b.sick && (m == nil || m.Version != b.spares)
	return ms != nil && m != nil && ms.leaving.IsZero() && !fails && !b.gone && m.State == StateRunning && !m.sick && !w.now.Before(ms.since.Add(b.delay))
}

// observe reads the world as it can be read now.
func (w *world) observe() Input {
	w.settle()
	in := Input{Spec: w.spec, Soft: w.soft, Now: w.now}
	in.World.ServersErr = w.ec2Err
	for _, m := range w.machines {
		gone := !m.ended.IsZero() && w.now.Sub(m.ended) > visibleFor
		if w.ec2Err == "" && m.owner == uid && !gone && !w.now.Before(m.seen) {
			in.World.Servers = append(in.World.Servers, m.Server)
		}
	}
	sort.Slice(in.World.Servers, func(i, j int) bool { return in.World.Servers[i].ID < in.World.Servers[j].ID })
	if w.ec2Err == "" {
		w.observeOthers(&in)
		w.lastServers = slices.Clone(in.World.Servers)
	} else {
		in.World.Servers = slices.Clone(w.lastServers)
	}
	in.Memory = w.recall(in.World.Servers)
	in.Spec.Target = ""
	if r := w.etcd.find(revisionOf(w.spec.Version)); r != nil && !r.Lost {
		in.Spec.Target = r.Name
	}
	for _, ref := range w.declared {
		in.World.Pools = append(in.World.Pools, w.read(ref.id, ref.use))
	}
	for _, id := range w.released(in.Memory) {
		in.World.Pools = append(in.World.Pools, w.read(id, UseReleased))
	}
	sort.Slice(in.World.Pools, func(i, j int) bool { return in.World.Pools[i].ID < in.World.Pools[j].ID })
	return in
}

// observeOthers reads former and adoptable servers; those that are ours by now are neither.
func (w *world) observeOthers(in *Input) {
	foreign := func(list []Server) []Server {
		return slices.DeleteFunc(slices.Clone(list), func(s Server) bool {
			m := w.machine(s.ID)
			return m == nil || m.owner == uid || !m.ended.IsZero()
		})
	}
	in.World.Former, in.World.Adoptable = foreign(w.former), foreign(w.adopting)
	if len(in.World.Former) > 0 {
		in.World.FormerOwners = []string{"uid-0"}
	}
}

// recall is the memory that etcd gives, and a revision marked as lost for servers whose revision has no record.
func (w *world) recall(servers []Server) Memory {
	memory := w.etcd.clone()
	for _, s := range servers {
		if s.Revision != "" && memory.find(s.Revision) == nil && alive(s) {
			memory.Revisions = append(memory.Revisions, Revision{Name: s.Revision, Version: s.Version, Image: s.Image, Lost: true})
		}
	}
	sort.Slice(memory.Revisions, func(i, j int) bool { return memory.Revisions[i].Name < memory.Revisions[j].Name })
	return memory
}

// released are the pools that memory knows of fleets with servers and that the spec does not name.
func (w *world) released(memory Memory) []string {
	ids := map[string]bool{}
	for _, r := range memory.Revisions {
		if w.ec2Err == "" && !slices.ContainsFunc(w.machines, func(m *machine) bool { return m.Revision == r.Name && m.ended.IsZero() }) {
			continue
		}
		for _, id := range r.Pools {
			ids[id] = true
		}
	}
	for _, ref := range w.declared {
		delete(ids, ref.id)
	}
	return slices.Sorted(maps.Keys(ids))
}

// read reads one pool.
func (w *world) read(id string, use PoolUse) Pool {
	b := w.pool(id)
	p := b.Pool
	p.Use, p.Members = use, nil
	switch {
	case b.gone:
		p.Err, p.Missing = "LoadBalancerNotFound: there is no load balancer "+id, true
		return p
	case b.broken != "":
		p.Err = b.broken
		return p
	case w.now.Before(b.oldUntil):
		p.Members = slices.Clone(b.old)
		return p
	}
	for _, server := range slices.Sorted(maps.Keys(b.members)) {
		m := w.machine(server)
		if ms := b.members[server]; ms.leaving.IsZero() || w.now.Before(ms.leaving) {
			p.Members = append(p.Members, w.memberState(b, m, server, ms))
		}
	}
	return p
}

func (w *world) memberState(b *balancer, m *machine, server string, ms *membership) Member {
	switch {
	case !ms.leaving.IsZero():
		return Member{Server: server, State: MemberDraining, Reason: "Target deregistration is in progress"}
	case m != nil && m.mute:
		return Member{Server: server, State: MemberUnknown, Reason: "A transient error occurred"}
	case w.healthy(b, server):
		return Member{Server: server, State: MemberHealthy, Reason: ""}
	case m != nil && m.State == StateRunning && !m.sick && !b.sick:
		return Member{Server: server, State: MemberRegistering, Reason: "Initial health checks in progress"}
	}
	return Member{Server: server, State: MemberUnhealthy, Reason: "Health checks failed with these codes: [502]"}
}

// pass is one pass of the controller: observe, decide, remember, act, record. Then time goes on by as much as Decide asked
// for, at most.
func (w *world) pass() Decision {
	w.t.Helper()
	d := w.decide()
	if !w.remember(d) {
		return w.dies()
	}
	results, ok := w.act(d)
	if !ok {
		return w.dies()
	}
	w.record(results)
	w.soft = d.Soft
	if w.story != nil {
		w.story.pass(w, d)
	}
	after := sweepTime
	if d.After > 0 {
		after = min(after, d.After)
	}
	if len(results) > 0 {
		after = min(after, 100*time.Millisecond)
	}
	w.last = d
	w.now = w.now.Add(after)
	return d
}

// dies: the process crashed. The next one begins with nothing in its head.
func (w *world) dies() Decision {
	if w.story != nil {
		w.story.say("    (the controller crashes and starts again)")
	}
	w.crash, w.soft, w.lastServers = crashNever, Soft{}, nil
	w.now = w.now.Add(time.Second)
	return w.last
}

// decide asks the core, and records the declared revision where the core needs it and it can be resolved.
func (w *world) decide() Decision {
	w.t.Helper()
	in := w.observe()
	d := Decide(in)
	if d.NeedTarget {
		if w.known {
			w.write(w.recorded(w.spec.Version))
			in.Memory = w.recall(in.World.Servers)
			in.Spec.Target = revisionOf(w.spec.Version)
		} else {
			in.Spec.Unresolved = w.unknown
		}
		d = Decide(in)
	}
	w.input = in
	w.checkDecision(in, d)
	return d
}

// recorded is the record of a version, with what is remembered of servers whose record was lost.
func (w *world) recorded(version string) Revision {
	r := Revision{Name: revisionOf(version)}
	if lost := w.etcd.find(r.Name); lost != nil {
		r = *lost
	}
	r.Version, r.Image, r.Lost = version, "ami-"+version, false
	r.Subnets, r.InstanceTypes = []string{"a", "b"}, []string{"large", "small"}
	return r
}

// remember writes the memory, revision by revision, whatever becomes stable first.
func (w *world) remember(d Decision) bool {
	if w.crash == crashBeforeMemory {
		return false
	}
	before := w.etcd
	var changed []Revision
	for _, r := range d.Memory.clone().Revisions {
		if old := before.find(r.Name); old == nil || !reflect.DeepEqual(*old, r) {
			changed = append(changed, r)
		}
	}
	rise := func(r Revision) int64 {
		if old := before.find(r.Name); old != nil {
			return r.StableSeq - old.StableSeq
		}
		return r.StableSeq
	}
	slices.SortStableFunc(changed, func(a, b Revision) int { return cmp.Compare(rise(b), rise(a)) })
	if w.crash == crashWithinMemory {
		changed = changed[:min(1, len(changed))]
	}
	for _, r := range changed {
		w.write(r)
	}
	return w.crash != crashAfterMemory && w.crash != crashWithinMemory
}

// write keeps a revision in etcd.
func (w *world) write(r Revision) {
	w.writes++
	w.etcd = w.etcd.clone()
	w.etcd.Revisions = append(slices.DeleteFunc(w.etcd.Revisions, func(o Revision) bool { return o.Name == r.Name }), r)
	sort.Slice(w.etcd.Revisions, func(i, j int) bool { return w.etcd.Revisions[i].Name < w.etcd.Revisions[j].Name })
}

// record closes the launches that were answered.
func (w *world) record(results []LaunchResult) {
	for _, r := range Record(w.etcd, results, w.now).clone().Revisions {
		if !reflect.DeepEqual(*w.etcd.find(r.Name), r) {
			w.write(r)
		}
	}
}

// act makes the calls of a decision. Each is checked against the laws before it takes effect.
func (w *world) act(d Decision) ([]LaunchResult, bool) {
	w.t.Helper()
	var results []LaunchResult
	actions := slices.Clone(d.Actions)
	if w.dice != nil { // they are made at once, so they take effect in any order
		w.dice.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	}
	for n, a := range actions {
		if w.crash == crashWithinActions && n >= len(actions)/2 {
			return nil, false
		}
		w.checkAction(d, a)
		if w.failing != nil && w.failing(a) {
			if l, ok := a.(Launch); ok {
				results = append(results, LaunchResult{Revision: l.Revision, Token: l.Attempt.Token, Unknown: true})
			}
			continue
		}
		w.calls[verbOf(a)]++
		if result := w.carryOut(a); result != nil {
			results = append(results, *result)
		}
	}
	return results, w.crash != crashBeforeRecord && w.crash != crashWithinActions
}

func verbOf(a Action) string { return strings.TrimPrefix(fmt.Sprintf("%T", a), "rollout.") }

// carryOut is AWS: the effect of one call.
func (w *world) carryOut(a Action) *LaunchResult {
	switch a := a.(type) {
	case Launch:
		return w.runInstances(a)
	case Register:
		w.register(w.pool(a.Pool.ID), a.Servers)
	case Deregister:
		b := w.pool(a.Pool.ID)
		if b.behind > 0 && b.broken == "" && !b.gone && !w.now.Before(b.oldUntil) {
			b.old, b.oldUntil = w.read(b.ID, a.Pool.Use).Members, w.now.Add(b.behind)
		}
		for _, id := range a.Servers {
			if ms := b.members[id]; ms != nil && ms.leaving.IsZero() {
				ms.leaving = w.now.Add(b.drain)
			}
		}
	case Tag:
		for _, id := range a.Servers {
			m := w.machine(id)
			m.Role = a.Role
			if a.Adopt {
				m.owner, m.Revision = uid, a.Revision
			}
		}
	case Terminate:
		for _, id := range a.Servers {
			if m := w.machine(id); m.ended.IsZero() {
				w.end(m, "Client.UserInitiatedShutdown: User initiated shutdown")
			}
		}
	}
	w.settle()
	return nil
}

// register puts servers into a pool. As AWS has it, one that does not run spoils the whole call, and one that is draining
// is healthy again at once.
func (w *world) register(b *balancer, servers []string) {
	if b.gone || slices.ContainsFunc(servers, func(id string) bool { return w.machine(id).State != StateRunning }) {
		return
	}
	for _, id := range servers {
		b.ours[w.machine(id).Revision] = true
		if ms := b.members[id]; ms != nil {
			ms.leaving = time.Time{}
			continue
		}
		b.members[id] = &membership{since: w.now}
	}
}

// runInstances answers as EC2 does: once for each token, with fewer servers than asked for where there is less room.
func (w *world) runInstances(l Launch) *LaunchResult {
	result := &LaunchResult{Revision: l.Revision, Token: l.Attempt.Token}
	if w.vain > 0 {
		w.vain--
		result.Unknown = true
		return result
	}
	known := w.tokens[l.Attempt.Token]
	if known == nil {
		known = w.firstLaunch(l)
		w.tokens[l.Attempt.Token] = known
	}
	ended := 0
	for _, id := range known.servers {
		if !w.machine(id).ended.IsZero() {
			ended++
		}
	}
	result.Servers, result.Failure = slices.Clone(known.servers), known.failure
	if ended > 0 && ended == len(known.servers) {
		result.Servers = nil
		result.Failure = Failure{FailureDied, ReasonLaunchFailed, "IdempotentInstanceTerminated: the servers of this token are terminated"}
	}
	if w.lost > 0 {
		w.lost--
		return &LaunchResult{Revision: l.Revision, Token: l.Attempt.Token, Unknown: true}
	}
	return result
}

func (w *world) firstLaunch(l Launch) *launched {
	at := l.Attempt.Type + "@" + l.Attempt.Subnet
	room, scarce := w.room[at]
	switch {
	case w.refusal.Kind != FailureNone:
		return &launched{failure: w.refusal}
	case scarce && room == 0:
		return &launched{failure: Failure{FailureCapacity, ReasonNoCapacity, "InsufficientInstanceCapacity: no " + at}}
	}
	n := len(l.Attempt.Places)
	if scarce {
		n = min(n, room)
		w.room[at] -= n
	}
	entry := &launched{places: l.Attempt.Places}
	revision := w.etcd.find(l.Revision)
	for _, place := range l.Attempt.Places[:n] {
		m := w.boot(revision.Version, l.Attempt.Subnet)
		m.Type, m.Role, m.Token, m.place = l.Attempt.Type, l.Attempt.Role, l.Attempt.Token, place
		entry.servers = append(entry.servers, m.ID)
	}
	return entry
}

// remove deletes a load balancer in AWS.
func (w *world) remove(id string) {
	b := w.pool(id)
	if !b.gone {
		b.gone, b.goneAt = true, w.now
	}
	clear(b.members)
}

// takeOut takes a server out of a pool by hand, without draining.
func (w *world) takeOut(b *balancer, id string) {
	if b.members[id] != nil {
		delete(b.members, id)
		b.left[id] = w.now
	}
}

// boot starts a server of ours.
func (w *world) boot(version, subnet string) *machine {
	w.next++
	m := &machine{owner: uid, sick: w.sickVersions[version], seen: w.now.Add(w.lag), runs: w.now.Add(bootTime + w.slow), Server: Server{
		ID: fmt.Sprintf("i-%02d", w.next), Revision: revisionOf(version), Version: version, Image: "ami-" + version,
		Subnet: subnet, Zone: "zone-" + subnet, State: StatePending, Launched: w.now,
	}}
	w.machines = append(w.machines, m)
	return m
}

// stranger puts a server of somebody else into a pool.
func (w *world) stranger(pool string) *machine {
	m := w.boot("theirs", "a")
	m.owner, m.State, m.Revision = "somebody", StateRunning, ""
	w.pool(pool).members[m.ID] = &membership{since: w.now.Add(-time.Hour)}
	return m
}

// run makes passes until nothing has changed for long enough for every clock of Decide to have rung, or fails.
func (w *world) run() {
	w.t.Helper()
	w.runFor(4*time.Hour, func() bool { return false })
}

// runFor does the same, but at most for so long, or until something is the case.
func (w *world) runFor(limit time.Duration, until func() bool) {
	w.t.Helper()
	deadline, since, state := w.now.Add(limit), w.now, ""
	for passes := 0; ; passes++ {
		if passes > 20000 {
			w.t.Fatalf("no end after %d passes: %s", passes, w.last.Report.Message)
		}
		d := w.pass()
		if until() {
			return
		}
		if next := w.fingerprint(d); next != state {
			state, since = next, w.now
		}
		if w.now.Sub(since) >= cmp.Or(w.quietFor, 6*time.Minute) {
			return
		}
		if w.now.After(deadline) {
			w.t.Fatalf("after %s still not at rest: %s %v", limit, w.last.Report.Message, d.Actions)
		}
	}
}

// fingerprint is everything that should come to rest: the calls, what is written and the truth.
func (w *world) fingerprint(d Decision) string {
	text := []string{strconv.Itoa(w.writes)}
	for _, a := range d.Actions {
		text = append(text, verbOf(a), a.Reason())
	}
	for _, m := range w.machines {
		text = append(text, string(m.State), string(m.Role), m.owner, strconv.FormatBool(m.sick))
	}
	for _, b := range w.balancers {
		for _, id := range slices.Sorted(maps.Keys(b.members)) {
			text = append(text, b.ID, id, strconv.FormatBool(w.healthy(b, id)), strconv.FormatBool(b.members[id].leaving.IsZero()))
		}
	}
	return strings.Join(text, " ")
}
