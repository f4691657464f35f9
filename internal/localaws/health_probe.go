package localaws

// probe makes one health check of a member and calls done with its outcome, once, with c.mu held: at once, or when the
// answer or the timeout comes. Without a data plane the outcome follows from the model of the application (app.go);
// with one it is that of a real request.
func (c *Cloud) probe(m *member, done func(outcome)) {
	if plane := c.plane(); plane != nil {
		plane.probe(m, done)
		return
	}
	answer, check := m.answer(), m.pool.check
	switch {
	case answer == AppRefuses:
		done(unreachable())
	case answer == AppUnreachable:
		c.after(check.timeout, func() { done(timedOut()) })
	case !check.http():
		done(passed)
	case answer == AppHangs:
		c.after(check.timeout, func() { done(timedOut()) })
	case check.matcher.passes(answer):
		done(passed)
	default:
		done(mismatched(answer))
	}
}
