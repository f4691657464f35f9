package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"slipway.dev/slipway/api/v1alpha1"
)

// receiver is an HTTP endpoint on loopback that keeps the events that it gave a receipt for.
type receiver struct {
	mu     sync.Mutex
	answer int // 0: 202
	events []cloudevents.Event
	bad    []error
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answer != 0 {
		w.WriteHeader(r.answer)
		return
	}
	event, err := cloudevents.NewEventFromHTTPRequest(req)
	if err != nil {
		r.bad = append(r.bad, err)
		return
	}
	r.events = append(r.events, *event)
	w.WriteHeader(http.StatusAccepted)
}

func (r *receiver) say(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = status
}

func (r *receiver) ids() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		ids = append(ids, e.ID())
	}
	return ids
}

// desk is a Notifier with an API server and a receiver.
type desk struct {
	*Notifier
	client.Client
	*receiver
	url string
	now time.Time
}

func newDesk(t *testing.T, rel *v1alpha1.Release) *desk {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	d := &desk{receiver: &receiver{}, now: noon}
	server := httptest.NewServer(d.receiver)
	t.Cleanup(server.Close)
	d.url = server.URL
	d.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(rel).WithStatusSubresource(rel).Build()
	d.restart(t)
	return d
}

// restart is another process.
func (d *desk) restart(t *testing.T) {
	t.Helper()
	sink, err := NewCloudEvents(d.url+"/hook?token=canary", "cluster-1")
	if err != nil {
		t.Fatal(err)
	}
	d.Notifier = &Notifier{Reader: d.Client, Sink: sink, Clock: func() time.Time { return d.now }}
}

func (d *desk) look(t *testing.T) error {
	t.Helper()
	_, err := d.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "shop", Name: "web"}})
	return err
}

