package sight

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Scope is the name of the instrumentation in every span.
const Scope = "slipway.dev/slipway"

// Tracing gives the provider of tracers that the environment asks for, and what ends it. It is off where none of
// OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, or OTEL_SDK_DISABLED is true, or OTEL_TRACES_EXPORTER is none; spans then
// cost nothing. Else they go there by OTLP over HTTP, in the background; the other OTEL_* variables of the SDK count, of headers,
// sampling and batches. No connection is made before the first span is sent, and a collector that does not answer loses spans, no more.
// It fails where another exporter or protocol is asked for.
func Tracing(ctx context.Context, version string) (provider trace.TracerProvider, end func(context.Context) error, err error) {
	if !wanted() {
		return noop.NewTracerProvider(), func(context.Context) error { return nil }, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if protocol := os.Getenv(name); protocol != "" && protocol != "http/protobuf" {
			return nil, nil, fmt.Errorf("%s is %q; traces are sent by http/protobuf only", name, protocol)
		}
	}
	if exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter != "" && exporter != "otlp" {
		return nil, nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q; it may be otlp or none", exporter)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("setting up traces: %w", err)
	}
	made := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about(ctx, version)))
	return made, made.Shutdown, nil
}

func wanted() bool {
	endpoint := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	return endpoint != "" && os.Getenv("OTEL_SDK_DISABLED") != "true" && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// about is what the spans are of. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before what is said here.
func about(ctx context.Context, version string) *resource.Resource {
	own := resource.NewSchemaless(semconv.ServiceName("slipway"), semconv.ServiceVersion(version))
	asked, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return own
	}
	if merged, err := resource.Merge(own, asked); err == nil {
		return merged
	}
	return own
}
