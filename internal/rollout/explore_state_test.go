package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The pools of the small world, in the order of their IDs.
const (
	poolAPI = iota
	poolEdge
	poolPreview
	poolCount
)

var poolNames = [poolCount]string{"api", "edge", "preview"}

// layout is what a Release uses each pool for; empty: not at all.
type layout [poolCount]PoolUse

// seat is what a server is in a pool.
type seat uint8

const (
	seatNone     seat = iota
	seatComing        // registered, its first health checks are to come
	seatServing       // registered, and as healthy as the server is
	seatStale         // deregistered, and readings still tell of the time before
	seatDraining      // deregistered, and readings say so
)

// nobody owns a server that was there before Slipway.
const nobody = 9

// microServer is the truth about one server.
type microServer struct {
	id      int // never used again; names are given by order where states are compared
	owner   int // index of the Release, or nobody
	version string
	subnet  string
	token   string
	state   ServerState
	role    Role
	hidden  bool // EC2 does not show it yet
	sick    bool
	hold    bool
	young   bool // launched after the restoring began that its Release is in
	left    bool // it left a pool less than half a minute ago
	seats   [poolCount]seat
}

func (m *microServer) alive() bool { return m.state != StateTerminated }

// good: nothing is known against it.
func (m *microServer) good() bool {
	return (m.state == StatePending || m.state == StateRunning) && !m.hold
}

// healthy is the truth: the pool sends requests to the server, and the server answers them.
func (m *microServer) healthy(pool int) bool {
	return m.seats[pool] == seatServing && m.state == StateRunning && !m.sick
}

// microRelease is one Release: what is asked for, what etcd keeps and what the process remembers.
type microRelease struct {
	phase    Phase
	phaseFor string
	version  string
	replicas int
	paused   bool
	deleting bool
	gone     bool
	adopt    bool
	retry    string
	layout   layout
	override Override

	memory Memory // never changed in place
	soft   Soft   // never changed in place
	claims [poolCount]int
	known  []Server // what the process last saw, while EC2 cannot be read
}

// micro is one state of the small world. Now is always epoch: what passes is the age of what is remembered.
type micro struct {
	releases []microRelease
	servers  []microServer
	dark     [poolCount]bool // cannot be read
	darkEC2  bool
	lost     [poolCount]bool // does not exist
	full     bool            // EC2 has no room
	next     int             // number of the next server

	edits, faults int // how many may still come
}

func (s *micro) clone() *micro {
	next := *s
	next.releases = slices.Clone(s.releases)
	next.servers = slices.Clone(s.servers)
	return &next
}

func serverName(id int) string { return serverNames[id] }

var serverNames = func() []string {
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("i-%03d", i)
	}
	return names
}()

// uids are those of the Releases.
var uids = [2]string{"uid-1", "uid-2"}

// server finds a server by its name; nil for one that EC2 has forgotten.
func (s *micro) server(name string) *microServer {
	for i := range s.servers {
		if serverName(s.servers[i].id) == name {
			return &s.servers[i]
		}
	}
	return nil
}

// stranger is a server of somebody else that is in every pool, always healthy.
const stranger = "i-stranger"

// The ages that a clock can have in the small world. Decide compares ages with 10 s, 30 s, 2 min, 5 min and an hour; the
// clocks that a spec sets are set to 30 s and 5 min here. So a short clock is either young or has rung, and a long one is
// young, half way or has rung. To be half way tells two long clocks apart that began one after the other.
const (
	ageYoung = time.Second
	ageShort = 31 * time.Second
	ageHalf  = 3 * time.Minute
	ageLong  = 6 * time.Minute
	ageOld   = 2 * time.Hour
)

// shortClock cuts the age of a clock that rings after half a minute.
func shortClock(age time.Duration) time.Duration {
	if age >= 30*time.Second {
		return ageShort
	}
	return ageYoung
}

// longClock cuts the age of a clock that rings after five minutes.
func longClock(age time.Duration) time.Duration {
	switch {
	case age >= ageLong:
		return ageLong
	case age >= ageHalf:
		return ageHalf
	}
	return ageYoung
}

// launchClock cuts the age of a launch. That of a refused one is compared with pauses of 15 s to 2 min; that of any other with
// the five minutes in which EC2 may hide what it brought, and with an hour.
func launchClock(refused bool) func(age time.Duration) time.Duration {
	return func(age time.Duration) time.Duration {
		switch {
		case age >= ageLong:
			return ageOld
		case refused && age < ageHalf:
			return shortClock(age)
		}
		return longClock(age)
	}
}

