package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

// network is what is between a process and those that it calls. The zero value lets everything through.
type network struct {
	mu  sync.Mutex
	cut map[string]chan struct{} // whom nothing reaches; closed when that is over
}

// errParted is what becomes of a call that a partition swallowed, once that is over.
var errParted = errors.New("connection reset by peer")

// Part takes the process off the network of AWS, of Kubernetes or of both (ToAWS, ToKube), as a firewall does that drops packets:
// calls get no answer, and what was under way is lost. heal ends it; connections that wanted something meanwhile break then.
func (p *Process) Part(from ...string) (heal func()) {
	n := &p.network
	over := make(chan struct{})
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut == nil {
		n.cut = map[string]chan struct{}{}
	}
	for _, to := range from {
		n.cut[to] = over
	}
	return sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, to := range from {
			delete(n.cut, to)
		}
		close(over)
	})
}

// pass waits as long as nothing goes this way, and fails then: what was sent meanwhile is lost.
func (n *network) pass(ctx context.Context, to string) error {
	n.mu.Lock()
	over := n.cut[to]
	n.mu.Unlock()
	if over == nil {
		return nil
	}
	select {
	case <-over:
	case <-ctx.Done():
	}
	return errParted
}

// answer lets an answer pass, whose body may be a watch that is cut later.
func (n *network) answer(ctx context.Context, to string, response *http.Response) (*http.Response, error) {
	if err := n.pass(ctx, to); err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	response.Body = passing{response.Body, n, ctx, to}
	return response, nil
}

// passing is a body on its way through the network.
type passing struct {
	io.ReadCloser
	network *network
	ctx     context.Context
	to      string
}

// Read implements io.Reader.
func (b passing) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if lost := b.network.pass(b.ctx, b.to); lost != nil {
		return 0, lost
	}
	return n, err
}
