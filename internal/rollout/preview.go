package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// prepare brings the candidate to the point at which a promotion may begin: all its servers launched, in every test pool
// and healthy there. It is also all that Preview asks for.
func (v *view) prepare() {
	c := v.candidate
	if !v.wantsCandidate() {
		c.standDown() // of the first version: nothing can undo its promotion, but a later one begins anew
	}
	v.fill(c, RoleCandidate, "launch the candidate")
	v.join(v.pools(UseTest), c, v.wanted(c), "show the candidate on the test pool")
	v.awaitPreview()
}

// previewReady are the candidate's servers that count as healthy in Preview: healthy in every test pool (without one:
// running), for at least minReadySeconds.
func (v *view) previewReady() []Server {
	if v.in.World.ServersErr != "" {
		return nil // the last known list passes no check (law 2)
	}
	c, tests := v.candidate, v.pools(UseTest)
	good := healthyEverywhere(tests, c.running())
	return slices.DeleteFunc(good, func(s Server) bool {
		return v.in.Spec.Health.MinReady > 0 && !v.lasting("ready/"+s.ID, true, v.in.Spec.Health.MinReady)
	})
}

// isPreviewReady: at least the asked-for servers are.
func (v *view) isPreviewReady() bool {
	return v.candidate != nil && len(v.previewReady()) >= v.asked
}

// awaitPreview says what Preview still waits for, and since when too long.
func (v *view) awaitPreview() {
	c, ready := v.candidate, len(v.previewReady())
	short := ready < v.asked
	late := !v.queued(c) && // the clock begins when EC2 has answered
		v.watch("launch/"+c.Name, v.in.World.ServersErr, len(c.running()) < v.asked, v.in.Spec.Health.LaunchTimeout)
	patience := v.healthTime(UseTest) + v.in.Spec.Health.MinReady
	sick := v.watch("preview/"+c.Name, cmp.Or(v.blindness(), v.idlePool()), short && len(c.running()) >= v.asked, patience)
	if !short {
		return
	}
	switch { // a pool that holds up a step is read about every second; servers that are not there are in no pool
	case sick:
		v.again(stuckEvery)
	case len(c.running()) > ready:
		v.again(max(previewEvery, v.step()))
	case len(c.servers) > len(c.running()), v.hidden(c):
		v.again(launchEvery)
	}
	v.wait(fmt.Sprintf("%d of %d servers of version %s to be healthy in Preview%s", v.asked-ready, v.asked, c.label, v.previewLack()))
	if v.in.World.ServersErr != "" {
		v.wait("EC2 to be readable again: " + v.in.World.ServersErr)
	}
	switch {
	case late:
		v.stall(ReasonLaunchTimeout, fmt.Sprintf("version %s: %d of %d servers run after %s%s; look at the EC2 instances, or declare another version",
			c.label, len(c.running()), v.asked, v.in.Spec.Health.LaunchTimeout, c.lastWords()))
	case sick:
		v.stall(ReasonHealthTimeout, fmt.Sprintf("version %s: %d of %d servers are healthy in Preview after %s%s; production is untouched; "+
			"mend the servers, or declare another version", c.label, ready, v.asked, patience, v.previewLack()))
	}
}

// previewLack says which of the candidate's servers do not count as healthy in Preview, and why.
func (v *view) previewLack() string {
	c, tests := v.candidate, v.pools(UseTest)
	young := len(healthyEverywhere(tests, c.running())) - len(v.previewReady())
	if young > 0 && v.in.World.ServersErr == "" {
		return fmt.Sprintf(" (%d more are well, but not for the %s of health.minReadySeconds yet)%s", young, v.in.Spec.Health.MinReady, v.sickWords(tests, c))
	}
	return v.sickWords(tests, c)
}

// idlePool names a test pool that nothing forwards to: health says nothing of the servers there.
func (v *view) idlePool() string {
	for _, p := range v.pools(UseTest) {
		if p.NotInUse {
			return p.Name
		}
	}
	return ""
}

// watch is lasting for what cannot always be seen: the clock stands, and nothing is said, while it cannot.
func (v *view) watch(key, blind string, is bool, d time.Duration) bool {
	if blind != "" {
		v.keep(key)
		return false
	}
	return v.lasting(key, is, d)
}

// underway: EC2 was asked for the launch, and has not answered.
func (v *view) underway(a Attempt) bool {
	return a.Open && slices.Contains(v.in.World.Underway, a.Token)
}

// queued: a launch of the fleet waits for its turn at EC2.
func (v *view) queued(f *fleet) bool { return slices.ContainsFunc(f.Launches, v.underway) }

