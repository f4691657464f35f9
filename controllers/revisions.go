package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// matchTarget finds the revision that the spec describes as it is written, among those that servers may exist of; empty
// for none. A match needs no look-up, no hash and no Secret: going back to a version whose servers run works while SSM is
// down. A revision that nothing is left of is resolved anew, because its image may not be what the source means today.
func (o *observation) matchTarget() (string, error) {
	want := written(o.release.Spec)
	target, number := "", int64(-1)
	for i := range o.revisions {
		stored := &o.revisions[i]
		data, ok := o.record(stored.Name)
		if !ok || stored.Revision <= number || !o.mayExist(stored.Name) {
			continue
		}
		same, err := sameAsWritten(want, data.AsWritten)
		if err != nil {
			return "", err
		}
		if same {
			target, number = stored.Name, stored.Revision
		}
	}
	return target, nil
}

// mayExist reports whether the revision has servers, may have, or was declared last. While EC2 cannot be read, the stable
// fleet and whatever was Live count as there.
func (o *observation) mayExist(name string) bool {
	revision, ok := o.remembered(name)
	if !ok {
		return false
	}
	open := slices.ContainsFunc(revision.Launches, func(a rollout.Attempt) bool { return a.Open })
	declared := revision.Number == lastDeclared(o.input.Memory).Number || revision.Number == 0
	unread := o.input.World.ServersErr != "" && (revision.StableSeq > 0 || !revision.LiveAt.IsZero())
	return declared || open || unread || o.fleetExists(name)
}

// remembered is what memory has of a revision.
func (o *observation) remembered(name string) (rollout.Revision, bool) {
	i := slices.IndexFunc(o.input.Memory.Revisions, func(r rollout.Revision) bool { return r.Name == name })
	if i < 0 {
		return rollout.Revision{}, false
	}
	return o.input.Memory.Revisions[i], true
}

// newest is the record of the revision that was declared last, or that is about to be and has no number yet; nil when
// there is none.
func (o *observation) newest() *appsv1.ControllerRevision {
	var newest *appsv1.ControllerRevision
	for i := range o.revisions {
		stored := &o.revisions[i]
		if _, ok := o.record(stored.Name); !ok {
			continue
		}
		if stored.Revision == 0 {
			return stored
		}
		if newest == nil || stored.Revision > newest.Revision {
			newest = stored
		}
	}
	return newest
}

// resolution is what the spec of a Release was resolved to.
type resolution struct {
	userData
	data revisionData
}

// recordTarget resolves image and user data of the spec, once, and records the revision, which so becomes the target.
// What a person has to mend is put into Spec.Unresolved; the error is trouble with Kubernetes.
func (r *ReleaseReconciler) recordTarget(ctx context.Context, rel *v1alpha1.Release, obs *observation) error {
	if obs.account == nil || obs.input.Spec.Target != "" {
		return nil
	}
	found, err := r.resolveTarget(ctx, rel, obs)
	if err != nil {
		return err
	}
	name, err := revisionName(rel.Name, found.data)
	if err != nil {
		return err
	}
	if !found.problem.Some() {
		found.problem = sizeProblem(renderUserData(found.source, string(rel.Spec.Version), obs.input.Spec.Release, name))
	}
	if found.problem.Some() {
		obs.input.Spec.Unresolved = found.problem
		return nil
	}
	if _, known := obs.record(name); !known {
		if err := r.recordRevision(ctx, rel, obs, name, found); err != nil {
			return fmt.Errorf("record revision %s: %w", name, err)
		}
	}
	obs.input.Spec.Target, obs.input.Spec.Unresolved = name, rollout.Problem{}
	return nil
}

// resolveTarget looks up what the spec describes. What the class does not allow is not looked up at all.
func (r *ReleaseReconciler) resolveTarget(ctx context.Context, rel *v1alpha1.Release, obs *observation) (resolution, error) {
	found := resolution{data: revisionData{AsWritten: written(rel.Spec)}}
	if unread := obs.input.World.ServersErr; unread != "" {
		found.problem = rollout.Problem{
			Reason:  rollout.ReasonServersUnreadable,
			Message: "EC2 cannot be read, so nobody knows whether servers of this version exist: " + unread,
			Passing: obs.input.World.ServersReason == "",
		}
		return found, nil
	}
	if found.problem = templateProblem(rel.Spec.Template, obs.class); found.problem.Some() {
		return found, nil
	}
	callCtx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	image, err := obs.account.Images.Image(callCtx, imageSource(rel.Spec.Image))
	if err != nil {
		found.problem = problemOf(err, rollout.ReasonResolving)
		return found, nil
	}
	if found.problem = ownerProblem(image, obs.class); found.problem.Some() {
		return found, nil
	}
	found.data.Image, found.data.Owner, found.data.OwnerAlias = image.ID, image.Owner, image.OwnerAlias
	found.userData, err = r.readUserData(ctx, rel.Namespace, rel.Spec.Template.UserData)
	if found.copied {
		found.data.UserDataHash = hashUserData(found.source)
	}
	return found, err
}

