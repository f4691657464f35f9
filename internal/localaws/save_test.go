package localaws

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
)

// busyWorld is a world in which as much as possible is under way, and stays so for minutes.
func busyWorld(t *testing.T) *balancerSim {
	s := newBalancerSim(t, func(k *BalancerKnobs) {
		k.RulePropagation = Span{20 * time.Second, 200 * time.Second}
		k.DeregistrationLag = Span{10 * time.Second, 150 * time.Second}
		k.HealthLag = Span{5 * time.Second, 15 * time.Second}
		k.Provisioning = Span{2 * time.Minute, 3 * time.Minute}
	})
	s.Tune(func(k *Knobs) {
		k.LaunchVisible, k.TagLag, k.StateLag, k.TerminatedTags = 30*time.Second, 40*time.Second, 15*time.Second, 3*time.Minute
		k.ShuttingDown, k.Stopping, k.TerminatedVisible, k.TokenLife = time.Minute, 2*time.Minute, 5*time.Minute, 6*time.Minute
		k.Throttle = true
	})
	s.SeedRole(Role{ARN: "arn:aws:iam::123456789012:role/ops"})
	s.SetCapacity("m5.large", "us-east-1a", 3)
	s.Deny("ec2:CreateVolume")
	s.In("210987654321", "eu-west-1").DefaultWorld()
	s.classic("old")
	s.drain("old", 120)
	first, second := s.behind("web", types.LoadBalancerTypeEnumApplication), s.group("other", "HTTP")
	flows := s.behind("flows", types.LoadBalancerTypeEnumNetwork)
	s.delay(first, "100")
	early := s.servers(4, "boot=1s configure=1s", 0)
	s.register("old", early...)
	s.enroll(first, early...)
	s.enroll(flows, early[0])
	s.clock.Advance(2 * time.Minute)
	s.changesOfTheBusyWorld(first, second, early)
	return s
}

// changesOfTheBusyWorld begin everything that can be under way.
func (s *balancerSim) changesOfTheBusyWorld(first, second string, early []string) {
	s.t.Helper()
	s.launch(2, withToken("late"), func(in *ec2.RunInstancesInput) {
		in.UserData = userData("#localaws boot=50s configure=40s sick-after=1m crash=4m")
	})
	s.launch(1, func(in *ec2.RunInstancesInput) {
		in.UserData = userData("#localaws boot=80s fail=Server.InternalError")
	})
	must(s.ec2.StopInstances(s.ctx, &ec2.StopInstancesInput{InstanceIds: early[3:]}))
	s.deregister("old", early[0])
	s.remove(first, early[1])
	s.register("old", s.servers(1, "boot=1s configure=30s", 1)...)
	must(s.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: early[2:3]}))
	must(s.ec2.CreateTags(s.ctx, &ec2.CreateTagsInput{Resources: early[:1], Tags: sdkTags(map[string]string{"Name": "late"})}))
	must(s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: &early[0], Name: aws.String("copy"), NoReboot: aws.Bool(true)}))
	must(s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/ami"), Value: &s.site.V1, Type: ssmtypes.ParameterTypeSecureString}))
	must(s.ssm.LabelParameterVersion(s.ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/ami"), Labels: []string{"live"}}))
	must(s.sts.AssumeRole(s.ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/ops"), RoleSessionName: aws.String("me")}))
	listeners := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{LoadBalancerArn: s.balancerNamed("web").LoadBalancerArn}))
	must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: listeners.Listeners[0].ListenerArn, DefaultActions: forward(first, second)}))
	succeed(s.t, s.SetAppStatus(early[1], 503))
}

func (s *balancerSim) balancerNamed(name string) types.LoadBalancer {
	s.t.Helper()
	return must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{name}})).LoadBalancers[0]
}

// copyOf is a world that was saved, and loaded into a cloud of its own whose clock reads the time.
func copyOf(t *testing.T, c *Cloud, now time.Time) (*Cloud, *VirtualClock) {
	t.Helper()
	clock := NewVirtualClock(now)
	other := New(Options{Clock: clock, Seed: 99})
	t.Cleanup(other.Close)
	succeed(t, other.Load(bytes.NewReader(save(t, c))))
	return other, clock
}

