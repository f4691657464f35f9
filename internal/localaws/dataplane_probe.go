package localaws

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// probe checks a member by a real request. Called with Cloud.mu held.
func (p *dataPlane) probe(v *view) {
	m, epoch := v.member, v.member.epoch
	target, check := p.slot(m.inst.id), m.pool.check
	agent := "ELB-HealthChecker/2.0"
	if m.pool.kind == ClassicPool {
		agent = "ELB-HealthChecker/1.0"
	}
	p.running.Go(func() {
		o := p.ask(target, check, agent)
		p.c.mu.Lock()
		defer p.c.mu.Unlock()
		if !p.stopped && !p.c.closed {
			v.found(o, epoch)
		}
	})
}

// ask makes one connection, and over it one request if the check is HTTP. Its timeout passes on the cloud's clock.
func (p *dataPlane) ask(target *slot, check healthCheck, agent string) outcome {
	ctx, cancel := context.WithCancelCause(context.WithValue(p.ctx, slotKey{}, target))
	defer cancel(nil)
	defer p.c.clock.AfterFunc(check.timeout, func() { cancel(context.DeadlineExceeded) })()
	if !check.http() {
		conn, err := target.dial(ctx)
		if err != nil {
			return failure(ctx)
		}
		_ = conn.Close() // that it could be opened is all that counts
		return passed
	}
	path, err := url.ParseRequestURI(check.path)
	if err != nil {
		return unreachable()
	}
	r := (&http.Request{Method: http.MethodGet, URL: path, Header: http.Header{"User-Agent": {agent}}, Host: "health-check"}).WithContext(ctx)
	r.URL.Scheme, r.URL.Host = "http", "server"
	answer, err := p.checks.RoundTrip(r)
	if err != nil {
		return failure(ctx)
	}
	_ = answer.Body.Close() // only the status counts
	if check.matcher.passes(answer.StatusCode) {
		return passed
	}
	return mismatched(answer.StatusCode)
}

// failure is the outcome of a check that got no answer.
func failure(ctx context.Context) outcome {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return timedOut()
	}
	return unreachable()
}
