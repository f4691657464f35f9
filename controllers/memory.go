package controllers

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/rollout"
)

// annotationMemory on a ControllerRevision holds what cannot be read back from spec and AWS.
const annotationMemory = "slipway.dev/memory"

// readRevisions reads the Release's ControllerRevisions and what they remember.
func (r *ReleaseReconciler) readRevisions(ctx context.Context, obs *observation) error {
	rel := obs.release
	var list appsv1.ControllerRevisionList
	if err := r.APIReader.List(ctx, &list, client.InNamespace(rel.Namespace), client.MatchingLabels{labelRelease: releaseLabel(rel.Name)}); err != nil {
		return fmt.Errorf("list the ControllerRevisions of Release %s: %w", obs.input.Spec.Release, err)
	}
	obs.revisions = slices.DeleteFunc(list.Items, func(stored appsv1.ControllerRevision) bool {
		return !metav1.IsControlledBy(&stored, rel) || stored.DeletionTimestamp != nil
	})
	for i := range obs.revisions {
		addClaims(obs.claims, readClaims(&obs.revisions[i]))
	}
	obs.decoded.keep(obs.revisions)
	obs.recall()
	return nil
}

// recall rebuilds memory from the ControllerRevisions as they were last read or written, and from the servers whose
// revision has none. A text that cannot be read forbids every call: to go on without memory could end the wrong fleet.
func (o *observation) recall() {
	known := map[string]rollout.Revision{}
	for i := range o.revisions {
		stored := &o.revisions[i]
		kept := o.decoded.of(stored)
		revision := kept.memory
		o.describe(stored, &revision)
		if err := kept.err; err != nil {
			o.refuse(rollout.Problem{Reason: rollout.ReasonRevisionLost, Message: fmt.Sprintf(
				"what ControllerRevision %s remembers cannot be read (%v); mend the annotation, or remove it if the servers' role tags say who is stable",
				stored.Name, err)})
		}
		if other, ok := known[revision.Name]; !ok || other.Lost {
			known[revision.Name] = revision
		}
	}
	for _, server := range o.input.World.Servers {
		if _, ok := known[server.Revision]; !ok && server.Revision != "" && exists(server) {
			known[server.Revision] = rollout.Revision{Name: server.Revision, Version: cmp.Or(server.Version, server.Revision), Image: server.Image, Lost: true}
		}
	}
	o.input.Memory = rollout.Memory{}
	for _, revision := range known {
		o.input.Memory.Revisions = append(o.input.Memory.Revisions, revision)
	}
	slices.SortFunc(o.input.Memory.Revisions, func(a, b rollout.Revision) int { return cmp.Compare(a.Name, b.Name) })
}

// describe adds to a revision what its ControllerRevision says beside what the annotation remembers. Data that cannot be read is as
// good as lost.
func (o *observation) describe(stored *appsv1.ControllerRevision, revision *rollout.Revision) {
	data, recorded := o.dataOf(stored)
	if recorded {
		revision.Name, revision.Number, revision.Version, revision.Image = stored.Name, stored.Revision, string(data.AsWritten.Version), data.Image
		revision.Subnets, revision.InstanceTypes = texts(data.AsWritten.Template.SubnetIDs), texts(data.AsWritten.Template.InstanceTypes)
		return
	}
	lost := cmp.Or(data.Lost, stored.Name)
	revision.Name, revision.Version, revision.Lost = lost, lost, true
	for _, server := range o.input.World.Servers {
		if server.Revision == revision.Name {
			revision.Version, revision.Image = cmp.Or(server.Version, revision.Name), server.Image
		}
	}
}

// dataOf is the data of a ControllerRevision; false where it records no revision.
func (o *observation) dataOf(stored *appsv1.ControllerRevision) (revisionData, bool) {
	data := o.decoded.of(stored).data
	return data, data.Lost == ""
}

// record is the data of a recorded revision; false for one that is lost or unknown.
func (o *observation) record(revision string) (revisionData, bool) {
	stored := o.stored(revision)
	if stored == nil {
		return revisionData{}, false
	}
	return o.dataOf(stored)
}

