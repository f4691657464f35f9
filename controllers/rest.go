package controllers

import (
	"context"
	"hash/fnv"
	"math"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// Most Releases are at rest: the last pass over them found nothing to do, to remember or to wait for, and nothing that it could not read.
// They are glanced at:
//
//	EC2              one sweep for all of them, about a minute old (cloud.Query.AtRest); a server that changed wakes its Release
//	load balancers   restCalls a second for all of them: beyond some number of pools each Release is looked at less often
//
//	calls of a look at all of them     180     540   1,080   2,000
//	each is looked at every          1 min   3 min   3 min   5.6 min
//
// A glance only ever says that there is still nothing to do. What it shows to be done is decided anew, on a fresh look.
const (
	// restCalls a second is what glances may cost while none comes later than restMost, and mostCalls what they may cost at all: of the ten
	// a second that AWS documents for all Describe calls of a generation of load balancers in an account and region, we take seven, which is
	// usualShare; where Share is less, so are these.
	restCalls, mostCalls, usualShare = 3.0, 6.0, 0.7
	// restMost is less than the five minutes between two looks beyond which rollout begins its clocks anew (longUnseen), and less than the
	// four for which the list of impaired servers counts.
	restMost = 3 * time.Minute
	// watchedShare of these calls goes at most to Releases that rest in the middle of a deploy, the rest to those that are settled.
	watchedShare = 0.8
	// restResolveAge is how old what a pool reference means may be at a glance. It costs up to three calls a pool. A pool that is gone, or
	// that nothing sends requests to, is no rest.
	restResolveAge = time.Hour
	// resolveAge is the same for every other look.
	resolveAge = time.Minute
)

// rest is how a Release rests; the zero value: it does not.
type rest struct {
	generation int64 // of the spec that there was nothing to do for
	settled    bool  // it is not in the middle of a deploy
	guarded    bool  // its version is taken back by itself if it gets sick: it is looked at each minute, whatever that costs
	account    string
	region     string
	// classic and groups are what a glance at its pools costs, in calls of either generation of load balancers.
	classic, groups int
}

// is reports whether the Release still rests, for all that Kubernetes says.
func (s rest) is(rel *v1alpha1.Release) bool {
	return s.generation == rel.Generation && rel.DeletionTimestamp.IsZero()
}

// nothingToDo reports whether a decision leaves everything as it is until somebody wishes something or something changes by itself, and
// went by a world that was read as a whole. Where a version that is Live is to be Complete after a while, the time that it was whole is
// counted from look to look.
func nothingToDo(obs *observation, decision rollout.Decision) bool {
	unread := func(p rollout.Pool) bool { return !p.Readable() || p.NotInUse }
	switch lack := decision.Report.Lack; {
	case obs.account == nil, obs.input.World.ServersErr != "", slices.ContainsFunc(obs.input.World.Pools, unread):
		return false
	case slices.ContainsFunc(decision.Actions, obs.undone), decision.After > 0, decision.NeedTarget, decision.Gone, lack != nil && *lack > 0:
		return false
	case decision.Report.Live && obs.input.Spec.CompleteAfter > 0:
		return false
	}
	return reflect.DeepEqual(obs.input.Memory, decision.Memory)
}

// undone: the action is still to be carried out. A launch that EC2 was asked for is not: its answer wakes the Release.
func (o *observation) undone(action rollout.Action) bool {
	launch, is := action.(rollout.Launch)
	return !is || !slices.Contains(o.input.World.Underway, launch.Attempt.Token)
}

// restOf is how the Release rests after a pass.
func restOf(rel *v1alpha1.Release, obs *observation, decision rollout.Decision) rest {
	if !nothingToDo(obs, decision) {
		return rest{}
	}
	found := rest{
		generation: rel.Generation, account: obs.place.AccountID, region: obs.place.Region,
		settled: decision.Report.Stage == rollout.StageSettled, guarded: decision.Report.Live && obs.input.Spec.AutoRollback,
	}
	found.groups, found.classic = rollout.CallsOf(obs.input.World.Pools)
	return found
}

// restedBefore reports whether a Release on which this process has not decided yet was at rest, as far as its status tells: so is nearly every
// one of a process that has just started. That nobody drains has to be said, for a glance does not ask; that a server changed since, a sweep
// may have said.
func (m *softMemory) restedBefore(known *recollection, rel *v1alpha1.Release) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	drains := func(f v1alpha1.PoolFleetStatus) bool { return f.Draining > 0 }
	return known.undecided() && !known.stirred && rel.DeletionTimestamp.IsZero() && rel.Status.ObservedGeneration == rel.Generation &&
		meta.IsStatusConditionTrue(rel.Status.Conditions, v1alpha1.ConditionReady) &&
		!slices.ContainsFunc(rel.Status.Pools, func(p v1alpha1.PoolStatus) bool { return slices.ContainsFunc(p.Fleets, drains) })
}

