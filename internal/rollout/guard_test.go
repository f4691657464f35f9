package rollout

import (
	"strings"
	"testing"
	"time"
)

// The guards trust no stage: here each is asked about actions that no stage would plan.

// looking makes a view of a case as the guards see it: everything settled, nothing planned.
func looking(changes ...change) *view {
	v := newView(newCase(changes...))
	v.name()
	v.judge()
	v.settlePhase()
	return v
}

// asked is what the guards answer to an action of a plan: the law that holds it back, or nothing.
func (v *view) answer(plan ...Action) string {
	v.actions = plan[:len(plan)-1]
	law, why := v.holds(plan[len(plan)-1])
	if why == "" {
		return ""
	}
	return law + ": " + why
}

// act is an action on what a case reads.
type act func(Input) Action

func leaves(pool string, servers ...string) act {
	return func(in Input) Action {
		for _, p := range in.World.Pools {
			if p.ID == pool {
				return Deregister{Pool: p, Servers: servers, Why: "test"}
			}
		}
		return nil
	}
}

func joins(pool string, servers ...string) act {
	return does(Register{Pool: Pool{ID: pool, Name: pool}, Servers: servers, Why: "test"})
}

func ends(servers ...string) act { return does(Terminate{Servers: servers, Why: "test"}) }

func does(a Action) act { return func(Input) Action { return a } }

type guardCase struct {
	in   change
	plan []act
	want string // part of the answer to the last action of the plan; empty: it may pass
}

func runGuard(t *testing.T, cases map[string]guardCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var plan []Action
			for _, act := range c.plan {
				plan = append(plan, act(newCase(c.in)))
			}
			got := looking(c.in).answer(plan...)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("the answer is %q, want %q", got, c.want)
			}
		})
	}
}

func same(*Input) {}

func TestGuardForeign(t *testing.T) {
	stranger := all(members("edge", "i-1", "i-2", "i-9"), func(in *Input) {
		in.World.Adoptable = []Server{aServer("i-8", "0", "a")}
		in.World.Former = []Server{aServer("i-7", "0", "a")}
	})
	dead := server("i-3", func(s *Server) { s.State = StateTerminated })
	runGuard(t, map[string]guardCase{
		"register ours":               {stranger, []act{joins("preview", "i-3")}, ""},
		"register a stranger":         {stranger, []act{joins("preview", "i-3", "i-9")}, "law 6: only what is ours: server i-9 is not ours"},
		"deregister a stranger":       {stranger, []act{leaves("edge", "i-9")}, "server i-9 is not ours"},
		"terminate a stranger":        {stranger, []act{ends("i-9")}, "server i-9 is not ours"},
		"tag a stranger":              {stranger, []act{does(Tag{Servers: []string{"i-9"}, Role: RoleStable})}, "server i-9 is not ours"},
		"tag ours":                    {stranger, []act{does(Tag{Servers: []string{"i-1"}, Role: RoleStable})}, ""},
		"adopt who may be adopted":    {stranger, []act{does(Tag{Servers: []string{"i-8"}, Adopt: true})}, ""},
		"tag who may be adopted":      {stranger, []act{does(Tag{Servers: []string{"i-8"}})}, "server i-8 is not ours"},
		"adopt another":               {stranger, []act{does(Tag{Servers: []string{"i-9"}, Adopt: true})}, "server i-9 is not ours"},
		"adopt a former one":          {stranger, []act{does(Tag{Servers: []string{"i-7"}, Adopt: true})}, "server i-7 is not ours"},
		"touch one that is dead":      {dead, []act{joins("preview", "i-3")}, "server i-3 is not ours"},
		"touch one that nobody knows": {same, []act{ends("i-0")}, "server i-0 is not ours"},
	})
}

