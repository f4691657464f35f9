package safety

import (
	"bytes"
	"context"

	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// openWatches are the watches that a process has open.
type openWatches struct {
	mu     sync.Mutex
	bodies []io.Closer
}

// tap notes a watch that is opened.
func (o *openWatches) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	response, err := send()
	if err == nil && watching(call) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.bodies = append(o.bodies, response.Body)
	}
	return response, err
}

// cut ends them all, as a connection that breaks does.
func (o *openWatches) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, body := range o.bodies {
		_ = body.Close()
	}
	o.bodies = nil
}

// goneFor is an API server that is not there for a while: what is asked is refused, and what was being watched breaks off.
func goneFor(words string, lasts time.Duration) cell {
	c, watches := onKube("the API server is gone for "+words, lasts, whatever, gone), &openWatches{}
	return cutting(c, watches)
}

// cutting lets a cell begin with a cut of all watches.
func cutting(c cell, watches *openWatches) cell {
	begin, tap := c.begin, c.tap
	c.begin = func(w *e2e.World) func() bool {
		end := begin(w)
		watches.cut()
		return end
	}
	c.tap = func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
		return tap(call, func() (*http.Response, error) { return watches.tap(call, send) })
	}
	return c
}

// skipped: the watches break off, and when they can be had again the API server has forgotten what they missed: the caches are
// filled anew, and see of all that happened meanwhile only what came of it.
func skipped(lasts time.Duration) cell {
	c := onKube("watches break off, and what happens in ten seconds is skipped", lasts, func(call e2e.Wire) bool {
		return watching(call) || call.Cached
	}, gone)
	expired := refused(http.StatusGone, "Expired")
	var over atomic.Bool
	var told sync.Map // watches that were told, by what they are about
	begin, tap := c.begin, c.tap
	c.begin = func(w *e2e.World) func() bool {
		over.Store(false)
		told.Clear()
		end := begin(w)
		return func() bool { over.Store(true); return end() }
	}
	c.tap = func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
		if over.Load() && watching(call) {
			if _, already := told.LoadOrStore(call.What, true); !already {
				return expired(call, send)
			}
		}
		return tap(call, send)
	}
	return cutting(c, &openWatches{})
}

// past is what the API server tells a process that is killed and comes again: for a while it lags behind, and its lists are those
// of an earlier moment. Readings that are not for a cache are quorum reads, and true.
type past struct {
	on    atomic.Bool
	hit   atomic.Bool
	mu    sync.Mutex
	asked map[string]*http.Request // the lists that fill caches
	told  map[string][]byte        // what they are answered with
}

// reborn: the process is killed in the call at which it begins, after its effect and without a reply. Its successor is told, for a
// minute, of the cluster as it was before that call, or as it was when the world began.
func reborn(name string, fromStart bool) cell {
	late := watches(name, window, 0)
	p := &past{asked: map[string]*http.Request{}, told: map[string][]byte{}}
	var dying atomic.Bool
	return cell{
		name: name, lasts: window,
		begin: func(w *e2e.World) func() bool {
			if !fromStart {
				p.remember(w)
			}
			end := late.begin(w)
			p.on.Store(true)
			dying.Store(true)
			return func() bool { end(); p.on.Store(false); return p.hit.Load() }
		},
		tap: func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
			if dying.Load() && counts(call) && dying.CompareAndSwap(true, false) {
				return killed(call.By, Lost, send)
			}
			return late.tap(call, func() (*http.Response, error) { return p.tap(call, send) })
		},
	}
}

// remember keeps all lists as they are now.
func (p *past) remember(w *e2e.World) {
	store, is := w.Kube.(*kubestore.Store)
	if !is {
		w.Fatalf("only the store in memory can be asked for the past")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for what, request := range p.asked {
		if response, err := store.Config().Transport.RoundTrip(request.Clone(context.Background())); err == nil {
			p.told[what], _ = io.ReadAll(response.Body)
		}
	}
}

// tap answers lists with the past, while it is on, and keeps what is asked for.
func (p *past) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	response, err := send()
	if err != nil || !call.Cached || response.Request == nil {
		return response, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	what := response.Request.URL.String()
	if p.told[what] == nil {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		p.asked[what], p.told[what] = response.Request, body
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	if p.on.Load() {
		p.hit.Store(true)
		response.Body = io.NopCloser(bytes.NewReader(p.told[what]))
	}
	return response, nil
}

// once lets it happen to the first call only.
func once(happens e2e.Tap) e2e.Tap {
	var done atomic.Bool
	return func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
		if done.Swap(true) {
			return send()
		}
		return happens(call, send)
	}
}

// later answers 429 and when to ask again: client-go does that by itself, and what was decided before is written then.
func later(wait string) e2e.Tap {
	tooMany := refused(http.StatusTooManyRequests, "TooManyRequests")
	return func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
		response, err := tooMany(call, send)
		if err == nil {
			response.Header.Set("Retry-After", wait)
		}
		return response, err
	}
}
