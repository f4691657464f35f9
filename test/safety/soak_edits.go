package safety

import (
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// tenant is one Release with its own pools, and who edits it.
type tenant struct {
	name     string
	pools    v1alpha1.LoadBalancers
	rollsBy  bool // autoRollback
	versions int  // that were deployed
	retries  int
	deleted  bool
	counted  string // the transition that was counted last
	promoted string // the revision whose promotion was
}

// settle makes the pools of the i-th Release, and the Release. Not all have the same kinds of pools.
func (s *soak) settle(i int) *tenant {
	u := &tenant{name: fmt.Sprintf("app-%02d", i), rollsBy: i%2 == 0}
	test, edge, api := "test-"+u.name, "edge-"+u.name, "api-"+u.name
	group := func(name string) v1alpha1.Pool {
		s.w.MakeTargetGroup(name)
		s.w.MakeListener(name, name)
		return e2e.Group(name, name)
	}
	classic := func(name string, crossZone bool) v1alpha1.Pool {
		s.w.MakeClassic(name, crossZone)
		return e2e.Classic(name, name)
	}
	switch i % 4 {
	case 0:
		u.pools = v1alpha1.LoadBalancers{Test: []v1alpha1.Pool{classic(test, true)}, Production: []v1alpha1.Pool{classic(edge, true), group(api)}}
	case 1:
		u.pools = v1alpha1.LoadBalancers{Test: []v1alpha1.Pool{group(test)}, Production: []v1alpha1.Pool{classic(edge, true), group(api)}}
	case 2:
		u.pools = v1alpha1.LoadBalancers{Test: []v1alpha1.Pool{classic(test, true)}, Production: []v1alpha1.Pool{group(api)}}
	default:
		u.pools = v1alpha1.LoadBalancers{Test: []v1alpha1.Pool{group(test)}, Production: []v1alpha1.Pool{classic(edge, false)}}
	}
	s.create(u)
	return u
}

// create makes the Release, for the first time or again.
func (s *soak) create(u *tenant) {
	u.deleted = false
	s.w.Create(s.w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Name, rel.Spec.LoadBalancers, rel.Spec.DeletionPolicy = u.name, u.pools, v1alpha1.DeletionTerminate
		rel.Spec.Promotion.AutoRollback = u.rollsBy
		s.deploys(u, v1alpha1.PhaseComplete)(rel)
	}))
	s.report.Made++
}

// wish is an edit that a person may make now: how likely it is, and what it is.
type wish struct {
	weight int
	name   string
	change func(*v1alpha1.Release)
}

// edit changes one of the Releases. One that is on its way is disturbed now and then only, for otherwise nothing would ever be done.
func (s *soak) edit() {
	u := s.tenants[s.random.IntN(len(s.tenants))]
	if u.deleted {
		return // follow makes it again
	}
	rel := s.w.Release(u.name)
	if !settledNow(rel) && !rel.Spec.Paused && s.random.IntN(4) > 0 {
		return
	}
	if s.random.IntN(40) == 0 {
		s.w.Delete(u.name)
		u.deleted = true
		s.report.Edits["delete"]++
		return
	}
	chosen := s.choose(s.wishes(u, rel))
	switch err := s.w.TryEdit(u.name, chosen.change); {
	case apierrors.IsInvalid(err):
		s.report.Edits["refused"]++
	case apierrors.IsConflict(err):
		s.report.Edits["conflict"]++
	case err != nil:
		s.w.Fatalf("edit %s: %s: %v", u.name, chosen.name, err)
	default:
		s.report.Edits[chosen.name]++
	}
}

// settledNow: nothing is being done for it, as far as its status knows.
func settledNow(rel *v1alpha1.Release) bool {
	return current(rel, v1alpha1.ConditionReady) || current(rel, v1alpha1.ConditionStalled)
}

// current reports whether a condition is True for what is asked for now.
func current(rel *v1alpha1.Release, kind string) bool {
	c := meta.FindStatusCondition(rel.Status.Conditions, kind)
	return meta.IsStatusConditionTrue(rel.Status.Conditions, kind) && c.ObservedGeneration == rel.Generation
}

