package safety

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// operation is an AWS operation that Slipway uses.
type operation struct {
	service, action string
	kind            kind
}

type kind int

const (
	reads kind = iota
	writes
	launches
)

func (o operation) String() string { return o.service + ":" + o.action }

// operations are all that Slipway calls, by service; TestOperationsAreThoseOfThePolicy holds the list to the IAM policy that it ships.
func operations() []operation {
	var all []operation
	for _, of := range []struct {
		service string
		kind    kind
		actions string
	}{
		{"ec2", reads, "DescribeInstances DescribeInstanceStatus DescribeImages"},
		{"ec2", launches, "RunInstances"},
		{"ec2", writes, "TerminateInstances CreateTags"},
		{"elb", reads, "DescribeLoadBalancers DescribeLoadBalancerAttributes DescribeInstanceHealth"},
		{"elb", writes, "RegisterInstancesWithLoadBalancer DeregisterInstancesFromLoadBalancer"},
		{"elbv2", reads, "DescribeTargetGroups DescribeTargetGroupAttributes DescribeLoadBalancerAttributes DescribeTargetHealth"},
		{"elbv2", writes, "RegisterTargets DeregisterTargets"},
		{"ssm", reads, "GetParameter"},
		{"sts", reads, "GetCallerIdentity"},
	} {
		for action := range strings.FieldsSeq(of.actions) {
			all = append(all, operation{of.service, action, of.kind})
		}
	}
	return all
}

// window is how long a fault lasts.
const window = time.Minute

// cell is one thing that goes wrong in one phase.
type cell struct {
	name   string
	lasts  time.Duration // 0: window
	calls  string        // the action that it happens to; empty for what is no call to AWS
	byHand bool          // people do it, with calls of theirs
	// begin makes it go wrong, and gives what ends it, and tells whether it ever happened to anything.
	begin func(w *e2e.World) (end func() (hit bool))
	// tap is for what happens on the way to AWS; nil for nothing.
	tap e2e.Tap
}

// callFaults are what can happen to the calls of an operation. The form is that of `kubectl slipway local aws fault`.
func callFaults(o operation) []cell {
	throttled, denied := "400:Throttling", "403:AccessDenied"
	if o.service == "ec2" {
		throttled, denied = "503:RequestLimitExceeded", "403:UnauthorizedOperation"
	}
	texts := []string{
		"before=" + throttled, "before=500:InternalError", "before=503:ServiceUnavailable", "before=" + denied,
		"delay=30s", "delay-reply=30s", "hang", "lose-reply",
	}
	switch o.kind {
	case reads:
		texts = append(texts, "stale=30s", "missing=*1", "missing=i-*")
	case launches:
		texts = append(texts, "before=500:InsufficientInstanceCapacity", "after=500:InternalError", "launch=fail=Server.InternalError", "twice", "twice lose-reply")
	case writes:
		texts = append(texts, "after=500:InternalError")
	}
	cells := make([]cell, 0, len(texts)+1)
	for _, text := range texts {
		line := fmt.Sprintf("%s between=0s..%s %s", o, window, text)
		cells = append(cells, injected(line, line))
	}
	cells = append(cells, broken(o))
	for i := range cells {
		cells[i].calls = o.String()
	}
	return cells
}

// injected is a fault that the local AWS makes.
func injected(name, text string) cell {
	return cell{name: name, begin: func(w *e2e.World) func() bool { return inject(w, text) }}
}

func inject(w *e2e.World, text string) (end func() (hit bool)) {
	fault, err := w.AWS.InjectText(text)
	if err != nil {
		w.Fatalf("%s: %v", text, err)
	}
	return func() bool {
		fault.Remove()
		return fault.Hits() > 0
	}
}

// broken is a connection that is reset before the call is out.
func broken(o operation) cell {
	var on, hit atomic.Bool
	return cell{
		name: o.String() + " reset before",
		begin: func(*e2e.World) func() bool {
			on.Store(true)
			return func() bool { on.Store(false); return hit.Load() }
		},
		tap: func(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
			if on.Load() && call.To == e2e.ToAWS && call.What == o.action {
				hit.Store(true)
				return nil, errors.New("connection reset by peer")
			}
			return send()
		},
	}
}

// lags hide what was made, as eventual consistency does.
func lags() []cell {
	hidden := func(lag string) cell { return injected("not found for "+lag, "ec2:* young="+lag) }
	return []cell{hidden("100ms"), hidden("1s"), hidden("10s"), hidden("60s"), hidden("300s")}
}

// cells are all of them.
func cells() []cell {
	return append(awsCells(), kubeFaults()...)
}

