package e2e

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
)

// T is what a scenario needs of a test; *testing.T and GinkgoT() are both one.
type T interface {
	teller
	Name() string
	Context() context.Context
	Cleanup(func())
}

type teller interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// World is one AWS account, one namespace, and a controller that looks after both.
type World struct {
	T
	AWS   *localaws.Cloud
	Clock Clock
	// Kube talks to the API server as an administrator.
	Kube client.Client
	// Namespace is this world's own.
	Namespace string
	// Class is the name of this world's ReleaseClass.
	Class string
	// Reconciler is the controller; Restart replaces it, as a crash would.
	Reconciler *controllers.ReleaseReconciler
	// Tracer and Watcher are the controller's from the next Restart on; nil: nobody looks on.
	Tracer  trace.Tracer
	Watcher cloud.Watcher
	// Staffing is that of the processes that begin in a bubble from now on.
	Staffing Staffing
	// Site are the subnets, images and so on that exist.
	Site localaws.Site

	temper   Temper
	account  string
	config   aws.Config
	detach   func() // takes the policy away that employ gave last
	events   *eventLog
	due      map[types.NamespacedName]time.Time
	life     context.Context // of the controller's process, where a scenario ends it; nil: as long as the test's
	passes   atomic.Int64
	looks    map[types.NamespacedName]int // passes by Release
	errors   int                          // failed passes in a row
	laws     *laws.Watch
	unjudged atomic.Bool // nobody asks the laws
	mark     uint64      // ledger position that Mutations counts from
	writes   *writes
	edits    map[types.NamespacedName]int64             // the generation that a person's last edit made
	sizes    map[types.NamespacedName]int32             // the replicas that it left
	known    map[types.NamespacedName]*v1alpha1.Release // as read since the last pass or edit
	indexed  *indexed
	defect   defect
	fallen   int64 // Unprovoked when the world was made

	// Where a process makes the passes; all empty where the world makes them itself.
	process  atomic.Pointer[Process]
	run      func(*Process) // begins a process, which closes Ended at its end
	settle   func()         // waits until what happens at this moment has happened
	tap      Tap
	activity chan struct{}
	manned   sync.Mutex  // guards looks, staff and over
	staff    []*Process  // all that were ever started
	over     bool        // the test is, and no process starts any more
	crashed  atomic.Bool // a process was killed
	trouble  trouble
	observed observation // how long a world at rest is looked at
}

// Seed is mixed into the seed of every world: the same scenarios, with other delays.
var Seed int64

// worlds numbers worlds, for names that do not collide on a shared API server.
var worlds atomic.Int64

// seed depends on nothing but the test's name and Seed: a scenario that runs alone, or beside others in any order, meets the
// same AWS.
func seed(t T) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", t.Name(), Seed)
	return int64(h.Sum64() >> 1)
}

// Boot and Configure are how long a server takes to run and to answer in these worlds, unless its user data says otherwise.
const (
	Boot      = 2 * time.Second
	Configure = 3 * time.Second
)

// NewWorld furnishes an AWS account with three zones, one test load balancer ("test", classic) and two production pools
// ("edge", classic; "api", a target group behind an application load balancer), and makes a namespace and a class that
// allows all of it.
func NewWorld(t T, kube client.Client) *World {
	t.Helper()
	return NewWorldUnder(t, kube, localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)), Plain())
}

// NewWorldUnder is NewWorld on a clock of the caller's, with an AWS of another temper.
func NewWorldUnder(t T, kube client.Client, clock Clock, temper Temper) *World {
	t.Helper()
	w := newWorld(t, kube, clock, temper, worlds.Add(1))
	w.Restart()
	return w
}

// NewWorldAlone is NewWorldUnder for a world that has its API for itself: what it is called, and so what ids are given in its AWS, does
// not depend on how many worlds there were before.
func NewWorldAlone(t T, kube client.Client, clock Clock) *World {
	t.Helper()
	w := newWorld(t, kube, clock, Plain(), 0)
	w.Restart()
	return w
}

// newWorld makes the n-th world, that nobody looks after yet.
func newWorld(t T, kube client.Client, clock Clock, temper Temper, n int64) *World {
	t.Helper()
	account := fmt.Sprintf("%012d", 100000000000+n)
	w := &World{
		T: t, Clock: clock, Kube: kube, account: account, temper: temper,
		Namespace: fmt.Sprintf("world-%d", n), Class: fmt.Sprintf("class-%d", n),
		AWS:    localaws.New(localaws.Options{Account: account, Clock: clock, Seed: seed(t), Knobs: temper.knobs()}),
		events: &eventLog{}, writes: &writes{}, due: map[types.NamespacedName]time.Time{},
		looks: map[types.NamespacedName]int{}, edits: map[types.NamespacedName]int64{},
		sizes: map[types.NamespacedName]int32{}, known: map[types.NamespacedName]*v1alpha1.Release{},
		indexed: &indexed{}, observed: tenSweeps, fallen: Unprovoked(),
	}
	t.Cleanup(w.AWS.Close)
	w.Site = w.AWS.DefaultWorld()
	w.config = aws.Config{
		Region:       w.AWS.Region(),
		Credentials:  credentials.NewStaticCredentialsProvider(controllerKey, awsSecret, ""),
		HTTPClient:   &http.Client{Transport: w.AWS.Transport()},
		BaseEndpoint: aws.String("http://aws.local"),
	}
	w.employ(controllerKey)
	w.furnish()
	w.Create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}})
	w.Create(w.NewClass())
	t.Cleanup(w.clear)
	t.Cleanup(w.leftBehind)
	t.Cleanup(w.toldSecrets)
	t.Cleanup(w.fell)
	w.laws = watchLaws(w)
	w.writes.told, w.writes.keeps, w.writes.kept = w.laws.Told, w.laws.Writing, w.laws.Remembered
	return w
}

