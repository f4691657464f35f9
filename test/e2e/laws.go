package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// violations are breaches of the laws that the watch saw; the next step of the scenario fails on them.
type violations struct {
	mu   sync.Mutex
	list []string
	// steady are the versions that steadyIn may have from one event to the next; nil where a scenario does not say.
	steady, steadyIn []string
	// served are those of the pools that have served since the scenario began to ask.
	served map[string]bool

	read    uint64               // ledger position up to which ends were looked at
	lastOut map[string]time.Time // when a server left its last pool

	wishes map[types.UID]*wishes // of each Release
	shown  map[string]bool       // the fleets that every test pool found healthy
}

func (v *violations) add(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(v.list, text) {
		v.list = append(v.list, text)
	}
}

// checkLaws fails the scenario if a law was broken.
func (w *World) checkLaws() {
	w.Helper()
	w.broken.ends(w.AWS)
	w.AWS.Look(w.broken.steadiness)
	w.broken.mu.Lock()
	defer w.broken.mu.Unlock()
	if len(w.broken.list) > 0 {
		w.Fatalf("broken law: %s\n%s", strings.Join(w.broken.list, "\n"), w.Story())
	}
}

// watchLaws looks at every call of the controller, before it takes effect, and at the world as it truly is then.
func watchLaws(w *World) *violations {
	v := &violations{
		lastOut: map[string]time.Time{}, served: map[string]bool{}, wishes: map[types.UID]*wishes{}, shown: map[string]bool{},
	}
	w.AWS.OnEvent(func(phase localaws.Phase, world localaws.World) {
		if phase == localaws.AfterEvent {
			v.look(world)
		}
	})
	w.AWS.Hook(func(phase localaws.Phase, call localaws.Call, world localaws.World) {
		if !call.Mutates || call.Who.AccessKey == personKey {
			return
		}
		if phase == localaws.AfterCall {
			v.steadiness(world)
			if call.Action != runInstances {
				return
			}
		}
		scene, err := w.scene(call, world)
		if err != nil {
			v.add("the laws cannot be checked: %v", err)
			return
		}
		v.seen(scene)
		if phase == localaws.AfterCall {
			v.launched(scene)
			return
		}
		v.look(world)
		v.judge(scene)
	})
	return v
}

// judge looks at a call before it has its effect.
func (v *violations) judge(s scene) {
	v.foreign(s)
	switch {
	case strings.HasPrefix(s.call.Action, "Register"):
		v.entry(s)
	case strings.HasPrefix(s.call.Action, "Deregister"):
		v.removal(s)
	case s.call.Action == terminateInstances:
		v.termination(s)
	case s.call.Action == runInstances:
		v.token(s)
	}
}

// scene is a call of the controller with everything that it is judged by: AWS as it truly is, and etcd, at that moment.
type scene struct {
	localaws.World
	call      localaws.Call
	now       time.Time
	servers   []localaws.InstanceInfo // that the call names
	releases  []v1alpha1.Release
	revisions []appsv1.ControllerRevision
}

// scene reads it.
func (w *World) scene(call localaws.Call, world localaws.World) (scene, error) {
	s := scene{World: world, call: call, now: w.Clock.Now()}
	for _, id := range targets(call) {
		if server, ok := world.Instance(id); ok {
			s.servers = append(s.servers, server)
		}
	}
	var releases v1alpha1.ReleaseList
	if err := w.Kube.List(w.Context(), &releases, client.InNamespace(w.Namespace)); err != nil {
		return s, err
	}
	var revisions appsv1.ControllerRevisionList
	if err := w.Kube.List(w.Context(), &revisions, client.InNamespace(w.Namespace)); err != nil {
		return s, err
	}
	s.releases, s.revisions = releases.Items, revisions.Items
	return s, nil
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

// owner is the Release of this world that a server belongs to by name and uid; nil where there is none.
func (s scene) owner(server localaws.InstanceInfo) *v1alpha1.Release {
	for i := range s.releases {
		if rel := &s.releases[i]; owns(rel, server) {
			return rel
		}
	}
	return nil
}

func owns(rel *v1alpha1.Release, server localaws.InstanceInfo) bool {
	return server.Tags[cloud.TagRelease] == rel.Namespace+"/"+rel.Name && server.Tags[cloud.TagOwner] == string(rel.UID)
}

// ending: the Release is deleted with Terminate, the one exception to laws 1 and 7.
func ending(rel *v1alpha1.Release) bool {
	return rel.DeletionTimestamp != nil && rel.Spec.DeletionPolicy == v1alpha1.DeletionTerminate
}

// foreign is law 6 on the truth: whatever a call names belongs to one Release that exists, or is being adopted by it.
func (v *violations) foreign(s scene) {
	owners := map[string]bool{}
	for _, server := range s.servers {
		rel := s.owner(server)
		switch {
		case rel != nil:
			owners[rel.Name] = true
		case s.call.Action != createTags || !slices.ContainsFunc(s.releases, func(rel v1alpha1.Release) bool { return adopts(rel, server) }):
			v.add("law 6: %s touches %s, which is not ours: %v", s.call.Action, server.ID, server.Tags)
		}
	}
	if len(owners) > 1 {
		v.add("law 6: %s touches servers of more than one Release: %v", s.call.Action, owners)
	}
}

// adopts: the Release asks for servers such as this one, and the server says that it may have it.
func adopts(rel v1alpha1.Release, server localaws.InstanceInfo) bool {
	name, adopt := rel.Namespace+"/"+rel.Name, rel.Spec.Adopt
	if adopt == nil {
		return false
	}
	former := adopt.FormerOwner != "" && server.Tags[cloud.TagRelease] == name && server.Tags[cloud.TagOwner] == adopt.FormerOwner
	return former || (len(adopt.Tags) > 0 && server.Tags[cloud.TagAdopt] == name)
}

// token is law 5: when EC2 hears a token, etcd has it.
func (v *violations) token(s scene) {
	token := s.call.Params.Get("ClientToken")
	for _, revision := range s.revisions {
		if token != "" && strings.Contains(revision.Annotations[memoryAnnotation], token) {
			return
		}
	}
	v.add("law 5: RunInstances is called with token %q, which is not in etcd", token)
}

// Steady says that from now on, at every event, both production pools of NewRelease send requests to a server of ours once they
// did, and to no other version than these.
func (w *World) Steady(versions ...string) { w.SteadyIn([]string{edgePool, apiPool}, versions...) }

// SteadyIn is Steady for other pools.
func (w *World) SteadyIn(pools []string, versions ...string) {
	w.broken.mu.Lock()
	defer w.broken.mu.Unlock()
	w.broken.steady, w.broken.steadyIn, w.broken.served = versions, pools, map[string]bool{}
}

func (v *violations) steadiness(world localaws.World) {
	v.mu.Lock()
	steady, pools, served := v.steady, v.steadyIn, v.served
	v.mu.Unlock()
	for _, name := range pools {
		p, ok := world.Pool(name)
		if !ok {
			continue
		}
		got := versionsIn(p, world.Instance)
		for version := range got {
			if !slices.Contains(steady, version) {
				v.add("%s sends requests to version %s: %v", name, version, got)
			}
		}
		if served[name] && len(got) == 0 {
			v.add("%s sends requests to no server of ours", name)
		}
		served[name] = served[name] || len(got) > 0
	}
}
