package localaws

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"
)

// Options shape a Cloud; the zero value is a quiet AWS in us-east-1 with AWS's own timings on the wall clock.
type Options struct {
	// Account is the home account: the one of callers whose access key was not registered. Default 123456789012.
	Account string
	// Region is the home region: the one of calls that are not signed for another. Default us-east-1.
	Region string
	// Clock drives every delay. Default RealClock().
	Clock Clock
	// Seed feeds ids and random delays.
	Seed int64
	// Knobs are the delays and limits. A zero Knobs means DefaultKnobs(); to change one, start from those.
	Knobs Knobs
	// AdminFromAnywhere lets not only callers on loopback use what is under AdminPath.
	AdminFromAnywhere bool
}

// Cloud is a whole AWS: accounts, regions, and everything in them.
type Cloud struct {
	// Realm is the home realm: its Seed and Set methods can be called on the Cloud itself.
	Realm

	mu      sync.Mutex // the one lock of the world; see call and after
	loading sync.Mutex // one Load at a time
	clock   Clock
	options Options
	start   []byte // the saved world that Reset goes back to
	seed    uint64
	rng     *rand.Rand // for what is set up in a fixed order; see also source
	calls   *rand.Rand // for request ids, so that one more call changes nothing else
	rngAt   *rand.PCG  // where rng is
	callsAt *rand.PCG  // where calls is
	knobs   Knobs

	services    []*service
	realms      map[realmKey]*realm
	instances   map[string]*instance // by id, over all realms
	keys        map[string]credential
	roles       map[string]Role
	denials     []*denial
	iam         iam
	throttles   throttles
	waiting     map[uint64]*wake // by serial
	wakes       uint64           // the last serial
	faults      faultSet
	births      []birth // by time: what was made lately
	hooks       []*hook
	changeHooks []*changeHook
	eventHooks  []*eventHook
	ledger      ledger
	judge       *judge // nil where AWS's models are not at hand

	closed  bool
	closers []func()
}

// New makes an empty cloud: no subnets, no images. DefaultWorld furnishes it. With LOCALAWS_MODELS in the environment its
// answers are judged by AWS's own models: see judge.go.
func New(o Options) *Cloud {
	if o.Account == "" {
		o.Account = "123456789012"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Clock == nil {
		o.Clock = RealClock()
	}
	if reflect.ValueOf(o.Knobs).IsZero() {
		o.Knobs = DefaultKnobs()
	}
	c := &Cloud{
		clock:     o.Clock,
		seed:      uint64(o.Seed),
		options:   o,
		rngAt:     rand.NewPCG(uint64(o.Seed), 0x51a1b0a7),
		callsAt:   rand.NewPCG(uint64(o.Seed), 0xca115),
		knobs:     o.Knobs,
		realms:    map[realmKey]*realm{},
		instances: map[string]*instance{},
		keys:      map[string]credential{},
		roles:     map[string]Role{},
		iam:       iam{policies: map[string][]*policy{}, trusts: map[string]*policy{}, tags: map[string]map[string]string{}},
		throttles: throttles{},
		waiting:   map[uint64]*wake{},
		judge:     processJudge(),
	}
	c.rng, c.calls = rand.New(c.rngAt), rand.New(c.callsAt)
	c.services = allServices()
	c.Realm = Realm{c: c, key: realmKey{o.Account, o.Region}}
	return c
}

// Clock is the clock that the cloud runs on.
func (c *Cloud) Clock() Clock { return c.clock }

// Tune changes knobs while the cloud runs; delays that have begun keep their length.
func (c *Cloud) Tune(change func(*Knobs)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.knobs)
}

// Close ends the simulation: timers do nothing any more and whatever was opened (servers, listeners) is closed.
// Calls are still answered. It may be called more than once.
func (c *Cloud) Close() {
	c.mu.Lock()
	closers := c.closers
	c.closers, c.closed = nil, true
	c.mu.Unlock()
	for _, f := range slices.Backward(closers) {
		f()
	}
}

// onClose registers f for Close, which calls it without the lock. Called with c.mu held.
func (c *Cloud) onClose(f func()) { c.closers = append(c.closers, f) }

// now is the world's time, rounded to the millisecond that AWS's timestamps carry.
func (c *Cloud) now() time.Time { return c.clock.Now().UTC().Truncate(time.Millisecond) }

// newID makes an identifier in today's long form: the prefix and 17 hexadecimal digits, of which the first is 0. Called
// with c.mu held.
func (c *Cloud) newID(prefix string) string { return newIDFrom(c.rng, prefix) }

func newIDFrom(rng *rand.Rand, prefix string) string {
	return fmt.Sprintf("%s0%016x", prefix, rng.Uint64())
}

// source is a random source that depends on the seed and on what it is for, and not on which call came first: calls that
// a client makes at the same time may arrive in any order and still see the same world.
func (c *Cloud) source(what ...string) *rand.Rand {
	h := fnv.New64a()
	for _, w := range what {
		_, _ = h.Write([]byte(w + "\x00")) // a hash never fails
	}
	return rand.New(rand.NewPCG(c.seed, h.Sum64()))
}

// newHex makes n (at most 16) random hexadecimal digits. Called with c.mu held.
func (c *Cloud) newHex(n int) string { return fmt.Sprintf("%016x", c.rng.Uint64())[:n] }

// newUUID makes a request id. Called with c.mu held.
func (c *Cloud) newUUID() string {
	a, b := c.calls.Uint64(), c.calls.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffffffffffff)
}

// between picks a delay evenly from [lo, hi].
func between(rng *rand.Rand, lo, hi time.Duration) time.Duration {
	if hi <= lo {
		return lo
	}
	return lo + time.Duration(rng.Int64N(int64(hi-lo)+1))
}
