package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	appsv1 "k8s.io/api/apps/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/kubestore"
)

// Where calls go.
const (
	ToAWS  = "aws"
	ToKube = "kube"
)

// Wire is one call of the controller's process, to AWS or to Kubernetes, on its way.
type Wire struct {
	// To is aws or kube.
	To string
	// What is the action (RegisterTargets), or the verb with what it is about (PUT releases/web/status).
	What string
	// Writes says that it is made to change something.
	Writes bool
	// Cached says that it fills a cache, and may be answered with the past.
	Cached bool
}

// Tap sees each call, and lets it through by send, or not. It is called by many goroutines at once.
type Tap func(call Wire, send func() (*http.Response, error)) (*http.Response, error)

// Process is a manager as main makes it, in the bubble of a world, that can be killed: from then on nothing that its goroutines
// still do has an effect on anything.
type Process struct {
	world *World
	dead  atomic.Bool
	died  chan struct{} // closed when dead becomes true
	// Ended is closed when the last goroutine of the manager has returned.
	Ended chan struct{}
}

// errKilled is what a dead process gets for every call.
var errKilled = errors.New("the process was killed")

// restartAfter is how long a killed process is missed.
const restartAfter = time.Second

// NewManned makes a world that a real manager looks after, beside the scenario, as in production: with informers, queue and
// workers. Its clients speak HTTP to the store. tap sees all of its calls; nil lets them pass.
func NewManned(t T, store *kubestore.Store, clock *Bubble, temper Temper, tap Tap) *World {
	t.Helper()
	if tap == nil {
		tap = func(_ Wire, send func() (*http.Response, error)) (*http.Response, error) { return send() }
	}
	w := newWorld(t, store, clock, temper)
	w.store, w.tap, w.activity = store, tap, make(chan struct{}, 1)
	w.AWS.Hook(func(localaws.Phase, localaws.Call, localaws.World) { w.stir() })
	w.AWS.OnEvent(func(localaws.Phase, localaws.World) { w.stir() })
	t.Cleanup(func() {
		w.over.Store(true)
		w.process.Load().Kill()
		<-w.process.Load().Ended
	})
	w.start()
	return w
}

// start starts a process.
func (w *World) start() {
	p := &Process{world: w, died: make(chan struct{}), Ended: make(chan struct{})}
	w.process.Store(p)
	config := rest.CopyConfig(w.store.Config())
	config.Transport = wired{ToKube, kubeCall, config.Transport, p}
	account := w.config.Copy()
	account.HTTPClient = &http.Client{Transport: wired{ToAWS, awsCall, w.AWS.Transport(), p}}
	go func() {
		defer close(p.Ended)
		p.run(context.WithoutCancel(w.Context()), config, account)
	}()
}

// run is the process. A manager whose context ends before its caches are filled waits for them all the same, and does not even
// sleep meanwhile (controller-runtime 0.25's runnableGroup.Start): the goroutines of a process that is killed before go on until then.
func (p *Process) run(ctx context.Context, config *rest.Config, account aws.Config) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	mgr, err := operator.New(ctx, config, awscloud.NewOpener(awscloud.Options{Config: account}), operator.Options{
		MetricsAddress: "0", ProbeAddress: "0", ClusterName: "e2e", Concurrent: 4, Successor: true,
	})
	if err == nil {
		go func() {
			<-mgr.Elected()
			<-p.died
			end()
		}()
		err = mgr.Start(ctx)
	}
	if err != nil && !p.dead.Load() {
		p.world.laws.Add("the manager ended by itself: %v", err)
	}
}

// Kill ends the process at once.
func (p *Process) Kill() { p.kill() }

// kill reports whether it was alive.
func (p *Process) kill() bool {
	if p.dead.Swap(true) {
		return false
	}
	p.world.crashed.Store(true)
	close(p.died)
	return true
}

// Crash kills the process, and another takes its place after a second.
func (p *Process) Crash() {
	if p.kill() {
		time.AfterFunc(restartAfter, func() {
			if !p.world.over.Load() {
				p.world.start()
			}
		})
	}
}

// Process is the one that looks after the world now.
func (w *World) Process() *Process { return w.process.Load() }

// wired is the way of a process's calls.
type wired struct {
	to      string
	read    func(*http.Request) (Wire, error)
	next    http.RoundTripper
	process *Process
}

