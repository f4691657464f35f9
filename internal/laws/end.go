package laws

import (
	"context"
	"encoding/json"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

const (
	// memoryAnnotation is where a ControllerRevision remembers; its names are a contract with every version of Slipway.
	memoryAnnotation = "slipway.dev/memory"
	// outBeforeEnd is how long a server is in no pool before it is ended.
	outBeforeEnd = 30 * time.Second
)

// remembered is what etcd has of the fleets of a Release.
type remembered struct {
	stable, newest string // revisions
	completed      bool   // stable was completed, so that nothing before it is needed
	retired        map[string]bool
	wasStable      map[string]bool
}

// memory reads it. Where no ControllerRevision tells who is stable, the servers' role tags do.
func (s scene) memory(rel *v1alpha1.Release) remembered {
	m := remembered{retired: map[string]bool{}, wasStable: map[string]bool{}}
	var seq, number int64
	for _, r := range s.revisions {
		if !metav1.IsControlledBy(&r, rel) {
			continue
		}
		note, name := noteOf(r), revisionOf(r)
		m.retired[name], m.wasStable[name] = note.Retired, note.StableSeq > 0
		if !note.Retired && note.StableSeq > seq {
			m.stable, m.completed, seq = name, note.Completed, note.StableSeq
		}
		if r.Revision > number {
			m.newest, number = name, r.Revision
		}
	}
	if m.stable == "" {
		m.stable = s.tagged(rel)
	}
	return m
}

// Stable is the revision of the fleet that production falls back to, as etcd has it in the ControllerRevisions of a Release, or else
// the servers' role tags; "" where there is none.
func Stable(world localaws.World, rel *v1alpha1.Release, revisions []appsv1.ControllerRevision) string {
	return scene{World: world, revisions: revisions}.memory(rel).stable
}

// note is what of the memory of a revision matters here.
type note struct {
	StableSeq          int64
	Completed, Retired bool
	GateAt             time.Time
	Pools              []string
}

func noteOf(r appsv1.ControllerRevision) (n note) {
	if text := r.Annotations[memoryAnnotation]; text == "" || json.Unmarshal([]byte(text), &n) != nil {
		return note{}
	}
	return n
}

// revisionOf is the revision that an object keeps: its own, or one whose record is lost or never was.
func revisionOf(r appsv1.ControllerRevision) string {
	var data struct{ Lost string }
	if json.Unmarshal(r.Data.Raw, &data) == nil && data.Lost != "" {
		return data.Lost
	}
	return r.Name
}

// tagged is the revision of the servers that are tagged stable.
func (s scene) tagged(rel *v1alpha1.Release) string {
	for _, server := range s.Instances() {
		if owns(rel, server) && server.Alive && server.Tags[cloud.TagRole] == stableRole {
			return server.Tags[cloud.TagRevision]
		}
	}
	return ""
}

// needed: production has the fleet, is to have it, or may be given back to it.
func (m remembered) needed(revision string) bool {
	switch revision {
	case m.stable, m.newest:
		return true
	}
	return m.wasStable[revision] && !m.retired[revision] && !m.completed
}

// termination is laws 4 and 7 on the truth: in no pool that its Release knows of, not held, and not of a fleet that is needed, unless the server is
// broken or its fleet is whole without it.
func (w *Watch) termination(s scene) {
	for _, server := range s.servers {
		if in := w.membership(s, server); in != "" {
			w.Add("law 4: %s is terminated while it is %s", server.ID, in)
		}
		if _, held := server.Tags[cloud.TagHold]; held {
			w.Add("law 4: %s is terminated although a person holds it", server.ID)
		}
		rel := s.owner(server)
		if rel == nil || ending(rel) || !useful(server) {
			continue
		}
		revision := server.Tags[cloud.TagRevision]
		needed := s.memory(rel).needed(revision) || revision == w.fallback(rel.UID, s.World)
		if left := s.left(rel, revision); left < w.leastAsked(s, rel) && needed {
			w.Add("law 7: %s (%s, version %s) is terminated, its fleet is needed, and %d of %d servers are left",
				server.ID, server.Tags[cloud.TagRole], server.Tags[cloud.TagVersion], left, rel.Spec.Replicas)
		}
	}
}

// leastAsked is how many servers of a fleet were asked for when the controller may have read so last: somebody may ask for more now.
func (w *Watch) leastAsked(s scene, rel *v1alpha1.Release) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	least := rel.Spec.Replicas
	if wish := w.wishes[rel.UID]; wish != nil {
		for replicas, last := range wish.replicas {
			if s.now.Sub(last) < s.lately {
				least = min(least, replicas)
			}
		}
	}
	return int(least)
}

