// Package plan is the answer that a manager gives to the question which AWS calls a phase would take: its form, and how to ask. The
// manager works it out (controllers), because it has read the world and knows how its own calls look; the command line shows it.
//
// Nothing in it is secret: user data is not part of it, and neither are credentials.
package plan

import (
	"fmt"
	"time"
)

// Deleted stands for the deletion of the Release, where a phase is asked for.
const Deleted = "Deleted"

// Plan says what the controller would do next under a phase, if all goes well.
type Plan struct {
	// Release is namespace/name, and Version its spec.version.
	Release string `json:"release"`
	Version string `json:"version"`
	// Phase is spec.phase as it is, empty where it is not set; To the phase that is asked about, or Deleted.
	Phase string `json:"phase,omitempty"`
	To    string `json:"to"`
	// Effective is the phase that would count, and Why in words: a verdict or an override may come before spec.phase.
	Effective string `json:"effectivePhase,omitempty"`
	Why       string `json:"effectivePhaseMessage,omitempty"`
	// Allowed are the phases that spec.phase can be set to now.
	Allowed []string `json:"allowedPhases,omitempty"`

	Source Source `json:"source"`
	// Fleets and Pools are what there is now, and what there would be at the end.
	Fleets []Fleet `json:"fleets,omitempty"`
	Pools  []Pool  `json:"pools,omitempty"`
	// Steps are in order. One begins when the effect of the one before can be seen; the calls of one are made at once.
	Steps []Step `json:"steps,omitempty"`

	// Reached: at the end nothing is left to do for the phase. Outcome is the status message of the end, in either case.
	Reached bool   `json:"reached"`
	Outcome string `json:"outcome"`
	// Unforeseen is what was taken for granted, and what can come in between.
	Unforeseen []string `json:"unforeseen,omitempty"`
}

// Source says who read the world that the plan begins with, and when.
type Source struct {
	// Manager is the process, by the name of its pod.
	Manager string `json:"manager"`
	// ReadAt is when it began to read, by the manager's clock, and Age how long ago that is by the same clock.
	ReadAt time.Time `json:"readAt"`
	Age    Duration  `json:"age"`
	// Generation is the metadata.generation that was in force then, and Declared the one that the plan is about.
	Generation int64 `json:"generation"`
	Declared   int64 `json:"declaredGeneration"`
}

// Fleet is the servers of one revision. Servers that do not exist yet are called i-new-1, i-new-2 and so on.
type Fleet struct {
	Revision string     `json:"revision"`
	Version  string     `json:"version"`
	Before   FleetState `json:"before"`
	After    FleetState `json:"after"`
}

// FleetState is what a fleet is for, and its servers that EC2 has not ended.
type FleetState struct {
	Role    string   `json:"role,omitempty"`
	Servers []string `json:"servers,omitempty"`
}

// Pool is a load balancer or target group.
type Pool struct {
	Name string `json:"name"`
	Use  string `json:"use"`
	Kind string `json:"kind,omitempty"`
	ID   string `json:"id"`
	// Unread is why nobody knows who is in it, empty where that is known.
	Unread string  `json:"unread,omitempty"`
	Before []Share `json:"before,omitempty"`
	After  []Share `json:"after,omitempty"`
}

// Share is the servers of one version that a pool sends requests to. Version is empty for servers that are not this Release's.
type Share struct {
	Revision string   `json:"revision,omitempty"`
	Version  string   `json:"version,omitempty"`
	Servers  []string `json:"servers"`
	Healthy  int      `json:"healthy"`
}

// Step is one pass of the controller that makes calls.
type Step struct {
	Stage string `json:"stage"`
	// NotBefore is how long after the plan's beginning it comes at the earliest, as if AWS took no time for anything.
	NotBefore Duration `json:"notBefore"`
	// AfterWaiting is what is waited for before it, in the words of status.message.
	AfterWaiting string `json:"afterWaiting,omitempty"`
	Calls        []Call `json:"calls"`
}

// Call is one AWS call.
type Call struct {
	// Service is as the aws command line names it: ec2, elb (classic) or elbv2; Operation is the API's name.
	Service   string `json:"service"`
	Operation string `json:"operation"`
	// Parameters are those of --cli-input-json. User data is "(not shown)".
	Parameters map[string]any `json:"parameters"`
	Reason     string         `json:"reason"`
}

// Duration is written as Go writes one: "1m30s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Calls are the calls of all steps.
func (p *Plan) Calls() []Call {
	var all []Call
	for _, step := range p.Steps {
		all = append(all, step.Calls...)
	}
	return all
}

// Refusal is why there is no plan.
type Refusal struct {
	// Status is the HTTP status that goes with it: 400 for a question that makes no sense, 404 where there is no such Release, 409 where
	// it was edited so that the reading says nothing of it, 503 where this process has no reading of it.
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// Refuse makes a Refusal.
func Refuse(status int, format string, args ...any) error {
	return &Refusal{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Path is where a manager answers, on the loopback address of its pod: GET, with the phase as the query "to"; without one the next phase
// of a deploy is meant.
func Path(namespace, name string) string { return "/v1/plans/" + namespace + "/" + name }

// Pattern is Path for a http.ServeMux.
const Pattern = "GET /v1/plans/{namespace}/{name}"

// Port is where a manager listens unless a flag says otherwise.
const Port = 8082
