package rollout

import (
	"slices"
	"time"
)

// What AWS says of a server in production may for some seconds be of the time before our own Deregister, also after a reading that showed
// it gone: AWS answers from many places. Such a server serves nobody, however healthy it is called. So whoever is taken out is noted, in
// memory and before the call, and for readingLag nobody believes that it is healthy there: no gate, no rollback, and above all not law 1.
//
//	 0 s   Deregister i-1                          noted until 10 s
//	 3 s   the reading shows i-1 healthy           unknown: i-2 does not leave for its sake
//	 4 s   the reading shows it gone, it is wanted Register i-1
//	 5 s   the reading shows i-1 healthy           unknown still: of before 0 s, or of after 4 s?
//	10 s   the reading shows i-1 healthy           healthy

// Leave is who of a revision was taken out of which pools at once, and until when readings of these may tell of the time before.
type Leave struct {
	Pools   []string // IDs, sorted
	Servers []string // sorted
	Until   time.Time
}

// noteAgain is how much of a note has to be used up for a repeated Deregister to be noted anew. One that had no effect is repeated in every
// look, and each note is a write.
const noteAgain = time.Second

const leftWords = "we took it out a moment ago, and what AWS says of it may be of before that"

// distrust takes for unknown the health of whoever left a moment ago, where they left.
func (v *view) distrust() {
	for _, r := range v.memory.Revisions {
		for _, left := range r.Left {
			if !v.in.Now.Before(left.Until) {
				continue
			}
			v.in.World.Pools = slices.Clone(v.in.World.Pools)
			for i := range v.in.World.Pools {
				if p := &v.in.World.Pools[i]; slices.Contains(left.Pools, p.ID) {
					p.distrust(left.Servers)
				}
			}
		}
	}
}

func (p *Pool) distrust(servers []string) {
	p.Members = slices.Clone(p.Members)
	for i := range p.Members {
		if m := &p.Members[i]; m.State == MemberHealthy && slices.Contains(servers, m.Server) {
			m.State, m.Reason = MemberUnknown, leftWords
		}
	}
}

// noteLeft notes whom the plan takes out of production.
func (v *view) noteLeft() {
	for _, a := range v.actions {
		d, ok := a.(Deregister)
		if !ok || d.Pool.Use == UseTest || v.in.Spec.Deleting {
			continue
		}
		for _, f := range v.fleets {
			f.left(v.in.Now, d.Pool.ID, slices.DeleteFunc(ids(f.all()), func(id string) bool { return !slices.Contains(d.Servers, id) }))
		}
	}
}

// left notes that servers of the revision are being taken out of a pool now.
func (r *Revision) left(now time.Time, pool string, servers []string) {
	noted := func(e Leave) bool {
		missing := slices.ContainsFunc(servers, func(id string) bool { return !slices.Contains(e.Servers, id) })
		return slices.Contains(e.Pools, pool) && !missing && e.Until.Sub(now) > readingLag-noteAgain
	}
	if len(servers) == 0 || slices.ContainsFunc(r.Left, noted) {
		return
	}
	at := Leave{Pools: []string{pool}, Servers: servers, Until: now.Add(readingLag)}
	var others []Leave
	for _, e := range r.Left {
		same := slices.Equal(e.Servers, servers)
		switch {
		case same && e.Until.Equal(at.Until):
			at.Pools = append(at.Pools, e.Pools...)
			continue
		case same:
			e.Pools = slices.DeleteFunc(slices.Clone(e.Pools), func(id string) bool { return id == pool })
		}
		if len(e.Pools) > 0 && now.Before(e.Until) {
			others = append(others, e)
		}
	}
	slices.Sort(at.Pools)
	r.Left = append(others, at)
}

// Left brings notes up to date once the calls of a decision are over, which may take as long as what the notes are about. It is applied to what
// Record returns.
func Left(memory Memory, done []Action, now time.Time) Memory {
	for _, a := range done {
		d, ok := a.(Deregister)
		if !ok {
			continue
		}
		for i := range memory.Revisions {
			for j := range memory.Revisions[i].Left {
				e := &memory.Revisions[i].Left[j]
				ours := slices.Contains(e.Pools, d.Pool.ID) && slices.ContainsFunc(e.Servers, func(id string) bool { return slices.Contains(d.Servers, id) })
				if until := now.Add(readingLag); ours && until.Sub(e.Until) >= noteAgain {
					e.Until = until
				}
			}
		}
	}
	return memory
}

// hasLeft: somebody of the revision was taken out of production since its promotion began.
func (r *Revision) hasLeft() bool {
	return slices.ContainsFunc(r.Left, func(e Leave) bool { return !e.Until.Add(-readingLag).Before(r.Promotion.StartedAt) })
}