func save(t *testing.T, c *Cloud) []byte {
	t.Helper()
	var b bytes.Buffer
	succeed(t, c.Save(&b))
	return b.Bytes()
}

// questions are calls that read all that there is, and some that change it.
func questions() map[string]*http.Request {
	out := map[string]*http.Request{
		"launch":     form("Action", "RunInstances", "Version", "2016-11-15", "ImageId", "ami-0a11ce00000000001", "MinCount", "1", "MaxCount", "2", "InstanceType", "m5.large", "SubnetId", "subnet-0a11ce000000000a1", "ClientToken", "late-too"),
		"parameter":  jsonCall("AmazonSSM.GetParameter", `{"Name":"/ami:live","WithDecryption":true}`),
		"parameter2": jsonCall("AmazonSSM.PutParameter", `{"Name":"/ami","Value":"ami-2","Overwrite":true}`),
		"health":     form("Action", "DescribeInstanceHealth", "Version", "2012-06-01", "LoadBalancerName", "old"),
		"classic":    form("Action", "DescribeLoadBalancers", "Version", "2012-06-01"),
		"assume":     form("Action", "AssumeRole", "Version", "2011-06-15", "RoleArn", "arn:aws:iam::123456789012:role/ops", "RoleSessionName", "you"),
	}
	for _, what := range []string{"Instances", "InstanceStatus", "Volumes", "Images", "Tags", "Subnets", "Snapshots", "KeyPairs"} {
		out[what] = form("Action", "Describe"+what, "Version", "2016-11-15")
	}
	for _, what := range []string{"LoadBalancers", "TargetGroups"} {
		out["v2 "+what] = form("Action", "Describe"+what, "Version", "2015-12-01")
	}
	return out
}

// wholeAnswer is an answer to the last byte, request id and throttling included.
func wholeAnswer(t *testing.T, c *Cloud, r *http.Request) string {
	t.Helper()
	status, header, body := send(t, c, r)
	return strconv.Itoa(status) + " " + header.Get("X-Amzn-Requestid") + "\n" + body
}

// A world that is loaded goes on as the one that was saved: the same calls get the same answers, and the same happens, whenever
// it was saved.
func TestALoadedWorldGoesOn(t *testing.T) {
	for _, moment := range []time.Duration{0, 7 * time.Second, 40 * time.Second, 90 * time.Second, 3 * time.Minute} {
		t.Run("saved after "+moment.String(), func(t *testing.T) {
			s := busyWorld(t)
			s.clock.Advance(moment)
			other, clock := copyOf(t, s.Cloud, s.clock.Now())
			compareAsTimePasses(t, s, other, clock)
		})
	}
}

// compareAsTimePasses lets the same happen to a world and to its copy.
func compareAsTimePasses(t *testing.T, s *balancerSim, other *Cloud, clock *VirtualClock) {
	t.Helper()
	seqs := [2]uint64{s.LastSeq(), other.LastSeq()}
	all := questions()
	for step := range 60 {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if a, b := wholeAnswer(t, s.Cloud, all[name]), wholeAnswer(t, other, all[name]); a != b {
				t.Fatalf("step %d, %s (-original +loaded):\n%s", step, name, cmp.Diff(a, b))
			}
		}
		if diff := cmp.Diff(s.Pools(), other.Pools()) + cmp.Diff(s.Instances(), other.Instances()); diff != "" {
			t.Fatalf("step %d, the truth (-original +loaded):\n%s", step, diff)
		}
		s.clock.Advance(7 * time.Second)
		clock.Advance(7 * time.Second)
	}
	if diff := cmp.Diff(withoutSeq(s.LedgerSince(seqs[0])), withoutSeq(other.LedgerSince(seqs[1])), cmp.AllowUnexported(Caller{})); diff != "" {
		t.Errorf("what happened (-original +loaded):\n%s", diff)
	}
	if a, b := save(t, s.Cloud), save(t, other); !bytes.Equal(a, b) {
		t.Errorf("the ends (-original +loaded):\n%s", cmp.Diff(string(a), string(b)))
	}
}

