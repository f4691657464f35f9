package laws

import (
	"context"
	"fmt"
	"net/url"
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

// The calls that change something, states of servers and members, and tags, as AWS and the local AWS spell them.
const (
	runInstances, createTags, terminateInstances = "RunInstances", "CreateTags", "TerminateInstances"

	running    = "running"
	healthy    = "healthy"
	stableRole = "stable"
)

// patience is how long Kubernetes may take for what a call is judged by. Meanwhile the world of AWS stands still, and with it
// everybody who calls, people and other controllers too.
const patience = 10 * time.Second

// Options say what is watched.
type Options struct {
	// AWS is the truth.
	AWS *localaws.Cloud
	// Kube reads what the Releases ask for, and what etcd has of them. It is asked while the world of AWS is locked, for ten seconds
	// at most. A call that cannot be judged is a breach ("the laws cannot be checked: …"), and takes its way.
	Kube client.Reader
	// Namespace is where the Releases are. Default: all namespaces.
	Namespace string
	// Now is the time of the world.
	Now func() time.Time
	// Lately is how long before a call what permitted it may have been read. A member that fell sick within it counts as it was, and so
	// do a server that died and a number of replicas that was raised. Default 0, for worlds in which a pass takes no time: there every
	// reading is of the moment of the call.
	Lately time.Duration
	// Judged tells the controller's calls from those of people, which no law binds.
	Judged func(localaws.Caller) bool
}

// Watch looks at a world, and keeps the breaches of the laws that it sees.
type Watch struct {
	Options

	stop []func()

	mu     sync.Mutex
	broken []string
	// steady are the versions that steadyIn may have from one event to the next; nil where nobody said.
	steady, steadyIn []string
	// served are those of the pools that have served since somebody said so.
	served map[string]bool

	reading sync.Mutex           // guards both
	read    uint64               // ledger position up to which ends were looked at
	lastOut map[string]time.Time // when a server left its last pool

	looked uint64                // ledger position at the last look; 0: what is asked for has changed since
	wishes map[types.UID]*wishes // of each Release
	shown  map[string]bool       // the fleets that every test pool found healthy
	known  map[string]knowledge  // where the controller knows servers to be, by resource
	made   map[string]string     // what the servers of a revision are launched from

	observed map[types.UID]observed // what the last status of each Release is about
}

// New looks at every call of the controller, before it takes effect, and at the world as it truly is then, from now on.
func New(o Options) *Watch {
	w := &Watch{
		Options: o, lastOut: map[string]time.Time{}, served: map[string]bool{}, wishes: map[types.UID]*wishes{}, shown: map[string]bool{},
		made: map[string]string{}, known: map[string]knowledge{}, observed: map[types.UID]observed{},
	}
	w.stop = []func(){o.AWS.Hook(w.hear), o.AWS.OnEvent(func(phase localaws.Phase, world localaws.World) {
		if phase == localaws.AfterEvent {
			if w.changed(world) {
				w.look(world)
			}
			w.steadiness(world)
		}
	})}
	return w
}

// Stop ends the watch.
func (w *Watch) Stop() {
	for _, stop := range w.stop {
		stop()
	}
}

// hear is called around every call.
func (w *Watch) hear(phase localaws.Phase, call localaws.Call, world localaws.World) {
	if !w.Judged(call.Who) {
		return
	}
	if phase == localaws.AfterCall {
		w.learn(call, world)
	}
	if !call.Mutates {
		return
	}
	if phase == localaws.AfterCall {
		w.steadiness(world)
		if call.Action != runInstances {
			return
		}
	}
	scene, err := w.scene(call, world)
	if err != nil {
		w.Add("the laws cannot be checked: at %s, %v", call.Action, err)
		return
	}
	w.seen(scene)
	if phase == localaws.AfterCall {
		w.launched(scene)
		return
	}
	w.look(world)
	w.judge(scene)
}

// Add adds a breach that somebody else saw. Each text is kept once.
func (w *Watch) Add(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(w.broken, text) {
		w.broken = append(w.broken, text)
	}
}

// Broken are the breaches so far, in words, each of which begins with the law.
func (w *Watch) Broken() []string {
	w.ends()
	w.AWS.Look(w.steadiness)
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.broken)
}

// judge looks at a call before it has its effect.
func (w *Watch) judge(s scene) {
	w.foreign(s)
	w.held(s)
	switch {
	case strings.HasPrefix(s.call.Action, "Register"):
		w.entry(s)
	case strings.HasPrefix(s.call.Action, "Deregister"):
		w.removal(s)
	case s.call.Action == terminateInstances:
		w.termination(s)
	case s.call.Action == runInstances:
		w.token(s)
		w.frozen(s)
	}
}

// scene is a call of the controller with everything that it is judged by: AWS as it truly is, and etcd, at that moment.
type scene struct {
	localaws.World
	call      localaws.Call
	now       time.Time
	lately    time.Duration           // Options.Lately
	servers   []localaws.InstanceInfo // that the call names
	releases  []v1alpha1.Release
	revisions []appsv1.ControllerRevision
}

// scene reads it.
func (w *Watch) scene(call localaws.Call, world localaws.World) (scene, error) {
	s := scene{World: world, call: call, now: w.Now(), lately: w.Lately}
	for _, id := range Targets(call.Params) {
		if server, ok := world.Instance(id); ok {
			s.servers = append(s.servers, server)
		}
	}
	// A call is judged whatever becomes of the one that made the world.
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, fmt.Errorf("no answer from Kubernetes in %s", patience))
	defer cancel()
	var releases v1alpha1.ReleaseList
	if err := w.Kube.List(ctx, &releases, client.InNamespace(w.Namespace)); err != nil {
		return s, unread(ctx, "Releases", err)
	}
	var revisions appsv1.ControllerRevisionList
	if err := w.Kube.List(ctx, &revisions, client.InNamespace(w.Namespace)); err != nil {
		return s, unread(ctx, "ControllerRevisions", err)
	}
	s.releases, s.revisions = releases.Items, revisions.Items
	return s, nil
}

// unread says why a list did not come: in the same words whenever the time was up, so that it is one breach and not one a call.
func unread(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("list %s: %w", what, err)
}

// Targets are the servers that a call with these parameters names, sorted; filters excepted.
func Targets(params url.Values) []string {
	var ids []string
	for key, values := range params {
		for _, value := range values {
			if strings.HasPrefix(value, "i-") && !strings.Contains(key, "Tag") && !slices.Contains(ids, value) {
				ids = append(ids, value)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// owner is the Release that a server belongs to by name and uid; nil where there is none.
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
func (w *Watch) foreign(s scene) {
	owners := map[string]bool{}
	for _, server := range s.servers {
		rel := s.owner(server)
		switch {
		case rel != nil:
			owners[rel.Name] = true
		case s.call.Action != createTags || !slices.ContainsFunc(s.releases, func(rel v1alpha1.Release) bool { return adopts(rel, server) }):
			w.Add("law 6: %s touches %s, which is not ours: %v", s.call.Action, server.ID, server.Tags)
		}
	}
	if len(owners) > 1 {
		w.Add("law 6: %s touches servers of more than one Release: %v", s.call.Action, owners)
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
