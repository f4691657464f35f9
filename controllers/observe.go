package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// readTimeout bounds one reading of AWS. One that takes longer is no evidence, and a pool that does not answer must
	// not hold up those that do.
	readTimeout = 10 * time.Second
	// serverAge is how old a sweep over EC2 may be that a pass looks at. Passes of all Releases share one.
	serverAge = time.Second
	// hiddenFor is how long servers of a launch may stay invisible; EC2 is eventually consistent, within minutes.
	hiddenFor = 10 * time.Minute

	// unreadWords begin the error of a part of the world that may not be read.
	unreadWords = "not read: "
)

// observation is one reading of everything that a pass goes by.
type observation struct {
	// input is what the core decides on; Now and Soft are filled in by Reconcile.
	input rollout.Input
	// account is nil where Spec.Refused forbids every call.
	account *cloud.Account
	// class is nil where there is none.
	class *v1alpha1.ReleaseClass
	// revisions are the Release's ControllerRevisions as they were last read or written.
	revisions []appsv1.ControllerRevision
	// sourceDiffers says that the sources of the target's user data or image are not what they were when it was recorded;
	// empty when they are, or when nobody looked.
	sourceDiffers string

	release *v1alpha1.Release
	atRest  bool                 // older readings will do
	unseen  bool                 // no decision of this process went before
	user    string               // who asked last, if anybody is believed to know
	place   place                // where the class leads; zero without a class
	decoded decodedRevisions     // what the texts of revisions say
	named   []cloud.Server       // servers tagged with the Release's name, those of former owners too
	pools   map[string]poolView  // by pool ID: what World.Pools does not say
	claims  map[string]poolClaim // this Release's, by pool ID
}

// poolView is what is known of a pool beside its reading.
type poolView struct {
	ref      string // the reference in spec.loadBalancers, as claims keep it; empty for a pool that left the spec
	resolved bool   // the pool ID is AWS's
	heldBy   string // namespace/name of the Release that keeps ours out; mostly empty
}

// observe reads the Release's revisions, its class, its servers and its pools. It changes nothing. A part of AWS that
// cannot be read is told inside (World.ServersErr, Pool.Err, Spec.Refused); the error is trouble with Kubernetes.
//
// A look at a Release at rest may go by older readings: see rest.go.
func (r *ReleaseReconciler) observe(ctx context.Context, rel *v1alpha1.Release, atRest bool) (*observation, error) {
	obs := &observation{
		release: rel, atRest: atRest, unseen: r.soft.of(rel).undecided(), user: r.user(rel), input: rollout.Input{Spec: specOf(rel)},
		decoded: r.soft.of(rel).decoded, pools: map[string]poolView{}, claims: map[string]poolClaim{},
	}
	if err := r.readRevisions(ctx, obs); err != nil {
		return nil, err
	}
	if err := r.openClass(ctx, obs); err != nil {
		return nil, err
	}
	if obs.account == nil || obs.input.Spec.Refused.Some() {
		return obs.unread(), nil
	}
	ctx = cloud.WithLane(ctx, r.soft.of(rel).lane(rel, obs.input))
	if err := r.readWorld(ctx, obs); err != nil {
		return nil, err
	}
	if obs.input.Spec.Refused.Some() {
		obs.account = nil
	}
	return obs, nil
}

// unread is the observation of a Release that no call may be made for. Nothing that was not read may pass as empty.
func (o *observation) unread() *observation {
	o.account = nil
	o.input.World.ServersErr = unreadWords + o.input.Spec.Refused.Message
	for _, entry := range declaredPools(o.release.Spec.LoadBalancers) {
		o.input.World.Pools = append(o.input.World.Pools, rollout.Pool{ID: o.claimedID(entry.text), Name: entry.name, Use: entry.use})
	}
	o.leaveUnread()
	o.sortPools()
	return o
}

