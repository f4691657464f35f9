package laws

import (
	"context"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// Forget drops what a watch of many hours has no more use for: all but the last entries of AWS's ledger, as far as they were looked
// at, and what is known of Releases and servers that are gone. What such a Release left behind is a breach, which is found here.
func (w *Watch) Forget(ctx context.Context, entries int) error {
	there, err := w.there(ctx)
	if err != nil {
		return err
	}
	servers := w.AWS.Instances() // after the Releases
	w.left(there, servers)
	w.reading.Lock()
	defer w.reading.Unlock()
	if last := w.AWS.LastSeq(); last > uint64(entries) {
		w.AWS.TrimLedger(min(last-uint64(entries), w.read))
	}
	w.forget(there, servers)
	return nil
}

// kept is how many fleets of a Release the laws look back on.
const kept = 3

// forget drops what no law asks for any more.
func (w *Watch) forget(there map[types.UID]bool, servers []localaws.InstanceInfo) {
	ids, revisions, versions := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, server := range servers {
		ids[server.ID], revisions[server.Tags[cloud.TagRevision]], versions[server.Tags[cloud.TagVersion]] = true, true, true
	}
	maps.DeleteFunc(w.lastOut, func(id string, _ time.Time) bool { return !ids[id] })
	w.mu.Lock()
	defer w.mu.Unlock()
	old := func(last time.Time) bool { return w.Now().Sub(last) > changeOfMind }
	for uid, wish := range w.wishes {
		maps.DeleteFunc(wish.live, func(version string, last time.Time) bool { return old(last) && !versions[version] })
		maps.DeleteFunc(wish.complete, func(version string, _ bool) bool { return !versions[version] })
		maps.DeleteFunc(wish.replicas, func(_ int32, last time.Time) bool { return old(last) })
		maps.DeleteFunc(wish.whole, func(_ string, last time.Time) bool { return w.Now().Sub(last) > oldNews })
		maps.DeleteFunc(wish.back, func(_ string, last time.Time) bool { return w.Now().Sub(last) > oldNews })
		maps.DeleteFunc(wish.left, func(_ string, last time.Time) bool { return w.Now().Sub(last) > oldNews })
		wish.lives = wish.lives[max(0, len(wish.lives)-kept):]
		if wish.ending && !there[uid] {
			delete(w.wishes, uid)
		}
	}
	maps.DeleteFunc(w.known, func(resource string, _ knowledge) bool { return !ids[serverIn(resource)] })
	maps.DeleteFunc(w.shown, func(revision string, _ bool) bool { return !revisions[revision] })
	maps.DeleteFunc(w.made, func(revision string, _ string) bool { return !revisions[revision] })
}
