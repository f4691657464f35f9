package localaws

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// healthCheck is how a pool checks its members: a classic load balancer's HealthCheck, or the health check settings
// of a target group.
type healthCheck struct {
	protocol  string // HTTP, HTTPS, TCP or SSL; TLS itself is not simulated, so HTTPS is asked as HTTP and SSL as TCP
	port      int    // 0: the port on which the member takes traffic ("traffic-port")
	path      string // of HTTP and HTTPS
	matcher   matcher
	interval  time.Duration
	timeout   time.Duration
	healthy   int // passed checks in a row that make an unhealthy member healthy
	unhealthy int // failed checks in a row that make a healthy member unhealthy
}

func (h healthCheck) http() bool { return h.protocol == "HTTP" || h.protocol == "HTTPS" }

// matcher is the set of HTTP codes that pass, as written: "200", "200,202" or "200-299".
type matcher string

// passes tells whether the code is in the set. The set was validated when it was written.
func (m matcher) passes(code int) bool {
	for part := range strings.SplitSeq(string(m), ",") {
		lo, hi, _ := codeRange(part)
		if lo <= code && code <= hi {
			return true
		}
	}
	return false
}

// valid tells whether m is a list of codes and ranges within [lo, hi].
func (m matcher) valid(lo, hi int) bool {
	for part := range strings.SplitSeq(string(m), ",") {
		from, to, ok := codeRange(part)
		if !ok || from < lo || to > hi || from > to {
			return false
		}
	}
	return true
}

func codeRange(part string) (lo, hi int, ok bool) {
	from, to, isRange := strings.Cut(part, "-")
	if !isRange {
		to = from
	}
	lo, errFrom := strconv.Atoi(from)
	hi, errTo := strconv.Atoi(to)
	return lo, hi, errFrom == nil && errTo == nil
}

// outcome is what one health check found.
type outcome struct {
	passed bool
	// reason and text are ELBv2's words for a failure; classic load balancers have none for a single check.
	reason, text string
}

var passed = outcome{passed: true}

// mismatched, timedOut and unreachable are the three ways to fail; the words are those of DescribeTargetHealth in the
// ELBv2 API reference and the Application Load Balancers guide.
func mismatched(code int) outcome {
	return outcome{
		reason: "Target.ResponseCodeMismatch",
		text:   fmt.Sprintf("Health checks failed with these codes: [%d]", code),
	}
}

func timedOut() outcome {
	return outcome{reason: "Target.Timeout", text: "Request timed out"}
}

func unreachable() outcome {
	return outcome{reason: "Target.FailedHealthChecks", text: "Health checks failed"}
}

// standing is what a load balancer thinks of a member that it checks.
type standing int

const (
	unknown   standing = iota // no decision yet
	healthy                   // gets traffic
	unhealthy                 // gets none, unless the pool fails open
)

// verdict counts checks and draws the conclusion: the one state machine of classic load balancers and target groups.
//
//	unknown ──first passes in a row──▶ healthy ◀─────────┐
//	   │                                  │              │ healthy threshold
//	   │ unhealthy threshold              │ unhealthy    │ passes in a row
//	   │ fails in a row                   │ threshold    │
//	   └───────────▶ unhealthy ◀──────────┘ fails        │
//	                     └──────────────────────────────┘
type verdict struct {
	standing standing
	passes   int     // in a row
	fails    int     // in a row
	failure  outcome // the last failed check
}

// observe counts one outcome; first is how many passes a member needs that was never judged.
func (v *verdict) observe(o outcome, check healthCheck, first int) (changed bool) {
	before := v.standing
	if !o.passed {
		v.passes, v.fails, v.failure = 0, v.fails+1, o
		if v.fails >= check.unhealthy {
			v.standing = unhealthy
		}
		return v.standing != before
	}
	v.passes, v.fails = v.passes+1, 0
	need := check.healthy
	if v.standing == unknown {
		need = first
	}
	if v.passes >= need {
		v.standing = healthy
	}
	return v.standing != before
}
