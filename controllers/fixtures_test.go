package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// The world of the tests of this package: an API server without semantics, and ports that answer what a test put into
// them. What AWS does is for the local AWS to say, in the suites that join everything.

const (
	testAccount = "123456789012"
	testRegion  = "eu-central-1"
	testCluster = "cluster-1"
)

var testNow = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// ports are the four ports of one account. Whatever a test sets, it sets before it reads.
type ports struct {
	mu       sync.Mutex
	account  string
	identity error
	servers  []cloud.Server
	sweep    error
	pools    map[cloud.PoolRef]rollout.Pool // by reference; each by ID too
	poolErr  map[string]error               // by the pool's name in the reference, or its ID
	images   map[cloud.ImageSource]cloud.Image
	imageErr error
	opened   []cloud.Class
	calls    []string
	asked    map[string][]string
	changed  func(cloud.Server)
}

func (p *ports) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
}

func (p *ports) Open(class cloud.Class) (*cloud.Account, error) {
	p.opened = append(p.opened, class)
	return &cloud.Account{Compute: p, Balancer: p, Images: p, Identity: p}, nil
}

func (p *ports) Watch(_ context.Context, watch cloud.ServerWatch) { p.changed = watch.Changed }

func (p *ports) AccountID(context.Context) (string, error) { return p.account, p.identity }

func (p *ports) Servers(_ context.Context, query cloud.Query) ([]cloud.Server, error) {
	p.note("Servers")
	return slices.DeleteFunc(slices.Clone(p.servers), func(s cloud.Server) bool {
		return query.Cluster != "" && s.Cluster != query.Cluster || query.Release != "" && s.Release != query.Release || query.Adopt != "" && s.Tags[cloud.TagAdopt] != query.Adopt
	}), p.sweep
}

func (p *ports) Known(id string) (cloud.Server, bool) {
	at := slices.IndexFunc(p.servers, func(s cloud.Server) bool { return s.ID == id })
	if at < 0 || p.servers[at].Cluster != p.opened[0].Cluster {
		return cloud.Server{}, false
	}
	return p.servers[at], true
}

func (p *ports) Launch(context.Context, cloud.LaunchRequest) ([]string, error) {
	return nil, errors.New("no test of this package launches")
}
func (p *ports) Tag(context.Context, []string, map[string]string) error { return nil }
func (p *ports) Terminate(context.Context, []string) error              { return nil }

func (p *ports) Resolve(_ context.Context, ref cloud.PoolRef, _ time.Duration) (rollout.Pool, error) {
	p.note("Resolve")
	pool, ok := p.pools[ref]
	if !ok {
		name := ref.ClassicName + ref.TargetGroupARN + ref.TargetGroupName + ref.ID
		return rollout.Pool{}, &cloud.Error{Kind: cloud.NotFound, Thing: "pool " + name, Code: "LoadBalancerNotFound", Message: "There is no such pool"}
	}
	pool.Members = nil
	return pool, p.poolErr["resolve "+pool.ID]
}

func (p *ports) Look(context.Context, []string) cloud.Look { return p }

func (p *ports) Read(_ context.Context, pool rollout.Pool, asked []string) (rollout.Pool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, "Read "+pool.ID)
	if p.asked == nil {
		p.asked = map[string][]string{}
	}
	p.asked[pool.ID] = asked
	for _, there := range p.pools {
		if there.ID == pool.ID {
			pool.Members = there.Members
		}
	}
	return pool, p.poolErr[pool.ID]
}

func (p *ports) Register(context.Context, rollout.Pool, []string) error   { return nil }
func (p *ports) Deregister(context.Context, rollout.Pool, []string) error { return nil }

func (p *ports) Image(_ context.Context, source cloud.ImageSource) (cloud.Image, error) {
	p.note("Image")
	return p.images[source], p.imageErr
}

// addClassic puts a classic load balancer into the account.
func (p *ports) addClassic(name string, members ...rollout.Member) string {
	id := "classic/" + testRegion + "/" + name
	pool := rollout.Pool{ID: id, Kind: rollout.KindClassic, Members: members}
	p.pools[cloud.PoolRef{ClassicName: name}], p.pools[cloud.PoolRef{ID: id}] = pool, pool
	return id
}

func testPorts() *ports {
	p := &ports{
		account: testAccount, pools: map[cloud.PoolRef]rollout.Pool{}, poolErr: map[string]error{},
		images: map[cloud.ImageSource]cloud.Image{{ID: "ami-0123456789abcdef0"}: {ID: "ami-0123456789abcdef0", Owner: testAccount}},
	}
	p.addClassic("prod")
	p.addClassic("test")
	return p
}

func testScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return scheme
}

func testClass() *v1alpha1.ReleaseClass {
	all := []v1alpha1.Pattern{"*"}
	return &v1alpha1.ReleaseClass{
		ObjectMeta: metav1.ObjectMeta{Name: "default", Finalizers: []string{v1alpha1.FinalizerClass}},
		Spec: v1alpha1.ReleaseClassSpec{
			Region: testRegion, AccountID: testAccount, AllowedNamespaces: &v1alpha1.NamespaceSelector{},
			Pools: all, IAMInstanceProfiles: all, Subnets: all, SecurityGroups: all, ImageOwners: []v1alpha1.Pattern{"self"},
		},
	}
}