// Faults are part of the world: how often they hit and will hit, what they did, when they begin and end, and how that is undone.
func TestFaultsAreSaved(t *testing.T) {
	lines := []string{
		"ec2:DescribeInstances p=0.3 before=503:Unavailable", "elb:DescribeInstanceHealth skip=8 count=9 stale=30s",
		"server * flap=20s count=1 after=30s", "server i-* impair count=1 back=3m", "server i-* answer=404 count=1",
		"pool other vanish on=elb:DescribeLoadBalancers skip=9 back=2m", "balancer web vanish after=20s back=1m", "balancer old vanish after=2m back=1m",
		"zone us-east-1a full=m5.* room=1 back=5m", "zone us-east-1c out after=1m back=1m", "clock skew=1s",
	}
	for _, moment := range []time.Duration{0, 45 * time.Second, 150 * time.Second} {
		t.Run("saved after "+moment.String(), func(t *testing.T) {
			s := busyWorld(t)
			for _, line := range lines {
				s.inject(line)
			}
			s.clock.Advance(moment)
			other, clock := copyOf(t, s.Cloud, s.clock.Now())
			compareAsTimePasses(t, s, other, clock)
			all := s.Faults()
			for i, h := range other.Faults() {
				was := all[i]
				if h.String() != was.String() || h.Hits() != was.Hits() || h.Hits() == 0 {
					t.Errorf("%s hit %d, and loaded %s %d", was, was.Hits(), h, h.Hits())
				}
				was.Remove()
				h.Remove()
			}
			compareAsTimePasses(t, s, other, clock)
		})
	}
}

// A fault that chooses by a function of its caller's cannot be saved, and says so.
func TestAFaultWithAFunctionIsNotSaved(t *testing.T) {
	s := newSim(t)
	s.Inject(Fault{Action: "RunInstances", Hang: true, Match: func(url.Values) bool { return true }})
	if err := s.Save(io.Discard); err == nil || !strings.Contains(err.Error(), `"*:RunInstances hang" has a function`) {
		t.Errorf("saving says %v", err)
	}
}

// The world of these tests is busy indeed.
func TestTheBusyWorldIsBusy(t *testing.T) {
	s := busyWorld(t)
	jobs := map[string]bool{}
	for _, w := range s.waiting {
		jobs[reflect.TypeOf(w.job).Name()] = true
	}
	seq := s.LastSeq()
	s.clock.Advance(10 * time.Minute)
	kinds := map[string]bool{}
	for _, e := range s.LedgerSince(seq) {
		kinds[e.Change.Kind+" "+e.Change.To] = true
	}
	for _, job := range []string{"bootEnds", "configureEnds", "stopEnds", "shutDownEnds", "memberVanishes", "registrationEnds", "verdictShows", "nodeHears",
		"rulesArrive", "imageReady", "keyVanishes", "checkIsDue"} {
		if !jobs[job] {
			t.Errorf("no %s is under way: %v", job, jobs)
		}
	}
	for _, kind := range []string{"instance running", "instance stopped", "instance terminated", "app serving", "app 500", "member healthy",
		"member gone", "target gone", "target unhealthy"} {
		if !kinds[kind] {
			t.Errorf("no %s happens: %v", kind, kinds)
		}
	}
}

func withoutSeq(entries []Entry) []Entry {
	for i := range entries {
		entries[i].Seq = 0
	}
	return entries
}

// Time stands still between saving and loading: what had a while to go has it still, and what is shown as a time has moved along.
func TestALoadedWorldIsShiftedToItsClock(t *testing.T) {
	s := newBalancerSim(t)
	id := s.servers(1, "boot=50s configure=10s", 0)[0]
	s.clock.Advance(20 * time.Second)
	later := testStart.AddDate(1, 0, 0)
	other, clock := copyOf(t, s.Cloud, later)
	before, _ := s.Instance(id)
	after, _ := other.Instance(id)
	if want := before.Launched.Add(later.Sub(s.clock.Now())); !after.Launched.Equal(want) {
		t.Errorf("launched at %v, want %v", after.Launched, want)
	}
	for _, step := range []struct {
		wait time.Duration
		want string
	}{{28 * time.Second, statePending}, {time.Second, stateRunning}} {
		clock.Advance(step.wait)
		if in, _ := other.Instance(id); in.State != step.want {
			t.Errorf("it is %s, want %s", in.State, step.want)
		}
	}
}