func TestEventsArrive(t *testing.T) {
	rel := deployed(v1alpha1.ReleaseStatus{Stage: "Live", AllowedPhases: []v1alpha1.Phase{"RolledBack"}, History: []v1alpha1.HistoryEntry{
		{Revision: "web-2", Version: "v2", Live: at(0)}, {Revision: "web-1", Version: "v1", Live: at(-7200)},
	}})
	d := newDesk(t, rel)
	if err := d.look(t); err != nil {
		t.Fatal(err)
	}
	if len(d.events) != 1 || len(d.bad) > 0 {
		t.Fatalf("%d events, %v", len(d.events), d.bad) // that of two hours ago was told by another process
	}
	e := d.events[0]
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	got := []string{e.SpecVersion(), e.Type(), e.Source(), e.Subject(), e.DataContentType(), e.ID(), e.Time().UTC().String()}
	want := []string{"1.0", "dev.slipway.release.live", "/slipway.dev/clusters/cluster-1/namespaces/shop/releases/web", "shop/web", "application/json",
		fmt.Sprintf("uid-1/live/web-2/Live/%d", noon.Unix()), noon.String()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var data map[string]string
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{
		"namespace": "shop", "release": "web", "revision": "web-2", "version": "v2", "stage": "Live", "reason": "Live",
		"message": "version v2 serves production", "purpose": "only to go back to the version before", "command": "kubectl slipway rollback web -n shop",
		"kubectl": `kubectl -n shop patch release web --type merge -p '{"spec":{"phase":"RolledBack","phaseFor":"v2"}}'`,
	}, data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What does not arrive is tried again, in order, and what arrived is not sent again by the same process, but by the next.
func TestEveryNoticeArrivesAtLeastOnce(t *testing.T) {
	rel := deployed(v1alpha1.ReleaseStatus{History: []v1alpha1.HistoryEntry{
		{Revision: "web-2", Version: "v2", Live: at(1), Ended: at(2), Verdict: v1alpha1.VerdictRolledBack},
	}})
	d := newDesk(t, rel)
	d.now = noon.Add(3 * time.Second)
	failures := func() float64 { return testutil.ToFloat64(noticesTotal.WithLabelValues(failed)) }
	before := failures()
	d.say(http.StatusServiceUnavailable)
	err := d.look(t)
	if err == nil || len(d.ids()) != 0 || failures() != before+1 {
		t.Fatalf("error %v, received %v, failures %v", err, d.ids(), failures()-before)
	}
	if strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v: should tell the answer and not the URL", err)
	}
	d.say(0)
	want := []string{fmt.Sprintf("uid-1/live/web-2/Live/%d", noon.Unix()+1), fmt.Sprintf("uid-1/rolledback/web-2/RolledBack/%d", noon.Unix()+2)}
	for range 2 {
		if err := d.look(t); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, d.ids()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	d.restart(t)
	if err := d.look(t); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(want, want...), d.ids()); diff != "" {
		t.Errorf("the next process (-want +got):\n%s", diff)
	}
}

// What cannot be delivered for a day is given up, and told.
func TestOldNoticesAreDropped(t *testing.T) {
	d := newDesk(t, deployed(v1alpha1.ReleaseStatus{History: []v1alpha1.HistoryEntry{{Revision: "web-2", Live: at(1)}}}))
	d.say(http.StatusNotFound)
	if err := d.look(t); err == nil {
		t.Fatal("a sink that answers 404 took it")
	}
	before := testutil.ToFloat64(noticesTotal.WithLabelValues(dropped))
	d.now = noon.Add(25 * time.Hour)
	for range 2 {
		if err := d.look(t); err != nil {
			t.Fatal(err)
		}
	}
	if n := testutil.ToFloat64(noticesTotal.WithLabelValues(dropped)) - before; n != 1 || len(d.ids()) != 0 {
		t.Errorf("dropped %v, received %v", n, d.ids())
	}
}

// What is another controller's that one tells of. When a Release comes from there, its last hour is told, for that one may have gone before it
// could; what is older is neither told nor counted as lost.
func TestAReleaseThatComesFromAnotherController(t *testing.T) {
	d := newDesk(t, deployed(v1alpha1.ReleaseStatus{History: []v1alpha1.HistoryEntry{
		{Revision: "web-3", Live: at(25 * 3600)}, {Revision: "web-2", Live: at(1)},
	}}))
	ours := false
	d.Ours = func(context.Context, *v1alpha1.Release) bool { return ours }
	if err := d.look(t); err != nil || len(d.ids()) != 0 {
		t.Fatalf("told of another's: %v, %v", d.ids(), err)
	}
	ours, d.now = true, noon.Add(25*time.Hour+time.Minute)
	before := testutil.ToFloat64(noticesTotal.WithLabelValues(dropped))
	want := []string{fmt.Sprintf("uid-1/live/web-3/Live/%d", noon.Unix()+25*3600)}
	for range 2 {
		if err := d.look(t); err != nil || !cmp.Equal(want, d.ids()) {
			t.Errorf("told %v (%v), not %v", d.ids(), err, want)
		}
	}
	if n := testutil.ToFloat64(noticesTotal.WithLabelValues(dropped)) - before; n != 0 {
		t.Errorf("%v are counted as dropped", n)
	}
}

// Nothing is kept of a Release that is gone, nor of notices that its status has forgotten.
func TestNothingIsKeptOfWhatIsGone(t *testing.T) {
	rel := deployed(v1alpha1.ReleaseStatus{History: []v1alpha1.HistoryEntry{{Revision: "web-2", Live: at(1)}}})
	d := newDesk(t, rel)
	for _, step := range []func() error{
		func() error { return nil },
		func() error {
			rel.Status = v1alpha1.ReleaseStatus{}
			return d.Status().Update(t.Context(), rel)
		},
		func() error { return d.Delete(t.Context(), rel) },
	} {
		if err := errors.Join(step(), d.look(t)); err != nil {
			t.Fatal(err)
		}
		t.Log(d.told)
	}
	if len(d.told)+len(d.came) != 0 {
		t.Errorf("kept: %v, %v", d.told, d.came)
	}
}

// A sink that hangs is given up after a while, so that others get their turn.
func TestASinkThatHangsIsGivenUp(t *testing.T) {
	n := &Notifier{Clock: func() time.Time { return noon }, Sink: hangs{}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	var err error
	if n.tell(ctx, Notice{At: noon}, time.Time{}, &err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

type hangs struct{}

func (hangs) Send(ctx context.Context, _ Notice) error {
	<-ctx.Done()
	return ctx.Err()
}

// Whoever is sent elsewhere would ask for that page without the event: a redirection is no receipt.
func TestARedirectionIsNoReceipt(t *testing.T) {
	for code, arrives := range map[int]bool{http.StatusMovedPermanently: false, http.StatusFound: false, http.StatusPermanentRedirect: true} {
		got := ""
		pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hook" {
				http.Redirect(w, r, "/elsewhere", code)
				return
			}
			got = r.Method + " " + r.Header.Get("ce-id")
		}))
		defer pages.Close()
		sink, err := NewCloudEvents(pages.URL+"/hook", "c")
		if err != nil {
			t.Fatal(err)
		}
		err = sink.Send(t.Context(), Notice{ID: "1", Release: "web", At: noon})
		switch {
		case arrives && (err != nil || got != "POST 1"):
			t.Errorf("after a %d came %q, and the sink says %v", code, got, err)
		case !arrives && (err == nil || !strings.Contains(err.Error(), fmt.Sprint(code))):
			t.Errorf("after a %d the sink says %v", code, err)
		}
	}
}

func TestSinkURLs(t *testing.T) {
	for target, good := range map[string]bool{
		"http://127.0.0.1:8080/x": true, "https://events.example.com": true, "": false, "events.example.com": false, "ftp://x/": false, "http://": false, "http://[": false,
	} {
		if err := CheckURL(target); (err == nil) != good || err != nil && target != "" && strings.Contains(err.Error(), target+"/") {
			t.Errorf("%s: %v", target, err)
		}
	}
	sink, err := NewCloudEvents("http://user:canary@127.0.0.1:1/canary", "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Send(t.Context(), Notice{ID: "1", Release: "web", At: noon}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

func TestMetricIsWellNamed(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(noticesTotal)
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
