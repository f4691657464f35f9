package kubestore

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/operator"
)

const crds = "../../config/crd/bases"

var (
	// Each is a call and a list on both sides; ten thousand, as make nightly compares, take a minute of the API server's time.
	operations = flag.Int("kubestore.operations", 2000, "how many random operations are compared with the API server")
	seed       = flag.Uint64("kubestore.seed", 1, "where the random operations come from")
)

// TestSameAsTheAPIServer makes random operations, good and bad, on a real API server and on a Store, and compares every
// answer, and what watches tell of them.
func TestSameAsTheAPIServer(t *testing.T) {
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDPaths: []string{crds}, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	config := plane.Config()
	config.QPS, config.Burst = -1, -1
	api, err := client.NewWithWatch(config, client.Options{Scheme: operator.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	store, err := New(operator.Scheme(), crds, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	wire, err := client.NewWithWatch(store.Config(), client.Options{Scheme: operator.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	c := &comparison{T: t, rng: rand.New(rand.NewPCG(*seed, 0)), answers: map[string]int{},
		sides: [2]*side{{client: api, seen: map[string][]client.Object{}}, {client: store, seen: map[string][]client.Object{}}}}
	for _, s := range c.sides {
		if err := s.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "same"}}); err != nil {
			t.Fatal(err)
		}
	}
	all, marked := watchAll(t, api)
	allHere, markedHere := watchAll(t, wire)
	for i := range *operations {
		c.number = i
		c.sides[1].client = []client.Client{store, wire}[i%2] // as Go calls, and over HTTP
		c.operation()
	}
	c.finish()
	c.compareWatches(all, allHere)
	c.compareWatches(marked, markedHere)
	t.Logf("answers: %v", c.answers)
	for _, must := range []string{"", "events", "Conflict", "Invalid", "NotFound", "AlreadyExists"} {
		if c.answers[must] < *operations/100 {
			t.Errorf("%d answers %q of %d: too few to compare", c.answers[must], must, *operations)
		}
	}
}

// side is one of the two APIs, with what a caller has read from it.
type side struct {
	client client.Client
	seen   map[string][]client.Object // by kind and name, as read at different times
}

type comparison struct {
	*testing.T
	rng     *rand.Rand
	sides   [2]*side
	number  int
	answers map[string]int // by reason
}

// operation makes one random call on both sides.
func (c *comparison) operation() {
	kind, name := c.rng.IntN(4), fmt.Sprintf("thing-%d", c.rng.IntN(3))
	age, dice := c.rng.IntN(4), c.rng.IntN(100)
	change := c.change(kind)
	var told [2]error
	var got [2]client.Object
	for i, s := range c.sides {
		object := s.remembered(kind, name, age)
		before := object.DeepCopyObject().(client.Object)
		switch {
		case dice < 20:
			object = fresh(kind, name)
			change(object)
			told[i] = s.client.Create(c.Context(), object)
		case dice < 45:
			change(object)
			told[i] = s.client.Update(c.Context(), object)
		case dice < 60:
			change(object)
			told[i] = s.client.Patch(c.Context(), object, client.MergeFrom(before))
		case dice < 67:
			change(object)
			told[i] = s.client.Patch(c.Context(), object, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		case dice < 77 && kind == 0:
			change(object)
			told[i] = s.client.Status().Update(c.Context(), object)
		case dice < 82:
			told[i] = s.client.Delete(c.Context(), object)
		case dice < 86:
			told[i] = s.client.Delete(c.Context(), object, client.Preconditions{UID: new(object.GetUID()), ResourceVersion: new(object.GetResourceVersion())})
		case dice < 88:
			told[i] = s.client.DeleteAllOf(c.Context(), object, client.InNamespace("same"), client.MatchingLabels{"mark": "b"})
			object = fresh(kind, name)
		default:
			object = fresh(kind, name)
			told[i] = s.client.Get(c.Context(), client.ObjectKeyFromObject(object), object)
		}
		if told[i] == nil && object.GetResourceVersion() != "" {
			s.remember(kind, name, object)
		}
		got[i] = object
	}
	if os.Getenv("TRACE") != "" {
		c.Logf("%d kind %d %s dice %d: %s | %s", c.number, kind, name, dice, words(told[0]), plain(got[0]))
	}
	c.compare(fmt.Sprintf("operation %d: kind %d, %s, dice %d", c.number, kind, name, dice), told, got)
	c.compareLists(kind)
}

func (c *comparison) compare(what string, told [2]error, got [2]client.Object) {
	c.Helper()
	c.answers[string(apierrors.ReasonForError(told[0]))]++
	if one, other := words(told[0]), words(told[1]); one != other {
		c.Fatalf("%s:\nthe API server says: %s\nthe store says:      %s\nAPI server: %v\nstore: %v", what, one, other, told[0], told[1])
	}
	if told[0] != nil {
		return
	}
	if one, other := plain(got[0]), plain(got[1]); one != other {
		c.Fatalf("%s:\nAPI server: %s\nstore:      %s", what, one, other)
	}
}

// compareLists compares everything that there is of a kind.
func (c *comparison) compareLists(kind int) {
	c.Helper()
	var all [2]string
	for i, s := range c.sides {
		list := lists[kind]()
		options := []client.ListOption{client.InNamespace("same")}
		if c.number%2 == 0 {
			options = append(options, client.MatchingLabels{"mark": "a"})
		}
		if err := s.client.List(c.Context(), list, options...); err != nil {
			c.Fatal(err)
		}
		all[i] = plainList(list)
	}
	if all[0] != all[1] {
		c.Fatalf("after operation %d there are\nAPI server: %s\nstore:      %s", c.number, all[0], all[1])
	}
}

var lists = []func() client.ObjectList{
	func() client.ObjectList { return &v1alpha1.ReleaseList{} },
	func() client.ObjectList { return &corev1.ConfigMapList{} },
	func() client.ObjectList { return &corev1.SecretList{} },
	func() client.ObjectList { return &appsv1.ControllerRevisionList{} },
}

// fresh is a lawful object of a kind.
func fresh(kind int, name string) client.Object {
	meta := metav1.ObjectMeta{Name: name, Namespace: "same"}
	switch kind {
	case 0:
		return &v1alpha1.Release{ObjectMeta: meta, Spec: v1alpha1.ReleaseSpec{
			Phase: v1alpha1.PhasePreview, Version: "v1", Replicas: 2,
			Image: v1alpha1.ImageSource{ID: "ami-0123456789abcdef0"},
			Template: v1alpha1.ServerTemplate{
				InstanceTypes: []v1alpha1.InstanceType{"t3.micro"}, SubnetIDs: []v1alpha1.SubnetID{"subnet-0123456789abcdef0"},
				SecurityGroupIDs: []v1alpha1.SecurityGroupID{"sg-0123456789abcdef0"},
			},
			LoadBalancers: v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{{Name: "edge", Classic: &v1alpha1.ClassicLoadBalancer{Name: "edge"}}}},
		}}
	case 1:
		return &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": "1"}}
	case 2:
		return &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"a": []byte("1")}}
	}
	return &appsv1.ControllerRevision{ObjectMeta: meta, Revision: 1, Data: runtime.RawExtension{Raw: []byte(`{"a":1}`)}}
}

