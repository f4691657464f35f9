package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	. "github.com/onsi/gomega"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector receives traces on loopback, by OTLP over HTTP.
type collector struct {
	mu       sync.Mutex
	received []*tracev1.ResourceSpans
}

// open serves until the test ends. The manager of this process sends its spans there from now on, and all of them when it ends: a
// batch is never full, and its time never over.
func (c *collector) open(setenv func(name, value string), cleanup func(func())) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		sent := collectorv1.ExportTraceServiceRequest{}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &sent) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.received = append(c.received, sent.GetResourceSpans()...)
	}))
	cleanup(server.Close)
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
	setenv("OTEL_BSP_MAX_QUEUE_SIZE", "100000")
	setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100000")
}

// check: the spans are of this program, lead from a pass over the Release to the calls that it made, and tell no secret.
func (c *collector) check(g Gomega) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g.Expect(c.received).NotTo(BeEmpty(), "no collector was told of anything")
	spans := map[string]*tracev1.Span{}
	for _, of := range c.received {
		g.Expect(texts(of.GetResource().GetAttributes())).To(And(HaveKeyWithValue("service.name", "slipway"), HaveKeyWithValue("service.version", ownVersion())))
		for _, scope := range of.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				spans[string(span.GetSpanId())] = span
			}
		}
	}
	ways := map[string]bool{}
	for _, span := range spans {
		way := []string{span.GetName()}
		for span = spans[string(span.GetParentSpanId())]; span != nil; span = spans[string(span.GetParentSpanId())] {
			way = append([]string{strings.TrimSpace(span.GetName() + " " + texts(span.GetAttributes())["slipway.release"])}, way...)
		}
		ways[strings.Join(way, " > ")] = true
	}
	for _, way := range []string{
		"Reconcile Release", "Reconcile Release default/web > Launch > EC2.RunInstances",
		"Reconcile Release default/web > Register > Elastic Load Balancing.RegisterInstancesWithLoadBalancer",
	} {
		g.Expect(ways).To(HaveKey(way))
	}
	g.Expect(fmt.Sprint(c.received)).NotTo(ContainSubstring(canary))
}

// texts are the attributes that are words.
func texts(attributes []*commonv1.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		all[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return all
}
