package rollout

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Nobody is registered with a pool of which nobody found out what it is, and memory does not name it: once it leaves the spec,
// nobody could find out any more whether servers are in it.
func TestUnresolvedPoolsAreLeftAlone(t *testing.T) {
	unresolved := func(p *Pool) { p.ID, p.Err, p.Unresolved, p.Members = "classic/"+p.Name, "no answer", true, nil }
	for name, in := range map[string]Input{
		"in Preview":      newCase(pool("preview", unresolved)),
		"on the way back": newCase(live, spec(func(s *Spec) { s.Phase = PhaseRolledBack }), pool("edge", unresolved)),
	} {
		d := Decide(in)
		for _, action := range d.Actions {
			if r, is := action.(Register); is && r.Pool.Unresolved {
				t.Errorf("%s: %s", name, r.Why)
			}
		}
		for _, r := range d.Memory.Revisions {
			if slices.ContainsFunc(r.Pools, func(id string) bool { return strings.HasPrefix(id, "classic/") }) {
				t.Errorf("%s: memory of %s names %v", name, r.Name, r.Pools)
			}
		}
	}
}

// A rollback waits for a stable server that EC2 does not show for now, as for one that is not healthy.
func TestRollbackWaitsForServersThatAreNotShown(t *testing.T) {
	for name, c := range map[string]struct {
		healthyFor time.Duration
		gives      bool
	}{
		"at first":              {0, false},
		"after rollbackTimeout": {time.Minute, true},
	} {
		in := newCase(live, spec(func(s *Spec) { s.Phase = PhaseRolledBack }), without("i-2"), members("edge", "i-1", "i-3", "i-4"),
			since("restore/web-1", time.Minute), since("rollback/web-1", c.healthyFor))
		for how, known := range map[string]change{
			"launched": revision("1", func(r *Revision) {
				r.Launches = []Attempt{closed(1, "a", time.Hour, []int{0}, "i-1"), closed(2, "b", time.Hour, []int{1}, "i-2")}
			}),
			"adopted": revision("1", func(r *Revision) {
				r.Lost, r.Adopted, r.AdoptedAt = true, []string{"i-1", "i-2"}, epoch.Add(-time.Hour)
			}),
		} {
			in := in
			in.Memory = in.Memory.clone()
			known(&in)
			leaves := slices.ContainsFunc(Decide(in).Actions, func(a Action) bool { _, is := a.(Deregister); return is })
			if leaves != c.gives {
				t.Errorf("%s, %s: the candidate leaves: %t", how, name, leaves)
			}
		}
	}
}

// A deletion knows of the servers that it has asked EC2 to terminate until it sees them end: the call may have failed, and the next
// reading may leave them out.
func TestDeletionRemembersWhatItTerminates(t *testing.T) {
	in := newCase(live, spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true }), revision("1", func(r *Revision) {
		r.Launches = []Attempt{closed(1, "a", time.Hour, []int{0}, "i-1")}
	}))
	for i := range in.World.Pools {
		in.World.Pools[i].Members = nil
	}
	for _, s := range in.World.Servers {
		since("out/"+s.ID, time.Minute)(&in)
	}
	first := Decide(in)
	if !slices.ContainsFunc(first.Actions, func(a Action) bool { call, is := a.(Terminate); return is && slices.Contains(call.Servers, "i-1") }) {
		t.Fatalf("i-1 is not terminated: %v", first.Actions)
	}
	in.Memory, in.Soft, in.World.Servers = first.Memory, first.Soft, nil
	if second := Decide(in); second.Gone {
		t.Error("one reading that shows nothing ends the deletion")
	}
}

