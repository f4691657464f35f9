package sight

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// RegisterBuild shows which Slipway this is, as slipway_build_info.
func RegisterBuild(registry prometheus.Registerer, version string) error {
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "slipway_build_info",
		Help:        "Which Slipway this process is. Always 1.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 }))
}
