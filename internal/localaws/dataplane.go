package localaws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
)

// DataPlaneOptions shape the data plane; the zero value listens on free loopback ports and answers at once.
type DataPlaneOptions struct {
	// Latency is how long each server takes for each answer.
	Latency Span
	// Ports fixes the loopback ports of listeners, by load balancer ("web", its lowest listener), by listener ("web:8080"), or
	// by listener and node ("web:8080@us-east-1a"). Others get free ports. A port that is taken is recorded in the ledger and
	// replaced by a free one.
	Ports map[string]int
}

// dataPlane makes the cloud real on loopback: every server whose application serves is an HTTP server of its own, and
// every listener of a load balancer a socket on each of its nodes, whose requests reach those servers, and one for its name.
//
// A server has one socket and answers there whatever port a load balancer means: instance ports are not simulated.
// Neither are names, TLS and UDP.
//
// What it owns is guarded by Cloud.mu, but no request takes that lock: each node publishes a table (node_table.go)
// through an atomic pointer, and a member that leaves closes its own gate (backend.acquire).
type dataPlane struct {
	c       *Cloud
	options DataPlaneOptions
	parent  context.Context // that the data plane was started with
	ctx     context.Context // ends all requests and flows
	end     context.CancelFunc
	running sync.WaitGroup // everything that was started
	slots   map[string]*slot
	sockets map[socketKey]*socket
	checks  *http.Transport // of health checks: each one a new connection
	stopped bool
}

// StartDataPlane turns the data plane on, until ctx ends, StopDataPlane or Close. It fails on a virtual clock, whose
// time real requests know nothing of, and while another one is on or still stopping.
func (c *Cloud) StartDataPlane(ctx context.Context, options DataPlaneOptions) error {
	if _, virtual := c.clock.(*VirtualClock); virtual {
		return errors.New("the data plane needs a clock that runs by itself, and this cloud has a VirtualClock")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	home := c.realm(c.Realm.key).balancers
	if home.plane != nil || c.closed {
		return errors.New("the data plane is on already or still stopping, or the cloud was closed")
	}
	p := &dataPlane{c: c, options: options, parent: ctx, slots: map[string]*slot{}, sockets: map[socketKey]*socket{}}
	p.ctx, p.end = context.WithCancel(context.WithoutCancel(ctx))
	p.checks = &http.Transport{DisableKeepAlives: true, DialContext: dialSlot}
	home.plane = p
	for _, in := range c.instances {
		p.follow(in)
	}
	for _, pool := range c.pools() {
		for _, m := range pool.sorted() {
			m.attach()
			if m.phase == draining {
				m.detach()
			}
		}
	}
	for _, lb := range c.balancers() {
		lb.publish()
	}
	context.AfterFunc(ctx, p.stop)
	c.onClose(p.stop)
	return nil
}

// StopDataPlane closes every socket and waits until nothing of the data plane runs any more. The cloud goes on without
// it. It may be called more than once.
func (c *Cloud) StopDataPlane() {
	c.mu.Lock()
	p := c.realm(c.Realm.key).balancers.plane
	c.mu.Unlock()
	if p != nil {
		p.stop()
	}
}

// stop may be called several times; each call returns when all is over.
func (p *dataPlane) stop() {
	p.c.mu.Lock()
	if !p.stopped {
		p.stopped = true
		p.release()
	}
	p.c.mu.Unlock()
	p.end()
	p.running.Wait()
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if home := p.c.realm(p.c.Realm.key).balancers; home.plane == p {
		home.plane = nil
	}
}

// release closes the sockets and takes the backends from the members. Called with Cloud.mu held.
func (p *dataPlane) release() {
	for _, pool := range p.c.pools() {
		for _, m := range pool.members {
			m.backend = nil
		}
	}
	for _, s := range p.sockets {
		s.close()
	}
	for _, s := range p.slots {
		s.stop()
	}
}

// plane is the data plane, nil while it is off. It serves all realms; the home realm keeps it. Called with c.mu held.
func (c *Cloud) plane() *dataPlane {
	if p := c.realm(c.Realm.key).balancers.plane; p != nil && !p.stopped {
		return p
	}
	return nil
}

// Endpoints are the URLs of the load balancers' listeners while the data plane is on: "web" for the lowest listener of
// the load balancer web, "web:8080" for each of its listeners, and "web:8080@us-east-1a" for each of its listeners on the
// node of each zone; http://127.0.0.1:port, or tcp://127.0.0.1:port. The first two stand for the load balancer's name, which
// gives each new connection another of its nodes. If several load balancers (of different kinds, accounts or regions) have
// the same name, the later ones are found as "application/web", and so on.
func (c *Cloud) Endpoints() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endpoints()
}

func (c *Cloud) endpoints() map[string]string {
	out := map[string]string{}
	p := c.plane()
	if p == nil {
		return out
	}
	for _, lb := range c.balancers() {
		name := lb.name
		if _, taken := out[name]; taken {
			name = string(lb.kind) + "/" + name
		}
		for _, s := range p.socketsOf(lb) {
			url := s.url()
			if _, first := out[name]; !first {
				out[name] = url
			}
			out[name+strings.TrimPrefix(s.key.name(), lb.name)] = url
		}
	}
	return out
}

// ServerURL is where a server answers directly, empty while it does not.
func (c *Cloud) ServerURL(instanceID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.plane(); p != nil {
		if s := p.slots[instanceID]; s != nil {
			if server := s.server.Load(); server != nil {
				return "http://" + server.addr
			}
		}
	}
	return ""
}

// loopback opens a port; 0 is a free one.
func loopback(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
}
