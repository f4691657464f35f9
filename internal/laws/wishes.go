package laws

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// changeOfMind is how old what a person asked for may be when a call is made for it: a call that waits for its turn, or is tried
// again, is not called back.
const changeOfMind = time.Minute

// wishes are what a Release was seen to ask for.
type wishes struct {
	live             map[string]time.Time // the versions that were to go live, and when that was seen last
	complete         map[string]bool      // the versions that were to be completed
	replicas         map[int32]time.Time  // the sizes, as live
	test, production []string             // its pools that AWS has
	need             int                  // how many servers are asked for
	ending           bool                 // it is deleted, and its servers with it

	// lives are the revisions that production had, each alone and whole in every production pool, in the order of their last time;
	// a rollback forgets what came after the one that it goes back to.
	lives []string
	// alone is the revision that production has so now, and left when each other one was found not to be so any more.
	alone string
	left  map[string]time.Time
}

// Asks notes what a Release asks for now. Watch sees it at each call, too; an edit that another follows at once is seen by this alone.
func (w *Watch) Asks(rel *v1alpha1.Release) {
	w.AWS.Look(func(world localaws.World) { w.asks(rel, scene{World: world, now: w.Now()}) })
}

// seen notes what the Releases ask for.
func (w *Watch) seen(s scene) {
	for i := range s.releases {
		w.asks(&s.releases[i], s)
	}
}

func (w *Watch) asks(rel *v1alpha1.Release, s scene) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish := w.wishes[rel.UID]
	if wish == nil {
		wish = &wishes{live: map[string]time.Time{}, complete: map[string]bool{}, replicas: map[int32]time.Time{}, left: map[string]time.Time{}}
		w.wishes[rel.UID] = wish
	}
	version, phase, override := string(rel.Spec.Version), rel.Spec.Phase, rel.Spec.Override
	if phase == v1alpha1.PhaseLive || phase == v1alpha1.PhaseComplete || override != nil && override.Phase == v1alpha1.PhaseLive {
		wish.live[version] = s.now
	}
	if phase == v1alpha1.PhaseComplete || rel.Spec.Retention.CompleteAfter.Duration > 0 {
		wish.complete[version] = true
	}
	wish.replicas[rel.Spec.Replicas], wish.need, wish.ending = s.now, askedFor(rel), ending(rel)
	wish.test, wish.production = s.existing(rel.Spec.LoadBalancers.Test), s.existing(rel.Spec.LoadBalancers.Production)
}

// existing are the names of the declared pools that AWS has.
func (s scene) existing(declared []v1alpha1.Pool) (names []string) {
	for _, pool := range declared {
		if p, ok := s.Pool(nameOf(pool)); ok {
			names = append(names, p.Name)
		}
	}
	return names
}

// look notes which fleets the test pools find healthy, the asked for in each, and which one production has.
func (w *Watch) look(world localaws.World) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for uid, wish := range w.wishes {
		maps.Copy(w.shown, healthyEverywhere(world, wish.test, uid, wish.need))
		revision := serving(world, wish, uid)
		if revision != "" {
			wish.wentLive(revision, versionOf(world, revision))
		}
		if wish.alone != revision {
			wish.left[wish.alone], wish.alone = w.Now(), revision
		}
	}
}

// serving is the revision that production has, alone and whole in every pool; "" for none.
func serving(world localaws.World, wish *wishes, uid types.UID) string {
	for revision := range healthyEverywhere(world, wish.production, uid, wish.need) {
		if alone(world, wish.production, uid, revision) {
			return revision
		}
	}
	return ""
}

// wentLive notes that production has a revision. One that it had before, or that nobody asked for, was gone back to.
func (wish *wishes) wentLive(revision, version string) {
	_, asked := wish.live[version]
	switch i := slices.Index(wish.lives, revision); {
	case i >= 0:
		wish.lives = wish.lives[:i+1]
	case asked:
		wish.lives = append(wish.lives, revision)
	default:
		wish.lives = []string{revision}
	}
}

// versionOf is what the servers of a revision are tagged with.
func versionOf(world localaws.World, revision string) string {
	for _, server := range world.Instances() {
		if server.Tags[cloud.TagRevision] == revision {
			return server.Tags[cloud.TagVersion]
		}
	}
	return ""
}

// healthyEverywhere are the revisions of a Release of which each of the pools finds so many servers healthy; none where there is no pool.
func healthyEverywhere(world localaws.World, pools []string, uid types.UID, need int) map[string]bool {
	var everywhere map[string]bool
	for _, name := range pools {
		p, ok := world.Pool(name)
		if !ok {
			continue
		}
		healthy := healthyFleets(world, p, uid, need)
		if everywhere == nil {
			everywhere = healthy
		}
		maps.DeleteFunc(everywhere, func(revision string, _ bool) bool { return !healthy[revision] })
	}
	return everywhere
}

// healthyFleets are the revisions of a Release of which a pool finds so many servers healthy.
func healthyFleets(world localaws.World, p localaws.PoolInfo, uid types.UID, need int) map[string]bool {
	counts := map[string]int{}
	for _, m := range p.Members {
		if server, ok := world.Instance(m.InstanceID); ok && m.State == healthy && server.Tags[cloud.TagOwner] == string(uid) {
			counts[server.Tags[cloud.TagRevision]]++
		}
	}
	fleets := map[string]bool{}
	for revision, n := range counts {
		if n >= need {
			fleets[revision] = true
		}
	}
	return fleets
}

// alone: no server of another revision of the Release runs and is registered in the pools.
func alone(world localaws.World, pools []string, uid types.UID, revision string) bool {
	return !slices.ContainsFunc(pools, func(name string) bool {
		p, _ := world.Pool(name)
		return slices.ContainsFunc(p.Members, func(m localaws.MemberInfo) bool {
			server, ok := world.Instance(m.InstanceID)
			other := server.Tags[cloud.TagOwner] == string(uid) && server.Tags[cloud.TagRevision] != revision
			return ok && other && server.State == running && !m.Draining
		})
	})
}

// fallback is the fleet that production had before the one that it has, unless that one was to be completed; "" for none.
func (w *Watch) fallback(uid types.UID, world localaws.World) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish := w.wishes[uid]
	if wish == nil || len(wish.lives) < 2 {
		return ""
	}
	last := len(wish.lives) - 1
	if wish.complete[versionOf(world, wish.lives[last])] {
		return ""
	}
	return wish.lives[last-1]
}
