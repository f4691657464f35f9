package controllers

import (
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/cloud"
)

// ReleaseReconciler brings the fleets of Releases to what their specs declare.
type ReleaseReconciler struct {
	// Client writes, and reads from the cache what other Releases claim, classes and namespaces.
	client.Client
	// APIReader reads live what decides: the Release itself, its ControllerRevisions, Secrets and ConfigMaps.
	APIReader client.Reader
	// Cloud opens the account of a class.
	Cloud cloud.Opener
	// Recorder writes events of events.k8s.io.
	Recorder events.EventRecorder
	// Clock tells the time; time.Now outside tests.
	Clock func() time.Time
	// Cluster is the value of the tag slipway.dev/cluster on every server: the uid of the namespace kube-system, unless a
	// flag names another.
	Cluster string
	// Tracer makes the spans of passes; nil where nobody traces.
	Tracer trace.Tracer
	// Namespaces are those whose Releases it looks after and whose objects it may read; none means all.
	Namespaces []string
	// Shard is the part of the Releases that this controller looks after; nil: all of them.
	Shard *Shard
	// Share is the share of AWS's documented request limits that Cloud keeps to. Default 0.7.
	Share float64
	// TrustAskedBy believes the annotation slipway.dev/asked-by: config/asked-by is installed, and nobody but the API server writes it.
	TrustAskedBy bool

	soft     softMemory
	accounts accountMemory
	sources  sourceMemory
}
