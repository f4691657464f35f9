package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/test/kubestore"
)

// noCloud opens no account: every pass ends soon, and says so.
type noCloud struct{}

func (noCloud) Open(cloud.Class) (*cloud.Account, error) { return nil, errors.New("no account") }
func (noCloud) Watch(context.Context, cloud.ServerWatch) {}

// cluster is an API server that notes what a manager asks of it.
type cluster struct {
	*kubestore.Store

	mu      sync.Mutex
	lists   []string               // the kinds that were listed in all namespaces, as informers do at first
	passes  []string               // whose Releases were read, one after the other: each pass begins with that
	asked   map[string][]time.Time // when what fails was asked for, by method and kind
	shut    chan struct{}          // while it is open, a Release that is read is waited for
	fails   bool                   // nothing of one object is answered
	managed bool                   // objects have managedFields, which the store has not
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	store, err := kubestore.New(Scheme(), "../../config/crd/bases", time.Now)
	c := &cluster{Store: store, asked: map[string][]time.Time{}, shut: make(chan struct{})}
	close(c.shut)
	if err == nil {
		err = errors.Join(store.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}),
			store.Create(t.Context(), &v1alpha1.ReleaseClass{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.ReleaseClassSpec{
				Region: "eu-west-1", AccountID: "111122223333", AllowedNamespaces: &v1alpha1.NamespaceSelector{}, Pools: []v1alpha1.Pattern{"*"},
			}}))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	folder, last := path.Split(r.URL.Path)
	kind := path.Base(folder)
	one := kind == "releases" || kind == "releaseclasses"
	c.mu.Lock()
	shut, fails := c.shut, c.fails && one
	switch {
	case fails:
		c.asked[r.Method+" "+kind] = append(c.asked[r.Method+" "+kind], time.Now())
	case r.Method == http.MethodGet && kind == "releases":
		c.passes = append(c.passes, last)
	case r.Method == http.MethodGet && !strings.Contains(folder, "/namespaces/") && r.URL.Query().Get("watch") == "":
		c.lists = append(c.lists, last)
	}
	c.mu.Unlock()
	if fails {
		return &http.Response{StatusCode: http.StatusInternalServerError, Body: http.NoBody, Request: r}, nil
	}
	if r.Method == http.MethodGet && kind == "releases" {
		<-shut
	}
	response, err := c.Config().Transport.RoundTrip(r)
	if err == nil && c.managed && last == "releases" && r.URL.Query().Get("watch") == "" {
		err = manage(response)
	}
	return response, err
}

// manage gives the objects of a list managedFields.
func manage(response *http.Response) error {
	list := unstructured.UnstructuredList{}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, list.UnmarshalJSON(body)); err != nil {
		return err
	}
	for i := range list.Items {
		list.Items[i].SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationUpdate}})
	}
	body, err = json.Marshal(&list)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return err
}

// start starts a manager as main does, and ends it with the test.
func (c *cluster) start(t *testing.T, changes ...func(*Options)) ctrl.Manager {
	t.Helper()
	config := c.Config()
	config.Transport = c
	o := Options{MetricsAddress: "0", ProbeAddress: "0", ClusterName: "test", Concurrent: 1, Successor: true}
	for _, change := range changes {
		change(&o)
	}
	mgr, err := New(t.Context(), config, noCloud{}, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, end := context.WithCancel(context.Background())
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return mgr
}

// goOn lets time pass, and whoever works then finish.
func goOn(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// declare makes Releases at rest, as far as their status tells.
func (c *cluster) declare(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		rel := &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: named(i), Finalizers: []string{v1alpha1.FinalizerRelease}},
			Spec: v1alpha1.ReleaseSpec{
				ClassName: "default", Phase: v1alpha1.PhasePreview, Version: "v1", Replicas: 1, Image: v1alpha1.ImageSource{ID: "ami-0123456789abcdef0"},
				Template: v1alpha1.ServerTemplate{InstanceTypes: []v1alpha1.InstanceType{"t3.micro"}, SubnetIDs: []v1alpha1.SubnetID{"subnet-0a11ce000000000a1"}},
				LoadBalancers: v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{
					{Name: "edge", Classic: &v1alpha1.ClassicLoadBalancer{Name: "edge"}},
				}},
			},
		}
		if err := c.Create(t.Context(), rel); err != nil {
			t.Fatal(err)
		}
		rel.Status.Stage, rel.Status.ObservedGeneration = "Settled", rel.Generation
		rel.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonComplete, LastTransitionTime: metav1.Now()},
		}
		if err := c.Status().Update(t.Context(), rel); err != nil {
			t.Fatal(err)
		}
	}
}

func named(i int) string { return fmt.Sprintf("web-%04d", i) }

