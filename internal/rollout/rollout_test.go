package rollout

import (
	"fmt"
	"testing"
	"time"
)

// The everyday life of a Release, told step by step. testdata/ has the stories; `go test -run Stories -update` writes them
// anew. After every step that says nothing else the world comes to rest, and at the end of a story it stays there.
func TestStories(t *testing.T) {
	type tale struct {
		world func(reporter) *world
		steps []step
	}
	for name, s := range map[string]tale{
		// deploys
		"first deploy":               {newWorld, []step{declare("1", PhasePreview), phase(PhaseLive), phase(PhaseComplete)}},
		"second version":             {stable1, []step{declare("2", PhasePreview), phase(PhaseLive), phase(PhaseComplete)}},
		"rolled back and live again": {live2, []step{phase(PhaseRolledBack), phase(PhaseLive)}},
		"straight to live":           {stable1, []step{send("2", PhaseLive)}},
		"straight to complete":       {stable1, []step{send("2", PhaseComplete)}},
		"phaseFor left behind":       {live2, []step{edit("declare version 3, phaseFor stays 2", func(s *Spec) { s.Version = "3" }), phase(PhaseLive)}},
		"no phase": {
			stable1,
			[]step{declare("2", PhaseNone), phase(PhaseLive), edit("phase is left out", func(s *Spec) { s.Phase, s.PhaseFor = "", "" })},
		},
		"preview of a live one": {live2, []step{phase(PhasePreview)}},
		"complete after a time": {live2, []step{
			edit("complete after 10m", func(s *Spec) { s.CompleteAfter = 10 * time.Minute }).lasting(5 * time.Minute),
			sicken("2").lasting(time.Minute), mend("2").lasting(4 * time.Minute), none("wait"),
		}},
		"several production pools": {pools3, []step{declare("2", PhasePreview), phase(PhaseLive), phase(PhaseRolledBack)}},

		// newer versions
		"newer version in preview":            {preview2, []step{declare("3", PhasePreview)}},
		"newer version mid-promotion":         {preview2, []step{phase(PhaseLive).until(StagePromoting), declare("3", PhasePreview)}},
		"newer version sent mid-promotion":    {preview2, []step{phase(PhaseLive).until(StagePromoting), send("3", PhaseLive)}},
		"newer version after the gate":        {pools3preview2, []step{gatePassed(), declare("3", PhasePreview)}},
		"newer version while live":            {live2, []step{declare("3", PhasePreview), phase(PhaseLive)}},
		"newer version cancelled":             {live2, []step{declare("3", PhasePreview), send("2", PhaseLive), phase(PhaseComplete)}},
		"newer version cancelled in preview":  {live2, []step{declare("3", PhasePreview), declare("2", PhasePreview), phase(PhaseLive)}},
		"older version again while live":      {live2, []step{declare("3", PhasePreview), declare("1", PhasePreview), phase(PhaseLive)}},
		"newer version while rolled back":     {rolled2, []step{declare("3", PhasePreview)}},
		"newer version of an unhealthy first": {newWorld, []step{sick("1").passes(0), declare("1", PhasePreview), declare("2", PhasePreview)}},
		"back to stable in preview":           {preview2, []step{unresolvable(), declare("1", PhaseNone)}},
		"back to stable while live":           {live2, []step{unresolvable(), declare("1", PhaseNone)}},
		"version cannot be looked up": {
			stable1,
			[]step{unresolvable(), declare("2", PhasePreview), happens("the parameter is there", func(w *world) { w.known = true })},
		},

		// promotions that fail
		"promotion that never gets healthy": {preview2, []step{
			happens(
				"version 2 fails in production",
				func(w *world) { w.pool("edge").sick, w.pool("edge").spares = true, "1" }), phase(PhaseLive).lasting(11 * time.Minute),
			happens("version 2 is mended", func(w *world) { w.pool("edge").sick = false }), edit("retry a", func(s *Spec) { s.Retry = "a" }),
		}},
		"first promotion that never gets healthy": {newWorld, []step{
			declare(
				"1", PhasePreview), happens("production fails every check",
				func(w *world) { w.pool("edge").sick = true }), phase(PhaseLive).lasting(11 * time.Minute),
			phase(PhasePreview), phase(PhaseRolledBack), happens("production is mended", func(w *world) { w.pool("edge").sick = false }), phase(PhaseLive),
		}},
		"one production pool of two is sick": {pools3preview2, []step{
			happens(
				"version 2 fails in api",
				func(w *world) { w.pool("api").sick, w.pool("api").spares = true, "1" }), phase(PhaseLive).lasting(5 * time.Minute),
			phase(PhasePreview), phase(PhaseLive).lasting(11 * time.Minute),
		}},
		"automatic rollback":               {autoLive2, []step{sicken("2"), mend("2"), phase(PhasePreview)}},
		"no automatic rollback of both":    {autoLive2, []step{both("1", "2"), mend("2"), mend("1")}},
		"no automatic rollback while away": {autoLive2, []step{stop("1"), sicken("2")}},
		"rollback to a sick standby":       {live2, []step{sicken("1"), phase(PhaseRolledBack), mend("1")}},
		"rollback to half a standby":       {live2, []step{sickenOne("1"), phase(PhaseRolledBack)}},
		"rollback to a dead standby":       {live2, []step{die("1").passes(0), phase(PhaseRolledBack)}},
		"complete is refused":              {live2, []step{sickenOne("2"), phase(PhaseComplete), mend("2")}},
		"crash in the middle of complete": {live2, []step{
			crashing(phase(PhaseComplete), crashAfterMemory), crashing(none("the new controller").until(StageSettled), crashNever),
			crashing(none("it crashes while it tags").passes(1), crashWithinActions), phase(PhaseRolledBack), phase(PhaseComplete),
		}},

		// people
		"paused": {preview2, []step{
			phase(
				PhaseLive).until(StagePromoting), edit("paused", func(s *Spec) { s.Paused = true }).lasting(20 * time.Minute), edit("go on",
				func(s *Spec) { s.Paused = false },
			),
		}},
		"rollback under pause": {
			live2,
			[]step{edit("paused", func(s *Spec) { s.Paused = true }), die("2"), phase(PhaseRolledBack), edit("go on", func(s *Spec) { s.Paused = false })},
		},
		"override": {live2, []step{
			override(PhaseRolledBack, 30*time.Minute), none("until it expires").lasting(25 * time.Minute), none("and after"),
		}},
		"override ended by a commit": {live2, []step{override(PhaseRolledBack, 24*time.Hour), declare("3", PhaseNone)}},
		"override past a verdict": {preview2, []step{
			happens("version 2 fails in production", func(w *world) { w.pool("edge").sick, w.pool("edge").spares = true, "1" }),
			override(PhaseLive, time.Hour), none("until it expires").lasting(time.Hour), none("and after"),
		}},

		// scale
		"scale in preview":       {preview2, []step{replicas(3), replicas(1)}},
		"scale mid-promotion":    {preview2, []step{phase(PhaseLive).until(StagePromoting), replicas(3), replicas(1)}},
		"scale down promoting":   {preview2, []step{phase(PhaseLive).until(StagePromoting), replicas(1)}},
		"scale after the gate":   {pools3preview2, []step{gatePassed(), replicas(3)}},
		"scale while live":       {live2, []step{replicas(3), replicas(1)}},
		"scale when rolled back": {rolled2, []step{replicas(3), replicas(1)}},
		"scale when complete":    {stable1, []step{replicas(4), replicas(1)}},

		// servers
		"server dies in preview":         {preview2, []step{dieOne("2"), dieOne("1")}},
		"server dies mid-promotion":      {preview2, []step{phase(PhaseLive).until(StagePromoting), dieOne("2")}},
		"server dies after the gate":     {pools3preview2, []step{gatePassed(), dieOne("2")}},
		"server dies while live":         {live2, []step{dieOne("2"), dieOne("1")}},
		"server dies when rolled back":   {rolled2, []step{dieOne("2"), dieOne("1")}},
		"server dies when complete":      {stable1, []step{dieOne("1")}},
		"server stops in preview":        {preview2, []step{stopOne("2"), stopOne("1")}},
		"server stops while live":        {live2, []step{stopOne("2"), stopOne("1")}},
		"server stops and comes back":    {stable1, []step{stopOne("1").lasting(2 * time.Minute), startAll()}},
		"server held in preview":         {preview2, []step{holdOne("2"), holdOne("1"), release()}},
		"server held mid-promotion":      {preview2, []step{phase(PhaseLive).until(StagePromoting), holdOne("2")}},
		"server held while live":         {live2, []step{holdOne("2"), holdOne("1"), phase(PhaseComplete)}},
		"server taken out in preview":    {preview2, []step{takeOut("2", "preview"), takeOut("1", "edge")}},
		"server taken out mid-promotion": {preview2, []step{phase(PhaseLive).until(StagePromoting), takeOut("2", "edge"), takeOut("1", "edge")}},
		"server taken out while live":    {live2, []step{takeOut("2", "edge")}},
		"server put in while live":       {live2, []step{putIn("1", "edge"), putIn("2", "preview")}},
		"server taken out rolled back":   {rolled2, []step{takeOut("1", "edge")}},
		"image that terminates at boot": {
			stable1,
			[]step{
				happens("servers terminate as they boot", func(w *world) { w.stillborn = true }), declare("2", PhasePreview),
				happens("the image is mended", func(w *world) { w.stillborn = false }), edit("retry a", func(s *Spec) { s.Retry = "a" }),
			},
		},
		"strangers in the same pools": {
			strangers,
			[]step{declare("2", PhasePreview), phase(PhaseLive), phase(PhaseRolledBack), phase(PhaseLive), phase(PhaseComplete)},
		},
		"servers that boot and never run": {
			stable1,
			[]step{
				happens("servers stay pending", func(w *world) { w.slow = 30 * time.Minute }), declare("2", PhasePreview),
				none("they run").lasting(20 * time.Minute), none("and after"),
			},
		},

		// launching
		"no room for the first type": {stable1, []step{room("large@a", 0), declare("2", PhasePreview)}},
		"no room in a subnet":        {stable1, []step{room("large@b", 0, "small@b"), declare("2", PhasePreview)}},
		"no room anywhere": {
			stable1,
			[]step{
				room("large@a", 0, "small@a", "large@b", "small@b"), declare("2", PhasePreview).lasting(5 * time.Minute),
				happens("room again", func(w *world) { clear(w.room) }),
			},
		},
		"room for some": {stable1, []step{replicas(6), room("large@a", 1, "large@b"), declare("2", PhasePreview)}},
		"no room in a zone that production needs": {
			zonal1,
			[]step{
				room("large@b", 0, "small@b"), declare("2", PhasePreview).lasting(5 * time.Minute), phase(PhaseLive).lasting(5 * time.Minute),
				happens("room again", func(w *world) { clear(w.room) }),
			},
		},
		"launches refused": {stable1, []step{
			happens("EC2 refuses", func(w *world) {
				w.refusal = Failure{FailureRejected, ReasonQuotaExceeded, "VcpuLimitExceeded: you have requested more vCPU capacity than your limit"}
			}),
			declare("2", PhasePreview).lasting(10 * time.Minute), happens("the quota is raised", func(w *world) { w.refusal = Failure{} }),
		}},
		"launch without an answer": {stable1, []step{happens("two answers are lost", func(w *world) { w.lost = 2 }), declare("2", PhasePreview)}},
		"launch that never was":    {stable1, []step{happens("two calls time out", func(w *world) { w.vain = 2 }), declare("2", PhasePreview)}},
		"dropped while launching": {
			stable1,
			[]step{happens("four calls time out", func(w *world) { w.vain = 4 }), declare("2", PhasePreview).passes(1), declare("1", PhaseNone)},
		},
		"more than the class allows": {
			stable1,
			[]step{
				edit("three servers at most", func(s *Spec) { s.MaxServers = 3 }), declare("2", PhasePreview),
				edit("four", func(s *Spec) { s.MaxServers = 4 }),
			},
		},

		// pools
		"production pool added while live":   {live2, []step{addPool("api", UseProduction), dropPool("edge"), phase(PhaseRolledBack), phase(PhaseComplete)}},
		"production pool swapped in preview": {preview2, []step{swapPool("edge", "edge2", UseProduction), phase(PhaseLive)}},
		"production pool removed, complete":  {stable1, []step{addPool("api", UseProduction), dropPool("edge"), send("2", PhaseComplete)}},
		"test pool swapped in preview":       {preview2, []step{swapPool("preview", "preview2", UseTest), phase(PhaseLive)}},
		"pool added that is sick": {
			live2,
			[]step{addPool("api", UseProduction), sickPool("api"), edit("auto-rollback on", func(s *Spec) { s.AutoRollback = true }), dropPool("api")},
		},
		"pool added mid-promotion": {preview2, []step{phase(PhaseLive).until(StagePromoting), addPool("api", UseProduction)}},
		"no test pool":             {noTest1, []step{declare("2", PhasePreview), phase(PhaseLive)}},
		"pool cannot be read": {
			live2,
			[]step{
				happens("edge cannot be read", func(w *world) { w.pool("edge").broken = "Throttling: rate exceeded" }),
				phase(PhaseRolledBack).lasting(2 * time.Minute), happens("edge can be read", func(w *world) { w.pool("edge").broken = "" }),
			},
		},
		"EC2 cannot be read": {
			live2,
			[]step{
				happens("EC2 cannot be read", func(w *world) { w.ec2Err = "RequestLimitExceeded: Request limit exceeded" }), phase(PhaseRolledBack),
				happens("EC2 can be read", func(w *world) { w.ec2Err = "" }),
			},
		},
		"load balancer is gone": {live2, []step{goneStep("edge"), phase(PhaseComplete), back("edge")}},
		"target group in no listener": {
			preview2,
			[]step{
				happens("no listener uses edge", func(w *world) { w.pool("edge").NotInUse = true }),
				happens("a listener uses it", func(w *world) { w.pool("edge").NotInUse = false }),
			},
		},

		// the beginning and the end of an object
		"adopt hand-made servers":     {handmade, []step{declare("1", PhasePreview), phase(PhaseLive), phase(PhaseComplete)}},
		"former servers found":        {former(false), []step{declare("1", PhasePreview)}},
		"former servers taken over":   {former(true), []step{declare("1", PhasePreview), declare("2", PhasePreview)}},
		"deleted, retain":             {live2, []step{deleted(false).passes(1)}},
		"deleted, terminate":          {live2, []step{deleted(true)}},
		"deleted mid-promotion":       {preview2, []step{phase(PhaseLive).until(StagePromoting), deleted(true)}},
		"deleted, load balancer gone": {live2, []step{goneStep("edge"), deleted(true)}},
		"deleted while launching": {
			stable1,
			[]step{happens("four calls time out", func(w *world) { w.vain = 4 }), declare("2", PhasePreview).passes(1), deleted(true)},
		},
		"deleted, servers hidden": {
			stable1,
			[]step{happens("EC2 hides new servers for 2m", func(w *world) { w.lag = 2 * time.Minute }), declare("2", PhasePreview).passes(1), deleted(true)},
		},
		"forbidden": {
			live2,
			[]step{
				edit("the class is gone", func(s *Spec) {
					s.Refused = Problem{Reason: ReasonClassNotFound, Message: "there is no ReleaseClass default; make it"}
				}),
				phase(PhaseRolledBack), edit("the class is there", func(s *Spec) { s.Refused = Problem{} }),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.world(t)
			tell(t, name, w, s.steps)
			if !w.last.Gone {
				checkAtRest(t, w)
			}
		})
	}
}

