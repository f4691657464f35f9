package awscloud

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/singleflight"
)

const (
	// retryRenewal is how long a renewal is left alone while the old credentials still hold: one that failed, or one that
	// brought the same again, for agents on the machine keep credentials, too.
	retryRenewal = 30 * time.Second
	// renewalLimit ends a renewal that hangs.
	renewalLimit = 30 * time.Second
)

// source gives credentials, newer ones than those that are held if it can.
type source func(ctx context.Context, held aws.Credentials) (aws.Credentials, error)

// renewedCredentials are those of an assumed role or of the process itself, renewed behind the back of the calls from half
// of their life on. Until they really end, STS may fail or hang without any call noticing: a rollback does not wait for it.
// The SDK's own cache makes every call wait for a renewal, and fail with it. Credentials without an end (keys in a file)
// are asked for at each call.
type renewedCredentials struct {
	who    string // for errors: the role, or "the credentials of this process"
	source source
	clock  Clock

	flight singleflight.Group
	mu     sync.Mutex
	held   aws.Credentials
	renew  time.Time // when to ask for the next ones
}

// Retrieve implements aws.CredentialsProvider.
func (r *renewedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	now := r.clock.Now()
	r.mu.Lock()
	held, due := r.held, !now.Before(r.renew)
	r.mu.Unlock()
	if held.HasKeys() && !held.CanExpire {
		return r.ask(ctx, held)
	}
	good := held.HasKeys() && now.Before(held.Expires)
	if good && !due {
		return held, nil
	}
	renewed := r.flight.DoChan("", func() (fresh any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalLimit)
		defer cancel()
		err = contained("renewing the credentials of "+r.who, func() error {
			fresh, err = r.ask(ctx, held)
			return err
		})
		return fresh, err
	})
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

func (r *renewedCredentials) ask(ctx context.Context, held aws.Credentials) (aws.Credentials, error) {
	credentials, err := r.source(ctx, held)
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.renew = now.Add(retryRenewal)
		return aws.Credentials{}, explain(err, r.who, nil)
	}
	r.held = credentials
	r.renew = now.Add(max(credentials.Expires.Sub(now)/2, retryRenewal))
	return credentials, nil
}

// ofProcess gives the credentials that the SDK found for this process: web identity, Pod Identity, an instance's, keys. Its
// cache hands out the same ones until just before they end, so those that are held already are thrown out of it.
func ofProcess(provider aws.CredentialsProvider) source {
	cache, cached := provider.(*aws.CredentialsCache)
	return func(ctx context.Context, held aws.Credentials) (aws.Credentials, error) {
		credentials, err := provider.Retrieve(ctx)
		if err == nil && cached && credentials.CanExpire && credentials.AccessKeyID == held.AccessKeyID {
			cache.Invalidate()
			return provider.Retrieve(ctx)
		}
		return credentials, err
	}
}
