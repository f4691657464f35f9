package localaws

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// allow is a policy of one statement.
func allow(rest string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", ` + rest + `}}`
}

// attach attaches a policy to the key that the sim calls with.
func (s *sim) attach(document string) {
	s.t.Helper()
	if _, err := s.AttachPolicy("AKIDTEST", document); err != nil {
		s.t.Fatal(err)
	}
}

func TestAPolicyThatSaysWhatIsNotKnownIsRefusedByName(t *testing.T) {
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	condition := func(c string) string { return allow(`"Action":"ec2:*","Resource":"*","Condition":` + c) }
	for document, want := range map[string]string{
		`nonsense`: "invalid character",
		`{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`:                                       "Version must be 2012-10-17",
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`:                                                              "Version must be 2012-10-17",
		`{"Version":"2012-10-17","Statments":[]}`:                                                                                     `there is no element "Statments"`,
		`{"Version":"2012-10-17","Statement":[]}`:                                                                                     "it has no Statement",
		statement(`{"Effect":"Allow","Actions":"*","Resource":"*"}`):                                                                  `there is no element "Actions"`,
		statement(`{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}`):                                                   `there is no element "Principal"`,
		statement(`{"Effect":"Maybe","Action":"*","Resource":"*"}`):                                                                   "Effect must be Allow or Deny",
		statement(`{"Effect":"Allow","Resource":"*"}`):                                                                                "either Action or NotAction",
		statement(`{"Effect":"Allow","Action":"*","NotAction":"ec2:*","Resource":"*"}`):                                               "either Action or NotAction",
		statement(`{"Effect":"Allow","Action":"*"}`):                                                                                  "either Resource or NotResource",
		statement(`{"Effect":"Allow","Action":"RunInstances","Resource":"*"}`):                                                        "has no service in front",
		statement(`{"Effect":"Allow","Action":"ec2:*","Resource":"i-1"}`):                                                             "neither an ARN nor *",
		statement(`{"Effect":"Allow","Action":{"a":"b"},"Resource":"*"}`):                                                             "neither a text nor a list",
		statement(`{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}`):                                                   `"Effect" is there twice`,
		statement(`{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"*","Resource":"*"}`): "the Sid A is there twice",
		allow(`"Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/${aws:Nobody}"`):                                                 "the policy variable ${aws:Nobody} is not simulated",
		allow(`"Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/${aws:username"`):                                                "is not closed",
		condition(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`):                                                                      `the condition operator "IpAddress" is not simulated`,
		condition(`{"ForSomeValues:StringEquals":{"aws:TagKeys":"a"}}`):                                                               "ForAllValues or ForAnyValue",
		condition(`{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`):                                                                     `the condition key "aws:SourceVpce" is not simulated`,
		condition(`{"StringEquals":{"aws:RequestTag/":"x"}}`):                                                                         `the condition key "aws:RequestTag/" is not simulated`,
		condition(`{"StringEquals":{"aws:TagKeys":[]}}`):                                                                              "it has no value",
		condition(`{"Null":{"aws:TagKeys":"maybe"}}`):                                                                                 "neither true nor false",
		condition(`{"Bool":{"aws:SecureTransport":"yes"}}`):                                                                           "neither true nor false",
		condition(`{"NumericLessThan":{"aws:EpochTime":"soon"}}`):                                                                     "invalid syntax",
		condition(`{"DateLessThan":{"aws:CurrentTime":"soon"}}`):                                                                      "invalid syntax",
		condition(`{"ArnLike":{"aws:PrincipalArn":"me"}}`):                                                                            `"me" is no ARN`,
	} {
		if _, err := parsePolicy(document, identityPolicy); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v\nwant %s", document, err, want)
		}
	}
	s := newSim(t)
	if _, err := s.AttachPolicy("not a principal", allow(`"Action":"*","Resource":"*"`)); err == nil {
		t.Error("a policy was attached to nobody")
	}
	if _, err := s.AttachPolicy("AKIDTEST", "{}"); err == nil {
		t.Error("a policy without a version was attached")
	}
}

