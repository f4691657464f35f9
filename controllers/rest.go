package controllers

import (
	"context"
	"hash/fnv"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// Most Releases are at rest: the last pass over them found nothing to do, to remember or to wait for. However many there are, looking at
// them costs AWS the same:
//
//	EC2              one sweep for all of them, about a minute old (cloud.Query.AtRest); a server that changed wakes its Release
//	load balancers   restCalls a second for all of them: beyond some number of pools each Release is looked at less often
//
//	pools at rest, of target groups     180     600    2,000
//	looked at every                     1 min   3 min  11 min
//
// An old reading only ever says that there is still nothing to do. What it shows to be done is decided anew, on a fresh one.
const (
	// restCalls a second is what readings of Releases at rest may cost, of the ten a second that AWS documents for all Describe calls of a
	// generation of load balancers in an account and region.
	restCalls = 3.0
	// watchedShare of restCalls goes at most to Releases that rest in the middle of a deploy, the rest to those that are settled.
	watchedShare = 0.8
	// restResolveAge is how old what a pool reference means may be for a look at a Release at rest. It costs up to three calls a pool, and
	// says nothing of its members: that the pool is gone, or in use by no load balancer any more, their reading says too.
	restResolveAge = time.Hour
	// resolveAge is the same for every other look.
	resolveAge = time.Minute
)

// rest is how a Release rests; the zero value: it does not.
type rest struct {
	generation int64 // of the spec that there was nothing to do for
	settled    bool  // and it is not in the middle of a deploy
	account    string
	region     string
	// classic and groups are what a look at its pools costs, in calls of either generation of load balancers.
	classic, groups int
}

// is reports whether the Release still rests, for all that Kubernetes says.
func (s rest) is(rel *v1alpha1.Release) bool {
	return s.generation == rel.Generation && rel.DeletionTimestamp.IsZero()
}

// restful reports whether a decision leaves everything as it is, until the next sweep or somebody's wish.
func restful(obs *observation, decision rollout.Decision) bool {
	lacks := decision.Report.Lack != nil && *decision.Report.Lack > 0
	return obs.account != nil && len(decision.Actions) == 0 && decision.After == 0 && !decision.NeedTarget && !decision.Gone && !lacks &&
		reflect.DeepEqual(obs.input.Memory, decision.Memory)
}

// restOf is how the Release rests after a pass.
func restOf(rel *v1alpha1.Release, obs *observation, decision rollout.Decision) rest {
	if !restful(obs, decision) {
		return rest{}
	}
	found := rest{
		generation: rel.Generation, settled: decision.Report.Stage == rollout.StageSettled, account: obs.place.AccountID, region: obs.place.Region,
	}
	for _, pool := range obs.input.World.Pools {
		switch {
		case pool.Kind != rollout.KindClassic:
			found.groups++
		case found.classic == 0:
			found.classic = 2 // the first one's health, and the members of all
		default:
			found.classic++
		}
	}
	return found
}

// look observes and decides. A Release at rest is glanced at first.
func (r *ReleaseReconciler) look(ctx context.Context, rel *v1alpha1.Release, known *recollection) (*observation, rollout.Decision, error) {
	if known.rest.is(rel) {
		obs, err := r.see(ctx, rel, true)
		if err != nil {
			return nil, rollout.Decision{}, err
		}
		obs.input.Soft, obs.input.Now = known.soft, r.Clock()
		if decision := rollout.Decide(obs.input); restful(obs, decision) {
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

// restsFor is how long the Release is left alone where nothing happens, with a spread, so that not all come at once.
func (r *ReleaseReconciler) restsFor(rel *v1alpha1.Release, at rest) time.Duration {
	watched, settled := r.soft.resting(at.account, at.region)
	every := restEvery(watched, settled, at.settled)
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(rel.UID))
	spread := every / sweepSpread
	return every - spread/2 + spread*time.Duration(hash.Sum32()%1000)/1000
}

// restEvery is how often a Release at rest is looked at, settled or not, where a look at all of those that rest costs so many calls.
//
//	watched   settled      watched, every        settled, every
//	      0       180         –                  180 / 3            = 60 s
//	    144         0      144 / 2.4 = 60 s         –
//	    600     2,000      600 / 2.4 = 250 s     2,000 / (3 - 2.4)  = 55 min
func restEvery(watched, settled int, isSettled bool) time.Duration {
	every := max(sweep, seconds(float64(watched)/(restCalls*watchedShare)))
	if !isSettled {
		return every
	}
	left := restCalls - float64(watched)/every.Seconds()
	return max(sweep, seconds(float64(settled)/left))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// rests notes how a Release rests.
func (m *softMemory) rests(known *recollection, now rest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known.rest = now
}

// atRest reports whether the last pass over a Release left it at rest.
func (m *softMemory) atRest(name types.NamespacedName) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.releases[name]
	return known != nil && known.rest != rest{}
}

// resting is what a look at all Releases that rest in a place costs: those in the middle of a deploy, and those that are settled. Of
// the two generations of load balancers, which AWS limits each for itself, the dearer one counts.
func (m *softMemory) resting(account, region string) (watched, settled int) {
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
