package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Launching: a fleet of N servers has the places 0 … N-1. Every place is in exactly one of these states:
//
//	taken     a server of a known launch fills it, or one that no launch tells of
//	open      an attempt covers it whose outcome is not known yet: it is replayed, never repeated (law 5)
//	vacant    neither: the next attempt may cover it
//
// One attempt is one client token for places of one subnet and one type. What EC2 did not fill goes to the next attempt,
// with another token, because a token is bound to its first request even when that failed.

const (
	// deathsToStall within deathWindow for one place: more launches would only burn money.
	deathsToStall = 3
	deathWindow   = time.Hour
	// rejectionWait is the pause after the first refusal by EC2; it doubles up to rejectionMax.
	rejectionWait = 15 * time.Second
	rejectionMax  = 2 * time.Minute
)

// fill launches what the fleet is short of.
func (v *view) fill(f *fleet, role Role, why string) {
	if v.in.World.ServersErr != "" {
		v.wait("EC2 to be readable again: " + v.in.World.ServersErr)
		v.again(retryEvery)
		return
	}
	taken := v.places(f)
	v.noteGone(f)
	v.replay(f)
	vacant := vacancies(taken, v.in.Spec.Replicas)
	if spread := v.spread(f); v.starved(f, spread, len(vacant)) {
		v.tellNoRoom(f, spread)
	}
	switch {
	case len(vacant) == 0:
	case f.Lost:
		v.cannotGrow(f, len(vacant))
	case v.died(f, vacant):
	case v.tooMany(len(vacant)):
	case v.refused(f):
	default:
		v.launch(f, role, vacant, why)
	}
}

// cannotGrow tells of servers that are missing in a fleet without a record. It stalls only where fewer run than asked for:
// a fleet that was adopted may always have been smaller.
func (v *view) cannotGrow(f *fleet, missing int) {
	words := fmt.Sprintf("the fleet of version %s has no ControllerRevision, so nothing can be launched for it and %d of %d servers are missing",
		f.label, missing, v.in.Spec.Replicas)
	if len(f.running()) < v.asked {
		v.stall(ReasonRevisionLost, words+": deploy a version to take its place")
		return
	}
	v.minor = append(v.minor, Problem{Reason: ReasonRevisionLost, Message: words})
}

// places maps place → server for the taken places. Those of an open attempt count as taken, under an empty server ID. A
// server whose place was given to another one while it was away, and one that no attempt tells of, takes a free place.
func (v *view) places(f *fleet) map[int]string {
	taken, placed := map[int]string{}, map[string]bool{}
	for i := range f.Launches {
		if a := &f.Launches[i]; v.settle(a, f) {
			for _, place := range a.Places {
				taken[place] = ""
			}
		}
	}
	take := func(is func(id string) bool) {
		for _, a := range f.Launches {
			for n, id := range a.Servers[:min(len(a.Servers), len(a.Places))] {
				fills := is(id) // asked for each: the clocks of all that are absent run at once
				if _, full := taken[a.Places[n]]; fills && !full && !placed[id] {
					taken[a.Places[n]], placed[id] = id, true
				}
			}
		}
	}
	seen := func(id string) bool { return holds(f.servers, Server{ID: id}) }
	take(seen)
	take(func(id string) bool { return v.fills(f, id) })
	for _, s := range f.servers {
		if !placed[s.ID] {
			place := lowestFree(taken)
			taken[place] = s.ID
			v.noteStray(f, s, place)
		}
	}
	return taken
}

// noteStray remembers a server that no launch tells of, adopted or of a record that was lost, as one that a launch without a
// token brought: should EC2 not show it for a while, its place is not vacant at once.
func (v *view) noteStray(f *fleet, s Server, place int) {
	known := slices.ContainsFunc(f.Launches, func(a Attempt) bool {
		return a.Token != "" && a.Token == s.Token || slices.Contains(a.Servers, s.ID)
	})
	if f.Lost || known || holds(v.surplus(f), s) {
		return
	}
	f.Launches = append(f.Launches, Attempt{Number: f.nextAttempt(), Subnet: s.Subnet, Type: s.Type, Role: s.Role, Places: []int{place}, At: s.Launched,
		Servers: []string{s.ID}})
}

// lowestFree is the first place that nobody has.
func lowestFree(taken map[int]string) int {
	for place := 0; ; place++ {
		if _, full := taken[place]; !full {
			return place
		}
	}
}

// settle closes an open attempt all of whose servers can be seen: their token tells. It reports whether it is still open.
func (v *view) settle(a *Attempt, f *fleet) bool {
	if !a.Open {
		return false
	}
	if seen := v.launchedWith(a.Token, f); len(seen) >= len(a.Places) {
		a.Open, a.Servers = false, seen
	}
	return a.Open
}

