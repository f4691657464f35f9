package controllers

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// declaredPool is an entry of spec.loadBalancers.
type declaredPool struct {
	name string
	use  rollout.PoolUse
	ref  cloud.PoolRef
	text string // equal for equal references

	names []string // what a class may allow it by
}

func (p declaredPool) allowedBy(class *v1alpha1.ReleaseClass) bool {
	return class != nil && matches(class.Spec.Pools, p.names...)
}

// declaredPools lists the entries of spec.loadBalancers, production first.
func declaredPools(pools v1alpha1.LoadBalancers) []declaredPool {
	var entries []declaredPool
	add := func(use rollout.PoolUse, list []v1alpha1.Pool) {
		for _, pool := range list {
			ref, text := poolRef(pool)
			entries = append(entries, declaredPool{pool.Name, use, ref, text, poolNames(pool)})
		}
	}
	add(rollout.UseProduction, pools.Production)
	add(rollout.UseTest, pools.Test)
	return entries
}

// readWorld reads servers and pools. The names of the pools are resolved while EC2 is being read; their members are read
// after it, all at once, because a draining member of a classic pool is found only when it is asked for by name, and
// because health is what must be newest.
func (r *ReleaseReconciler) readWorld(ctx context.Context, obs *observation) error {
	entries := declaredPools(obs.release.Spec.LoadBalancers)
	if obs.input.Spec.Deleting {
		entries = obs.deletionPools(entries)
	}
	pools := make([]rollout.Pool, len(entries))
	var calls parts
	calls.Go(func() { r.readServers(ctx, obs) })
	for i := range entries {
		calls.Go(func() { pools[i] = resolvePool(ctx, obs, entries[i]) })
	}
	calls.Wait()
	if known := r.soft.of(obs.release); r.soft.heard() {
		obs.input.World.Underway = known.calls.launching()
	}
	obs.recall()
	obs.settlePools(entries, pools)
	target, err := obs.matchTarget()
	if err != nil {
		return err
	}
	obs.input.Spec.Target = target
	if obs.input.Spec.Refused.Some() {
		obs.leaveUnread()
		return nil
	}
	r.readPools(ctx, obs)
	for id, why := range r.soft.of(obs.release).deniedPools() {
		if i := slices.IndexFunc(obs.input.World.Pools, func(p rollout.Pool) bool { return p.ID == id }); i >= 0 {
			obs.input.World.Pools[i].Denied = why
		}
	}
	obs.adoption(r.readAdoptable(ctx, obs))
	if obs.input.Spec.Deleting {
		return nil
	}
	return r.contest(ctx, obs, r.cachedClaimants)
}

// deletionPools are the pools that may matter to a Release that is being deleted: with Retain none does, with Terminate those
// that its servers may be in. Of servers that were taken over there may be no memory; for them a pool counts that was claimed, and
// one that the class allows. Others may be anybody's.
func (o *observation) deletionPools(entries []declaredPool) []declaredPool {
	if !o.input.Spec.TerminateOnDelete {
		return nil
	}
	return slices.DeleteFunc(entries, func(entry declaredPool) bool {
		id := o.claimedID(entry.text)
		_, claimed := o.claims[id]
		return !claimed && !entry.allowedBy(o.class) && !o.entered(id)
	})
}

// entered: memory says that servers of ours were in the pool.
func (o *observation) entered(pool string) bool {
	return slices.ContainsFunc(o.input.Memory.Revisions, func(r rollout.Revision) bool { return slices.Contains(r.Pools, pool) })
}

