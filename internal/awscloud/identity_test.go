package awscloud_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

const (
	abroad = "210987654321"
	role   = "arn:aws:iam::" + abroad + ":role/slipway"
)

// abroadClass works in another account, through a role.
func abroadClass() cloud.Class {
	return cloud.Class{Region: "eu-west-1", AccountID: abroad, RoleARN: role, ExternalID: "shop", Cluster: cluster}
}

func (w *world) seedRole() { w.SeedRole(localaws.Role{ARN: role, ExternalID: "shop"}) }

// works makes a call that needs credentials.
func works(ctx context.Context, account *cloud.Account) error {
	_, err := account.Compute.Servers(ctx, cloud.Query{Cluster: cluster})
	return err
}

func TestOpen(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		opener := w.opener()
		first, err := opener.Open(class())
		w.must(err)
		renamed := class()
		renamed.Name = "another"
		second, err := opener.Open(renamed)
		w.must(err)
		if first != second {
			t.Error("equal classes have two accounts")
		}
		other := class()
		other.RoleARN = role
		third, err := opener.Open(other)
		w.must(err)
		if third == first {
			t.Error("a class with a role shares the account of one without")
		}
		if _, err := opener.Open(cloud.Class{Name: "lost"}); err == nil || !strings.Contains(err.Error(), "lost names no region") {
			t.Errorf("a class without a region: %v", err)
		}
		if len(w.Ledger()) > 0 {
			t.Error("opening made calls")
		}
	})
}

// A class that is edited again and again leaves nothing behind; one in use keeps what it has.
func TestAccountsThatNobodyOpensAreLetGo(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		opener := w.opener()
		open := func(role string) *cloud.Account {
			class := class()
			class.RoleARN = role
			account, err := opener.Open(class)
			return answered(w, account, err)
		}
		used, unused := open("used"), open("unused")
		for range 5 {
			w.pass(30 * time.Minute)
			if open("used") != used {
				t.Error("an account in use was let go")
			}
		}
		open("new")
		if open("used") != used || open("unused") == unused {
			t.Error("the account that nobody opened is still there, or that in use is not")
		}
	})
}

func TestOpenWithoutCredentials(t *testing.T) {
	if _, err := awscloud.NewOpener(awscloud.Options{}).Open(class()); err == nil {
		t.Error("opened an account without credentials")
	}
}

// headers notes the user agent of each request.
type headers struct {
	next http.RoundTripper
	seen []string
}

func (h *headers) RoundTrip(r *http.Request) (*http.Response, error) {
	h.seen = append(h.seen, r.Header.Get("User-Agent"))
	return h.next.RoundTrip(r)
}

func TestUserAgent(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		notes := &headers{next: w.Transport()}
		_, err := w.over(notes).Identity.AccountID(ctx)
		w.must(err)
		if len(notes.seen) != 1 || !strings.Contains(notes.seen[0], "app/slipway") {
			t.Errorf("sent %q", notes.seen)
		}
	})
}

func TestAccountIsConfirmedOnceAMinute(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		for range 3 {
			account, err := w.Identity.AccountID(ctx)
			w.must(err)
			if account != home {
				t.Errorf("we are %s", account)
			}
		}
		w.expectCalls("GetCallerIdentity", 1)
		for range 3 {
			w.pass(61 * time.Second)
			_, err := w.Identity.AccountID(ctx)
			w.must(err)
		}
		w.pass(0)
		w.expectCalls("GetCallerIdentity", 4)
	})
}

func TestKnownAccountDoesNotWaitForSTS(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.Inject(localaws.Fault{Service: "sts", Hang: true, Skip: 1})
		w.must(second(w.Identity.AccountID(ctx)))
		for range 60 {
			w.pass(10 * time.Second)
			began := time.Now()
			if account, err := w.Identity.AccountID(ctx); err != nil || account != home {
				t.Errorf("we are %q, %v", account, err)
			}
			if took := time.Since(began); took > 0 {
				t.Errorf("the account was waited for %s", took)
			}
		}
		w.expectCalls("GetCallerIdentity", 10) // one a minute, behind the back of the others
	})
}

// Other credentials may lead elsewhere: nothing is known of their account until STS names it.
func TestAccountOfOtherCredentialsIsAskedFor(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		lender := &lender{}
		account := w.borrowing(aws.NewCredentialsCache(lender))
		w.must(second(account.Identity.AccountID(ctx)))
		w.Inject(localaws.Fault{Service: "sts", Before: &localaws.APIFault{Status: 503}})
		w.pass(31 * time.Minute)
		w.must(second(account.Identity.AccountID(ctx))) // renews
		w.pass(time.Second)
		if id, err := account.Identity.AccountID(ctx); err == nil {
			t.Errorf("with another key we are %q, although STS said nothing", id)
		}
	})
}