// asks sets a phase, as a person does.
func (c *cluster) asks(t *testing.T, name string, phase v1alpha1.Phase) {
	t.Helper()
	rel := &v1alpha1.Release{}
	err := c.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, rel)
	rel.Spec.Phase, rel.Spec.PhaseFor = phase, string(rel.Spec.Version)
	if err = errors.Join(err, c.Update(t.Context(), rel)); err != nil {
		t.Fatal(err)
	}
}

// close holds up the passes that begin from now on, until open is called; what is asked for by then waits in the queue.
func (c *cluster) close() (open func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shut := make(chan struct{})
	c.shut = shut
	return sync.OnceFunc(func() { close(shut) })
}

// begun are the passes so far.
func (c *cluster) begun() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.passes)
}

func (c *cluster) listed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.lists)
}

// A thousand Releases are looked at because the manager starts, and later because their time has come. Whoever asks for something
// meanwhile waits for the pass that is under way, and for none of theirs; and who asks for the way back, not even for the others who ask.
func TestAThousandPassesDelayNobody(t *testing.T) {
	const crowd = 1000
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.declare(t, crowd)
		open := c.close()
		c.start(t)
		for wave, last := range []string{named(crowd - 1), named(crowd - 3)} {
			back := named(crowd - 2 - 2*wave)
			goOn(5 * time.Minute)
			before := len(c.begun())
			if before == 0 {
				t.Fatal("nobody works")
			}
			c.asks(t, last, v1alpha1.PhaseLive)
			c.asks(t, back, v1alpha1.PhaseRolledBack)
			synctest.Wait()
			open()
			goOn(time.Second)
			after := c.begun()[before:]
			if len(after) < crowd/2 {
				t.Errorf("wave %d: only %d passes waited", wave, len(after))
			}
			if first := after[:2]; !slices.Equal(first, []string{back, last}) {
				t.Errorf("wave %d: %v come first, and %s and %s were asked for; they are number %d and %d", wave, first, back, last,
					slices.Index(after, back)+1, slices.Index(after, last)+1)
			}
			open = c.close()
		}
		open() // or the pass under way never ends
	})
}

// However often a pass over one object fails, the next comes within 30 s.
func TestFailuresPauseAtMost(t *testing.T) {
	const most = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.declare(t, 1)
		c.fails = true
		c.start(t)
		goOn(20 * time.Minute)
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, what := range []string{"GET releases", "PATCH releaseclasses"} {
			longest := time.Duration(0)
			for i, at := range c.asked[what][min(1, len(c.asked[what])):] {
				longest = max(longest, at.Sub(c.asked[what][i]))
			}
			if longest < most/2 || longest > most {
				t.Errorf("%s: %d times, at most %s apart; want at most %s, and no storm", what, len(c.asked[what]), longest, most)
			}
		}
	})
}

// One that waits for the lease has seen everything by then, and looks at no Release. It is in no bubble: what tells of leaders never ends.
func TestWhoWaitsIsWarm(t *testing.T) {
	g := NewWithT(t)
	c := newCluster(t)
	c.declare(t, 1)
	other, now, seconds := "another", metav1.NowMicro(), int32(time.Hour/time.Second)
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "manager.slipway.dev"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &other, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
	}
	g.Expect(c.Create(t.Context(), lease)).To(Succeed())
	c.start(t, func(o *Options) { o.LeaderElect, o.LeaderElectionNamespace = true, "shop" })
	g.Eventually(c.listed, "30s", "10ms").Should(ContainElements("releases", "releaseclasses", "controllerrevisions"))
	g.Expect(c.begun()).To(BeEmpty(), "it looks at Releases while another leads")
	warm := c.listed()
	lease.Spec.HolderIdentity = new(string)
	g.Expect(c.Update(t.Context(), lease)).To(Succeed())
	g.Eventually(c.begun, "30s", "10ms").ShouldNot(BeEmpty())
	g.Expect(c.listed()).To(Equal(warm), "what it lists when it leads")
}

// Who wrote which field is most of a large object, and nobody here reads it.
func TestCacheHoldsNoManagedFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		c.declare(t, 1)
		c.managed = true
		defer c.close()() // a pass would write, and what is watched has none
		mgr := c.start(t)
		goOn(time.Second)
		rel, there := &v1alpha1.Release{}, &v1alpha1.ReleaseList{}
		key := client.ObjectKey{Namespace: "shop", Name: named(0)}
		if err := errors.Join(mgr.GetClient().Get(t.Context(), key, rel), mgr.GetAPIReader().List(t.Context(), there)); err != nil {
			t.Fatal(err)
		}
		if len(there.Items) != 1 || len(there.Items[0].ManagedFields) == 0 {
			t.Fatalf("the API server gives %+v", there.Items)
		}
		if len(rel.ManagedFields) > 0 {
			t.Errorf("the cache holds %+v", rel.ManagedFields)
		}
	})
}