func TestGuardBlind(t *testing.T) {
	gone := pool("preview", func(p *Pool) { p.Err, p.Missing, p.Members = "LoadBalancerNotFound", true, nil })
	longGone := all(gone, since("vanished/preview", 5*time.Minute))
	released := func(in *Input) {
		in.World.Pools = append(in.World.Pools, Pool{ID: "old", Name: "old", Use: UseReleased, Err: "Throttling"})
	}
	over := all(since("out/i-3", time.Minute), since("out/i-4", time.Minute), members("preview"), spec(func(s *Spec) { s.Target, s.Version = "web-1", "1" }))
	end := ends("i-3")
	stale := func(in *Input) { in.World.ServersErr = "RequestLimitExceeded" } // with the list of before
	deleting := spec(func(s *Spec) { s.Deleting = true })
	open := Attempt{Number: 1, Token: "t", Subnet: "a", Type: "large", Places: []int{0}, Open: true}
	runGuard(t, map[string]guardCase{
		"everything can be read": {same, []act{leaves("preview", "i-3")}, ""},
		"deregister while another pool is unread": {
			unreadable("edge"),
			[]act{leaves("preview", "i-3")},
			"law 2: no removal without eyes: nothing is removed while pool edge cannot be read: Throttling",
		},
		"deregister while EC2 is unread":          {stale, []act{leaves("preview", "i-3")}, "EC2 cannot be read: RequestLimitExceeded"},
		"register while a pool is unread":         {unreadable("edge"), []act{joins("edge", "i-1")}, ""},
		"register while EC2 is unread":            {stale, []act{joins("edge", "i-1")}, ""},
		"launch while EC2 is unread":              {all(stale, attempts(open)), []act{does(Launch{Revision: "web-2", Attempt: open})}, "EC2 cannot be read"},
		"launch while a pool is unread":           {all(unreadable("edge"), attempts(open)), []act{does(Launch{Revision: "web-2", Attempt: open})}, ""},
		"tag while EC2 is unread":                 {stale, []act{does(Tag{Servers: []string{"i-1"}})}, "EC2 cannot be read"},
		"terminate while a pool is unread":        {all(over, unreadable("edge")), []act{end}, "nothing is removed while pool edge cannot be read"},
		"terminate while EC2 is unread":           {all(over, stale), []act{end}, "EC2 cannot be read"},
		"terminate while a pool is gone just now": {all(over, gone), []act{end}, "nothing is removed while pool preview cannot be read"},
		"terminate while a pool is long gone":     {all(over, longGone), []act{end}, ""},
		"terminate one that may still drain": {
			all(over, pool("preview", func(p *Pool) { p.Unasked = []string{"i-3"} })),
			[]act{end},
			"has not been out of every pool",
		},
		"deregister while a pool is long gone":     {longGone, []act{leaves("edge", "i-1")}, "nothing is removed while pool preview cannot be read"},
		"deregister while a released one is blind": {released, []act{leaves("preview", "i-3")}, ""},
		"terminate while a released one is blind":  {all(over, released), []act{end}, "has not been out of every pool"},
		"deletion looks at each pool":              {all(unreadable("edge"), deleting), []act{leaves("preview", "i-3")}, ""},
		"deletion needs EC2":                       {all(stale, deleting), []act{leaves("preview", "i-3")}, "EC2 cannot be read"},
	})
}