// second is the error of a call whose answer does not matter.
func second[T any](_ T, err error) error { return err }

func TestRoleLeadsToItsAccount(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.seedRole()
		account := w.open(abroadClass())
		id, err := account.Identity.AccountID(ctx)
		w.must(err)
		if id != abroad {
			t.Errorf("we are %s", id)
		}
		site := w.In(abroad, "eu-west-1").DefaultWorld()
		request := w.request("token-1", 1)
		request.Subnet = site.Subnets[0]
		ids, err := account.Compute.Launch(ctx, request)
		w.must(err)
		server, _ := w.Instance(ids[0])
		if server.Account != abroad || server.Region != "eu-west-1" {
			t.Errorf("launched in %s, %s", server.Account, server.Region)
		}
	})
}

func TestRoleThatMayNotBeAssumed(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.seedRole()
		wrong := abroadClass()
		wrong.ExternalID = "shopp"
		account := w.open(wrong)
		w.expectError(works(ctx, account), cloud.Denied, rollout.ReasonAccessDenied, "role "+role)
		_, err := account.Identity.AccountID(ctx)
		w.expectError(err, cloud.Denied, rollout.ReasonAccessDenied, "role "+role)
		w.expectCalls("DescribeInstances", 0)
	})
}

// What STS refuses on the way to the credentials says nothing of the buckets of EC2.
func TestThrottledRoleCostsTheCallNothing(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.seedRole()
		account := w.open(abroadClass())
		request := w.request("token-1", 1)
		request.Subnet = w.In(abroad, "eu-west-1").DefaultWorld().Subnets[0]
		throttle := w.Inject(localaws.Fault{Action: "AssumeRole",
			Before: &localaws.APIFault{Status: 400, Code: "Throttling", Message: "Rate exceeded"}})
		w.expectError(second(account.Compute.Launch(ctx, request)), cloud.Throttled, rollout.ReasonThrottled, "role "+role)
		throttle.Remove()
		w.pass(100 * time.Millisecond) // until STS has a token again
		began := time.Now()
		w.must(second(account.Compute.Launch(ctx, request)))
		if took := time.Since(began); took > 0 {
			t.Errorf("waited %s for a token of EC2, which had refused nothing", took)
		}
	})
}

func TestRoleIsRenewedAtHalfItsLife(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.seedRole()
		account := w.open(abroadClass())
		w.must(works(ctx, account))
		w.pass(29 * time.Minute)
		w.must(works(ctx, account))
		w.expectCalls("AssumeRole", 1)
		w.pass(2 * time.Minute)
		w.must(works(ctx, account))
		w.pass(time.Second)
		w.expectCalls("AssumeRole", 2)
		w.pass(45 * time.Minute) // past the end of the first ones
		w.must(works(ctx, account))
	})
}

func TestCallsDoNotWaitForSTS(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.seedRole()
		account := w.open(abroadClass())
		w.must(works(ctx, account))
		_, err := account.Identity.AccountID(ctx)
		w.must(err)
		hang := w.Inject(localaws.Fault{Service: "sts", Hang: true})
		for range 28 {
			w.pass(2 * time.Minute)
			began := time.Now()
			w.must(works(ctx, account))
			if took := time.Since(began); took > 0 {
				t.Fatalf("a call waited %s for STS", took)
			}
		}
		if id, err := account.Identity.AccountID(ctx); err != nil || id != abroad {
			t.Errorf("the account is %q, %v", id, err)
		}
		w.pass(5 * time.Minute)
		if err := works(ctx, account); err == nil {
			t.Error("a call went out with credentials that had ended")
		}
		hang.Remove()
		w.pass(time.Minute)
		w.must(works(ctx, account))
	})
}

// lender gives credentials to the process, as an identity provider does: new ones at each question, for an hour.
type lender struct {
	lent int
	err  error         // if set, it fails
	hang chan struct{} // if set, it hangs until this is closed
}

func (l *lender) Retrieve(context.Context) (aws.Credentials, error) {
	if l.hang != nil {
		<-l.hang
	}
	if l.err != nil {
		return aws.Credentials{}, l.err
	}
	l.lent++
	return aws.Credentials{AccessKeyID: fmt.Sprint("AKIATEST", l.lent), SecretAccessKey: "secret",
		CanExpire: true, Expires: time.Now().Add(time.Hour)}, nil
}