// recordRevision writes the copy of the user data and then the ControllerRevision, without a number: the core gives it
// one in the same write as everything else that a new revision changes. What is remembered of servers that carry this
// revision already, and whose record was lost, goes with it.
func (r *ReleaseReconciler) recordRevision(ctx context.Context, rel *v1alpha1.Release, obs *observation, name string, found resolution) error {
	if err := holdClass(ctx, r.Client, obs.class); err != nil {
		return err
	}
	if found.copied {
		found.data.UserDataSecret = name
		if err := r.copyUserData(ctx, rel, name, found.source); err != nil {
			return err
		}
	}
	stored, err := r.newRecord(rel, obs, name, found.data)
	if err != nil {
		return err
	}
	var there appsv1.ControllerRevision // of an earlier pass that did not learn of having written it
	if found, err := r.createOwned(ctx, rel, stored, &there); err != nil {
		return err
	} else if found {
		stored = &there
	}
	obs.revisions = append(obs.revisions, *stored)
	obs.recall()
	return nil
}

// newRecord is the ControllerRevision of a new revision, with everything that is remembered from the first moment on.
func (r *ReleaseReconciler) newRecord(rel *v1alpha1.Release, obs *observation, name string, data revisionData) (*appsv1.ControllerRevision, error) {
	text, err := canonicalJSON(data)
	if err != nil {
		return nil, err
	}
	stored := newRevision(rel, name, text)
	kept, err := canonicalJSON(obs.place)
	if err != nil {
		return nil, err
	}
	claims, err := claimsText(obs.wantedClaims(r.Clock()))
	if err != nil {
		return nil, err
	}
	annotate(stored, annotationPlace, string(kept))
	annotate(stored, annotationClaims, claims)
	if lost := obs.stored(name); lost != nil {
		annotate(stored, annotationMemory, lost.Annotations[annotationMemory])
	}
	return stored, nil
}

// prune removes the oldest records that nothing is left of, beyond spec.revisionHistoryLimit, and their copies of user
// data. It needs good readings of EC2, for as long as EC2 may hide servers: one that shows nobody is no evidence.
func (r *ReleaseReconciler) prune(ctx context.Context, rel *v1alpha1.Release, obs *observation) error {
	if obs.input.World.ServersErr != "" || obs.input.Spec.Refused.Some() || obs.input.Spec.Deleting {
		return nil
	}
	known := r.soft.of(rel)
	known.noteFleets(obs.input.World.Servers, obs.input.Now)
	for _, stored := range obs.prunable(int(rel.Spec.RevisionHistoryLimit)) {
		var described rollout.Revision
		obs.describe(&stored, &described)
		_, recorded := obs.record(described.Name)
		if again := described.Lost && recorded; !again && known.emptyFor(described.Name, obs.input.Now) < hiddenFor {
			continue
		}
		if err := r.forgetRevision(ctx, obs, &stored); err != nil {
			return err
		}
	}
	return nil
}

// forgetRevision deletes a record, unless somebody wrote to it meanwhile, and its copy of user data.
func (r *ReleaseReconciler) forgetRevision(ctx context.Context, obs *observation, stored *appsv1.ControllerRevision) error {
	if data, ok := obs.record(stored.Name); ok && data.UserDataSecret != "" {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: stored.Namespace, Name: data.UserDataSecret}}
		if err := client.IgnoreNotFound(r.Delete(ctx, secret)); err != nil {
			return fmt.Errorf("delete the user data of revision %s: %w", stored.Name, err)
		}
	}
	unchanged := client.Preconditions{UID: &stored.UID, ResourceVersion: &stored.ResourceVersion}
	if err := client.IgnoreNotFound(r.Delete(ctx, stored, unchanged)); err != nil {
		return fmt.Errorf("delete revision %s: %w", stored.Name, err)
	}
	return nil
}

// prunable are the records to remove: those of lost revisions that nothing is left of, and the oldest of the others.
func (o *observation) prunable(limit int) []appsv1.ControllerRevision {
	var lost, spent []appsv1.ControllerRevision
	for i := range o.revisions {
		stored := o.revisions[i]
		var described rollout.Revision
		o.describe(&stored, &described)
		_, recorded := o.record(described.Name)
		switch {
		case described.Lost && recorded:
			lost = append(lost, stored)
		case o.inUse(described.Name):
		case described.Lost:
			lost = append(lost, stored)
		default:
			spent = append(spent, stored)
		}
	}
	slices.SortFunc(spent, func(a, b appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.Name, b.Name))
	})
	return append(lost, spent[min(limit, len(spent)):]...)
}

// inUse reports whether a revision must be remembered: it is the target, stable or declared last, has servers, or has
// launches whose servers may still appear.
func (o *observation) inUse(name string) bool {
	revision, ok := o.remembered(name)
	switch {
	case !ok:
		return false
	case name == o.input.Spec.Target, name == lastDeclared(o.input.Memory).Name, o.fleetExists(name):
		return true
	case revision.StableSeq > 0 && revision.StableSeq == lastStable(o.input.Memory):
		return true
	}
	return slices.ContainsFunc(revision.Launches, func(a rollout.Attempt) bool {
		return a.Open || len(a.Servers) > 0 && o.input.Now.Sub(a.At) < hiddenFor
	})
}

// lastStable is the highest stable sequence number: that of the stable fleet.
func lastStable(memory rollout.Memory) int64 {
	var highest int64
	for _, revision := range memory.Revisions {
		highest = max(highest, revision.StableSeq)
	}
	return highest
}