// fills reports whether a launched server still fills its place. Ended, now or when it was last seen, given up, let go or held:
// no. Not seen: only good readings for absentAfter are evidence that it is gone.
func (v *view) fills(f *fleet, id string) bool {
	if id == "" || slices.ContainsFunc(f.Launches, func(a Attempt) bool { return slices.Contains(a.Ended, id) }) {
		return false
	}
	if slices.ContainsFunc(f.servers, func(s Server) bool { return s.ID == id }) {
		return true
	}
	seen := slices.ContainsFunc(v.in.World.Servers, func(s Server) bool { return s.ID == id })
	return !seen && !v.lasting("absent/"+id, true, absentAfter)
}

// vacancies are the lowest free places, as many as the fleet is short of. A fleet that shrank may keep a server at a high
// place: it counts all the same.
func vacancies(taken map[int]string, replicas int) []int {
	var vacant []int
	for place := 0; len(taken)+len(vacant) < replicas; place++ {
		if _, full := taken[place]; !full {
			vacant = append(vacant, place)
		}
	}
	return vacant
}

// replay carries out open attempts again, as they were: EC2 answers with what the first call did.
func (v *view) replay(f *fleet) {
	for _, a := range f.Launches {
		if a.Open {
			v.do(Launch{Revision: f.Name, Attempt: a, Why: fmt.Sprintf(
				"launch attempt %d of version %s has no known outcome: ask again with the same token", a.Number, f.label)})
			if v.underway(a) {
				v.wait(fmt.Sprintf("EC2 to answer launch attempt %d of version %s, which waits for its turn where many servers of the account "+
					"are launched at once", a.Number, f.label))
				continue
			}
			v.again(launchEvery)
		}
	}
}

// died stops launching for places whose servers ended again and again, three within an hour, until somebody asks for a retry.
func (v *view) died(f *fleet, vacant []int) bool {
	for _, place := range vacant {
		var deaths []time.Time
		for _, a := range f.Launches {
			if f.fruitless(a, place) {
				deaths = append(deaths, a.At)
			}
		}
		slices.SortFunc(deaths, time.Time.Compare) // strays are noted with the time of their launch
		if n := len(deaths); n >= deathsToStall && deaths[n-1].Sub(deaths[n-deathsToStall]) < deathWindow {
			v.stall(ReasonLaunchFailed, fmt.Sprintf("version %s: %d launches for one place ended again within an hour%s; "+
				"look at the image and the user data, then change the Release or set the annotation slipway.dev/retry to a new value",
				f.label, n, f.lastWords()))
			return true
		}
	}
	return false
}

// fruitless: the attempt brought a server for the vacant place, and it ended by itself. One that we let go, or that a person
// holds, does not count.
func (f *fleet) fruitless(a Attempt, place int) bool {
	n := slices.Index(a.Places, place)
	switch {
	case a.Open || a.Pardoned || n < 0:
		return false
	case a.Failure.Kind == FailureDied:
		return true
	}
	return n < len(a.Servers) && a.Servers[n] != "" && !slices.ContainsFunc(f.heldOut, func(s Server) bool { return s.ID == a.Servers[n] })
}

// letGo takes servers that we end out of the attempts that brought them: their places are free, and their end says nothing
// against the image.
func (f *fleet) letGo(servers []Server) {
	for _, a := range f.Launches {
		for n, id := range a.Servers {
			if slices.ContainsFunc(servers, func(s Server) bool { return s.ID == id }) {
				a.Servers[n] = ""
			}
		}
	}
}

// maxLastWords bounds AWS's reason for an end in memory, in bytes. Its own are shorter.
const maxLastWords = 120

// noteEnds remembers which launched servers ended, and AWS's reason for the first end of each launch. One that a reading shows alive has
// not ended, whatever was concluded from others.
func (v *view) noteEnds() {
	for _, s := range v.in.World.Servers {
		f := v.fleet(s.Revision)
		if f == nil || v.in.World.ServersErr != "" {
			continue
		}
		for i := range f.Launches {
			f.Launches[i].note(s)
		}
	}
}

func (a *Attempt) note(s Server) {
	known := slices.Contains(a.Ended, s.ID)
	switch {
	case alive(s):
		a.Ended = slices.DeleteFunc(a.Ended, func(id string) bool { return id == s.ID })
	case slices.Contains(a.Servers, s.ID) && !known:
		a.end(s.ID)
		if a.LastWords == "" && s.Reason != "" {
			a.LastWords = s.ID + ": " + s.Reason[:min(len(s.Reason), maxLastWords)]
		}
	}
}

func (a *Attempt) end(server string) {
	a.Ended = append(a.Ended, server)
	slices.Sort(a.Ended)
}

// noteGone remembers as ended the servers of the fleet that good readings have left out for absentAfter: their places are given to others
// from now on, and a new process, whose clocks begin anew, has to know that nobody waits for them any more.
func (v *view) noteGone(f *fleet) {
	for i := range f.Launches {
		a := &f.Launches[i]
		for _, id := range a.Servers {
			if id != "" && !seen(v.in.World.Servers, id) && !slices.Contains(a.Ended, id) && !v.fills(f, id) {
				a.end(id)
			}
		}
	}
}

// lastWords are those of the newest launch that has some, and that no retry was asked for since.
func (f *fleet) lastWords() string {
	for _, a := range slices.Backward(f.Launches) {
		if a.LastWords != "" && !a.Pardoned {
			return " (AWS says of " + a.LastWords + ")"
		}
	}
	return ""
}

