package awscloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func awsError(code, message string) error {
	return fmt.Errorf("operation error EC2: RunInstances, %w", &smithy.GenericAPIError{Code: code, Message: message})
}

func TestLaunchErrors(t *testing.T) {
	request := cloud.LaunchRequest{Type: "m5.large", Subnet: "subnet-1", Image: "ami-1", KeyName: "ops", InstanceProfile: "web",
		SecurityGroups: []string{"sg-1", "sg-2"}}
	tests := map[string]struct {
		code, message string
		want          cloud.Error
	}{
		"capacity": {
			code: "InsufficientInstanceCapacity", message: "We currently do not have sufficient m5.large capacity.",
			want: cloud.Error{Kind: cloud.NoCapacity, Reason: rollout.ReasonNoCapacity, Thing: "m5.large in subnet-1 from ami-1",
				Message: "We currently do not have sufficient m5.large capacity"},
		},
		"subnet full": {
			code: "InsufficientFreeAddressesInSubnet", message: "Not enough.",
			want: cloud.Error{Kind: cloud.NoCapacity, Reason: rollout.ReasonNoCapacity, Thing: "m5.large in subnet-1 from ami-1", Message: "Not enough"},
		},
		"vCPU quota, which another type might not meet, but which somebody should know of": {
			code: "VcpuLimitExceeded", message: "You have requested more vCPU capacity than your limit",
			want: cloud.Error{Kind: cloud.NoCapacity, Reason: rollout.ReasonQuotaExceeded, Thing: "m5.large in subnet-1 from ami-1",
				Message: "You have requested more vCPU capacity than your limit"},
		},
		"groups": {
			code: "InvalidGroup.NotFound", message: "The security group 'sg-2' does not exist",
			want: cloud.Error{Kind: cloud.Invalid, Reason: rollout.ReasonSecurityGroupNotFound, Thing: "security groups sg-1, sg-2",
				Message: "The security group 'sg-2' does not exist"},
		},
		"profile": {
			code: "InvalidParameterValue", message: "Value (web) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
			want: cloud.Error{Kind: cloud.Invalid, Reason: rollout.ReasonInstanceProfileNotFound, Thing: "instance profile web",
				Message: "Value (web) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"},
		},
		"another parameter": {
			code: "InvalidParameterValue", message: "Invalid value 'm5.large' for InstanceType.",
			want: cloud.Error{Kind: cloud.Invalid, Reason: rollout.ReasonInvalidParameter, Thing: "m5.large in subnet-1 from ami-1",
				Message: "Invalid value 'm5.large' for InstanceType"},
		},
		"denied": {
			code: "UnauthorizedOperation", message: "You are not authorized to perform: ec2:RunInstances. Encoded authorization failure message: AbC-123",
			want: cloud.Error{Kind: cloud.Denied, Reason: rollout.ReasonAccessDenied, Thing: "m5.large in subnet-1 from ami-1",
				Message: "You are not authorized to perform: ec2:RunInstances"},
		},
		"throttled": {
			code: "RequestLimitExceeded", message: "Request limit exceeded.",
			want: cloud.Error{Kind: cloud.Throttled, Reason: rollout.ReasonThrottled, Thing: "m5.large in subnet-1 from ami-1",
				Message: "Request limit exceeded"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			raw := awsError(test.code, test.message)
			var got *cloud.Error
			if !errors.As(explainLaunch(raw, request), &got) {
				t.Fatalf("not understood")
			}
			test.want.Code = test.code
			if diff := cmp.Diff(test.want, *got, cmpopts.IgnoreFields(cloud.Error{}, "Err", "Advice")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !errors.Is(got, raw) || got.Advice == "" {
				t.Errorf("the error as it came is lost, or the advice is missing: %#v", got)
			}
		})
	}
}

// answered is an error as it comes over the wire.
func answered(status int, code, message string) error {
	return &smithy.OperationError{ServiceID: "EC2", OperationName: "RunInstances", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code, Message: message}}}
}

// Whether the next type is tried, the launch given up, or the same call repeated.
func TestWhatALaunchDoesNext(t *testing.T) {
	type outcome struct {
		Kind   cloud.Kind
		Reason string
	}
	next := outcome{cloud.NoCapacity, rollout.ReasonNoCapacity}
	nextFamily := outcome{cloud.NoCapacity, rollout.ReasonQuotaExceeded}
	givenUp := outcome{cloud.Invalid, rollout.ReasonLaunchFailed}
	repeated := outcome{}
	for _, test := range []struct {
		status int
		code   string
		want   outcome
	}{
		{500, "InsufficientInstanceCapacity", next},
		{500, "InsufficientVolumeCapacity", next},
		{400, "InsufficientFreeAddressesInSubnet", next},
		{400, "UnfulfillableCapacity", next},
		{400, "Unsupported", next},
		{400, "MaxFleetCountExceeded", next},
		{400, "ReservationCapacityExceeded", next},
		{400, "VcpuLimitExceeded", nextFamily},
		{400, "MaxSpotInstanceCountExceeded", nextFamily},
		{400, "InstanceLimitExceeded", outcome{cloud.Quota, rollout.ReasonQuotaExceeded}},
		{400, "InvalidHostConfiguration", givenUp},
		{403, "AccountNotSubscribed", givenUp},
		{404, "InvalidPlacementGroup.Unknown", givenUp},
		{404, noCode, repeated},
		{408, "SlowClient", repeated},
		{429, "TooMany", repeated},
		{400, "RequestTimeout", repeated},
		{400, "ConcurrentTagAccess", repeated},
		{400, "InternalError", repeated},
		{400, "IdempotentParameterMismatch", repeated},
		{500, "Mystery", repeated},
		{503, "Unavailable", repeated},
		{400, "Throttling", outcome{cloud.Throttled, rollout.ReasonThrottled}},
	} {
		t.Run(fmt.Sprint(test.code, " ", test.status), func(t *testing.T) {
			err := explainLaunch(answered(test.status, test.code, "AWS's words."), cloud.LaunchRequest{Type: "m5.large"})
			got := outcome{Kind: cloud.KindOf(err)}
			if understood, ok := errors.AsType[*cloud.Error](err); ok {
				got.Reason = understood.Reason
			}
			if got != test.want {
				t.Errorf("got %q, want %q: %v", got, test.want, err)
			}
			if test.code != noCode && !strings.Contains(err.Error(), "AWS's words") {
				t.Errorf("AWS's words are lost: %v", err)
			}
		})
	}
}

