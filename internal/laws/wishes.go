package laws

import (
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
	declared         string               // its version

	// lives are the revisions that production had, each alone and whole in every production pool, in the order of their last time;
	// a rollback forgets what came after the one that it goes back to. What came before the last is forgotten when a later one is
	// there: from then on production may be given back to the last, and to nothing before it, also when it has been.
	lives []string
	// least is how many healthy servers of each revision each production pool has, or more; whole is when a revision had those
	// that are asked for last, back when it had any, and notes is what was last seen to be written of it; writing counts the writes
	// since, whose outcome nobody was told of.
	least       map[string]int
	whole, back map[string]time.Time
	notes       map[string]note
	writing     map[string]int
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

func newWishes() *wishes {
	return &wishes{
		live: map[string]time.Time{}, complete: map[string]bool{}, replicas: map[int32]time.Time{}, left: map[string]time.Time{},
		whole: map[string]time.Time{}, back: map[string]time.Time{}, notes: map[string]note{}, writing: map[string]int{},
	}
}

func (w *Watch) asks(rel *v1alpha1.Release, s scene) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wish := w.wishes[rel.UID]
	if wish == nil {
		wish = newWishes()
		w.wishes[rel.UID] = wish
	}
	version, phase, override := string(rel.Spec.Version), rel.Spec.Phase, rel.Spec.Override
	if phase == v1alpha1.PhaseLive || phase == v1alpha1.PhaseComplete || override != nil && override.Phase == v1alpha1.PhaseLive {
		wish.live[version] = s.now
	}
	if phase == v1alpha1.PhaseComplete || rel.Spec.Retention.CompleteAfter.Duration > 0 {
		wish.complete[version] = true
	}
	before := *wish
	wish.replicas[rel.Spec.Replicas], wish.need, wish.ending, wish.declared = s.now, share(int(rel.Spec.Replicas), rel), ending(rel), version
	wish.test, wish.production = s.existing(rel.Spec.LoadBalancers.Test), s.existing(rel.Spec.LoadBalancers.Production)
	if !wish.looksAt(before) {
		w.looked = 0
	}
}

// looksAt reports whether a look at the world comes to the same by both.
func (wish *wishes) looksAt(before wishes) bool {
	return wish.need == before.need && wish.declared == before.declared &&
		slices.Equal(wish.test, before.test) && slices.Equal(wish.production, before.production)
}

// changed reports whether anything has, in AWS or in what is asked for, since the last look. Most events are health checks that find
// what they found before.
func (w *Watch) changed(world localaws.World) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looked == 0 || w.looked != world.LastSeq()
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
	w.looked = world.LastSeq()
	for uid, wish := range w.wishes {
		for revision, n := range leastHealthy(world, wish.test, uid) {
			w.shown[revision] = w.shown[revision] || n >= wish.need
		}
		wish.stood(leastHealthy(world, wish.production, uid), w.Now())
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
	for revision, n := range wish.least {
		if n >= wish.need && alone(world, wish.production, uid, revision) {
			return revision
		}
	}
	return ""
}

// wentLive notes that production has a revision. One that it had before, or that nobody asked for, was gone back to. One that was
// overtaken on its way there, by a version that was declared before it was whole, never was Live, and is nothing to go back to.
func (wish *wishes) wentLive(revision, version string) {
	_, asked := wish.live[version]
	switch i := slices.Index(wish.lives, revision); {
	case i >= 0:
		wish.lives = wish.lives[:i+1]
	case asked && version != wish.declared:
	case asked:
		wish.lives = append(wish.lives[max(0, len(wish.lives)-1):], revision)
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

// leastHealthy is how many healthy servers of each revision of a Release each of the pools has, or more; none where there is no pool.
func leastHealthy(world localaws.World, pools []string, uid types.UID) map[string]int {
	var least map[string]int
	for _, name := range pools {
		p, ok := world.Pool(name)
		if !ok {
			continue
		}
		counts := healthyServers(world, p, uid)
		if least == nil {
			least = counts
		}
		for revision, n := range least {
			least[revision] = min(n, counts[revision])
		}
	}
	return least
}

// healthyServers counts the servers of each revision of a Release that a pool finds healthy.
func healthyServers(world localaws.World, p localaws.PoolInfo, uid types.UID) map[string]int {
	counts := map[string]int{}
	for _, m := range p.Members {
		if server, ok := world.Instance(m.InstanceID); ok && m.State == healthy && server.Tags[cloud.TagOwner] == string(uid) {
			counts[server.Tags[cloud.TagRevision]]++
		}
	}
	return counts
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
