package cloud

import (
	"context"

	"slipway.dev/slipway/internal/rollout"
)

// Call is a call that a provider would be asked for, in its own words.
type Call struct {
	Service    string         // as the provider's command line names it: "ec2", "elb", "elbv2"
	Operation  string         // "RegisterTargets"
	Parameters map[string]any // by the provider's names for them, without what is empty; user data is not in them
}

// NotShown stands for a parameter that may hold secrets.
const NotShown = "(not shown)"

// Rehearsal finds out which calls an account would make, by making them up to the point at which they would be sent. Nothing is
// sent: it needs no network and no credentials. It is for one goroutine.
type Rehearsal interface {
	// Note lets do work on an account that shows these servers, and gives the calls that change something, in order. Launches bring
	// nothing, and everything else succeeds. Only the account's Compute and Balancer may be used, and they read nothing but servers by ID.
	Note(ctx context.Context, servers []rollout.Server, do func(context.Context, *Account) error) ([]Call, error)
}