func TestWhatIsNotUnderstoodKeepsTheErrorAsItCame(t *testing.T) {
	if err := explain(nil, "x", launchMeanings); err != nil {
		t.Errorf("nothing became %v", err)
	}
	for _, err := range []error{errors.New("connection refused"), awsError("InternalError", "An internal error has occurred")} {
		got := explain(err, "x", launchMeanings)
		if !errors.Is(got, err) || cloud.KindOf(got) != cloud.Unknown {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestWhatIsNotUnderstoodIsToldInTheSameWords(t *testing.T) {
	read := func(port int, err error) error {
		return fmt.Errorf("operation error EC2: DescribeInstances, request send failed, %w", &net.OpError{Op: "read", Net: "tcp",
			Source: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: port}, Addr: &net.TCPAddr{IP: net.IPv4(52, 0, 0, 1), Port: 443}, Err: err})
	}
	tests := map[string]struct{ one, other error }{
		"the pool: An internal error has occurred (InternalError, HTTP 500)": {
			answered(500, "InternalError", "An internal error has occurred. Request ID: 01234567-89ab-cdef-0123-456789abcdef"),
			answered(500, "InternalError", "An internal error has occurred (request id: fedcba98-89ab-cdef-0123-456789abcdef)."),
		},
		"the pool: AWS says nothing more (Unavailable, HTTP 503)": {answered(503, "Unavailable", ""), answered(503, "Unavailable", "")},
		"the pool: connection reset by peer": {
			read(50001, os.NewSyscallError("read", syscall.ECONNRESET)), errors.Join(read(50002, os.NewSyscallError("read", syscall.ECONNRESET)),
				errors.New("failed to get rate limit token, retry quota exceeded, 0 available, 5 requested")), // as the SDK's retryer does
		},
		"the pool: AWS did not answer in time": {
			read(50001, context.DeadlineExceeded), fmt.Errorf("canceled, %w", context.DeadlineExceeded),
		},
		"the pool: lookup ec2.eu-west-1.amazonaws.com: no such host": {
			read(1, &net.DNSError{Err: "no such host", Name: "ec2.eu-west-1.amazonaws.com", Server: "10.0.0.2:53"}),
			read(2, &net.DNSError{Err: "no such host", Name: "ec2.eu-west-1.amazonaws.com", Server: "10.0.0.3:53"}),
		},
		"the pool: http2: server sent GOAWAY; LastStreamID=…, from … to …": {
			errors.New("http2: server sent GOAWAY; LastStreamID=1999, from 10.0.0.1:50001 to [fe80::1%25]"),
			errors.New("http2: server sent GOAWAY; LastStreamID=27, from 10.0.0.1:50002 to [fe80::2]"),
		},
		"the pool: " + notSentWords: {
			&notSentError{"DescribeInstanceHealth", context.DeadlineExceeded}, &notSentError{"DescribeLoadBalancers", context.DeadlineExceeded},
		},
	}
	for want, test := range tests {
		for _, err := range []error{test.one, test.other} {
			if got := explain(err, "the pool", nil); got.Error() != want || !errors.Is(got, err) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
}

func TestWhatTheCredentialsSaidIsKept(t *testing.T) {
	said := &cloud.Error{Kind: cloud.Denied, Thing: "role r", Code: "AccessDenied"}
	unlisted := explain(answered(400, "InvalidIdentityToken", "No such provider."), "role r", nil)
	for _, said := range []error{said, unlisted} {
		for name, got := range map[string]error{
			"a call":   explain(fmt.Errorf("operation error EC2: get identity: get credentials: %w", said), "server i-1", serverMeanings),
			"a launch": explainLaunch(fmt.Errorf("operation error EC2: get identity: get credentials: %w", said), cloud.LaunchRequest{}),
		} {
			if !errors.Is(said, got) {
				t.Errorf("%s: got %v", name, got)
			}
		}
	}
}

// Every code must lead to one meaning: sets that overlap would make it a matter of order.
func TestMeaningsDoNotOverlap(t *testing.T) {
	for name, known := range map[string]meanings{"launch": launchMeanings, "server": serverMeanings, "pool": poolMeanings, "image": imageMeanings} {
		for code := range known {
			if _, both := always[code]; both {
				t.Errorf("%s: %s has two meanings", name, code)
			}
		}
	}
	for code := range noCapacity {
		if launchMeanings[code].kind != cloud.NoCapacity {
			t.Errorf("%s is not taken for a lack of capacity", code)
		}
	}
}

func TestListed(t *testing.T) {
	for want, names := range map[string][]string{
		"server i-1":                       {"i-1"},
		"servers i-1, i-2":                 {"i-1", "i-2"},
		"servers i-1, i-2, i-3 and 2 more": {"i-1", "i-2", "i-3", "i-4", "i-5"},
	} {
		if got := listed(names); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
