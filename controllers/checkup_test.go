package controllers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/cloud"
)

// What did not answer in its own time has failed; what the checkup had no more time for was not tried.
func TestWhatWasNotAnswered(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	late := fmt.Errorf("servers: %w", context.DeadlineExceeded)
	denied := &cloud.Error{Kind: cloud.Denied, Thing: "servers", Code: "UnauthorizedOperation"}
	for name, row := range map[string]struct {
		ctx   context.Context
		err   error
		state checkup.State
		tells string
	}{
		"a call that ran out of time":    {t.Context(), late, checkup.Fail, "HTTPS_PROXY"},
		"a name that is not known":       {t.Context(), fmt.Errorf("servers: %w", &net.DNSError{Err: "no such host"}), checkup.Fail, "reach this service in us-east-1"},
		"a checkup that ran out of time": {over, late, checkup.Untried, "Ask again"},
		"too many calls":                 {t.Context(), &cloud.Error{Kind: cloud.Throttled}, checkup.Untried, "Ask again"},
		"a refusal at the last moment":   {over, denied, checkup.Fail, "config/iam/policy.json"},
		"words that nobody understands":  {t.Context(), errors.New("HTTP 500"), checkup.Fail, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := &examining{Checkup: &checkup.Checkup{Region: "us-east-1"}, r: &ReleaseReconciler{}}
			e.refused(row.ctx, checkup.AreaPermissions, "ec2:DescribeInstances", row.err)
			if got := e.Checks[0]; got.State != row.state || !strings.Contains(got.Advice, row.tells) || (got.Advice == "") != (row.tells == "") {
				t.Errorf("it notes %+v", got)
			}
		})
	}
}

// nobody are facts of which the caller cannot be told.
type nobody struct {
	cloud.Facts
	err error
}

func (n nobody) Caller(context.Context) (cloud.Caller, error) { return cloud.Caller{}, n.err }

// Without credentials that are known nothing works, whatever the reason is; only that there were too many calls passes by itself.
func TestCredentialsOfNobody(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, row := range map[string]struct {
		ctx   context.Context
		err   error
		state checkup.State
		tells string
	}{
		"no answer in time":             {t.Context(), context.DeadlineExceeded, checkup.Fail, "they reach STS in us-east-1: egress"},
		"no answer in the checkup's":    {over, context.DeadlineExceeded, checkup.Fail, "HTTPS_PROXY"},
		"no source of credentials":      {t.Context(), errors.New("no EC2 IMDS role found"), checkup.Fail, "have a role (docs/install.md, step 4)"},
		"credentials that are no good":  {t.Context(), &cloud.Error{Kind: cloud.Denied}, checkup.Fail, "let them assume it"},
		"what AWS has an advice of its": {t.Context(), &cloud.Error{Kind: cloud.Invalid, Advice: "Enable the region"}, checkup.Fail, "Enable the region"},
		"too many calls":                {t.Context(), &cloud.Error{Kind: cloud.Throttled}, checkup.Untried, "Ask again in a minute"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &examining{Checkup: &checkup.Checkup{Region: "us-east-1"}, r: &ReleaseReconciler{}, exam: cloud.Examination{Facts: nobody{err: row.err}}}
			if e.credentials(row.ctx) || e.ReachedAWS() {
				t.Error("they are good")
			}
			if got := e.Checks[0]; got.State != row.state || !strings.Contains(got.Advice, row.tells) {
				t.Errorf("it notes %+v", got)
			}
		})
	}
}