// borrowing is our account with the credentials of a lender.
func (w *world) borrowing(provider aws.CredentialsProvider) *cloud.Account {
	w.t.Helper()
	config := w.config()
	config.Credentials = provider
	account, err := awscloud.NewOpener(awscloud.Options{Config: config}).Open(class())
	return answered(w, account, err)
}

// expectKey says which access key the last call went out with.
func (w *world) expectKey(want string) {
	w.t.Helper()
	calls := w.calls("DescribeInstances")
	if got := calls[len(calls)-1].Who.AccessKey; got != want {
		w.t.Errorf("called with %s, want %s", got, want)
	}
}

func TestCallsDoNotWaitForTheCredentialsOfTheProcess(t *testing.T) {
	troubles := map[string]func(*lender) (mend func()){
		"the renewal hangs": func(l *lender) func() {
			l.hang = make(chan struct{})
			return func() { close(l.hang) }
		},
		"the renewal fails": func(l *lender) func() {
			l.err = errors.New("no token")
			return func() { l.err = nil }
		},
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				lender := &lender{}
				account := w.borrowing(aws.NewCredentialsCache(lender))
				w.must(works(ctx, account))
				w.pass(29 * time.Minute)
				w.must(works(ctx, account))
				w.pass(time.Second)
				w.must(works(ctx, account))
				w.expectKey("AKIATEST1")
				w.pass(2 * time.Minute) // past half of their life
				w.must(works(ctx, account))
				w.pass(time.Second)
				w.must(works(ctx, account))
				w.expectKey("AKIATEST2")

				mend := trouble(lender)
				for range 28 {
					w.pass(2 * time.Minute)
					began := time.Now()
					w.must(works(ctx, account))
					if took := time.Since(began); took > 0 {
						t.Fatalf("a call waited %s for credentials", took)
					}
				}
				w.expectKey("AKIATEST2")
				w.pass(5 * time.Minute)
				if err := works(ctx, account); err == nil {
					t.Error("a call went out with credentials that had ended")
				}
				mend()
				w.must(works(ctx, account))
				w.expectKey("AKIATEST3")
			})
		})
	}
}

// An agent on the machine hands out the same credentials until it has others.
func TestRenewalThatBringsTheSameIsNotRepeatedAtOnce(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ends, asked := time.Now().Add(time.Hour), 0
		account := w.borrowing(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			asked++
			return aws.Credentials{AccessKeyID: "AKIATEST", SecretAccessKey: "secret", CanExpire: true, Expires: ends}, nil
		}))
		for range 59 * 6 {
			w.must(works(ctx, account))
			w.pass(10 * time.Second)
		}
		if asked > 10 {
			t.Errorf("asked %d times in an hour", asked)
		}
	})
}

func TestKeysWithoutAnEndAreReadAtEachCall(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		key := ""
		account := w.borrowing(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret"}, nil
		}))
		for _, key = range []string{"AKIATEST1", "AKIATEST2", "AKIATEST3"} {
			w.must(works(ctx, account))
			w.expectKey(key)
			w.pass(0)
		}
	})
}

func TestAccountOfRevokedCredentialsIsNotBelieved(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.must(second(w.Identity.AccountID(ctx)))
		w.pass(2 * time.Minute)
		w.Inject(localaws.Fault{Service: "sts", Before: &localaws.APIFault{Status: 403, Code: "InvalidClientTokenId",
			Message: "The security token included in the request is invalid."}})
		w.must(second(w.Identity.AccountID(ctx))) // asks behind the back
		w.pass(0)
		_, err := w.Identity.AccountID(ctx)
		w.expectError(err, cloud.Denied, rollout.ReasonAccessDenied, "the credentials of this process")
	})
}

// As a server on loopback, found through the SDK's own variables.
func TestEndpointFromTheEnvironment(t *testing.T) {
	local := localaws.New(localaws.Options{Account: home, Region: region})
	defer local.Close()
	server := httptest.NewServer(local.Handler())
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "ap-south-1") // the class names another
	config, err := awscloud.LoadConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	account, err := awscloud.NewOpener(awscloud.Options{Config: config}).Open(class())
	if err != nil {
		t.Fatal(err)
	}
	if id, err := account.Identity.AccountID(t.Context()); id != home || err != nil {
		t.Errorf("we are %q, %v", id, err)
	}
	if entries := local.Ledger(); len(entries) != 1 || entries[0].Region != region {
		t.Errorf("called %+v", entries)
	}
}
