package awscloud

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
)

const (
	// questions bounds how many calls a reading of a classic pool makes for servers that it has to ask for by name. A server that
	// the load balancer never saw has the whole call refused, and while a fleet of 200 boots, that is nearly all of them: asking
	// until each is found took 400 calls a reading, ten a second being all that AWS allows the account.
	questions = 8
	// neverSeen is how long such an answer is good for. Our own Register ends it.
	neverSeen = 5 * time.Minute
	// goneFor is how long a server is taken for gone that AWS said, asked by name, is not registered: one that a reading of the members
	// has not shown since drains only if a stranger brought it in and took it out between two readings. A switch looks twice a second, and
	// asked each time after the old fleet, where it once was: a call and its 50 ms, to hear the same.
	goneFor = 5 * time.Second
	// acquainted is how long a server is remembered that was registered: longer than any load balancer drains, which is an hour.
	acquainted = 2 * time.Hour
)

// acquaintance is what this process knows of a server and a classic load balancer.
type acquaintance struct {
	met  bool      // it was registered, as a reading or our own call says; else the load balancer never saw it
	at   time.Time // when that was found
	gone time.Time // when a question began that was answered with "not registered"; zero: it was registered since, or nobody asked
}

// meeting is one server at one pool.
type meeting struct{ pool, server string }

// acquaintances are those of all servers.
type acquaintances struct {
	clock Clock

	mu    sync.Mutex
	known map[meeting]acquaintance
}

// meet says that servers are registered, or about to be.
func (a *acquaintances) meet(pool string, servers ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[meeting]acquaintance{}
	}
	for _, server := range servers {
		a.known[meeting{pool, server}] = acquaintance{met: true, at: a.clock.Now()}
	}
}

// leave says that a server is not registered and does not drain, as a reading that began then was told; unless it was registered since.
func (a *acquaintances) leave(pool, server string, began time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	is, known := a.known[meeting{pool, server}]
	if !known || !is.met || is.at.Before(began) {
		a.known[meeting{pool, server}] = acquaintance{met: true, at: a.clock.Now(), gone: began} // whom it never saw, it refuses
	}
}

// refuse says that the load balancer never saw a server, as a reading that began then was told; unless it was registered since.
func (a *acquaintances) refuse(pool, server string, began time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if is := a.known[meeting{pool, server}]; !is.met || is.at.Before(began) {
		a.known[meeting{pool, server}] = acquaintance{at: a.clock.Now()}
	}
}

// sort parts servers that are not registered into those that once were, which are nearly all known to the load balancer, and those of
// which nothing is known. Those that it refused, or said are gone, lately are left out.
func (a *acquaintances) sort(pool string, hidden []string) (met, unknown []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	maps.DeleteFunc(a.known, func(_ meeting, is acquaintance) bool {
		return now.Sub(is.at) >= acquainted || !is.met && now.Sub(is.at) >= neverSeen
	})
	for _, server := range hidden {
		switch is, known := a.known[meeting{pool, server}]; {
		case !known:
			unknown = append(unknown, server)
		case is.met && now.Sub(is.gone) >= goneFor:
			met = append(met, server)
		}
	}
	return met, unknown
}

// leaving asks for servers that are not registered and may still be draining, with a few calls at most; unasked are those that it did
// not come to, or that the answer leaves out, for the next reading. One that the load balancer never saw, or forgot, is refused with
// all others in the call: it is no member. Nor is one that is said not to be registered. That nothing is said of it is no evidence.
func (c *classic) leaving(ctx context.Context, id string, hidden []string) (found []types.InstanceState, unasked []string, err error) {
	left, began := questions, c.known.clock.Now()
	met, unknown := c.known.sort(id, hidden)
	for _, group := range [][]string{met, unknown} {
		if len(group) == 0 {
			continue
		}
		states, rest, err := c.ask(ctx, id, group, began, &left)
		if err != nil {
			return nil, nil, err
		}
		for _, state := range states {
			if strings.Contains(aws.ToString(state.Description), saysNotRegistered) {
				c.known.leave(id, aws.ToString(state.InstanceId), began)
			}
		}
		found, unasked = append(found, states...), append(unasked, rest...)
	}
	return found, unasked, nil
}

// ask halves what is refused, without the server that AWS names as the reason, until all are answered or no call is left.
// The name in AWS's words saves calls and decides nothing: without it, halving comes to the same server.
func (c *classic) ask(
	ctx context.Context, id string, servers []string, began time.Time, left *int,
) (found []types.InstanceState, unasked []string, err error) {
	queue, unsaid := [][]string{servers}, []string(nil)
	for ; len(queue) > 0 && *left > 0; *left-- {
		some := queue[0]
		queue = queue[1:]
		states, err := c.health(ctx, id, some)
		if !unfit.has(codeOf(err)) {
			if err != nil {
				return nil, nil, err
			}
			found, unsaid = append(found, states...), append(unsaid, leftOut(some, states)...)
			continue
		}
		culprit := some[0]
		if named := instanceID.FindString(err.Error()); slices.Contains(some, named) {
			culprit = named
		} else if len(some) > 1 {
			queue = append(queue, some[:len(some)/2], some[len(some)/2:])
			continue
		}
		c.known.refuse(id, culprit, began)
		rest := slices.DeleteFunc(slices.Clone(some), func(server string) bool { return server == culprit })
		for half := range slices.Chunk(rest, max(1, (len(rest)+1)/2)) {
			queue = append(queue, half)
		}
	}
	return found, slices.Concat(append(queue, unsaid)...), nil
}

// leftOut are the servers that were asked for by name, and of which the answer says nothing.
func leftOut(asked []string, states []types.InstanceState) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(server string) bool {
		return slices.ContainsFunc(states, func(state types.InstanceState) bool { return aws.ToString(state.InstanceId) == server })
	})
}

// instanceID finds the server in "Could not find EC2 instance i-0123456789abcdef0".
var instanceID = regexp.MustCompile(`\bi-[0-9a-f]+\b`)
