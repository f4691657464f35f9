package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// claimIndex is the index of the cached ControllerRevisions by account and pool ID of every claim.
const claimIndex = "slipway.dev/claim"

// errPoolContested ends a pass in which another Release turned out to hold a pool that was just claimed. The next pass
// says who.
var errPoolContested = errors.New("another Release claimed the pool at the same time; looking again")

// indexRevisions sets up the index that pool claims are looked up by. It has to be called once, before the manager starts.
func indexRevisions(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &appsv1.ControllerRevision{}, claimIndex, claimKeys); err != nil {
		return fmt.Errorf("index ControllerRevisions by %s: %w", claimIndex, err)
	}
	return nil
}

// claimKeys are the index values of a ControllerRevision's claims. IDs of classic load balancers are unique within an
// account only.
func claimKeys(object client.Object) []string {
	stored, ok := object.(*appsv1.ControllerRevision)
	if !ok {
		return nil
	}
	place, ok := readPlace(stored)
	if !ok {
		return nil
	}
	var keys []string
	for id := range readClaims(stored) {
		keys = append(keys, claimKey(place.AccountID, id))
	}
	slices.Sort(keys)
	return keys
}

func claimKey(account, pool string) string { return account + "|" + pool }

// claimants lists ControllerRevisions of all Releases among which are those that claim the pool in the account.
type claimants func(ctx context.Context, account, pool string) ([]appsv1.ControllerRevision, error)

// cachedClaimants answers from the cache: enough for every pass, because claims are written long before they are used. They are the
// cache's own objects, for nobody changes them.
func (r *ReleaseReconciler) cachedClaimants(ctx context.Context, account, pool string) ([]appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	err := r.List(ctx, &list, client.MatchingFields{claimIndex: claimKey(account, pool)}, client.UnsafeDisableDeepCopy)
	return list.Items, err
}

// liveClaimants reads all ControllerRevisions of Releases, once, and answers from them.
func (r *ReleaseReconciler) liveClaimants() claimants {
	var all *appsv1.ControllerRevisionList
	return func(ctx context.Context, _, _ string) ([]appsv1.ControllerRevision, error) {
		if all != nil {
			return all.Items, nil
		}
		namespaces := r.Namespaces
		if len(namespaces) == 0 {
			namespaces = []string{metav1.NamespaceAll}
		}
		var read appsv1.ControllerRevisionList
		for _, namespace := range namespaces { // each by itself: who watches some may not list all
			var list appsv1.ControllerRevisionList
			if err := r.APIReader.List(ctx, &list, client.InNamespace(namespace), client.HasLabels{labelRelease}); err != nil {
				return nil, err
			}
			read.Items = append(read.Items, list.Items...)
		}
		all = &read
		return all.Items, nil
	}
}

// watches reports whether the Releases of a namespace can be read.
func (r *ReleaseReconciler) watches(namespace string) bool {
	return len(r.Namespaces) == 0 || slices.Contains(r.Namespaces, namespace)
}

// contest compares the claims to every pool of the spec with those of all other Releases and refuses to go on where
// another one holds a pool.
func (r *ReleaseReconciler) contest(ctx context.Context, obs *observation, of claimants) error {
	for _, pool := range slices.Clone(obs.input.World.Pools) {
		if pool.Use == rollout.UseReleased {
			continue
		}
		others, err := r.rivals(ctx, obs, pool, of)
		if err != nil {
			return fmt.Errorf("who else claims pool %s: %w", pool.Name, err)
		}
		if by := holder(obs.stake(pool), others); by != nil {
			view := obs.pools[pool.ID]
			view.heldBy = by.release
			obs.pools[pool.ID] = view
			if problem := heldProblem(pool, view.ref, *by); !obs.leaveOut(pool, problem, r.Clock()) {
				obs.refuse(problem)
			}
		}
	}
	return nil
}

// stake is what this Release has in a pool. Where the pool cannot be read, memory says whether our servers are there; where EC2 cannot, the
// servers that were known last are ours.
func (o *observation) stake(pool rollout.Pool) stake {
	ours := stake{release: o.input.Spec.Release, uid: o.input.Spec.UID, use: pool.Use}
	if claim := o.claims[pool.ID]; !claim.Void {
		ours.since = claim.Since
	}
	if pool.Readable() && !o.unseenServers() {
		ours.registered = slices.ContainsFunc(pool.Members, func(m rollout.Member) bool { return o.owns(m.Server) })
	} else {
		ours.registered = o.mayBeIn(pool.ID)
	}
	return ours
}

// unseenServers: EC2 cannot be read, and this process has not seen a server of the Release before. It has none to register then.
func (o *observation) unseenServers() bool {
	return o.input.World.ServersErr != "" && len(o.input.World.Servers) == 0
}

