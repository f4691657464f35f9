package rollout

import (
	"cmp"
	"slices"
)

// future is the world of a foresight: what AWS would show after each pass if it did everything that it is asked for, and at once.
type future struct {
	in       Input
	launched int // servers
}

// newFuture copies what changes as the future unfolds: servers and members. Decide copies memory by itself. What was done since the
// reading, or so lately that it does not show yet, is added to it.
func newFuture(in Input, sent []Action) *future {
	f := &future{in: in}
	f.in.World = f.snapshot()
	for _, action := range sent {
		f.carryOut(action)
	}
	if in.World.ServersErr == "" {
		f.show()
	}
	return f
}

// show adds the servers that were launched lately and that EC2 does not show yet.
func (f *future) show() {
	for _, r := range f.in.Memory.Revisions {
		for _, a := range r.Launches {
			for _, id := range a.Servers {
				hidden := id != "" && f.in.Now.Sub(a.At) < absentAfter && !slices.Contains(a.Ended, id) && !seen(f.in.World.Servers, id)
				if hidden {
					f.boot(id, r, a)
				}
			}
		}
	}
}

// snapshot is the world as it is now, which stays as it is.
func (f *future) snapshot() World {
	w := f.in.World
	w.Servers, w.Adoptable, w.Pools = slices.Clone(w.Servers), slices.Clone(w.Adoptable), slices.Clone(w.Pools)
	for i := range w.Pools {
		w.Pools[i].Members = slices.Clone(w.Pools[i].Members)
	}
	return w
}

// act carries out a decision, and remembers what became of it.
func (f *future) act(d Decision) {
	var results []LaunchResult
	for _, action := range d.Actions {
		if launch, ok := action.(Launch); ok {
			results = append(results, f.launch(d.Memory, launch))
		}
		f.carryOut(action)
	}
	f.in.Soft, f.in.Memory = d.Soft, Record(d.Memory, results, f.in.Now)
}

// carryOut is the effect of every action but a launch.
func (f *future) carryOut(action Action) {
	switch a := action.(type) {
	case Register:
		f.register(a)
	case Deregister:
		f.deregister(a)
	case Tag:
		f.tag(a)
	case Terminate:
		f.change(a.Servers, func(s *Server) { s.State = StateTerminated })
	}
}

// launch boots a server for each place of the attempt, unless the token brought some before.
func (f *future) launch(memory Memory, l Launch) LaunchResult {
	result := LaunchResult{Revision: l.Revision, Token: l.Attempt.Token}
	r := memory.find(l.Revision)
	for _, s := range f.in.World.Servers {
		if s.Token == l.Attempt.Token {
			result.Servers = append(result.Servers, s.ID)
		}
	}
	if r == nil || len(result.Servers) > 0 {
		return result
	}
	for range l.Attempt.Places {
		f.launched++
		f.boot(newcomer(f.launched), *r, l.Attempt)
		result.Servers = append(result.Servers, newcomer(f.launched))
	}
	return result
}

// boot adds a server that an attempt brought.
func (f *future) boot(id string, r Revision, a Attempt) {
	f.in.World.Servers = append(f.in.World.Servers, Server{
		ID: id, Revision: r.Name, Version: r.Version, Image: r.Image, Role: a.Role, Type: a.Type,
		Subnet: a.Subnet, Zone: f.zone(a.Subnet), State: StatePending, Token: a.Token, Launched: a.At,
	})
	f.sort()
}

// zone is that of a subnet, as far as some server shows it; else one that stands for it.
func (f *future) zone(subnet string) string {
	for _, s := range f.in.World.Servers {
		if s.Subnet == subnet && s.Zone != "" {
			return s.Zone
		}
	}
	return "zone of " + subnet
}

func (f *future) sort() {
	slices.SortFunc(f.in.World.Servers, func(a, b Server) int { return cmp.Compare(a.ID, b.ID) })
}

// register puts servers into a pool. One that drains comes back.
func (f *future) register(a Register) {
	p := f.pool(a.Pool.ID)
	if p == nil {
		return
	}
	for _, id := range a.Servers {
		p.Members = slices.DeleteFunc(p.Members, func(m Member) bool { return m.Server == id && m.State == MemberDraining })
		joins := Member{Server: id, State: MemberRegistering}
		if at, in := slices.BinarySearchFunc(p.Members, joins, byServer); !in {
			p.Members = slices.Insert(p.Members, at, joins)
		}
	}
}

func (f *future) deregister(a Deregister) {
	if p := f.pool(a.Pool.ID); p != nil {
		for i := range p.Members {
			if slices.Contains(a.Servers, p.Members[i].Server) {
				p.Members[i].State = MemberDraining
			}
		}
	}
}

// tag gives servers a role; adopted ones are ours from then on.
func (f *future) tag(a Tag) {
	if a.Adopt {
		w := &f.in.World
		for _, s := range w.Adoptable {
			if slices.Contains(a.Servers, s.ID) && !seen(w.Servers, s.ID) {
				w.Servers = append(w.Servers, s)
			}
		}
		w.Adoptable = slices.DeleteFunc(w.Adoptable, func(s Server) bool { return slices.Contains(a.Servers, s.ID) })
		f.sort()
	}
	f.change(a.Servers, func(s *Server) { s.Role = a.Role })
}

func (f *future) change(ids []string, change func(*Server)) {
	for i := range f.in.World.Servers {
		if s := &f.in.World.Servers[i]; slices.Contains(ids, s.ID) {
			change(s)
		}
	}
}

func (f *future) pool(id string) *Pool {
	for i := range f.in.World.Pools {
		if f.in.World.Pools[i].ID == id {
			return &f.in.World.Pools[i]
		}
	}
	return nil
}

// settle lets everything come true that AWS still owes. It reports whether anything changed.
func (f *future) settle() (changed bool) {
	up := map[string]bool{}
	for i := range f.in.World.Servers {
		s := &f.in.World.Servers[i]
		if s.State == StatePending {
			s.State, changed = StateRunning, true
		}
		up[s.ID] = s.State == StateRunning
	}
	for i := range f.in.World.Pools {
		changed = f.settlePool(&f.in.World.Pools[i], up) || changed
	}
	return changed
}

// settlePool lets those go who drain or have ended, and the others be healthy where they run.
func (f *future) settlePool(p *Pool, up map[string]bool) bool {
	before := len(p.Members)
	p.Members = slices.DeleteFunc(p.Members, func(m Member) bool { return m.State == MemberDraining || f.ended(m.Server) })
	changed := len(p.Members) != before || len(p.Unasked) > 0
	p.Unasked = nil
	for n := range p.Members {
		if m := &p.Members[n]; up[m.Server] && m.State != MemberHealthy && !p.NotInUse {
			m.State, m.Reason, changed = MemberHealthy, "", true
		}
	}
	return changed
}

// ended: EC2 has ended the server.
func (f *future) ended(id string) bool {
	return slices.ContainsFunc(f.in.World.Servers, func(s Server) bool { return s.ID == id && !alive(s) })
}
