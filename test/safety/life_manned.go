package safety

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"slipway.dev/slipway/test/e2e"
)

// manned is what a life has that a real manager looks after, with informers, queue and workers: it can be killed between any two
// calls, and Kubernetes can go wrong between it and the store. It is nil where the world makes the passes itself.
type manned struct {
	faults map[string]cell // by kind and duration
	order  []string        // in which calls pass them
	until  time.Time       // when the last of them is over
	// dying: the process is killed when so many of its calls were made, in one of their moments.
	dying atomic.Int64
	when  atomic.Value
}

// mannedWord begins the seed of a life that has one.
const mannedWord = "manned "

// kubeKinds are what can go wrong with Kubernetes in a life, for a while.
var kubeKinds = map[string]func(lasts time.Duration) cell{
	"gone":      func(lasts time.Duration) cell { return goneFor(lasts.String(), lasts) },
	"still":     func(lasts time.Duration) cell { return watches("still", lasts, 0) },
	"late":      func(lasts time.Duration) cell { return watches("late", lasts, 10*time.Second) },
	"skipped":   skipped,
	"refused":   func(lasts time.Duration) cell { return onKube("refused", lasts, writing, gone) },
	"lost":      func(lasts time.Duration) cell { return onKube("lost", lasts, writing, replyLost) },
	"conflicts": func(lasts time.Duration) cell { return onKube("conflicts", lasts, writing, conflict) },
	"some":      func(lasts time.Duration) cell { return onKube("some", lasts, writing, third(conflict)) },
	"busy":      func(lasts time.Duration) cell { return onKube("busy", lasts, writing, tooMany) },
	"patience":  func(lasts time.Duration) cell { return onKube("patience", lasts, writing, third(later("10"))) },
	"broken":    func(lasts time.Duration) cell { return onKube("broken", lasts, whatever, third(internal)) },
	"past":      func(time.Duration) cell { return reborn("past", false) },
	"long-past": func(time.Duration) cell { return reborn("long past", true) },
}

var (
	conflict = refused(http.StatusConflict, "Conflict")
	tooMany  = refused(http.StatusTooManyRequests, "TooManyRequests")
	internal = refused(http.StatusInternalServerError, "InternalError")
)

// troubles are what can happen to the manager and its view of Kubernetes, where there is one.
var troubles = []act{
	{"kube", 5, [][]string{slices.Sorted(maps.Keys(kubeKinds)), lasting}, (*life).kube},
	{"crash", 4, [][]string{{"0", "1", "2", "3", "5", "8", "13", "21"}, {string(Before), string(Lost), string(After)}}, (*life).crash},
	{"somebody-writes", 2, nil, func(l *life, _ []string) { touchAll(l.w) }},
}

// newManned makes all faults before anything is called: some have to see what is watched before they begin.
func newManned() *manned {
	m := &manned{faults: map[string]cell{}}
	m.dying.Store(-1)
	for kind, fault := range kubeKinds {
		for _, lasts := range lasting {
			m.faults[kind+" "+lasts] = fault(duration(lasts))
		}
	}
	m.order = slices.Sorted(maps.Keys(m.faults))
	return m
}

// tap is the way of the process's calls.
func (m *manned) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	for _, name := range m.order {
		inner := send
		send = func() (*http.Response, error) { return m.faults[name].tap(call, inner) }
	}
	if counts(call) && m.dying.Load() >= 0 && m.dying.Add(-1) < 0 {
		return killed(call.By, m.when.Load().(When), send)
	}
	return send()
}

// kube lets Kubernetes go wrong for a while.
func (l *life) kube(words []string) {
	if l.manned == nil {
		return
	}
	fault := l.manned.faults[strings.Join(words, " ")]
	end := fault.begin(l.w)
	if until := l.w.Clock.Now().Add(fault.lasts); until.After(l.manned.until) {
		l.manned.until = until
	}
	time.AfterFunc(fault.lasts, func() { end() })
}

// crash kills the process at a call that it makes later.
func (l *life) crash(words []string) {
	if l.manned != nil {
		l.manned.when.Store(When(words[1]))
		l.manned.dying.Store(int64(atoi(words[0])))
	}
}

// calm waits until nothing is wrong with Kubernetes any more.
func (l *life) calm() {
	if l.manned != nil {
		l.manned.dying.Store(-1)
		l.w.Pass(max(0, l.manned.until.Sub(l.w.Clock.Now())) + time.Second)
	}
}
