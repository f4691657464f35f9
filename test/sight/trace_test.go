package sight

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/internal/sight"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// canary is in the user data of every server, from a Secret.
const canary = "canary-5e1e77"

// show deploys v2 over v1 with everything watched, and gives what was seen of it.
func show(t *testing.T) (tracetest.SpanStubs, string, *prometheus.Registry) {
	t.Helper()
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	w := e2e.NewWorldUnder(t, kube, clock, e2e.Plain())
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))
	registry := prometheus.NewRegistry()
	calls, err := sight.NewAWS(registry, provider.Tracer(sight.Scope))
	if err != nil {
		t.Fatal(err)
	}
	w.Tracer, w.Watcher = provider.Tracer(sight.Scope), calls.Watch
	w.Restart()
	var lines bytes.Buffer
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})))
	w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "bootstrap"}, Data: map[string][]byte{
		"script": []byte("#!/bin/sh\n#localaws version=${SLIPWAY_VERSION} boot=2s configure=3s\nPASSWORD=" + canary + "\n"),
	}})
	w.Live(func(rel *v1alpha1.Release) {
		rel.Spec.Template.UserData = &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "bootstrap", Key: "script"}}
	})
	return kept.GetSpans(), lines.String(), registry
}

// has is the value of a span's attribute.
func has(span tracetest.SpanStub, key attribute.Key) string {
	for _, a := range span.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// A trace leads from the pass, which names Release, revision and stage, over the action and its reason to the call.
func TestSight(t *testing.T) {
	spans, lines, registry := show(t)
	byID := map[string]tracetest.SpanStub{}
	for _, span := range spans {
		byID[span.SpanContext.SpanID().String()] = span
	}
	found := map[string]string{}
	for _, span := range spans {
		if has(span, "rpc.system") != "aws-api" {
			continue
		}
		way := span.Name
		top := span
		for top.Parent.HasSpanID() {
			if top = byID[top.Parent.SpanID().String()]; top.Name == "" {
				break // its pass is over, and gave it up
			}
			way = top.Name + " > " + way
		}
		found[way] = has(top, "slipway.release") + " " + has(top, "slipway.version") + " " + has(top, "slipway.stage")
		if top.Name == "Reconcile Release" && (has(top, "slipway.release") == "" || has(top, "slipway.stage") == "") {
			t.Errorf("%s: the pass has %v", way, top.Attributes)
		}
	}
	for way, about := range map[string]string{
		"Reconcile Release > Observe > EC2.DescribeInstances":                                     " v2 Live",
		"Reconcile Release > Launch > EC2.RunInstances":                                           " v2 Preparing",
		"Reconcile Release > Register > Elastic Load Balancing.RegisterInstancesWithLoadBalancer": " v2 Promoting",
		"Reconcile Release > Deregister > Elastic Load Balancing v2.DeregisterTargets":            " v2 Promoting",
	} {
		if !strings.HasSuffix(found[way], about) || !strings.Contains(found[way], "/web ") {
			t.Errorf("%s: %q, want that it ends with %q; there are %v", way, found[way], about, found)
		}
	}

	actions := 0
	for line := range strings.Lines(lines) {
		if !strings.Contains(line, `"msg":"Action`) {
			continue
		}
		actions++
		for _, want := range []string{`"release":"`, `"revision":"web-`, `"version":"v`, `"stage":"`, `"traceID":"`, `"why":"`} {
			if strings.Count(line, want) != 1 {
				t.Errorf("%d times %s in %s", strings.Count(line, want), want, line)
			}
		}
	}
	if actions < 6 {
		t.Errorf("%d lines about actions in\n%s", actions, lines)
	}

	if everything := fmt.Sprintf("%+v", spans) + lines; strings.Contains(everything, canary) || strings.Contains(everything, "PASSWORD") {
		t.Error("a secret is in a span or a log line")
	}
	if n := testutil.CollectAndCount(registry, "slipway_aws_request_duration_seconds"); n < 8 {
		t.Errorf("%d operations are timed", n)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// Nothing is set up unless somebody asks for it, and what cannot be done is said at once.
func TestTracingIsOffUnlessAskedFor(t *testing.T) {
	for _, row := range []struct {
		name    string
		env     map[string]string
		records bool
		fails   bool
	}{
		{"nothing is set", nil, false, false},
		{"an endpoint", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, true, false},
		{"one for traces", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, true, false},
		{"switched off", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, false, false},
		{"no traces", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"}, false, false},
		{"another protocol", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, true},
		{"another exporter", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "zipkin"}, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name, value := range row.env {
				t.Setenv(name, value)
			}
			provider, end, err := sight.Tracing(t.Context(), "v1")
			if (err != nil) != row.fails {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			_, span := provider.Tracer(sight.Scope).Start(t.Context(), "one")
			if span.IsRecording() != row.records {
				t.Errorf("records: %v", span.IsRecording())
			}
			if err := end(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
