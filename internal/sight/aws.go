package sight

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"slipway.dev/slipway/internal/cloud"
)

// AWS counts, times and traces calls to AWS. Its metrics have the service, the operation and the outcome as labels, which are closed sets:
// the operations are those of the IAM policy.
type AWS struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	tracer   trace.Tracer
	now      func() time.Time
}

// NewAWS registers the metrics. It fails where they are registered already.
func NewAWS(registry prometheus.Registerer, tracer trace.Tracer) (*AWS, error) {
	a := &AWS{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slipway_aws_requests_total",
			Help: "Attempts of calls to AWS that were sent, by outcome: done, throttled, denied, refused (HTTP 4xx), failed (5xx), " +
				"unanswered, or credentials (there were none to sign it with).",
		}, []string{"service", "operation", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "slipway_aws_request_duration_seconds",
			Help:    "How long AWS took to answer an attempt of a call, without the wait for its turn under the account's rate limit.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}, []string{"service", "operation"}),
		tracer: tracer,
		now:    time.Now,
	}
	for _, metric := range []prometheus.Collector{a.requests, a.seconds} {
		if err := registry.Register(metric); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Watch implements cloud.Watcher. A span has the call's name and what came of it. Parameters are in none: user data is one of them.
func (a *AWS) Watch(ctx context.Context, attempt cloud.Attempt) (context.Context, func(cloud.Answer)) {
	began := a.now()
	ctx, span := a.tracer.Start(ctx, attempt.Service+"."+attempt.Operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("rpc.system", "aws-api"), attribute.String("rpc.service", attempt.Service), attribute.String("rpc.method", attempt.Operation)))
	for _, outcome := range []cloud.Outcome{cloud.OutcomeDone, cloud.OutcomeThrottled} {
		a.requests.WithLabelValues(attempt.Service, attempt.Operation, string(outcome)) // there before the first throttle, so that it has a rate
	}
	return ctx, func(answer cloud.Answer) {
		a.requests.WithLabelValues(attempt.Service, attempt.Operation, string(answer.Outcome)).Inc()
		a.seconds.WithLabelValues(attempt.Service, attempt.Operation).Observe(a.now().Sub(began).Seconds())
		span.SetAttributes(attribute.String("slipway.outcome", string(answer.Outcome)))
		if answer.Status > 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", answer.Status))
		}
		if answer.Request != "" {
			span.SetAttributes(attribute.String("aws.request_id", answer.Request))
		}
		if answer.Outcome != cloud.OutcomeDone {
			span.SetStatus(codes.Error, string(answer.Outcome))
		}
		span.End()
	}
}
