package controllers

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// readAdoptable reads the servers that spec.adopt may mean. It is nil where spec.adopt is not to be read: there is a
// stable fleet, or nothing is to be adopted. A failed reading adopts nothing; the next pass tries again.
func (r *ReleaseReconciler) readAdoptable(ctx context.Context, obs *observation) []cloud.Server {
	adopt := obs.release.Spec.Adopt
	if adopt == nil || !obs.adoptionOpen(adopt) {
		return nil
	}
	query := cloud.Query{Adopt: obs.input.Spec.Release, MaxAge: serverAge}
	switch {
	case adopt.FormerOwner != "" && (adopt.FormerCluster == "" || adopt.FormerCluster == r.Cluster):
		return obs.named
	case adopt.FormerOwner != "":
		query = cloud.Query{Cluster: adopt.FormerCluster, MaxAge: serverAge}
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	servers, err := obs.account.Compute.Servers(ctx, query)
	if err != nil && !obs.hasStable() { // without the fleet that should be stable nothing may be launched beside it
		obs.input.World.ServersErr = "the servers to adopt cannot be read: " + said(ctx, err)
	}
	return servers
}

// adoptionOpen: adoption is read only while there is no stable fleet of our own, and only with a good reading of EC2. A
// stable fleet that came from a former owner itself does not close it: the former candidate belongs to it, and a crash may
// have come between the two.
func (o *observation) adoptionOpen(adopt *v1alpha1.AdoptSource) bool {
	if o.input.Spec.Deleting || o.input.Spec.Refused.Some() || o.input.World.ServersErr != "" {
		return false
	}
	if adopt.FormerOwner == "" {
		return !o.hasStable()
	}
	return !slices.ContainsFunc(o.input.Memory.Revisions, func(r rollout.Revision) bool { return r.StableSeq > 0 && !r.Lost })
}

// hasStable reports whether memory, or the role tags of our servers, know a stable fleet.
func (o *observation) hasStable() bool {
	return slices.ContainsFunc(o.input.Memory.Revisions, func(r rollout.Revision) bool { return r.StableSeq > 0 }) ||
		slices.ContainsFunc(o.input.World.Servers, func(s rollout.Server) bool { return s.Role == rollout.RoleStable && exists(s) })
}

// adoption sorts out the servers of a former object of this name, and those that are to be taken over.
func (o *observation) adoption(candidates []cloud.Server) {
	var formerOwner string
	if adopt := o.release.Spec.Adopt; adopt != nil {
		formerOwner = adopt.FormerOwner
	}
	owners := map[string]bool{}
	for _, server := range o.named {
		former := server.Owner != o.input.Spec.UID && server.Owner != ""
		if former && server.Owner != formerOwner && exists(server.Server) {
			o.input.World.Former = append(o.input.World.Former, server.Server)
			owners[server.Owner] = true
		}
	}
	slices.SortFunc(o.input.World.Former, byID)
	o.input.World.FormerOwners = slices.Sorted(maps.Keys(owners))
	for _, server := range candidates {
		if taken, ok := o.adoptable(server, o.release.Spec.Adopt); ok {
			o.input.World.Adoptable = append(o.input.World.Adoptable, taken)
		}
	}
	slices.SortFunc(o.input.World.Adoptable, byID)
}

// adoptable reports whether a server may be taken over, and as what.
func (o *observation) adoptable(server cloud.Server, adopt *v1alpha1.AdoptSource) (rollout.Server, bool) {
	if !exists(server.Server) || server.Owner == o.input.Spec.UID {
		return rollout.Server{}, false
	}
	if adopt.FormerOwner != "" {
		return server.Server, server.Release == o.input.Spec.Release && server.Owner == adopt.FormerOwner && server.Revision != ""
	}
	taken := server.Server
	taken.Role = rollout.RoleStable
	taken.Revision = cmp.Or(taken.Revision, adoptedRevision(o.release.Name))
	return taken, o.offered(server) && hasTags(server, adopt.Tags) && o.inProduction(server.ID)
}

// offered reports whether somebody put our name on a server in AWS that belongs to no Release.
func (o *observation) offered(server cloud.Server) bool {
	return server.Owner == "" && server.Tags[cloud.TagAdopt] == o.input.Spec.Release
}

// hasTags reports whether a server has all of the tags.
func hasTags(server cloud.Server, tags map[string]v1alpha1.TagValue) bool {
	for key, value := range tags {
		if has, ok := server.Tags[key]; !ok || has != string(value) {
			return false
		}
	}
	return true
}

// adoptedRevision is the revision that servers made by hand are given; it has no record. No hash can spell it.
func adoptedRevision(release string) string {
	return cutName(release, maxNameLength-len("-adopted")) + "-adopted"
}

// inProduction reports whether the server is seen in one of the production pools.
func (o *observation) inProduction(id string) bool {
	return slices.ContainsFunc(o.input.World.Pools, func(pool rollout.Pool) bool {
		return pool.Use == rollout.UseProduction && pool.Readable() &&
			slices.ContainsFunc(pool.Members, func(m rollout.Member) bool { return m.Server == id })
	})
}
