package localaws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errReplyLost is a call that took effect and whose answer never arrives.
var errReplyLost = errors.New("the reply was lost")

// handle answers one request, from decoding to encoding. It fails only where the caller gets no answer at all.
func (c *Cloud) handle(r *http.Request) (*reply, error) {
	q, bad := c.decode(r)
	fault, way := c.onTheWay(q, bad)
	if err := c.wait(q.ctx, fault.Delay+way, fault.Hang); err != nil {
		c.abandon(q)
		return nil, err
	}
	if op := q.service.operations[q.action]; bad == nil && op.await != nil {
		if err := op.await(c, q); err != nil {
			c.abandon(q)
			return nil, err
		}
	}
	result, failed := c.perform(q, bad, fault)
	if err := c.wait(q.ctx, fault.DelayReply+way, fault.HangReply); err != nil {
		c.abandonReply(q)
		return nil, err
	}
	if fault.LoseReply {
		return nil, errReplyLost
	}
	return c.finish(q, result, failed)
}

// onTheWay is what happens to a call outside of AWS: a fault, and how long it travels each way.
func (c *Cloud) onTheWay(q *call, bad *apiError) (fault *Fault, way time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fault = &Fault{}
	if bad == nil {
		fault = c.faultFor(q)
	}
	return fault, c.knobs.Latency / 2
}

// finish encodes the outcome and adds the headers that every answer carries. The SDK reads its clock skew from Date.
func (c *Cloud) finish(q *call, result any, failed *apiError) (*reply, error) {
	var out *reply
	switch {
	case failed != nil && failed.Code == "":
		out = &reply{status: failed.Status, header: http.Header{"Content-Type": {"text/plain"}}, body: []byte(failed.Message)}
	case failed != nil:
		out = q.encodeError(failed)
	default:
		var err error
		if out, err = q.encode(result); err != nil {
			return nil, fmt.Errorf("encode the answer of %s: %w", q.action, err)
		}
	}
	out.header.Set("X-Amzn-Requestid", q.requestID)
	out.header.Set("Date", q.date.Format(http.TimeFormat))
	out.header.Set("Content-Length", strconv.Itoa(len(out.body)))
	c.judge.check(q, failed, out)
	return out, nil
}

// perform is the part of a call that happens under the lock: who, whether, the operation, and the ledger.
func (c *Cloud) perform(q *call, bad *apiError, fault *Fault) (any, *apiError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	op, expired := c.receive(q)
	if op == nil && bad == nil {
		bad = q.service.unknownAction(q.action)
	}
	var result any
	failed := bad
	if failed == nil {
		failed = expired
	}
	if failed == nil && fault.Before != nil {
		failed = fault.Before.apiError()
	}
	if failed == nil {
		c.runHooks(BeforeCall, q, op, nil)
		result, failed = c.operate(q, op, fault)
		c.runHooks(AfterCall, q, op, failed)
		c.worldAfter(q)
	}
	if fault.After != nil {
		failed = fault.After.apiError()
	}
	c.recordCall(q, op, failed, fault.LoseReply || fault.HangReply)
	return result, failed
}

// receive finds out what a call is and who makes it; there is no operation where the service knows none of that name.
func (c *Cloud) receive(q *call) (op *operation, refused *apiError) {
	q.requestID = c.newUUID()
	q.at = c.now()
	if known, ok := q.service.operations[q.action]; ok {
		op = &known
	}
	q.date = c.serverTime()
	_, refused = c.identify(q)
	return op, firstError(c.checkSigningTime(q), refused)
}

// operate runs the operation after all that is checked for every operation alike.
func (c *Cloud) operate(q *call, op *operation, fault *Fault) (any, *apiError) {
	if err := c.throttle(q, op); err != nil {
		return nil, err
	}
	if err := op.check(q); err != nil {
		return nil, err
	}
	if err := c.authorize(q, c.iamRequests(q, op)...); err != nil {
		return nil, err
	}
	result, err := c.runUnder(q, op, fault)
	if err == nil && !op.mutates {
		err = q.dryRun()
	}
	return result, err
}

// dryRun is the answer of a call with DryRun=true that was found in order. Operations that change the world return it
// between their checks and their effect.
func (q *call) dryRun() *apiError {
	if !q.bool("DryRun", false) {
		return nil
	}
	return refuseWith(http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
}

// changes reports whether a call is meant to change the world.
func (q *call) changes(op *operation) bool {
	return op != nil && op.mutates && !q.bool("DryRun", false)
}

// Handler is the whole endpoint: every service on one URL, and what is under AdminPath.
func (c *Cloud) Handler() http.Handler {
	admin := c.adminHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, AdminPath) {
			admin.ServeHTTP(w, r)
			return
		}
		out, err := c.handle(r)
		if err != nil {
			panic(http.ErrAbortHandler) // closes the connection without an answer
		}
		maps.Copy(w.Header(), out.header)
		w.WriteHeader(out.status)
		_, _ = w.Write(out.body) // a caller that has gone away is no concern of ours
	})
}

// Transport answers requests in the caller's own goroutine, without a socket: the HTTP client of an unmodified SDK
// with a virtual clock.
func (c *Cloud) Transport() http.RoundTripper { return transport{c} }

type transport struct{ c *Cloud }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	out, err := t.c.handle(r)
	if errors.Is(err, errReplyLost) {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status:        strconv.Itoa(out.status) + " " + http.StatusText(out.status),
		StatusCode:    out.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        out.header,
		Body:          io.NopCloser(bytes.NewReader(out.body)),
		ContentLength: int64(len(out.body)),
		Request:       r,
	}, nil
}

// Serve answers on the listener until ctx is done; it returns nil after that, and closes the listener.
func (c *Cloud) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: c.Handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve below reports what matters
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