// mayBeIn: memory says that servers of ours were in the pool, and some of that fleet exist, for all that is known. What a fleet that ended
// was in is nobody's.
func (o *observation) mayBeIn(pool string) bool {
	return slices.ContainsFunc(o.input.Memory.Revisions, func(r rollout.Revision) bool {
		return slices.Contains(r.Pools, pool) && (o.fleetExists(r.Name) || o.unseenServers())
	})
}

// leaveOut takes a pool that another Release holds out of what is looked at, where somebody goes back and none of our servers
// was ever in it: the way back leads through the pools that we hold, and no newcomer in the spec may hold it up.
func (o *observation) leaveOut(pool rollout.Pool, problem rollout.Problem, now time.Time) bool {
	held := slices.ContainsFunc(o.input.World.Pools, func(p rollout.Pool) bool { return p.Use == rollout.UseProduction && p.ID != pool.ID })
	in := o.input
	in.Now, in.Spec.Contested = now, problem
	if o.mayBeIn(pool.ID) || !held || !rollout.GoesBack(in) {
		return false
	}
	o.input.Spec.Contested = problem
	o.input.World.Pools = slices.DeleteFunc(o.input.World.Pools, func(p rollout.Pool) bool { return p.ID == pool.ID })
	return true
}

// rivals are the stakes of all other Releases in a pool.
func (r *ReleaseReconciler) rivals(ctx context.Context, obs *observation, pool rollout.Pool, of claimants) ([]stake, error) {
	stored, err := of(ctx, obs.place.AccountID, pool.ID)
	if err != nil {
		return nil, err
	}
	stakes := map[types.UID]stake{}
	for i := range stored {
		if err := r.addClaim(ctx, obs, pool, &stored[i], stakes); err != nil {
			return nil, err
		}
	}
	for _, member := range pool.Members {
		if err := r.addMember(ctx, obs, member.Server, stakes); err != nil {
			return nil, err
		}
	}
	var others []stake
	for _, s := range stakes {
		if s.registered || !s.since.IsZero() {
			others = append(others, s)
		}
	}
	return others, nil
}

// addClaim adds what a ControllerRevision of another Release claims.
func (r *ReleaseReconciler) addClaim(
	ctx context.Context, obs *observation, pool rollout.Pool, stored *appsv1.ControllerRevision, stakes map[types.UID]stake,
) error {
	owner := metav1.GetControllerOfNoCopy(stored)
	if owner == nil || owner.UID == obs.release.UID {
		return nil
	}
	claim, claims := readClaims(stored)[pool.ID]
	if !claims {
		return nil
	}
	if place, _ := readPlace(stored); place.AccountID != obs.place.AccountID {
		return nil
	}
	other, err := r.other(ctx, stored.Namespace, owner.Name, owner.UID)
	if other == nil {
		return err
	}
	stakes[owner.UID] = stakes[owner.UID].joined(obs.claimOf(other, claim, pool, stored))
	return nil
}

// claimOf is the stake that a claim gives to its Release. Once the pool left that Release's spec the claim is void, and is kept only while
// its servers may still be there, of any of its versions.
func (o *observation) claimOf(other *v1alpha1.Release, claim poolClaim, pool rollout.Pool, stored *appsv1.ControllerRevision) stake {
	s := stake{release: other.Namespace + "/" + other.Name, uid: string(other.UID), use: claim.Use}
	use := poolUse(other.Spec, claim.Ref)
	switch {
	case use == "" || claim.Void:
		s.registered = !pool.Readable() || o.unseen && slices.ContainsFunc(pool.Members, o.untold)
	case pool.Readable():
		s.use, s.since = use, claim.Since
	default:
		s.use, s.since = use, claim.Since
		var remembered rollout.Revision
		err := decodeMemory(stored.Annotations[annotationMemory], &remembered)
		s.registered = err == nil && slices.Contains(remembered.Pools, pool.ID)
	}
	return s
}

// untold: the member is none of ours, and EC2 has not told whose it is. After the first look of a process it is a stranger, who holds nothing.
func (o *observation) untold(m rollout.Member) bool {
	_, told := o.account.Compute.Known(m.Server)
	return !told && !o.owns(m.Server)
}

// addMember adds the Release whose server is in the pool. Servers that no Release owns are strangers, and hold nothing.
func (r *ReleaseReconciler) addMember(ctx context.Context, obs *observation, id string, stakes map[types.UID]stake) error {
	server, ok := obs.account.Compute.Known(id)
	uid := types.UID(server.Owner)
	if !ok || uid == "" || uid == obs.release.UID || !exists(server.Server) {
		return nil
	}
	namespace, name, ok := splitRelease(server.Release)
	if !ok {
		return nil
	}
	if _, known := stakes[uid]; !known && r.watches(namespace) { // of one that cannot be read the stricter reading counts, too
		other, err := r.other(ctx, namespace, name, uid)
		if other == nil {
			return err
		}
	}
	// What the other uses the pool for is in its claim; where that is lost the stricter reading counts.
	stakes[uid] = stakes[uid].joined(stake{release: server.Release, uid: server.Owner, use: rollout.UseProduction, registered: true})
	return nil
}

