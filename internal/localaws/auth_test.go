package localaws

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const otherAccount = "210987654321"

// The access key decides the account, the signature's scope the region; each of them is a world of its own.
func TestAccountsAndRegionsAreApart(t *testing.T) {
	s := newSim(t)
	s.RegisterAccessKey("AKIDOTHER", otherAccount)
	s.In(otherAccount, "").DefaultWorld()
	s.In("", "eu-central-1").DefaultWorld()
	home := s.launch(1)

	s.use(s.config("AKIDOTHER", "us-east-1"))
	who, err := s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Account != otherAccount || *who.Arn != "arn:aws:iam::210987654321:user/AKIDOTHER" {
		t.Errorf("the other key is %+v, %v", who, err)
	}
	if list, err := s.describe(home...); err != nil || len(list) != 0 {
		t.Errorf("by id the other account sees %v, %v", sdkIDs(list), err)
	}
	wantError(t, s.terminate(home...), 400, "InvalidInstanceID.NotFound", "")
	_, err = s.ec2.DescribeInstanceAttribute(s.ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &home[0], Attribute: "userData"})
	wantError(t, err, 400, "InvalidInstanceID.NotFound", "")
	theirs := s.launch(1)
	if found := s.find("instance-state-name", "*"); !slices.Equal(sdkIDs(found), theirs) {
		t.Errorf("the other account sees %v", sdkIDs(found))
	}

	s.use(s.config("AKIDTEST", "eu-central-1"))
	if found := s.find("instance-state-name", "*"); len(found) != 0 {
		t.Errorf("the other region sees %v", sdkIDs(found))
	}
	abroad := s.launch(1)
	if in, _ := s.Instance(abroad[0]); in.Region != "eu-central-1" || in.AZ != "eu-central-1a" || in.Account != "123456789012" {
		t.Errorf("launched %+v", in)
	}
}

func TestAssumeRole(t *testing.T) {
	s := newSim(t)
	role := "arn:aws:iam::" + otherAccount + ":role/deploy"
	s.SeedRole(Role{ARN: role, ExternalID: "cluster-1"})
	site := s.In(otherAccount, "").DefaultWorld()
	assume := func(arn, external string, seconds int32) (*sts.AssumeRoleOutput, error) {
		return s.sts.AssumeRole(s.ctx, &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("me"), ExternalId: &external, DurationSeconds: &seconds})
	}
	denied := "User: arn:aws:iam::123456789012:root is not authorized to perform: sts:AssumeRole on resource: "
	_, err := assume(role, "cluster-2", 900)
	wantError(t, err, 403, "AccessDenied", denied+role)
	_, err = assume(role+"2", "cluster-1", 900)
	wantError(t, err, 403, "AccessDenied", denied+role+"2")
	_, err = assume("deploy-the-things-now", "cluster-1", 900)
	wantError(t, err, 400, "ValidationError", "deploy-the-things-now is invalid")
	for _, external := range []string{"x", strings.Repeat("x", 1225), "cluster 1"} {
		_, err = assume(role, external, 900)
		wantError(t, err, 400, "ValidationError", "1 validation error detected: Value '"+external+"' at 'externalId' failed to satisfy constraint: "+
			`Member must have 2 to 1224 characters, and satisfy regular expression pattern: [\w+=,.@:\/-]*`)
	}
	_, err = assume(role, "cluster-1", 899)
	wantError(t, err, 400, "ValidationError", "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200")

	_, err = assume(role, "cluster-1", 43201)
	wantError(t, err, 400, "ValidationError", "")

	out, err := assume(role, "cluster-1", 900)
	if err != nil || *out.AssumedRoleUser.Arn != "arn:aws:sts::210987654321:assumed-role/deploy/me" || !out.Credentials.Expiration.Equal(testStart.Add(15*time.Minute)) {
		t.Fatalf("assumed %+v, %v", out, err)
	}
	s.use(s.config(*out.Credentials.AccessKeyId, "us-east-1"))
	who, err := s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != *out.AssumedRoleUser.Arn || *who.Account != otherAccount || *who.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("the role is %+v, %v", who, err)
	}
	s.site = site
	s.launch(1)
	ledger := s.Ledger()
	last := ledger[len(ledger)-1].Call
	if last.Action != "RunInstances" || last.Who.ARN != *out.AssumedRoleUser.Arn || last.Who.Account != otherAccount {
		t.Errorf("the ledger says %+v", last.Who)
	}

	s.clock.Advance(15 * time.Minute)
	_, err = s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{})
	wantError(t, err, 403, "ExpiredToken", "The security token included in the request is expired")
	_, err = s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{})
	wantError(t, err, 400, "RequestExpired", "Request has expired.")
	_, err = s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/x")})
	wantError(t, err, 400, "ExpiredTokenException", "The security token included in the request is expired")
}

