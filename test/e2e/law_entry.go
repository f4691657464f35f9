package e2e

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// changeOfMind is how old what a person asked for may be when a call is made for it: a call that waits for its turn, or is tried
// again, is not called back.
const changeOfMind = time.Minute

// wishes are what a Release was seen to ask for.
type wishes struct {
	live     map[string]time.Time // the versions that were to go live, and when that was seen last
	replicas map[int32]time.Time  // the sizes, in the same way
	test     []string             // its test pools
	need     int                  // how many servers are asked for
	ending   bool                 // it is deleted, and its servers with it
}

// seen notes what the Releases ask for.
func (v *violations) seen(s scene) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := range s.releases {
		rel := &s.releases[i]
		w := v.wishes[rel.UID]
		if w == nil {
			w = &wishes{live: map[string]time.Time{}, replicas: map[int32]time.Time{}}
			v.wishes[rel.UID] = w
		}
		phase, override := rel.Spec.Phase, rel.Spec.Override
		if phase == v1alpha1.PhaseLive || phase == v1alpha1.PhaseComplete || override != nil && override.Phase == v1alpha1.PhaseLive {
			w.live[string(rel.Spec.Version)] = s.now
		}
		w.replicas[rel.Spec.Replicas], w.need, w.test, w.ending = s.now, askedFor(rel), nil, ending(rel)
		for _, declared := range rel.Spec.LoadBalancers.Test {
			if p, ok := s.Pool(nameOf(declared)); ok {
				w.test = append(w.test, p.Name)
			}
		}
	}
}

// look notes which fleets the test pools find healthy, the asked for in each.
func (v *violations) look(world localaws.World) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for uid, w := range v.wishes {
		var everywhere map[string]bool
		for _, name := range w.test {
			p, ok := world.Pool(name)
			if !ok {
				continue
			}
			healthy := healthyFleets(world, p, uid, w.need)
			if everywhere == nil {
				everywhere = healthy
			}
			maps.DeleteFunc(everywhere, func(revision string, _ bool) bool { return !healthy[revision] })
		}
		maps.Copy(v.shown, everywhere)
	}
}

// healthyFleets are the revisions of a Release of which a pool finds so many servers healthy.
func healthyFleets(world localaws.World, p localaws.PoolInfo, uid types.UID, need int) map[string]bool {
	counts := map[string]int{}
	for _, m := range p.Members {
		if server, ok := world.Instance(m.InstanceID); ok && m.State == healthy && server.Tags[cloud.TagOwner] == string(uid) {
			counts[server.Tags[cloud.TagRevision]]++
		}
	}
	fleets := map[string]bool{}
	for revision, n := range counts {
		if n >= need {
			fleets[revision] = true
		}
	}
	return fleets
}

// entry is what makes a promotion one: into production go servers of stable, or of a fleet that was stable, or those of a version
// that somebody wants live, after every test pool has found them healthy.
func (v *violations) entry(s scene) {
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
		if why := v.unfit(s, rel, server); why != "" && !m.served(server) && !s.serves(rel, server) {
			v.add("promotion: %s of version %s is registered with %s, and %s", server.ID, server.Tags[cloud.TagVersion], p.Name, why)
		}
	}
}

// served: the server is of a fleet that production had.
func (m remembered) served(server localaws.InstanceInfo) bool {
	revision := server.Tags[cloud.TagRevision]
	return revision == m.stable || m.wasStable[revision] || server.Tags[cloud.TagRole] == stableRole
}

// unfit says why a server of a new version has no business in production.
func (v *violations) unfit(s scene, rel *v1alpha1.Release, server localaws.InstanceInfo) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	wish := v.wishes[rel.UID]
	if last, ever := wish.live[server.Tags[cloud.TagVersion]]; !ever || s.now.Sub(last) > changeOfMind {
		return "nobody asked for that version to be live"
	}
	if len(wish.test) > 0 && !v.shown[server.Tags[cloud.TagRevision]] {
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

// launched is law 5 on what came of a call: no fleet has more servers that are of use than were asked for, and a token never meets
// other parameters than its own.
func (v *violations) launched(s scene) {
	if s.call.Err != nil {
		if strings.Contains(s.call.Err.Error(), "IdempotentParameterMismatch") {
			v.add("law 5: a token is used for another launch: %v", s.call.Err)
		}
		return
	}
	for i := range s.releases {
		rel := &s.releases[i]
		most := v.mostServers(s, rel)
		counts := map[string]int{}
		for _, server := range s.Instances() {
			if owns(rel, server) && server.Alive && (server.State == "pending" || useful(server)) {
				counts[server.Tags[cloud.TagRevision]]++
			}
		}
		for revision, n := range counts {
			if n > most {
				v.add("law 5: %d servers of %s run or boot after a launch, of %d", n, revision, most)
			}
		}
	}
}

// mostServers is how many servers a fleet may have, as was asked for lately.
func (v *violations) mostServers(s scene, rel *v1alpha1.Release) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	most := rel.Spec.Replicas
	for replicas, last := range v.wishes[rel.UID].replicas {
		if s.now.Sub(last) <= changeOfMind {
			most = max(most, replicas)
		}
	}
	return int(most)
}
