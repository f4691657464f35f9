package rollout

import (
	"strings"
	"time"
)

// Phase is the desired end state of a deploy, as spec.phase words it.
// The empty Phase means that nobody asked for anything yet.
type Phase string

// The four phases, and the one that only deletion can bring about.
const (
	PhaseNone       Phase = ""
	PhasePreview    Phase = "Preview"
	PhaseLive       Phase = "Live"
	PhaseRolledBack Phase = "RolledBack"
	PhaseComplete   Phase = "Complete"
)

// Role is what a server is for. It is also the value of the tag slipway.dev/role.
type Role string

// The roles a fleet can have.
const (
	RoleCandidate Role = "candidate"
	RoleStable    Role = "stable"
	RoleRetired   Role = "retired"
)

// Spec is what is asked for: the parts of a Release that decide anything, already checked against its ReleaseClass.
type Spec struct {
	Release string // namespace/name, for reasons
	UID     string // owner uid, part of every launch token

	Phase    Phase
	PhaseFor string // empty: the phase is meant for whatever version is declared
	Version  string
	Replicas int

	// Target is the name of the revision that the spec describes; empty while it is not recorded yet
	// (its image or user data could not be resolved, or nobody needed it so far).
	Target string
	// Unresolved says why Target is empty. Zero when it is not, or when nobody looked.
	Unresolved Problem
	// Refused forbids every call: the class is missing or changed, the account is wrong, something is not allowed,
	// another Release holds a pool. Zero when nothing does.
	Refused Problem
	// Contested tells of a pool of the spec that another Release holds, and that World.Pools leaves out: somebody goes back,
	// and none of our servers was ever there.
	Contested Problem

	Health Health
	// MinHealthyPercent of Replicas, rounded up and at least one, is "asked for".
	MinHealthyPercent int
	AutoRollback      bool
	CompleteAfter     time.Duration // zero: never by itself
	Override          Override      // zero when absent
	Retry             string        // value of the annotation slipway.dev/retry
	Paused            bool
	Deleting          bool
	TerminateOnDelete bool // deletionPolicy: Terminate
	// Adopt says that hand-made or former servers are to be taken over; World.Adoptable lists them.
	Adopt bool
	// FormerOwner is spec.adopt.formerOwner; empty where it is not set.
	FormerOwner string
	// MaxServers bounds the servers of one Release (ReleaseClass); zero: unbounded.
	MaxServers int
}

// Health holds the clocks and thresholds of spec.health.
type Health struct {
	Consecutive     int           // good passes in a row that make the gate; at least 1
	MinReady        time.Duration // how long a server must be healthy in Preview before it counts
	Timeout         time.Duration // promotion to gate, and Preview to healthy
	LaunchTimeout   time.Duration // launch to running
	RollbackTimeout time.Duration // first healthy stable server to a rollback with what there is
}

// Override is spec.override: an emergency phase for one revision, until it expires.
type Override struct {
	Revision  string
	Phase     Phase
	Reason    string
	By        string
	ExpiresAt time.Time
}

// Problem is trouble that a person has to know of: a stable word for machines and a sentence for people.
type Problem struct {
	Reason, Message string
	// Passing: it may be over by itself, as when AWS does not answer now. It is waited for, and stalls nobody.
	Passing bool
}

// Some reports whether there is a problem.
func (p Problem) Some() bool { return p.Reason != "" }

// World is one reading of EC2 and of every pool. A part that could not be read says so; it is then evidence of nothing.
type World struct {
	// Servers are ours by release tag and owner uid, in any state that EC2 still shows, sorted by ID.
	Servers []Server
	// ServersErr is why EC2 could not be read; Servers then is the last known list, or empty where nobody knows one.
	ServersErr string
	// ServersReason is the word for the condition where only a person can mend that (AccessDenied); empty where it may pass.
	ServersReason string
	// Pools are all that the spec or memory names, sorted by ID.
	Pools []Pool
	// Former are servers that carry this Release's name but another owner uid.
	Former []Server
	// FormerOwners are the owner uids of Former, sorted.
	FormerOwners []string
	// Underway are the tokens of launches that EC2 was asked for and has not answered: they wait for their turn under the account's request
	// limits, or are on their way. A pass comes as soon as one is answered.
	Underway []string
	// Adoptable are the servers that spec.adopt selects and that pass its conditions, with the revision that each keeps.
	Adoptable []Server
}

// ServerState is the EC2 instance state.
type ServerState string

// EC2's instance states.
const (
	StatePending      ServerState = "pending"
	StateRunning      ServerState = "running"
	StateStopping     ServerState = "stopping"
	StateStopped      ServerState = "stopped"
	StateShuttingDown ServerState = "shutting-down"
	StateTerminated   ServerState = "terminated"
)

