package rollout

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Random worlds, random people, random faults. In every pass and at every call the laws are checked on the truth
// (laws_test.go); in the end, with all faults gone, the Release must come to rest as declared, and stay there.
func TestLawsAndProgress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		for range rapid.IntRange(1, 25).Draw(t, "events") {
			w.randomEvent(t)
			for range rapid.IntRange(0, 12).Draw(t, "passes") {
				w.pass()
			}
		}
		w.heal()
		w.quietFor = 11 * time.Minute // two clocks of five minutes may run one after the other
		w.run()
		w.checkDesired()
		checkAtRest(t, w)
	})
}

// The same with a deletion at the end: everything that is ours ends, and nothing else does.
func TestDeletion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		for range rapid.IntRange(1, 8).Draw(t, "events") {
			w.randomEvent(t)
			for range rapid.IntRange(0, 6).Draw(t, "passes") {
				w.pass()
			}
		}
		w.spec.Deleting, w.spec.TerminateOnDelete = true, true
		for range rapid.IntRange(0, 5).Draw(t, "passes while it is deleted") {
			if w.pass().Gone {
				break
			}
		}
		w.quietFor = 11 * time.Minute // as above
		gone := rapid.SliceOfNDistinct(rapid.SampledFrom(w.balancers), 0, 1, rapid.ID).Draw(t, "load balancers that are gone")
		w.heal()
		for _, b := range gone {
			w.remove(b.ID)
		}
		w.runFor(time.Hour, func() bool { return w.last.Gone })
		w.now = w.now.Add(10 * time.Minute)
		w.settle()
		for _, m := range w.machines {
			if m.owner == uid && m.ended.IsZero() && !m.Hold {
				t.Fatalf("%s is left behind, %s", m.ID, m.State)
			}
			if m.owner != uid && !m.ended.IsZero() {
				t.Fatalf("%s was a stranger's", m.ID)
			}
		}
	})
}

// randomWorld has one to three production pools of any kind and up to two test pools, strangers in them, and either
// nothing of ours or a complete version 1.
func randomWorld(t *rapid.T) *world {
	w := newWorld(t)
	w.undeclarePool("preview")
	w.undeclarePool("edge")
	w.balancers = nil
	kinds := rapid.SampledFrom([]PoolKind{KindClassic, KindALB, KindNLB})
	for i := range rapid.IntRange(1, 3).Draw(t, "production pools") {
		b := w.addPool(fmt.Sprintf("prod%d", i), UseProduction, kinds.Draw(t, "kind"))
		b.ZonalOnly = rapid.IntRange(0, 4).Draw(t, "zonal") == 0
		w.stranger(b.ID)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "test pools") {
		w.addPool(fmt.Sprintf("test%d", i), UseTest, kinds.Draw(t, "kind"))
	}
	for _, b := range w.balancers {
		b.delay = time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds to healthy")) * time.Second
		b.drain = time.Duration(rapid.SampledFrom([]int{0, 5, 300}).Draw(t, "seconds to drain")) * time.Second
	}
	w.spec.Replicas = rapid.IntRange(1, 4).Draw(t, "replicas")
	w.spec.MinHealthyPercent = rapid.SampledFrom([]int{1, 50, 67, 100}).Draw(t, "minHealthyPercent")
	w.spec.Health.Consecutive = rapid.IntRange(1, 3).Draw(t, "consecutive")
	w.spec.AutoRollback = rapid.Bool().Draw(t, "autoRollback")
	w.dice = rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "dice")))
	if *narrate {
		w.story = &story{began: w.now}
		w.t = narrator{t, w}
	}
	w.declareVersion("1", PhasePreview, false)
	if rapid.Bool().Draw(t, "begins complete") {
		w.declareVersion("1", PhaseComplete, true)
		w.run()
	}
	return w
}

var narrate = flag.Bool("narrate", false, "tell the story of a failed property")

// narrator tells the story of a world before it fails.
type narrator struct {
	*rapid.T
	w *world
}

