package localaws

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// socketKey is one listener on one node.
type socketKey struct {
	node *node
	port int // of the listener, not of the loopback
}

// socket is a listener of a load balancer on loopback.
type socket struct {
	key      socketKey
	plane    *dataPlane
	protocol string
	listener net.Listener
	http     *http.Server       // of an HTTP listener
	ctx      context.Context    // of a TCP listener: ends with the socket
	end      context.CancelFunc // ends ctx
}

// listen opens and closes sockets so that the node has those of its table. Called with Cloud.mu held.
func (p *dataPlane) listen(n *node, t *table) {
	for key, s := range p.sockets {
		if f := t.fronts[key.port]; key.node == n && (f == nil || f.protocol != s.protocol) {
			s.close()
			delete(p.sockets, key)
		}
	}
	for _, port := range slices.Sorted(keysOf(t.fronts)) {
		key := socketKey{n, port}
		if p.sockets[key] == nil {
			if s := p.open(key, t.fronts[port]); s != nil {
				p.sockets[key] = s
			}
		}
	}
}

func keysOf[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// open listens; on the port that the options name, if there is one and it is free.
func (p *dataPlane) open(key socketKey, f *frontTable) *socket {
	lb := key.node.lb
	l, err := loopback(p.options.portOf(lb, key.port))
	if err != nil {
		p.c.recordChange(lb.realm, "listener", fmt.Sprintf("%s:%d", lb.name, key.port), "", "moved",
			"the port that was asked for cannot be opened: "+err.Error())
		l, err = loopback(0)
	}
	if err != nil {
		p.c.recordChange(lb.realm, "listener", fmt.Sprintf("%s:%d", lb.name, key.port), "", "failed", err.Error())
		return nil
	}
	s := &socket{key: key, plane: p, protocol: f.protocol, listener: l}
	if f.protocol == "TCP" {
		s.ctx, s.end = context.WithCancel(p.ctx)
		p.running.Go(s.accept)
		return s
	}
	s.http = &http.Server{Handler: s, IdleTimeout: f.idle, ReadHeaderTimeout: time.Minute, ErrorLog: silent,
		BaseContext: func(net.Listener) context.Context { return p.ctx }, ConnState: p.track()}
	p.running.Go(func() { _ = s.http.Serve(l) }) // ends with ErrServerClosed
	return s
}

// portOf is the loopback port that was asked for, 0 if none was.
func (o DataPlaneOptions) portOf(lb *balancer, port int) int {
	if fixed, ok := o.Ports[fmt.Sprintf("%s:%d", lb.name, port)]; ok {
		return fixed
	}
	for other := range lb.fronts {
		if other < port {
			return 0
		}
	}
	return o.Ports[lb.name]
}

func (s *socket) close() {
	if s.http != nil {
		_ = s.http.Close() // the sockets are gone in any case
		return
	}
	s.end()
	_ = s.listener.Close()
}

func (s *socket) url() string {
	if s.http != nil {
		return "http://" + s.listener.Addr().String()
	}
	return "tcp://" + s.listener.Addr().String()
}

// socketsOf are the sockets of a load balancer, by port.
func (p *dataPlane) socketsOf(lb *balancer) []*socket {
	var out []*socket
	for key, s := range p.sockets {
		if key.node.lb == lb {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *socket) int { return cmp.Compare(a.key.port, b.key.port) })
	return out
}
