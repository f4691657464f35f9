package awscloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// confirmedFor is how long it takes until an account is confirmed again.
const confirmedFor = time.Minute

// identity knows which account the credentials belong to.
type identity struct {
	sts         identityAPI
	credentials aws.CredentialsProvider
	who         string         // for errors: the role, or processItself
	expected    string         // account of the class; empty: any
	answers     shared[string] // by access key

	mu        sync.Mutex
	key       string // the access key that was confirmed last
	confirmed string // and its account
}

// AccountID implements cloud.Identity. An access key never changes hands: the account that STS named for this very key
// holds while it is asked again, and where it does not answer. STS is asked behind the back of the calls, every one of which
// begins here.
func (i *identity) AccountID(ctx context.Context) (string, error) {
	credentials, err := i.credentials.Retrieve(ctx)
	if err != nil {
		return "", explain(err, i.who, nil)
	}
	key := credentials.AccessKeyID
	if account, known := i.known(key); known {
		i.answers.latest(ctx, key, confirmedFor)
		return account, nil
	}
	return i.answers.get(ctx, key, confirmedFor)
}

func (i *identity) known(key string) (account string, known bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.confirmed, i.confirmed != "" && i.key == key
}

// ask is how answers are read.
func (i *identity) ask(ctx context.Context, key string) (string, error) {
	answer, err := i.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	err = explain(err, i.who, nil)
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case err == nil:
		i.key, i.confirmed = key, aws.ToString(answer.Account)
		return i.confirmed, nil
	case cloud.KindOf(err) == cloud.Denied && i.key == key:
		i.confirmed = "" // it was withdrawn
	}
	return "", err
}

// believe passes a NotFound on only if the account is the expected one: what the class names may well exist there, and
// be missing where the credentials led by mistake. Every other error passes.
func (i *identity) believe(ctx context.Context, err error) error {
	missing, ok := errors.AsType[*cloud.Error](err)
	if !ok || missing.Kind != cloud.NotFound {
		return err
	}
	account, accountErr := i.AccountID(ctx)
	switch {
	case accountErr != nil:
		return fmt.Errorf("%s: not found, but the account could not be confirmed: %w", missing.Thing, accountErr)
	case i.expected != "" && account != i.expected:
		return &cloud.Error{Kind: cloud.Denied, Reason: rollout.ReasonWrongAccount, Thing: missing.Thing,
			Code: missing.Code, Message: fmt.Sprintf("with %s this is account %s, not %s", i.who, account, i.expected),
			Advice: "Correct roleARN or accountID of the ReleaseClass", Err: err}
	default:
		return err
	}
}
