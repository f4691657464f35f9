package safety

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// kubeFault is what goes wrong with Kubernetes from a step of a scenario on.
type kubeFault struct {
	cell
	// written: it happens to one write to Kubernetes, and begins at no other step.
	written bool
}

// stepFaults are what can go wrong at each step. One that was played once is not played again: they are made anew for each world.
func stepFaults() []kubeFault {
	always := func(c cell) kubeFault { return kubeFault{c, false} }
	one := func(name string, happens e2e.Tap) kubeFault {
		return kubeFault{onKube(name, time.Second, writing, once(happens)), true}
	}
	return []kubeFault{
		always(goneFor("1 s", time.Second)),
		always(goneFor("10 s", 10*time.Second)),
		always(goneFor("60 s", time.Minute)),
		always(goneFor("600 s", 10*time.Minute)),
		always(watches("watches stand still for 60 s", time.Minute, 0)),
		always(watches("watches are 10 s late", window, 10*time.Second)),
		always(skipped(10 * time.Second)),
		always(reborn("killed, and told of the time before this step", false)),
		always(reborn("killed, and told of the time when all began", true)),
		always(onKube("each write is a conflict", window, writing, refused(http.StatusConflict, "Conflict"))),
		always(onKube("each write is answered 429", window, writing, refused(http.StatusTooManyRequests, "TooManyRequests"))),
		always(onKube("each write loses its reply", window, writing, replyLost)),
		one("one write loses its reply", replyLost),
		one("one write is answered 500", refused(http.StatusInternalServerError, "InternalError")),
		one("one write is answered 429", refused(http.StatusTooManyRequests, "TooManyRequests")),
		one("one write has to wait for 10 s", later("10")),
		forestalled(),
	}
}

// forestalled: somebody else writes the Release and its records in the moment before the process does, which is told of a conflict.
func forestalled() kubeFault {
	var at *e2e.World
	var told atomic.Bool
	var mu sync.Mutex
	c := cell{name: "somebody else writes first", lasts: time.Second}
	c.begin = func(w *e2e.World) func() bool {
		mu.Lock()
		defer mu.Unlock()
		at = w
		return told.Load
	}
	c.tap = func(_ e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
		mu.Lock()
		w := at
		at = nil
		mu.Unlock()
		if w == nil {
			return send()
		}
		touchAll(w)
		response, err := send()
		told.Store(err == nil && response.StatusCode == http.StatusConflict)
		return response, err
	}
	return kubeFault{c, true}
}

// touchAll puts an annotation on all Releases and records of a world.
func touchAll(w *e2e.World) {
	for _, list := range []client.ObjectList{&v1alpha1.ReleaseList{}, &appsv1.ControllerRevisionList{}} {
		_ = w.Kube.List(w.Context(), list, client.InNamespace(w.Namespace))
		_ = meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			notes := maps.Clone(object.GetAnnotations())
			if notes == nil {
				notes = map[string]string{}
			}
			notes["example.com/seen"] = time.Now().Format(time.RFC3339Nano)
			object.SetAnnotations(notes)
			return w.Kube.Update(w.Context(), object)
		})
	}
}

// isStep: a call that changes something in AWS, or in Kubernetes what is read back later. Events and leases are not.
func isStep(call e2e.Wire) bool {
	return call.Writes && !call.Lease && !(call.To == e2e.ToKube && strings.Contains(call.What, " events"))
}

// hindrance is a fault of Kubernetes that begins at the n-th step of its world, counted from 0; none where the fault has no name.
type hindrance struct {
	fault kubeFault
	at    int

	mu    sync.Mutex
	world *e2e.World
	steps []e2e.Wire
	begun bool
	ended bool
	hit   bool
	until time.Time
}

// String is how it is asked for again, after the scenario.
func (h *hindrance) String() string { return fmt.Sprintf("%s/%d", h.fault.name, h.at) }

// tap implements e2e.Tap.
func (h *hindrance) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	h.mu.Lock()
	if isStep(call) {
		if len(h.steps) == h.at && h.fault.name != "" {
			h.begin()
		}
		h.steps = append(h.steps, call)
	}
	h.mu.Unlock()
	return h.fault.through(call, send)
}

// begin is called with mu held.
func (h *hindrance) begin() {
	end := h.fault.begin(h.world)
	h.world.Hinder(h.over)
	h.begun, h.until = true, time.Now().Add(h.fault.lasts)
	time.AfterFunc(h.fault.lasts, func() {
		hit := end()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ended, h.hit = true, hit
	})
}

// over reports whether nothing is wrong (any more).
func (h *hindrance) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended || !h.begun
}

// play plays a scenario with it in the bubble that it is called in. The scenario goes its way, and once nothing is wrong any more the
// world comes to the end that it has without: want; "" where this is to be found out.
func (h *hindrance) play(t *testing.T, s e2e.Scenario, want string) (end string) {
	h.world = newWorld(t, s.Name, e2e.Plain(), h.tap)
	w := h.world
	s.Run(w)
	if want != "" {
		w.UntilWithin("the world comes to the end that it has when nothing goes wrong:\n"+want, settles, func() bool { return w.Summary() == want })
	}
	w.Pass(4 * quietly) // sources of user data are compared each five minutes
	w.Quiet(quietly)
	end = w.Summary()
	if want != "" && end != want {
		t.Errorf("it does not stay so: at the end the world is\n%s\nand should be\n%s", end, want)
	}
	return end
}
