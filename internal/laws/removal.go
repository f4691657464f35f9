package laws

import (
	"slices"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// pool is the pool that a call names.
func (s scene) pool() (localaws.PoolInfo, bool) {
	if name := s.call.Params.Get("LoadBalancerName"); name != "" {
		return s.Pool(name)
	}
	return s.Pool(s.call.Params.Get("TargetGroupArn"))
}

// production are the production pools that the spec names and AWS has.
func (s scene) production(rel *v1alpha1.Release) []localaws.PoolInfo {
	var pools []localaws.PoolInfo
	for _, declared := range rel.Spec.LoadBalancers.Production {
		if p, ok := s.Pool(nameOf(declared)); ok {
			pools = append(pools, p)
		}
	}
	return pools
}

// nameOf is how AWS finds a declared pool: by name or ARN.
func nameOf(declared v1alpha1.Pool) string {
	switch {
	case declared.Classic != nil:
		return declared.Classic.Name
	case declared.TargetGroup != nil && declared.TargetGroup.ARN != "":
		return declared.TargetGroup.ARN
	case declared.TargetGroup != nil:
		return declared.TargetGroup.Name
	}
	return ""
}

func isOneOf(p localaws.PoolInfo, pools []localaws.PoolInfo) bool {
	return slices.ContainsFunc(pools, func(other localaws.PoolInfo) bool { return other.Kind == p.Kind && other.Name == p.Name })
}

// removal is law 1 on the truth: healthy servers of ours leave a production pool by our hand only if the asked-for healthy ones
// of ours stay, in each zone where the pool does not balance across zones. Where stable is put back and others leave, what
// must stay is what the rollback gate asks for. Servers that do not run may leave: nothing reaches them. Nor does anything leave that
// is no member: a controller that was told of the past may ask for it again.
func (w *Watch) removal(s scene) {
	p, ok := s.pool()
	if !ok || !slices.ContainsFunc(s.servers, func(l localaws.InstanceInfo) bool { return l.State == running && receives(p, l.ID) }) {
		return
	}
	rel := s.owner(s.servers[0])
	if rel == nil || ending(rel) {
		return
	}
	pools := s.production(rel)
	if !isOneOf(p, pools) {
		return
	}
	leaving, staying := s.part(p, rel)
	w.givenBack(s, rel, p, leaving, staying)
	need := share(w.leastAsked(s, rel), rel)
	if len(leaving) == 0 {
		need = 1
	}
	lack := s.lack(p, rel, leaving, staying, need)
	if lack && s.restoring(pools, rel) {
		lack = s.lack(p, rel, leaving, staying, 1)
	}
	if lack {
		w.Add("law 1: %s takes %d healthy servers out of %s, where %d healthy ones of ours stay and %d are asked for",
			s.call.Action, len(leaving), p.Name, len(staying), need)
	}
}

// receives: the server is a member that is not on its way out.
func receives(p localaws.PoolInfo, id string) bool {
	return slices.ContainsFunc(p.Members, func(m localaws.MemberInfo) bool { return m.InstanceID == id && !m.Draining })
}

// part parts the healthy members of ours into those that the call names and those that stay.
func (s scene) part(p localaws.PoolInfo, rel *v1alpha1.Release) (leaving, staying []localaws.MemberInfo) {
	for _, m := range s.ours(p, rel, "") {
		switch named := s.names(m.InstanceID); {
		case named && m.State == healthy:
			leaving = append(leaving, m)
		case !named && s.wasHealthy(m):
			staying = append(staying, m)
		}
	}
	return leaving, staying
}

// wasHealthy: a member is healthy, or was when the controller may have read so last. No controller can know of what comes between
// its reading and its call.
func (s scene) wasHealthy(m localaws.MemberInfo) bool {
	return m.State == healthy || m.Was == healthy && s.now.Sub(m.Since) < s.lately
}

// names reports whether the call names a server.
func (s scene) names(id string) bool {
	return slices.ContainsFunc(s.servers, func(l localaws.InstanceInfo) bool { return l.ID == id })
}

// share is ceil(replicas × minHealthyPercent / 100), at least 1.
func share(replicas int, rel *v1alpha1.Release) int {
	return max(1, (replicas*int(rel.Spec.Promotion.MinHealthyPercent)+99)/100)
}

// ours are the members of a pool that belong to the Release, of one revision or of all, without those that drain.
func (s scene) ours(p localaws.PoolInfo, rel *v1alpha1.Release, revision string) []localaws.MemberInfo {
	return slices.DeleteFunc(slices.Clone(p.Members), func(m localaws.MemberInfo) bool {
		server, ok := s.Instance(m.InstanceID)
		return !ok || m.Draining || !owns(rel, server) || (revision != "" && server.Tags[cloud.TagRevision] != revision)
	})
}

// lack: fewer stay than are needed, in all or in a zone that a healthy server leaves.
func (s scene) lack(p localaws.PoolInfo, rel *v1alpha1.Release, leaving, staying []localaws.MemberInfo, need int) bool {
	if len(staying) < need {
		return true
	}
	if p.CrossZone {
		return false
	}
	zones, stay := map[string]bool{}, map[string]int{}
	for _, m := range s.ours(p, rel, "") {
		zones[m.Zone] = true
	}
	for _, m := range staying {
		stay[m.Zone]++
	}
	if int(rel.Spec.Replicas) < len(zones) {
		return false // a Release of fewer servers than zones cannot serve in each of them
	}
	share := max(1, need/len(zones))
	return slices.ContainsFunc(leaving, func(m localaws.MemberInfo) bool { return stay[m.Zone] < share })
}

// restoring: others than stable leave, and stable is back: every registered one that runs is healthy in every production pool,
// or one is in each, for health.rollbackTimeout.
func (s scene) restoring(pools []localaws.PoolInfo, rel *v1alpha1.Release) bool {
	stable := s.memory(rel).stable
	if stable == "" || slices.ContainsFunc(s.servers, func(l localaws.InstanceInfo) bool { return l.Tags[cloud.TagRevision] == stable }) {
		return false
	}
	whole, since := true, time.Time{}
	for _, p := range pools {
		all, first := s.back(p, rel, stable)
		if first.IsZero() {
			return false
		}
		whole = whole && all
		if first.After(since) {
			since = first
		}
	}
	return whole || s.now.Sub(since) >= rel.Spec.Health.RollbackTimeout.Duration
}

// decided is how long before its first call has an effect a rollback may have been decided on: launches go out with it.
const decided = 3 * time.Second

// back tells whether all servers of a fleet that can be healthy in a pool are, and since when one is; zero where none is. One that
// was launched after the first was put back replaces a dead one, and nobody waits for it.
func (s scene) back(p localaws.PoolInfo, rel *v1alpha1.Release, revision string) (all bool, first time.Time) {
	all = true
	members := s.ours(p, rel, revision)
	var began time.Time
	for _, m := range members {
		if began.IsZero() || m.Joined.Before(began) {
			began = m.Joined
		}
	}
	for _, m := range members {
		server, _ := s.Instance(m.InstanceID)
		switch {
		case !useful(server), server.Launched.After(began.Add(-decided)):
		case !s.wasHealthy(m):
			all = false
		case first.IsZero() || m.Since.Before(first):
			first = m.Since
		}
	}
	return all, first
}

// useful: it runs, and nobody holds it.
func useful(server localaws.InstanceInfo) bool {
	_, held := server.Tags[cloud.TagHold]
	return server.State == running && !server.Impaired && !held
}
