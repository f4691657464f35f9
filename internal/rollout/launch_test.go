package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// launches are the new attempts of a decision, as "type@subnet: places"; replays are marked.
func launches(in Input, d Decision) []string {
	list := []string{}
	for _, a := range d.Actions {
		l, ok := a.(Launch)
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s@%s %v", l.Attempt.Type, l.Attempt.Subnet, l.Attempt.Places)
		before := in.Memory.find(l.Revision)
		if slices.ContainsFunc(before.Launches, func(a Attempt) bool { return a.Token == l.Attempt.Token }) {
			text += " again"
		}
		list = append(list, text)
	}
	return list
}

// closed is an attempt whose outcome is known.
func closed(number int, subnet string, ago time.Duration, places []int, servers ...string) Attempt {
	return Attempt{Number: number, Token: fmt.Sprint("token-", number), Subnet: subnet, Type: "large", Role: RoleCandidate, Places: places,
		At: epoch.Add(-ago), Servers: servers}
}

// openAttempt has no known outcome.
func openAttempt(places ...int) Attempt {
	return Attempt{Number: 3, Token: "t", Subnet: "a", Type: "large", Role: RoleCandidate, Places: places, At: epoch, Open: true}
}

func failed(a Attempt, kind FailureKind) Attempt {
	a.Servers, a.Failure = nil, Failure{Kind: kind, Reason: ReasonQuotaExceeded, Message: "VcpuLimitExceeded: no more"}
	if kind == FailureCapacity {
		a.Failure.Reason, a.Failure.Message = ReasonNoCapacity, "InsufficientInstanceCapacity: no room"
	}
	return a
}

func attempts(list ...Attempt) change {
	return revision("2", func(r *Revision) { r.Launches = list })
}

// without takes servers of version 2 out of EC2's answer.
func without(gone ...string) change {
	return func(in *Input) {
		in.World.Servers = slices.DeleteFunc(in.World.Servers, func(s Server) bool { return slices.Contains(gone, s.ID) })
	}
}