func TestGuardRemoval(t *testing.T) {
	reads := func(id string, state MemberState) change {
		return pool("edge", func(p *Pool) {
			for i := range p.Members {
				if p.Members[i].Server == id {
					p.Members[i].State = state
				}
			}
		})
	}
	sick := func(id string) change { return reads(id, MemberUnhealthy) }
	draining := func(id string) change { return reads(id, MemberDraining) }
	unknown := func(id string) change { return reads(id, MemberUnknown) }
	stopped := func(id string) change { return server(id, func(s *Server) { s.State = StateStopped }) }
	half := spec(func(s *Spec) { s.MinHealthyPercent = 50 })
	back := all(promoting, spec(func(s *Spec) { s.Phase = PhaseRolledBack })) // all four in edge, stable is wanted
	zonal := pool("edge", func(p *Pool) { p.ZonalOnly = true })
	oneZone := all(server("i-3", func(s *Server) { s.Zone = "zone-b" }), server("i-4", func(s *Server) { s.Zone = "zone-b" }))
	two := func(in *Input) { in.World.Pools = append(in.World.Pools, aPool("api", UseProduction, "i-3", "i-4")) }
	runGuard(t, map[string]guardCase{
		"a switch with all in": {promoting, []act{leaves("edge", "i-1", "i-2")}, ""},
		"a switch with one candidate sick": {
			all(promoting, sick("i-3")),
			[]act{leaves("edge", "i-1", "i-2")},
			"law 1: add before remove: edge: 1 healthy servers would stay and 2 are asked for",
		},
		"that is enough at 50 %": {all(promoting, half, sick("i-3")), []act{leaves("edge", "i-1", "i-2")}, ""},
		"draining servers do not count": {
			all(promoting, half, draining("i-3"), draining("i-4")),
			[]act{leaves("edge", "i-1", "i-2")},
			"0 healthy servers would stay",
		},
		"dead servers do not count": {
			all(promoting, half, server("i-3", func(s *Server) { s.State = StateShuttingDown }), sick("i-4")),
			[]act{leaves("edge", "i-1", "i-2")},
			"0 healthy servers would stay",
		},
		"strangers do not count": {
			all(same, members("edge", "i-1", "i-2", "i-9", "i-8")),
			[]act{leaves("edge", "i-1", "i-2")},
			"0 healthy servers would stay",
		},
		"two removals of one plan count together": {
			promoting,
			[]act{leaves("edge", "i-1", "i-2"), leaves("edge", "i-3")},
			"1 healthy servers would stay and 2 are asked for",
		},
		"removals from another pool do not": {all(promoting, two), []act{leaves("api", "i-3", "i-4"), leaves("edge", "i-1", "i-2")}, ""},
		"the last one never": {
			all(half, members("edge", "i-1")),
			[]act{leaves("edge", "i-1")},
			"0 healthy servers would stay and 1 are asked for",
		},
		"a sick one, where enough are healthy": {all(half, sick("i-1")), []act{leaves("edge", "i-1")}, ""},
		"a sick one, where none is healthy":    {all(sick("i-1"), sick("i-2")), []act{leaves("edge", "i-1")}, "0 healthy servers would stay and 1"},
		"one that is not known counts where it leaves": {
			unknown("i-1"),
			[]act{leaves("edge", "i-1")},
			"1 healthy servers would stay and 2 are asked for",
		},
		"and not where it stays": {all(promoting, unknown("i-3")), []act{leaves("edge", "i-1", "i-2")}, "1 healthy servers would stay and 2"},
		"zonal: it counts in its zone": {
			all(zonalFour, members("edge", "i-1", "i-2", "i-3", "i-4", "i-5", "i-6"), unknown("i-1")),
			[]act{leaves("edge", "i-1")},
			"1 healthy servers would stay in zone-a and 2 are needed there",
		},
		"a stopped one, where none is healthy": {all(stopped("i-1"), sick("i-1"), sick("i-2")), []act{leaves("edge", "i-1")}, ""},
		"from the test pool, whatever stays":   {same, []act{leaves("preview", "i-3", "i-4")}, ""},
		"from a released pool, whatever stays": {pool("edge", func(p *Pool) { p.Use = UseReleased }), []act{leaves("edge", "i-1", "i-2")}, ""},
		"in a deletion, whatever stays":        {spec(func(s *Spec) { s.Deleting = true }), []act{leaves("edge", "i-1", "i-2")}, ""},

		"a rollback with stable healthy": {back, []act{leaves("edge", "i-3", "i-4")}, ""},
		"a rollback with stable sick": {
			all(back, sick("i-1"), sick("i-2")),
			[]act{leaves("edge", "i-3", "i-4")},
			"the stable version is not back in every production pool",
		},
		"a rollback with one of stable sick": {all(back, sick("i-1")), []act{leaves("edge", "i-3", "i-4")}, "not back in every production pool"},
		"the same after rollbackTimeout":     {all(back, sick("i-1"), since("rollback/web-1", time.Minute)), []act{leaves("edge", "i-3", "i-4")}, ""},
		"a rollback, stable sick in another": {all(back, two), []act{leaves("edge", "i-3", "i-4")}, "not back in every production pool"},
		"a rollback with half of stable dead": {
			all(back, server("i-1", func(s *Server) { s.State = StateTerminated })),
			[]act{leaves("edge", "i-3", "i-4")},
			"",
		},
		"no rollback where stable leaves too": {all(back, sick("i-3")), []act{leaves("edge", "i-1")}, ""},
		"nor where it leaves no one": {
			back,
			[]act{leaves("edge", "i-3", "i-4"), leaves("edge", "i-1")},
			"1 healthy servers would stay and 2 are asked for",
		},
		"a rollback of nothing: first version": {all(back, first), []act{leaves("edge", "i-3")}, "law 1"},
		"zonal: both zones keep one":           {all(promoting, zonal), []act{leaves("edge", "i-1", "i-2")}, ""},
		"zonal: one zone would be empty": {
			all(promoting, zonal, oneZone),
			[]act{leaves("edge", "i-1", "i-2")},
			"edge does not balance across zones: 0 healthy servers would stay in zone-a and 1 are needed there",
		},
		"zonal: fewer servers than zones": {
			all(promoting, zonal, oneZone, spec(func(s *Spec) { s.Replicas = 1 })),
			[]act{leaves("edge", "i-1", "i-2")},
			"",
		},
		"zonal: a zone below its share": {
			all(zonalFour, members("edge", "i-1", "i-2", "i-3", "i-4", "i-5", "i-6")),
			[]act{leaves("edge", "i-1")},
			"1 healthy servers would stay in zone-a and 2 are needed there",
		},
		"across zones: one zone would be empty": {all(promoting, oneZone), []act{leaves("edge", "i-1", "i-2")}, ""},
		"zonal: a rollback into the zone of one": {
			all(back, zonal, server("i-1", func(s *Server) { s.Zone = "zone-b" })),
			[]act{leaves("edge", "i-3", "i-4")},
			"0 healthy servers would stay in zone-a",
		},
	})
}

