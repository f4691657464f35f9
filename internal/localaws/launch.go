package localaws

import (
	"maps"
	"slices"
	"strings"
)

// maxLaunch bounds one request; AWS names no figure and advises requests of 100 (SDK documentation of RunInstances).
const maxLaunch = 1000

var runInstances = operation{
	params:  runInstancesParams,
	mutates: true,
	run:     (*Cloud).runInstances,
}

func (c *Cloud) runInstances(q *call) (any, *apiError) {
	whole, err := q.withTemplate()
	if err != nil {
		return nil, err
	}
	result, err := c.runWhole(whole, formHash(q.form))
	q.effects = whole.effects
	return result, err
}

// runWhole launches with the parameters of a call and of its template; the hash is that of the call alone, so that a template
// that has changed since does not make it another one. No page says which AWS compares.
func (c *Cloud) runWhole(q *call, hash string) (any, *apiError) {
	l, err := q.readLaunch()
	if err != nil {
		return nil, err
	}
	l.hash = hash
	if err := l.place(q); err != nil {
		return nil, err
	}
	earlier, err := l.replay(q)
	if err != nil {
		return nil, err
	}
	if earlier != nil {
		if err := q.dryRun(); err != nil {
			return nil, err
		}
		q.effect("replayed token %s", l.token)
		return q.launched(earlier), nil
	}
	if err := l.resolve(c, q); err != nil {
		return nil, err
	}
	if q.realm.out[l.subnet.az] {
		return nil, zoneIsOut()
	}
	if err := q.dryRun(); err != nil {
		return nil, err
	}
	count, err := l.fit(q.realm)
	l.bind(q.realm, nil)
	if err != nil {
		return nil, err
	}
	if err := c.spend(q, count); err != nil {
		return nil, err
	}
	started := c.launch(q, l, count)
	l.bind(q.realm, started)
	q.effect("launched %s in %s", strings.Join(idsOf(started), ", "), l.subnet.id)
	c.launchAgain(q, l, count)
	return q.launched(started), nil
}

// launchAgain is Fault.Twice, if the call is under it. The token does not know of what it launches, so that the call, repeated, does not answer with it.
func (c *Cloud) launchAgain(q *call, l *launch, count int) {
	if !q.twice {
		return
	}
	room, err := l.fit(q.realm)
	if err != nil {
		return
	}
	l.again = true
	q.effect("launched %s too, by a fault", strings.Join(idsOf(c.launch(q, l, min(count, room))), ", "))
}

func idsOf(list []*instance) []string {
	ids := make([]string, len(list))
	for i, in := range list {
		ids[i] = in.id
	}
	return ids
}

// launchToken is what a client token stands for. Guarded by Cloud.mu.
type launchToken struct {
	hash      string
	instances []*instance // empty after an attempt that failed
}

func (l *launch) tokenKey() string { return l.token + "\x00" + l.tokenScope }

// replay finds what an earlier request with the same token launched, and nil if there is none. The token of a failed
// attempt stays bound to its parameters (ubicloud pull request 5898, runs-on issue 251). One whose instance was
// terminated is refused (EC2 error codes; boto3 issue 4406); with several instances, no page says how many must be
// gone: here one is enough.
func (l *launch) replay(q *call) ([]*instance, *apiError) {
	known, ok := q.realm.tokens[l.tokenKey()]
	if l.token == "" || !ok {
		return nil, nil
	}
	if known.hash != l.hash {
		return nil, mismatchedToken()
	}
	for _, in := range known.instances {
		if in.state == stateTerminated && !q.realm.c.knobs.TokenReturnsTerminated {
			return nil, refuse("IdempotentInstanceTerminated",
				"The client token you have provided is associated with a terminated instance. Please use a different client token.")
		}
	}
	return known.instances, nil
}

// bind remembers the token with what it launched.
func (l *launch) bind(r *realm, started []*instance) {
	if l.token != "" {
		r.tokens[l.tokenKey()] = &launchToken{hash: l.hash, instances: started}
		for _, in := range started {
			in.tokenKey = l.tokenKey()
		}
	}
}

