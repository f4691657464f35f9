package awscloud

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// memberBatch is how many servers one (de)register call carries. AWS documents no limit; its own load balancer
	// controller uses the same.
	memberBatch = 200
	// resolvePatience is how long a newer answer is waited for where an older one would do.
	resolvePatience = time.Second
	// resolveLimit ends a look-up that hangs.
	resolveLimit = 30 * time.Second

	classicPrefix = "classic/"
)

// balancer implements cloud.Balancer: it sends each pool to the kind that it is.
type balancer struct {
	region   string
	me       *identity
	classic  *classic
	groups   *targetGroups
	resolved shared[rollout.Pool] // by target: a pool ID, or "name/" and the name of a target group
}

// pools is one kind of pool. The id is a rollout.Pool.ID. A pool that resolve gives beside its error can be worked with: only
// whether it balances across zones is not known, and it reads as if it did not, which is the stricter of the two.
type pools interface {
	resolve(ctx context.Context, id string) (rollout.Pool, error)
	register(ctx context.Context, id string, servers []string) error
	deregister(ctx context.Context, id string, servers []string) error
}

func newBalancer(region string, clock Clock, me *identity, classic *classic, groups *targetGroups) *balancer {
	b := &balancer{region: region, me: me, classic: classic, groups: groups}
	b.resolved = shared[rollout.Pool]{clock: clock, limit: resolveLimit, read: b.lookUp}
	return b
}

// Resolve implements cloud.Balancer.
func (b *balancer) Resolve(ctx context.Context, ref cloud.PoolRef, maxAge time.Duration) (rollout.Pool, error) {
	target, err := b.target(ref)
	if err != nil {
		return rollout.Pool{}, err
	}
	held, known := b.resolved.held(target)
	if !known {
		return b.first(ctx, target, maxAge)
	}
	hasty, cancel := context.WithTimeout(ctx, resolvePatience)
	defer cancel()
	pool, err := b.resolved.get(hasty, target, maxAge)
	switch {
	case err == nil:
		return pool, nil
	case describes(err):
		return rollout.Pool{}, b.me.believe(ctx, err)
	default:
		// A pool keeps its ID and its kind; three calls that only describe it must not hold up a rollback while its
		// members can be read and changed.
		return held, nil
	}
}

// first resolves a pool of which nothing is known yet. Of a classic load balancer the reference says enough to read and to change it, where
// nobody asks for more, or AWS does not answer a rollback: many a one is not known for minutes after a restart, and a call that only
// describes it must not hold up the way back.
func (b *balancer) first(ctx context.Context, target string, maxAge time.Duration) (rollout.Pool, error) {
	classic := strings.HasPrefix(target, classicPrefix)
	if classic && maxAge >= cloud.ReferenceWillDo {
		return unasked(target), nil
	}
	waits, cancel := context.WithCancel(ctx)
	if classic && cloud.LaneOf(ctx) == cloud.LaneRollback {
		waits, cancel = context.WithTimeout(ctx, resolvePatience)
	}
	defer cancel()
	pool, err := b.resolved.get(waits, target, maxAge)
	if err != nil && waits.Err() != nil && ctx.Err() == nil {
		return unasked(target), nil
	}
	return pool, b.me.believe(ctx, err)
}

// describes reports whether an error is what AWS says of the pool: it is not there, or of a kind that cannot be worked with.
func describes(err error) bool {
	said, ok := errors.AsType[*cloud.Error](err)
	return ok && (said.Kind == cloud.NotFound || said.Code == ownCode)
}

// target is what a reference means, in one string.
func (b *balancer) target(ref cloud.PoolRef) (string, error) {
	id := ref.ID
	switch {
	case ref.ClassicName != "":
		return classicPrefix + b.region + "/" + ref.ClassicName, nil
	case ref.TargetGroupName != "":
		return namePrefix + ref.TargetGroupName, nil
	case ref.TargetGroupARN != "":
		id = ref.TargetGroupARN
	}
	return id, b.inRegion(id)
}

// inRegion refuses a pool of another region before a call finds nothing here.
func (b *balancer) inRegion(id string) error {
	region := ""
	if name, ok := strings.CutPrefix(id, classicPrefix); ok {
		region, _, _ = strings.Cut(name, "/")
	} else if parsed, err := arn.Parse(id); err == nil && strings.HasPrefix(parsed.Resource, "targetgroup/") {
		region = parsed.Region
	}
	switch region {
	case b.region:
		return nil
	case "":
		return &cloud.Error{Kind: cloud.Invalid, Reason: rollout.ReasonInvalidParameter, Thing: "pool " + id,
			Code: ownCode, Message: "this is not the ARN of a target group", Advice: "Correct spec.loadBalancers"}
	default:
		return &cloud.Error{Kind: cloud.Invalid, Reason: rollout.ReasonInvalidParameter, Thing: "pool " + id,
			Code: ownCode, Message: fmt.Sprintf("it is in region %s, the ReleaseClass in %s", region, b.region),
			Advice: "Correct spec.loadBalancers or spec.className"}
	}
}