// remember writes what differs from what is stored, each ControllerRevision by Update with the resourceVersion that was
// read, the one that becomes stable first. It is done before the calls that the memory covers: after an error, a conflict
// above all, none of them may be made. Where nothing differs it writes nothing.
func (r *ReleaseReconciler) remember(ctx context.Context, obs *observation, next rollout.Memory) error {
	if err := r.claim(ctx, obs, next); err != nil {
		return err
	}
	written := false
	for _, revision := range inWriteOrder(obs.input.Memory, next) {
		if obs.isStored(revision) {
			continue
		}
		if err := r.rememberOne(ctx, obs, revision); err != nil {
			return fmt.Errorf("remember revision %s: %w", revision.Name, err)
		}
		written = true
	}
	if written {
		obs.recall()
	}
	return nil
}

// isStored: what is to be remembered of a revision is what was read of it. Most passes remember nothing new, of up to ten
// revisions each, and need not write them all down to see that.
func (o *observation) isStored(revision rollout.Revision) bool {
	known, ok := o.remembered(revision.Name)
	stored := o.stored(revision.Name)
	return ok && stored != nil && (revision.Lost || revision.Number == stored.Revision) && reflect.DeepEqual(known, revision)
}

// inWriteOrder puts first whatever becomes stable: a crash after that write leaves a stable fleet that was Live, a crash
// before it leaves the one of before.
func inWriteOrder(before, next rollout.Memory) []rollout.Revision {
	seq := map[string]int64{}
	for _, revision := range before.Revisions {
		seq[revision.Name] = revision.StableSeq
	}
	order := slices.Clone(next.Revisions)
	slices.SortStableFunc(order, func(a, b rollout.Revision) int {
		return cmp.Compare(b.StableSeq-seq[b.Name], a.StableSeq-seq[a.Name])
	})
	return order
}

// rememberOne writes the memory of one revision where it differs from what is stored.
func (r *ReleaseReconciler) rememberOne(ctx context.Context, obs *observation, revision rollout.Revision) error {
	stored := obs.stored(revision.Name)
	if stored == nil {
		return r.rememberLost(ctx, obs, revision)
	}
	before := stored.Annotations[annotationMemory]
	text, err := encodeMemory(revision, before)
	if err != nil {
		return err
	}
	if text == before && (revision.Lost || revision.Number == stored.Revision) {
		return nil
	}
	changed := stored.DeepCopy()
	annotate(changed, annotationMemory, text)
	if !revision.Lost {
		changed.Revision = revision.Number
	}
	if err := r.Update(ctx, changed); err != nil {
		return err
	}
	*stored = *changed
	return nil
}

// rememberLost makes an object to remember a revision whose own record is gone: the pools that its servers are in must
// be known until they are terminated. Where there is nothing to remember it makes none.
func (r *ReleaseReconciler) rememberLost(ctx context.Context, obs *observation, revision rollout.Revision) error {
	text, err := encodeMemory(revision, "")
	if err != nil || text == "" {
		return err
	}
	data, err := canonicalJSON(revisionData{Lost: revision.Name})
	if err != nil {
		return err
	}
	stored := newRevision(obs.release, lostName(obs.release.Name, revision.Name), data)
	annotate(stored, annotationMemory, text)
	found, err := r.createOwned(ctx, obs.release, stored, &appsv1.ControllerRevision{})
	if err != nil {
		return err
	}
	if found {
		return fmt.Errorf("ControllerRevision %s was written meanwhile; looking again", stored.Name)
	}
	obs.revisions = append(obs.revisions, *stored)
	return nil
}

// newRevision is a ControllerRevision that is not written yet.
func newRevision(rel client.Object, name string, data []byte) *appsv1.ControllerRevision {
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: rel.GetNamespace(), Name: name}, Data: runtime.RawExtension{Raw: data},
	}
}

// stored finds the object that keeps a revision: its own record, else the one that remembers it as lost; nil for none.
func (o *observation) stored(revision string) *appsv1.ControllerRevision {
	var lost *appsv1.ControllerRevision
	for i := range o.revisions {
		stored := &o.revisions[i]
		switch data, recorded := o.dataOf(stored); {
		case recorded && stored.Name == revision:
			return stored
		case !recorded && data.Lost == revision:
			lost = stored
		}
	}
	return lost
}

// annotate sets an annotation, or removes it when the text is empty.
func annotate(object client.Object, key, text string) {
	annotations := object.GetAnnotations()
	if text == "" {
		delete(annotations, key)
		return
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = text
	object.SetAnnotations(annotations)
}

// exists: EC2 has not ended the server.
func exists(server rollout.Server) bool {
	return server.State != rollout.StateShuttingDown && server.State != rollout.StateTerminated
}
