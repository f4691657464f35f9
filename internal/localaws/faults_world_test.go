package localaws

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func TestAServerDiesAtAChosenMoment(t *testing.T) {
	s := newSim(t)
	ids := s.launch(3)
	s.inject("server " + ids[0] + " kill after=20s")
	s.clock.Advance(20*time.Second - time.Millisecond)
	if got := s.state(ids[0]); got != "running" {
		t.Errorf("before its moment it is %s", got)
	}
	s.clock.Advance(time.Millisecond)
	if in, _ := s.Instance(ids[0]); in.State != "terminated" || in.StateReason != "Server.InternalError" {
		t.Errorf("at its moment it is %s, %s", in.State, in.StateReason)
	}
	h := s.inject("server * kill on=ec2:DescribeInstances skip=1 count=1")
	for call, want := range []int{2, 1, 1} {
		if _, err := s.describe(); err != nil {
			t.Fatal(err)
		}
		alive := 0
		for _, in := range s.Instances() {
			if in.Alive {
				alive++
			}
		}
		if alive != want {
			t.Errorf("after call %d %d servers are alive, want %d", call+1, alive, want)
		}
	}
	if h.Hits() != 1 {
		t.Errorf("%d hits", h.Hits())
	}
	if h := s.inject("server nobody kill"); h.Hits() != 0 {
		t.Errorf("nobody was hit %d times", h.Hits())
	}
}

func TestHealthFlaps(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=1s configure=1s"))[0]
	s.clock.Advance(2 * time.Second)
	h := s.inject("server " + id + " flap=10s back=25s")
	var got []int
	for range 8 {
		in, _ := s.Instance(id)
		got = append(got, in.AppStatus)
		s.clock.Advance(5 * time.Second)
	}
	if want := []int{500, 200, 500, 200, 500, 200, 200, 200}; !slices.Equal(got, want) || h.Hits() != 1 {
		t.Errorf("every 5 s it answers %v, want %v", got, want)
	}
	h = s.inject("server " + id + " flap=10s status=hang")
	if in, _ := s.Instance(id); in.AppStatus != AppHangs {
		t.Errorf("it answers %d", in.AppStatus)
	}
	h.Remove()
	s.clock.Advance(time.Minute)
	if in, _ := s.Instance(id); in.AppStatus != 200 {
		t.Errorf("after the fault was removed it answers %d", in.AppStatus)
	}
}

func TestAServerAnswersImpairsAndShutsDown(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=1s configure=1s"))[0]
	s.clock.Advance(2 * time.Second)
	s.inject("server i-* answer=503 back=10s")
	s.inject("server i-* impair back=10s")
	if in, _ := s.Instance(id); in.AppStatus != 503 || !in.Impaired {
		t.Errorf("hit: %+v", in)
	}
	s.clock.Advance(10 * time.Second)
	if in, _ := s.Instance(id); in.AppStatus != 200 || in.Impaired {
		t.Errorf("back: %+v", in)
	}
	s.inject("server i-* shutdown")
	if got := s.state(id); got != "stopping" {
		t.Errorf("it is %s", got)
	}
}

func TestAClassicLoadBalancerVanishesAndIsMadeAgain(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	s.inject("balancer web vanish after=1m back=30s")
	s.clock.Advance(time.Minute)
	if _, there := s.Pool("web"); there {
		t.Error("it is still there")
	}
	s.clock.Advance(30 * time.Second)
	if p := s.pool("web"); len(p.Members) != 0 || len(p.Zones) == 0 {
		t.Errorf("made again it is %+v", p)
	}
	s.register("web", id)
	s.until("in service", time.Minute, func() bool { return s.classicHealth("web", id) == inService })
}

