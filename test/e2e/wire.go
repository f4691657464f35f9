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

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
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
	// Lease says that it is about who leads, which goes on whether there is work or not.
	Lease bool
	// By is the process that makes it.
	By *Process
}

// Tap sees each call, and lets it through by send, or not. It is called by many goroutines at once.
type Tap func(call Wire, send func() (*http.Response, error)) (*http.Response, error)

// wired is the way of a process's calls.
type wired struct {
	to      string
	read    func(*http.Request) (Wire, error)
	next    http.RoundTripper
	process *Process
}

// errKilled is what a dead process gets for every call.
var errKilled = errors.New("the process was killed")

// RoundTrip implements http.RoundTripper.
func (t wired) RoundTrip(r *http.Request) (*http.Response, error) {
	call, err := t.read(r)
	if err != nil {
		return nil, err
	}
	call.To, call.By = t.to, t.process
	if err := t.process.network.pass(r.Context(), t.to); err != nil {
		return nil, err
	}
	if t.process.dead.Load() {
		if call.To == ToKube && !call.Writes {
			return t.next.RoundTrip(r) // has no effect
		}
		return nil, errKilled
	}
	w := t.process.world
	w.noteWire(call)
	defer w.stir()
	if memory := w.memoryIn(call); memory != nil {
		w.laws.Writing(memory)
	}
	response, err := w.tap(call, func() (*http.Response, error) { return t.next.RoundTrip(r) })
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		w.noteUpdate(call)
	}
	return t.process.network.answer(r.Context(), t.to, response)
}

// memoryIn is the memory that a call writes, as the API server has it now; nil where it writes none, there is none, or nobody
// judges it.
func (w *World) memoryIn(call Wire) *appsv1.ControllerRevision {
	name, is := strings.CutPrefix(call.What, "PUT controllerrevisions/")
	if !is || w.unjudged.Load() {
		return nil
	}
	memory := &appsv1.ControllerRevision{}
	err := w.Kube.Get(context.WithoutCancel(w.Context()), types.NamespacedName{Namespace: w.Namespace, Name: name}, memory)
	if err != nil {
		return nil
	}
	return memory
}

// noteUpdate tells of a memory or a status that was written.
func (w *World) noteUpdate(call Wire) {
	ctx := context.WithoutCancel(w.Context())
	if memory := w.memoryIn(call); memory != nil {
		w.writes.updated(memory)
	}
	if name, is := strings.CutPrefix(call.What, "PUT releases/"); is && !w.unjudged.Load() {
		rel := &v1alpha1.Release{}
		if err := w.Kube.Get(ctx, types.NamespacedName{Namespace: w.Namespace, Name: path.Dir(name)}, rel); err == nil {
			w.laws.Told(rel)
		}
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
	return Wire{
		What: verb + " " + path.Join(what...), Writes: r.Method != http.MethodGet, Lease: what[0] == "leases",
		Cached: query.Get("resourceVersion") == "0" && verb == r.Method,
	}, nil
}

// noteWire counts passes, each of which begins with a live reading of its Release, and writes, but for events and the lease.
func (w *World) noteWire(call Wire) {
	if call.To != ToKube {
		return
	}
	if name, is := strings.CutPrefix(call.What, "GET releases/"); is {
		w.passes.Add(1)
		w.look(types.NamespacedName{Namespace: w.Namespace, Name: name})
	} else if call.Writes && !call.Lease && !strings.Contains(call.What, " events") {
		w.writes.add(call.What)
	}
}

// look counts a pass over a Release; looked is how many there were.
func (w *World) look(name types.NamespacedName) {
	w.manned.Lock()
	defer w.manned.Unlock()
	w.looks[name]++
}

func (w *World) looked(name types.NamespacedName) int {
	w.manned.Lock()
	defer w.manned.Unlock()
	return w.looks[name]
}