// A server that good readings leave out for long enough is given up for good: a process that begins anew does not wait for it in a
// rollback. A reading that shows it after all takes that back.
func TestGivenUpServersAreRemembered(t *testing.T) {
	launches := func(r *Revision) {
		r.Launches = []Attempt{closed(1, "a", time.Hour, []int{0}, "i-1"), closed(2, "b", time.Hour, []int{1}, "i-2")}
	}
	gone := all(live, without("i-2"), revision("1", launches))
	for name, c := range map[string]struct {
		is    change
		ended []string
	}{
		"for long":           {all(gone, since("absent/i-2", absentAfter)), []string{"i-2"}},
		"not for long":       {all(gone, since("absent/i-2", absentAfter-time.Second)), nil},
		"EC2 cannot be read": {all(gone, since("absent/i-2", absentAfter), func(in *Input) { in.World.ServersErr = "RequestLimitExceeded" }), nil},
		"it is shown again":  {all(live, revision("1", launches), revision("1", func(r *Revision) { r.Launches[1].Ended = []string{"i-2"} })), nil},
	} {
		d := Decide(newCase(c.is))
		if ended := remembered(d, "web-1").Launches[1].Ended; !slices.Equal(ended, c.ended) {
			t.Errorf("%s: %v is remembered as ended", name, ended)
		}
		back := newCase(live, spec(func(s *Spec) { s.Phase = PhaseRolledBack }), without("i-2"), members("edge", "i-1", "i-3", "i-4"),
			since("restore/web-1", time.Minute), since("rollback/web-1", 0), revision("1", func(r *Revision) { r.Launches = remembered(d, "web-1").Launches }))
		leaves := slices.ContainsFunc(Decide(back).Actions, func(a Action) bool { _, is := a.(Deregister); return is })
		if leaves != (c.ended != nil) {
			t.Errorf("%s: after a restart the candidate leaves at once: %t", name, leaves)
		}
	}
}

// Whoever waits for production to be whole is told of the server that EC2 does not show, for as long as its place is kept for it.
func TestAbsentServersAreNamed(t *testing.T) {
	back := all(spec(func(s *Spec) { s.Phase = PhaseRolledBack }), members("edge", "i-1"), revision("1", func(r *Revision) {
		r.Launches = []Attempt{closed(1, "a", time.Hour, []int{0}, "i-1"), closed(2, "b", time.Hour, []int{1}, "i-2")}
	}))
	const words = "(i-2 is not shown by EC2, and counts as gone if it is not for 5m0s)"
	for name, c := range map[string]struct {
		is    change
		named bool
	}{
		"for a minute":       {all(without("i-2"), since("absent/i-2", time.Minute)), true},
		"for long":           {all(without("i-2"), since("absent/i-2", absentAfter)), false},
		"it is shown":        {since("absent/i-2", time.Minute), false},
		"EC2 cannot be read": {all(without("i-2"), since("absent/i-2", time.Minute), func(in *Input) { in.World.ServersErr = "RequestLimitExceeded" }), false},
	} {
		if says := Decide(newCase(back, c.is)).Report.Message; strings.Contains(says, words) != c.named {
			t.Errorf("%s: %s", name, says)
		}
	}
}

// A deletion ends no server that a person holds, and is not over before it has left the pools: nobody would take it out any more.
func TestDeletionTakesHeldServersOutOfThePools(t *testing.T) {
	deleted := all(live, spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true }), without("i-1"), without("i-2"), without("i-3"),
		server("i-4", func(s *Server) { s.Hold = true }), revision("1", func(r *Revision) { r.Launches = nil }))
	for name, c := range map[string]struct {
		in   change
		gone bool
	}{
		"it is in production":         {members("edge", "i-4"), false},
		"it is on the test pool":      {all(members("edge"), members("preview", "i-4")), false},
		"it drains":                   {all(members("edge", "i-4"), pool("edge", func(p *Pool) { p.Members[0].State = MemberDraining })), true},
		"its pool cannot be read":     {all(members("edge"), unreadable("edge")), false},
		"another pool cannot be read": {all(members("edge"), unreadable("preview"), revision("2", func(r *Revision) { r.Pools = []string{"edge"} })), true},
		"it is in no pool":            {members("edge"), true},
	} {
		d := Decide(newCase(deleted, c.in))
		if d.Gone != c.gone || !c.gone && !strings.Contains(d.Report.Message, "i-4") {
			t.Errorf("%s: over: %t, %s", name, d.Gone, d.Report.Message)
		}
	}
}