// shortClocks are the clocks in Soft that ring after half a minute, by the first part of their keys. All others are long.
var shortClocks = map[string]bool{"out": true, "held": true, "rollback": true, "restore": true, "insist": true, "short": true}

// softClock cuts the age of a clock in Soft.
func softClock(key string, age time.Duration) time.Duration {
	kind, _, _ := strings.Cut(key, "/")
	switch {
	case kind == "promoting", kind == "counted": // their presence counts: a process that lives looks every minute
		return ageYoung
	case shortClocks[kind]:
		return shortClock(age)
	}
	return longClock(age)
}

// aged is a moment as seen when d more has passed, with its age cut.
func aged(at time.Time, d time.Duration, cut func(time.Duration) time.Duration) time.Time {
	if at.IsZero() {
		return at
	}
	return epoch.Add(-cut(epoch.Sub(at) + d))
}

// agedSoft ages what a process remembers.
func agedSoft(soft Soft, d time.Duration) Soft {
	next := Soft{GoodPasses: min(soft.GoodPasses, 2)}
	if len(soft.Since) == 0 {
		return next
	}
	next.Since = make(map[string]time.Time, len(soft.Since))
	for key, at := range soft.Since {
		next.Since[key] = epoch.Add(-softClock(key, epoch.Sub(at)+d))
	}
	return next
}

// once stands for a moment of which only counts that it was.
var once = epoch.Add(-ageOld)

// agedMemory ages what etcd keeps.
func agedMemory(memory Memory, d time.Duration) Memory {
	next := Memory{Revisions: slices.Clone(memory.Revisions)}
	for i := range next.Revisions {
		r := &next.Revisions[i]
		for _, at := range []*time.Time{&r.GateAt, &r.LiveAt, &r.Verdict.At} {
			if !at.IsZero() {
				*at = once
			}
		}
		r.agePromotion(d)
		r.Ready.Spent = agedSpan(r.Ready.Spent)
		r.Ready.Since = aged(r.Ready.Since, d, longClock)
		r.Launches = slices.Clone(r.Launches)
		for j := range r.Launches {
			r.Launches[j].At = aged(r.Launches[j].At, d, launchClock(r.Launches[j].Failure.Kind != FailureNone))
		}
	}
	return next
}

// agePromotion ages the clock of a promotion, and who left production. While it is stopped only what had run counts.
func (r *Revision) agePromotion(d time.Duration) {
	if !r.Stopped.IsZero() {
		run := longClock(r.Stopped.Sub(r.Promotion.StartedAt))
		r.Stopped = epoch.Add(-ageYoung)
		if !r.Promotion.StartedAt.IsZero() {
			r.Promotion.StartedAt = r.Stopped.Add(-run)
		}
	} else {
		r.Promotion.StartedAt = aged(r.Promotion.StartedAt, d, longClock)
	}
	known := r.Left
	r.Left = nil
	for _, e := range known {
		if e.Until.Sub(epoch) > d {
			r.Left = append(r.Left, Leave{Pools: e.Pools, Servers: e.Servers, Until: epoch.Add(readingLag)})
		}
	}
}

// agedSpan cuts a span of time.
func agedSpan(span time.Duration) time.Duration {
	if span < ageHalf {
		return 0
	}
	return longClock(span)
}

// pass of time: every clock is d older. EC2 shows what it hid for minutes, and readings catch up within seconds.
func (s *micro) wait(d time.Duration) {
	for i := range s.releases {
		rel := &s.releases[i]
		rel.memory, rel.soft = agedMemory(rel.memory, d), agedSoft(rel.soft, d)
		if left := rel.override.ExpiresAt.Sub(epoch); rel.override.Revision != "" && d >= ageHalf {
			rel.override.ExpiresAt = epoch.Add(max(0, left-d))
		}
	}
	for i := range s.servers {
		m := &s.servers[i]
		m.left = false
		m.hidden = m.hidden && d < ageHalf
		for p := range m.seats {
			if m.seats[p] == seatStale {
				m.seats[p] = seatDraining
			}
		}
	}
	if d >= ageHalf {
		s.forget()
	}
}

// forget is EC2 letting go of the servers that ended, unless a launch that nobody had an answer to brought them.
func (s *micro) forget() {
	open := map[string]bool{}
	for _, rel := range s.releases {
		for _, r := range rel.memory.Revisions {
			for _, a := range r.Launches {
				if a.Open {
					open[a.Token] = true
				}
			}
		}
	}
	s.servers = slices.DeleteFunc(s.servers, func(m microServer) bool { return !m.alive() && !open[m.token] })
}
