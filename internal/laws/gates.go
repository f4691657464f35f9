package laws

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// stood notes that fleets stand in production: until now those that did at the last look, and from now on those that do.
func (wish *wishes) stood(least map[string]int, now time.Time) {
	for _, counts := range []map[string]int{wish.least, least} {
		for revision, n := range counts {
			if n >= 1 {
				wish.back[revision] = now
			}
			if n >= wish.need {
				wish.whole[revision] = now
			}
		}
	}
	wish.least = least
}

// givenBack is the gate of a rollback: of a fleet that is not stable the last healthy servers leave a production pool only once
// another fleet has a healthy one in every production pool, and not only in this one.
func (w *Watch) givenBack(s scene, rel *v1alpha1.Release, p localaws.PoolInfo, leaving, staying []localaws.MemberInfo) {
	stable := s.memory(rel).stable
	staysIn := s.revisionsOf(staying)
	for _, revision := range s.revisionsOf(leaving) {
		if stable == "" || revision == stable || slices.Contains(staysIn, revision) || w.stands(rel.UID, revision) {
			continue
		}
		w.Add("rollback: the last healthy server of %s leaves %s, and in the last %s no other version had a healthy one in every production pool",
			revision, p.Name, oldNews)
	}
}

// revisionsOf are those of members.
func (s scene) revisionsOf(members []localaws.MemberInfo) (revisions []string) {
	for _, m := range members {
		server, _ := s.Instance(m.InstanceID)
		if revision := server.Tags[cloud.TagRevision]; !slices.Contains(revisions, revision) {
			revisions = append(revisions, revision)
		}
	}
	return revisions
}

// stands: a fleet beside this one has a server in every production pool that is healthy, or had a moment ago.
func (w *Watch) stands(uid types.UID, revision string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for other, last := range w.wishes[uid].back {
		if other != revision && w.Now().Sub(last) <= oldNews {
			return true
		}
	}
	return false
}

// Writing says that the controller begins to write the memory of a revision. Where Remembered does not follow, because the reply is lost
// or the process ends, nobody knows when it came to be, and what the next write finds is not held to this moment.
func (w *Watch) Writing(r *appsv1.ControllerRevision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if owner := metav1.GetControllerOf(r); owner != nil && w.wishes[owner.UID] != nil {
		w.wishes[owner.UID].writing[revisionOf(*r)]++
	}
}

// Remembered looks at what the controller has just written into the memory of a revision. That it passed the gate, or was completed,
// which is the point of no return, is written only once every production pool finds the servers that are asked for healthy.
func (w *Watch) Remembered(r *appsv1.ControllerRevision) {
	owner := metav1.GetControllerOf(r)
	if owner == nil {
		return
	}
	w.AWS.Look(func(world localaws.World) {
		w.look(world)
		if why := w.premature(owner.UID, revisionOf(*r), noteOf(*r)); why != "" {
			w.Add("%s", why)
		}
	})
}

// beyond is what has been written since: the point of no return, or the gate; "" for neither.
func (n note) beyond(was note) string {
	switch {
	case n.Completed && !was.Completed:
		return "completed"
	case !n.GateAt.IsZero() && was.GateAt.IsZero():
		return "through the gate"
	}
	return ""
}

// premature says what was written too early; "" for nothing.
func (w *Watch) premature(uid types.UID, revision string, n note) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish := w.wishes[uid]
	if wish == nil || len(wish.production) == 0 {
		return ""
	}
	was, known := wish.notes[revision] // an object whose end was seen, and that is written once more all the same, is nobody any more
	unknown := !known || wish.writing[revision] > 1
	wish.notes[revision] = n
	delete(wish.writing, revision)
	what := ""
	if !unknown {
		what = n.beyond(was)
	}
	if last, ever := wish.whole[revision]; what == "" || ever && w.Now().Sub(last) <= oldNews {
		return ""
	}
	return fmt.Sprintf("promotion: %s is %s, by what is written, and in the last %s it had not %d healthy servers in every production pool: %v",
		revision, what, oldNews, wish.need, wish.least)
}
