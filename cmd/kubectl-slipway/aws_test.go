package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	v2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/localaws"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a screen with the file that has it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// screenWorld is a local AWS with everything that has a line on the status screen, on a clock that stands still.
type screenWorld struct {
	*localaws.Cloud
	clock *localaws.VirtualClock
	url   string
	site  localaws.Site
}

func newScreenWorld(t *testing.T) *screenWorld {
	t.Helper()
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := &screenWorld{Cloud: localaws.New(localaws.Options{Clock: clock, Seed: 7}), clock: clock}
	t.Cleanup(w.Close)
	w.site = w.DefaultWorld()
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	t.Setenv("AWS_ENDPOINT_URL", w.url)
	return w
}

// whole is a transport that has read an answer before it gives it. Without it a busy machine sees a call twice now and then: the
// SDK closes the body of its request when the answer begins, and net/http, should it look only then whether there is more of the
// body, takes that for an error and closes the connection, with the rest of the answer in it; so the SDK makes the call again
// (aws-sdk-go-v2 issue 2737).
type whole struct{ http.RoundTripper }

func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

func (w *screenWorld) config() aws.Config {
	return aws.Config{HTTPClient: &http.Client{Transport: whole{http.DefaultTransport}}, BaseEndpoint: &w.url, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("YOU", "local", "")}
}

func ok[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// fill makes servers, pools and load balancers, of which one answers 500 and one is leaving.
func (w *screenWorld) fill(t *testing.T) {
	t.Helper()
	servers, old, v2 := ec2.NewFromConfig(w.config()), elb.NewFromConfig(w.config()), elbv2.NewFromConfig(w.config())
	launched := ok[*ec2.RunInstancesOutput](t)(servers.RunInstances(t.Context(), &ec2.RunInstancesInput{ImageId: &w.site.V1, InstanceType: "t3.micro",
		MinCount: aws.Int32(3), MaxCount: aws.Int32(3), ClientToken: aws.String("first"),
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: "instance", Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("web")}}}}}))
	ok[*elb.CreateLoadBalancerOutput](t)(old.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{LoadBalancerName: aws.String("edge"),
		Subnets: w.site.Subnets[:2], Listeners: []elbtypes.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}}}))
	group := ok[*elbv2.CreateTargetGroupOutput](t)(v2.CreateTargetGroup(t.Context(), &elbv2.CreateTargetGroupInput{Name: aws.String("blue"),
		Protocol: v2types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: &w.site.VPC})).TargetGroups[0].TargetGroupArn
	balancer := ok[*elbv2.CreateLoadBalancerOutput](t)(v2.CreateLoadBalancer(t.Context(), &elbv2.CreateLoadBalancerInput{Name: aws.String("api"),
		Subnets: w.site.Subnets[:2]})).LoadBalancers[0].LoadBalancerArn
	ok[*elbv2.CreateListenerOutput](t)(v2.CreateListener(t.Context(), &elbv2.CreateListenerInput{LoadBalancerArn: balancer, Port: aws.Int32(80),
		Protocol: v2types.ProtocolEnumHttp, DefaultActions: []v2types.Action{{Type: v2types.ActionTypeEnumForward, TargetGroupArn: group}}}))
	w.clock.Advance(time.Minute)
	for i, in := range launched.Instances {
		if i < 2 {
			ok[*elb.RegisterInstancesWithLoadBalancerOutput](t)(old.RegisterInstancesWithLoadBalancer(t.Context(),
				&elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: aws.String("edge"), Instances: []elbtypes.Instance{{InstanceId: in.InstanceId}}}))
		}
		ok[*elbv2.RegisterTargetsOutput](t)(v2.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: group,
			Targets: []v2types.TargetDescription{{Id: in.InstanceId}}}))
	}
	if err := w.SetAppStatus(*launched.Instances[0].InstanceId, 500); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(3 * time.Minute)
	ok[*elbv2.DeregisterTargetsOutput](t)(v2.DeregisterTargets(t.Context(), &elbv2.DeregisterTargetsInput{TargetGroupArn: group,
		Targets: []v2types.TargetDescription{{Id: launched.Instances[2].InstanceId}}}))
	w.clock.Advance(10 * time.Second)
	// Who is refused is shown, too.
	if _, err := servers.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}}); err == nil {
		t.Fatal("an instance that does not exist was stopped")
	}
	ok[*ec2.DescribeInstancesOutput](t)(servers.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:Name"), Values: []string{"web", "two words"}}}}))
}