func testRelease() *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-web"},
		Spec: v1alpha1.ReleaseSpec{
			ClassName: "default", Version: "v1", Replicas: 2, RevisionHistoryLimit: 2,
			Image:    v1alpha1.ImageSource{ID: "ami-0123456789abcdef0"},
			Template: v1alpha1.ServerTemplate{InstanceTypes: []v1alpha1.InstanceType{"c7g.large"}, SubnetIDs: []v1alpha1.SubnetID{"subnet-a", "subnet-b"}},
			LoadBalancers: v1alpha1.LoadBalancers{
				Test:       []v1alpha1.Pool{{Name: "test", Classic: &v1alpha1.ClassicLoadBalancer{Name: "test"}}},
				Production: []v1alpha1.Pool{{Name: "edge", Classic: &v1alpha1.ClassicLoadBalancer{Name: "prod"}}},
			},
		},
	}
}

// harness is a reconciler in a world of its own.
type harness struct {
	*ReleaseReconciler
	ports *ports
	// writes counts what was written to the API server, by verb.
	writes map[string]int
}

func newHarness(t testing.TB, objects ...client.Object) *harness {
	t.Helper()
	h := &harness{ports: testPorts(), writes: map[string]int{}}
	for _, namespace := range []string{"shop", "pay"} {
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"team": namespace}}})
	}
	store := fake.NewClientBuilder().WithScheme(testScheme(t)).WithObjects(objects...).WithStatusSubresource(&v1alpha1.Release{}).
		WithIndex(&appsv1.ControllerRevision{}, claimIndex, claimKeys).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				h.writes["create"]++
				if o.GetUID() == "" { // the API server gives each object one
					o.SetUID(types.UID("uid of " + o.GetName()))
				}
				return c.Create(ctx, o, opts...)
			},
			Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
				h.writes["update"]++
				return c.Update(ctx, o, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
				h.writes["patch"]++
				return c.Patch(ctx, o, patch, opts...)
			},
			Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
				h.writes["delete"]++
				return c.Delete(ctx, o, opts...)
			},
		}).Build()
	h.ReleaseReconciler = &ReleaseReconciler{
		Client: store, APIReader: store, Cloud: h.ports, Cluster: testCluster, Clock: func() time.Time { return testNow },
	}
	return h
}

// look observes as Reconcile does.
func (h *harness) look(t testing.TB, rel *v1alpha1.Release) *observation {
	t.Helper()
	obs, err := h.observe(t.Context(), rel, false)
	if err != nil {
		t.Fatalf("observe: %v", err)
	}
	obs.input.Now = h.Clock()
	return obs
}

// declare records the revision that the spec describes and gives it a number, as the core does.
func (h *harness) declare(t testing.TB, rel *v1alpha1.Release, number int64) string {
	t.Helper()
	obs := h.look(t, rel)
	if err := h.recordTarget(t.Context(), rel, obs); err != nil {
		t.Fatalf("record the target: %v", err)
	}
	target := obs.input.Spec.Target
	if target == "" {
		t.Fatalf("no target was recorded: refused %+v, unresolved %+v", obs.input.Spec.Refused, obs.input.Spec.Unresolved)
	}
	next := edited(obs.input.Memory, target, func(r *rollout.Revision) { r.Number = number })
	if err := h.remember(t.Context(), obs, next); err != nil {
		t.Fatalf("remember: %v", err)
	}
	return target
}

// edited is a memory in which one revision is changed.
func edited(memory rollout.Memory, name string, change func(*rollout.Revision)) rollout.Memory {
	next := rollout.Memory{Revisions: slices.Clone(memory.Revisions)}
	for i := range next.Revisions {
		if next.Revisions[i].Name == name {
			change(&next.Revisions[i])
		}
	}
	return next
}

// run puts a server of the Release into EC2.
func (h *harness) run(rel *v1alpha1.Release, id, revision string, role rollout.Role) {
	h.ports.servers = append(h.ports.servers, cloud.Server{
		Server: rollout.Server{
			ID: id, Revision: revision, Version: string(rel.Spec.Version), Role: role, Image: "ami-0123456789abcdef0", State: rollout.StateRunning,
		},
		Cluster: testCluster, Release: rel.Namespace + "/" + rel.Name, Owner: string(rel.UID),
	})
}

// fetch reads an object; it has to be there.
func fetch[T client.Object](t testing.TB, h *harness, into T, namespace, name string) T {
	t.Helper()
	if err := h.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatalf("get %s/%s: %v", namespace, name, err)
	}
	return into
}

// errUnanswered is an error that nobody understands.
var errUnanswered = errors.New("connection reset by peer")

// tells reports whether a problem has the reason, and all of the words in its message.
func tells(problem rollout.Problem, reason string, words ...string) bool {
	return problem.Reason == reason && !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(problem.Message, word) })
}

func mustOpen(t testing.TB, h *harness) *cloud.Account {
	t.Helper()
	account, err := h.Cloud.Open(cloud.Class{})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func refOf(pool v1alpha1.Pool) cloud.PoolRef {
	ref, _ := poolRef(pool)
	return ref
}
