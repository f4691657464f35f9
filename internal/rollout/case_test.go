package rollout

import (
	"slices"
	"time"
)

// A case is an Input for tables: version 1 is stable and complete in production, version 2 is the candidate, ready in
// Preview; two servers each, one test pool, one production pool. Each row of a table says in which way it is different.

// edit2 is what makes a case different.
type change func(*Input)

func newCase(changes ...change) Input {
	in := Input{
		Now: epoch,
		Spec: Spec{
			Release: "shop/web", UID: uid, Version: "2", Target: "web-2", Phase: PhasePreview, Replicas: 2, MinHealthyPercent: 100,
			Health: Health{Consecutive: 2, Timeout: 10 * time.Minute, LaunchTimeout: 15 * time.Minute, RollbackTimeout: time.Minute},
		},
		Memory: Memory{Revisions: []Revision{
			{Name: "web-1", Version: "1", Number: 1, StableSeq: 1, Completed: true, Pools: []string{"edge", "preview"},
				Subnets: []string{"a", "b"}, InstanceTypes: []string{"large", "small"}},
			{Name: "web-2", Version: "2", Number: 2, Pools: []string{"preview"},
				Subnets: []string{"a", "b"}, InstanceTypes: []string{"large", "small"}},
		}},
		World: World{
			Servers: []Server{aServer("i-1", "1", "a"), aServer("i-2", "1", "b"), aServer("i-3", "2", "a"), aServer("i-4", "2", "b")},
			Pools: []Pool{
				aPool("edge", UseProduction, "i-1", "i-2"),
				aPool("preview", UseTest, "i-3", "i-4"),
			},
		},
		Soft: Soft{Since: map[string]time.Time{}},
	}
	in.World.Servers[0].Role, in.World.Servers[1].Role = RoleStable, RoleStable
	for _, change := range changes {
		change(&in)
	}
	return in
}

func aServer(id, version, subnet string) Server {
	return Server{ID: id, Revision: revisionOf(version), Version: version, Role: RoleCandidate, Type: "large", Subnet: subnet, Zone: "zone-" + subnet,
		State: StateRunning, Launched: epoch.Add(-time.Hour)}
}

// aPool has all the given servers healthy.
func aPool(id string, use PoolUse, healthy ...string) Pool {
	p := Pool{ID: id, Name: id, Use: use, Kind: KindALB}
	for _, server := range healthy {
		p.Members = append(p.Members, Member{Server: server, State: MemberHealthy})
	}
	return p
}

func spec(edit func(*Spec)) change { return func(in *Input) { edit(&in.Spec) } }

// revision changes what is remembered of a version.
func revision(version string, edit func(*Revision)) change {
	return func(in *Input) {
		i := slices.IndexFunc(in.Memory.Revisions, func(r Revision) bool { return r.Version == version })
		edit(&in.Memory.Revisions[i])
	}
}

// server changes one server.
func server(id string, edit func(*Server)) change {
	return func(in *Input) {
		i := slices.IndexFunc(in.World.Servers, func(s Server) bool { return s.ID == id })
		edit(&in.World.Servers[i])
	}
}

// pool changes one pool.
func pool(id string, edit func(*Pool)) change {
	return func(in *Input) {
		i := slices.IndexFunc(in.World.Pools, func(p Pool) bool { return p.ID == id })
		edit(&in.World.Pools[i])
	}
}

// members puts exactly these servers into a pool, healthy.
func members(id string, healthy ...string) change {
	return pool(id, func(p *Pool) { p.Members = aPool(id, p.Use, healthy...).Members })
}

// live makes version 2 Live: it serves, and version 1 stands by.
func live(in *Input) {
	for _, c := range []change{
		members("edge", "i-3", "i-4"), members("preview"),
		spec(func(s *Spec) { s.Phase = PhaseLive }),
		revision("2", func(r *Revision) {
			r.Promotion = Promotion{StartedAt: epoch.Add(-time.Hour), Cohort: []string{"i-3", "i-4"}, Pools: []string{"edge"}}
			r.GateAt, r.LiveAt = epoch.Add(-30*time.Minute), epoch.Add(-30*time.Minute)
			r.Pools = []string{"edge", "preview"}
		}),
	} {
		c(in)
	}
}

// promoting has version 2 in production beside version 1, before the gate.
func promoting(in *Input) {
	for _, c := range []change{
		members("edge", "i-1", "i-2", "i-3", "i-4"),
		spec(func(s *Spec) { s.Phase = PhaseLive }),
		revision("2", func(r *Revision) {
			r.Promotion = Promotion{StartedAt: epoch.Add(-time.Minute), Cohort: []string{"i-3", "i-4"}}
			r.Pools = []string{"edge", "preview"}
		}),
	} {
		c(in)
	}
}

// settled declares version 1 itself, and knows no other.
func settled(in *Input) {
	in.Spec.Version, in.Spec.Target, in.Spec.Phase = "1", "web-1", PhaseComplete
	in.Memory.Revisions = in.Memory.Revisions[:1]
	in.World.Servers = in.World.Servers[:2]
	members("preview")(in)
}

// first has no stable fleet: version 2 is the first one.
func first(in *Input) {
	in.Memory.Revisions = in.Memory.Revisions[1:]
	in.World.Servers = in.World.Servers[2:]
	members("edge")(in)
}

// since says since when something has been seen.
func since(key string, ago time.Duration) change {
	return func(in *Input) { in.Soft.Since[key] = epoch.Add(-ago) }
}

func unreadable(id string) change {
	return pool(id, func(p *Pool) { p.Err, p.Members = "Throttling: rate exceeded", nil })
}

func blindEC2(in *Input) { in.World.ServersErr, in.World.Servers = "RequestLimitExceeded", nil }

// all puts several changes into one.
func all(changes ...change) change {
	return func(in *Input) {
		for _, c := range changes {
			c(in)
		}
	}
}

// words are the verbs and subjects of actions, for tables.
func words(actions []Action) []string {
	list := []string{}
	for _, a := range actions {
		switch a := a.(type) {
		case Launch:
			list = append(list, "Launch "+a.Revision)
		case Register:
			list = append(list, "Register "+join(a.Servers)+" into "+a.Pool.ID)
		case Deregister:
			list = append(list, "Deregister "+join(a.Servers)+" from "+a.Pool.ID)
		case Tag:
			list = append(list, "Tag "+join(a.Servers)+" "+string(a.Role))
		case Terminate:
			list = append(list, "Terminate "+join(a.Servers))
		}
	}
	return list
}

func join(servers []string) string {
	text := ""
	for i, s := range servers {
		if i > 0 {
			text += ","
		}
		text += s
	}
	return text
}

func conditionOf(d Decision, kind ConditionType) Condition {
	i := slices.IndexFunc(d.Report.Conditions, func(c Condition) bool { return c.Type == kind })
	return d.Report.Conditions[i]
}

// remembered is what a decision remembers of a revision.
func remembered(d Decision, name string) Revision { return *d.Memory.find(name) }
