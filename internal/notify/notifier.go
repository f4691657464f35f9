package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
)

const (
	// resent is how old a notice may be that a new leader tells: the one before may have died before it could. Receivers know by its
	// ID that they have it.
	resent = time.Hour
	// staleAfter is when a notice that cannot be delivered is given up.
	staleAfter = 24 * time.Hour
	// sendTimeout is for one try.
	sendTimeout = 10 * time.Second
	// firstPause and longestPause are those between two tries.
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	// workers send at a time: one receiver that hangs holds up a few others, and no pass.
	workers = 4
)

// Outcomes of a notice, in the metric.
const (
	delivered = "delivered"
	failed    = "failed"
	dropped   = "dropped"
)

var noticesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "slipway_notifications_total",
	Help: "Notices about Releases, by outcome: delivered, failed (it is tried again), dropped (not delivered within a day).",
}, []string{"outcome"})

func init() {
	metrics.Registry.MustRegister(noticesTotal)
	for _, outcome := range []string{delivered, failed, dropped} {
		noticesTotal.WithLabelValues(outcome)
	}
}

// Sink is where notices go. An error means that it may not have arrived, and is tried again.
type Sink interface {
	Send(ctx context.Context, n Notice) error
}

// Notifier brings the notices of every Release to the sink, each at least once, oldest first for one Release. What waits is bounded:
// it is the Releases that wait, each once, and their notices are read off the object when it is their turn. A process that dies leaves
// them to the next leader, who tells those of the last hour again.
type Notifier struct {
	// Reader reads Releases, from the cache.
	Reader client.Reader
	Sink   Sink
	// Ours: this controller looks after the Release, and not another one, which tells of it, too. nil: it looks after all.
	Ours func(context.Context, *v1alpha1.Release) bool
	// Clock is time.Now outside tests.
	Clock func() time.Time

	once  sync.Once
	since time.Time // what is older was another process's to tell

	mu   sync.Mutex
	told map[types.NamespacedName]map[string]bool // the IDs of notices that are still there to be told
	came map[types.NamespacedName]time.Time       // of Releases that were another controller's: what is older was its to tell; zero while they are
}

// SetupWithManager starts it in a manager, for as long as that leads.
func (n *Notifier) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("notify").
		For(&v1alpha1.Release{}).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstPause, longestPause),
			RecoverPanic:            new(true),
		}).
		Complete(n)
}

// Reconcile tells what there is to tell of one Release. It stops at the first that does not arrive, to be called again.
func (n *Notifier) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	n.once.Do(func() { n.since = n.Clock().Add(-resent) })
	var rel v1alpha1.Release
	if err := n.Reader.Get(ctx, req.NamespacedName, &rel); err != nil {
		if client.IgnoreNotFound(err) == nil {
			n.keep(req.NamespacedName, nil)
			n.comes(req.NamespacedName, true)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if n.Ours != nil && !n.Ours(ctx, &rel) {
		n.goes(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	since := n.comes(req.NamespacedName, false)
	notices, before, now := Notices(&rel), n.of(req.NamespacedName), map[string]bool{}
	var err error
	for _, notice := range notices {
		if before[notice.ID] || err == nil && n.tell(ctx, notice, since, &err) {
			now[notice.ID] = true
		}
	}
	n.keep(req.NamespacedName, now)
	return ctrl.Result{}, err
}

// tell sends a notice, and reports whether that is done with.
func (n *Notifier) tell(ctx context.Context, notice Notice, since time.Time, failure *error) bool {
	if notice.At.Before(since) {
		return true
	}
	if n.Clock().Sub(notice.At) > staleAfter {
		noticesTotal.WithLabelValues(dropped).Inc()
		ctrl.LoggerFrom(ctx).Info("A notice could not be delivered for a day and is given up", "notice", notice.ID, "kind", notice.Kind)
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := n.Sink.Send(ctx, notice); err != nil {
		noticesTotal.WithLabelValues(failed).Inc()
		*failure = fmt.Errorf("telling that %s: %w", notice.Title(), err)
		return false
	}
	noticesTotal.WithLabelValues(delivered).Inc()
	return true
}

// goes notes that a Release is another controller's.
func (n *Notifier) goes(name types.NamespacedName) {
	n.keep(name, nil)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.came == nil {
		n.came = map[types.NamespacedName]time.Time{}
	}
	n.came[name] = time.Time{}
}

// comes is since when notices of a Release are ours to tell: from when this process began, or from when the Release came from another
// controller, and an hour before. One that is gone is forgotten.
func (n *Notifier) comes(name types.NamespacedName, gone bool) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, was := n.came[name]
	switch {
	case gone:
		delete(n.came, name)
		return n.since
	case !was:
		return n.since
	case at.IsZero():
		at = n.Clock().Add(-resent)
		n.came[name] = at
	}
	return at
}

// of are the IDs that were told of a Release.
func (n *Notifier) of(name types.NamespacedName) map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told[name]
}

// keep remembers what was told of those that the object still has: what it forgets is told no more.
func (n *Notifier) keep(name types.NamespacedName, ids map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told == nil {
		n.told = map[types.NamespacedName]map[string]bool{}
	}
	if ids == nil {
		delete(n.told, name)
		return
	}
	n.told[name] = ids
}
