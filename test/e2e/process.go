package e2e

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/localaws"
)

// Process is a manager that can be killed: a goroutine of a bubble (NewManned) that runs what main runs, or a process of the
// operating system (NewReal). From then on nothing that it still does has an effect on anything.
type Process struct {
	// Key is its access key. In real time each process has its own, by which AWS's ledger tells their calls apart.
	Key string
	// Ended is closed when it has ended, with all of its goroutines.
	Ended chan struct{}

	world   *World
	manager string // path of another binary than the world's, in real time; empty: the world's
	flags   []string
	dead    atomic.Bool
	died    chan struct{} // closed when dead becomes true
	network network
	hosted  hosted // what the operating system has of it; empty in a bubble
}

// restartAfter is how long a killed process is missed.
const restartAfter = time.Second

// man lets processes look after the world, and starts the first.
func (w *World) man(tap Tap, run func(*Process), settle func(), flags ...string) {
	if tap == nil {
		tap = func(_ Wire, send func() (*http.Response, error)) (*http.Response, error) { return send() }
	}
	w.tap, w.run, w.settle, w.activity = tap, run, settle, make(chan struct{}, 1)
	w.AWS.Hook(func(localaws.Phase, localaws.Call, localaws.World) { w.stir() })
	w.AWS.OnEvent(func(localaws.Phase, localaws.World) { w.stir() })
	w.Cleanup(w.dismiss)
	w.Start(flags...)
}

// Start starts a process beside those that there are, in real time with flags beside those that each has. It is nil when the world is at
// its end.
func (w *World) Start(flags ...string) *Process { return w.StartFrom("", flags...) }

// StartFrom is Start of another build of the manager, in real time, by its path.
func (w *World) StartFrom(manager string, flags ...string) *Process {
	w.manned.Lock()
	defer w.manned.Unlock()
	if w.over {
		return nil
	}
	p := &Process{world: w, Key: controllerKey, manager: manager, flags: flags, died: make(chan struct{}), Ended: make(chan struct{})}
	w.staff = append(w.staff, p)
	w.process.Store(p)
	w.run(p)
	return p
}

// dismiss kills all processes, and waits for their ends.
func (w *World) dismiss() {
	w.manned.Lock()
	w.over = true
	staff := slices.Clone(w.staff)
	w.manned.Unlock()
	for _, p := range staff {
		p.Kill()
	}
	for _, p := range staff {
		<-p.Ended
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
	p.hosted.kill()
	return true
}

// Crash kills the process, and another takes its place after a second.
func (p *Process) Crash() {
	if p.restart() {
		p.world.trouble.crash(p.world.Clock.Now().Add(restartAfter))
	}
}

// restart is what becomes of a process that ends: it reports whether it was alive.
func (p *Process) restart() bool {
	alive := p.kill()
	if alive {
		time.AfterFunc(restartAfter, func() { p.world.Start() })
	}
	return alive
}

// Process is the one that was started last.
func (w *World) Process() *Process { return w.process.Load() }

// stir tells the scenario that something happened.
func (w *World) stir() {
	select {
	case w.activity <- struct{}{}:
	default:
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
	w.settle()
	w.trouble.look(w.Clock.Now())
	for name := range w.edits {
		w.specUntouched(name)
	}
	w.checkLaws()
	return w.Clock.Now().Before(deadline)
}

// heard waits until the process's informers have what was written.
func (w *World) heard() {
	if w.process.Load() != nil {
		w.settle()
	}
}

// recorded are the events that the process wrote, in order; but for who leads, which is no news of a Release.
func (w *World) recorded() []Event {
	var list eventsv1.EventList
	if err := w.Kube.List(context.Background(), &list, client.InNamespace(w.Namespace)); err != nil {
		w.Fatalf("list events: %v", err)
	}
	list.Items = slices.DeleteFunc(list.Items, func(e eventsv1.Event) bool { return e.Regarding.Kind == "Lease" })
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
