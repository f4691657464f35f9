package playground

import (
	"fmt"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// What the load balancers are set to. AWS accepts all of it; 5 s and 2 s are its shortest health check interval and
// timeout, and 2 its lowest threshold.
const (
	HealthInterval     = 5 * time.Second
	HealthTimeout      = 2 * time.Second
	HealthyThreshold   = 2
	UnhealthyThreshold = 2
	// Draining is the classic load balancers' connection draining timeout and the target group's deregistration delay.
	Draining = 5 * time.Second
)

// What AWS itself takes its time for. A demo should not wait for what it does not show, so this is shorter than in AWS.
var (
	// classicRegistration: AWS says up to about 30 s (classic guide, troubleshooting instance registration).
	classicRegistration = localaws.Span{Min: time.Second, Max: 3 * time.Second}
	// applicationRegistration: AWS gives no figure.
	applicationRegistration = localaws.Span{Min: time.Second, Max: 2 * time.Second}
)

const (
	// shuttingDown is the time from TerminateInstances to terminated; AWS says seconds to minutes.
	shuttingDown = 2 * time.Second
)

// knobs are AWS's own rules with shorter waits, and AWS's request buckets.
func knobs() localaws.Knobs {
	k := localaws.DefaultKnobs()
	k.ShuttingDown = shuttingDown
	k.Balancers.ClassicRegistration = classicRegistration
	k.Balancers.ApplicationRegistration = applicationRegistration
	return k
}

// Setting is one line of what a world was made with.
type Setting struct {
	// Name is a key for machines, such as health_check_interval; Value is for people, such as "5s".
	Name, Value string
}

// Settings are what to know before judging the world's timings. What is the same in AWS comes first.
func Settings() []Setting {
	span := func(s localaws.Span) string { return fmt.Sprintf("%s to %s", s.Min, s.Max) }
	return []Setting{
		{"health_check_interval", HealthInterval.String()},
		{"health_check_timeout", HealthTimeout.String()},
		{"healthy_threshold", fmt.Sprint(HealthyThreshold)},
		{"unhealthy_threshold", fmt.Sprint(UnhealthyThreshold)},
		{"classic_connection_draining", Draining.String()},
		{"target_group_deregistration_delay", Draining.String()},
		{"api_throttling", "AWS's request buckets"},
		{"classic_registration", span(classicRegistration) + " (AWS: up to about 30s)"},
		{"target_group_registration", span(applicationRegistration) + " (AWS: no figure)"},
		{"server_shutting_down", shuttingDown.String() + " (AWS: seconds to minutes)"},
	}
}