// Server is one EC2 instance.
type Server struct {
	ID       string
	Revision string // tag slipway.dev/revision
	Version  string // tag slipway.dev/version
	Role     Role   // tag slipway.dev/role
	Image    string
	Type     string
	Subnet   string
	Zone     string
	State    ServerState
	Reason   string // AWS's own words for the last state change ("Client.InstanceInitiatedShutdown: …"); often empty
	Token    string // client token of the launch
	Launched time.Time
	Impaired bool // the instance status check fails
	Hold     bool // tagged slipway.dev/hold by hand
}

// PoolUse is what a pool is for.
type PoolUse string

// Uses of a pool. A released pool left the spec while servers of ours may still be in it.
const (
	UseTest       PoolUse = "test"
	UseProduction PoolUse = "production"
	UseReleased   PoolUse = "released"
)

// PoolKind is the kind of load balancer behind a pool.
type PoolKind string

// The kinds of pool. A target group belongs to an application or to a network load balancer.
const (
	KindClassic PoolKind = "classic"
	KindALB     PoolKind = "alb"
	KindNLB     PoolKind = "nlb"
)

// Pool is one reading of one load balancer or target group.
type Pool struct {
	ID   string // resolved identity, equal for equal pools: a target group's ARN, or "classic/<region>/<name>"
	Name string // name in spec.loadBalancers, or the last part of the ID for a released one
	Use  PoolUse
	Kind PoolKind
	// Err is why this reading is no evidence (AWS's words); empty for a good one.
	Err string
	// ErrReason is the word for the condition where only a person can mend that (AccessDenied, PoolUnsupported); empty where
	// it may pass by itself.
	ErrReason string
	// Denied is why AWS does not permit us to register servers here, as far as this process was told; empty where it does. It
	// is mended outside of the Release, and tried again by itself.
	Denied string
	// Unresolved: nobody found out yet what the spec means, so that ID is no identity, and no servers are registered. Err is set too.
	Unresolved bool
	// Missing: AWS answered that the pool does not exist, with the account confirmed. Err is set too.
	Missing bool
	// NotInUse: no listener or rule sends anything to this target group; its members never become healthy.
	NotInUse bool
	// ZonalOnly: the pool does not balance across zones; law 1 then holds per zone.
	ZonalOnly bool
	// Members are all that are registered or draining, strangers included, sorted by server.
	Members []Member
	// Unasked are servers that are not registered, and of which this reading could not tell whether they still drain.
	Unasked []string
}

// CallsOf is what a look at pools costs, in calls to either generation of load balancers, which AWS limits each for itself: one for each
// pool's health, and one for the members of all classic load balancers.
func CallsOf(pools []Pool) (groups, classic int) {
	for _, p := range pools {
		switch {
		case p.Kind != KindClassic:
			groups++
		case classic == 0:
			classic = 2
		default:
			classic++
		}
	}
	return groups, classic
}

// nowhere: there is nothing to register servers with.
func (p Pool) nowhere() bool { return p.Missing || p.Unresolved }

// Label is what the pool is called in sentences: its name in the spec, with AWS's own behind it where that is another one.
// "edge (prod-elb-1)" for classic/eu-west-1/prod-elb-1 and for …:targetgroup/prod-elb-1/0123.
func (p Pool) Label() string {
	parts := strings.Split(p.ID, "/")
	known := parts[len(parts)-1]
	if strings.HasPrefix(p.ID, "arn:") && len(parts) > 1 {
		known = parts[len(parts)-2]
	}
	if known == "" || known == p.Name {
		return p.Name
	}
	return p.Name + " (" + known + ")"
}

// Readable reports whether the reading is evidence.
func (p Pool) Readable() bool { return p.Err == "" }

// MemberState is the state of one server in one pool.
type MemberState string

// The states of a member. A classic member that reads InService while it is draining is MemberDraining.
const (
	MemberHealthy     MemberState = "healthy"
	MemberUnhealthy   MemberState = "unhealthy"
	MemberRegistering MemberState = "registering"
	MemberDraining    MemberState = "draining"
	// MemberUnknown: AWS could not tell this time. It passes no check, and is no evidence that the server is sick (law 2).
	MemberUnknown MemberState = "unknown"
)

// Member is one server in one pool.
type Member struct {
	Server string
	State  MemberState
	Reason string // AWS's own reason text; empty for a healthy member
	// OtherPort: it is registered on another port than the one that the pool registers servers on, which only another hand does.
	OtherPort bool
}

// Memory is the little that can be read back neither from the spec nor from AWS. It is kept in annotations of the
// ControllerRevisions and written before the call that it covers.
type Memory struct {
	Revisions []Revision // sorted by Name
}