// membership is a pool that a server is in and its Release knows of, with its state there; "" for none.
func (w *Watch) membership(s scene, server localaws.InstanceInfo) string {
	rel := s.owner(server)
	for _, p := range s.Pools() {
		for _, m := range p.Members {
			if m.InstanceID == server.ID && w.knows(s, rel, server, p, m.Joined) {
				return m.State + " in " + p.Name
			}
		}
	}
	return ""
}

// left counts the servers of a fleet that are of use, or may be soon, or were when the controller may have read so last, and are not
// named by the call.
func (s scene) left(rel *v1alpha1.Release, revision string) int {
	n := 0
	for _, server := range s.Instances() {
		mate := owns(rel, server) && server.Tags[cloud.TagRevision] == revision && !s.names(server.ID)
		if mate && (useful(server) || server.State == "pending" || s.justDied(server)) {
			n++
		}
	}
	return n
}

// justDied: it ended by itself after the controller may have read last that it runs.
func (s scene) justDied(server localaws.InstanceInfo) bool {
	return !server.Ran.IsZero() && s.now.Sub(server.Ran) < s.lately && server.StateReason != "Client.UserInitiatedShutdown"
}

// ends reads what the ledger has had since: a server is in no pool for 30 s before the controller ends it (law 4).
func (w *Watch) ends() {
	w.reading.Lock()
	defer w.reading.Unlock()
	for _, e := range w.AWS.LedgerSince(w.read) {
		w.read = e.Seq
		switch {
		case e.Change != nil && e.Change.To == "gone":
			if w.learned(e.Change.Resource) {
				w.lastOut[serverIn(e.Change.Resource)] = e.Time
			}
		case e.Call != nil && e.Call.Action == terminateInstances && w.Judged(e.Call.Who) && len(e.Call.Effects) > 0:
			w.early(e)
		}
	}
}

// early looks at a call that ended servers.
func (w *Watch) early(e localaws.Entry) {
	for _, id := range Targets(e.Call.Params) {
		if out, was := w.lastOut[id]; was && e.Time.Sub(out) < outBeforeEnd {
			w.Add("law 4: %s is terminated %s after it left its last pool", id, e.Time.Sub(out))
		}
	}
}

// LeftBehind looks at the end: of a Release that was deleted with its servers and is gone, none is left, but for those that a
// person holds. It adds what it finds.
func (w *Watch) LeftBehind(ctx context.Context) error {
	there, err := w.there(ctx)
	if err == nil {
		w.left(there, w.AWS.Instances()) // listed after the Releases
	}
	return err
}

// there are the Releases that exist.
func (w *Watch) there(ctx context.Context) (map[types.UID]bool, error) {
	var list v1alpha1.ReleaseList
	if err := w.Kube.List(ctx, &list, client.InNamespace(w.Namespace)); err != nil {
		return nil, err
	}
	there := map[types.UID]bool{}
	for _, rel := range list.Items {
		there[rel.UID] = true
	}
	return there, nil
}

func (w *Watch) left(there map[types.UID]bool, servers []localaws.InstanceInfo) {
	for _, server := range servers {
		owner := types.UID(server.Tags[cloud.TagOwner])
		_, held := server.Tags[cloud.TagHold]
		if server.Alive && !held && !there[owner] && w.ended(owner) {
			w.Add("deletion: %s is left behind by a Release that is gone, and was to take its servers along", server.ID)
		}
	}
}

// ended: the Release was deleted, and its servers with it.
func (w *Watch) ended(uid types.UID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish := w.wishes[uid]
	return wish != nil && wish.ending
}