// other gives another Release; nil when it is gone or was made again under the same name.
func (r *ReleaseReconciler) other(ctx context.Context, namespace, name string, uid types.UID) (*v1alpha1.Release, error) {
	var other v1alpha1.Release
	err := r.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &other)
	if apierrors.IsNotFound(err) || err == nil && other.UID != uid {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &other, nil
}

// wantedClaims are the claims that the spec and the pools that are being let go give rise to, with the times of those
// that exist already.
func (o *observation) wantedClaims(now time.Time) map[string]poolClaim {
	wanted := o.voidClaims()
	for _, pool := range o.input.World.Pools {
		known, claimed := o.claims[pool.ID]
		view := o.pools[pool.ID]
		switch {
		case pool.Use == rollout.UseReleased || !view.resolved && !claimed:
		case claimed && !known.Void:
			wanted[pool.ID] = poolClaim{Since: known.Since, Use: pool.Use, Ref: view.ref}
		default:
			wanted[pool.ID] = poolClaim{Since: utc(now), Use: pool.Use, Ref: view.ref}
		}
	}
	return wanted
}

// voidClaims are those of pools that left the spec: they stay while servers may be in the pool that memory does not know of,
// because they were taken over, or are about to be.
func (o *observation) voidClaims() map[string]poolClaim {
	kept := map[string]poolClaim{}
	strays := len(o.input.World.Adoptable) > 0 || slices.ContainsFunc(o.input.World.Servers, o.unremembered)
	for id, claim := range o.claims {
		i := slices.IndexFunc(o.input.World.Pools, func(p rollout.Pool) bool { return p.ID == id })
		stays := i < 0 && strays
		if i >= 0 && o.input.World.Pools[i].Use == rollout.UseReleased {
			stays = o.entered(id) || strays && !o.without(o.input.World.Pools[i])
		}
		if stays {
			claim.Void = true
			kept[id] = claim
		}
	}
	return kept
}

// without: the pool was read, and none of our servers is in it.
func (o *observation) without(pool rollout.Pool) bool {
	return pool.Readable() && !slices.ContainsFunc(pool.Members, func(m rollout.Member) bool { return o.owns(m.Server) })
}

// claim writes the claims where they differ from those that are stored. Before servers are registered in a pool for the
// first time it looks, live, whether another Release claimed it meanwhile.
func (r *ReleaseReconciler) claim(ctx context.Context, obs *observation, next rollout.Memory) error {
	if err := r.writeClaims(ctx, obs); err != nil {
		return fmt.Errorf("claim the pools of Release %s: %w", obs.input.Spec.Release, err)
	}
	if !obs.entersPool(next) {
		return nil
	}
	pools := len(obs.input.World.Pools)
	if err := r.contest(ctx, obs, r.liveClaimants()); err != nil {
		return err
	}
	if obs.input.Spec.Refused.Some() || len(obs.input.World.Pools) != pools {
		return errPoolContested // what was decided is about pools that are not ours
	}
	return nil
}

// writeClaims keeps the claims on the newest ControllerRevision, and on no other. A Release that is refused has not looked
// at its pools, and one that is being deleted not at all of them: their claims stay as they are.
func (r *ReleaseReconciler) writeClaims(ctx context.Context, obs *observation) error {
	newest := obs.newest()
	if newest == nil || obs.input.Spec.Refused.Some() || obs.input.Spec.Deleting {
		return nil
	}
	wanted := obs.wantedClaims(r.Clock())
	text, err := claimsText(wanted)
	if err != nil {
		return err
	}
	if err := r.writeAnnotation(ctx, newest, annotationClaims, text); err != nil {
		return err
	}
	for i := range obs.revisions {
		if stored := &obs.revisions[i]; stored != newest {
			if err := r.writeAnnotation(ctx, stored, annotationClaims, ""); err != nil {
				return err
			}
		}
	}
	obs.claims = wanted
	return nil
}

// writeAnnotation writes one annotation where it differs.
func (r *ReleaseReconciler) writeAnnotation(ctx context.Context, stored *appsv1.ControllerRevision, key, text string) error {
	if stored.Annotations[key] == text {
		return nil
	}
	changed := stored.DeepCopy()
	annotate(changed, key, text)
	if err := r.Update(ctx, changed); err != nil {
		return err
	}
	*stored = *changed
	return nil
}

// entersPool reports whether servers are about to be registered in a pool that none of the Release's fleets is known to be in.
func (o *observation) entersPool(next rollout.Memory) bool {
	return slices.ContainsFunc(next.Revisions, func(r rollout.Revision) bool {
		before, _ := o.remembered(r.Name)
		return slices.ContainsFunc(r.Pools, func(pool string) bool { return !slices.Contains(before.Pools, pool) && !o.mayBeIn(pool) })
	})
}
