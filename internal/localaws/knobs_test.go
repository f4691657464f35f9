package localaws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Each knob of EC2 that stands for something AWS's pages leave open is tried in both positions.

func TestKnobStopProtectionBlocksTermination(t *testing.T) {
	protected := func(in *ec2.RunInstancesInput) { in.DisableApiStop = aws.Bool(true) }
	s := newSim(t)
	id := s.launch(1, protected)[0]
	if err := s.terminate(id); err != nil {
		t.Error(err)
	}
	s.wantStates(map[string]string{id: "shutting-down"})
	s = newSim(t, func(k *Knobs) { k.StopProtectionBlocksTermination = true })
	id = s.launch(1, protected)[0]
	wantError(t, s.terminate(id), 400, "OperationNotPermitted", "The instance '"+id+
		"' may not be terminated. Modify its 'disableApiStop' instance attribute and try again.")
	s.wantStates(map[string]string{id: "pending"})
}

func TestKnobTokenReturnsTerminated(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.TokenReturnsTerminated = true })
	id := s.launch(1, withToken("t"))[0]
	if err := s.terminate(id); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	out, err := s.ec2.RunInstances(s.ctx, s.input(1, withToken("t")))
	if err != nil || *out.Instances[0].InstanceId != id || out.Instances[0].State.Name != "terminated" {
		t.Errorf("%+v, %v", out, err)
	}
	s.wantAlive(0)
}

func TestKnobTerminatedCounts(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.TerminatedCounts = time.Minute })
	s.SetInstanceQuota(1)
	if err := s.Kill(s.launch(1)[0]); err != nil {
		t.Fatal(err)
	}
	_, err := s.ec2.RunInstances(s.ctx, s.input(1))
	wantError(t, err, 400, "InstanceLimitExceeded", "")
	s.clock.Advance(time.Minute)
	s.launch(1)
	s.wantAlive(1)
}

func TestKnobProfileLag(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.ProfileLag = 10 * time.Second })
	s.SeedInstanceProfile("young")
	with := func(in *ec2.RunInstancesInput) {
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("young")}
	}
	_, err := s.ec2.RunInstances(s.ctx, s.input(1, with))
	wantError(t, err, 400, "InvalidParameterValue", "Value (young) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")
	s.clock.Advance(10 * time.Second)
	id := s.launch(1, with)[0]
	if in := must(s.describe(id))[0]; in.IamInstanceProfile == nil || !strings.HasSuffix(*in.IamInstanceProfile.Arn, "/young") {
		t.Errorf("its profile reads %+v", in.IamInstanceProfile)
	}
}

func TestKnobUnstableOrder(t *testing.T) {
	orders := func(s *sim) (different int) {
		for range 5 {
			s.launch(1)
		}
		seen := map[string]bool{}
		for range 10 {
			list, err := s.describe()
			if err != nil || len(list) != 5 {
				t.Fatal(list, err)
			}
			text := ""
			for _, in := range list {
				text += *in.InstanceId
			}
			seen[text] = true
		}
		return len(seen)
	}
	if n := orders(newSim(t)); n != 1 {
		t.Errorf("%d orders, want one", n)
	}
	if n := orders(newSim(t, func(k *Knobs) { k.UnstableOrder = true })); n < 3 {
		t.Errorf("only %d orders", n)
	}
}

func TestKnobQuestionMarksAreText(t *testing.T) {
	for plain, want := range map[bool][]string{false: {"a?", "ab"}, true: {"a?"}} {
		s := newSim(t, func(k *Knobs) { k.QuestionMarksAreText = plain })
		ids := s.launch(2)
		for i, name := range []string{"a?", "ab"} {
			if err := s.tag(map[string]string{"Name": name}, ids[i]); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, in := range s.find("tag:Name", "a?") {
			got = append(got, *in.Tags[0].Value)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("plain %v: found %v, want %v", plain, got, want)
		}
	}
}

func TestKnobTokensOptionalByDefault(t *testing.T) {
	for optional, want := range map[bool]types.HttpTokensState{false: "required", true: "optional"} {
		s := newSim(t, func(k *Knobs) { k.TokensOptionalByDefault = optional })
		list, err := s.describe(s.launch(1)...)
		if err != nil || list[0].MetadataOptions.HttpTokens != want {
			t.Errorf("%+v, %v; want %s", list, err, want)
		}
	}
}

func TestKnobAccessDeniedIs400(t *testing.T) {
	for on, status := range map[bool]int{false: 403, true: 400} {
		s := newSim(t, func(k *Knobs) { k.AccessDeniedIs400 = on })
		role := "arn:aws:iam::" + otherAccount + ":role/deploy"
		assume := func() error {
			_, err := s.sts.AssumeRole(s.ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("me")})
			return err
		}
		wantError(t, assume(), status, "AccessDenied", "")
		s.SeedRole(Role{ARN: role, ExternalID: "cluster-1"})
		wantError(t, assume(), status, "AccessDenied", "")
		s.Deny("elasticloadbalancing:Describe*")
		_, err := elbv2.NewFromConfig(s.config("AKIDTEST", "us-east-1")).DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{})
		wantError(t, err, status, "AccessDenied", "")
		s.Deny("ec2:Describe*")
		_, err = s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{})
		wantError(t, err, 403, "UnauthorizedOperation", "") // which is documented
	}
}

func TestKnobResourceTextIsShort(t *testing.T) {
	s := newSim(t, throttled, func(k *Knobs) { k.ResourceTextIsShort = true })
	s.launch(999)
	_, err := s.ec2.RunInstances(s.ctx, s.input(2))
	wantError(t, err, 503, "RequestLimitExceeded", "Request limit exceeded.")
	again := func() error { _, err := s.ec2.RunInstances(s.ctx, s.input(1)); return err }
	const text = "Request limit exceeded. Account 123456789012 has been throttled on ec2:RunInstances because it exceeded its request rate limit."
	launched := 999
	for range 5 { // until the tokens of requests are spent, whose text is known
		if err = again(); err == nil {
			launched++
		}
	}
	wantError(t, err, 503, "RequestLimitExceeded", text)
	s.wantAlive(launched)
}