// specOf takes from the Release what the core decides on.
func specOf(rel *v1alpha1.Release) rollout.Spec {
	spec := rollout.Spec{
		Release: rel.Namespace + "/" + rel.Name,
		UID:     string(rel.UID),

		Phase:    rollout.Phase(rel.Spec.Phase),
		PhaseFor: rel.Spec.PhaseFor,
		Version:  string(rel.Spec.Version),
		Replicas: int(rel.Spec.Replicas),

		Health: rollout.Health{
			Consecutive:     int(rel.Spec.Health.Consecutive),
			MinReady:        time.Duration(rel.Spec.Health.MinReadySeconds) * time.Second,
			Timeout:         rel.Spec.Health.Timeout.Duration,
			LaunchTimeout:   rel.Spec.Health.LaunchTimeout.Duration,
			RollbackTimeout: rel.Spec.Health.RollbackTimeout.Duration,
		},
		MinHealthyPercent: int(rel.Spec.Promotion.MinHealthyPercent),
		AutoRollback:      rel.Spec.Promotion.AutoRollback,
		CompleteAfter:     rel.Spec.Retention.CompleteAfter.Duration,
		Retry:             rel.Annotations[v1alpha1.AnnotationRetry],
		Paused:            rel.Spec.Paused,
		Deleting:          rel.DeletionTimestamp != nil,
		TerminateOnDelete: rel.Spec.DeletionPolicy == v1alpha1.DeletionTerminate,
		Adopt:             rel.Spec.Adopt != nil,
	}
	if adopt := rel.Spec.Adopt; adopt != nil {
		spec.FormerOwner = adopt.FormerOwner
	}
	if override := rel.Spec.Override; override != nil {
		spec.Override = rollout.Override{
			Revision: override.Revision, Phase: rollout.Phase(override.Phase), Reason: override.Reason, By: override.By,
			ExpiresAt: override.ExpiresAt.Time,
		}
	}
	return spec
}

// lane is the priority of a pass's readings, by what the passes before found as well.
func (c *recollection) lane(rel *v1alpha1.Release, input rollout.Input) cloud.Lane {
	if c.stage == rollout.StageRollingBack || goesBack(rel) {
		return cloud.LaneRollback // also where memory does not show it, as when the stable version was declared again
	}
	lane := readLane(input)
	if lane == cloud.LanePromote && c.stuck != (wish{}) && c.stuck == wishOf(rel) {
		return cloud.LaneLast // who gets on must not wait for it
	}
	return lane
}

// decided keeps what the next pass goes by.
func (c *recollection) decided(rel *v1alpha1.Release, decision rollout.Decision) {
	c.soft, c.stage, c.stuck = decision.Soft, decision.Report.Stage, wish{}
	if decision.Report.Stuck() {
		c.stuck = wishOf(rel)
	}
}

// readLane is the priority of a pass's readings where an account's calls are limited: those that hold up a change of
// production go before those that watch.
func readLane(input rollout.Input) cloud.Lane {
	newest := lastDeclared(input.Memory)
	inside := !newest.Promotion.StartedAt.IsZero() || !newest.GateAt.IsZero() || !newest.LiveAt.IsZero()
	asked := input.Spec.Phase == rollout.PhaseRolledBack || input.Spec.Override.Phase == rollout.PhaseRolledBack
	rejected := asked || newest.Verdict.Reason != ""
	wanted := input.Spec.Phase == rollout.PhaseLive || input.Spec.Phase == rollout.PhaseComplete
	switch {
	case newest.StableSeq > 0:
		return cloud.LaneBackground
	case rejected && inside:
		return cloud.LaneRollback
	case wanted && newest.LiveAt.IsZero():
		return cloud.LanePromote
	default:
		return cloud.LaneBackground
	}
}

// lastDeclared is the revision with the highest number; the zero revision before there is one.
func lastDeclared(memory rollout.Memory) rollout.Revision {
	var last rollout.Revision
	for _, revision := range memory.Revisions {
		if revision.Number > last.Number {
			last = revision
		}
	}
	return last
}

// owns reports whether the server is this Release's.
func (o *observation) owns(id string) bool {
	_, found := slices.BinarySearchFunc(o.input.World.Servers, id, func(s rollout.Server, id string) int { return cmp.Compare(s.ID, id) })
	return found
}

// fleetExists reports whether a server of the revision has not been ended.
func (o *observation) fleetExists(revision string) bool {
	return slices.ContainsFunc(o.input.World.Servers, func(s rollout.Server) bool { return s.Revision == revision && exists(s) })
}

// splitRelease takes namespace/name apart.
func splitRelease(release string) (namespace, name string, ok bool) {
	namespace, name, ok = strings.Cut(release, "/")
	return namespace, name, ok && namespace != "" && name != ""
}

// said puts an error of a reading into words: those of AWS, and how long it was waited for.
func said(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return fmt.Sprintf("no answer within %s: %v", readTimeout, err)
	}
	return err.Error()
}