func (b *balancer) lookUp(ctx context.Context, target string) (rollout.Pool, error) {
	pool, err := b.kind(target).resolve(ctx, target)
	if cloud.KindOf(err) == cloud.NotFound {
		b.resolved.forget(target)
		return pool, err
	}
	if _, known := b.resolved.held(target); known || pool.ID == "" {
		return pool, err
	}
	if kind := cloud.KindOf(err); kind != cloud.Unknown && kind != cloud.Throttled {
		return pool, err // somebody has to mend it, and has to be told
	}
	return pool, nil
}

func (b *balancer) kind(id string) pools {
	if strings.HasPrefix(id, classicPrefix) {
		return b.classic
	}
	return b.groups
}

// Look implements cloud.Balancer.
func (b *balancer) Look(ctx context.Context, ids []string) cloud.Look { return b.look(ctx, ids...) }

func (b *balancer) look(ctx context.Context, ids ...string) *look {
	classic := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return !strings.HasPrefix(id, classicPrefix) || b.inRegion(id) != nil
	})
	return &look{balancer: b, rolls: b.classic.rolls(ctx, classic)}
}

// look implements cloud.Look.
type look struct {
	*balancer
	rolls *rolls
}

// Read implements cloud.Look.
func (l *look) Read(ctx context.Context, pool rollout.Pool, asked []string) (rollout.Pool, error) {
	err := l.inRegion(pool.ID)
	if err == nil {
		pool, err = l.members(ctx, pool, asked)
	}
	return pool, l.me.believe(ctx, err)
}

func (l *look) members(ctx context.Context, pool rollout.Pool, asked []string) (rollout.Pool, error) {
	if strings.HasPrefix(pool.ID, classicPrefix) {
		return l.classic.read(ctx, l.rolls, pool, asked)
	}
	return l.groups.read(ctx, pool)
}

// Register implements cloud.Balancer.
func (b *balancer) Register(ctx context.Context, pool rollout.Pool, servers []string) error {
	return b.inBatches(ctx, pool, servers, b.kind(pool.ID).register)
}

// Deregister implements cloud.Balancer.
func (b *balancer) Deregister(ctx context.Context, pool rollout.Pool, servers []string) error {
	return b.inBatches(ctx, pool, servers, b.kind(pool.ID).deregister)
}

func (b *balancer) inBatches(ctx context.Context, pool rollout.Pool, servers []string,
	change func(context.Context, string, []string) error,
) error {
	if err := b.inRegion(pool.ID); err != nil {
		return err
	}
	var failed []error
	for some := range slices.Chunk(servers, memberBatch) {
		failed = append(failed, change(ctx, pool.ID, some))
	}
	return b.me.believe(ctx, errors.Join(failed...))
}

// Bounds of inParts. To put in takes a few calls: where most servers of a batch are refused, as in a wrong VPC, the search for the others
// would hold up everybody who registers in this account. To take out has no bound: nobody may stay in for want of calls. Nor has to put
// back: nobody's rollback may end half way, and its lane is its own.
const (
	putIn   = 16
	takeOut = math.MaxInt
)

// putInOf is the bound for a call that registers.
func putInOf(ctx context.Context) int {
	if cloud.LaneOf(ctx) == cloud.LaneRollback {
		return math.MaxInt
	}
	return putIn
}

// inParts does a batch. If it is refused because of one server, for which none of the others was done either, it does
// both halves, and so on down to the servers that are the reason: for one bad among n about 2 log n calls. Large parts go first, and
// after so many calls the rest is left as it was, with the reason why: a later call for it begins with fewer servers.
func inParts(servers []string, most int, do func([]string) error) error {
	type part struct {
		servers []string
		refused error // what it was part of
	}
	var failed []error
	for queue := []part{{servers: servers}}; len(queue) > 0; most-- {
		next := queue[0]
		if most == 0 {
			return errors.Join(append(failed, next.refused)...)
		}
		queue = queue[1:]
		err := do(next.servers)
		if half := len(next.servers) / 2; half > 0 && unfit.has(codeOf(err)) {
			queue = append(queue, part{next.servers[:half], err}, part{next.servers[half:], err})
			continue
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// listed names up to three servers: "servers i-1, i-2, i-3 and 5 more".
func listed(servers []string) string {
	const most = 3
	switch {
	case len(servers) == 1:
		return "server " + servers[0]
	case len(servers) <= most:
		return "servers " + strings.Join(servers, ", ")
	default:
		return fmt.Sprintf("servers %s and %d more", strings.Join(servers[:most], ", "), len(servers)-most)
	}
}
