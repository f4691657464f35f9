package localaws

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// slot is the place of one instance in the data plane. Its server comes and goes with the application.
type slot struct {
	server atomic.Pointer[server]
	dark   atomic.Bool // connections are neither accepted nor refused
}

// server is a running application: an HTTP server that answers with its version and its instance.
type server struct {
	id      string
	addr    string
	http    *http.Server
	answer  atomic.Pointer[appAnswer]
	latency Span
}

// appAnswer is what an application answers: JSON, and the same in headers.
type appAnswer struct {
	Version  string `json:"version"`
	Instance string `json:"instance"`

	status int
	body   []byte
}

// slot finds or makes the slot of an instance. Called with Cloud.mu held.
func (p *dataPlane) slot(id string) *slot {
	s := p.slots[id]
	if s == nil {
		s = &slot{}
		p.slots[id] = s
	}
	return s
}

// follow starts, changes or stops the server of an instance. Called with Cloud.mu held.
func (p *dataPlane) follow(in *instance) {
	s := p.slot(in.id)
	status := in.answer()
	s.dark.Store(status == AppUnreachable)
	if status == AppRefuses || status == AppUnreachable {
		s.stop()
		if in.state == stateTerminated {
			delete(p.slots, in.id)
		}
		return
	}
	running := s.server.Load()
	if running == nil {
		running = p.serve(in)
		if running == nil {
			return
		}
	}
	a := &appAnswer{Version: in.app.settings.version, Instance: in.id, status: status}
	a.body, _ = json.Marshal(a) // two strings always marshal
	a.body = append(a.body, '\n')
	running.answer.Store(a)
	s.server.Store(running)
}

// serve opens the server's socket.
func (p *dataPlane) serve(in *instance) *server {
	l, err := loopback(0)
	if err != nil {
		p.c.recordChange(in.realm, "server", in.id, "", "failed", "no loopback port: "+err.Error())
		return nil
	}
	out := &server{id: in.id, addr: l.Addr().String(), latency: p.options.Latency}
	out.http = &http.Server{Handler: out, ReadHeaderTimeout: time.Minute, ErrorLog: silent,
		BaseContext: func(net.Listener) context.Context { return p.ctx }, ConnState: p.track()}
	p.running.Go(func() { _ = out.http.Serve(l) }) // ends with ErrServerClosed
	return out
}

// stop closes the server's socket and all its connections, as a machine that shuts down does.
func (s *slot) stop() {
	if running := s.server.Swap(nil); running != nil {
		_ = running.http.Close() // the sockets are gone in any case
	}
}

// track counts the connections of an HTTP server among what StopDataPlane waits for. A hijacked one is over when the
// handler that took it ends, which its server does not report: see socket.ServeHTTP.
func (p *dataPlane) track() func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			p.running.Add(1)
		case http.StateClosed, http.StateHijacked:
			p.running.Done()
		}
	}
}

var silent = log.New(io.Discard, "", 0)

// ServeHTTP answers any path. The query parameter wait (a duration such as 2s) makes a slow request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.answer.Load()
	if a.status == AppHangs {
		<-r.Context().Done()
		return
	}
	delay := s.latency.Min
	if spread := s.latency.Max - s.latency.Min; spread > 0 {
		delay += rand.N(spread)
	}
	if r.URL.RawQuery != "" {
		if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
			delay += wait
		}
	}
	if delay > 0 && !pause(r.Context(), delay) {
		return
	}
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["X-Version"] = []string{a.Version}
	h["X-Instance-Id"] = []string{a.Instance}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a caller that has gone away is no concern of ours
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// dial connects to the instance's server; without one the connection is refused, as by a machine on which nothing
// listens. In the dark nothing comes back until the caller gives up.
func (s *slot) dial(ctx context.Context) (net.Conn, error) {
	if s.dark.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	running := s.server.Load()
	if running == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", running.addr)
}

// slotKey carries the slot of a health check to dialSlot.
type slotKey struct{}

func dialSlot(ctx context.Context, _, _ string) (net.Conn, error) {
	return ctx.Value(slotKey{}).(*slot).dial(ctx)
}
