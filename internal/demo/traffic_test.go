package demo

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// versioned answers with a version, or with a status.
func versioned(t *testing.T, version string, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if version != "" {
			w.Header().Set("X-Version", version)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestTraffic(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	began := time.Now()
	traffic := startTraffic(map[string]string{
		"good": versioned(t, v2, http.StatusOK), "sick": versioned(t, v1, http.StatusBadGateway), "dead": dead.URL,
	}, 100)
	enough := func() bool {
		_, n := traffic.since(0)
		return n >= 100
	}
	for deadline := time.After(time.Minute); !enough(); {
		select {
		case <-deadline:
			t.Fatal("not 100 answers in a minute")
		case <-time.After(10 * time.Millisecond):
		}
	}
	answers, sent := traffic.stop()
	ended := time.Now()
	if len(sent.listeners) != 3 || sent.began.Before(began) || sent.ended.Before(sent.began) || sent.ended.After(ended) {
		t.Errorf("sent to %v from %s to %s", sent.listeners, sent.began, sent.ended)
	}
	after := tally{}
	for _, a := range answers {
		if a.began.Before(began) || a.ended.After(ended) || a.ended.Before(a.began) {
			t.Errorf("an answer from %s to %s, in a test from %s to %s", a.began, a.ended, began, ended)
		}
		switch {
		case a.listener == "good" && (a.version != v2 || a.failure != ""),
			a.listener == "sick" && a.failure != "HTTP 502 Bad Gateway",
			a.listener == "dead" && !strings.Contains(a.failure, "refused"):
			t.Errorf("%+v", a)
		}
		after[a.listener]++
	}
	if after["good"] == 0 || after["sick"] == 0 || after["dead"] == 0 {
		t.Errorf("answers: %s", after)
	}
	if got := tallyOf([]answer{{version: v1}, {version: v2}, {version: v1}, {failure: "x", version: v1}}).String(); got != "failed 1, v1 2, v2 1" {
		t.Errorf("tally %q", got)
	}
}

func TestProbe(t *testing.T) {
	web := &http.Client{}
	var turn atomic.Int64
	mixed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Version", v1)
		if turn.Add(1) == probes { // the last one is another
			w.Header().Set("X-Version", v2)
		}
	}))
	defer mixed.Close()
	for name, test := range map[string]struct {
		url, version string
		want         string
	}{
		"the version":               {versioned(t, v1, http.StatusOK), v1, ""},
		"another version":           {versioned(t, v2, http.StatusOK), v1, "v2 answered"},
		"another version at times":  {mixed.URL, v1, "v2 answered"},
		"nobody, as it should be":   {versioned(t, "", http.StatusServiceUnavailable), "", ""},
		"nobody":                    {versioned(t, "", http.StatusServiceUnavailable), v1, "nobody answered"},
		"somebody, where nobody is": {versioned(t, v1, http.StatusOK), "", "v1 answered"},
		"a sick server":             {versioned(t, v1, http.StatusInternalServerError), v1, "HTTP 500"},
	} {
		if got := unlike(t.Context(), web, test.url, test.version); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
