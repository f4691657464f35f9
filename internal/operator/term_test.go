package operator

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answers is a server.
type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func says(code int) answers {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Body: http.NoBody}, nil
	}
}

func request(method, path, body string) *http.Request {
	r, err := http.NewRequest(method, "http://kubernetes"+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return r
}

const (
	leases = "/apis/coordination.k8s.io/v1/namespaces/slipway/leases"
	lease  = leases + "/manager.slipway.dev"
	held   = `{"spec":{"holderIdentity":"me"}}`
	free   = `{"spec":{"holderIdentity":""}}`
)

// The term begins with a request that renews the lease, if it is answered well, and ends renewDeadline later, or with the lease.
func TestTerm(t *testing.T) {
	for _, row := range []struct {
		name               string
		method, path, body string
		server             answers
		after              time.Duration
		lasts              bool
	}{
		{"renewed", http.MethodPut, lease, held, says(200), 0, true},
		{"made", http.MethodPost, leases, held, says(201), 0, true},
		{"almost too old", http.MethodPut, lease, held, says(200), renewDeadline - time.Millisecond, true},
		{"too old", http.MethodPut, lease, held, says(200), renewDeadline, false},
		{"refused", http.MethodPut, lease, held, says(409), 0, false},
		{"unanswered", http.MethodPut, lease, held, func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") }, 0, false},
		{"read only", http.MethodGet, lease, held, says(200), 0, false},
		{"given back", http.MethodPut, lease, free, says(200), 0, false},
		{"another object", http.MethodPut, "/api/v1/namespaces/slipway/configmaps/x", held, says(200), 0, false},
		{"not a lease", http.MethodPut, lease, "{", says(200), 0, false},
	} {
		now := time.Now()
		one := &term{now: func() time.Time { return now }}
		response, err := renewals{row.server, one}.RoundTrip(request(row.method, row.path, row.body))
		if err == nil {
			_ = response.Body.Close()
		}
		now = now.Add(row.after)
		if _, err := one.permit(); (err == nil) != row.lasts || err != nil && !errors.Is(err, errNotLeading) {
			t.Errorf("%s: the permit says %v", row.name, err)
		}
	}
}

// over: the term has ended.
func over(t *term) bool {
	_, err := t.permit()
	return err != nil
}

// A renewal that is answered late counts from when it was asked for, and the lease's end from when it is asked for.
func TestTermCountsFromTheRequest(t *testing.T) {
	now := time.Now()
	one := &term{now: func() time.Time { return now }}
	slow := answers(func(r *http.Request) (*http.Response, error) {
		now = now.Add(renewDeadline + time.Second)
		return says(200)(r)
	})
	send := func(server answers, body string) {
		t.Helper()
		response, err := renewals{server, one}.RoundTrip(request(http.MethodPut, lease, body))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if send(slow, held); !over(one) {
		t.Error("the term lasts longer than the lease")
	}
	send(says(200), held)
	if _, err := one.permit(); err != nil {
		t.Fatal(err)
	}
	if send(says(500), free); !over(one) {
		t.Error("the lease may have been given back, and the term lasts")
	}
}

// A clock that stood still ends no term too late: the machine was suspended, or somebody set the time.
func TestTermEndsByEitherClock(t *testing.T) {
	began := time.Now()
	later := began.Round(0).Add(time.Minute) // has no monotonic reading, as if that clock had stood still
	one := &term{now: func() time.Time { return later }}
	if one.begins(began); !over(one) {
		t.Error("the wall clock tells of a minute, and the term lasts")
	}
	one.now = func() time.Time { return began.Add(time.Minute) }
	if one.begins(began); !over(one) {
		t.Error("the monotonic clock tells of a minute, and the term lasts")
	}
}

// Without a term nothing is written, and what only asks is let through.
func TestWritesWhileLeading(t *testing.T) {
	now := time.Now()
	one := &term{now: func() time.Time { return now }}
	for _, row := range []struct {
		method, path string
		asks         bool
	}{
		{http.MethodGet, "/apis/slipway.dev/v1alpha1/releases", true},
		{http.MethodPost, "/apis/authentication.k8s.io/v1/tokenreviews", true},
		{http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", true},
		{http.MethodPut, "/apis/slipway.dev/v1alpha1/namespaces/shop/releases/web/status", false},
		{http.MethodPatch, "/apis/slipway.dev/v1alpha1/namespaces/shop/releases/product-reviews", false},
		{http.MethodDelete, "/apis/apps/v1/namespaces/shop/controllerrevisions/web-1", false},
		{http.MethodPost, "/apis/events.k8s.io/v1/namespaces/shop/events", false},
	} {
		for _, leading := range []bool{false, true} {
			one.begins(map[bool]time.Time{true: now}[leading])
			for _, way := range []http.RoundTripper{whileLeading{says(200), one}, renewals{says(200), one}} {
				response, err := way.RoundTrip(request(row.method, row.path, "{}"))
				if err == nil {
					_ = response.Body.Close()
				}
				if passes := err == nil; passes != (leading || row.asks) {
					t.Errorf("%s %s by %T, leading %v: %v", row.method, row.path, way, leading, err)
				}
			}
		}
	}
}