// look observes and decides. A Release at rest is glanced at first; what it declares was recorded then, or it would not rest.
func (r *ReleaseReconciler) look(ctx context.Context, rel *v1alpha1.Release, known *recollection) (*observation, rollout.Decision, error) {
	r.soft.begins(known)
	if r.soft.restNow(known).is(rel) || r.soft.restedBefore(known, rel) {
		obs, err := r.see(ctx, rel, true)
		if err != nil {
			return nil, rollout.Decision{}, err
		}
		obs.input.Soft, obs.input.Now = known.soft, r.Clock()
		if decision := rollout.Decide(obs.input); nothingToDo(obs, decision) {
			return obs, decision, nil
		}
	}
	obs, err := r.see(ctx, rel, false)
	if err != nil {
		return nil, rollout.Decision{}, err
	}
	decision, err := r.decide(ctx, rel, obs, known)
	return obs, decision, err
}

// leftAlone is for how long nobody looks at the Release where nothing happens, with a spread, so that not all come at once.
func (r *ReleaseReconciler) leftAlone(rel *v1alpha1.Release, at rest) time.Duration {
	every := sweep
	if watched, settled := r.soft.restCost(at.account, at.region); at != (rest{}) && !at.guarded {
		every = restEvery(r.underUsual(watched), r.underUsual(settled), at.settled)
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(rel.UID))
	spread := every / sweepSpread
	return every - spread/2 + spread*time.Duration(hash.Sum32()%1000)/1000
}

// underUsual is how many calls would weigh as much under the usual share of AWS's limits as these do under ours.
func (r *ReleaseReconciler) underUsual(calls int) int {
	if r.Share == 0 || r.Share == usualShare {
		return calls
	}
	return int(math.Ceil(float64(calls) * usualShare / r.Share))
}

// restEvery is how often a Release at rest is glanced at, settled or not, where a glance at all of those that rest costs so many calls.
//
//	watched   settled      watched, every            settled, every
//	      0       180         –                      180 / 3           = 60 s
//	    144         0      144 / (0.8 · 3) = 60 s       –
//	      0     2,000         –                      2,000 / 6         = 5.6 min
//	    600       400      600 / (0.8 · 3): 3 min    400 / (6 - 3.3)   = 3 min
func restEvery(watched, settled int, isSettled bool) time.Duration {
	every := within(watched, restCalls*watchedShare, mostCalls*watchedShare)
	if !isSettled {
		return every
	}
	spent := float64(watched) / every.Seconds()
	return within(settled, restCalls-spent, mostCalls-spent)
}

// within is how often so many calls can be made at the easy rate a second; where that were seldom, at restMost, or as the most allows.
func within(calls int, easy, most float64) time.Duration {
	at := func(rate float64) time.Duration {
		if calls == 0 {
			return 0
		}
		if rate <= 0 {
			return math.MaxInt64
		}
		return time.Duration(float64(calls) / rate * float64(time.Second))
	}
	return max(sweep, min(at(easy), restMost), at(most))
}

// soonEnough: who is told of a server asks for no pass where one comes within that time anyway.
const soonEnough = 10 * time.Second

// begins notes that a pass is about to read: what changed until now, it may see.
func (m *softMemory) begins(known *recollection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known.astir, known.due = false, time.Time{}
}

// noteRest notes how a Release rests after a pass. One whose servers changed during that pass does not: it may have read them before.
func (m *softMemory) noteRest(known *recollection, now rest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known.astir {
		now = rest{}
	}
	known.rest, known.stirred = now, known.astir
}

// noteDue notes when the next pass over a Release comes.
func (m *softMemory) noteDue(known *recollection, due time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known.due = due
}

// restNow is how a Release rests.
func (m *softMemory) restNow(known *recollection) rest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return known.rest
}

// wake ends the rest of a Release, and reports whether a pass over it is to be asked for: it rested, or the next one comes later than soon. None
// is where one waits for its turn or goes on, nor before the first.
func (m *softMemory) wake(name types.NamespacedName, soon time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.releases[name]
	if known == nil {
		if len(m.early) == mostEarly {
			clear(m.early)
		}
		if m.early == nil {
			m.early = map[types.NamespacedName]bool{}
		}
		m.early[name] = true
		return false
	}
	ask := known.rest != rest{} || known.due.After(soon)
	known.rest, known.stirred, known.astir = rest{}, true, true
	if ask {
		known.due = time.Time{}
	}
	return ask
}

// restCost is what a glance at all Releases that rest in a place costs: those in the middle of a deploy, and those that are settled. Of
// the two generations of load balancers, which AWS limits each for itself, the dearer one counts.
func (m *softMemory) restCost(account, region string) (watched, settled int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var costs [2]struct{ classic, groups int }
	for _, known := range m.releases {
		s := known.rest
		if s.account != account || s.region != region {
			continue
		}
		of := &costs[0]
		if s.settled {
			of = &costs[1]
		}
		of.classic, of.groups = of.classic+s.classic, of.groups+s.groups
	}
	return max(costs[0].classic, costs[0].groups), max(costs[1].classic, costs[1].groups)
}

// answered ends the rest of a Release whose launch was answered, and asks for a pass over it.
func (m *softMemory) answered(name types.NamespacedName) {
	m.wake(name, time.Time{})
	m.mu.Lock()
	hears := m.hears
	m.mu.Unlock()
	if hears != nil {
		hears(name)
	}
}

// hear lets somebody hear of answers from now on.
func (m *softMemory) hear(of func(types.NamespacedName)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hears = of
}

// heard reports whether anybody hears of answers.
func (m *softMemory) heard() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hears != nil
}
