package awscloud

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/cloud"
)

const (
	// appID is the user agent's word for us: "app/slipway" in CloudTrail.
	appID = "slipway"
	// sessionLength is asked for when a role is assumed: the most that AWS allows to chained roles.
	sessionLength = time.Hour
	// DefaultShare of the documented limits leaves something for people and other programs of the account.
	DefaultShare = 0.7

	// processItself is who we are without a role, in errors.
	processItself = "the credentials of this process"

	// idleAfter is how long an account is kept that nobody opens, as each pass does: its class was edited or removed.
	idleAfter = time.Hour

	stsService = sts.ServiceID
)

// Options shape an Opener.
type Options struct {
	// Config is where credentials, endpoints and the HTTP client come from, usually LoadConfig's. Its region does not
	// matter: each class names its own.
	Config aws.Config
	// Clock drives ages and rate limits. Default: the time of day.
	Clock Clock
	// Share of AWS's documented request limits that we allow ourselves. Default 0.7. Tests on a virtual clock, which
	// nobody advances while a call waits, set it to a thousand.
	Share float64
	// SweepMost is the most servers of a cluster that a sweep reads for one look at a Release: of a larger cluster, whoever asks for one
	// Release's servers gets a reading of those. Default 1,000, which one call tells. Negative: none, each reads its own.
	SweepMost int
	// MaxBackoff is the longest pause before a call is tried again, on the time of day. Default 1 s.
	MaxBackoff time.Duration
	// Watcher is told of every attempt of every call but those of examinations. Default: nobody is.
	Watcher cloud.Watcher
}

// LoadConfig reads what the SDK reads: AWS_* variables (AWS_ENDPOINT_URL among them), web identity, Pod Identity, shared
// files. It makes no call.
func LoadConfig(ctx context.Context) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx)
}

// Opener implements cloud.Opener.
type Opener struct {
	options Options

	mu       sync.Mutex
	accounts map[cloud.Class]*opened
	gates    map[place]gates
	watch    *cloud.ServerWatch // nil: nobody watches
	watching context.Context    // ends what is heard for the watch
	names    map[string]naming  // by class
	ears     map[ear]context.CancelFunc
}

// opened is an account, when it was last asked for, and its queues.
type opened struct {
	*cloud.Account
	asked  time.Time
	queues queueAPI
}

// place is one account in one region: what AWS counts calls by.
type place struct{ account, region string }

// NewOpener makes an Opener. It makes no call.
func NewOpener(options Options) *Opener {
	if options.Clock == nil {
		options.Clock = wallClock{}
	}
	if options.Share == 0 {
		options.Share = DefaultShare
	}
	if options.SweepMost == 0 {
		options.SweepMost = pageSize
	}
	if options.MaxBackoff == 0 {
		options.MaxBackoff = defaultPatience
	}
	if provider := options.Config.Credentials; provider != nil {
		options.Config.Credentials = &renewedCredentials{who: processItself, source: ofProcess(provider), clock: options.Clock}
	}
	return &Opener{options: options, accounts: map[cloud.Class]*opened{}, gates: map[place]gates{}, names: map[string]naming{},
		ears: map[ear]context.CancelFunc{}}
}

// Open implements cloud.Opener. Classes that differ in their name alone are equal. It fails for a class without a region
// and where the process has no source of credentials at all.
func (o *Opener) Open(class cloud.Class) (*cloud.Account, error) {
	if class.Region == "" {
		return nil, errors.New("ReleaseClass " + class.Name + " names no region")
	}
	if o.options.Config.Credentials == nil {
		return nil, errors.New("no AWS credentials are configured for this process")
	}
	class.Name = ""
	now := o.options.Clock.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if account, ok := o.accounts[class]; ok {
		account.asked = now
		return account.Account, nil
	}
	maps.DeleteFunc(o.accounts, func(_ cloud.Class, other *opened) bool { return now.Sub(other.asked) > idleAfter })
	at := place{class.AccountID, class.Region}
	if o.gates[at] == nil {
		o.gates[at] = newGates(o.options.Clock, o.options.Share)
	}
	account := o.open(class, o.gates[at])
	account.asked = now
	o.accounts[class] = account
	return account.Account, nil
}

func (o *Opener) open(class cloud.Class, turns gates) *opened {
	cfg := o.config(class, turns)
	if o.options.Watcher != nil {
		cfg.APIOptions = append(cfg.APIOptions, watched(o.options.Watcher))
	}
	who := processItself
	if class.RoleARN != "" {
		who = "role " + class.RoleARN
		role := o.assume(class, cfg)
		cfg.Credentials, cfg.APIOptions = role, append(slices.Clip(cfg.APIOptions), role.renewRefused)
	}
	me := &identity{sts: sts.NewFromConfig(cfg), credentials: cfg.Credentials, who: who, expected: class.AccountID}
	me.answers = shared[string]{clock: o.options.Clock, limit: callTimeout, read: me.ask}

	servers := ec2.NewFromConfig(cfg)
	inventory := newInventory(servers, o.options.Clock, o.options.SweepMost, o.tell)
	groups := newTargetGroups(elbv2.NewFromConfig(cfg))
	pools := newBalancer(class.Region, o.options.Clock, me,
		newClassic(elb.NewFromConfig(cfg), o.options.Clock), groups)
	account := &cloud.Account{
		Compute:  newCompute(servers, inventory, class, o.options.Clock),
		Balancer: pools,
		Images:   &images{ec2: servers, ssm: ssm.NewFromConfig(cfg)},
		Identity: me,
		Rehearse: func() cloud.Rehearsal { return newRehearsal(class, o.options.Clock, groups) },
		Examine:  func() cloud.Examination { return o.examine(class, turns) },
		Hear:     func(name, queue string) { o.hear(name, ear{class, queue}) },
	}
	return &opened{Account: account, queues: sqs.NewFromConfig(cfg)}
}

// config is the SDK's, with our region, name, retries and rate limits.
func (o *Opener) config(class cloud.Class, turns gates) aws.Config {
	cfg := o.options.Config.Copy()
	cfg.Region = class.Region
	if cfg.AppID == "" {
		cfg.AppID = appID
	}
	cfg.Retryer = func() aws.Retryer { return newRetryer(o.options.MaxBackoff) }
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), takeTurns(turns), askPermit)
	if process, are := cfg.Credentials.(*renewedCredentials); are {
		cfg.APIOptions = append(cfg.APIOptions, process.renewRefused)
	}
	return cfg
}

func (o *Opener) assume(class cloud.Class, cfg aws.Config) *renewedCredentials {
	role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), class.RoleARN, func(a *stscreds.AssumeRoleOptions) {
		a.RoleSessionName = appID
		a.Duration = sessionLength
		if class.ExternalID != "" {
			a.ExternalID = aws.String(class.ExternalID)
		}
	})
	return &renewedCredentials{who: "role " + class.RoleARN, clock: o.options.Clock,
		source: func(ctx context.Context, _ aws.Credentials) (aws.Credentials, error) { return role.Retrieve(ctx) }}
}
