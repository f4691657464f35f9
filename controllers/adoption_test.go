package controllers

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// byHand is a server that somebody made without Slipway.
func byHand(id string, tags map[string]string) cloud.Server {
	return cloud.Server{Server: rollout.Server{ID: id, State: rollout.StateRunning}, Tags: tags}
}

func TestAdoptionByTags(t *testing.T) {
	rel := testRelease()
	rel.Spec.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{"role": "hot-app-server", "env": ""}}
	h := newHarness(t, testClass(), rel)
	all := func(more map[string]string) map[string]string {
		tags := map[string]string{"role": "hot-app-server", "env": "", cloud.TagAdopt: "shop/web"}
		maps.Copy(tags, more)
		return tags
	}
	owned := byHand("i-owned", all(nil))
	owned.Owner = "uid-of-somebody"
	dead := byHand("i-dead", all(nil))
	dead.State = rollout.StateTerminated
	h.ports.servers = []cloud.Server{
		byHand("i-2", all(map[string]string{"more": "x"})), byHand("i-1", all(nil)), byHand("i-outside", all(nil)),
		byHand("i-other-value", all(map[string]string{"role": "batch"})), byHand("i-other-release", all(map[string]string{cloud.TagAdopt: "shop/web2"})),
		byHand("i-no-env", map[string]string{"role": "hot-app-server", cloud.TagAdopt: "shop/web"}), owned, dead,
	}
	var members []rollout.Member
	for _, server := range h.ports.servers {
		if server.ID != "i-outside" {
			members = append(members, rollout.Member{Server: server.ID, State: rollout.MemberHealthy})
		}
	}
	h.ports.addClassic("prod", members...)
	h.ports.addClassic("test", rollout.Member{Server: "i-outside", State: rollout.MemberHealthy})
	obs := h.look(t, rel)
	want := []rollout.Server{
		{ID: "i-1", State: rollout.StateRunning, Role: rollout.RoleStable, Revision: "web-adopted"},
		{ID: "i-2", State: rollout.StateRunning, Role: rollout.RoleStable, Revision: "web-adopted"},
	}
	if diff := cmp.Diff(want, obs.input.World.Adoptable); diff != "" || !obs.input.Spec.Adopt {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(obs.input.World.Former) > 0 || len(obs.input.World.Servers) > 0 {
		t.Errorf("servers made by hand pass for ours: %+v", obs.input.World)
	}
	h.ports.poolErr[prodID] = errUnanswered
	if got := h.look(t, rel).input.World.Adoptable; len(got) > 0 {
		t.Errorf("membership is not known, and %v are adopted", ids(got))
	}
	delete(h.ports.poolErr, prodID)
	h.run(rel, "i-ours", "web-adopted", rollout.RoleStable) // a stable fleet of our own closes the door
	if got := h.look(t, rel).input.World.Adoptable; len(got) > 0 {
		t.Errorf("there is a stable fleet, and %v are adopted", ids(got))
	}
}

func TestServersOfAFormerObject(t *testing.T) {
	former, rel := testRelease(), testRelease()
	former.UID = "uid-former"
	h := newHarness(t, testClass(), rel)
	h.run(former, "i-2", "web-2", rollout.RoleCandidate)
	h.run(former, "i-1", "web-1", rollout.RoleStable)
	h.run(former, "i-ended", "web-1", rollout.RoleStable)
	h.ports.servers[2].State = rollout.StateShuttingDown
	h.run(rival(), "i-foreign", "checkout-1", rollout.RoleStable)
	world := h.look(t, rel).input.World
	if len(world.Servers) > 0 {
		t.Errorf("another object's servers pass for ours: %v", ids(world.Servers))
	}
	if !slices.Equal(ids(world.Former), []string{"i-1", "i-2"}) || !slices.Equal(world.FormerOwners, []string{"uid-former"}) || len(world.Adoptable) > 0 {
		t.Errorf("former %v of %v, adoptable %v", ids(world.Former), world.FormerOwners, ids(world.Adoptable))
	}
	rel.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: "uid-former"}
	world = h.look(t, rel).input.World
	if len(world.Former) > 0 || !slices.Equal(ids(world.Adoptable), []string{"i-1", "i-2"}) {
		t.Errorf("former %v, adoptable %v", ids(world.Former), ids(world.Adoptable))
	}
	if a := world.Adoptable; a[0].Role != rollout.RoleStable || a[0].Revision != "web-1" || a[1].Role != rollout.RoleCandidate || a[1].Revision != "web-2" {
		t.Errorf("they do not keep their revision and role: %+v", a)
	}
	// A crash came after the stable fleet was tagged: the candidate that belongs to it is still taken.
	h.ports.servers[1].Owner = "uid-web"
	if got := h.look(t, rel).input.World.Adoptable; !slices.Equal(ids(got), []string{"i-2"}) {
		t.Errorf("adoptable %v", ids(got))
	}
	tagged := h.look(t, rel)
	if err := h.remember(t.Context(), tagged, edited(tagged.input.Memory, "web-1", func(r *rollout.Revision) { r.StableSeq = 1 })); err != nil {
		t.Fatal(err)
	}
	if got := h.look(t, rel).input.World.Adoptable; !slices.Equal(ids(got), []string{"i-2"}) {
		t.Errorf("adoptable %v, now that memory knows who is stable", ids(got))
	}
	// A fleet of our own that is recorded and stable: the line that is still in the spec does nothing any more.
	name := h.declare(t, rel, 1)
	obs := h.look(t, rel)
	if err := h.remember(t.Context(), obs, edited(obs.input.Memory, name, func(r *rollout.Revision) { r.StableSeq = 1 })); err != nil {
		t.Fatal(err)
	}
	if got := h.look(t, rel).input.World.Adoptable; len(got) > 0 {
		t.Errorf("adoptable %v", ids(got))
	}
}

func TestServersOfAFormerCluster(t *testing.T) {
	former, rel := testRelease(), testRelease()
	former.UID = "uid-former"
	h := newHarness(t, testClass(), rel)
	h.run(former, "i-1", "web-1", rollout.RoleStable)
	h.run(rival(), "i-2", "checkout-1", rollout.RoleStable)
	for i := range h.ports.servers {
		h.ports.servers[i].Cluster = "cluster-0"
	}
	rel.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: "uid-former"}
	if got := h.look(t, rel).input.World.Adoptable; len(got) > 0 {
		t.Errorf("servers of another cluster are taken unasked: %v", ids(got))
	}
	rel.Spec.Adopt.FormerCluster = "cluster-0"
	if got := h.look(t, rel).input.World.Adoptable; !slices.Equal(ids(got), []string{"i-1"}) {
		t.Errorf("adoptable %v", ids(got))
	}
}
