package awscloud

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/singleflight"
)

const (
	// retryRenewal is how long a renewal is left alone while the old credentials still hold: one that failed, or one that
	// brought the same again, for agents on the machine keep credentials, too. It is also the least time between two
	// renewals because AWS refused what is held.
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
//
// AWS may withdraw them before: a role is deleted and made again, or its sessions are revoked. They are renewed at once
// where an answer says so, also behind the back of the calls: what one answer says is no reason to throw away what works.
type renewedCredentials struct {
	who    string // for errors: the role, or "the credentials of this process"
	source source
	clock  Clock

	flight singleflight.Group
	mu     sync.Mutex
	held   aws.Credentials
	renew  time.Time // when to ask for the next ones
	// withdrawn and denied are when a renewal began last because of a refusal by such a code.
	withdrawn, denied time.Time
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
	renewed := r.renewal(ctx, held)
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

// renewal begins one, if none is under way.
func (r *renewedCredentials) renewal(ctx context.Context, held aws.Credentials) <-chan singleflight.Result {
	return r.flight.DoChan("", func() (fresh any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewalLimit)
		defer cancel()
		err = contained("renewing the credentials of "+r.who, func() error {
			fresh, err = r.ask(ctx, held)
			return err
		})
		return fresh, err
	})
}

// sessionOver says that credentials are no good any more; mayBeOver is said of those that were revoked, too, but mostly where a permission is
// missing, or a clock is wrong. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
var (
	sessionOver = setOf("InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException")
	mayBeOver   = setOf("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "RequestExpired")
)

// refused renews credentials that AWS refused with such a code, if they are those that are held.
func (r *renewedCredentials) refused(ctx context.Context, key, code string) {
	if held, is := r.over(key, code); is {
		r.renewal(ctx, held)
	}
}

// over reports whether what is held is to be renewed because of a refusal. Missing permissions keep none of those waiting that are over.
func (r *renewedCredentials) over(key, code string) (held aws.Credentials, is bool) {
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	last := &r.withdrawn
	if mayBeOver.has(code) {
		last = &r.denied
	} else if !sessionOver.has(code) {
		return held, false
	}
	if r.held.AccessKeyID != key || !r.held.CanExpire || now.Sub(*last) < retryRenewal {
		return held, false
	}
	*last = now
	return r.held, true
}

// renewRefused tells credentials which of their calls AWS refuses, and how.
func (r *renewedCredentials) renewRefused(stack *middleware.Stack) error {
	handle := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		out, metadata, err := next.HandleFinalize(ctx, in)
		if request, is := in.Request.(*smithyhttp.Request); is && err != nil {
			r.refused(ctx, signedWith(request.Header.Get("Authorization")), codeOf(err))
		}
		return out, metadata, err
	}
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("slipway.Renew "+r.who, handle), middleware.After)
}

// signedWith is the access key of a signature: "AWS4-HMAC-SHA256 Credential=AKIA…/20260102/us-east-1/ec2/aws4_request, …".
func signedWith(authorization string) string {
	_, credential, _ := strings.Cut(authorization, "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	return key
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
