package safety

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"slipway.dev/slipway/test/e2e"
)

// kubeFaults are what can happen between the manager and the API server.
func kubeFaults() []cell {
	return []cell{
		goneFor("a second", time.Second),
		goneFor("a minute", time.Minute),
		goneFor("ten minutes", 10*time.Minute),
		onKube("no write comes through", window, writing, gone),
		onKube("the reply to every write is lost", window, writing, replyLost),
		onKube("every third write is answered with a conflict", window, writing, third(refused(http.StatusConflict, "Conflict"))),
		onKube("every write is answered with a conflict", window, writing, refused(http.StatusConflict, "Conflict")),
		onKube("every write is answered 429", window, writing, refused(http.StatusTooManyRequests, "TooManyRequests")),
		onKube("every write is answered 500", window, writing, refused(http.StatusInternalServerError, "InternalError")),
		onKube("every third reading is answered 500", window, reading, third(refused(http.StatusInternalServerError, "InternalError"))),
		watches("watches stand still for a minute", time.Minute, 0),
		watches("watches are ten seconds late", window, 10*time.Second),
		timeTravel(),
	}
}

// choice chooses calls to the API server.
type choice func(call e2e.Wire) bool

func whatever(e2e.Wire) bool      { return true }
func writing(call e2e.Wire) bool  { return call.Writes }
func reading(call e2e.Wire) bool  { return !call.Writes && !watching(call) }
func watching(call e2e.Wire) bool { return strings.HasPrefix(call.What, "WATCH ") }

// onKube is something that happens to chosen calls for a while.
func onKube(name string, lasts time.Duration, chosen choice, happens e2e.Tap) cell {
	var on, hit atomic.Bool
	return cell{
		name: name, lasts: lasts,
		begin: func(*e2e.World) func() bool {
			on.Store(true)
			return func() bool { on.Store(false); return hit.Load() }
		},
		tap: func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
			if !on.Load() || call.To != e2e.ToKube || !chosen(call) {
				return send()
			}
			hit.Store(true)
			return happens(call, send)
		},
	}
}

func gone(e2e.Wire, func() (*http.Response, error)) (*http.Response, error) {
	return nil, errors.New("connect: connection refused")
}

func replyLost(_ e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	if response, err := send(); err == nil {
		_ = response.Body.Close()
	}
	return nil, errors.New("connection reset by peer")
}

// refused answers without effect.
func refused(code int, reason string) e2e.Tap {
	return func(call e2e.Wire, _ func() (*http.Response, error)) (*http.Response, error) {
		body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"` + reason + `","message":"made up: ` + call.What + `"}`
		return &http.Response{
			StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
		}, nil
	}
}

// third lets it happen to every third call.
func third(happens e2e.Tap) e2e.Tap {
	var n atomic.Int64
	return func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
		if n.Add(1)%3 != 0 {
			return send()
		}
		return happens(call, send)
	}
}

// watches stand still, or tell everything late, until the cell ends.
func watches(name string, lasts, late time.Duration) cell {
	var until atomic.Int64 // in which nothing is told, or late
	var held atomic.Bool
	return cell{
		name: name, lasts: lasts,
		begin: func(*e2e.World) func() bool {
			until.Store(time.Now().Add(lasts).UnixNano())
			return held.Load
		},
		tap: func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
			response, err := send()
			if err == nil && watching(call) {
				response.Body = &lateBody{response.Body, response, &until, late, &held}
			}
			return response, err
		},
	}
}

// lateBody is a watch that tells nothing until a time, or everything late until then.
type lateBody struct {
	io.ReadCloser
	of    *http.Response
	until *atomic.Int64
	late  time.Duration
	held  *atomic.Bool // something was
}

// Read implements io.Reader.
func (b *lateBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	wait := time.Until(time.Unix(0, b.until.Load()))
	if b.late > 0 {
		wait = min(wait, b.late)
	}
	if wait > 0 {
		b.held.Store(b.held.Load() || n > 0)
		select {
		case <-time.After(wait):
		case <-b.of.Request.Context().Done():
			return 0, b.of.Request.Context().Err()
		}
	}
	return n, err
}

// timeTravel: the process is killed, and the one that takes its place is told of the cluster as it was when the first one started,
// and of nothing that happened since, for a minute: its API server lags behind. Readings that are not for a cache are quorum reads,
// and true.
func timeTravel() cell {
	c := watches("a new process is told of the past for a minute", window, 0)
	freeze, late := c.begin, c.tap
	var on, hit atomic.Bool
	var past sync.Map // answers to lists, by what was asked
	c.begin = func(w *e2e.World) func() bool {
		end := freeze(w)
		on.Store(true)
		time.AfterFunc(2*time.Second, func() { w.Process().Crash() })
		return func() bool { end(); on.Store(false); return hit.Load() }
	}
	c.tap = func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
		if !call.Cached {
			return late(call, send)
		}
		told, known := past.Load(call.What)
		response, err := send()
		if err != nil || known && !on.Load() {
			return response, err
		}
		if !known {
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return nil, err
			}
			told = body
			past.Store(call.What, told)
		}
		hit.Store(hit.Load() || known)
		_ = response.Body.Close()
		response.Body = io.NopCloser(bytes.NewReader(told.([]byte)))
		return response, nil
	}
	return c
}