// zonalFour has four servers asked for, in two zones, and two more of version 1 in zone b.
func zonalFour(in *Input) {
	in.Spec.Replicas = 4
	pool("edge", func(p *Pool) { p.ZonalOnly = true })(in)
	server("i-3", func(s *Server) { s.Revision, s.Version = "web-1", "1" })(in)
	server("i-4", func(s *Server) { s.Revision, s.Version = "web-1", "1" })(in)
	in.World.Servers = append(in.World.Servers, aServer("i-5", "1", "b"), aServer("i-6", "1", "b"))
}

func TestGuardEnd(t *testing.T) {
	over := all(members("preview"), since("out/i-3", 30*time.Second), since("out/i-4", 30*time.Second), since("out/i-1", time.Hour))
	dropped := all(over, spec(func(s *Spec) { s.Target, s.Version = "web-1", "1" }))
	end := []act{ends("i-3")}
	in := func(id string, state MemberState) change {
		return func(in *Input) {
			i := 0
			if id == "preview" {
				i = 1
			}
			in.World.Pools[i].Members = append(in.World.Pools[i].Members, Member{Server: "i-3", State: state})
		}
	}
	deleting := spec(func(s *Spec) { s.Deleting = true })
	network := func(of string) change { return pool(of, func(p *Pool) { p.Kind = KindNLB }) }
	third := func(in *Input) { // version 2 is stable and version 1 kept, because version 3 is in Preview
		live(in)
		revision("2", func(r *Revision) { r.StableSeq = 2 })(in)
		in.Memory.Revisions = append(in.Memory.Revisions, Revision{Name: "web-3", Version: "3", Number: 3})
		in.Spec.Version, in.Spec.Target = "3", "web-3"
	}
	runGuard(t, map[string]guardCase{
		"over":                  {dropped, end, ""},
		"of the candidate":      {over, end, "law 4 and 7: end only what is over: server i-3 belongs to version 2, which is still needed"},
		"of stable":             {over, []act{ends("i-1")}, "has not been out of every pool"},
		"of stable, in no pool": {all(over, live), []act{ends("i-1")}, "server i-1 belongs to version 1, which is still needed"},
		"of the kept one":       {all(over, third), []act{ends("i-1")}, "server i-1 belongs to version 1, which is still needed"},
		"out for 29 s":          {all(dropped, since("out/i-3", 29*time.Second)), end, "has not been out of every pool for 30s"},
		"out of a network load balancer for 30 s":    {all(dropped, network("preview")), end, "has not been out of every pool for 5m0s"},
		"out of a network load balancer for 5 min":   {all(dropped, network("preview"), since("out/i-3", 5*time.Minute)), end, ""},
		"beside one in which it never was, for 30 s": {all(dropped, network("edge")), end, ""},
		"never seen out":           {all(dropped, func(in *Input) { in.Soft = Soft{} }), end, "has not been out of every pool"},
		"registered in production": {all(dropped, in("edge", MemberHealthy)), end, "has not been out of every pool"},
		"draining":                 {all(dropped, in("edge", MemberDraining)), end, "has not been out of every pool"},
		"sick in the test pool":    {all(dropped, in("preview", MemberUnhealthy)), end, "has not been out of every pool"},
		"in a pool that nobody read": {
			all(dropped, revision("2", func(r *Revision) { r.Pools = []string{"old"} })),
			end,
			"has not been out of every pool",
		},
		"held by a person":                {all(dropped, server("i-3", func(s *Server) { s.Hold = true })), end, "server i-3 is held by a person"},
		"held, in a deletion":             {all(over, deleting, server("i-3", func(s *Server) { s.Hold = true })), end, "server i-3 is held by a person"},
		"of the candidate, in a deletion": {all(over, deleting), end, ""},
		"registered, in a deletion":       {all(over, deleting, in("edge", MemberHealthy)), end, "has not been out of every pool"},
		"one too many": {
			all(over, spec(func(s *Spec) { s.Replicas = 1 }), in("preview", MemberHealthy), in("preview", MemberHealthy)),
			[]act{ends("i-4")},
			"",
		},
		"not the one that is too many": {
			all(over, spec(func(s *Spec) { s.Replicas = 1 }), server("i-4", func(s *Server) { s.State = StatePending })),
			end,
			"which is still needed",
		},
		"stopped for long": {
			all(over, server("i-3", func(s *Server) { s.State = StateStopped }), since("away/i-3", 5*time.Minute)),
			end,
			"",
		},
		"stopped for a while": {
			all(over, server("i-3", func(s *Server) { s.State = StateStopped }), since("away/i-3", time.Minute)),
			end,
			"which is still needed",
		},
		"one of several that is needed": {
			all(dropped, members("edge", "i-2")),
			[]act{ends("i-3", "i-1")},
			"server i-1 belongs to version 1, which is still needed",
		},
		"one too many, but of a lost fleet": {
			all(over, spec(func(s *Spec) { s.Replicas = 1 }), revision("2", func(r *Revision) { r.Lost = true })),
			end,
			"which is still needed",
		},
	})
}

