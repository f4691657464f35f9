package laws

import (
	"slices"
	"strconv"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// held is what a deletion hangs on: for no Release is anything changed in AWS before etcd has our finalizer, nor after it has left. Else
// the Release may be gone with the next request, and its servers are nobody's.
func (w *Watch) held(s scene) {
	for i := range s.releases {
		if rel := &s.releases[i]; s.isFor(rel) && !slices.Contains(rel.Finalizers, v1alpha1.FinalizerRelease) {
			w.Add("finalizer: %s is called for %s/%s, which could be gone with the next request", s.call.Action, rel.Namespace, rel.Name)
		}
	}
	if s.call.Action != runInstances {
		return // what it names is ours by law 6
	}
	owner := tagOf(s.call.Params, cloud.TagOwner)
	if !slices.ContainsFunc(s.releases, func(rel v1alpha1.Release) bool { return string(rel.UID) == owner }) {
		w.Add("finalizer: RunInstances is called for the Release with the uid %q, which is gone", owner)
	}
}

// isFor: the call is about servers of the Release, or about such as it launches or adopts.
func (s scene) isFor(rel *v1alpha1.Release) bool {
	if s.call.Action == runInstances {
		return tagOf(s.call.Params, cloud.TagOwner) == string(rel.UID)
	}
	for _, server := range s.servers {
		owner := s.owner(server)
		if owner != nil && owner.UID == rel.UID || owner == nil && s.call.Action == createTags && adopts(*rel, server) {
			return true
		}
	}
	return false
}

// observed is the generation of a Release that a status says it is about, and the version of the object that has it.
type observed struct {
	version    uint64
	generation int64
}

// goesOn looks at which generation a status is about: one that there is, and none before that of the last status. Two that are told of in
// another order than they were written in, as by a leader and the next one, are taken in theirs.
func (w *Watch) goesOn(rel *v1alpha1.Release) {
	version, err := strconv.ParseUint(rel.ResourceVersion, 10, 64)
	if err != nil {
		w.Add("the laws cannot be checked: the resource version of %s/%s: %v", rel.Namespace, rel.Name, err)
		return
	}
	now := observed{version, rel.Status.ObservedGeneration}
	w.mu.Lock()
	last := w.observed[rel.UID]
	if version > last.version {
		w.observed[rel.UID] = now
	}
	w.mu.Unlock()
	if last.version > now.version {
		last, now = now, last
	}
	if now.generation < last.generation {
		w.Add("status: it is about generation %d of %s/%s, and was about %d before", now.generation, rel.Namespace, rel.Name, last.generation)
	}
	if rel.Status.ObservedGeneration > rel.Generation {
		w.Add("status: it is about generation %d of %s/%s, which has %d", rel.Status.ObservedGeneration, rel.Namespace, rel.Name, rel.Generation)
	}
}