func TestDeniedActions(t *testing.T) {
	s := newSim(t)
	calls := map[string]struct {
		deny   string
		call   func() error
		status int
		code   string
		text   string // the beginning of the message
	}{
		"ec2": {"ec2:Describe*", func() error { _, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{}); return err }, 403, "UnauthorizedOperation",
			"You are not authorized to perform this operation. User: arn:aws:iam::123456789012:root is not authorized to perform: ec2:DescribeInstances on resource: * because no identity-based policy allows the ec2:DescribeInstances action. Encoded authorization failure message: "},
		"ssm": {"ssm:GetParameter", func() error {
			_, err := s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/x")})
			return err
		}, 400, "AccessDeniedException",
			"User: arn:aws:iam::123456789012:root is not authorized to perform: ssm:GetParameter"},
		"tags at launch": {"ec2:CreateTags", func() error {
			_, err := s.ec2.RunInstances(s.ctx, s.input(1, func(in *ec2.RunInstancesInput) {
				in.TagSpecifications = []types.TagSpecification{{ResourceType: "instance", Tags: sdkTags(map[string]string{"a": "b"})}}
			}))
			return err
		}, 403, "UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:root is not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:us-east-1:123456789012:instance/*"},
		"profile at launch": {"iam:PassRole", func() error {
			_, err := s.ec2.RunInstances(s.ctx, s.input(1, func(in *ec2.RunInstancesInput) {
				in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("web")}
			}))
			return err
		}, 403, "UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:root is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/web"},
	}
	for name, tc := range calls {
		t.Run(name, func(t *testing.T) {
			undo := s.Deny(tc.deny)
			err := tc.call()
			wantError(t, err, tc.status, tc.code, "")
			if !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v\nwant %s", err, tc.text)
			}
			undo()
			if err := tc.call(); err != nil && strings.Contains(err.Error(), "authorized") {
				t.Errorf("permitted again: %v", err)
			}
		})
	}
	s.wantAlive(2)
}

func TestSessionsLastAnHour(t *testing.T) {
	s := newSim(t)
	role := "arn:aws:iam::" + otherAccount + ":role/deploy"
	s.SeedRole(Role{ARN: role})
	out := must(s.sts.AssumeRole(s.ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")}))
	if !out.Credentials.Expiration.Equal(testStart.Add(time.Hour)) {
		t.Errorf("it ends at %s", out.Credentials.Expiration)
	}
	s.use(s.config(*out.Credentials.AccessKeyId, "us-east-1"))
	s.clock.Advance(time.Hour - time.Second)
	must(s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{}))
	s.clock.Advance(time.Second)
	_, err := s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{})
	wantError(t, err, 403, "ExpiredToken", "")
}

// A signature of version 4A has no region in its scope, but may name a set of them.
func TestTheRegionOfASignatureOfVersion4A(t *testing.T) {
	c := newSim(t).Cloud
	c.In("", "eu-central-1").DefaultWorld()
	const scope = "AKIDTEST/20261122/ec2/aws4_request"
	for set, want := range map[string]string{"": "us-east-1a", "*": "us-east-1a", "eu-*": "us-east-1a", "eu-central-1,us-west-2": "us-east-1a",
		"us-east-1": "us-east-1a", "eu-central-1": "eu-central-1a"} {
		header := form("Action", "DescribeAvailabilityZones", "Version", ec2Version)
		header.Header.Set("Authorization", "AWS4-ECDSA-P256-SHA256 Credential="+scope+", SignedHeaders=host;x-amz-region-set, Signature=s")
		header.Header.Set("X-Amz-Region-Set", set)
		inQuery := query("Action", "DescribeAvailabilityZones", "Version", ec2Version, "X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256",
			"X-Amz-Credential", scope, "X-Amz-Region-Set", set, "X-Amz-Signature", "s")
		for way, r := range map[string]*http.Request{"header": header, "query": inQuery} {
			if status, _, body := send(t, c, r); status != 200 || !strings.Contains(body, "<zoneName>"+want+"</zoneName>") {
				t.Errorf("%s, set %q: %d, want %s: %s", way, set, status, want, body)
			}
		}
	}
}
