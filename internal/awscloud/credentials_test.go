package awscloud_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// refusals are what AWS says of credentials that it withdrew.
var refusals = map[string]localaws.APIFault{
	"its role is gone":   {Status: 403, Code: "InvalidClientTokenId"},
	"it is not known":    {Status: 400, Code: "UnrecognizedClientException"},
	"it ended":           {Status: 403, Code: "ExpiredToken"},
	"EC2 knows it not":   {Status: 401, Code: "AuthFailure"},
	"its session is out": {Status: 403, Code: "UnauthorizedOperation"},
}

// Credentials that AWS withdrew are renewed by the first call that it refuses, of a role and of the process: the next one works.
func TestCredentialsThatWereWithdrawnAreRenewedAtOnce(t *testing.T) {
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				w.seedRole()
				for _, account := range []*cloud.Account{w.open(abroadClass()), w.borrowing(aws.NewCredentialsCache(&lender{}))} {
					w.must(works(ctx, account))
					w.pass(2 * time.Minute)
					withdrawn := w.Inject(localaws.Fault{Action: "DescribeInstances", Before: &refusal})
					if err := works(ctx, account); err == nil {
						t.Fatal("a call with credentials that were withdrawn went well")
					}
					withdrawn.Remove()
					before := w.lastKey()
					w.pass(time.Second)
					w.must(works(ctx, account))
					if after := w.lastKey(); after == before {
						t.Errorf("called with %s once more", after)
					}
				}
				w.expectCalls("AssumeRole", 2)
			})
		})
	}
}

// lastKey is the access key that the last reading went out with.
func (w *world) lastKey() string {
	calls := w.calls("DescribeInstances")
	return calls[len(calls)-1].Who.AccessKey
}

// What goes on being refused with new credentials costs one renewal in half a minute, and no call waits for it. Other refusals cost none.
func TestRefusalsThatRenewalDoesNotMendAreNoReasonToHurry(t *testing.T) {
	for code, most := range map[string]int{"InvalidClientTokenId": 11, "UnauthorizedOperation": 11, "InvalidParameterValue": 1} {
		t.Run(code, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				w.seedRole()
				account := w.open(abroadClass())
				w.must(works(ctx, account))
				refused := w.Inject(localaws.Fault{Action: "DescribeInstances", Before: &localaws.APIFault{Status: 403, Code: code}})
				for range 5 * 60 {
					_ = works(ctx, account)
					w.pass(time.Second)
				}
				if renewed := len(w.calls("AssumeRole")); renewed > most || renewed < min(most, 9) {
					t.Errorf("%d sessions in five minutes, want %d", renewed, most)
				}
				refused.Remove()
				w.Inject(localaws.Fault{Service: "sts", Hang: true})
				began := time.Now()
				w.must(works(ctx, account))
				if took := time.Since(began); took > 0 {
					t.Errorf("a call waited %s for STS", took)
				}
			})
		})
	}
}