func (n narrator) Fatalf(format string, args ...any) {
	n.Helper()
	n.Logf("\n%s", n.w.story.text.String())
	for _, b := range n.w.balancers {
		n.Logf("%s: %s, zonal %t, drain %s", b.ID, n.w.memberWords(b), b.ZonalOnly, b.drain)
	}
	for _, m := range n.w.machines {
		n.Logf("%s of %s in %s: %s, hold %t, sick %t", m.ID, m.Revision, m.Zone, m.State, m.Hold, m.sick)
	}
	n.Logf("%s: %+v", n.w.last.Report.Stage, n.w.last.Report.Conditions)
	n.T.Fatalf(format, args...)
}

func (w *world) declareVersion(version string, phase Phase, meant bool) {
	w.spec.Version, w.spec.Phase, w.spec.PhaseFor = version, phase, ""
	if meant {
		w.spec.PhaseFor = version
	}
}

var phases = rapid.SampledFrom([]Phase{PhaseNone, PhasePreview, PhaseLive, PhaseRolledBack, PhaseComplete})

// randomEvent is something that a person does, or that happens.
func (w *world) randomEvent(t *rapid.T) {
	events := []func(*rapid.T){w.editVersion, w.editVersion, w.editPhase, w.editPhase, w.editSpec, w.editPools, w.hurtServer, w.hurtServer,
		w.hurtPool, w.hurtEC2, w.hurtUs}
	rapid.SampledFrom(events).Draw(t, "event")(t)
	if w.story != nil {
		w.story.say("version %s phase %s for %q, replicas %d at %d%%, paused %t, pools %v", w.spec.Version, orNone(w.spec.Phase), w.spec.PhaseFor,
			w.spec.Replicas, w.spec.MinHealthyPercent, w.spec.Paused, w.declared)
	}
}

func (w *world) editVersion(t *rapid.T) {
	version := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "version")
	w.declareVersion(version, phases.Draw(t, "phase"), rapid.Bool().Draw(t, "phaseFor is set"))
}

func (w *world) editPhase(t *rapid.T) {
	w.declareVersion(w.spec.Version, phases.Draw(t, "phase"), rapid.Bool().Draw(t, "phaseFor is set"))
}

func (w *world) editSpec(t *rapid.T) {
	rapid.SampledFrom([]func(){
		func() { w.spec.Replicas = rapid.IntRange(1, 4).Draw(t, "replicas") },
		func() {
			w.spec.MinHealthyPercent = rapid.SampledFrom([]int{1, 50, 67, 100}).Draw(t, "minHealthyPercent")
		},
		func() { w.spec.Paused = !w.spec.Paused },
		func() { w.spec.Retry = rapid.StringMatching("[a-c]").Draw(t, "retry") },
		func() {
			w.spec.CompleteAfter = time.Duration(rapid.IntRange(0, 3).Draw(t, "completeAfter")) * time.Minute
		},
		func() { w.spec.AutoRollback = !w.spec.AutoRollback },
		func() { w.spec.MaxServers = rapid.SampledFrom([]int{0, 4, 8}).Draw(t, "maxServers") },
		func() {
			w.spec.Override = Override{
				Revision: revisionOf(w.spec.Version), Phase: phases.Draw(t, "override"), By: "ops", Reason: "so",
				ExpiresAt: w.now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "minutes")) * time.Minute),
			}
		},
		func() { w.spec.Override = Override{} },
		func() { w.known, w.unknown = !w.known, Problem{Reason: ReasonImageNotFound, Message: "no image"} },
		func() {
			w.spec.Refused = rapid.SampledFrom([]Problem{{}, {Reason: ReasonClassNotFound, Message: "no class"}}).Draw(t, "refused")
		},
	}).Draw(t, "edit")()
}

// editPools declares other pools; at least one production pool stays.
func (w *world) editPools(t *rapid.T) {
	b := rapid.SampledFrom(w.balancers).Draw(t, "pool")
	production := slices.DeleteFunc(slices.Clone(w.declared), func(r poolRef) bool { return r.use != UseProduction || r.id == b.ID })
	switch rapid.SampledFrom([]string{"drop", "declare", "new"}).Draw(t, "edit of pools") {
	case "drop":
		if len(production) > 0 {
			w.undeclarePool(b.ID)
		}
	case "declare":
		if len(production) > 0 {
			w.declarePool(b.ID, rapid.SampledFrom([]PoolUse{UseTest, UseProduction}).Draw(t, "use"))
		}
	case "new":
		if len(w.balancers) < 6 {
			w.addPool(fmt.Sprintf("new%d", len(w.balancers)), rapid.SampledFrom([]PoolUse{UseTest, UseProduction}).Draw(t, "use"), KindALB)
		}
	}
}