func TestConditionsOfPolicies(t *testing.T) {
	request := iamRequest{action: "ec2:StopInstances", resource: "arn:aws:ec2:us-east-1:1:instance/i-1", keys: map[string][]string{
		"aws:resourcetag/team": {"Web"}, "aws:tagkeys": {"a", "b"}, "aws:principaltag/team": {"Web"}, "aws:principaltag/star": {"*"},
		"aws:principalarn": {"arn:aws:iam::1:role/x/deploy"}, "aws:securetransport": {"true"}, "aws:epochtime": {"100"},
		"aws:currenttime": {"2026-11-22T09:00:00Z"}, "aws:username": {"kim"},
	}}
	for condition, want := range map[string]bool{
		`"StringEquals":{"aws:ResourceTag/team":"Web"}`:                                                                true,
		`"StringEquals":{"AWS:resourcetag/Team":["x","Web"]}`:                                                          true,
		`"StringEquals":{"aws:ResourceTag/team":"web"}`:                                                                false,
		`"StringEquals":{"aws:ResourceTag/team":"W*"}`:                                                                 false,
		`"StringEquals":{"aws:ResourceTag/none":"Web"}`:                                                                false,
		`"StringEqualsIfExists":{"aws:ResourceTag/none":"Web"}`:                                                        true,
		`"StringEqualsIfExists":{"aws:ResourceTag/team":"x"}`:                                                          false,
		`"StringNotEquals":{"aws:ResourceTag/team":["x","y"]}`:                                                         true,
		`"StringNotEquals":{"aws:ResourceTag/team":["x","Web"]}`:                                                       false,
		`"StringNotEquals":{"aws:ResourceTag/none":"x"}`:                                                               true,
		`"StringLike":{"aws:ResourceTag/team":"W?b"}`:                                                                  true,
		`"StringNotLike":{"aws:ResourceTag/team":"W*"}`:                                                                false,
		`"StringEqualsIgnoreCase":{"aws:ResourceTag/team":"WEB"}`:                                                      true,
		`"StringNotEqualsIgnoreCase":{"aws:ResourceTag/team":"WEB"}`:                                                   false,
		`"Null":{"aws:ResourceTag/team":"false","aws:ResourceTag/none":"true"}`:                                        true,
		`"Null":{"aws:ResourceTag/team":"true"}`:                                                                       false,
		`"Bool":{"aws:SecureTransport":true}`:                                                                          true,
		`"Bool":{"aws:SecureTransport":"false"}`:                                                                       false,
		`"NumericLessThan":{"aws:EpochTime":101},"NumericGreaterThanEquals":{"aws:EpochTime":"100"}`:                   true,
		`"NumericEquals":{"aws:EpochTime":"1e2"}`:                                                                      true,
		`"NumericNotEquals":{"aws:EpochTime":"100.0"}`:                                                                 false,
		`"NumericGreaterThan":{"aws:EpochTime":"100"}`:                                                                 false,
		`"NumericLessThanEquals":{"aws:EpochTime":"99"}`:                                                               false,
		`"DateLessThan":{"aws:CurrentTime":"2026-11-23"},"DateGreaterThan":{"aws:CurrentTime":"2026-11-22T08:59:59Z"}`: true,
		`"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-22T09:00:01Z"}`:                                           false,
		`"DateLessThanEquals":{"aws:CurrentTime":"2026-11-22T09:00:00Z"}`:                                              true,
		`"DateEquals":{"aws:CurrentTime":"2026-11-22T10:00:00+01:00"}`:                                                 true,
		`"DateNotEquals":{"aws:CurrentTime":"2026-11-22T09:00:00Z"}`:                                                   false,
		`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*/deploy"}`:                                                true,
		`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::1:role/x/deplo?"}`:                                              true,
		`"ArnLike":{"aws:PrincipalArn":"arn:aws:*:1:*:*"}`:                                                             false,
		`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::2:role/*"}`:                                                    true,
		`"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::1:role/*"}`:                                                  false,
		`"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}`:                                                    true,
		`"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}`:                                                            false,
		`"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["a"]}`:                                                  true,
		`"ForAnyValue:StringEquals":{"aws:TagKeys":["b","c"]}`:                                                         true,
		`"ForAnyValue:StringEquals":{"aws:TagKeys":["c"]}`:                                                             false,
		`"ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":["a"]}`:                                                   false,
		`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["a"]}`:                                                          true,
		`"ForAllValues:StringNotLike":{"aws:TagKeys":["b*"]}`:                                                          false,
		`"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}`:                                           true,
		`"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/none}"}`:                                           false,
		`"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/none, 'Web'}"}`:                                    true,
		`"StringLike":{"aws:ResourceTag/team":"${aws:PrincipalTag/star}"}`:                                             false,
		`"StringLike":{"aws:ResourceTag/team":"W${*}"}`:                                                                false,
		`"StringEquals":{"aws:username":"k${?}m"}`:                                                                     false,
		`"StringEquals":{"aws:username":"kim"},"StringLike":{"aws:ResourceTag/team":"x"}`:                              false,
	} {
		p, err := parsePolicy(allow(`"Action":"*","Resource":"*","Condition":{`+condition+`}`), identityPolicy)
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		if got := evaluate([]*policy{p}, &request) == allowed; got != want {
			t.Errorf("%s holds: %t, want %t", condition, got, want)
		}
	}
}