// gatePassed promotes until the gate is passed, with a load balancer that does not let version 1 go yet.
func gatePassed() step {
	s := phase(PhaseLive)
	s.title += ", until the gate is passed and api answers nothing"
	s.play = func(w *world) {
		w.failing = func(a Action) bool { d, ok := a.(Deregister); return ok && d.Pool.ID == "api" }
		w.runFor(time.Hour, func() bool { return w.last.Report.Stage == StageSwitching })
		w.failing = nil
	}
	return s
}

// What happens to servers.

func each(title string, one bool, version string, change func(*world, *machine)) step {
	return happens(title, func(w *world) {
		for i, m := range w.fleet(version) {
			if !one || i == 0 {
				change(w, m)
			}
		}
	})
}

func sick(version string) step {
	return happens("version "+version+" never gets healthy", func(w *world) { w.sickVersions[version] = true })
}
func sicken(version string) step {
	return each("version "+version+" gets sick", false, version, func(_ *world, m *machine) { m.sick = true })
}
func sickenOne(version string) step {
	return each("a server of version "+version+" gets sick", true, version, func(_ *world, m *machine) { m.sick = true })
}
func mend(version string) step {
	return each("version "+version+" is mended", false, version, func(_ *world, m *machine) { m.sick = false })
}
func both(a, b string) step {
	return happens("versions "+a+" and "+b+" get sick", func(w *world) {
		for _, m := range append(w.fleet(a), w.fleet(b)...) {
			m.sick = true
		}
	})
}
func die(version string) step {
	return each("version "+version+" dies", false, version, func(w *world, m *machine) { w.end(m, "Server.InternalError: hardware") })
}
func dieOne(version string) step {
	return each("a server of version "+version+" dies", true, version, func(w *world, m *machine) { w.end(m, "Server.InternalError: hardware") })
}
func stop(version string) step {
	return each("version "+version+" is stopped", false, version, func(_ *world, m *machine) { m.State = StateStopped })
}
func stopOne(version string) step {
	return each("a server of version "+version+" is stopped", true, version, func(_ *world, m *machine) { m.State = StateStopped })
}
func startAll() step {
	return happens("it is started again", func(w *world) {
		for _, m := range w.machines {
			if m.State == StateStopped {
				m.State = StateRunning
			}
		}
	})
}
func holdOne(version string) step {
	return each("a person holds a server of version "+version, true, version, func(_ *world, m *machine) { m.Hold = true })
}
func release() step {
	return happens("nobody holds anything", func(w *world) {
		for _, m := range w.machines {
			m.Hold = false
		}
	})
}
func takeOut(version, pool string) step {
	return each("a person takes a server of version "+version+" out of "+pool, true, version, func(w *world, m *machine) { delete(w.pool(pool).members, m.ID) })
}
func putIn(version, pool string) step {
	return each("a person puts a server of version "+version+" into "+pool, true, version, func(w *world, m *machine) {
		w.pool(pool).members[m.ID] = &membership{since: w.now}
	})
}

