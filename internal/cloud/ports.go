package cloud

import (
	"context"
	"time"

	"slipway.dev/slipway/internal/rollout"
)

// Class says where and as whom to work: the fields of a ReleaseClass that a provider needs.
type Class struct {
	Name       string
	Region     string
	AccountID  string // expected; Identity is asked and compared before any other call
	RoleARN    string // empty: the process's own credentials
	ExternalID string
	Cluster    string // value of the tag slipway.dev/cluster on everything launched through this class
}

// Opener gives the account behind a class. Equal classes share one Account (its caches, limits and credentials); opening
// makes no call.
type Opener interface {
	Open(class Class) (*Account, error)

	// Watch tells of servers that change, until ctx ends. The latest who asks is told.
	Watch(ctx context.Context, watch ServerWatch)
}

// ServerWatch is who is told of servers that change. Neither function may block; both may be called by many at once. Sweeps that are
// under way when the watch ends may still tell.
type ServerWatch struct {
	// Changed is told of a server, as it was known, that a shared sweep shows otherwise than the one before (in another state, impaired or
	// not any more, with another tag of ours, or not at all), or that the events queue of a class says is in another state.
	Changed func(Server)
	// Heard is told how it is with an events queue whenever that changes: an error that says why nothing is heard, or what there is that
	// should not be, and nil for the first event and once something is heard again.
	Heard func(queue string, err error)
}

// Account is one provider account in one region.
type Account struct {
	Compute  Compute
	Balancer Balancer
	Images   Images
	Identity Identity
	// Rehearse begins a rehearsal of calls of this account; nil where there is no such thing.
	Rehearse func() Rehearsal
	// Examine begins an examination of this account; nil where there is no such thing. It makes no call.
	Examine func() Examination
	// Hear lets the watcher of servers hear from an events queue of the account, by its name, from now on: one that a class names, and until
	// that class names another or none (empty), or has not called for a while. It makes no call itself. Nil where there is no such thing.
	Hear func(class, queue string)
}

// Identity tells who we are.
type Identity interface {
	// AccountID is the account that the credentials belong to. It is confirmed every minute, without the caller waiting for
	// that once it is known.
	// The errors are Denied (role or credentials) and whatever the network says.
	AccountID(ctx context.Context) (string, error)
}

// Compute launches, describes and ends servers.
type Compute interface {
	// Servers lists the servers that the query selects, in any state the provider still shows, sorted by ID. One sweep
	// serves every Release of the account; where a cluster has very many servers, a Release's are read for themselves. An answer may be as
	// old as query.MaxAge and never older. Ages are counted from the moment at which the reading began. Answers are shared by those who
	// asked, and must not be changed.
	Servers(ctx context.Context, query Query) ([]Server, error)

	// Known is a server as the last sweep over the class's cluster showed it; false where that showed none. It makes no call.
	Known(id string) (Server, bool)

	// Launch asks for up to Count servers and at least one. A second call with an equal request launches nothing and
	// answers with the servers of the first, also after a crash. The answer may be shorter than Count (partial fill).
	// Errors: NoCapacity (this type in this subnet), Quota, Invalid (Thing names what), Denied: nothing was launched, and
	// the token is spent. Terminated: the token's servers are gone already. Throttled or not understood: the outcome
	// is unknown; call again with the same request.
	Launch(ctx context.Context, request LaunchRequest) (servers []string, err error)

	// Tag sets tags on servers, overwriting; other tags stay.
	Tag(ctx context.Context, servers []string, tags map[string]string) error

	// Terminate ends servers. Those already gone are no error. If some could not be ended (protection), the rest is, and
	// the error names them.
	Terminate(ctx context.Context, servers []string) error
}

// Query selects servers. Exactly one of the three ways is used.
type Query struct {
	Cluster string        // servers with this slipway.dev/cluster tag: the shared sweep
	Release string        // with Cluster, of these only those whose slipway.dev/release tag is this (namespace/name); empty: all
	Adopt   string        // servers whose tag slipway.dev/adopt has this value (namespace/name)
	IDs     []string      // servers by ID; unknown ones are left out
	MaxAge  time.Duration // zero: read now
	// AtRest: nothing waits for the answer. A shared sweep may be older than MaxAge, by as much as it takes that all sweeps at rest cost the
	// account the same few calls a minute: 50 s for up to 6,000 servers, 75 s for 10,000.
	AtRest bool
}