// hurtServer does something to a server of ours, or heals it.
func (w *world) hurtServer(t *rapid.T) {
	var ours []*machine
	for _, m := range w.machines {
		if m.owner == uid && m.ended.IsZero() {
			ours = append(ours, m)
		}
	}
	if len(ours) == 0 {
		return
	}
	m := rapid.SampledFrom(ours).Draw(t, "server")
	b := rapid.SampledFrom(w.balancers).Draw(t, "its pool")
	rapid.SampledFrom([]func(){
		func() { w.end(m, "Server.InternalError") },
		func() { m.State = StateStopped },
		func() { m.State = StateRunning },
		func() { m.Impaired = !m.Impaired },
		func() { m.Hold = !m.Hold },
		func() { m.sick = !m.sick },
		func() { m.mute = !m.mute },
		func() {
			for _, other := range ours {
				other.sick = other.sick || other.Revision == m.Revision
			}
		},
		func() {
			for _, other := range ours {
				if other.Revision == m.Revision {
					w.end(other, "Server.InternalError")
				}
			}
		},
		func() { w.takeOut(b, m.ID) },
		func() {
			if slices.ContainsFunc(w.declared, func(r poolRef) bool { return r.id == b.ID }) && b.members[m.ID] == nil {
				b.members[m.ID] = &membership{since: w.now}
			}
		},
	}).Draw(t, "what happens to it")()
}

func (w *world) hurtPool(t *rapid.T) {
	b := rapid.SampledFrom(w.balancers).Draw(t, "pool")
	rapid.SampledFrom([]func(){
		func() { b.sick = !b.sick },
		func() { b.broken = "Throttling: rate exceeded" },
		func() { b.broken = "" },
		func() { w.remove(b.ID) },
		func() { b.gone = false },
		func() { b.NotInUse = !b.NotInUse },
		func() { b.behind = time.Duration(rapid.IntRange(0, 9).Draw(t, "seconds behind")) * time.Second },
	}).Draw(t, "what happens to it")()
}