// Loading into the cloud itself goes back in the state, and forgets all that was under way.
func TestLoadReplacesTheWorld(t *testing.T) {
	s := busyWorld(t)
	saved, was := save(t, s.Cloud), s.clock.Now()
	s.clock.Advance(5 * time.Minute)
	s.launch(1, func(in *ec2.RunInstancesInput) { in.UserData = userData("#localaws boot=1s") })
	succeed(t, s.Load(bytes.NewReader(saved)))
	other := New(Options{Clock: NewVirtualClock(was)})
	succeed(t, other.Load(bytes.NewReader(saved)))
	if diff := cmp.Diff(states(other), states(s.Cloud)); diff != "" {
		t.Errorf("instances (-saved +loaded):\n%s", diff)
	}
	if got, want := len(s.waiting), len(other.waiting); got != want {
		t.Errorf("%d things are under way, want %d", got, want)
	}
	last := s.Ledger()[len(s.Ledger())-1]
	if last.Change == nil || last.Change.To != "loaded" {
		t.Errorf("the ledger's last entry is %v", last)
	}
}

func states(c *Cloud) map[string]string {
	out := map[string]string{}
	for _, in := range c.Instances() {
		out[in.ID] = in.State
	}
	return out
}

func TestReset(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("old")
	ids := s.servers(2, "", 0)
	succeed(t, s.SetStart())
	start := save(t, s.Cloud)
	s.register("old", ids...)
	s.Tune(func(k *Knobs) { k.Configure = time.Hour })
	s.Deny("ec2:*")
	s.Inject(Fault{Before: &APIFault{}})
	succeed(t, s.Reset())
	if got := save(t, s.Cloud); !bytes.Equal(got, start) {
		t.Errorf("the world after a reset (-start +reset):\n%s", cmp.Diff(string(start), string(got)))
	}
	if got := s.pool("old").Members; len(got) != 0 {
		t.Errorf("members: %+v", got)
	}
	s.launch(1) // neither fault nor denial is left
	s.wantAlive(3)
}

// Without SetStart, the start is the empty world.
func TestResetToNothing(t *testing.T) {
	s := newSim(t)
	s.launch(1)
	succeed(t, s.Reset())
	if got := s.Instances(); len(got) != 0 {
		t.Errorf("instances: %+v", got)
	}
	if _, err := s.ec2.RunInstances(s.ctx, s.input(1)); err == nil {
		t.Error("an empty world has an image")
	}
	s.DefaultWorld()
	s.launch(1)
	s.wantAlive(1)
}

