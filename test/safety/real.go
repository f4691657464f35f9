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
	// meets is asked before a call goes on; it may do something to the process that makes it.
	meets func(call e2e.Wire)
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

// works tells calls that are about Releases from those that go on anyway.
func works(s sighting) bool { return !s.Lease && (s.To == e2e.ToAWS || s.Writes) }
