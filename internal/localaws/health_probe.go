package localaws

// probe makes one health check of a member for one node, which hears of its outcome at once, or when the answer or the
// timeout comes (view.found). Without a data plane the outcome follows from the model of the application (app.go); with
// one it is that of a real request.
func (c *Cloud) probe(v *view) {
	m := v.member
	if plane := c.plane(); plane != nil {
		plane.probe(v)
		return
	}
	answer, check := m.answer(), m.pool.check
	switch {
	case answer == AppRefuses:
		v.judge(unreachable())
	case answer == AppUnreachable:
		c.after(check.timeout, checkTimesOut{v, m.epoch, answer})
	case !check.http():
		v.judge(passed)
	case answer == AppHangs:
		c.after(check.timeout, checkTimesOut{v, m.epoch, answer})
	case check.matcher.passes(answer):
		v.judge(passed)
	default:
		v.judge(mismatched(answer))
	}
}

// checkTimesOut is a check that nobody answered.
type checkTimesOut struct {
	v      *view
	epoch  uint64
	answer int // of the application when the check began
}

// run counts it. The application may have changed while the check was under way: what it found then is no reason to rest.
func (j checkTimesOut) run(*Cloud) {
	j.v.found(timedOut(), j.epoch)
	if m := j.v.member; m.answer() != j.answer {
		m.follow()
	}
}