// choose draws one of them.
func (s *soak) choose(all []wish) wish {
	total := 0
	for _, w := range all {
		total += w.weight
	}
	n := s.random.IntN(total)
	for _, w := range all {
		if n -= w.weight; n < 0 {
			return w
		}
	}
	panic("no wish was drawn")
}

// wishes are what may be asked for next: mostly the next step of a deploy, and sometimes anything.
func (s *soak) wishes(u *tenant, rel *v1alpha1.Release) []wish {
	if rel.Spec.Paused {
		return []wish{{3, "resume", func(rel *v1alpha1.Release) { rel.Spec.Paused = false }}, s.deploying(1, u, v1alpha1.PhasePreview)}
	}
	all := []wish{
		{5, "scale", func(rel *v1alpha1.Release) { rel.Spec.Replicas = int32(2 + s.random.IntN(3)) }},
		{3, "pause", func(rel *v1alpha1.Release) { rel.Spec.Paused = true }},
		{3, "retry", func(rel *v1alpha1.Release) { retried(u, rel) }},
		{2, "back to stable", func(rel *v1alpha1.Release) {
			if rel.Status.Stable != nil {
				rel.Spec.Version = v1alpha1.Version(rel.Status.Stable.Version)
			}
			rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhasePreview, ""
		}},
		asking(2, v1alpha1.PhasePreview), asking(2, v1alpha1.PhaseLive), asking(2, v1alpha1.PhaseRolledBack), asking(2, v1alpha1.PhaseComplete),
		s.deploying(3, u, v1alpha1.PhasePreview), s.deploying(2, u, v1alpha1.PhaseLive), s.deploying(2, u, v1alpha1.PhaseComplete),
	}
	switch rel.Spec.Phase {
	case v1alpha1.PhasePreview:
		return append(all, asking(50, v1alpha1.PhaseLive))
	case v1alpha1.PhaseLive:
		return append(all, asking(35, v1alpha1.PhaseComplete), asking(25, v1alpha1.PhaseRolledBack))
	case v1alpha1.PhaseRolledBack:
		return append(all, asking(25, v1alpha1.PhaseLive), s.deploying(25, u, v1alpha1.PhasePreview))
	}
	return append(all, s.deploying(40, u, v1alpha1.PhasePreview), s.deploying(20, u, v1alpha1.PhaseLive))
}

// retried says to try again what was given up.
func retried(u *tenant, rel *v1alpha1.Release) {
	u.retries++
	if rel.Annotations == nil {
		rel.Annotations = map[string]string{}
	}
	rel.Annotations[v1alpha1.AnnotationRetry] = strconv.Itoa(u.retries)
}

// asking sets the phase for the version that is declared.
func asking(weight int, phase v1alpha1.Phase) wish {
	return wish{weight, string(phase), func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = phase, string(rel.Spec.Version) }}
}

// deploying declares a version that never was.
func (s *soak) deploying(weight int, u *tenant, phase v1alpha1.Phase) wish {
	return wish{weight, "deploy " + string(phase), s.deploys(u, phase)}
}

func (s *soak) deploys(u *tenant, phase v1alpha1.Phase) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		u.versions++
		version := fmt.Sprintf("v%d", u.versions)
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.Version(version), phase, version
	}
}

// follow counts what became of the edits of a Release, and makes it again once it is gone.
func (s *soak) follow(u *tenant) {
	if u.deleted {
		if s.w.Gone(u.name) {
			s.report.Deletions++
			s.create(u)
		}
		return
	}
	rel := s.w.Release(u.name)
	last := rel.Status.LastTransition
	if last == nil || last.Ended == nil || last.Started == nil {
		return
	}
	what, revision := string(last.What), string(last.Revision)
	key := last.Started.Format(time.RFC3339Nano) + what
	if key == u.counted {
		return
	}
	u.counted = key
	s.report.Transitions[what]++
	if what == "Completion" && u.promoted != revision { // on the way straight to Complete the one follows the other at once
		s.report.Transitions["Promotion"]++
	}
	u.promoted = ""
	if what == "Promotion" {
		u.promoted = revision
	}
}