// unfit says why a promotion may not begin: a production pool that takes nobody, or in which the switch could never be made.
// Then the candidate enters none of the others either, and no clock runs.
func (v *view) unfit() Problem {
	for _, p := range v.pools(UseProduction) {
		switch {
		case !p.Readable():
			return Problem{Message: fmt.Sprintf("%s to be readable: %s", p.Label(), p.Err)}
		case p.NotInUse:
			return Problem{Message: fmt.Sprintf("a listener or rule to forward to %s", p.Label())}
		}
		if zone := v.zoneLack(p); zone != "" {
			return Problem{Reason: ReasonUnsafe, Message: fmt.Sprintf("%s does not balance across zones, and version %s has too few servers in %s to take "+
				"over there: add a subnet of %s to spec.template.subnetIDs, turn on cross-zone balancing, or take %s out of the load balancer",
				p.Label(), v.candidate.label, zone, zone, zone)}
		}
	}
	return Problem{}
}

// sickWords names up to three servers that are not healthy in one of the pools, with AWS's own reason.
func (v *view) sickWords(pools []Pool, f *fleet) string {
	words := v.absentWords(f)
	for _, p := range pools {
		if !p.Readable() {
			words = append(words, fmt.Sprintf("%s cannot be read: %s", p.Label(), p.Err))
			continue
		}
		for _, s := range f.running() {
			m, in := p.member(s.ID)
			switch {
			case !in:
				words = append(words, fmt.Sprintf("%s is not in %s yet", s.ID, p.Label()))
			case m.State != MemberHealthy:
				words = append(words, fmt.Sprintf("%s in %s: %s", s.ID, p.Label(), strings.Join(nonEmpty(string(m.State), m.Reason), ", ")))
			}
		}
	}
	if len(words) == 0 {
		return ""
	}
	more := ""
	if len(words) > 3 {
		more = fmt.Sprintf(" and %d more", len(words)-3)
		words = words[:3]
	}
	return " (" + strings.TrimSpace(strings.Join(words, "; ")) + more + ")"
}

// absentWords are the servers of the fleet that EC2 has not shown since the last look at least: they keep their places until that has lasted absentAfter.
func (v *view) absentWords(f *fleet) []string {
	var words []string
	for _, a := range f.Launches {
		for _, id := range a.Servers {
			since, missed := v.in.Soft.Since["absent/"+id]
			if missed && v.in.World.ServersErr == "" && !seen(v.in.World.Servers, id) && v.in.Now.Sub(since) < absentAfter {
				words = append(words, fmt.Sprintf("%s is not shown by EC2, and counts as gone if it is not for %s", id, absentAfter))
			}
		}
	}
	return words
}

// nonEmpty leaves out what is not said.
func nonEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(word string) bool { return word == "" })
}

// join registers servers in pools where they are not members yet. The pool is in memory before the call. Registrations
// may go on where a pool cannot be read (law 2): registering twice does no harm.
func (v *view) join(pools []Pool, f *fleet, servers []Server, why string) {
	for _, p := range pools {
		if p.nowhere() || (!p.Readable() && slices.Contains(f.Pools, p.ID)) {
			continue // nothing to register with, or registered before and not to be seen now
		}
		missing := slices.DeleteFunc(slices.Clone(servers), func(s Server) bool {
			return len(p.registered([]Server{s})) > 0
		})
		if len(missing) == 0 {
			continue
		}
		f.notePool(p.ID)
		v.do(Register{Pool: p, Servers: ids(missing), Why: fmt.Sprintf("%s: %s of version %s into %s", why, listed(ids(missing)), f.label, p.Label())})
		v.againFor("enter/" + p.ID + "/" + f.Name)
	}
}

// againFor looks soon whether a call had its effect. One that has been asked for in every pass for a minute is refused, or held back: another
// look in a part of a second would cost the account the calls that others need.
func (v *view) againFor(call string) {
	if v.lasting(call, true, time.Minute) {
		v.again(stuckEvery)
		return
	}
	v.again(v.step())
}

// leave deregisters those of the servers that the pools still send requests to. The laws are looked after in guard.go.
func (v *view) leave(pools []Pool, f *fleet, servers []Server, why string) bool {
	left := false
	for _, p := range pools {
		leaving := leavers(v.actions, p)
		out := slices.DeleteFunc(p.registered(servers), func(s Server) bool { return slices.Contains(leaving, s.ID) })
		if len(out) > 0 {
			left = true
			v.do(Deregister{Pool: p, Servers: ids(out), Why: fmt.Sprintf("%s: %s of version %s out of %s", why, listed(ids(out)), f.label, p.Label())})
			v.againFor("exit/" + p.ID + "/" + f.Name)
		}
	}
	return left
}

// leavers are all servers that a plan takes out of the pool.
func leavers(plan []Action, p Pool) []string {
	var list []string
	for _, a := range plan {
		if d, ok := a.(Deregister); ok && d.Pool.ID == p.ID {
			list = append(list, d.Servers...)
		}
	}
	return list
}
