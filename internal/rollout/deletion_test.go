package rollout

import (
	"slices"
	"testing"
	"time"
)

// wrecked is a deletion with Terminate of version 2, Live, and version 1.
func wrecked(changes ...change) Input {
	return newCase(live, spec(func(s *Spec) { s.Deleting, s.TerminateOnDelete = true, true }), revision("1", func(r *Revision) {
		r.Launches = []Attempt{closed(1, "a", time.Hour, []int{0, 1}, "i-1", "i-2")}
	}), revision("2", func(r *Revision) {
		r.Launches = []Attempt{closed(1, "b", time.Hour, []int{0, 1}, "i-3", "i-4")}
	}), all(changes...))
}

// after is the world half a minute after a decision about it.
func after(in Input, d Decision) Input {
	in.Memory, in.Soft, in.Now = d.Memory, d.Soft, in.Now.Add(30*time.Second)
	return in
}

// instead is another reading of the world in the same moment.
func instead(in Input, changes ...change) Input {
	other := wrecked(changes...)
	other.Memory, other.Soft, other.Now = in.Memory, in.Soft, in.Now
	return other
}

func showsNobody(in *Input) { in.World.Servers = nil }

func unread(in *Input) { in.World.ServersErr = "RequestLimitExceeded" } // those that were known last stand in

// refused: nothing was read at all.
func refused(in *Input) {
	in.Spec.Refused, in.World.ServersErr, in.World.Servers = Problem{Reason: "Retrying", Message: "STS does not answer"}, "not read", nil
	silent("edge")(in)
	silent("preview")(in)
}

// silent: AWS says nothing of the pool, not even that there is none.
func silent(id string) change {
	return all(unreadable(id), pool(id, func(p *Pool) { p.Missing = false }))
}

// over: the deletion has ended, or is about to end servers.
func over(d Decision) bool {
	return d.Gone || slices.ContainsFunc(d.Actions, func(a Action) bool { _, is := a.(Terminate); return is })
}

// The clocks of a deletion stand while something cannot be read: one failed reading in four holds it up for as long, and not for
// ever. Nothing ends in a pass that could not read, nor for the time in which nobody could.
func TestDeletionGoesOnAfterFailedReadings(t *testing.T) {
	gone := pool("edge", func(p *Pool) { p.Err, p.Missing, p.Members = "LoadBalancerNotFound", true, nil })
	servers := all(gone, members("preview"))
	for name, c := range map[string]struct{ is, fails change }{
		"servers left out, EC2 unread":         {showsNobody, blindEC2},
		"servers left out, the class refused":  {showsNobody, refused},
		"a pool is gone, EC2 unread":           {servers, unread},
		"a pool is gone, and cannot be read":   {servers, silent("edge")},
		"a pool is gone, the class is refused": {servers, refused},
	} {
		t.Run(name, func(t *testing.T) {
			in := wrecked(c.is)
			for pass := range 40 {
				now, failing := in, pass%4 == 3
				if failing {
					now = instead(in, c.is, c.fails)
				}
				d := Decide(now)
				switch passed := in.Now.Sub(epoch); {
				case over(d) && (failing || passed < absentAfter):
					t.Fatalf("it ends after %s, in a pass that fails: %t", passed, failing)
				case over(d):
					return
				}
				in = after(in, d)
			}
			t.Error("it does not end within twenty minutes")
		})
	}
}

// What nobody looked at for long is no evidence: one reading before and one after a time in which EC2 could not be read end nothing.
func TestDeletionCountsOnlyWhatWasSeen(t *testing.T) {
	for name, fails := range map[string]change{"EC2 unread": blindEC2, "the class refused": refused} {
		in := wrecked(showsNobody)
		in = after(in, Decide(in))
		for range 20 {
			in = after(in, Decide(instead(in, fails)))
		}
		if Decide(in).Gone {
			t.Errorf("%s: two readings that show nothing, and ten minutes without any between them, end the deletion", name)
		}
	}
}