// change picks a random edit, of metadata or of a kind's own fields.
func (c *comparison) change(kind int) func(client.Object) {
	if dice := c.rng.IntN(10); dice < 5 {
		return c.changeMeta()
	}
	n := c.rng.IntN(9)
	return func(object client.Object) {
		switch o := object.(type) {
		case *v1alpha1.Release:
			changeRelease(o, n)
		case *corev1.ConfigMap:
			o.Data, o.Immutable = map[string]string{"a": fmt.Sprint(n)}, new(n == 0)
		case *corev1.Secret:
			o.Data, o.Immutable = map[string][]byte{"a": {byte('0' + n)}}, new(n == 0)
		case *appsv1.ControllerRevision:
			o.Revision = int64(n)
			if n == 0 {
				o.Data.Raw = []byte(`{"a":2}`)
			}
		}
	}
}

func changeRelease(rel *v1alpha1.Release, n int) {
	switch n {
	case 0:
		rel.Spec.Replicas = 3
	case 1:
		rel.Spec.Replicas = -1
	case 2:
		rel.Spec.Version, rel.Spec.Phase = "v2", v1alpha1.PhaseLive
	case 3:
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhaseLive, "v2"
	case 4:
		rel.Spec.Phase, rel.Spec.Image.ID = "Sideways", "nonsense"
	case 5:
		rel.Status.Stage, rel.Status.Message = "Preparing", "waiting"
		rel.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "Waiting",
			LastTransitionTime: metav1.NewTime(time.Unix(1_700_000_000, 0))}}
	case 6:
		rel.Status = v1alpha1.ReleaseStatus{}
	case 7:
		rel.Spec.Template.SubnetIDs, rel.Spec.LoadBalancers.Production = nil, nil
	case 8:
		rel.Status.Conditions = []metav1.Condition{{Type: "Ready"}}
	}
}

