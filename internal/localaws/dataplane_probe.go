package localaws

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
)

// probe checks a member by a real request. Called with Cloud.mu held, as done is.
func (p *dataPlane) probe(m *member, done func(outcome)) {
	target, check := p.slot(m.key.id), m.pool.check
	agent := "ELB-HealthChecker/2.0"
	if m.pool.kind == ClassicPool {
		agent = "ELB-HealthChecker/1.0"
	}
	p.run(func() {
		o := p.ask(target, check, agent)
		p.c.mu.Lock()
		defer p.c.mu.Unlock()
		if !p.stopped && !p.c.closed {
			done(o)
		}
	})
}

// ask makes one connection, and over it one request if the check is HTTP.
func (p *dataPlane) ask(target *slot, check healthCheck, agent string) outcome {
	ctx, cancel := context.WithTimeout(context.WithValue(p.ctx, slotKey{}, target), check.timeout)
	defer cancel()
	if !check.http() {
		conn, err := target.dial(ctx)
		if err != nil {
			return failure(err)
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
		return failure(err)
	}
	_ = answer.Body.Close() // only the status counts
	if check.matcher.passes(answer.StatusCode) {
		return passed
	}
	return mismatched(answer.StatusCode)
}

func failure(err error) outcome {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return timedOut()
	}
	return unreachable()
}