// runs plays a command line in this process and gives what it prints.
func runs(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs(append([]string{"local", "aws"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := runs(t, args...)
	if err != nil {
		t.Fatalf("local aws %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func TestAWSScreens(t *testing.T) {
	w := newScreenWorld(t)
	golden(t, "aws_status_empty", mustRun(t, "status"))
	w.fill(t)
	golden(t, "aws_fault_none", mustRun(t, "fault", "list"))
	golden(t, "aws_fault_add", mustRun(t, "fault", "add", "ec2:RunInstances", "count=1", "before=500:InternalError"))
	golden(t, "aws_status", mustRun(t, "status"))
	golden(t, "aws_status_wide", mustRun(t, "status", "-o", "wide"))
	golden(t, "aws_fault_list", mustRun(t, "fault", "list"))
	if got := mustRun(t, "knob"); strings.Count(got, "\n") != len(w.Knobs().Settings()) || !strings.Contains(got, "\nPendingMax=17s\n") {
		t.Errorf("the knobs are listed as\n%s", got)
	}
	var s localaws.State
	if err := json.Unmarshal([]byte(mustRun(t, "status", "-o", "json")), &s); err != nil || len(s.Realms) != 1 || len(s.Realms[0].Instances) != 3 {
		t.Errorf("-o json: %v, %+v", err, s)
	}
}

// The log's lines, without colours and with them. Request ids and times of day are the world's, which is the same each time.
func TestAWSLogLines(t *testing.T) {
	t.Setenv("TZ", "UTC")
	time.Local = time.UTC
	w := newScreenWorld(t)
	w.fill(t)
	golden(t, "aws_log", mustRun(t, "log", "--follow=false", "--tail", "1000"))
	var b bytes.Buffer
	log := awsLogger{out: &b, colours: true}
	calls := 0
	for _, e := range w.Ledger() {
		if e.Call != nil && e.Call.Action == "StopInstances" || e.Call == nil && e.Change.Kind == "instance" && calls == 0 {
			log.print(e)
			calls++
		}
	}
	golden(t, "aws_log_colours", b.String())
}

func TestAWSCommands(t *testing.T) {
	w := newScreenWorld(t)
	if err := w.SetStart(); err != nil {
		t.Fatal(err)
	}
	w.fill(t)
	file := filepath.Join(t.TempDir(), "world.json")
	golden(t, "aws_save", strings.ReplaceAll(mustRun(t, "save", file), file, "FILE"))
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of a world, with secrets in it: %v, %v", info, err)
	}
	mustRun(t, "fault", "add", "ec2:* hang")
	mustRun(t, "reset")
	if got := w.Instances(); len(got) != 0 {
		t.Errorf("instances after a reset: %+v", got)
	}
	if got := mustRun(t, "fault", "list"); !strings.HasPrefix(got, "No fault") {
		t.Errorf("faults after a reset:\n%s", got)
	}
	mustRun(t, "load", file)
	if got := w.Instances(); len(got) != 3 {
		t.Errorf("instances after loading: %+v", got)
	}
	mustRun(t, "fault", "add", "clock", "skew=1h")
	mustRun(t, "fault", "add", "elbv2:* p=0.5 before=503")
	mustRun(t, "fault", "remove", "clock", "skew=60m")
	if got := w.Faults(); len(got) != 1 || got[0].String() != "elbv2:* p=0.5 before=503" {
		t.Errorf("faults: %v", got)
	}
	mustRun(t, "fault", "remove", "--all")
	if got := w.Faults(); len(got) != 0 {
		t.Errorf("faults: %v", got)
	}
	if got := mustRun(t, "knob", "health-lag", "stopping"); !strings.HasPrefix(got, "Balancers.HealthLag: HealthLag is ") || !strings.Contains(got, "\nStopping: ") {
		t.Errorf("what two knobs are for:\n%s", got)
	}
	mustRun(t, "knob", "health-lag=1s..2s", "Configure=3s")
	if k := w.Knobs(); k.Configure != 3*time.Second || k.Balancers.HealthLag.Max != 2*time.Second {
		t.Errorf("knobs: %+v", k)
	}
}

// lockedBuffer is written by a command while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// status -w and log show what happens while they run, and Ctrl-C is a good end.
func TestAWSFollowing(t *testing.T) {
	for name, args := range map[string][]string{"status": {"status", "-w"}, "log": {"log"}} {
		t.Run(name, func(t *testing.T) {
			w := newScreenWorld(t)
			w.fill(t)
			id := w.Instances()[0].ID
			var out lockedBuffer
			ctx, end := context.WithCancel(t.Context())
			root := newRoot()
			root.SetOut(&out)
			root.SetArgs(append([]string{"local", "aws"}, args...))
			ended := make(chan error, 1)
			go func() { ended <- root.ExecuteContext(ctx) }()
			eventually(t, "it shows what there was", func() bool { return strings.Contains(out.String(), "web") || strings.Contains(out.String(), "blue") })
			if err := w.Kill(id); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it shows the end of "+id, func() bool {
				return strings.Contains(out.String(), "running → terminated") || strings.Contains(out.String(), id+"  web   terminated")
			})
			end()
			if err := <-ended; err != nil {
				t.Errorf("Ctrl-C ended it with %v", err)
			}
		})
	}
}

func TestAWSMistakesAreTold(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	w := newScreenWorld(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nobody there":        {[]string{"status", "--endpoint", "http://127.0.0.1:1"}, "connection refused): start one with `kubectl slipway local aws`"},
		"no endpoint":         {[]string{"status", "--endpoint", ""}, "AWS_ENDPOINT_URL is not set: start one"},
		"no URL":              {[]string{"status", "--endpoint", "here"}, `"here" is no URL such as`},
		"somebody else":       {[]string{"reset", "--endpoint", other.URL}, "is no local AWS: it says 404"},
		"a wrong form":        {[]string{"status", "-o", "yaml"}, "-o yaml: it is wide or json"},
		"a wrong fault":       {[]string{"fault", "add", "ec2:Explode", "hang"}, "Explode"},
		"no fault":            {[]string{"fault", "remove"}, "say which fault"},
		"an unknown fault":    {[]string{"fault", "remove", "clock", "skew=1h"}, "is not in force"},
		"no such knob":        {[]string{"knob", "colour"}, "there is no knob colour; there are PendingMin"},
		"an unknown knob":     {[]string{"knob", "colour=blue"}, "there is no knob colour; there are PendingMin"},
		"no file":             {[]string{"load", "/nowhere/world.json"}, "/nowhere/world.json"},
		"no world":            {[]string{"load", os.Args[0]}, "this is no saved world"},
		"an unknown command":  {[]string{"statsu"}, "statsu"},
		"a wrong speed":       {[]string{"--speed", "0"}, "--speed 0: it must be more than 0"},
		"wrong limits":        {[]string{"--limits", "few"}, "--limits few: they are documented, raised or off"},
		"a wrong knob":        {[]string{"--knob", "HealthLag=soon"}, "--knob: knob Balancers.HealthLag=soon: it is a span"},
		"a knob of no name":   {[]string{"--knob", "HealthLag"}, "is no name=value"},
		"a wrong fault, too":  {[]string{"--fault", "ec2:Explode hang"}, "--fault: "},
		"a wrong world":       {[]string{"--world", "round"}, "--world round: it is default or empty"},
		"no world to load":    {[]string{"--load", "/nowhere/world.json"}, "/nowhere/world.json"},
		"a port that is used": {[]string{"--listen", strings.TrimPrefix(w.url, "http://")}, "is in use: another local AWS may be running there"},
		"both limits":         {[]string{"--limits", "off", "--no-limits"}, "limits no-limits"},
		"a negative latency":  {[]string{"--latency", "-1s"}, "it cannot be negative"},
		"an address of none":  {[]string{"--listen", "nonsense"}, "opening the endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := runs(t, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: error %v, want one with %q\n%s", test.args, err, test.want, out)
			}
		})
	}
}

