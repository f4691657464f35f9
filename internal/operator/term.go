package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
)

// How the lease works: another process may take it leaseDuration after it saw it renewed last. The one that holds it renews it
// every retryPeriod, and makes no change any more when that last worked renewDeadline ago. One that waits asks for it every 1 to 2.2
// retryPeriods (client-go's jitter): so long nobody works after a leader gave it back. After one was killed it is 14 to 19.4 s: up to 1 s
// since it renewed the lease, up to 2.2 s until the other saw that, leaseDuration, up to 2.2 s until it asks again.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = time.Second
)

// term is how long this process may change something: until a while after it renewed the lease, long before another one can have it.
// controller-runtime ends a process that lost the lease, but it has to find that out first: one that was frozen goes on with what it
// had decided to do, and one that waits for the API server may wait past the lease's end.
type term struct {
	now func() time.Time

	mu      sync.Mutex
	renewed time.Time // when the request was begun that renewed the lease last; zero before, and once it was given back
}

// errNotLeading keeps a change back.
var errNotLeading = errors.New("this process may not lead any more: it has not renewed its lease lately")

// permit tells how long the term lasts if the lease is not renewed any more, and is an error when it is over. A machine that was
// suspended has a monotonic clock that stood still, and time may have been set on one that was not: the term ends by whichever clock
// comes first.
func (t *term) permit() (time.Duration, error) {
	t.mu.Lock()
	renewed := t.renewed
	t.mu.Unlock()
	if renewed.IsZero() {
		return 0, errNotLeading
	}
	now := t.now()
	age := max(now.Sub(renewed), now.Round(0).Sub(renewed.Round(0)))
	if age >= renewDeadline {
		return 0, fmt.Errorf("%w (for %s)", errNotLeading, age.Round(time.Second))
	}
	return renewDeadline - age, nil
}

// begins notes a renewal.
func (t *term) begins(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewed = at
}

// elections is the configuration for leader election, by which the term hears of renewals. Its events are writes like others.
func (t *term) elections(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType = "application/json" // to be read here
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return renewals{next, t} })
	return config
}

// renewals looks at the requests about the lease.
type renewals struct {
	http.RoundTripper
	term *term
}

// RoundTrip implements http.RoundTripper.
func (r renewals) RoundTrip(request *http.Request) (*http.Response, error) {
	holder, about := holderIn(request)
	if !about {
		return whileLeading(r).RoundTrip(request)
	}
	if holder == "" { // it is given back, whatever becomes of the request
		r.term.begins(time.Time{})
	}
	began := r.term.now()
	response, err := r.RoundTripper.RoundTrip(request)
	if err == nil && holder != "" && response.StatusCode/100 == 2 {
		r.term.begins(began)
	}
	return response, err
}

// holderIn is who holds the lease by a request that writes one.
func holderIn(request *http.Request) (holder string, about bool) {
	if reads(request) || request.GetBody == nil || !strings.Contains(request.URL.Path, "/leases") {
		return "", false
	}
	body, err := request.GetBody()
	if err != nil {
		return "", false
	}
	var lease coordinationv1.Lease
	if json.NewDecoder(body).Decode(&lease) != nil || lease.Spec.HolderIdentity == nil {
		return "", false
	}
	return *lease.Spec.HolderIdentity, true
}

// guarded is the configuration for everything else: no write is sent when the term is over.
func (t *term) guarded(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return whileLeading{next, t} })
	return config
}

// whileLeading lets requests through that change nothing, and others while the term lasts.
type whileLeading struct {
	http.RoundTripper
	term *term
}

// RoundTrip implements http.RoundTripper.
func (w whileLeading) RoundTrip(request *http.Request) (*http.Response, error) {
	if !reads(request) {
		if _, err := w.term.permit(); err != nil {
			return nil, err
		}
	}
	return w.RoundTripper.RoundTrip(request)
}

// reads: the request changes nothing. To ask who somebody is and what he may do, as the metrics endpoint does, is a POST.
func reads(request *http.Request) bool {
	path, asks := request.URL.Path, request.Method == http.MethodPost
	return request.Method == http.MethodGet ||
		asks && (strings.HasPrefix(path, "/apis/authentication.k8s.io/") || strings.HasPrefix(path, "/apis/authorization.k8s.io/"))
}
