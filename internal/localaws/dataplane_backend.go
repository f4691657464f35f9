package localaws

import (
	"context"
	"hash/fnv"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// backend is one member as the nodes reach it. It has a gate (leaving) that closes in the moment of the
// deregistration, whatever tables are still in use, and connections of its own, so that none of them outlives it.
type backend struct {
	slot      *slot
	cookie    string // names the member to clients that stay with it
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	ctx       context.Context // ends what is in flight
	sever     context.CancelFunc

	leaving  atomic.Bool
	inFlight atomic.Int64
	idle     func() // called without locks when nothing is in flight any more, while leaving
}

// attach gives a member its backend, or opens the gate of the one that it has. Without a data plane there is none.
func (m *member) attach() {
	plane := m.pool.realm.c.plane()
	switch {
	case plane == nil:
	case m.backend == nil:
		m.backend = plane.newBackend(m)
	default:
		m.backend.leaving.Store(false)
	}
}

func (p *dataPlane) newBackend(m *member) *backend {
	b := &backend{slot: p.slot(m.inst.id), cookie: cookieOf(m.key.id + ":" + strconv.Itoa(m.key.port))}
	b.ctx, b.sever = context.WithCancel(p.ctx)
	b.idle = func() {
		p.c.mu.Lock()
		defer p.c.mu.Unlock()
		if !p.stopped {
			m.drained(b)
		}
	}
	b.transport = &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return b.slot.dial(ctx) },
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
	target := &url.URL{Scheme: "http", Host: m.key.id}
	b.proxy = &httputil.ReverseProxy{
		Transport:    b.transport,
		ErrorLog:     silent,
		BufferPool:   buffers,
		ErrorHandler: badGateway(m.pool.kind),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
	}
	return b
}

// acquire reserves the backend for a request or a flow; false when it is leaving. The order matters: whoever closes
// the gate sees every request that got in.
func (b *backend) acquire() bool {
	b.inFlight.Add(1)
	if b.leaving.Load() {
		b.release()
		return false
	}
	return true
}

func (b *backend) release() {
	if b.inFlight.Add(-1) == 0 && b.leaving.Load() {
		b.idle()
	}
}

// detach closes the gate: from now on no new request reaches the member. Called with Cloud.mu held.
func (m *member) detach() {
	b := m.backend
	if b == nil {
		return
	}
	b.leaving.Store(true)
	b.transport.CloseIdleConnections()
	if m.untilIdle && b.inFlight.Load() == 0 {
		m.next(0, memberIsIdle{m})
	}
}

// memberIsIdle looks again whether draining may end early.
type memberIsIdle struct{ m *member }

func (j memberIsIdle) run(*Cloud) {
	if b := j.m.backend; b != nil {
		j.m.drained(b)
	}
}

// drained ends draining early if nothing is in flight any more.
func (m *member) drained(b *backend) {
	if m.backend == b && m.phase == draining && m.untilIdle && b.leaving.Load() && b.inFlight.Load() == 0 {
		m.vanish("nothing is in flight any more")
	}
}

// cut ends the member's part in the data plane, with its connections unless they are to be kept.
func (m *member) cut() {
	b := m.backend
	if b == nil {
		return
	}
	b.leaving.Store(true)
	b.transport.CloseIdleConnections()
	if !m.keep {
		b.sever()
	}
	m.backend = nil
}

// sever cuts what is in flight; the member stays.
func (m *member) sever() {
	if plane := m.pool.realm.c.plane(); plane != nil && m.backend != nil {
		m.backend.leaving.Store(true)
		m.backend.sever()
		m.backend.transport.CloseIdleConnections()
		m.backend = plane.newBackend(m)
	}
}

// cookieOf hides a name, as the load balancers' cookies do.
func cookieOf(name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return strconv.FormatUint(h.Sum64(), 36)
}

// bufferPool lends the proxies their copy buffers.
type bufferPool struct{ sync.Pool }

var buffers = &bufferPool{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}}

func (p *bufferPool) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.Pool.Put(&b) }