// RoundTrip implements http.RoundTripper.
func (t wired) RoundTrip(r *http.Request) (*http.Response, error) {
	call, err := t.read(r)
	if err != nil {
		return nil, err
	}
	call.To = t.to
	if t.process.dead.Load() {
		if call.To == ToKube && !call.Writes {
			return t.next.RoundTrip(r) // has no effect
		}
		return nil, errKilled
	}
	w := t.process.world
	w.noteWire(call)
	defer w.stir()
	response, err := w.tap(call, func() (*http.Response, error) { return t.next.RoundTrip(r) })
	if err == nil && response.StatusCode == http.StatusOK {
		w.noteUpdate(call)
	}
	return response, err
}

// noteUpdate tells of a memory that was written.
func (w *World) noteUpdate(call Wire) {
	name, is := strings.CutPrefix(call.What, "PUT controllerrevisions/")
	if !is {
		return
	}
	revision := &appsv1.ControllerRevision{}
	if err := w.Kube.Get(context.WithoutCancel(w.Context()), types.NamespacedName{Namespace: w.Namespace, Name: name}, revision); err == nil {
		w.writes.updated(revision)
	}
}

// stir tells the scenario that something happened.
func (w *World) stir() {
	select {
	case w.activity <- struct{}{}:
	default:
	}
}

// awsCall reads the action of a call in one of AWS's query protocols, or of AWS JSON.
func awsCall(r *http.Request) (Wire, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Wire{}, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	action := r.Header.Get("X-Amz-Target")
	if action == "" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return Wire{}, err
		}
		action = form.Get("Action")
	}
	action = action[strings.LastIndex(action, ".")+1:]
	reads := slices.ContainsFunc([]string{"Describe", "Get"}, func(verb string) bool { return strings.HasPrefix(action, verb) })
	return Wire{What: action, Writes: !reads}, nil
}

// kubeCall reads verb and object of a call to the API server: a method, or WATCH.
func kubeCall(r *http.Request) (Wire, error) {
	what := strings.Split(r.URL.Path, "/")
	if i := slices.Index(what, "namespaces"); i >= 0 && len(what) > i+2 {
		what = what[i+2:]
	} else {
		what = what[max(0, len(what)-1):]
	}
	verb, query := r.Method, r.URL.Query()
	if query.Get("watch") != "" {
		verb = "WATCH"
	}
	return Wire{What: verb + " " + path.Join(what...), Writes: r.Method != http.MethodGet, Cached: query.Get("resourceVersion") == "0" && verb == r.Method}, nil
}

// noteWire counts passes, each of which begins with a live reading of its Release, and writes, events excepted.
func (w *World) noteWire(call Wire) {
	if call.To != ToKube {
		return
	}
	if name, is := strings.CutPrefix(call.What, "GET releases/"); is {
		w.manned.Lock()
		defer w.manned.Unlock()
		w.passes++
		w.looks[types.NamespacedName{Namespace: w.Namespace, Name: name}]++
	} else if call.Writes && !strings.Contains(call.What, " events") {
		w.writes.add(call.What)
	}
}

// await lets the process work until something happened or an event in AWS is due, at most until the deadline, and reports
// whether that has not come yet.
func (w *World) await(deadline time.Time) bool {
	w.Helper()
	until := deadline
	if event, coming := w.Clock.Next(); coming && event.Before(until) {
		until = event
	}
	timer := time.NewTimer(max(0, until.Sub(w.Clock.Now())))
	defer timer.Stop()
	select {
	case <-w.activity:
	case <-timer.C:
	}
	synctest.Wait()
	for name := range w.edits {
		w.specUntouched(name)
	}
	w.checkLaws()
	return w.Clock.Now().Before(deadline)
}

// heard waits until the process's informers have what was written.
func (w *World) heard() {
	if w.process.Load() != nil {
		synctest.Wait()
	}
}

// recorded are the events that the process wrote, in order.
func (w *World) recorded() []Event {
	var list eventsv1.EventList
	if err := w.Kube.List(context.Background(), &list, client.InNamespace(w.Namespace)); err != nil {
		w.Fatalf("list events: %v", err)
	}
	slices.SortFunc(list.Items, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	all := make([]Event, len(list.Items))
	for i, e := range list.Items {
		all[i] = Event{e.Type, e.Reason, e.Action, e.Note, e.Regarding.Name}
	}
	return all
}

// mortal ends the controller's process with a context.
func (w *World) mortal(life context.Context) {
	w.life = life
	if p := w.process.Load(); p != nil {
		context.AfterFunc(life, p.Kill)
	}
}
