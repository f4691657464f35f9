package controllers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// edgeOf is the production pool in a status of passOf's Release.
func edgeOf(t *testing.T, status v1alpha1.ReleaseStatus) v1alpha1.PoolStatus {
	t.Helper()
	i := slices.IndexFunc(status.Pools, func(p v1alpha1.PoolStatus) bool { return p.Name == "edge" })
	if i < 0 {
		t.Fatalf("no pool edge in %+v", status.Pools)
	}
	return status.Pools[i]
}

// Who looks for a server that gets no requests finds it missing from serverIDs, and one that is on its way out counted.
func TestPoolStatusSaysWhoIsRegistered(t *testing.T) {
	p := passOf(func(p *pass) {
		p.obs.input.World.Servers = append(p.obs.input.World.Servers, rollout.Server{ID: "i-13", Revision: "web-1"}, rollout.Server{ID: "i-14", Revision: "web-1"})
		p.obs.input.World.Pools[0].Members = []rollout.Member{ // i-12 is absent
			{Server: "i-99", State: rollout.MemberDraining}, // a stranger
			{Server: "i-21", State: rollout.MemberDraining},
			{Server: "i-14", State: rollout.MemberRegistering},
			{Server: "i-13", State: rollout.MemberDraining},
			{Server: "i-11", State: rollout.MemberHealthy},
		}
	})
	want := []v1alpha1.PoolFleetStatus{
		{Revision: "web-1", Version: "v1", Registered: 2, Healthy: 1, ServerIDs: []v1alpha1.StatusName{"i-11", "i-14"}, Draining: 1},
		{Revision: "web-2", Version: "v2", Draining: 1},
	}
	edge := edgeOf(t, p.status())
	if diff := cmp.Diff(want, edge.Fleets); diff != "" {
		t.Errorf("fleets of the pool (-want +got):\n%s", diff)
	}
	if edge.Registered != 2 || edge.Healthy != 1 || edge.Strangers != 0 {
		t.Errorf("%d registered, %d healthy, %d strangers", edge.Registered, edge.Healthy, edge.Strangers)
	}
}

// A reading in another order is the same reading: a settled Release is not written for it, however many servers it has.
func TestPoolStatusDoesNotDependOnOrder(t *testing.T) {
	many := func(p *pass) {
		edge := &p.obs.input.World.Pools[0]
		edge.Members = nil
		for i := range v1alpha1.MaxShownServers + 20 {
			id := fmt.Sprintf("i-%04d", i)
			p.obs.input.World.Servers = append(p.obs.input.World.Servers, rollout.Server{ID: id, Revision: fmt.Sprint("web-", 1+i/60), State: rollout.StateRunning})
			edge.Members = append(edge.Members, rollout.Member{Server: id, State: []rollout.MemberState{
				rollout.MemberHealthy, rollout.MemberHealthy, rollout.MemberHealthy, rollout.MemberUnhealthy, rollout.MemberDraining}[i%5]})
		}
	}
	first := passOf(many)
	before := first.status()
	after := first.after(time.Minute, func(p *pass) {
		edge := &p.obs.input.World.Pools[0]
		edge.Members = slices.Clone(edge.Members)
		slices.Reverse(edge.Members)
	}).status()
	if !equality.Semantic.DeepEqual(before, after) {
		t.Errorf("status would be written (-before +after):\n%s", cmp.Diff(before, after))
	}
	full := edgeOf(t, passOf(func(p *pass) {
		many(p)
		for i := range p.obs.input.World.Pools[0].Members {
			p.obs.input.World.Pools[0].Members[i].State = rollout.MemberHealthy
		}
	}).status()).Fleets[0]
	if full.Registered != 60 || len(full.ServerIDs) != v1alpha1.MaxShownServers || !slices.IsSorted(full.ServerIDs) {
		t.Errorf("%d registered, shown are %v", full.Registered, full.ServerIDs)
	}
}