func TestATargetGroupVanishesAndIsMadeAgain(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	s.enroll(group, s.servers(1, "", 0)...)
	s.inject("pool api vanish back=30s")
	_, err := s.v2.DescribeTargetHealth(s.ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
	wantError(t, err, 400, "TargetGroupNotFound", "")
	s.clock.Advance(30 * time.Second)
	out, err := s.v2.DescribeTargetGroups(s.ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{"api"}})
	if err != nil || len(out.TargetGroups) != 1 || *out.TargetGroups[0].TargetGroupArn == group || len(out.TargetGroups[0].LoadBalancerArns) != 0 {
		t.Errorf("made again it is %+v, %v", out, err)
	}
	if p := s.pool("api"); len(p.Members) != 0 {
		t.Errorf("made again it has %v", p.Members)
	}
}

func TestALoadBalancerVanishesAndIsMadeAgain(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	id := s.servers(1, "", 0)[0]
	s.enroll(group, id)
	h := s.inject("balancer api* vanish")
	if got := s.targetHealth(group, id); got != targetUnused || h.Hits() != 1 {
		t.Errorf("behind what vanished: %v, %d hits", got, h.Hits())
	}
	h.Remove()
	s.until("healthy behind the new one", time.Minute, func() bool { return s.targetHealth(group, id) == targetHealthy })
	listeners := 0
	for _, e := range s.Ledger() {
		if e.Change != nil && e.Change.Kind == "balancer" && e.Change.Why == "made again from outside" {
			listeners++
		}
	}
	if listeners != 1 {
		t.Errorf("the ledger tells %d times that it was made again", listeners)
	}
}

func TestAZoneGoesOutAndComesBack(t *testing.T) {
	s := newSim(t)
	s.inject("zone us-east-1a out back=1m")
	_, err := s.ec2.RunInstances(s.ctx, s.input(1))
	wantError(t, err, 503, "Unavailable", "")
	s.clock.Advance(time.Minute)
	s.launch(1)
	s.wantAlive(1)
}

// A zone without room answers as EC2 does, others have room, and what was said of the room before holds again afterwards.
func TestAZoneIsFull(t *testing.T) {
	s := newSim(t)
	s.SetCapacity("t3.micro", "us-east-1b", 1)
	h := s.inject("zone us-east-1? full=t3.* room=2 back=1m")
	launch := func(subnet int) error {
		_, err := s.ec2.RunInstances(s.ctx, s.input(1, func(in *ec2.RunInstancesInput) { in.SubnetId = &s.site.Subnets[subnet] }))
		return err
	}
	for zone := range 3 {
		succeed(t, launch(zone))
		succeed(t, launch(zone))
		wantError(t, launch(zone), 500, "InsufficientInstanceCapacity", "")
	}
	if h.Hits() != 3 {
		t.Errorf("it hit %d zones", h.Hits())
	}
	s.clock.Advance(time.Minute)
	succeed(t, launch(0))
	succeed(t, launch(1))
	wantError(t, launch(1), 500, "InsufficientInstanceCapacity", "")
	s.wantAlive(8)
}

func TestAFaultShiftsAZone(t *testing.T) {
	s := newBalancerSim(t)
	group := s.behind("api", alb)
	s.behind("other", alb)
	id := s.servers(1, "", 0)[0]
	s.enroll(group, id)
	allow := func(on string) {
		arn := s.balancerNamed("api").LoadBalancerArn
		must(s.v2.ModifyLoadBalancerAttributes(s.ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: arn,
			Attributes: []elbv2types.LoadBalancerAttribute{{Key: aws.String("zonal_shift.config.enabled"), Value: &on}}}))
		shown := must(s.v2.DescribeLoadBalancerAttributes(s.ctx, &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: arn})).Attributes
		if !slices.ContainsFunc(shown, func(a elbv2types.LoadBalancerAttribute) bool {
			return *a.Key == "zonal_shift.config.enabled" && *a.Value == on
		}) {
			t.Errorf("zonal shift is not %s: %v", on, shown)
		}
	}
	allow("true")
	h := s.inject("balancer * shift=us-east-1a back=1m")
	if o := s.override(group, id); h.Hits() != 1 || o.State != "zonal_shift_active" {
		t.Errorf("%d load balancers, and the target says %s", h.Hits(), o.State)
	}
	if _, err := s.ShiftZone("api", "us-east-1b"); err == nil {
		t.Error("two shifts at a time")
	}
	s.clock.Advance(time.Minute)
	if o := s.override(group, id); o.State != "no_override" {
		t.Errorf("afterwards the target says %s", o.State)
	}
}

