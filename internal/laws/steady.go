package laws

import (
	"slices"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// SteadyIn says that from now on, at every event, these pools send requests to a server of ours once they did, and to no other version
// than these.
func (w *Watch) SteadyIn(pools []string, versions ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steady, w.steadyIn, w.served = versions, pools, map[string]bool{}
}

func (w *Watch) steadiness(world localaws.World) {
	w.mu.Lock()
	steady, pools, served := w.steady, w.steadyIn, w.served
	w.mu.Unlock()
	for _, name := range pools {
		p, ok := world.Pool(name)
		if !ok {
			continue
		}
		got := VersionsIn(p, world.Instance)
		for version := range got {
			if !slices.Contains(steady, version) {
				w.Add("%s sends requests to version %s: %v", name, version, got)
			}
		}
		if served[name] && len(got) == 0 {
			w.Add("%s sends requests to no server of ours", name)
		}
		served[name] = served[name] || len(got) > 0
	}
}

// VersionsIn are the versions of ours that a pool sends new requests to, with the number of servers.
func VersionsIn(p localaws.PoolInfo, instance func(id string) (localaws.InstanceInfo, bool)) map[string]int {
	versions := map[string]int{}
	for _, m := range p.Members {
		if !m.Receiving || m.Draining { // one that drains may get some for a while yet, whatever we do
			continue
		}
		if server, ok := instance(m.InstanceID); ok && server.Tags[cloud.TagOwner] != "" {
			versions[server.Version]++
		}
	}
	return versions
}
