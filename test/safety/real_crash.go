package safety

import (
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/test/e2e"
)

// killer counts the calls of a world's processes in real time, and kills the one that comes to its point, with SIGKILL.
type killer struct {
	point *Point // nil for none

	mu     sync.Mutex
	trace  []step
	killed time.Time // zero: the point was not reached
}

// tap implements e2e.Tap.
func (k *killer) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	if !counts(call) {
		return send()
	}
	if !k.comes(call) {
		return send()
	}
	switch k.point.When {
	case Before:
		call.By.Crash()
		return nil, errCrash
	case Lost:
		if response, err := send(); err == nil {
			_ = response.Body.Close()
		}
		call.By.Crash()
		return nil, errCrash
	}
	response, err := send()
	if err == nil {
		response.Body = lastReply{response.Body, call.By}
	}
	return response, err
}

// comes notes a call, and reports whether it is the point.
func (k *killer) comes(call e2e.Wire) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := len(k.trace)
	k.trace = append(k.trace, step{call, time.Now()})
	is := k.point != nil && k.point.Call == at
	if is {
		k.killed = time.Now()
	}
	return is
}

// heals is how long after a kill at most everything is as it would be without it: the lease of the dead ends, and what a sweep would have told
// of, the next sweep of its successor tells of.
const heals = 2 * time.Minute

// healed reports whether nobody asks for patience: nobody was killed yet, or long ago.
func (k *killer) healed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.killed.IsZero() || time.Since(k.killed) > heals
}

// lastReply is what a process gets before it is killed.
type lastReply struct {
	io.ReadCloser
	of *e2e.Process
}

// Close implements io.Closer: the body was passed on.
func (b lastReply) Close() error {
	err := b.ReadCloser.Close()
	b.of.Crash()
	return err
}

// rests is how long a world is looked at after its scenario, for one that is killed at the last call: the lease of the dead has to
// end, and something may be left to do.
const rests = 45 * time.Second

// play plays a scenario in real time, with a crash at the point.
func (k *killer) play(t *testing.T, on e2e.Machine, s e2e.Scenario) (end string) {
	w := e2e.NewReal(named{t, s.Name}, on, e2e.Plain(), k.tap)
	if k.point != nil {
		w.MayHinder(k.healed)
	}
	s.Run(w)
	w.Pass(rests)
	return w.Summary()
}

// bursts gives a trace in which calls that came one right after the other have one time: that of the first.
func bursts(trace []step) []step {
	const pause = 100 * time.Millisecond
	all := make([]step, len(trace))
	var last time.Time
	for i, s := range trace {
		all[i] = s
		if i > 0 && s.at.Sub(last) < pause {
			all[i].at = all[i-1].at
		}
		last = s.at
	}
	return all
}

// eighth gives classes of a trace in real time, drawn by a seed, until an eighth of its points are in them: a run may make fewer calls
// than the one that was traced, and end before its point.
func eighth(trace []step, seed int) [][]Point {
	all := classes(bursts(trace))
	drawn := rand.New(rand.NewPCG(uint64(seed), 0))
	drawn.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	points, n := 0, 0
	for ; 8*points < 3*len(trace); n++ {
		points += len(all[n])
	}
	return all[:n]
}
