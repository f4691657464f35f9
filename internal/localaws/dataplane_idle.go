package localaws

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// errIdle is why a request ends whose member sent nothing, and was sent nothing, for the load balancer's idle timeout.
var errIdle = errors.New("nothing was sent either way for the idle timeout")

// idleWatch ends a request when nothing moves any more. The timeout passes on the cloud's clock.
type idleWatch struct {
	clock   Clock
	timeout time.Duration
	expired func()

	mu   sync.Mutex
	stop func()
	over bool
}

// watchIdle lets a request end after the timeout; each byte either way begins it anew.
func watchIdle(clock Clock, timeout time.Duration, cancel context.CancelCauseFunc) *idleWatch {
	w := &idleWatch{clock: clock, timeout: timeout, expired: func() { cancel(errIdle) }}
	w.stop = clock.AfterFunc(timeout, w.expired)
	return w
}

// touch notes that something was sent.
func (w *idleWatch) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.stop()
		w.stop = w.clock.AfterFunc(w.timeout, w.expired)
	}
}

// end ends the watch: the request is over, or its connection is somebody else's now.
func (w *idleWatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.stop()
}

// idleWriter is the way to the client.
type idleWriter struct {
	http.ResponseWriter
	watch *idleWatch
}

func (w idleWriter) WriteHeader(status int) {
	w.watch.touch()
	w.ResponseWriter.WriteHeader(status)
}

func (w idleWriter) Write(p []byte) (int, error) {
	w.watch.touch()
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what else the writer can do.
func (w idleWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack is for a protocol that is spoken from now on; its idle time is not simulated.
func (w idleWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.watch.end()
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// idleReader is the way from the client.
type idleReader struct {
	io.ReadCloser
	watch *idleWatch
}

func (r idleReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		r.watch.touch()
	}
	return n, err
}