// What is no world of ours is refused, in words, and nothing changes.
func TestLoadRefusesWhatIsNoWorld(t *testing.T) {
	s := busyWorld(t)
	good := save(t, s.Cloud)
	edit := func(change func(map[string]any)) string {
		var tree map[string]any
		d := json.NewDecoder(bytes.NewReader(good))
		d.UseNumber()
		succeed(t, d.Decode(&tree))
		change(tree)
		out, err := json.Marshal(tree)
		succeed(t, err)
		var w savedWorld
		succeed(t, json.Unmarshal(out, &w))
		w.Sum, err = w.sum()
		succeed(t, err)
		out, err = json.Marshal(w)
		succeed(t, err)
		return string(out)
	}
	object := func(tree map[string]any, name string) map[string]any {
		return tree["objects"].(map[string]any)[name].(map[string]any)
	}
	for name, test := range map[string]struct{ data, want string }{
		"nothing":             {"", "no saved world"},
		"no JSON":             {"hello", "no saved world"},
		"another JSON":        {`{"hello":"world"}`, "another version"},
		"half of one":         {string(good[:len(good)/2]), "no saved world"},
		"another version":     {edit(func(w map[string]any) { w["format"] = "slipway-localaws/0" }), `its format is "slipway-localaws/0"`},
		"another shape":       {edit(func(w map[string]any) { w["shape"] = "1" }), "another version of this program"},
		"another home":        {edit(func(w map[string]any) { w["home"] = "1/mars-1" }), "the world's home is 1/mars-1"},
		"a changed world":     {strings.Replace(string(good), "t3.micro", "t3.large", 1), "changed or damaged after it was saved"},
		"an unknown field":    {edit(func(w map[string]any) { object(w, "instance#1")["colour"] = "blue" }), "instance has no field colour"},
		"a missing object":    {edit(func(w map[string]any) { delete(w["objects"].(map[string]any), "instance#1") }), "there is no instance#1"},
		"an object too many":  {edit(func(w map[string]any) { w["objects"].(map[string]any)["instance#x"] = map[string]any{} }), "something is missing"},
		"an object of a kind": {edit(func(w map[string]any) { object(w, "instance#1")["realm"] = "instance#1" }), "is a instance and no realm"},
		"a wrong type":        {edit(func(w map[string]any) { object(w, "instance#1")["serial"] = "many" }), "serial of instance"},
		"an unknown job":      {edit(func(w map[string]any) { object(w, "wake#1")["job"].(map[string]any)["type"] = "explode" }), "there is no explode"},
		"nothing in it":       {edit(func(w map[string]any) { w["cloud"], w["objects"] = map[string]any{}, nil }), "something is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Load(strings.NewReader(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if now := save(t, s.Cloud); !bytes.Equal(now, good) {
				t.Error("the world has changed")
			}
		})
	}
	s.looked() // at all of it: what it saves is as before
}

// Every field of the world is saved, or is in the list of those that are not, with the reason. A new field whose type can be
// saved is; one whose type cannot be fails here.
func TestEverythingIsSavedOrLeftOutForAReason(t *testing.T) {
	if _, err := worldShape(); err != nil {
		t.Error(err)
	}
	known := survey().objects
	for name, why := range leftOut {
		kind, field, _ := strings.Cut(name, ".")
		if _, has := structField(known[kind], field); !has || why == "" {
			t.Errorf("%s is left out for %q, and there is no such field", name, why)
		}
	}
}

func structField(t reflect.Type, name string) (reflect.StructField, bool) {
	if t == nil {
		return reflect.StructField{}, false
	}
	return t.FieldByName(name)
}

// A field that cannot be saved is named, and so is what is to be done about it.
func TestAFieldThatCannotBeSavedIsNamed(t *testing.T) {
	s := &surveyor{objects: map[string]reflect.Type{}}
	s.visit(reflect.TypeFor[struct{ when func() }](), "Cloud.extra")
	s.visit(reflect.TypeFor[struct{ list []chan int }](), "Cloud.more")
	if len(s.wrong) != 2 || !strings.Contains(s.wrong[0].Error(), "Cloud.extra.when is of type func()") || !strings.Contains(s.wrong[0].Error(), "leftOut") ||
		!strings.Contains(s.wrong[1].Error(), "Cloud.more.list is of type chan int") {
		t.Errorf("it finds %v", s.wrong)
	}
}

// Each job that the package has can be saved, and each end of a fault: they are told by their methods run and undo.
func TestAllJobsCanBeSaved(t *testing.T) {
	names, err := filepath.Glob("*.go")
	succeed(t, err)
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		succeed(t, err)
		for _, d := range f.Decls {
			method, ok := d.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "run" && method.Name.Name != "undo" {
				continue
			}
			receiver, ok := method.Recv.List[0].Type.(*ast.Ident)
			if !ok {
				continue // of generic types, which are no jobs
			}
			found++
			if implementations[receiver.Name] == nil {
				t.Errorf("%s is not among the implementations", receiver.Name)
			}
		}
	}
	if found != len(implementations)-2 { // beside them there are the rules of the two kinds of pools
		t.Errorf("%d jobs and ends of faults in the package, and %d implementations", found, len(implementations))
	}
}