// Revision is what is remembered of one revision.
type Revision struct {
	Name    string // ControllerRevision name; the tag slipway.dev/revision
	Version string
	Image   string // resolved AMI
	// Number is ControllerRevision.revision: the highest is the one declared last. A revision is recorded with zero; Decide
	// numbers it in the same write that makes the Live revision before it stable, so that a crash between the two is harmless.
	Number int64
	// Subnets and InstanceTypes are the template's, in its order. They come from the ControllerRevision's data, not from
	// its annotations.
	Subnets       []string
	InstanceTypes []string
	// Lost: servers carry this revision but its ControllerRevision is gone. It serves, is rolled back to and is retired;
	// it is never grown or repaired.
	Lost bool

	// StableSeq is the stable sequence number; the highest one over all revisions is the stable fleet. Zero: never stable.
	StableSeq int64
	// Completed: it became stable by Complete, which retires the fleets before it. Otherwise it was Live when a newer
	// revision came, and the fleet before it is kept until that one is Live.
	Completed bool
	// Retired: this fleet was stable once and is on its way out, whatever the phase says from now on.
	Retired bool

	Verdict   Verdict
	Promotion Promotion
	GateAt    time.Time // the gate was passed; written before the first Deregister
	LiveAt    time.Time // no stable server was left in a production pool
	Ready     Stopwatch // time towards completeAfter
	Retry     string    // last value of slipway.dev/retry that was acted on
	Stopped   time.Time // when the clock of the promotion was stopped; zero while it runs
	Pools     []string  // IDs of every pool that this fleet was registered in, sorted
	Left      []Leave   // who of it was taken out of production a moment ago: left.go
	Launches  []Attempt // sorted by Number
	// Adopted are servers that were tagged as ours last, or are about to be, and AdoptedAt is when: EC2 may show it late.
	Adopted   []string
	AdoptedAt time.Time
}

// Verdict is a judgement against a revision; effective phase is RolledBack while it stands.
type Verdict struct {
	Reason string // ReasonPromotionFailed or ReasonAutoRolledBack; empty: none
	Why    string
	At     time.Time
}

// Promotion is the promotion in progress, or the one that made the revision Live. Without a cohort it is being undone.
type Promotion struct {
	StartedAt time.Time
	// Cohort are the servers that were healthy in Preview when the promotion began: the gate is about these.
	Cohort []string
	// Pools are the production pools of the gate that was passed; only they speak for or against the revision later.
	Pools []string
}

// Stopwatch counts only the time in which it runs.
type Stopwatch struct {
	Spent time.Duration
	Since time.Time // zero while it stands
}

// Elapsed is the time counted up to now.
func (s Stopwatch) Elapsed(now time.Time) time.Duration {
	if s.Since.IsZero() {
		return s.Spent
	}
	return s.Spent + now.Sub(s.Since)
}

// Attempt is one launch: one token for named places of one subnet and type.
type Attempt struct {
	Number  int // counts up within the revision; part of the token
	Token   string
	Subnet  string
	Type    string
	Role    Role
	Places  []int
	At      time.Time
	Open    bool     // the outcome is not known; it is replayed with the same token until it is
	Servers []string // what EC2 launched; fewer than Places after a partial fill
	Failure Failure  // why nothing was launched
	// Ended are those of Servers that EC2 showed as ended, or that it left out for so long that they were given up, and LastWords its
	// reason for the first of them, "i-1: Client.InternalError": it forgets both within the hour.
	Ended     []string
	LastWords string
	// Pardoned: a retry was asked for since; how it ended does not count any more.
	Pardoned bool
}

// Failure is why a launch brought nothing.
type Failure struct {
	Kind    FailureKind
	Reason  string // word for the condition
	Message string // AWS's own words and what to do
}

// FailureKind says what a failed launch means for the next one.
type FailureKind string

// Kinds of failure. Unknown errors and throttling are none: the attempt stays open.
const (
	FailureNone     FailureKind = ""
	FailureCapacity FailureKind = "capacity" // this type in this subnet: try the next
	FailureRejected FailureKind = "rejected" // EC2 refuses the parameters, the quota or the permission
	FailureDied     FailureKind = "died"     // launched, and terminated again before anything was done with it
)

// Input is everything that Decide may look at. Now is data, so that tests own the clock.
type Input struct {
	Spec   Spec
	Memory Memory
	World  World
	Soft   Soft
	Now    time.Time
}

// Soft is what one process remembers from pass to pass. Losing it costs time and nothing else: every clock in it
// starts again, every count begins at zero.
type Soft struct {
	// Since says since when something has been seen without interruption.
	Since map[string]time.Time
	// GoodPasses counts the passes in a row in which the gate was met.
	GoodPasses int
	// Untouched: this process has known the Release from its first moment, before anything could be launched for it, and has launched
	// and adopted nothing since, nor seen a server of it. A deletion then needs no record to know that nothing is left.
	Untouched bool
}
