package safety

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/test/e2e"
)

// hall is where worlds in real time are played: one API server and one binary of the manager, made when they are first needed.
type hall struct {
	once    sync.Once
	machine e2e.Machine
	err     error
	undo    []func() error
}

var realTime hall

// open makes them; race is how the manager is built.
func (h *hall) open(flags ...string) (e2e.Machine, error) {
	h.once.Do(func() { h.err = h.prepare(flags) })
	return h.machine, h.err
}

func (h *hall) prepare(flags []string) error {
	folder, err := os.MkdirTemp("", "slipway-safety-")
	if err != nil {
		return err
	}
	h.undo = append(h.undo, func() error { return os.RemoveAll(folder) })
	h.machine.Manager = filepath.Join(folder, "manager")
	build := exec.Command("go", append(append([]string{"build"}, flags...), "-o", h.machine.Manager, "slipway.dev/slipway")...)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the manager: %w\n%s", err, out)
	}
	h.machine.Plane, err = controlplane.Start(context.Background(), controlplane.Options{
		CRDPaths: []string{"../../config/crd/bases"}, Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	h.undo = append(h.undo, h.machine.Plane.Stop)
	return nil
}

// close ends what was opened.
func (h *hall) close() error {
	var all error
	for _, undo := range slices.Backward(h.undo) {
		all = errors.Join(all, undo())
	}
	return all
}

// sighting is a call of a process in real time, when it came by here.
type sighting struct {
	e2e.Wire
	at   time.Time
	code int // of the answer; 0 for none
}

// watcher writes down all calls of a world's processes, those about the lease too.
type watcher struct {
	mu   sync.Mutex
	seen []sighting
	// meets is told of a call before it goes on; it may do something to the process that makes it.
	meets func(call e2e.Wire)
}

// strikes lets something happen at the first call that fits, and tells when that was; zero before.
func (o *watcher) strikes(fits func(e2e.Wire) bool, happens func()) (began func() time.Time) {
	var once sync.Once
	var at time.Time
	o.mu.Lock()
	defer o.mu.Unlock()
	o.meets = func(call e2e.Wire) {
		if fits(call) {
			once.Do(func() {
				happens()
				o.mu.Lock()
				defer o.mu.Unlock()
				at = time.Now()
			})
		}
	}
	return func() time.Time {
		o.mu.Lock()
		defer o.mu.Unlock()
		return at
	}
}

// tap implements e2e.Tap.
func (o *watcher) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	o.mu.Lock()
	n := len(o.seen)
	o.seen = append(o.seen, sighting{Wire: call, at: time.Now()})
	meets := o.meets
	o.mu.Unlock()
	if meets != nil {
		meets(call)
	}
	response, err := send()
	if err == nil {
		o.mu.Lock()
		o.seen[n].code = response.StatusCode
		o.mu.Unlock()
	}
	return response, err
}

// all gives what was seen so far.
func (o *watcher) all() []sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.seen)
}

// leads reports whether a process has taken the lease.
func (o *watcher) leads(p *e2e.Process) bool { return !o.elected(p).IsZero() }

// elected is when a process took the lease; zero for never.
func (o *watcher) elected(p *e2e.Process) time.Time {
	for _, s := range o.all() {
		if s.By == p && s.Lease && s.Writes && s.code/100 == 2 {
			return s.at
		}
	}
	return time.Time{}
}

// hand is how long nobody led: from the last call of the first process to the first call of the second, and to its first write.
type hand struct{ toCall, toWrite time.Duration }

// measure is the hand-over: from the last call that the first process made before the second had the lease.
func (o *watcher) measure(first, second *e2e.Process) (h hand) {
	var last time.Time
	begun := o.elected(second)
	for _, s := range o.after(time.Time{}) {
		if s.By == first && s.at.Before(begun) {
			last = s.at
		}
	}
	successor := func(s sighting) bool { return s.By == second && works(s) }
	h.toCall = o.first(begun, successor).at.Sub(last)
	h.toWrite = o.first(begun, func(s sighting) bool { return s.Writes && successor(s) }).at.Sub(last)
	return h
}

// after gives what was seen after a time, but for calls about the lease.
func (o *watcher) after(t time.Time) []sighting {
	return slices.DeleteFunc(o.all(), func(s sighting) bool { return s.Lease || !s.at.After(t) })
}

// first is the first call after a time that fits; none has the zero time.
func (o *watcher) first(after time.Time, fits func(sighting) bool) sighting {
	for _, s := range o.after(after) {
		if fits(s) {
			return s
		}
	}
	return sighting{}
}

// works tells calls that are about Releases from those that go on anyway, and from events, by which a process tells that it leads.
func works(s sighting) bool {
	return !s.Lease && (s.To == e2e.ToAWS || s.Writes && !strings.HasSuffix(s.What, " events"))
}