// Server is a server with everything that says whose it is.
type Server struct {
	rollout.Server
	Cluster string            // tag slipway.dev/cluster
	Release string            // tag slipway.dev/release: namespace/name
	Owner   string            // tag slipway.dev/owner: uid
	Tags    map[string]string // all tags
}

// LaunchRequest is everything that a server is made of. It never appears in a log as a whole: see String.
type LaunchRequest struct {
	Token           string // client token; equal token, equal request
	Count           int
	Image           string
	Type            string
	Subnet          string
	SecurityGroups  []string
	InstanceProfile string // name or ARN; empty: none
	KeyName         string
	UserData        []byte // raw, at most 16 KiB
	Metadata        Metadata
	BlockDevices    []BlockDevice
	Tags            map[string]string // on instance, volumes and network interfaces
}

// String leaves out the user data: it may hold secrets.
func (r LaunchRequest) String() string {
	return r.Type + " in " + r.Subnet + " from " + r.Image
}

// Metadata are the options of the instance metadata service.
type Metadata struct {
	HTTPTokens string // "required", "optional"; empty: the account's default
	HopLimit   int    // 1 to 64; zero: the account's default
}

// BlockDevice is one entry of the block device mapping.
type BlockDevice struct {
	Device              string // "/dev/xvda"
	SizeGiB             int    // zero: the snapshot's
	VolumeType          string // "gp3"; empty: the account's default
	IOPS, Throughput    int
	Encrypted           *bool
	KMSKeyID            string
	SnapshotID          string
	DeleteOnTermination *bool
}

// ReferenceWillDo is a maxAge of Balancer.Resolve, longer than any other: where nobody has asked yet, and the reference alone tells the pool's ID
// and kind, nobody asks now. ZonalOnly is true then, and whether the pool is there its reading tells.
const ReferenceWillDo = time.Hour + time.Minute

// Balancer reads and changes the membership of pools. Batches of any size are allowed; a provider's limits are met inside.
type Balancer interface {
	// Resolve finds the pool that a reference means: ID, Kind, ZonalOnly, NotInUse; no members. An answer may be as old as
	// maxAge (see ReferenceWillDo too), and older where the provider gives none now. Where ZonalOnly is not known it is true. NotFound:
	// there is no such pool.
	Resolve(ctx context.Context, ref PoolRef, maxAge time.Duration) (rollout.Pool, error)

	// Look begins one look at pools, by their IDs, that lasts as long as ctx.
	Look(ctx context.Context, ids []string) Look

	// Register puts running servers into the pool. Members already there are no error; a draining one is healthy again.
	Register(ctx context.Context, pool rollout.Pool, servers []string) error

	// Deregister takes servers out of the pool: no new request reaches them, those in flight finish within the pool's
	// drain time. Servers that are not members are no error.
	Deregister(ctx context.Context, pool rollout.Pool, servers []string) error
}

// Look reads pools that are looked at together: what a provider tells of all of them in one answer is asked for once.
// Whoever wants a later reading begins another look.
type Look interface {
	// Read gives the pool with its members, read now. Members of other owners are included. asked are servers known to
	// have been registered there, or to be of a fleet that was: a draining classic member is only found by name. Pool.Unasked are
	// those that a reading did not come to, or was told nothing of. NotFound: the pool is gone. It may be called for several
	// pools at once.
	Read(ctx context.Context, pool rollout.Pool, asked []string) (rollout.Pool, error)
}

// PoolRef is a pool as a person wrote it, or as memory kept it. Exactly one field is set.
type PoolRef struct {
	ClassicName     string
	TargetGroupARN  string
	TargetGroupName string
	ID              string // a rollout.Pool.ID from an earlier Resolve
}

// Images finds machine images.
type Images interface {
	// Image resolves a source to one image that can be launched now. The errors are NotFound, Invalid (malformed, not
	// available, several owners) and Denied, with Thing naming the image, parameter or selector.
	Image(ctx context.Context, source ImageSource) (Image, error)
}

// ImageSource is spec.image. Exactly one of ID, SSMParameter and Selector is set.
type ImageSource struct {
	ID           string
	SSMParameter string
	Selector     *ImageSelector
}

// ImageSelector picks the newest available image that matches all of it.
type ImageSelector struct {
	Owners []string // account ids, "self" or "amazon"; at least one
	Name   string   // with * and ?; empty: any
	Tags   map[string]string
}

// Image is a machine image that exists and can be launched.
type Image struct {
	ID           string
	Owner        string // account id
	OwnerAlias   string // "amazon", "self" …; often empty
	Architecture string // "x86_64", "arm64"
}