// forgetToken lets a token expire once the last of its instances has been terminated for long enough.
func (r *realm) forgetToken(key string) {
	t, ok := r.tokens[key]
	if !ok || slices.ContainsFunc(t.instances, func(in *instance) bool { return in.state != stateTerminated }) {
		return
	}
	r.c.after(r.c.knobs.TokenLife, tokenExpires{r, key, t})
}

// tokenExpires lets a token be used anew.
type tokenExpires struct {
	realm *realm
	key   string
	token *launchToken
}

func (j tokenExpires) run(*Cloud) {
	if j.realm.tokens[j.key] == j.token {
		delete(j.realm.tokens, j.key)
	}
}

// launch makes the instances. Called with c.mu held.
func (c *Cloud) launch(q *call, l *launch, count int) []*instance {
	r := q.realm
	rng := c.rng
	if l.token != "" {
		what := "launch"
		if l.again { // the same token must not give the same ids
			what = "launch again"
		}
		rng = c.source(what, r.account, r.region, l.tokenKey(), timestamp(q.at))
	}
	res := &reservation{id: newIDFrom(rng, "r-")}
	r.useCapacity(capacityKey{l.kind.name, l.subnet.az}, count)
	if own := q.templateTags(); own != nil {
		maps.Copy(own, l.tags["instance"])
		l.tags["instance"] = own
	}
	started := make([]*instance, count)
	for i := range started {
		r.serial++
		in := &instance{
			tagged: r.newTagged(newIDFrom(rng, "i-"), "instance", l.tags["instance"]),
			realm:  r, serial: r.serial, reservation: res, index: i,
			imageID: l.image.id, instanceType: l.kind.name, keyName: l.keyName, az: l.subnet.az, subnetID: l.subnet.id, vpcID: l.subnet.vpcID,
			privateIP: l.subnet.take(), groups: l.groups, profile: l.profile, userData: l.userData, clientToken: l.token,
			shutdownBehavior: l.behavior, metadata: l.metadata, tenancy: l.tenancy, protectTerminate: l.protectTerm, protectStop: l.protectStop,
			monitoring: l.monitoring, ebsOptimized: l.optimized, launched: q.at, surplus: l.again,
			visibleFrom: q.at.Add(c.knobs.LaunchVisible), mutableFrom: q.at.Add(c.knobs.LaunchMutable),
		}
		r.attachVolumes(in, l.devices, l.tags["volume"], func() string { return newIDFrom(rng, "vol-") })
		in.interfaceID = r.newTagged(newIDFrom(rng, "eni-"), "network-interface", l.tags["network-interface"]).id
		in.app.settings = l.app
		started[i] = in
		r.instances[in.id], c.instances[in.id] = in, in
		r.order = append(r.order, in)
		c.setInstanceState(in, statePending, stateReason{"pending", "pending"}, "launched")
		r.balancers.moveIn(in)
		c.boot(in)
	}
	return started
}

// boot takes a pending instance to running, or to its end where its settings say so. Called with c.mu held.
func (c *Cloud) boot(in *instance) {
	s := in.app.settings
	if s.stuck {
		return
	}
	delay := between(c.source("boot", in.id, timestamp(c.now())), c.knobs.PendingMin, c.knobs.PendingMax)
	if s.boot != nil {
		delay = *s.boot
	}
	c.inState(in, delay, bootEnds{in})
}

// bootEnds ends what boot began.
type bootEnds struct{ in *instance }

func (j bootEnds) run(c *Cloud) {
	in := j.in
	if fail := in.app.settings.fail; fail != "" {
		c.terminated(in, stateReason{fail, fail + ": Internal error on launch"}, "failed to launch")
		return
	}
	in.running = c.now()
	c.setInstanceState(in, stateRunning, stateReason{}, "booted")
	c.startApp(in)
}

// launched is the answer to a launch: the instances as they are now.
func (q *call) launched(list []*instance) any {
	set := make([]instanceXML, len(list))
	for i, in := range list {
		set[i] = in.xml(q.at, in.state, in.stateReason)
	}
	return reservationXML{ID: list[0].reservation.id, Owner: q.realm.account, Instances: itemsOf(set)}
}

// aliveIn says whether an instance in that state counts against quotas.
func aliveIn(state string) bool { return state == statePending || state == stateRunning }