// Which places are launched, where, and which are not.
func TestLaunchPlaces(t *testing.T) {
	replicas := func(n int) change { return spec(func(s *Spec) { s.Replicas = n }) }
	none := without("i-3", "i-4")
	subnets := func(list ...string) change { return revision("2", func(r *Revision) { r.Subnets = list }) }
	extra := func(id, subnet string) change {
		return func(in *Input) {
			in.World.Servers = append(in.World.Servers, aServer(id, "2", subnet))
		}
	}
	end := func(id string) change { return server(id, func(s *Server) { s.State = StateTerminated }) }
	for name, c := range map[string]struct {
		in   change
		want []string
	}{
		"all are there":                      {func(*Input) {}, nil},
		"none is there":                      {none, []string{"large@a [0]", "large@b [1]"}},
		"five over two subnets":              {all(none, replicas(5)), []string{"large@a [0 2 4]", "large@b [1 3]"}},
		"five over three subnets":            {all(none, replicas(5), subnets("c", "a", "b")), []string{"large@c [0 3]", "large@a [1 4]", "large@b [2]"}},
		"the emptiest subnet first":          {replicas(3), []string{"large@a [2]"}},
		"beside what is uneven":              {all(replicas(4), server("i-4", func(s *Server) { s.Subnet = "a" })), []string{"large@b [2 3]"}},
		"one has died":                       {end("i-3"), []string{"large@a [1]"}},
		"one has died that an attempt names": {all(end("i-3"), attempts(closed(1, "a", time.Hour, []int{0, 1}, "i-3", "i-4"))), []string{"large@a [0]"}},
		"one is stopped for 4 minutes":       {all(server("i-3", func(s *Server) { s.State = StateStopped }), since("away/i-3", 4*time.Minute)), nil},
		"one is stopped for 5 minutes": {
			all(server("i-3", func(s *Server) { s.State = StateStopped }), since("away/i-3", 5*time.Minute)),
			[]string{"large@a [1]"},
		},
		"one is impaired for 5 minutes": {
			all(server("i-3", func(s *Server) { s.Impaired = true }), since("away/i-3", 5*time.Minute)),
			[]string{"large@a [1]"},
		},
		"one is held":                {server("i-3", func(s *Server) { s.Hold = true }), []string{"large@a [1]"}},
		"one is not shown, just now": {all(without("i-3"), attempts(closed(1, "a", time.Second, []int{0, 1}, "i-3", "i-4"))), nil},
		"one is not shown for 4 minutes": {
			all(without("i-3"), attempts(closed(1, "a", time.Hour, []int{0, 1}, "i-3", "i-4")), since("absent/i-3", 4*time.Minute)),
			nil,
		},
		"one is not shown for 5 minutes": {
			all(without("i-3"), attempts(closed(1, "a", time.Hour, []int{0, 1}, "i-3", "i-4")), since("absent/i-3", 5*time.Minute)),
			[]string{"large@a [0]"},
		},
		"nothing is shown: EC2 fails": {blindEC2, nil},
		"a partial fill":              {all(without("i-4"), attempts(closed(1, "a", time.Second, []int{0, 1}, "i-3"))), []string{"large@b [1]"}},
		"an open attempt": {
			all(none, attempts(openAttempt(0, 1))), []string{"large@a [0 1] again"},
		},
		"an open attempt for one of two": {
			all(
				none,
				attempts(openAttempt(1))), []string{"large@a [1] again",
				"large@b [0]",
			},
		},
		"an open attempt all of whose servers are shown": {
			all(server("i-3", func(s *Server) { s.Token = "t" }), attempts(openAttempt(0))), nil,
		},
		"an open attempt some of whose servers are shown": {
			all(without("i-4"), server("i-3", func(s *Server) { s.Token = "t" }),
				attempts(openAttempt(0, 1))), []string{"large@a [0 1] again"},
		},
		"two servers for one place": { // one of them was away when the other was launched
			attempts(closed(1, "a", time.Hour, []int{0}, "i-3"), closed(2, "a", time.Minute, []int{0}, "i-4")), nil,
		},
		"two for one place, and one not shown": {
			all(replicas(3), attempts(closed(1, "a", time.Hour, []int{0}, "i-3"), closed(2, "a", time.Minute, []int{0}, "i-4"),
				closed(3, "b", time.Second, []int{1}, "i-5"))), nil,
		},
		"more servers than places": {extra("i-5", "a"), nil},
		"more servers in an attempt than places": {
			attempts(closed(1, "a", time.Hour, []int{0}, "i-3", "i-4", "i-5")), nil,
		},
		"a server that was let go": {
			all(end("i-3"), attempts(closed(1, "a", time.Minute, []int{0, 1}, "", "i-4"))), []string{"large@a [0]"},
		},
		"a lost fleet": {all(none, revision("2", func(r *Revision) { r.Lost = true })), nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := newCase(c.in)
			got := launchesOf(in, Decide(in), "web-2")
			if diff := cmp.Diff(append([]string{}, c.want...), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where there is no room: the next type, another subnet, or a wait; and where a zone must not be left out.
func TestLaunchRoom(t *testing.T) {
	full := func(ago time.Duration, at ...string) change {
		return revision("2", func(r *Revision) {
			for i, where := range at {
				kind, subnet, _ := strings.Cut(where, "@")
				a := failed(closed(i+1, subnet, ago, []int{0}), FailureCapacity)
				a.Type = kind
				r.Launches = append(r.Launches, a)
			}
		})
	}
	zonal := pool("edge", func(p *Pool) { p.ZonalOnly = true })
	none := without("i-3", "i-4")
	replicas := func(n int) change { return spec(func(s *Spec) { s.Replicas = n }) }
	for name, c := range map[string]struct {
		in     change
		want   []string
		reason string
	}{
		"the next type":               {full(time.Minute, "large@a"), []string{"small@a [0]", "large@b [1]"}, ""},
		"another subnet":              {full(time.Minute, "large@a", "small@a"), []string{"large@b [0 1]"}, ""},
		"forgotten after two minutes": {full(2*time.Minute, "large@a", "small@a"), []string{"large@a [0]", "large@b [1]"}, ""},
		"nowhere":                     {full(time.Minute, "large@a", "small@a", "large@b", "small@b"), nil, ReasonNoCapacity},
		"nowhere, by quota": {
			all(full(time.Minute, "large@a", "small@a", "large@b", "small@b"), revision("2", func(r *Revision) {
				for i := range r.Launches {
					r.Launches[i].Failure.Reason = ReasonQuotaExceeded
				}
			})),
			nil,
			ReasonQuotaExceeded,
		},
		"some of it":                   {all(full(time.Minute, "large@a", "small@a", "large@b"), replicas(3)), []string{"small@b [0 1 2]"}, ""},
		"a zone that production needs": {all(zonal, full(time.Minute, "large@a", "small@a")), []string{"large@b [0]"}, ReasonNoCapacity},
		"a zone nobody is in": {
			all(zonal, full(time.Minute, "large@a", "small@a"), without("i-1"), members("edge", "i-2")),
			[]string{"large@b [0 1]"},
			"",
		},
		"a zone that has its share":     {all(zonal, replicas(3), full(time.Minute, "large@a", "small@a")), []string{"large@b [0]"}, ReasonNoCapacity},
		"the zone of production, alone": {all(zonal, replicas(1), without("i-1"), members("edge", "i-2")), []string{"large@b [0]"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := newCase(none, c.in)
			d := Decide(in)
			if diff := cmp.Diff(append([]string{}, c.want...), launchesOf(in, d, "web-2")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := conditionOf(d, CondStalled); got.True != (c.reason != "") || (got.True && got.Reason != c.reason) {
				t.Errorf("Stalled %t %s, want %q: %s", got.True, got.Reason, c.reason, got.Message)
			}
		})
	}
}

// launchesOf are the launches of one revision.
func launchesOf(in Input, d Decision, revision string) []string {
	d.Actions = slices.DeleteFunc(slices.Clone(d.Actions), func(a Action) bool {
		l, ok := a.(Launch)
		return !ok || l.Revision != revision
	})
	return launches(in, d)
}

// Servers that end again and again, and launches that are refused.
func TestLaunchFailures(t *testing.T) {
	dead := func(id string) change {
		return func(in *Input) {
			s := aServer(id, "2", "a")
			s.State, s.Reason = StateTerminated, "Client.InstanceInitiatedShutdown: Instance initiated shutdown"
			in.World.Servers = append(in.World.Servers, s)
		}
	}
	gone := without("i-3", "i-4")
	three := all(dead("i-5"), dead("i-6"), dead("i-7"))
	one := spec(func(s *Spec) { s.Replicas = 1 })
	died := func(number int, ago time.Duration) Attempt {
		return failed(closed(number, "a", ago, []int{0}), FailureDied)
	}
	rejected := func(number int, ago time.Duration) Attempt {
		return failed(closed(number, "a", ago, []int{0}), FailureRejected)
	}
	recently := []time.Duration{50 * time.Minute, 9 * time.Minute, time.Minute}
	for name, c := range map[string]struct {
		in     change
		want   int
		reason string
		says   string
	}{
		"two deaths": {
			all(dead("i-5"), dead("i-6"), attempts(closed(1, "a", 9*time.Minute, []int{0}, "i-5"), closed(2, "a", time.Minute, []int{0}, "i-6"))),
			1,
			"",
			"",
		},
		"three deaths within an hour": {
			all(
				three,
				attempts(
					closed(1, "a", 50*time.Minute, []int{0}, "i-5"), closed(2, "a", 9*time.Minute, []int{0}, "i-6"),
					closed(3, "a", time.Minute, []int{0}, "i-7"),
				),
			),
			0, ReasonLaunchFailed, "AWS says of i-7: Client.InstanceInitiatedShutdown",
		},
		"three deaths within an hour, long ago": {
			all(
				three,
				attempts(
					closed(1, "a", 50*time.Hour, []int{0}, "i-5"), closed(2, "a", 50*time.Hour, []int{0}, "i-6"),
					closed(3, "a", 50*time.Hour, []int{0}, "i-7"),
				),
			),
			0, ReasonLaunchFailed, "slipway.dev/retry",
		},
		"three deaths in two hours": {
			all(three, brought([]time.Duration{2 * time.Hour, 9 * time.Minute, time.Minute}, "i-5", "i-6", "i-7")), 1, "", "",
		},
		"three deaths before anything was done": {attempts(died(1, 3*time.Minute), died(2, 2*time.Minute), died(3, time.Minute)), 0, ReasonLaunchFailed, ""},
		"three partial fills": { // the place was never filled
			all(spec(func(s *Spec) { s.Replicas = 2 }), without("i-4"), attempts(closed(1, "a", 3*time.Minute, []int{5, 0}, "i-3"),
				closed(2, "a", 2*time.Minute, []int{5, 0}, "i-3"), closed(3, "a", time.Minute, []int{5, 0}, "i-3"))), 1, "", "",
		},
		"three that we ended ourselves": {
			all(three, brought(recently, "", "", "")), 1, "", "",
		},
		"three that a person holds": {
			all(three, server("i-5", hold), server("i-6", hold), server("i-7", hold),
				brought(recently, "i-5", "i-6", "i-7")), 1, "", "",
		},
		"forgotten by a retry": {
			all(three, spec(func(s *Spec) { s.Retry = "x" }),
				brought(recently, "i-5", "i-6", "i-7")), 1, "", "",
		},
		"refused 14 s ago":                  {attempts(rejected(1, 14*time.Second)), 0, ReasonQuotaExceeded, "VcpuLimitExceeded"},
		"refused 15 s ago":                  {attempts(rejected(1, 15*time.Second)), 1, ReasonQuotaExceeded, "VcpuLimitExceeded"},
		"refused twice, 29 s ago":           {attempts(rejected(1, time.Minute), rejected(2, 29*time.Second)), 0, ReasonQuotaExceeded, ""},
		"refused twice, 30 s ago":           {attempts(rejected(1, time.Minute), rejected(2, 30*time.Second)), 1, ReasonQuotaExceeded, ""},
		"refused nine times, 119 s ago":     {attempts(many(9, rejected, 119*time.Second)...), 0, ReasonQuotaExceeded, ""},
		"refused nine times, 120 s ago":     {attempts(many(9, rejected, 120*time.Second)...), 1, ReasonQuotaExceeded, ""},
		"refused, and launched there later": {attempts(rejected(1, time.Second), closed(2, "a", time.Second, []int{7}, "")), 1, "", ""},
		"refused, and launched elsewhere":   {attempts(rejected(1, time.Second), closed(2, "b", time.Second, []int{7}, "")), 0, ReasonQuotaExceeded, ""},
		"more than the class allows":        {spec(func(s *Spec) { s.MaxServers = 1 }), 0, ReasonTooManyServers, "maxServersPerRelease 1"},
		"as many as the class allows":       {spec(func(s *Spec) { s.MaxServers = 2 }), 1, "", ""},
		"asked for already, by an open attempt": {
			all(spec(func(s *Spec) { s.MaxServers, s.Replicas = 4, 2 }),
				attempts(Attempt{Number: 1, Token: "t", Subnet: "a", Type: "large", Places: []int{0}, Open: true})), 2, "", "",
		},
		"asked for already, one too many": {
			all(spec(func(s *Spec) { s.MaxServers, s.Replicas = 3, 2 }),
				attempts(Attempt{Number: 1, Token: "t", Subnet: "a", Type: "large", Places: []int{0}, Open: true})), 1, ReasonTooManyServers, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := newCase(gone, one, members("edge", "i-1"), members("preview"), without("i-2"), c.in)
			if in.Spec.Replicas == 2 {
				in = newCase(members("preview"), c.in, without("i-4"))
				if in.Spec.MaxServers > 0 {
					in = newCase(gone, members("preview"), c.in)
				}
			}
			d := Decide(in)
			if got := launchesOf(in, d, "web-2"); len(got) != c.want {
				t.Errorf("launches %v, want %d", got, c.want)
			}
			stalled := conditionOf(d, CondStalled)
			if stalled.True != (c.reason != "") || (stalled.True && stalled.Reason != c.reason) || !strings.Contains(stalled.Message, c.says) {
				t.Errorf("Stalled %t %s, want %q …%s…: %s", stalled.True, stalled.Reason, c.reason, c.says, stalled.Message)
			}
		})
	}
}

// brought are attempts for place 0, each of which brought one server, so long ago.
func brought(ago []time.Duration, servers ...string) change {
	var list []Attempt
	for i, id := range servers {
		list = append(list, closed(i+1, "a", ago[i], []int{0}, id))
	}
	return attempts(list...)
}

func hold(s *Server) { s.State, s.Hold = StateRunning, true }

// many makes so many attempts; the last one as long ago as said, the others before it.
func many(n int, one func(int, time.Duration) Attempt, last time.Duration) []Attempt {
	var list []Attempt
	for i := range n {
		list = append(list, one(i+1, last+time.Duration(n-1-i)*time.Second))
	}
	return list
}

// What can no longer matter is forgotten with the next launch; numbers never come twice.
func TestPrune(t *testing.T) {
	kept := func(list ...Attempt) []int {
		in := newCase(without("i-3"), attempts(list...), since("absent/i-9", time.Hour))
		numbers := []int{}
		for _, a := range remembered(Decide(in), "web-2").Launches {
			numbers = append(numbers, a.Number)
		}
		return numbers
	}
	got := kept(
		closed(1, "a", 2*time.Hour, []int{5}, "i-9"),                     // gone for long
		closed(2, "b", 2*time.Hour, []int{1}, "i-4"),                     // still there
		closed(3, "a", 2*time.Hour, []int{6}, ""),                        // let go
		failed(closed(4, "c", 3*time.Minute, []int{0}), FailureCapacity), // 5 says more
		failed(closed(5, "c", 9*time.Minute, []int{0}), FailureCapacity),
		failed(closed(6, "b", 11*time.Minute, []int{0}), FailureRejected),
		failed(closed(7, "b", 9*time.Minute, []int{0}), FailureRejected),
		failed(closed(8, "a", 2*time.Hour, []int{0}), FailureDied),
		failed(closed(9, "a", 30*time.Minute, []int{0}), FailureDied),
		failed(closed(10, "b", 5*time.Hour, []int{0}), FailureCapacity), // the newest
	)
	if diff := cmp.Diff([]int{2, 5, 7, 9, 10, 11}, got); diff != "" {
		t.Errorf("kept attempts, and the new one (-want +got):\n%s", diff)
	}
}

// A token says everything that the launch is made of, and fits into EC2's 64 characters.
func TestToken(t *testing.T) {
	base := Attempt{Number: 1, Subnet: "a", Type: "large", Role: RoleCandidate, Places: []int{0, 1}}
	seen := map[string]string{}
	add := func(what, uid, revision string, change func(*Attempt)) {
		a := base
		change(&a)
		text := token(uid, revision, a)
		if len(text) != 64 || strings.Trim(text, "0123456789abcdef") != "" {
			t.Errorf("%s: %q is not 64 hexadecimal digits", what, text)
		}
		if other, twice := seen[text]; twice {
			t.Errorf("%s and %s have one token", what, other)
		}
		seen[text] = what
	}
	add("base", "u", "r", func(*Attempt) {})
	add("owner", "v", "r", func(*Attempt) {})
	add("revision", "u", "s", func(*Attempt) {})
	add("number", "u", "r", func(a *Attempt) { a.Number = 2 })
	add("subnet", "u", "r", func(a *Attempt) { a.Subnet = "b" })
	add("type", "u", "r", func(a *Attempt) { a.Type = "small" })
	add("role", "u", "r", func(a *Attempt) { a.Role = RoleStable })
	add("places", "u", "r", func(a *Attempt) { a.Places = []int{0, 2} })
	again := base
	again.At, again.Open, again.Servers = epoch, true, []string{"i-1"} // what becomes of the launch is no part of it
	if token("u", "r", base) != token("u", "r", again) {
		t.Error("the token of one launch is not always the same")
	}
}

func TestRecord(t *testing.T) {
	open := Attempt{Number: 1, Token: "t", Places: []int{0, 1}, At: epoch, Open: true}
	before := Memory{Revisions: []Revision{{Name: "web-2", Launches: []Attempt{open, closed(2, "a", 0, []int{2}, "i-1")}}}}
	at := epoch.Add(time.Minute)
	died := Failure{FailureDied, ReasonLaunchFailed, "gone"}
	for name, c := range map[string]struct {
		result LaunchResult
		want   Attempt
	}{
		"servers": {
			LaunchResult{Revision: "web-2", Token: "t", Servers: []string{"i-7"}},
			Attempt{Number: 1, Token: "t", Places: []int{0, 1}, At: at, Servers: []string{"i-7"}},
		},
		"failure": {
			LaunchResult{Revision: "web-2", Token: "t", Failure: died},
			Attempt{Number: 1, Token: "t", Places: []int{0, 1}, At: at, Failure: died},
		},
		"unknown":          {LaunchResult{Revision: "web-2", Token: "t", Unknown: true}, open},
		"another revision": {LaunchResult{Revision: "web-9", Token: "t", Servers: []string{"i-7"}}, open},
		"another token":    {LaunchResult{Revision: "web-2", Token: "u", Servers: []string{"i-7"}}, open},
	} {
		t.Run(name, func(t *testing.T) {
			after := Record(before, []LaunchResult{c.result}, at)
			if diff := cmp.Diff(c.want, after.Revisions[0].Launches[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !before.Revisions[0].Launches[0].Open || !cmp.Equal(before.Revisions[0].Launches[1], after.Revisions[0].Launches[1]) {
				t.Error("the memory that was given was changed, or an attempt that was closed before")
			}
		})
	}
}

// A server that no launch tells of keeps its place while EC2 does not show it: a good but empty answer is no evidence.
func TestStraysKeepTheirPlaces(t *testing.T) {
	in := newCase(live, func(in *Input) { in.Spec.Replicas = 2 })
	d := Decide(in)
	in.Memory, in.Soft, in.Now = d.Memory, d.Soft, epoch.Add(time.Second)
	in.World.Servers = nil
	for range 2 {
		if got := words(Decide(in).Actions); slices.ContainsFunc(got, func(w string) bool { return strings.HasPrefix(w, "Launch") }) {
			t.Errorf("EC2 shows nobody for a moment: %v", got)
		}
		in.Soft = Soft{} // nor in a new process
	}
}

// That there is no room anywhere is told also while it is tried again.
func TestNoRoomIsToldMeanwhile(t *testing.T) {
	w := stable1(t)
	for _, at := range []string{"large@a", "large@b", "small@a", "small@b"} {
		w.room[at] = 0
	}
	w.play(declare("2", PhasePreview).passes(20))
	for end := w.now.Add(20 * time.Minute); w.now.Before(end); {
		d := w.pass()
		if stalled := conditionOf(d, CondStalled); stalled.Reason != ReasonNoCapacity {
			t.Fatalf("%+v: %s", stalled, d.Report.Message)
		}
	}
}

// A server of a zone that a pool needs for itself is replaced in that zone, though it may have the later subnet.
func TestReplacedWhereTheZoneNeedsIt(t *testing.T) {
	in := newCase(live, pool("edge", func(p *Pool) { p.ZonalOnly = true }), revision("2", func(r *Revision) { r.Subnets = []string{"a", "c", "b"} }),
		func(in *Input) { in.World.Servers = in.World.Servers[:3] }, members("edge", "i-3"), since("absent/i-4", time.Hour))
	d := Decide(in)
	if got := launchesOf(in, d, "web-2"); !slices.Equal(got, []string{"large@b [1]"}) {
		t.Errorf("launched %v", got)
	}
}

// A stray that a fleet lets go of is noted no more: memory stays as it is, however long its end takes.
func TestStraysThatAreLetGo(t *testing.T) {
	in := newCase(live, spec(func(s *Spec) { s.Replicas = 1 }), members("edge", "i-3"))
	before := 0
	for n := range 20 {
		d := Decide(in)
		attempts := len(remembered(d, "web-2").Launches)
		if n > 5 && attempts != before {
			t.Fatalf("pass %d: %d attempts, %d before", n, attempts, before)
		}
		before = attempts
		in.Memory, in.Soft, in.Now = d.Memory, d.Soft, in.Now.Add(10*time.Second)
	}
}

// A server that was launched counts where it was launched, also while EC2 does not show it: the next one goes to the other zone.
func TestUnseenServersCountWhereTheyAre(t *testing.T) {
	in := newCase(pool("edge", func(p *Pool) { p.ZonalOnly = true }), revision("2", func(r *Revision) {
		r.Launches = []Attempt{{Number: 1, Token: "one", Subnet: "a", Type: "large", Places: []int{0}, At: epoch.Add(-time.Second), Servers: []string{"i-unseen"}}}
	}))
	in.World.Servers = in.World.Servers[:2] // nobody of version 2 is shown
	members("preview")(&in)
	var subnets []string
	for _, action := range Decide(in).Actions {
		if launch, is := action.(Launch); is {
			subnets = append(subnets, launch.Attempt.Subnet)
		}
	}
	if !slices.Equal(subnets, []string{"b"}) {
		t.Errorf("launches into %v, want b alone: one of two runs in a", subnets)
	}
}

// What was launched a moment ago and is not shown yet is looked for soon, not at the next sweep; what has not been seen for long
// is not.
func TestUnseenLaunchesAreLookedForSoon(t *testing.T) {
	for ago, soon := range map[time.Duration]bool{time.Second: true, absentAfter - time.Second: true, absentAfter: false} {
		in := newCase(attempts(closed(1, "a", ago, []int{0}, "i-3"), closed(2, "b", ago, []int{1}, "i-4")), without("i-3", "i-4"), members("preview"),
			func(in *Input) { in.Soft.Since["absent/i-3"], in.Soft.Since["absent/i-4"] = epoch, epoch })
		if after := Decide(in).After; (after == launchEvery) != soon {
			t.Errorf("launched %s ago: the next look is in %s", ago, after)
		}
	}
}

// While a launch waits for its turn at EC2 nobody looks for what it brings, and no clock runs out; it is asked for all the same, and the status
// says what is waited for.
func TestLaunchesThatWaitForTheirTurn(t *testing.T) {
	late := func(in *Input) { in.Soft.Since["launch/web-2"] = epoch.Add(-24 * time.Hour) }
	for name, c := range map[string]struct {
		underway []string
		after    time.Duration
		stalled  bool
	}{
		"answered":                 {nil, launchEvery, true},
		"another one is under way": {[]string{"u"}, launchEvery, true},
		"under way":                {[]string{"t", "u"}, 0, false},
	} {
		in := newCase(attempts(openAttempt(0, 1)), without("i-3", "i-4"), members("preview"), late,
			func(in *Input) { in.World.Underway = c.underway })
		d := Decide(in)
		if got := launches(in, d); !slices.Equal(got, []string{"large@a [0 1] again"}) {
			t.Errorf("%s: launches %v", name, got)
		}
		if d.After != c.after {
			t.Errorf("%s: the next look is in %s, want %s", name, d.After, c.after)
		}
		problems := fmt.Sprint(d.Report)
		if stalled := strings.Contains(problems, "of 2 servers run after"); stalled != c.stalled {
			t.Errorf("%s: the report is %s", name, problems)
		}
		if told := strings.Contains(problems, "EC2 to answer launch attempt 3 of version"); told == c.stalled {
			t.Errorf("%s: the report is %s", name, problems)
		}
	}
}

// A server that ended, was replaced, and was forgotten by EC2 does not hold the place of its replacement when that ends too.
func TestForgottenServersHoldNoPlace(t *testing.T) {
	in := newCase(revision("2", func(r *Revision) {
		r.Launches = []Attempt{
			{Number: 1, Token: "one", Subnet: "a", Type: "large", Places: []int{0}, At: epoch.Add(-3 * time.Hour),
				Servers: []string{"i-forgotten"}, Ended: []string{"i-forgotten"}},
			{Number: 2, Token: "two", Subnet: "a", Type: "large", Places: []int{0}, At: epoch.Add(-time.Hour), Servers: []string{"i-3"}},
			{Number: 3, Token: "three", Subnet: "b", Type: "large", Places: []int{1}, At: epoch.Add(-time.Hour), Servers: []string{"i-4"}},
		}
	}), server("i-3", func(s *Server) { s.State = StateTerminated }), members("preview", "i-4"))
	if got := words(Decide(in).Actions); !slices.ContainsFunc(got, func(w string) bool { return strings.HasPrefix(w, "Launch") }) {
		t.Errorf("the server that just ended is not replaced: %v", got)
	}
}

// That a server ended is remembered, with AWS's reason for the first of a launch; a retry takes the reason out of what is told.
func TestEndsAreRemembered(t *testing.T) {
	in := newCase(revision("2", func(r *Revision) {
		r.Launches = []Attempt{{Number: 1, Token: "one", Subnet: "a", Type: "large", Places: []int{0, 1}, At: epoch.Add(-time.Hour), Servers: []string{"i-3", "i-4"}}}
	}))
	end := func(id, reason string) {
		server(id, func(s *Server) { s.State, s.Reason = StateTerminated, reason })(&in)
		in.Memory = Decide(in).Memory
	}
	end("i-4", "Client.InternalError")
	end("i-3", "Server.ScheduledStop")
	a := in.Memory.find("web-2").Launches[0]
	if !slices.Equal(a.Ended, []string{"i-3", "i-4"}) || a.LastWords != "i-4: Client.InternalError" {
		t.Errorf("%+v", a)
	}
	f := fleet{Revision: &Revision{Launches: []Attempt{a}}}
	if words := f.lastWords(); words != " (AWS says of i-4: Client.InternalError)" {
		t.Error(words)
	}
	f.Launches[0].Pardoned = true
	if words := f.lastWords(); words != "" {
		t.Errorf("after a retry: %s", words)
	}
}

// What the launches of a place tell does not give the place away: a server that came back, or that one reading leaves out, keeps
// it; and what EC2 forgot long ago weighs nothing in its zone.
func TestPlacesOfServersThatCameBack(t *testing.T) {
	third := func(a Attempt) Attempt {
		a.Number, a.Token, a.Subnet, a.Type, a.At = 3, "three", "a", "large", epoch.Add(-20*time.Minute)
		return a
	}
	first := Attempt{Number: 1, Token: "one", Subnet: "a", Type: "large", Places: []int{0}, At: epoch.Add(-3 * time.Hour), Servers: []string{"i-3"}}
	second := Attempt{Number: 2, Token: "two", Subnet: "b", Type: "large", Places: []int{1}, At: epoch.Add(-3 * time.Hour), Servers: []string{"i-4"}}
	ended := func(in *Input) {
		dead := aServer("i-5", "2", "a")
		dead.State = StateTerminated
		in.World.Servers = append(in.World.Servers, dead)
	}
	leftOut := func(in *Input) {
		in.World.Servers = slices.DeleteFunc(in.World.Servers, func(s Server) bool { return s.ID == "i-3" })
	}
	for name, row := range map[string]struct {
		third Attempt
		world change
		want  []string
	}{
		"the replacement found no room":   {third(Attempt{Places: []int{0}, Failure: Failure{Kind: FailureCapacity, Reason: "NoCapacity"}}), leftOut, nil},
		"the replacement was let go":      {third(Attempt{Places: []int{0}, Servers: []string{""}}), leftOut, nil},
		"the replacement ended by itself": {third(Attempt{Places: []int{0}, Servers: []string{"i-5"}}), all(ended, leftOut), nil},
		"it was forgotten in its zone, and its replacement ends": {
			third(Attempt{Places: []int{0}, Servers: []string{"i-5"}}), all(ended, leftOut, func(in *Input) {
				in.Memory.find("web-2").Launches[0].Ended = []string{"i-3"}
				pool("edge", func(p *Pool) { p.ZonalOnly = true })(in)
			}), []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := newCase(revision("2", func(r *Revision) { r.Launches = []Attempt{first, second, row.third} }), row.world)
			var launches []string
			for _, action := range Decide(in).Actions {
				if launch, is := action.(Launch); is {
					launches = append(launches, launch.Attempt.Subnet)
				}
			}
			if !slices.Equal(launches, row.want) {
				t.Errorf("launches into %v, want %v", launches, row.want)
			}
		})
	}
}