// readServers reads the servers of this Release, and of a former one of its name. Where EC2 does not answer, the last known ones
// stand in: they are evidence of nothing, but a rollback has to know whom to put back.
func (r *ReleaseReconciler) readServers(ctx context.Context, obs *observation) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var servers []cloud.Server
	err := contained(ctx, func() (err error) {
		servers, err = obs.account.Compute.Servers(ctx, cloud.Query{Cluster: r.Cluster, Release: obs.input.Spec.Release, MaxAge: serverAge, AtRest: obs.atRest})
		return err
	})
	known := r.soft.of(obs.release)
	if err != nil {
		obs.input.World.ServersErr, obs.input.World.ServersReason = said(ctx, err), lastingReason(err)
		obs.input.World.Servers = known.servers
		return
	}
	obs.named = servers
	for _, server := range servers {
		if server.Owner == obs.input.Spec.UID {
			obs.input.World.Servers = append(obs.input.World.Servers, server.Server)
		}
	}
	slices.SortFunc(obs.input.World.Servers, byID)
	known.servers = obs.input.World.Servers
}

func byID(a, b rollout.Server) int { return cmp.Compare(a.ID, b.ID) }

// resolvePool finds the pool that an entry means. One that cannot be found keeps the ID that its claim has, or its
// reference in place of one.
func resolvePool(ctx context.Context, obs *observation, entry declaredPool) rollout.Pool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	age := resolveAge
	switch {
	case obs.atRest && obs.unseen:
		age = cloud.ReferenceWillDo // the next glance asks; were all asked for when a process starts, its first looks took twice as long
	case obs.atRest:
		age = restResolveAge
	}
	var pool rollout.Pool
	err := contained(ctx, func() (err error) {
		pool, err = obs.account.Balancer.Resolve(ctx, entry.ref, age)
		return err
	})
	if err != nil {
		id := obs.claimedID(entry.text)
		_, claimed := obs.claims[id]
		pool = rollout.Pool{ID: id, Err: said(ctx, err), Missing: cloud.KindOf(err) == cloud.NotFound, ErrReason: lastingReason(err), Unresolved: !claimed}
	}
	pool.Name, pool.Use = entry.name, entry.use
	return pool
}

// claimedID is the pool ID that a claim has for the reference, else the reference itself. Of several the newest counts that is
// not void: a target group that was made again under its name has another ARN.
func (o *observation) claimedID(text string) string {
	newest := ""
	for _, id := range slices.Sorted(maps.Keys(o.claims)) {
		claim, best := o.claims[id], o.claims[newest]
		switch {
		case claim.Ref != text:
		case newest == "", best.Void && !claim.Void, best.Void == claim.Void && claim.Since.After(best.Since):
			newest = id
		}
	}
	return cmp.Or(newest, text)
}

// settlePools puts the pools of the spec and those that left it into World.Pools. Two entries of the spec that are one
// pool are refused.
func (o *observation) settlePools(entries []declaredPool, pools []rollout.Pool) {
	declared := map[string]rollout.Pool{}
	strays := slices.ContainsFunc(o.input.World.Servers, o.unremembered)
	for i, pool := range pools {
		if o.input.Spec.Deleting && !strays && !o.entered(pool.ID) {
			continue // no server is in it, so nothing waits for it, whatever may be wrong with it
		}
		if first, twice := declared[pool.ID]; twice {
			if !o.input.Spec.Deleting {
				o.refuse(twiceProblem(first, pool))
			}
			continue
		}
		declared[pool.ID] = pool
		o.pools[pool.ID] = poolView{ref: entries[i].text, resolved: pool.Err == ""}
		o.input.World.Pools = append(o.input.World.Pools, pool)
	}
	for _, id := range o.leftPools() {
		if _, named := declared[id]; !named {
			o.pools[id] = poolView{resolved: true}
			o.input.World.Pools = append(o.input.World.Pools, rollout.Pool{ID: id, Name: lastPart(id), Use: rollout.UseReleased})
		}
	}
	o.sortPools()
}