// What happens to EC2 and to pools.

func room(at string, n int, more ...string) step {
	return happens(fmt.Sprintf("room for %d at %s %v", n, at, more), func(w *world) {
		for _, at := range append(more, at) {
			w.room[at] = n
		}
	})
}
func unresolvable() step {
	return happens("SSM is down", func(w *world) {
		w.known, w.unknown = false, Problem{Reason: ReasonImageParameterNotFound, Message: "SSM parameter /images/web cannot be read"}
	})
}
func addPool(id string, use PoolUse) step {
	return happens(fmt.Sprintf("%s pool %s is added", use, id), func(w *world) { w.addPool(id, use, KindClassic) })
}
func dropPool(id string) step {
	return happens("pool "+id+" is removed from the spec", func(w *world) { w.undeclarePool(id) })
}
func swapPool(old, id string, use PoolUse) step {
	return happens("pool "+old+" is replaced by "+id, func(w *world) { w.undeclarePool(old); w.addPool(id, use, KindClassic) })
}
func sickPool(id string) step {
	return happens(id+" fails every check", func(w *world) { w.pool(id).sick = true })
}
func goneStep(id string) step {
	return happens(id+" is deleted in AWS", func(w *world) { w.remove(id) })
}
func back(id string) step {
	return happens(id+" is made again", func(w *world) { w.pool(id).gone = false })
}