// tooMany keeps to the class's maxServersPerRelease.
func (v *view) tooMany(more int) bool {
	limit := v.in.Spec.MaxServers
	if have := len(v.ours()) + v.expected(); limit > 0 && have+more > limit {
		v.stall(ReasonTooManyServers, fmt.Sprintf("%d more servers beside %d would exceed maxServersPerRelease %d of the ReleaseClass; "+
			"lower spec.replicas, complete or delete an older version, or raise the limit", more, have, limit))
		return true
	}
	return false
}

// expected are the places of open attempts whose servers no reading shows yet.
func (v *view) expected() int {
	n := 0
	for _, f := range v.fleets {
		for _, a := range f.Launches {
			if a.Open {
				n += len(a.Places) - len(v.launchedWith(a.Token, f))
			}
		}
	}
	return n
}

// launchedWith are the servers of the fleet that carry the token, in any state.
func (v *view) launchedWith(token string, f *fleet) []string {
	return ids(slices.DeleteFunc(slices.Clone(v.in.World.Servers), func(s Server) bool {
		return s.Token != token || s.Revision != f.Name
	}))
}

// refused waits after EC2 refused the parameters, the quota or the permission: a new attempt follows by itself, later and
// later, so that mending the cause heals the Release.
func (v *view) refused(f *fleet) bool {
	row := 0
	var last Attempt
	for i, a := range f.Launches { // in order of number
		made := slices.ContainsFunc(f.Launches[i:], func(b Attempt) bool {
			return b.Subnet == a.Subnet && b.Type == a.Type && len(b.Servers) > 0
		})
		if a.Failure.Kind == FailureRejected && !made {
			row++
			last = a
		}
	}
	if row == 0 {
		return false
	}
	pause := min(rejectionWait<<min(row-1, 8), rejectionMax)
	v.stall(last.Failure.Reason, last.Failure.Message)
	left := pause - v.in.Now.Sub(last.At)
	if left > 0 {
		v.again(left)
	}
	return left > 0
}

// launch plans one attempt for each subnet and type that the vacant places fall to.
func (v *view) launch(f *fleet, role Role, vacant []int, why string) {
	f.prune(v.in.Now, v)
	type lot struct{ subnet, kind string }
	lots := map[lot][]int{}
	var order []lot
	spread := v.spread(f)
	for _, place := range vacant {
		subnet, kind := f.choose(spread, v.in.Now)
		if subnet == "" {
			v.awaitRoom(f)
			v.tellNoRoom(f, spread)
			break
		}
		l := lot{subnet, kind}
		if lots[l] == nil {
			order = append(order, l)
		}
		lots[l] = append(lots[l], place)
		spread.load[subnet]++
	}
	for _, l := range order {
		a := Attempt{Number: f.nextAttempt(), Subnet: l.subnet, Type: l.kind, Role: role, Places: lots[l], At: v.in.Now, Open: true}
		a.Token = token(v.in.Spec.UID, f.Name, a)
		f.Launches = append(f.Launches, a)
		v.do(Launch{Revision: f.Name, Attempt: a, Why: fmt.Sprintf("%s: %d × %s in %s for version %s", why, len(a.Places), a.Type, a.Subnet, f.label)})
		v.again(launchEvery)
	}
}

func (f *fleet) nextAttempt() int {
	last := 0
	for _, a := range f.Launches {
		last = max(last, a.Number)
	}
	return last + 1
}

// memoryOf is how long a closed attempt that nothing is left of still matters, by how it failed. An account without room is
// asked every two minutes for every type in every subnet, and an annotation has an end.
var memoryOf = map[FailureKind]time.Duration{
	FailureNone:     deathWindow,
	FailureDied:     deathWindow,
	FailureCapacity: 5 * capacityMemory, // longer than it keeps from trying again, to tell of it meanwhile
	FailureRejected: 5 * rejectionMax,   // a row long enough for the longest pause
}

// prune forgets attempts that can no longer matter. The newest is kept, because numbers must not repeat.
func (f *fleet) prune(now time.Time, v *view) {
	newest := f.nextAttempt() - 1
	f.Launches = slices.DeleteFunc(f.Launches, func(a Attempt) bool {
		left := slices.ContainsFunc(a.Servers, func(id string) bool { return v.fills(f, id) })
		again := a.Failure.Kind == FailureCapacity && f.lastTry(a.Subnet, a.Type).Number > a.Number
		return !a.Open && !left && a.Number != newest && (again || now.Sub(a.At) > memoryOf[a.Failure.Kind])
	})
}

// token is the client token of an attempt: a hash over everything that the launch is made of, 64 characters as EC2 allows.
// The subnet is part of it, because EC2 keeps tokens per zone.
func token(uid, revision string, a Attempt) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%d|%s|%s|%s|%v", uid, revision, a.Number, a.Subnet, a.Type, a.Role, a.Places))
	return hex.EncodeToString(sum[:])
}