// changeMeta picks a random edit of metadata.
func (c *comparison) changeMeta() func(client.Object) {
	edits := []func(client.Object){
		func(o client.Object) { o.SetLabels(map[string]string{"mark": "a"}) },
		func(o client.Object) { o.SetLabels(map[string]string{"mark": "b"}) },
		func(o client.Object) { o.SetLabels(map[string]string{"not a label": "b"}) },
		func(o client.Object) { o.SetAnnotations(map[string]string{"note": fmt.Sprint(c.number)}) },
		func(o client.Object) { o.SetFinalizers([]string{"slipway.dev/release"}) },
		func(o client.Object) { o.SetFinalizers([]string{"slipway.dev/release", "slipway.dev/other"}) },
		func(o client.Object) { o.SetFinalizers(nil) },
		func(o client.Object) { o.SetResourceVersion("") },
		func(o client.Object) { o.SetUID("00000000-dead-4000-8000-000000000000") },
		func(o client.Object) { o.SetGeneration(40) },
		func(client.Object) {},
	}
	return edits[c.rng.IntN(len(edits))]
}

func (s *side) remember(kind int, name string, object client.Object) {
	key := fmt.Sprint(kind, name)
	s.seen[key] = append(s.seen[key], object.DeepCopyObject().(client.Object))
}

// remembered is an object as it was read some time ago: age 0 and 1 are the last reading.
func (s *side) remembered(kind int, name string, age int) client.Object {
	all := s.seen[fmt.Sprint(kind, name)]
	if len(all) == 0 {
		return fresh(kind, name)
	}
	return all[max(0, len(all)-max(1, age))].DeepCopyObject().(client.Object)
}

// words are what a caller can tell errors apart by.
func words(err error) string {
	if err == nil {
		return "yes"
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err.Error()
	}
	text := fmt.Sprint(status.Status().Code, " ", status.Status().Reason)
	if status.Status().Details == nil {
		return text
	}
	causes := slices.Clone(status.Status().Details.Causes)
	slices.SortFunc(causes, func(a, b metav1.StatusCause) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
	})
	for _, cause := range slices.Compact(causes) { // some it says two and three times
		text += fmt.Sprintf("\n  %s: %s", cause.Field, cause.Message)
	}
	return text
}

// plain is an object without what differs between any two API servers.
func plain(object client.Object) string {
	o := object.DeepCopyObject().(client.Object)
	o.SetUID("")
	o.SetResourceVersion("")
	o.SetManagedFields(nil)
	o.SetCreationTimestamp(metav1.Time{})
	if !o.GetDeletionTimestamp().IsZero() {
		o.SetDeletionTimestamp(new(metav1.NewTime(time.Unix(1, 0).UTC())))
	}
	o.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	text, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func plainList(list client.ObjectList) string {
	var all []string
	switch l := list.(type) {
	case *v1alpha1.ReleaseList:
		for i := range l.Items {
			all = append(all, plain(&l.Items[i]))
		}
	case *corev1.ConfigMapList:
		for i := range l.Items {
			if l.Items[i].Name != "kube-root-ca.crt" {
				all = append(all, plain(&l.Items[i]))
			}
		}
	case *corev1.SecretList:
		for i := range l.Items {
			all = append(all, plain(&l.Items[i]))
		}
	case *appsv1.ControllerRevisionList:
		for i := range l.Items {
			all = append(all, plain(&l.Items[i]))
		}
	}
	return strings.Join(all, "\n")
}
