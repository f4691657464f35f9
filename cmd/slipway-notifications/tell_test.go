package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/notify"
)

// sink is a webhook on loopback.
type sink struct {
	mu    sync.Mutex
	got   []string
	fails bool
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	s.got = append(s.got, r.Header.Get("Authorization")+" "+string(body))
}

func (s *sink) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// webhook is the service of a sink, which is given a token of the Secret.
func webhook(server *httptest.Server) string {
	return "url: " + server.URL + "\nheaders: [{name: Authorization, value: $token}]\n"
}

// named are the settings as config/default names them.
var named = settings{"slipway-system", "slipway-notifications-cm", "slipway-notifications-secret"}

// shipped is the ConfigMap of config/notifications, by the name that kustomize gives it.
func shipped(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	text, err := os.ReadFile("../../config/notifications/configmap.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cm corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &cm); err != nil {
		t.Fatal(err)
	}
	cm.Name, cm.Namespace = named.configMap, named.namespace
	return &cm
}

// triggers are those of the ConfigMap, by the kind of notice that they send.
func triggers(cm *corev1.ConfigMap) map[string]string {
	found := map[string]string{}
	for key, text := range cm.Data {
		if name, is := strings.CutPrefix(key, "trigger."); is {
			var conditions []struct{ Send []string }
			if yaml.Unmarshal([]byte(text), &conditions) == nil && len(conditions) == 1 && len(conditions[0].Send) == 1 {
				found[conditions[0].Send[0]] = name
			}
		}
	}
	return found
}

// busy is a Release of which there is something of every kind to tell.
func busy(subscribed map[string]string) *v1alpha1.Release {
	at := metav1.NewTime(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	entry := func(verdict v1alpha1.Verdict) v1alpha1.HistoryEntry {
		return v1alpha1.HistoryEntry{Revision: "web-2", Version: "v2", Live: &at, Ended: &at, Verdict: verdict}
	}
	condition := func(kind, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: "because of " + reason, LastTransitionTime: at}
	}
	return &v1alpha1.Release{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Release"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-1", Annotations: subscribed},
		Spec:       v1alpha1.ReleaseSpec{Version: "v2"},
		Status: v1alpha1.ReleaseStatus{
			Stage: "Preview", AllowedPhases: []v1alpha1.Phase{"Live", "RolledBack"}, Candidate: &v1alpha1.FleetStatus{Revision: "web-2", Version: "v2"},
			Conditions: []metav1.Condition{condition("Stalled", "AccessDenied"), condition("Blind", "PoolUnreadable"), condition("AwaitingDecision", "PreviewReady")},
			History:    []v1alpha1.HistoryEntry{entry("Completed"), entry("RolledBack"), entry("PromotionFailed"), entry("AutoRolledBack")},
		},
	}
}

func object(t *testing.T, rel *v1alpha1.Release) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(rel)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}

// await waits for a condition.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: in vain", what)
		case <-tick.C:
		}
	}
}

// Who subscribes as with Argo gets every kind of notice once, with the command to type; another deploy is told again.
func TestSubscribersAreTold(t *testing.T) {
	cm, receiver := shipped(t), &sink{}
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	cm.Data["service.webhook.sink"] = webhook(server)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: cm.Namespace, Name: named.secret}, Data: map[string][]byte{"token": []byte("canary")}}

	subscribed, byKind := map[string]string{}, triggers(cm)
	for _, kind := range notify.Kinds() {
		if byKind[string(kind)] == "" {
			t.Fatalf("no trigger sends %s: %v", kind, byKind)
		}
		subscribed["notifications.argoproj.io/subscribe."+byKind[string(kind)]+".sink"] = ""
	}
	resource := v1alpha1.GroupVersion.WithResource("releases")
	rel := busy(subscribed)
	quiet := busy(nil)
	quiet.Name, quiet.UID = "quiet", "uid-2"
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{resource: "ReleaseList"}, object(t, rel), object(t, quiet))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tell(ctx, client, fake.NewClientset(cm, secret), named) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	all := len(notify.Kinds())
	await(t, "every kind of notice", func() bool { return len(receiver.messages()) >= all })
	stored := func() *unstructured.Unstructured {
		got, err := client.Resource(resource).Namespace("shop").Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	await(t, "the engine's own annotation", func() bool { return stored().GetAnnotations()["notified.notifications.argoproj.io"] != "" })
	for kind, notice := range notify.Current(rel) {
		told := slices.ContainsFunc(receiver.messages(), func(m string) bool {
			return strings.HasPrefix(m, "canary ") && strings.Contains(m, notice.Title()) && strings.Contains(m, notice.Purpose+": "+notice.Command) && strings.Contains(m, notice.Message)
		})
		if !told {
			t.Errorf("%s: %q is missing from %q", kind, notice.Title(), receiver.messages())
		}
	}

	// The same once more is nothing new; another version is.
	next := busy(stored().GetAnnotations())
	next.Status.Candidate.Revision, next.Status.Candidate.Version = "web-3", "v3"
	next.Status.History = nil
	if _, err := client.Resource(resource).Namespace("shop").Update(t.Context(), object(t, next), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "three notices about v3", func() bool { return len(receiver.messages()) >= all+3 })
	for _, message := range receiver.messages()[all:] {
		if !strings.Contains(message, "v3") {
			t.Errorf("told once more: %q", message)
		}
	}
}
