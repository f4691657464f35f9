package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/localaws"
)

// violations are breaches of the laws that the watch saw; the next step of the scenario fails on them.
type violations struct {
	mu   sync.Mutex
	list []string
	// ending: a Release is deleted with Terminate, the one exception to law 1.
	ending bool
	// released are pools that left a spec; they serve nobody on our behalf any more.
	released map[string]bool
}

func (v *violations) add(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = append(v.list, fmt.Sprintf(format, args...))
}

// EndingIsFine says that from now on production may be emptied: a Release is deleted with Terminate.
func (w *World) EndingIsFine() { w.broken.ending = true }

// LetGo says that a pool leaves the spec: its servers may all be drained from it when their fleet is retired.
func (w *World) LetGo(pool string) { w.broken.released[pool] = true }

// checkLaws fails the scenario if a law was broken.
func (w *World) checkLaws() {
	w.Helper()
	w.broken.mu.Lock()
	defer w.broken.mu.Unlock()
	if len(w.broken.list) > 0 {
		w.Fatalf("broken law: %s\n%s", strings.Join(w.broken.list, "\n"), w.Story())
	}
}

// watchLaws looks at every call of the controller, before it takes effect, and at the world as it truly is then.
func watchLaws(w *World) *violations {
	v := &violations{released: map[string]bool{}}
	w.AWS.Hook(func(phase localaws.Phase, call localaws.Call, world localaws.World) {
		if phase != localaws.BeforeCall || !call.Mutates || call.Who.AccessKey == personKey {
			return
		}
		servers := targets(call)
		v.foreign(call, servers, world)
		switch {
		case strings.HasPrefix(call.Action, "Deregister"):
			v.lastHealthy(call, servers, world)
		case call.Action == "TerminateInstances":
			v.termination(servers, world)
		case call.Action == "RunInstances":
			v.token(w, call)
		}
	})
	return v
}

// targets are the servers that a call names.
func targets(call localaws.Call) []string {
	var ids []string
	for key, values := range call.Params {
		for _, value := range values {
			if strings.HasPrefix(value, "i-") && !strings.Contains(key, "Tag") && !slices.Contains(ids, value) {
				ids = append(ids, value)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// pool is the pool that a call names.
func pool(call localaws.Call, world localaws.World) (localaws.PoolInfo, bool) {
	if name := call.Params.Get("LoadBalancerName"); name != "" {
		return world.Pool(name)
	}
	return world.Pool(call.Params.Get("TargetGroupArn"))
}

// lastHealthy is law 1 on the truth: nobody takes the last healthy server out of a pool that serves.
func (v *violations) lastHealthy(call localaws.Call, leaving []string, world localaws.World) {
	p, ok := pool(call, world)
	if !ok || v.ending || v.released[p.Name] || strings.HasPrefix(p.Name, "test") {
		return
	}
	before, after := 0, 0
	for _, m := range p.Members {
		if m.State != "healthy" {
			continue
		}
		before++
		if !slices.Contains(leaving, m.InstanceID) {
			after++
		}
	}
	if before > 0 && after == 0 {
		v.add("law 1: %s takes the last %d healthy servers out of %s", call.Action, before, p.Name)
	}
}

// termination is law 4 on the truth: in no pool, not draining, not held.
func (v *violations) termination(servers []string, world localaws.World) {
	for _, id := range servers {
		for _, p := range world.Pools() {
			for _, m := range p.Members {
				if m.InstanceID == id {
					v.add("law 4: %s is terminated while it is %s in %s", id, m.State, p.Name)
				}
			}
		}
		if s, ok := world.Instance(id); ok {
			if _, held := s.Tags["slipway.dev/hold"]; held {
				v.add("law 4: %s is terminated although a person holds it", id)
			}
		}
	}
}

// foreign is law 6 on the truth: whatever a call names carries our tags, or says that it may be adopted.
func (v *violations) foreign(call localaws.Call, servers []string, world localaws.World) {
	for _, id := range servers {
		s, ok := world.Instance(id)
		if ok && s.Tags["slipway.dev/owner"] == "" && s.Tags["slipway.dev/adopt"] == "" {
			v.add("law 6: %s touches %s, which is not ours", call.Action, id)
		}
	}
}

// token is law 5: when EC2 hears a token, etcd has it.
func (v *violations) token(w *World, call localaws.Call) {
	token := call.Params.Get("ClientToken")
	var list appsv1.ControllerRevisionList
	if err := w.Kube.List(w.Context(), &list, client.InNamespace(w.Namespace)); err != nil {
		v.add("law 5 cannot be checked: %v", err)
		return
	}
	for _, revision := range list.Items {
		for _, text := range revision.Annotations {
			if token != "" && strings.Contains(text, token) {
				return
			}
		}
	}
	v.add("law 5: RunInstances is called with token %q, which is not in etcd", token)
}

// Converged fails unless the Release stays as it is for ten sweeps without a change in AWS or a write to Kubernetes (law 9).
func (w *World) Converged(name string) {
	w.Helper()
	w.Pass(sweeps / 2) // let what is under way end, in AWS too: terminated servers leave pools late
	w.Mark()
	before := w.versions(name)
	w.Pass(sweeps)
	if m := w.Mutations(); len(m) > 0 {
		w.Fatalf("law 9: a converged Release makes calls: %v\n%s", m, w.Story())
	}
	if after := w.versions(name); after != before {
		w.Fatalf("law 9: a converged Release is written: resource versions %s, then %s\n%s", before, after, w.Story())
	}
}

// versions are the resource versions of a Release and its revisions.
func (w *World) versions(name string) string {
	w.Helper()
	var list appsv1.ControllerRevisionList
	w.must("list revisions", w.Kube.List(w.Context(), &list, client.InNamespace(w.Namespace)))
	all := make([]string, 0, 1+len(list.Items))
	all = append(all, w.Release(name).ResourceVersion)
	for _, revision := range list.Items {
		all = append(all, revision.ResourceVersion)
	}
	return strings.Join(all, ",")
}
