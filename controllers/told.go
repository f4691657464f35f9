package controllers

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	ctrl "sigs.k8s.io/controller-runtime"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// What logs and traces call a pass by: the Release, the revision that it is about, its version, and the stage that it is in. A pass that
// has not decided yet goes by what the status says.
type topic struct{ release, revision, version, stage string }

// lastTopic is what the pass before was about.
func lastTopic(rel *v1alpha1.Release) topic {
	t := topic{release: rel.Namespace + "/" + rel.Name, stage: string(rel.Status.Stage)}
	switch status := rel.Status; {
	case status.Candidate != nil:
		t.revision, t.version = string(status.Candidate.Revision), string(status.Candidate.Version)
	case status.Stable != nil:
		t.revision, t.version = string(status.Stable.Revision), string(status.Stable.Version)
	}
	return t
}

// topicOf is what a decision is about.
func topicOf(rel *v1alpha1.Release, report rollout.Report) topic {
	t := topic{release: rel.Namespace + "/" + rel.Name, stage: string(report.Stage)}
	switch {
	case report.Candidate != nil:
		t.revision, t.version = report.Candidate.Revision, report.Candidate.Version
	case report.Stable != nil:
		t.revision, t.version = report.Stable.Revision, report.Stable.Version
	}
	return t
}

// about puts the topic into every line that is logged with the context, and onto its span. With a trace, a line has its ID. The
// context is the pass's own, that names no topic yet.
func (t topic) about(ctx context.Context) context.Context {
	words := []any{"release", t.release, "revision", t.revision, "version", t.version, "stage", t.stage}
	span := trace.SpanFromContext(ctx)
	if at := span.SpanContext(); at.IsValid() {
		words = append(words, "traceID", at.TraceID().String())
	}
	span.SetAttributes(attribute.String("slipway.release", t.release), attribute.String("slipway.revision", t.revision),
		attribute.String("slipway.version", t.version), attribute.String("slipway.stage", t.stage))
	return ctrl.LoggerInto(ctx, ctrl.LoggerFrom(ctx).WithValues(words...))
}

// span begins a span, which costs nothing where nobody traces. The caller ends it, by end.
func (r *ReleaseReconciler) span(ctx context.Context, name string, what ...attribute.KeyValue) (context.Context, trace.Span) {
	tracer := r.Tracer
	if tracer == nil {
		tracer = noop.Tracer{}
	}
	return tracer.Start(ctx, name, trace.WithAttributes(what...))
}

// end ends a span. Of an error it tells the text that conditions have too; a defect's own text keeps to itself what the code panicked with.
func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// actionSpan begins the span of one action, with its reason.
func (r *ReleaseReconciler) actionSpan(ctx context.Context, action rollout.Action) (context.Context, trace.Span) {
	return r.span(ctx, verb(action), attribute.String("slipway.why", action.Reason()), attribute.StringSlice("slipway.subject", subject(action)))
}