func TestGuardLaunch(t *testing.T) {
	a := Attempt{Number: 2, Token: "t2", Subnet: "a", Type: "large", Places: []int{0, 1}, Open: true}
	other := func(change func(*Attempt)) Attempt {
		b := Attempt{Number: 1, Token: "t1", Subnet: "b", Type: "large", Places: []int{2}, Open: true}
		change(&b)
		return b
	}
	launch := []act{does(Launch{Revision: "web-2", Attempt: a})}
	runGuard(t, map[string]guardCase{
		"in memory":                      {attempts(a), launch, ""},
		"beside other places":            {attempts(other(func(*Attempt) {}), a), launch, ""},
		"not in memory":                  {same, launch, "law 5: the token is in memory first: attempt 2 of version 2 is not in memory"},
		"of a revision without a record": {attempts(a), []act{does(Launch{Revision: "web-9", Attempt: a})}, "revision web-9 is not in memory"},
		"closed in memory": {
			attempts(closed(2, "a", 0, []int{0, 1})),
			[]act{does(Launch{Revision: "web-2", Attempt: Attempt{Number: 2, Token: "token-2"}})},
			"is not in memory",
		},
		"without a token": {
			attempts(Attempt{Number: 2, Open: true}),
			[]act{does(Launch{Revision: "web-2", Attempt: Attempt{Number: 2, Open: true}})},
			"is not in memory",
		},
		"a place that another one has": {
			attempts(other(func(b *Attempt) { b.Places = []int{1} }), a),
			launch,
			"attempt 2 of version 2 has an open place in common with attempt 1",
		},
		"a place that another one had": {attempts(other(func(b *Attempt) { b.Places, b.Open = []int{1}, false }), a), launch, ""},
	})
}