// awsCells are those that are not about Kubernetes.
func awsCells() []cell {
	all := append(lags(), worldFaults()...)
	for _, o := range operations() {
		all = append(all, callFaults(o)...)
	}
	return all
}

// phase is what is asked for while something goes wrong, and how the world is once it is right again.
type phase struct {
	name    string
	deep    bool // not played for each change
	prepare func(w *e2e.World)
	ask     func(w *e2e.World)
	right   func(w *e2e.World) bool
}

var phases = []phase{
	{
		"Preview", false,
		func(w *e2e.World) { w.Settled(imageFromSSM(w)) },
		func(w *e2e.World) { w.Deploy("web", "v2", v1alpha1.PhasePreview) },
		func(w *e2e.World) bool { // and whatever was launched besides is gone
			return w.Serves("v1") && w.Only("test", "v2") && len(w.Servers("v2")) == 2
		},
	},
	{
		"Live", false,
		func(w *e2e.World) { w.InPreview(imageFromSSM(w)) },
		func(w *e2e.World) { w.Phase("web", v1alpha1.PhaseLive) },
		func(w *e2e.World) bool { return w.Serves("v2") && w.Empty("test") && len(w.Servers("v1")) == 2 },
	},
	{
		"RolledBack", false,
		func(w *e2e.World) { w.Live(imageFromSSM(w)) },
		func(w *e2e.World) { w.Phase("web", v1alpha1.PhaseRolledBack) },
		func(w *e2e.World) bool { // nothing is launched for a rejected candidate
			shown := w.Registered("test", "v2")
			return w.Serves("v1") && w.Registered("test", "v1") == 0 && shown > 0 && shown == len(w.Servers("v2"))
		},
	},
	{
		"Complete", true,
		func(w *e2e.World) { w.Live(imageFromSSM(w)) },
		func(w *e2e.World) { w.Phase("web", v1alpha1.PhaseComplete) },
		func(w *e2e.World) bool { return w.Serves("v2") && w.Empty("test") && len(w.Servers("v1")) == 0 },
	},
}

// imageFromSSM lets a Release find its image by a parameter, so that SSM is called too.
func imageFromSSM(w *e2e.World) func(*v1alpha1.Release) {
	if err := w.PutImage(parameter, w.Site.V1); err != nil {
		w.Fatalf("%v", err)
	}
	return func(rel *v1alpha1.Release) { rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: parameter} }
}

const parameter = "/images/web"

// settles is how long a world may take to be right once nothing is wrong any more: three minutes for what waits (a launch that is
// looked for, a draining), and as long again after a person who was asked to has tried again.
const settles = 12 * time.Minute

// quietly is how long a world is looked at that should have come to rest.
const quietly = 3 * time.Minute

// usual gives the operations that a phase calls where nothing goes wrong: the others cannot.
func (p phase) usual(w *e2e.World) map[string]bool {
	var before uint64
	var began time.Time
	cell{name: "nothing", begin: func(w *e2e.World) func() bool {
		before, began = w.AWS.LastSeq(), w.Clock.Now()
		return func() bool { return false }
	}}.endure(w, p)
	called := map[string]bool{}
	for _, e := range w.AWS.LedgerSince(before) {
		if e.Call != nil && e.Time.Sub(began) < window {
			called[e.Call.Service+":"+e.Call.Action] = true
		}
	}
	return called
}

// endure plays a phase while something is wrong, and requires that it comes right when that has ended, and stays so.
func (c cell) endure(w *e2e.World, p phase) (hit bool) {
	p.prepare(w)
	end := c.begin(w)
	p.ask(w)
	w.Pass(max(c.lasts, window) + window/2)
	hit = end()
	right := func() bool { return p.right(w) && w.Ready("web") }
	retried := false
	w.UntilWithin("it is right again after "+c.name, settles, func() bool {
		if !retried && w.Is("web", v1alpha1.ConditionStalled) && asksForRetry(w) {
			retried = true
			w.Edit("web", func(rel *v1alpha1.Release) {
				metav1.SetMetaDataAnnotation(&rel.ObjectMeta, v1alpha1.AnnotationRetry, "1")
			})
		}
		return right()
	})
	w.Pass(2 * quietly) // terminated servers leave pools late, and pools that are gone are forgotten after five minutes
	w.Quiet(quietly)
	if !right() {
		w.Fatalf("it does not stay right\n%s", w.Story())
	}
	return hit
}

// asksForRetry: the message of the condition says that a person has to try again.
func asksForRetry(w *e2e.World) bool {
	return strings.Contains(w.Condition("web", v1alpha1.ConditionStalled).Message, v1alpha1.AnnotationRetry)
}