// clear removes the records of this world: every pass of a later one lists those of all namespaces, to see who claims a pool.
func (w *World) clear() {
	err := w.Kube.DeleteAllOf(context.Background(), &appsv1.ControllerRevision{}, client.InNamespace(w.Namespace))
	if err != nil {
		w.Fatalf("clear %s: %v", w.Namespace, err)
	}
}

// classLabel of a class has the world's namespace.
const classLabel = "slipway-e2e/world"

// NewClass gives the class of this world, for Create or for an edit.
func (w *World) NewClass() *v1alpha1.ReleaseClass {
	return &v1alpha1.ReleaseClass{
		ObjectMeta: metav1.ObjectMeta{Name: w.Class, Labels: map[string]string{classLabel: w.Namespace}},
		Spec: v1alpha1.ReleaseClassSpec{
			Region: w.AWS.Region(), AccountID: w.account,
			AllowedNamespaces: &v1alpha1.NamespaceSelector{},
			Pools:             []v1alpha1.Pattern{"*"}, Subnets: []v1alpha1.Pattern{"*"}, SecurityGroups: []v1alpha1.Pattern{"*"},
			IAMInstanceProfiles: []v1alpha1.Pattern{"*"}, ImageOwners: []v1alpha1.Pattern{"*"},
			MaxServersPerRelease: 40,
		},
	}
}

// Restart throws away everything that the controller's process remembered, as a crash does.
func (w *World) Restart() {
	if w.process.Load() != nil {
		w.process.Load().Kill()
		w.Start()
		return
	}
	w.Reconciler = &controllers.ReleaseReconciler{
		Client: noting{unindexed{w.Kube, w.indexed}, w.writes}, APIReader: w.Kube,
		Cloud: defective{w, awscloud.NewOpener(awscloud.Options{
			Config: w.config, Clock: w.Clock, Share: 1000, SweepMost: w.temper.SweepMost, MaxBackoff: time.Millisecond, Watcher: w.Watcher,
		})},
		Recorder: w.events, Clock: w.Clock.Now, Cluster: clusterName, Tracer: w.Tracer,
	}
	for name := range w.due {
		w.due[name] = w.Clock.Now()
	}
}

// Create makes an object.
func (w *World) Create(object client.Object) {
	w.Helper()
	if err := w.Kube.Create(w.Context(), object); err != nil {
		w.Fatalf("create %T %s: %v", object, object.GetName(), err)
	}
	w.touch(object)
}

// touch makes a Release due now: a real controller hears of the edit by its watch.
func (w *World) touch(object client.Object) {
	if rel, is := object.(*v1alpha1.Release); is {
		key := client.ObjectKeyFromObject(object)
		w.due[key], w.edits[key], w.sizes[key] = w.Clock.Now(), rel.Generation, rel.Spec.Replicas
		if !w.unjudged.Load() {
			w.laws.Asks(rel)
		}
		delete(w.known, key)
	}
	if _, is := object.(*v1alpha1.ReleaseClass); is {
		for name := range w.due {
			w.due[name] = w.Clock.Now()
		}
	}
}

// unindexed is a client without a cache: it answers what a cache would answer from an index with everything there is, as it was
// when a pass first asked. The controller looks at each answer itself.
type unindexed struct {
	client.Client
	*indexed
}

// indexed are the ControllerRevisions of all worlds, as the pass that is under way read them: it asks once for each pool.
type indexed struct {
	mu        sync.Mutex
	revisions *appsv1.ControllerRevisionList // nil before it asked
}

func (i *indexed) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.revisions = nil
}

// List leaves out selections by field.
func (c unindexed) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	kept := opts[:0:0]
	for _, opt := range opts {
		if _, byField := opt.(client.MatchingFields); !byField {
			kept = append(kept, opt)
		}
	}
	revisions, are := list.(*appsv1.ControllerRevisionList)
	if !are || len(kept) == len(opts) {
		return c.Client.List(ctx, list, kept...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revisions == nil {
		var read appsv1.ControllerRevisionList
		if err := c.Client.List(ctx, &read, kept...); err != nil {
			return err
		}
		c.revisions = &read
	}
	c.revisions.DeepCopyInto(revisions)
	return nil
}

// Event is what a person sees in kubectl describe of the object that it is about.
type Event struct{ Type, Reason, Action, Note, About string }

// eventLog keeps events.
type eventLog struct {
	mu     sync.Mutex
	events []Event
}

// Eventf implements events.EventRecorder.
func (l *eventLog) Eventf(about, _ runtime.Object, kind, reason, action, note string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := ""
	if regarding, ok := about.(*corev1.ObjectReference); ok {
		name = regarding.Name
	}
	l.events = append(l.events, Event{kind, reason, action, fmt.Sprintf(note, args...), name})
}

// Events are all events so far.
func (w *World) Events() []Event {
	if w.process.Load() != nil {
		return w.recorded()
	}
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	return append([]Event(nil), w.events.events...)
}
