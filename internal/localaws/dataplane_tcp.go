package localaws

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// accept carries the connections of a TCP listener until it is closed.
func (s *socket) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.plane.running.Go(func() { s.flow(client.(*net.TCPConn)) })
	}
}

// flow is one connection: it stays with the member that it got, also when the rules change.
func (s *socket) flow(client *net.TCPConn) {
	defer func() { _ = client.Close() }()
	b, idle := s.memberFor()
	if b == nil {
		reset(client)
		return
	}
	defer b.release()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	conn, err := b.slot.dial(ctx)
	if err != nil {
		reset(client)
		return
	}
	member := conn.(*net.TCPConn)
	defer func() { _ = member.Close() }()
	defer context.AfterFunc(ctx, func() {
		reset(client)
		reset(member)
	})()
	splice(client, member, idle)
}

// memberFor picks the member of a new connection, reserved; nil if there is none.
func (s *socket) memberFor() (*backend, time.Duration) {
	n := s.node()
	if n == nil || n.deaf.Load() {
		return nil, 0
	}
	f := n.table.Load().fronts[s.key.port]
	if f == nil || len(f.routes) == 0 {
		return nil, 0
	}
	share := f.routes[0].choose(n.turn.next())
	if share == nil {
		return nil, 0
	}
	return share.take(), onTheWall(s.plane.c.clock, f.idle)
}

// reset closes a connection with RST, as load balancers do with flows that they cannot carry on.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// splice copies both ways until both sides have ended, or nothing came for the idle time.
func splice(a, b *net.TCPConn, idle time.Duration) {
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyOneWay(a, b, idle, &last)
	}()
	copyOneWay(b, a, idle, &last)
	<-done
}

// copyOneWay copies from src to dst and passes the end on; last is when data last came, from either side.
func copyOneWay(dst, src *net.TCPConn, idle time.Duration, last *atomic.Int64) {
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	for {
		_ = src.SetReadDeadline(time.Unix(0, last.Load()).Add(idle))
		n, err := src.Read(buffer)
		if n > 0 {
			last.Store(time.Now().UnixNano())
			if _, failed := dst.Write(buffer[:n]); failed != nil {
				reset(src)
				return
			}
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Since(time.Unix(0, last.Load())) < idle {
			continue
		}
		if errors.Is(err, io.EOF) {
			_ = dst.CloseWrite()
			return
		}
		reset(src)
		reset(dst)
		return
	}
}
