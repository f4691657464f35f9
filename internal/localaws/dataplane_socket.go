package localaws

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"
)

// socketKey is one listener of a load balancer: on one of its nodes, or, without one, under its name.
type socketKey struct {
	lb   *balancer
	node *node
	port int // of the listener, not of the loopback
}

// name is how the listener is called in options, endpoints and the ledger: web:80, or web:80@us-east-1a.
func (k socketKey) name() string {
	name := fmt.Sprintf("%s:%d", k.lb.name, k.port)
	if k.node != nil {
		name += "@" + k.node.zone
	}
	return name
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
	wanted := map[int]front{}
	for port, f := range t.fronts {
		wanted[port] = front{protocol: f.protocol, idle: f.idle}
	}
	p.open(n.lb, n, wanted)
}

// answer opens and closes the sockets of the load balancer's name, each of which stands for all nodes: a new connection gets
// the next one, as a client gets the next address of a name. Called with Cloud.mu held.
func (lb *balancer) answer() {
	if plane := lb.realm.c.plane(); plane != nil {
		lb.resolve()
		plane.open(lb, nil, lb.fronts)
	}
}

// open makes the sockets of a node, or of a name, those that are wanted, by port.
func (p *dataPlane) open(lb *balancer, n *node, wanted map[int]front) {
	for key, s := range p.sockets {
		if f, still := wanted[key.port]; key.lb == lb && key.node == n && (!still || f.protocol != s.protocol) {
			s.close()
			delete(p.sockets, key)
		}
	}
	for _, port := range slices.Sorted(keysOf(wanted)) {
		key := socketKey{lb, n, port}
		if p.sockets[key] == nil {
			if s := p.openOne(key, wanted[port]); s != nil {
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

// openOne listens; on the port that the options name, if there is one and it is free.
func (p *dataPlane) openOne(key socketKey, f front) *socket {
	l, err := loopback(p.options.portOf(key))
	if err != nil {
		p.c.recordChange(key.lb.realm, "listener", key.name(), "", "moved", "the port that was asked for cannot be opened: "+err.Error())
		l, err = loopback(0)
	}
	if err != nil {
		p.c.recordChange(key.lb.realm, "listener", key.name(), "", "failed", err.Error())
		return nil
	}
	s := &socket{key: key, plane: p, protocol: f.protocol, listener: l}
	if f.protocol == "TCP" {
		s.ctx, s.end = context.WithCancel(p.ctx)
		p.running.Go(s.accept)
		return s
	}
	s.http = &http.Server{Handler: s, IdleTimeout: onTheWall(p.c.clock, f.idle), ReadHeaderTimeout: time.Minute, ErrorLog: silent,
		BaseContext: func(net.Listener) context.Context { return p.ctx }, ConnState: p.track(),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, nodeKey{}, s.node())
		}}
	p.running.Go(func() { _ = s.http.Serve(l) }) // ends with ErrServerClosed
	return s
}

// nodeKey carries the node of a connection to its requests.
type nodeKey struct{}

// node is the node of a new connection; nil if the load balancer has none.
func (s *socket) node() *node {
	if s.key.node != nil {
		return s.key.node
	}
	return s.key.lb.dns.next()
}

// nodeOf is the node of a request: that of its connection, or, where that one is gone, another.
func (s *socket) nodeOf(r *http.Request) *node {
	if n, _ := r.Context().Value(nodeKey{}).(*node); n != nil && !n.gone.Load() {
		return n
	}
	return s.node()
}

// portOf is the loopback port that was asked for, 0 if none was.
func (o DataPlaneOptions) portOf(key socketKey) int {
	if fixed, ok := o.Ports[key.name()]; ok {
		return fixed
	}
	if key.node != nil {
		return 0
	}
	for other := range key.lb.fronts {
		if other < key.port {
			return 0
		}
	}
	return o.Ports[key.lb.name]
}

// ports are those that the sockets have, and those that were asked for, by name.
func (p *dataPlane) ports() map[string]int {
	out := map[string]int{}
	maps.Copy(out, p.options.Ports)
	for key, s := range p.sockets {
		out[key.name()] = s.listener.Addr().(*net.TCPAddr).Port
	}
	return out
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

// socketsOf are the sockets of a load balancer, by port; at each port that of its name comes before those of its nodes.
func (p *dataPlane) socketsOf(lb *balancer) []*socket {
	var out []*socket
	for key, s := range p.sockets {
		if key.lb == lb {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *socket) int {
		return cmp.Or(cmp.Compare(a.key.port, b.key.port), cmp.Compare(a.key.name(), b.key.name()))
	})
	return out
}