func TestStatementsOfPolicies(t *testing.T) {
	request := iamRequest{action: "ec2:StopInstances", resource: "arn:aws:ec2:us-east-1:1:instance/i-1",
		keys: map[string][]string{"aws:username": {"kim"}, "aws:principaltag/id": {"i-1"}}}
	for statement, want := range map[string]bool{
		`"Action":"*","Resource":"*"`:                                                                             true,
		`"Action":"EC2:stop*","Resource":"arn:aws:ec2:*:*:instance/*"`:                                            true,
		`"Action":["ec2:StartInstances","ec2:St?pInstances"],"Resource":["arn:aws:ec2:us-east-1:1:instance/i-1"]`: true,
		`"Action":"ec2:Start*","Resource":"*"`:                                                                    false,
		`"NotAction":"ec2:Start*","Resource":"*"`:                                                                 true,
		`"NotAction":"ec2:*","Resource":"*"`:                                                                      false,
		`"Action":"ec2:*","Resource":"arn:aws:ec2:us-east-1:2:instance/*"`:                                        false,
		`"Action":"ec2:*","NotResource":"arn:aws:ec2:us-east-1:2:*"`:                                              true,
		`"Action":"ec2:*","NotResource":"arn:aws:ec2:us-east-1:1:*"`:                                              false,
		`"Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/${aws:PrincipalTag/id}"`:                           true,
		`"Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/${aws:username}"`:                                  false,
		`"Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/${aws:PrincipalTag/none}"`:                         false,
	} {
		p, err := parsePolicy(allow(statement), identityPolicy)
		if err != nil {
			t.Errorf("%s: %v", statement, err)
			continue
		}
		if got := evaluate([]*policy{p}, &request) == allowed; got != want {
			t.Errorf("%s allows: %t, want %t", statement, got, want)
		}
	}
}