// leftPools are the IDs of the pools that memory knows of fleets that may still have servers; and, where there are servers that
// memory knows nothing of, because they were taken over or their record is gone, of all pools that were ever claimed.
func (o *observation) leftPools() []string {
	if o.input.Spec.Deleting && !o.input.Spec.TerminateOnDelete {
		return nil
	}
	var ids []string
	for _, revision := range o.input.Memory.Revisions {
		if o.input.World.ServersErr != "" || o.fleetExists(revision.Name) {
			ids = append(ids, revision.Pools...)
		}
	}
	if slices.ContainsFunc(o.input.World.Servers, o.unremembered) {
		ids = slices.AppendSeq(ids, maps.Keys(o.claims))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// unremembered: a server that may be in any pool, because memory does not say where its fleet has been.
func (o *observation) unremembered(server rollout.Server) bool {
	revision, known := o.remembered(server.Revision)
	return exists(server) && (!known || revision.Lost)
}

// leaveUnread marks the pools that nobody read: an empty list of members must not pass for an empty pool.
func (o *observation) leaveUnread() {
	for i := range o.input.World.Pools {
		if pool := &o.input.World.Pools[i]; pool.Readable() {
			pool.Err = unreadWords + o.input.Spec.Refused.Message
		}
	}
}

func (o *observation) sortPools() {
	slices.SortFunc(o.input.World.Pools, func(a, b rollout.Pool) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name)) })
}

// lastPart is a name for people for a pool that has none in the spec: "targetgroup/web/0123" is web, "classic/eu/web" too.
func lastPart(id string) string {
	parts := strings.Split(id, "/")
	if strings.HasPrefix(id, "arn:") && len(parts) > 1 {
		return parts[len(parts)-2]
	}
	return parts[len(parts)-1]
}

// readPools reads the members of all pools at once.
func (r *ReleaseReconciler) readPools(ctx context.Context, obs *observation) {
	var calls parts
	var together []string
	for _, pool := range obs.input.World.Pools {
		if pool.Readable() && pool.Use != rollout.UseReleased {
			together = append(together, pool.ID)
		}
	}
	lookCtx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	look := obs.account.Balancer.Look(lookCtx, together)
	for i := range obs.input.World.Pools {
		pool := &obs.input.World.Pools[i]
		if !pool.Readable() {
			continue
		}
		var asked []string
		if !obs.atRest { // at rest nobody drains
			asked = obs.everIn(pool.ID)
		}
		calls.Go(func() { *pool = readPool(ctx, obs.account.Balancer, look, *pool, asked) })
	}
	calls.Go(func() { r.compareSources(ctx, obs) })
	calls.Wait()
}

// everIn are the servers that may be in the pool by our hand: those of the fleets that memory has seen there, and of the
// fleets that memory was lost of.
func (o *observation) everIn(pool string) []string {
	var ids []string
	for _, server := range o.input.World.Servers {
		revision, _ := o.remembered(server.Revision)
		if o.unremembered(server) || exists(server) && slices.Contains(revision.Pools, pool) {
			ids = append(ids, server.ID)
		}
	}
	return ids
}

// readPool reads one pool. One that left the spec is resolved before, and read in a look of its own, so that no other waits for that. A
// reading that failed has no members: it is no evidence of anything.
func readPool(ctx context.Context, balancer cloud.Balancer, look cloud.Look, pool rollout.Pool, asked []string) rollout.Pool {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	read := pool
	err := contained(ctx, func() (err error) {
		if pool.Use == rollout.UseReleased {
			if read, err = balancer.Resolve(ctx, cloud.PoolRef{ID: pool.ID}, resolveAge); err != nil {
				return err
			}
			look = balancer.Look(ctx, []string{read.ID})
		}
		read, err = look.Read(ctx, read, asked)
		return err
	})
	if err != nil {
		pool.ErrReason = lastingReason(err)
		pool.Err, pool.Missing = said(ctx, err), cloud.KindOf(err) == cloud.NotFound
		return pool
	}
	read.ID, read.Name, read.Use = pool.ID, pool.Name, pool.Use
	return read
}
