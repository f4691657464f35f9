package laws

import (
	"slices"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// entry is what makes a promotion one: into production go servers of stable, or of a fleet that was stable, or those of a version
// that somebody wants live, after every test pool has found them healthy.
func (w *Watch) entry(s scene) {
	p, ok := s.pool()
	if !ok || len(s.servers) == 0 {
		return
	}
	rel := s.owner(s.servers[0])
	if rel == nil || !isOneOf(p, s.production(rel)) {
		return
	}
	m := s.memory(rel)
	for _, server := range s.servers {
		if why := w.unfit(s, rel, server); why != "" && !m.served(server) && !s.serves(rel, server) && !m.stays(s, rel, server, p) {
			w.Add("promotion: %s of version %s is registered with %s, and %s", server.ID, server.Tags[cloud.TagVersion], p.Name, why)
		}
	}
}

// served: the server is of a fleet that production had.
func (m remembered) served(server localaws.InstanceInfo) bool {
	revision := server.Tags[cloud.TagRevision]
	return revision == m.stable || m.wasStable[revision] || server.Tags[cloud.TagRole] == stableRole
}

// stays: the server joins a fleet of its own that serves from the pool and stays there whatever the phase says, because there is no
// stable one, or because no phase is asked for.
func (m remembered) stays(s scene, rel *v1alpha1.Release, server localaws.InstanceInfo, p localaws.PoolInfo) bool {
	if m.stable != "" && rel.Spec.Phase != "" {
		return false
	}
	return slices.ContainsFunc(p.Members, func(member localaws.MemberInfo) bool {
		other, ok := s.Instance(member.InstanceID)
		return ok && s.wasHealthy(member) && owns(rel, other) && other.Tags[cloud.TagRevision] == server.Tags[cloud.TagRevision]
	})
}

// unfit says why a server of a new version has no business in production.
func (w *Watch) unfit(s scene, rel *v1alpha1.Release, server localaws.InstanceInfo) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish := w.wishes[rel.UID]
	if last, ever := wish.live[server.Tags[cloud.TagVersion]]; !ever || s.now.Sub(last) > changeOfMind {
		return "nobody asked for that version to be live"
	}
	if len(wish.test) > 0 && !w.shown[server.Tags[cloud.TagRevision]] {
		return "no test pool found that fleet healthy"
	}
	return ""
}

// serves: the server is in a production pool already, as one that is adopted is.
func (s scene) serves(rel *v1alpha1.Release, server localaws.InstanceInfo) bool {
	return slices.ContainsFunc(s.production(rel), func(p localaws.PoolInfo) bool {
		return slices.ContainsFunc(p.Members, func(m localaws.MemberInfo) bool { return m.InstanceID == server.ID && !m.Draining })
	})
}