func TestAnExplicitDenyWins(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	s.attach(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ec2:*","Resource":"*"},
		{"Effect":"Deny","Action":"ec2:TerminateInstances","Resource":"*"}]}`)
	wantError(t, s.terminate(id), 403, "UnauthorizedOperation", "")
	if err := s.terminate(id); !strings.Contains(err.Error(), "is not authorized to perform: ec2:TerminateInstances on resource: "+
		"arn:aws:ec2:us-east-1:123456789012:instance/"+id+" with an explicit deny in an identity-based policy") {
		t.Errorf("it is worded %v", err)
	}
	if in, _ := s.Instance(id); !in.Alive {
		t.Error("it was terminated")
	}
	if _, err := s.describe(id); err != nil {
		t.Errorf("what is allowed: %v", err)
	}
	_, err := s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/x")})
	wantError(t, err, 400, "AccessDeniedException", "User: arn:aws:iam::123456789012:root is not authorized to perform: ssm:GetParameter on resource: "+
		"arn:aws:ssm:us-east-1:123456789012:parameter/x because no identity-based policy allows the ssm:GetParameter action")
	if _, err := s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{}); err != nil {
		t.Errorf("GetCallerIdentity needs no permission: %v", err)
	}
}

// Who has no policy may do everything; a policy that is taken away takes its limits along.
func TestWhoHasNoPolicyIsFree(t *testing.T) {
	s := newSim(t)
	detach, err := s.AttachPolicy("AKIDTEST", allow(`"Action":"ssm:*","Resource":"*"`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.describe()
	wantError(t, err, 403, "UnauthorizedOperation", "")
	s.use(s.config("AKIDOTHER", "us-east-1"))
	s.launch(1)
	s.use(s.config("AKIDTEST", "us-east-1"))
	detach()
	s.launch(1)
	s.wantAlive(2)
}

func TestADryRunTellsWhatIsNotPermitted(t *testing.T) {
	s := newSim(t)
	s.attach(allow(`"Action":["ec2:RunInstances"],"Resource":"*","Condition":{"StringNotEqualsIfExists":{"ec2:InstanceType":"t3.large"}}`))
	dry := func(kind types.InstanceType) error {
		_, err := s.ec2.RunInstances(s.ctx, s.input(1, func(in *ec2.RunInstancesInput) { in.DryRun, in.InstanceType = aws.Bool(true), kind }))
		return err
	}
	wantError(t, dry("t3.micro"), 412, "DryRunOperation", "")
	wantError(t, dry("t3.large"), 403, "UnauthorizedOperation", "")
	if n := len(s.Instances()); n != 0 {
		t.Errorf("%d instances", n)
	}
}

// A launch is authorized for each thing that it uses and makes.
func TestALaunchNeedsEachOfItsResources(t *testing.T) {
	account := "arn:aws:ec2:us-east-1:123456789012:"
	s := newSim(t)
	image, subnet := "arn:aws:ec2:us-east-1::image/"+s.site.V1, account+"subnet/"+s.site.Subnets[0]
	vpc := account + "vpc/" + s.site.VPC
	all := map[string]string{ // and a condition that holds
		image:                           `"StringEquals":{"ec2:Owner":"123456789012"}`,
		account + "instance/*":          `"StringEquals":{"ec2:InstanceType":"t3.micro","ec2:MetadataHttpTokens":"required","aws:RequestedRegion":"us-east-1"}`,
		account + "network-interface/*": `"ArnEquals":{"ec2:Vpc":"` + vpc + `","ec2:Subnet":"` + subnet + `"}`,
		account + "volume/*":            `"StringLike":{"ec2:AvailabilityZone":"us-east-1?"}`,
		subnet:                          `"ArnLike":{"ec2:Vpc":"` + vpc + `"}`,
		account + "security-group/*":    `"ArnLike":{"ec2:Vpc":"` + vpc + `"}`,
	}
	for without := range all {
		s := newSim(t)
		var statements []string
		for resource, condition := range all {
			if resource != without {
				statements = append(statements, `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"`+resource+`","Condition":{`+condition+`}}`)
			}
		}
		s.attach(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)
		_, err := s.ec2.RunInstances(s.ctx, s.input(1))
		wantError(t, err, 403, "UnauthorizedOperation", "")
		if !strings.Contains(err.Error(), strings.TrimSuffix(without, "*")) {
			t.Errorf("without %s: %v", without, err)
		}
		s.attach(allow(`"Action":"ec2:RunInstances","Resource":"` + without + `","Condition":{` + all[without] + `}`))
		if _, err := s.ec2.RunInstances(s.ctx, s.input(1)); err != nil {
			t.Errorf("with %s: %v", without, err)
		}
		s.wantAlive(1)
	}
}

func TestATrustPolicyDecidesWhoAssumesARole(t *testing.T) {
	s := newSim(t)
	role := "arn:aws:iam::" + otherAccount + ":role/deploy"
	s.SeedRole(Role{ARN: role})
	s.In(otherAccount, "").DefaultWorld()
	trust := func(rest string) {
		t.Helper()
		if err := s.TrustRole(role, allow(rest)); err != nil {
			t.Fatal(err)
		}
	}
	assume := func(change func(*sts.AssumeRoleInput)) (*sts.AssumeRoleOutput, error) {
		in := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")}
		change(in)
		return s.sts.AssumeRole(s.ctx, in)
	}
	plain := func(*sts.AssumeRoleInput) {}
	external := func(id string) func(*sts.AssumeRoleInput) {
		return func(in *sts.AssumeRoleInput) { in.ExternalId = &id }
	}
	refused := "User: arn:aws:iam::123456789012:root is not authorized to perform: sts:AssumeRole on resource: " + role

	trust(`"Action":"sts:AssumeRole","Principal":{"AWS":"111111111111","Service":"ec2.amazonaws.com"}`)
	_, err := assume(plain)
	wantError(t, err, 403, "AccessDenied", refused)
	trust(`"Action":"sts:AssumeRole","Principal":{"AWS":"123456789012"},"Condition":{"StringEquals":{"sts:ExternalId":"cluster-1"}}`)
	_, err = assume(plain)
	wantError(t, err, 403, "AccessDenied", refused)
	_, err = assume(external("cluster-2"))
	wantError(t, err, 403, "AccessDenied", refused)
	if _, err = assume(external("cluster-1")); err != nil {
		t.Errorf("with its external id: %v", err)
	}
	s.attach(allow(`"Action":"ec2:*","Resource":"*"`))
	_, err = assume(external("cluster-1"))
	wantError(t, err, 403, "AccessDenied", refused+" because no identity-based policy allows the sts:AssumeRole action")
	s.attach(allow(`"Action":"sts:AssumeRole","Resource":"arn:aws:iam::*:role/deploy"`))
	if _, err = assume(external("cluster-1")); err != nil {
		t.Errorf("with a policy of its own: %v", err)
	}
	for document, want := range map[string]string{
		allow(`"Action":"sts:AssumeRole"`):                                        "must have a Principal",
		allow(`"Action":"sts:AssumeRole","Principal":{"AWS":"*"},"Resource":"*"`): `there is no element "Resource"`,
		allow(`"Action":"sts:AssumeRole","Principal":{"People":"*"}`):             `there is no element "People"`,
		allow(`"Action":"sts:AssumeRole","Principal":"me"`):                       "Principal must be * or an object",
	} {
		if err := s.TrustRole(role, document); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", document, err, want)
		}
	}
	if err := s.TrustRole(role+"2", allow(`"Action":"sts:AssumeRole","Principal":"*"`)); err == nil {
		t.Error("a role that does not exist is trusted")
	}
}

// Session tags decide as aws:PrincipalTag, and those that are transitive do so in the next session too.
func TestSessionTagsAreThePrincipals(t *testing.T) {
	s := newSim(t)
	first, second := "arn:aws:iam::123456789012:role/first", "arn:aws:iam::123456789012:role/second"
	for _, role := range []string{first, second} {
		s.SeedRole(Role{ARN: role})
		s.TagPrincipal(role, map[string]string{"team": "nobody"})
		if _, err := s.AttachPolicy(role, `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["sts:*","ec2:Describe*"],"Resource":"*"},
			{"Effect":"Allow","Action":"ec2:TerminateInstances","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}}]}`); err != nil {
			t.Fatal(err)
		}
	}
	ids := s.launch(2)
	if err := s.tag(map[string]string{"team": "web"}, ids[0]); err != nil {
		t.Fatal(err)
	}
	assume := func(role string, seconds int32, transitive []string, tags ...ststypes.Tag) error {
		out, err := s.sts.AssumeRole(s.ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me"), Tags: tags,
			TransitiveTagKeys: transitive, DurationSeconds: &seconds})
		if err == nil {
			s.use(s.config(*out.Credentials.AccessKeyId, "us-east-1"))
		}
		return err
	}
	team := ststypes.Tag{Key: aws.String("team"), Value: aws.String("web")}
	wantError(t, assume(first, 900, []string{"team"}), 400, "ValidationError", "")
	if err := assume(first, 43200, []string{"team"}, team); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.terminate(ids[1]), 403, "UnauthorizedOperation", "")
	wantError(t, assume(second, 900, nil, team), 400, "InvalidParameterValue", "")
	wantError(t, assume(second, 3601, nil), 400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	if err := assume(second, 3600, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.terminate(ids[1]), 403, "UnauthorizedOperation", "")
	if err := s.terminate(ids[0]); err != nil {
		t.Errorf("with the team's tag: %v", err)
	}
	s.clock.Advance(time.Hour)
	_, err := s.describe()
	wantError(t, err, 400, "RequestExpired", "")
	s.wantAlive(1)
}