// What people do.

func override(phase Phase, d time.Duration) step {
	return happens(fmt.Sprintf("override %s for %s", phase, d), func(w *world) {
		w.spec.Override = Override{Revision: revisionOf(w.spec.Version), Phase: phase, Reason: "it is burning", By: "ops", ExpiresAt: w.now.Add(d)}
	}).passes(30)
}
func deleted(terminate bool) step {
	title := "the Release is deleted, servers are retained"
	if terminate {
		title = "the Release is deleted, servers are terminated"
	}
	s := edit(title, func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, terminate })
	s.play = func(w *world) { w.runFor(time.Hour, func() bool { return w.last.Gone }) }
	return s
}
func crashing(s step, at crash) step {
	do := s.do
	s.do = func(w *world) { do(w); w.crash = at }
	if s.play == nil {
		return s.passes(1)
	}
	return s
}

// Worlds to begin with.

func pools3(t reporter) *world {
	w := newWorld(t)
	w.addPool("api", UseProduction, KindNLB).delay = 3 * time.Minute
	return w.play(send("1", PhaseComplete))
}
func pools3preview2(t reporter) *world {
	w := newWorld(t)
	w.addPool("api", UseProduction, KindClassic).delay = 20 * time.Second
	return w.play(send("1", PhaseComplete), declare("2", PhasePreview))
}
func autoLive2(t reporter) *world {
	w := live2(t)
	w.spec.AutoRollback = true
	return w
}
func strangers(t reporter) *world {
	w := stable1(t)
	w.stranger("edge")
	w.stranger("preview")
	return w
}
func zonal1(t reporter) *world {
	w := newWorld(t)
	w.pool("edge").ZonalOnly = true
	return w.play(send("1", PhaseComplete))
}
func noTest1(t reporter) *world {
	w := newWorld(t)
	w.undeclarePool("preview")
	w.spec.Health.MinReady = 10 * time.Second
	return w.play(send("1", PhaseComplete))
}

// handmade has three servers in production that people made, and spec.adopt that selects them.
func handmade(t reporter) *world {
	w := newWorld(t)
	for _, subnet := range []string{"a", "a", "b"} {
		m := w.boot("0", subnet)
		m.owner, m.State, m.Role, m.Revision = "", StateRunning, RoleStable, "adopted"
		w.pool("edge").members[m.ID] = &membership{since: w.now}
		w.adopting = append(w.adopting, m.Server)
	}
	w.spec.Adopt = true
	w.now = w.now.Add(time.Minute)
	return w
}

// former has the servers of an object of the same name that was deleted with Retain: stable version 1 in production,
// candidate version 2 in preview.
func former(adopt bool) func(reporter) *world {
	return func(t reporter) *world {
		w := preview2(t)
		w.etcd, w.soft, w.spec.Adopt, w.spec.UID = Memory{}, Soft{}, adopt, "uid-2"
		for _, m := range w.machines {
			m.owner = "uid-0"
			w.former = append(w.former, m.Server)
		}
		if adopt {
			w.former, w.adopting = nil, w.former
		}
		return w
	}
}
