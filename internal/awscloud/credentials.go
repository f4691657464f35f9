package awscloud

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/singleflight"
)

// retryRenewal is how long a failed renewal is left alone while the old credentials still hold.
const retryRenewal = 30 * time.Second

// roleCredentials are those of an assumed role, renewed behind the back of the calls from half of their life on. Until
// they really end, STS may fail or hang without any call noticing: a rollback does not wait for it. The SDK's own cache
// makes every call wait for a renewal, and fail with it.
type roleCredentials struct {
	role   string
	source aws.CredentialsProvider // asks STS
	clock  Clock

	flight singleflight.Group
	mu     sync.Mutex
	held   aws.Credentials
	renew  time.Time // when to ask for the next ones
}

// Retrieve implements aws.CredentialsProvider.
func (r *roleCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	now := r.clock.Now()
	r.mu.Lock()
	held, due := r.held, !now.Before(r.renew)
	r.mu.Unlock()
	good := held.HasKeys() && (!held.CanExpire || now.Before(held.Expires))
	if good && !due {
		return held, nil
	}
	renewed := r.flight.DoChan("", func() (any, error) { return r.ask(context.WithoutCancel(ctx)) })
	if good {
		return held, nil
	}
	select {
	case answer := <-renewed:
		credentials, _ := answer.Val.(aws.Credentials)
		return credentials, answer.Err
	case <-ctx.Done():
		return aws.Credentials{}, ctx.Err()
	}
}

func (r *roleCredentials) ask(ctx context.Context) (aws.Credentials, error) {
	credentials, err := r.source.Retrieve(ctx)
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.renew = now.Add(retryRenewal)
		return aws.Credentials{}, explain(err, "role "+r.role, nil)
	}
	r.held = credentials
	r.renew = now.Add(credentials.Expires.Sub(now) / 2)
	if !credentials.CanExpire {
		r.renew = now.Add(sessionLength)
	}
	return credentials, nil
}