// While EC2 cannot be read, the pools still tell that a server has been in none of them for long enough, or that somebody put it back.
func TestDeletionWatchesPoolsWhileEC2IsUnread(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile change
		ends      bool
	}{
		"in none of them":    {unread, true},
		"put back meanwhile": {all(unread, members("edge", "i-1", "i-2", "i-3", "i-4")), false},
	} {
		out := all(members("edge"), members("preview"))
		in := wrecked(out)
		in = after(in, Decide(in))
		in = after(in, Decide(instead(in, out, c.meanwhile)))
		if got := over(Decide(in)); got != c.ends {
			t.Errorf("%s: servers are terminated: %t", name, got)
		}
	}
}

// Where no record says what was launched, one reading that shows nothing ends no deletion: it has to go on for as long as EC2 may hide
// servers. What is known, by records or because this process has been there from the start, needs no such wait.
func TestDeletionWithoutRecords(t *testing.T) {
	lost := func(in *Input) { in.Memory = Memory{} }
	ended := func(in *Input) {
		for i := range in.World.Servers {
			in.World.Servers[i].State = StateTerminated
		}
	}
	for name, c := range map[string]struct {
		is   change
		then func(pass int) change // what one reading shows instead; nil: the same
		from time.Duration         // the Release is gone with the first reading after that time
	}{
		"every record is lost":                    {all(lost, showsNobody), nil, absentAfter},
		"and EC2 shows servers that have ended":   {all(lost, ended), nil, absentAfter},
		"and one reading shows a server":          {all(lost, showsNobody), at(4, without("i-2", "i-3", "i-4")), absentAfter + 5*30*time.Second},
		"and one reading fails":                   {all(lost, showsNobody), at(4, blindEC2), absentAfter + 30*time.Second},
		"only pools are remembered of a fleet":    {all(showsNobody, revision("1", func(r *Revision) { r.Lost, r.Launches = true, nil })), nil, absentAfter},
		"there was nothing from the first":        {all(lost, showsNobody, func(in *Input) { in.Soft.Untouched = true }), nil, 0},
		"no record tells of a launch":             {all(showsNobody, revision("1", unlaunched), revision("2", unlaunched)), nil, 0},
		"records tell of servers that have ended": {ended, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := wrecked(c.is)
			for pass := range 40 {
				now := in
				if c.then != nil {
					if other := c.then(pass); other != nil {
						now = instead(in, other)
					}
				}
				d := Decide(now)
				passed := in.Now.Sub(epoch)
				if d.Gone != (passed >= c.from) {
					t.Fatalf("after %s it is gone: %t; %+v", passed, d.Gone, d.Report.Conditions)
				}
				if d.Gone {
					return
				}
				in = after(in, d)
				in.Memory = wrecked(c.is).Memory // nothing of these worlds is remembered
			}
		})
	}
}

func unlaunched(r *Revision) { r.Launches = nil }

// at is a change of one pass alone.
func at(pass int, c change) func(int) change {
	return func(now int) change {
		if now != pass {
			return nil
		}
		return c
	}
}

// A process knows that nothing was launched only as long as it launches, adopts and sees nothing.
func TestUntouched(t *testing.T) {
	untouched := func(in *Input) { in.Soft.Untouched = true }
	empty := all(untouched, func(in *Input) { in.World.Servers, in.Memory = nil, Memory{} }, members("edge"), members("preview"))
	adoptable := func(in *Input) { in.World.Adoptable = []Server{aServer("i-9", "9", "a")} }
	for name, c := range map[string]struct {
		is    change
		stays bool
	}{
		"nothing is recorded yet": {all(empty, spec(func(s *Spec) { s.Target = "" })), true},
		"the class is refused":    {all(empty, refused), true},
		"it launches":             {all(first, empty, func(in *Input) { in.Memory = newCase(first).Memory }), false},
		"it adopts":               {all(empty, adoptable), false},
		"servers are there":       {untouched, false},
		"it was not before":       {all(empty, func(in *Input) { in.Soft.Untouched = false }, spec(func(s *Spec) { s.Target = "" })), false},
	} {
		if d := Decide(newCase(c.is)); d.Soft.Untouched != c.stays {
			t.Errorf("%s: untouched %t, actions %v", name, d.Soft.Untouched, d.Actions)
		}
	}
}
