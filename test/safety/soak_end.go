package safety

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
)

// trueCauses are reasons to wait for a person that what went wrong in a soak may have left behind.
var trueCauses = []string{
	v1alpha1.ReasonNothingToRollBackTo, v1alpha1.ReasonPromotionFailed, v1alpha1.ReasonAutoRolledBack, v1alpha1.ReasonHealthTimeout,
	v1alpha1.ReasonLaunchFailed, v1alpha1.ReasonLaunchTimeout,
}

// end lets nothing go wrong any more: every Release gets where it was to go, or says what keeps it; then to a last version, whatever
// became of it before; and at last nothing is done any more.
func (s *soak) end(ctx context.Context) {
	s.calm()
	for _, u := range s.tenants {
		if !u.deleted && s.w.Release(u.name).Spec.Paused {
			s.w.Edit(u.name, func(rel *v1alpha1.Release) { rel.Spec.Paused = false })
		}
	}
	s.await(ctx, "is as asked for, or says what keeps it", s.undecided)
	for _, u := range s.tenants {
		if rel := s.standing(u); rel != nil && current(rel, v1alpha1.ConditionStalled) {
			s.report.Stalled[u.name] = meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionStalled).Message
		}
	}
	for _, u := range s.tenants {
		if s.standing(u) == nil {
			continue // that was told of
		}
		s.w.Edit(u.name, func(rel *v1alpha1.Release) {
			s.deploys(u, v1alpha1.PhaseComplete)(rel)
			retried(u, rel)
		})
	}
	s.await(ctx, "has come to its last version", s.unfinished)
	s.rest(ctx)
}

// standing is the Release of a tenant; nil while it is being deleted.
func (s *soak) standing(u *tenant) *v1alpha1.Release {
	if u.deleted {
		return nil
	}
	return s.w.Release(u.name)
}

// await waits until nothing is left to say of any Release.
func (s *soak) await(ctx context.Context, what string, lacks func(u *tenant) string) {
	began := time.Now()
	for n := 1; ; n++ {
		s.watch()
		var open []string
		for _, u := range s.tenants {
			if lack := lacks(u); lack != "" {
				open = append(open, fmt.Sprintf("%s: %s", u.name, lack))
			}
		}
		switch {
		case len(open) == 0:
			s.tell("every Release %s, after %s", what, time.Since(began).Round(time.Second))
			return
		case time.Since(began) > s.o.Patience:
			s.violation("law 10: not after %s that every Release %s: %q", s.o.Patience, what, open)
			return
		case n%30 == 0:
			s.tidy()
			s.tell("after %s, waiting that every Release %s: %q", time.Since(began).Round(time.Second), what, open)
		}
		if !waitUntil(ctx, time.Now().Add(time.Second)) {
			return
		}
	}
}

// undecided says what a Release is on its way to.
func (s *soak) undecided(u *tenant) string {
	rel := s.standing(u)
	if rel == nil {
		return "it is being deleted"
	}
	c := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionStalled)
	switch {
	case current(rel, v1alpha1.ConditionReady):
		return ""
	case current(rel, v1alpha1.ConditionStalled) && slices.Contains(trueCauses, c.Reason):
		return ""
	}
	return fmt.Sprintf("%s: %s", rel.Status.Stage, rel.Status.Message)
}

// unfinished says what of its last version is not so: it alone serves in every production pool, and there is no server of another.
func (s *soak) unfinished(u *tenant) string {
	rel := s.standing(u)
	if rel == nil {
		return "it is being deleted"
	}
	if !current(rel, v1alpha1.ConditionReady) || rel.Status.EffectivePhase != v1alpha1.PhaseComplete {
		return fmt.Sprintf("%s: %s", rel.Status.Stage, rel.Status.Message)
	}
	version, size := string(rel.Spec.Version), int(rel.Spec.Replicas)
	if all, right := s.servers(u, ""), s.servers(u, version); all != size || right != size {
		return fmt.Sprintf("there are %d servers, %d of them of %s, and should be %d", all, right, version, size)
	}
	for _, p := range u.pools.Production {
		if name := poolName(p); !s.w.From(name, version, size) || len(s.w.Members(name)) != size {
			return fmt.Sprintf("%s sends requests to %v", name, s.w.Versions(name))
		}
	}
	for _, p := range u.pools.Test {
		if name := poolName(p); !s.w.Empty(name) {
			return name + " is not empty"
		}
	}
	return ""
}

// servers counts those of a Release that live, of a version or of all.
func (s *soak) servers(u *tenant, version string) int {
	return len(slices.DeleteFunc(s.w.Servers(version), func(server localaws.InstanceInfo) bool {
		return server.Tags[cloud.TagRelease] != s.w.Namespace+"/"+u.name
	}))
}

// restFor is longer than a sweep.
const restFor = 75 * time.Second

// rest is law 9.
func (s *soak) rest(ctx context.Context) {
	if len(s.report.Violations) > 0 {
		return
	}
	s.w.Mark()
	said := s.w.Events()
	if !waitUntil(ctx, time.Now().Add(restFor)) {
		return
	}
	s.watch()
	if made := s.w.Mutations(); len(made) > 0 {
		s.violation("law 9: calls are made when everything is as asked for: %v", made)
	}
	if news := saidSince(said, s.w.Events()); len(news) > 0 {
		s.violation("law 9: there are events when everything is as asked for: %v", news)
	}
}

// saidSince are the events of the second list that the first has not, or not as often. The API server forgets events after an hour, so
// that the second may well be the shorter one.
func saidSince(before, now []e2e.Event) (news []e2e.Event) {
	known := map[e2e.Event]int{}
	for _, event := range before {
		known[event]++
	}
	for _, event := range now {
		if known[event]--; known[event] < 0 {
			news = append(news, event)
		}
	}
	return news
}

// poolName is the name in AWS of a pool of a tenant.
func poolName(p v1alpha1.Pool) string {
	if p.Classic != nil {
		return p.Classic.Name
	}
	return p.TargetGroup.Name
}
