package localaws

import "time"

// Knobs are the delays and limits of the simulated AWS. Each comment says where its default comes from: "AWS" is
// AWS's documentation, "measured" what people have published, "assumed" what no page states.
type Knobs struct {
	// PendingMin and PendingMax bound the time from RunInstances or StartInstances to running. Measured: 4.9 s
	// (daemonology.net, 2021) to 16.6 s (brevdev/ec2-coldboot-research). A launch overrides it with boot= (app.go).
	PendingMin, PendingMax time.Duration
	// Configure is the time from running until the application answers, where the launch does not say configure=.
	// Measured: about 17 s from running to an open port (daemonology.net, 2021).
	Configure time.Duration
	// ShuttingDown and Stopping are the times until terminated and stopped. Assumed; AWS says seconds to minutes.
	ShuttingDown, Stopping time.Duration
	// TerminatedVisible is how long a terminated instance can still be described. AWS: about one hour (EC2 user
	// guide, instance lifecycle).
	TerminatedVisible time.Duration
	// TerminatedTags is how long a terminated instance keeps its tags. AWS: they vanish gradually; 0 means that they
	// stay as long as the instance is visible.
	TerminatedTags time.Duration
	// StatusInitializing is how long the status checks of a running instance read initializing. Assumed: two runs of
	// the checks, which AWS makes once a minute.
	StatusInitializing time.Duration
	// StatusInterval is how often the status checks of an instance run. AWS: once a minute (EC2 user guide).
	StatusInterval time.Duration

	// LaunchVisible is the time after RunInstances in which the new ids are not found by Describe calls, and missing
	// from filtered results. AWS documents that this happens (EC2 developer guide, eventual consistency) and no
	// figure; off by default.
	LaunchVisible time.Duration
	// LaunchMutable is the same for calls that change the new instance, such as CreateTags and TerminateInstances,
	// which may lag longer than Describe (same page). Off by default.
	LaunchMutable time.Duration
	// TagLag is the time until a change of tags is seen by readers. Off by default.
	TagLag time.Duration
	// StateLag is the age of the instance states that Describe calls show. Off by default.
	StateLag time.Duration

	// TerminatedCounts is how long a terminated instance still counts against the account's quotas. AWS documents that it may
	// (EC2 developer guide, eventual consistency) and no figure; off by default.
	TerminatedCounts time.Duration
	// ProfileLag is the time after SeedInstanceProfile in which launches find the profile invalid. Observed that it happens
	// (karpenter issue 5018); off by default.
	ProfileLag time.Duration
	// UnstableOrder lets DescribeInstances answer in another order each time. AWS: the order of its elements is not stable (SDK
	// documentation). Off by default, so that runs can be compared.
	UnstableOrder bool
	// QuestionMarksAreText takes "?" in a filter as it is. Off: it stands for any one character; no page that we know says so.
	QuestionMarksAreText bool
	// StopProtectionBlocksTermination lets DisableApiStop refuse TerminateInstances too. Off; no page says that it does.
	StopProtectionBlocksTermination bool
	// TokenReturnsTerminated answers the token of a terminated instance with that instance, as EC2 did before about 2025
	// (boto3 issue 4406). Off: IdempotentInstanceTerminated.
	TokenReturnsTerminated bool
	// TokensOptionalByDefault is what a launch gets that does not say HttpTokens: it depends on the image and the account (EC2
	// user guide, instance metadata options). Off: version 2 is required.
	TokensOptionalByDefault bool

	// TokenLife is how long a client token is remembered after its last instance was terminated. AWS: at least 24 h
	// (older EC2 documentation; the current page names no figure).
	TokenLife time.Duration
	// LimitsFillPartially lets a launch between MinCount and MaxCount take what a quota or the subnet's free
	// addresses leave, as AWS documents for capacity. For quotas and addresses no page says so; assumed.
	LimitsFillPartially bool
	// TemplateTagsReplaced lets the tags of a launch for a kind of resource replace those of its launch template. Off: they are
	// merged by their keys. No page says which.
	TemplateTagsReplaced bool
	// FleetSpendsLaunchTokens lets CreateFleet take the resource tokens of RunInstances, one for each instance. Off; no page says.
	FleetSpendsLaunchTokens bool
	// ImagePending is the time from CreateImage until the image is available. Assumed; minutes in reality.
	ImagePending time.Duration
	// DeregisteredKnown is how long a deregistered image can be named without an error, and is missing from the answer; later
	// it is not found. AWS documents the two (SDK documentation of DescribeImages) and no figure; assumed.
	DeregisteredKnown time.Duration

	// Latency is how long a call takes from being sent until it is answered: one half before its effect, one half after.
	// It passes on the cloud's clock. Off by default.
	Latency time.Duration

	// Throttle turns the token buckets on (throttle.go), as they are in AWS.
	Throttle bool
	// LargerELBReads gives the Describe calls of load balancing, and all its calls together, 200 tokens and 50 a second, as
	// AWS's page says since 2026-03-25 (cited in aws-load-balancer-controller pull request 4641), instead of 40 and 10. Off.
	LargerELBReads bool
	// IDsAreAFilter lets a DescribeInstances that names its instances, and the like, take its token from the larger bucket
	// of filtered reads. No page says whether ids count as a filter. Off.
	IDsAreAFilter bool

	// ResourceTextIsShort words a call that is refused for want of resource tokens as "Request limit exceeded." alone, as EC2 once worded
	// all throttling. Off: the text of throttled requests. No page says which.
	ResourceTextIsShort bool

	// AccessDeniedIs400 gives AccessDenied of load balancing, STS and the other query services the HTTP status 400. Off: 403. No page
	// says which.
	AccessDeniedIs400 bool

	// CheckSigningTime refuses requests whose signing time is more than five minutes from the cloud's clock, as AWS does. Off
	// by default, because a virtual clock is far from that of whoever signs; the fault "clock skew=D" turns it on by itself.
	CheckSigningTime bool

	// Events are the knobs of the events that queues get.
	Events EventKnobs
	// Balancers are the knobs of load balancers and target groups.
	Balancers BalancerKnobs
}

// DefaultKnobs are AWS's own delays and limits.
func DefaultKnobs() Knobs {
	return Knobs{
		PendingMin:          5 * time.Second,
		PendingMax:          17 * time.Second,
		Configure:           17 * time.Second,
		ShuttingDown:        30 * time.Second,
		Stopping:            20 * time.Second,
		TerminatedVisible:   time.Hour,
		StatusInitializing:  2 * time.Minute,
		StatusInterval:      time.Minute,
		TokenLife:           24 * time.Hour,
		LimitsFillPartially: true,
		ImagePending:        2 * time.Minute,
		DeregisteredKnown:   time.Hour,
		Throttle:            true,
		Balancers:           defaultBalancerKnobs(),
	}
}
