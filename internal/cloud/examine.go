package cloud

import (
	"context"

	"slipway.dev/slipway/internal/rollout"
)

// Examination finds out what the provider would allow an account to do, and what stands in the way. It changes nothing: whatever would
// change something is asked for with the provider's own word that it is not meant (DryRun), and is not sent without. It goes by nothing
// that was read before, and is for one goroutine.
type Examination struct {
	Permissions Permissions
	Facts       Facts
	Images      Images
}

// Trial is what came of asking for an action.
type Trial struct {
	Action string // as policies name it: "ec2:RunInstances"
	Err    error  // nil: it would be done, or was, where it only reads
}

// Permissions tries actions on servers.
type Permissions interface {
	// Read tries what finds servers and images.
	Read(ctx context.Context) []Trial
	// Queue looks for an events queue of the account.
	Queue(ctx context.Context, account, name string) Trial
	// Launch tries a launch. The request needs no token, and no user data.
	Launch(ctx context.Context, request LaunchRequest) Trial
	// Tag tries to tag servers that exist.
	Tag(ctx context.Context, servers []string, tags map[string]string) Trial
	// Terminate tries to end servers that exist.
	Terminate(ctx context.Context, servers []string) Trial
}

// Facts are read.
type Facts interface {
	// Caller tells whose the credentials are.
	Caller(ctx context.Context) (Caller, error)
	// Pool reads all that there is to know of a pool, as far as each reading is permitted.
	Pool(ctx context.Context, ref PoolRef) PoolFacts
	// Limits are the account's limits of how many members pools of a kind may have.
	Limits(ctx context.Context, kind rollout.PoolKind) ([]Limit, Trial)
}

// Caller is whose credentials these are.
type Caller struct {
	Account string
	Name    string // the provider's name for the user or role: an ARN
}

// PoolFacts are what could be read of a pool.
type PoolFacts struct {
	// Pool has members where Err is nil.
	Pool rollout.Pool
	Err  error
	// Tags are nil where they could not be read.
	Tags map[string]string
	// Trials are the actions that were needed for this, each once, in the order in which they were first asked for.
	Trials []Trial
}

// Limit is how many members something may have.
type Limit struct {
	Name string // the provider's
	Max  int
	// PerZone: where the pool does not balance across zones, it holds for each zone by itself.
	PerZone bool
}