func TestLimitsOfTheFlags(t *testing.T) {
	for name, test := range map[string]struct {
		flags            awsFlags
		throttle, larger bool
	}{
		"by default": {awsFlags{}, true, false},
		"documented": {awsFlags{limits: "documented"}, true, false},
		"raised":     {awsFlags{limits: "raised"}, true, true},
		"off":        {awsFlags{limits: "off"}, false, false},
		"none":       {awsFlags{noLimits: true}, false, false},
		"by a knob":  {awsFlags{limits: "raised", knobs: []string{"throttle=false"}}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := test.flags.settings()
			if err != nil {
				t.Fatal(err)
			}
			k := localaws.DefaultKnobs()
			for _, s := range settings {
				if err := k.Set(s.Name, s.Value); err != nil {
					t.Fatal(err)
				}
			}
			if k.Throttle != test.throttle || k.LargerELBReads != test.larger {
				t.Errorf("throttling %t, larger reads %t", k.Throttle, k.LargerELBReads)
			}
		})
	}
}

// The limits of a world that is loaded stay, unless others are asked for.
func TestALoadedWorldKeepsItsKnobs(t *testing.T) {
	k := localaws.DefaultKnobs()
	k.Throttle, k.Configure = false, time.Hour
	was := localaws.New(localaws.Options{Seed: 5, Knobs: k})
	defer was.Close()
	file := filepath.Join(t.TempDir(), "world.json")
	if err := writeWorld(file, was.Save); err != nil {
		t.Fatal(err)
	}
	now, err := makeAWS(awsFlags{speed: 1, world: worldDefault, load: file, knobs: []string{"Stopping=1s"}})
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	if got := now.Knobs(); got.Throttle || got.Configure != time.Hour || got.Stopping != time.Second {
		t.Errorf("knobs: %+v", got)
	}
	if got := now.State(); got.Seed != 5 || len(got.Realms) > 1 {
		t.Errorf("seed %d, %d realms", got.Seed, len(got.Realms))
	}
}