// With its data plane on, a cloud keeps the ports of its load balancers over a reset, and the servers of the world that it goes
// back to answer again.
func TestResetWithADataPlane(t *testing.T) {
	s := newPlaneSim(t)
	s.classic("web")
	ids := s.servers(1, "v1")
	s.register("web", ids...)
	s.healthy("web", 1)
	succeed(t, s.SetStart())
	url := s.Endpoints()["web"]
	s.register("web", s.servers(1, "v2")...)
	s.healthy("web", 2)
	succeed(t, s.Kill(ids[0]))
	succeed(t, s.Reset())
	s.healthy("web", 1)
	if now := s.Endpoints()["web"]; now != url {
		t.Errorf("the load balancer moved from %s to %s", url, now)
	}
	s.await("the old server answers", func() bool {
		a, err := s.get(client(t, true), url)
		return err == nil && a.status == http.StatusOK && a.version == "v1" && a.instance == ids[0]
	})
}

// A failing writer is told.
func TestSaveTellsOfTheWriter(t *testing.T) {
	s := newSim(t)
	r, w := io.Pipe()
	_ = r.Close()
	if err := s.Save(w); err == nil {
		t.Error("saving to a closed pipe succeeds")
	}
}

// Templates, fleets, alarms, queues and what is on its way to them are part of the world.
func TestTemplatesAlarmsAndQueuesAreSaved(t *testing.T) {
	s := newQueueSim(t, func(k *Knobs) { k.Events.Delay = Span{time.Minute, time.Minute} })
	s.template("web", s.webTemplate())
	in := s.fleetOf(1, []string{"t3.micro"}, 1, func(in *ec2.CreateFleetInput) { in.ClientToken = aws.String("t") })
	fleet, _, _ := s.fleet(in)
	id := fleet.Instances[0].InstanceIds[0]
	must(s.watch().PutMetricAlarm(s.ctx, errorsAlarm("errors")))
	var file bytes.Buffer
	succeed(t, s.Save(&file))
	other := newSim(t)
	succeed(t, other.Load(&file))
	if again, _, _ := other.fleet(in); *again.FleetId != *fleet.FleetId {
		t.Errorf("the token of the fleet %s made %s", *fleet.FleetId, *again.FleetId)
	}
	for name, world := range map[string]*sim{"saved": s.sim, "loaded": other} {
		if out := must(world.watch().DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{})); len(out.MetricAlarms) != 1 {
			t.Errorf("alarms of the world that was %s: %+v", name, out.MetricAlarms)
		}
	}
	if image := *other.run(other.fromTemplate(tagsOf(s.find("instance-id", id)[0].Tags)["aws:ec2launchtemplate:id"], "")).ImageId; image == "" {
		t.Error("the template launches nothing")
	}
	other.clock.Advance(time.Minute)
	q := &queueSim{sim: other, sqs: sqs.NewFromConfig(other.config("AKIDTEST", "us-east-1")), url: s.url}
	if got := told(q.receive(), id); !slices.Equal(got, []string{"pending"}) {
		t.Errorf("the event that was on its way: %v", got)
	}
}

// Who may do what is part of the world.
func TestALoadedWorldKeepsItsPolicies(t *testing.T) {
	s := newSim(t)
	_, err := s.AttachPolicy("WATCHER", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:TerminateInstances","Resource":"*",
		"Condition":{"StringEquals":{"aws:ResourceTag/owner":"watcher"}}}]}`)
	succeed(t, err)
	mine := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.TagSpecifications = []ec2types.TagSpecification{{ResourceType: "instance", Tags: sdkTags(map[string]string{"owner": "watcher"})}}
	})
	other := s.launch(1)
	loaded, _ := copyOf(t, s.Cloud, s.clock.Now())
	copied := &sim{t: t, ctx: s.ctx, Cloud: loaded}
	copied.use(copied.config("WATCHER", "us-east-1"))
	if _, err := copied.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: other}); err == nil ||
		!strings.Contains(err.Error(), "UnauthorizedOperation") {
		t.Errorf("terminating what is another's: %v", err)
	}
	must(copied.ec2.TerminateInstances(s.ctx, &ec2.TerminateInstancesInput{InstanceIds: mine}))
	s.wantAlive(2)
	copied.wantAlive(1)
}
