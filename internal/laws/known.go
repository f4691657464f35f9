package laws

import (
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// A person can put a server into any pool of the account. Nobody but AWS knows of it where the Release names no such pool: law 4 binds
// for the pools that a Release knows its server to be in, as seen here by itself and not by what the product remembers.

// knowledge is whose a server was when the controller learned last that it is in a pool, and when.
type knowledge struct {
	owner types.UID
	at    time.Time
}

// resource is a server in a pool, as the ledger spells it.
func resource(pool, server string) string { return pool + "/" + server }

// serverIn is the server of a resource.
func serverIn(resource string) string {
	_, server, _ := strings.Cut(resource, "/")
	return server
}

// learn notes what a call of the controller's, which just had its effect, tells it of the pools that servers are in: it put them there,
// or it was told of a pool that their Release names, or they became the servers of a Release that names it.
func (w *Watch) learn(call localaws.Call, world localaws.World) {
	s := scene{World: world, call: call}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range s.tellsOf() {
		for _, m := range p.Members {
			server, _ := world.Instance(m.InstanceID)
			owner := types.UID(server.Tags[cloud.TagOwner])
			wish := w.wishes[owner]
			named := wish != nil && (slices.Contains(wish.test, p.Name) || slices.Contains(wish.production, p.Name))
			if named || s.registers() && slices.Contains(Targets(call.Params), m.InstanceID) {
				w.known[resource(p.Name, m.InstanceID)] = knowledge{owner, w.Now()}
			}
		}
	}
}

// tellsOf are the pools of which a call tells whoever makes it.
func (s scene) tellsOf() []localaws.PoolInfo {
	switch action := s.call.Action; {
	case s.call.Err != nil:
		return nil
	case action == createTags:
		return s.Pools()
	case s.registers(), action == "DescribeInstanceHealth", action == "DescribeTargetHealth":
		if p, ok := s.pool(); ok {
			return []localaws.PoolInfo{p}
		}
	}
	return nil
}

func (s scene) registers() bool { return strings.HasPrefix(s.call.Action, "Register") }

// knows reports whether a Release knows of the pool that its server is in: it names the pool, it remembers that the fleet was there, or
// it learned of the server there since that joined.
func (w *Watch) knows(s scene, rel *v1alpha1.Release, server localaws.InstanceInfo, p localaws.PoolInfo, joined time.Time) bool {
	if rel == nil || s.declares(rel, p) || s.remembers(rel, server, p) {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ever := w.known[resource(p.Name, server.ID)]
	return ever && last.owner == rel.UID && !last.at.Before(joined)
}

// declares reports whether the spec names a pool.
func (s scene) declares(rel *v1alpha1.Release, p localaws.PoolInfo) bool {
	return slices.ContainsFunc(slices.Concat(rel.Spec.LoadBalancers.Production, rel.Spec.LoadBalancers.Test), func(declared v1alpha1.Pool) bool {
		other, ok := s.Pool(nameOf(declared))
		return ok && isOneOf(other, []localaws.PoolInfo{p})
	})
}

// remembers reports whether etcd has it that the fleet of a server was in a pool.
func (s scene) remembers(rel *v1alpha1.Release, server localaws.InstanceInfo, p localaws.PoolInfo) bool {
	return slices.ContainsFunc(s.revisions, func(r appsv1.ControllerRevision) bool {
		pools := noteOf(r).Pools
		its := metav1.IsControlledBy(&r, rel) && revisionOf(r) == server.Tags[cloud.TagRevision]
		return its && (slices.Contains(pools, p.ARN) || slices.Contains(pools, "classic/"+p.Region+"/"+p.Name))
	})
}

// learned reports whether the controller ever knew of a server in a pool.
func (w *Watch) learned(resource string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ever := w.known[resource]
	return ever
}