func TestCredentialsExpire(t *testing.T) {
	s := newSim(t)
	s.inject("key AKIDT* expire after=1m back=1m")
	call := func() error { _, err := s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{}); return err }
	if err := call(); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	wantError(t, call(), 403, "ExpiredToken", "")
	s.use(s.config("AKIDOTHER", "us-east-1"))
	if err := call(); err != nil {
		t.Errorf("another key: %v", err)
	}
	s.use(s.config("AKIDTEST", "us-east-1"))
	s.clock.Advance(time.Minute)
	if err := call(); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestAClockThatIsOffRefusesSignatures(t *testing.T) {
	s := newSim(t)
	at := func(signed time.Time, r *http.Request) (int, http.Header, string) {
		r.Header.Set("X-Amz-Date", signed.Format(amzDate))
		return send(t, s.Cloud, r)
	}
	identity := func() *http.Request { return form("Action", "GetCallerIdentity", "Version", "2011-06-15") }
	now := s.clock.Now()
	if status, _, _ := at(now.Add(-time.Hour), identity()); status != 200 {
		t.Errorf("signing times are not checked, and yet %d", status)
	}
	h := s.inject("clock skew=10m")
	status, header, body := at(now, identity())
	want := "Signature expired: 20261122T090000Z is now earlier than 20261122T090500Z (20261122T091000Z - 5 min.)"
	if status != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") || !strings.Contains(body, want) {
		t.Errorf("ten minutes late: %d %s", status, body)
	}
	if got := header.Get("Date"); got != "Sun, 22 Nov 2026 09:10:00 GMT" {
		t.Errorf("AWS's clock reads %s", got)
	}
	status, _, body = at(now.Add(16*time.Minute), identity())
	if status != 403 || !strings.Contains(body, "Signature not yet current: 20261122T091600Z is still later than 20261122T091500Z (20261122T091000Z + 5 min.)") {
		t.Errorf("six minutes early: %d %s", status, body)
	}
	if status, _, body = at(now, form("Action", "DescribeInstances", "Version", ec2Version)); status != 401 || !strings.Contains(body, "<Code>AuthFailure</Code>") {
		t.Errorf("of EC2: %d %s", status, body)
	}
	if status, _, body = at(now, jsonCall("AmazonSSM.GetParameter", `{"Name":"/x"}`)); status != 400 || !strings.Contains(body, "InvalidSignatureException") {
		t.Errorf("of SSM: %d %s", status, body)
	}
	if status, _, _ = at(now.Add(6*time.Minute), identity()); status != 200 {
		t.Errorf("four minutes late: %d", status)
	}
	h.Remove()
	if status, _, _ = at(now.Add(-time.Hour), identity()); status != 200 {
		t.Errorf("after it: %d", status)
	}
}

// The SDK reads the skew from Date, signs again and gets through.
func TestTheSDKCorrectsAClockThatIsOff(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.CheckSigningTime = true })
	cfg := s.config("AKIDTEST", "us-east-1")
	cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond) }
	s.use(cfg)
	s.clock.Advance(time.Now().Add(48 * time.Hour).Sub(s.clock.Now()))
	if _, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{}); err != nil {
		t.Errorf("ec2: %v", err)
	}
	if _, err := s.sts.GetCallerIdentity(s.ctx, &sts.GetCallerIdentityInput{}); err != nil {
		t.Errorf("sts: %v", err)
	}
	_, err := s.ssm.GetParameter(s.ctx, &ssm.GetParameterInput{Name: aws.String("/none")})
	wantError(t, err, 400, "ParameterNotFound", "")
	refused := 0
	for _, e := range s.Ledger() {
		if e.Call != nil && slices.Contains([]string{"AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException"}, e.Call.Code) {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d calls were refused, want the first of each service", refused)
	}
}