func (w *world) hurtEC2(t *rapid.T) {
	rapid.SampledFrom([]func(){
		func() { w.ec2Err = "RequestLimitExceeded" },
		func() { w.ec2Err = "" },
		func() { w.lag = time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds of lag")) * time.Second },
		func() {
			at := rapid.SampledFrom([]string{"large@a", "large@b", "small@a", "small@b"}).Draw(t, "where")
			w.room[at] = rapid.IntRange(0, 2).Draw(t, "room")
		},
		func() { clear(w.room) },
		func() { w.refusal = Failure{FailureRejected, ReasonInvalidParameter, "InvalidParameterValue"} },
		func() { w.refusal = Failure{} },
		func() { w.lost = rapid.IntRange(1, 4).Draw(t, "answers lost") },
		func() { w.vain = rapid.IntRange(1, 4).Draw(t, "calls in vain") },
		func() { w.stillborn = !w.stillborn },
		func() { w.slow = time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes to boot")) * time.Minute },
		func() { w.sickVersions[rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "version")] = true },
	}).Draw(t, "what happens to EC2")()
}

// hurtUs crashes the process, stops it for a while, or lets its calls fail.
func (w *world) hurtUs(t *rapid.T) {
	rapid.SampledFrom([]func(){
		func() { w.crash = crash(rapid.IntRange(1, int(crashBeforeRecord)).Draw(t, "crash")) },
		func() { w.soft, w.lastServers = Soft{}, nil },
		func() { w.now = w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes away")) * time.Minute) },
		func() { w.failing = func(Action) bool { return w.dice.IntN(3) == 0 } },
		func() { w.failing = nil },
	}).Draw(t, "what happens to us")()
}

// heal ends all faults, and lets people end what they did in an emergency.
func (w *world) heal() {
	w.ec2Err, w.lag, w.refusal, w.lost, w.vain, w.stillborn, w.slow = "", 0, Failure{}, 0, 0, false, 0
	clear(w.room)
	clear(w.sickVersions)
	w.failing, w.crash, w.known = nil, crashNever, true
	for _, b := range w.balancers {
		b.sick, b.broken, b.gone, b.NotInUse, b.behind = false, "", false, false, 0
	}
	for _, m := range w.machines {
		m.sick, m.mute, m.Impaired = false, false, false
		if m.State == StatePending {
			m.runs = w.now
		}
	}
	if w.story != nil {
		w.story.say("all faults end")
	}
	w.spec.Paused, w.spec.Override, w.spec.Refused, w.spec.MaxServers = false, Override{}, Problem{}, 0
	if w.dice.IntN(2) == 0 || w.exhausted() { // whoever mends the cause need not ask for a retry, but where servers died again and again
		w.spec.Retry = "healed"
	}
}

// exhausted: so many launches of a revision brought servers that ended that no more may follow by itself.
func (w *world) exhausted() bool {
	for _, r := range w.etcd.Revisions {
		deaths := 0
		for _, a := range r.Launches {
			ended := slices.ContainsFunc(a.Servers, func(id string) bool { m := w.machine(id); return m == nil || !m.ended.IsZero() })
			if ended || a.Failure.Kind == FailureDied {
				deaths++
			}
		}
		if deaths >= deathsToStall-1 { // one more may end before anybody notices
			return true
		}
	}
	return false
}

// checkDesired compares the truth with what the table of the four phases asks for.
func (w *world) checkDesired() {
	w.t.Helper()
	last := w.last.Report
	target, stable := revisionOf(w.spec.Version), w.stable()
	phase := w.spec.Phase
	if (phase == PhaseLive || phase == PhaseComplete) && w.spec.PhaseFor != "" && w.spec.PhaseFor != w.spec.Version {
		phase = PhaseNone
	}
	if r := w.etcd.find(target); r == nil || r.Lost {
		if phase != PhaseRolledBack {
			w.t.Fatalf("%s was never recorded: %s", target, last.Message)
		}
		return // nothing is looked up for a rollback
	}
	if verdict := w.etcd.find(target).Verdict; verdict.Reason != "" && phase != PhasePreview {
		phase = PhaseRolledBack
		if verdict.Reason == ReasonAutoRolledBack && last.Stage == StageRollingBack {
			return // the candidate stays where stable is no healthier: a person's to decide
		}
	}
	if w.standOff() {
		return
	}
	serving := stable
	switch {
	case stable == target:
	case phase == PhaseLive, stable == "" && last.Live, phase == PhaseNone && last.Live:
		serving = target
	case phase == PhaseComplete:
		w.t.Fatalf("%s is declared Complete and %s is stable: %s", target, stable, last.Message)
	}
	for _, ref := range w.declared {
		b := w.pool(ref.id)
		switch {
		case ref.use == UseProduction && serving == "":
			// a first version in Preview: production is nobody's
		case ref.use == UseProduction:
			w.checkMembers(b, serving)
		case stable != target && serving != target && phase == PhaseRolledBack:
			// the rejected candidate is shown as far as it runs
		case stable != target && serving != target:
			w.checkMembers(b, target)
		default:
			w.checkMembers(b, "")
		}
	}
	w.checkFleets(target, stable, phase)
}

// standOff: law 1 keeps servers in, nothing will change that, and it is said. A zone of a pool that does not balance across
// zones has only such servers, the fleet to fall back to is sick and its record is lost, or a first version in Preview has its only server
// in production by another hand.
func (w *world) standOff() bool {
	zonal := slices.ContainsFunc(w.balancers, func(b *balancer) bool { return b.ZonalOnly }) && len(w.last.Report.Held) > 0
	lost := w.last.Report.Stable != nil && w.isLost(w.last.Report.Stable.Revision)
	first := w.last.Report.Stable == nil && len(w.last.Report.Held) > 0
	return (zonal || lost || first) && slices.ContainsFunc(w.last.Report.Conditions, func(c Condition) bool {
		return c.Type == CondStalled && c.True
	})
}

// checkMembers: of ours, exactly the good servers of the revision are in the pool, and healthy.
func (w *world) checkMembers(b *balancer, revision string) {
	w.t.Helper()
	n := 0
	for _, m := range w.machines {
		ms := b.members[m.ID]
		if m.owner != uid || !m.ended.IsZero() || m.Hold {
			continue
		}
		wanted := m.Revision == revision && m.good()
		switch {
		case wanted && !w.healthy(b, m.ID):
			w.t.Fatalf("%s of %s should be healthy in %s: %s", m.ID, m.Revision, b.ID, w.last.Report.Message)
		case !wanted && ms != nil && ms.leaving.IsZero():
			w.t.Fatalf("%s of %s should not be in %s: %s", m.ID, m.Revision, b.ID, w.last.Report.Message)
		case wanted:
			n++
		}
	}
	if revision != "" && n != w.spec.Replicas && !w.isLost(revision) {
		w.t.Fatalf("%d of %d servers of %s are in %s: %s", n, w.spec.Replicas, revision, b.ID, w.last.Report.Message)
	}
}

// isLost: the fleet has no record.
func (w *world) isLost(revision string) bool {
	r := w.etcd.find(revision)
	return r == nil || r.Lost
}

// checkFleets: the fleets that are needed have their size, the others are gone.
func (w *world) checkFleets(target, stable string, phase Phase) {
	w.t.Helper()
	size := map[string]int{}
	for _, m := range w.machines {
		if m.owner == uid && m.ended.IsZero() && !m.Hold {
			size[m.Revision]++
		}
	}
	keep := w.fleetsToKeep()
	for revision, n := range size {
		rejected := revision == target && phase == PhaseRolledBack && stable != ""
		switch {
		case !slices.Contains(keep, revision) && stable == "" && !w.last.Report.Live && w.inProductionPool(revision):
			// there is nothing that could take its place yet, and law 1 keeps it in
		case !slices.Contains(keep, revision):
			w.t.Fatalf("%d servers of %s are left: %s", n, revision, w.last.Report.Message)
		case w.isLost(revision):
			// it is as large as it is
		case (revision == target && !rejected || revision == stable) && n != w.spec.Replicas:
			w.t.Fatalf("%d of %d servers of %s: %s", n, w.spec.Replicas, revision, w.last.Report.Message)
		}
	}
}

func (w *world) inProductionPool(revision string) bool {
	return slices.ContainsFunc(w.declared, func(r poolRef) bool {
		return r.use == UseProduction && slices.ContainsFunc(w.machines, func(m *machine) bool {
			ms := w.pool(r.id).members[m.ID]
			return m.Revision == revision && ms != nil && ms.leaving.IsZero()
		})
	})
}

// ControllerRevisions that somebody deletes: the role tags and the servers are what is left. Nothing healthy leaves
// production for it, the fleet that serves is not ended, and the Release comes to rest as declared.
func TestLostRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		for range rapid.IntRange(1, 10).Draw(t, "events") {
			if rapid.IntRange(0, 3).Draw(t, "a record is lost") == 0 && len(w.etcd.Revisions) > 0 {
				w.lose(rapid.SampledFrom(w.etcd.Revisions).Draw(t, "which").Name)
			}
			w.randomEvent(t)
			w.lag = 0 // what nobody remembers and nobody sees cannot be known
			for range rapid.IntRange(0, 8).Draw(t, "passes") {
				w.pass()
			}
		}
		w.heal()
		w.run()
		w.spec.Retry = "once more" // attempts count from one again: their tokens may be those of servers that ended
		w.run()
		w.checkDesired()
		checkAtRest(t, w)
	})
}

// lose deletes a record. A pool that left the spec is not known to anybody any more then.
func (w *world) lose(revision string) {
	w.etcd.Revisions = slices.DeleteFunc(w.etcd.clone().Revisions, func(r Revision) bool { return r.Name == revision })
	for _, b := range w.balancers {
		delete(b.ours, revision)
	}
	if w.story != nil {
		w.story.say("the record of %s is lost", revision)
	}
}