func TestParametersOnALine(t *testing.T) {
	for want, params := range map[string]url.Values{
		"InstanceId=i-1,i-2,i-10":                     {"InstanceId.10": {"i-10"}, "InstanceId.2": {"i-2"}, "InstanceId.1": {"i-1"}},
		"Instances.InstanceId=i-1 LoadBalancerName=x": {"Instances.member.1.InstanceId": {"i-1"}, "LoadBalancerName": {"x"}},
		`tag:Name="a b" vpc-id=v`: {"Filter.1.Name": {"tag:Name"}, "Filter.1.Value.1": {"a b"},
			"Filter.2.Name": {"vpc-id"}, "Filter.2.Value.1": {"v"}},
		"": {},
	} {
		if got := paramsText(params); got != want {
			t.Errorf("%v is written %s, want %s", params, got, want)
		}
	}
	if got := []rune(paramsText(url.Values{"UserData": {strings.Repeat("ä", 500)}})); len(got) != maxParams || got[maxParams-1] != '…' {
		t.Errorf("%d characters on a line", len(got))
	}
}

// A person starts it, pastes what it prints, tries what it proposes, changes and saves the world, and ends it; then goes on
// with what was saved.
func TestAWSAsAProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "world.json")
	first := startLocal(t, "aws", "--speed", "60", "--seed", "3", "--fault", "ec2:StopInstances before=500", "--knob", "configure=5s", "--save", file)
	first.await(awsReady)
	block := pasted(t, first.text(), "Paste this", "To try there")
	out := shell(t, append(block, `echo "$AWS_ENDPOINT_URL"; aws() { echo would call "$@"; }; `+strings.Join(pasted(t, first.text(), "To try there", "Ctrl-C")[:2], "\n")))
	endpoint, _, _ := strings.Cut(out, "\n")
	if !strings.HasPrefix(endpoint, "http://127.0.0.1:") || strings.Count(out, "would call") != 2 {
		t.Fatalf("the pasted block gives\n%s", out)
	}
	t.Setenv("AWS_ENDPOINT_URL", endpoint)
	w := &screenWorld{url: endpoint, site: localaws.Site{V1: "ami-0a11ce00000000001", VPC: "vpc-0a11ce0000000000a",
		Subnets: []string{"subnet-0a11ce000000000a1", "subnet-0a11ce000000000a2"}}}
	servers := ec2.NewFromConfig(w.config(), func(o *ec2.Options) { o.RetryMaxAttempts = 1 })
	launched := ok[*ec2.RunInstancesOutput](t)(servers.RunInstances(t.Context(), &ec2.RunInstancesInput{ImageId: &w.site.V1, InstanceType: "t3.micro",
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1)}))
	id := *launched.Instances[0].InstanceId
	eventually(t, "the server answers, as status tells", func() bool {
		text := mustRun(t, "status")
		return strings.Contains(text, id) && strings.Contains(text, "200      v1")
	})
	if _, err := servers.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}}); err == nil {
		t.Error("the fault of the flag does not happen")
	}
	first.await("RunInstances .*→ launched " + id)
	first.await("StopInstances .*✗ 500")
	first.await("app " + id + ": serving")
	if strings.Contains(first.text(), "\x1b[") {
		t.Error("there are colours where there is no terminal")
	}
	first.interrupt()
	if status := first.status(); status != 0 {
		t.Errorf("Ctrl-C ended it with %d:\n%s", status, first.text())
	}
	if !strings.Contains(first.text(), "\nThe world is in "+file+".\n") {
		t.Errorf("it does not say where the world is:\n%s", first.text())
	}
	first.leavesNothing([]string{strings.TrimPrefix(endpoint, "http://")})

	second, third := startLocal(t, "aws", "--load", file, "-q"), startLocal(t, "aws", "--world", "empty")
	second.await(awsReady)
	third.await(awsReady)
	t.Setenv("AWS_ENDPOINT_URL", "http://"+address.FindString(second.text()))
	if got := mustRun(t, "status"); !strings.Contains(got, id) || !strings.Contains(got, "200      v1") {
		t.Errorf("the world that goes on:\n%s", got)
	}
	mustRun(t, "fault", "add", "zone us-east-1a out")
	for _, c := range []*command{second, third} {
		c.interrupt()
		if status := c.status(); status != 0 {
			t.Errorf("Ctrl-C ended it with %d:\n%s", status, c.text())
		}
	}
	if strings.Contains(second.text(), "fault zone") {
		t.Errorf("-q prints a log:\n%s", second.text())
	}
}

// awsReady is the end of what `local aws` prints before it tells what happens.
const awsReady = "What happens until then:"