// What a guard holds back is said, and after half a minute of it in a switch or a rollback a person is asked to look.
func TestHeldRemovalsAreSaid(t *testing.T) {
	passed := all(promoting, revision("2", func(r *Revision) { r.GateAt = epoch.Add(-time.Minute) }),
		pool("edge", func(p *Pool) { p.Members[2].State = MemberUnhealthy }))
	d := Decide(newCase(passed))
	if d.Report.Stage != StageSwitching || len(d.Report.Held) != 1 || len(words(d.Actions)) != 0 {
		t.Fatalf("stage %s holds %v back and does %v; want Switching, one, nothing", d.Report.Stage, d.Report.Held, words(d.Actions))
	}
	if c := conditionOf(d, CondReconciling); !c.True || !strings.Contains(c.Message, "1 healthy servers would stay and 2 are asked for") {
		t.Errorf("at first it is %+v, want Reconciling with what is held back", c)
	}
	if d.After != stepEvery {
		t.Errorf("the next pass comes after %s, want %s", d.After, stepEvery)
	}
	d = Decide(newCase(passed, since("held/Switching", 30*time.Second)))
	if c := conditionOf(d, CondStalled); !c.True || c.Reason != ReasonUnsafe || !strings.Contains(c.Message, "both versions stay in production") {
		t.Errorf("after 30 s it is %+v, want Stalled, Unsafe", c)
	}
}

// What is asked for in vain, pass after pass, is not asked for in each part of a second for ever: the account's calls are everybody's.
func TestWhatIsInVainIsLookedAtSeldom(t *testing.T) {
	held := all(promoting, revision("2", func(r *Revision) { r.GateAt = epoch.Add(-time.Hour) }), pool("edge", func(p *Pool) { p.Members[2].State = MemberUnhealthy }))
	tie := all(promoting, spec(func(s *Spec) { s.Phase, s.AutoRollback = PhaseLive, true }),
		revision("2", func(r *Revision) {
			r.Promotion, r.Verdict = Promotion{StartedAt: epoch.Add(-time.Hour)}, Verdict{Reason: ReasonAutoRolledBack, At: epoch.Add(-time.Minute)}
		}))
	for name, c := range map[string]change{
		"a removal that is held back":               held,
		"a Register in a test pool that is refused": members("preview"),
		"both are as healthy after a verdict":       tie,
	} {
		t.Run(name, func(t *testing.T) {
			in := newCase(c)
			for range 1000 { // passes; the world stays as it is
				d := Decide(in)
				in.Memory, in.Soft, in.Now = d.Memory, d.Soft, in.Now.Add(min(d.After, time.Second))
				if d.After == 0 || d.After >= stuckEvery {
					return
				}
			}
			t.Errorf("after %s it is still looked at in each part of a second", in.Now.Sub(epoch))
		})
	}
}
