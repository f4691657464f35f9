package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"

	"slipway.dev/slipway/internal/cli"
	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/plan"
	"slipway.dev/slipway/internal/playground"
)

// answers reports whether somebody listens.
func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// ready is the end of what `local up` prints before it tells what happens.
const ready = "What happens in AWS until then:"

// pasted gives the indented lines between two texts: what a person is to paste.
func pasted(t *testing.T, text, from, to string) []string {
	t.Helper()
	_, text, begins := strings.Cut(text, from)
	text, _, ends := strings.Cut(text, to)
	if !begins || !ends {
		t.Fatalf("there is no %q before %q", from, to)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if command, indented := strings.CutPrefix(line, "    "); indented {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	return lines
}

// aRealAccount is what a person's shell may have, all of which leads elsewhere.
var aRealAccount = []string{
	"AWS_PROFILE=absent", "AWS_DEFAULT_PROFILE=absent", "AWS_REGION=eu-west-3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
	"AWS_ENDPOINT_URL_EC2=http://127.0.0.1:1", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING=http://127.0.0.1:1", "AWS_SESSION_TOKEN=real",
	"AWS_CONFIG_FILE=/nowhere/config", "AWS_SHARED_CREDENTIALS_FILE=/nowhere/credentials", "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/real",
	"AWS_WEB_IDENTITY_TOKEN_FILE=/nowhere/token", "NOT_OF_AWS=two lines\nAWS_LOOKS_LIKE=one",
}

// What the block leaves of AWS's variables is its own, in each shell that it is for.
func TestTheBlockTakesARealAccountAway(t *testing.T) {
	cloud := localaws.New(localaws.Options{})
	defer cloud.Close()
	lines := block(&playground.World{AWS: cloud, Endpoint: "http://127.0.0.1:4711", Region: "us-east-1",
		Plane: &controlplane.ControlPlane{KubeconfigPath: "/tmp/plane/kubeconfig", KubectlPath: "/tmp/assets/kubectl"}})
	want := []string{"AWS_ACCESS_KEY_ID=YOU", "AWS_CONFIG_FILE=/dev/null", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL=http://127.0.0.1:4711", "AWS_PAGER=", "AWS_REGION=us-east-1", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
	for _, sh := range []string{"bash", "zsh"} {
		if _, err := exec.LookPath(sh); err != nil && sh != "bash" {
			continue
		}
		for name, env := range map[string][]string{"with a real account": aRealAccount, "with nothing of AWS": nil} {
			cmd := exec.CommandContext(t.Context(), sh, "-c", "set -e\n"+strings.Join(lines, "\n")+"\nunset NOT_OF_AWS\nenv")
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s, %s: %v\n%s", sh, name, err, out)
			}
			var left []string
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "AWS_") {
					left = append(left, strings.TrimSuffix(line, "\n"))
				}
			}
			slices.Sort(left)
			if !slices.Equal(left, want) {
				t.Errorf("%s, %s: left are %q, want %q", sh, name, left, want)
			}
		}
	}
}

// shell runs lines in bash, each of which has to succeed, and gives what they print.
func shell(t *testing.T, lines []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", strings.Join(lines, "\n"))
	cmd.Dir = t.TempDir() // what is printed works anywhere
	// What the person's shell may be set up for must not matter.
	cmd.Env = append(os.Environ(), "KUBECONFIG=/nowhere")
	cmd.Env = append(cmd.Env, aRealAccount...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s\n%v\n%s%s", strings.Join(lines, "\n"), err, out, stderr.String())
	}
	return string(out)
}

var address = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// A person starts it twice, pastes what the first one prints, does the three things, and ends both.
func TestUp(t *testing.T) {
	first, second := start(t, "up"), start(t, "up")
	first.await(ready)
	second.await(ready)
	if got := len(first.processes()); got != 4 {
		t.Errorf("%d processes, want etcd, kube-apiserver, their guard and the manager: %v", got, first.processes())
	}
	text := first.text()
	block := pasted(t, text, "Paste this", "The load balancers")
	tries := pasted(t, text, "Three things to try", "Then:")
	isAWS := func(line string) bool { return strings.HasPrefix(line, "aws ") }
	var kubectlAndCurl, cli []string
	for _, line := range tries {
		if isAWS(line) {
			cli = append(cli, line)
		} else {
			kubectlAndCurl = append(kubectlAndCurl, line)
		}
	}
	if len(cli) != 2 || len(kubectlAndCurl) < 6 {
		t.Fatalf("things to try: %q", tries)
	}

	out := shell(t, append(block, kubectlAndCurl...))
	if got := strings.Count(out, `"version":"v1"`); got != 3 {
		t.Errorf("version 1 answered %d times, want once each from $TEST, $EDGE and $API:\n%s", got, out)
	}
	if _, err := exec.LookPath("aws"); err == nil {
		t.Run("the aws command line", func(t *testing.T) { testCommandLine(t, block, cli) })
	} else {
		t.Run("the Go SDK in place of aws, which is not installed", func(t *testing.T) { testSDK(t, block) })
	}
	t.Run("a plan, from the manager that the kubeconfig names", func(t *testing.T) { testPlan(t, block) })
	t.Run("a checkup, from the same", func(t *testing.T) { testDoctor(t, block) })
	t.Run("nothing else happened in the second one", func(t *testing.T) {
		out := shell(t, append(pasted(t, second.text(), "Paste this", "The load balancers"), "kubectl get releases -A -o name", "kubectl get releaseclass -o name"))
		if out != "releaseclass.slipway.dev/default\n" {
			t.Errorf("objects in the second world: %q", out)
		}
	})
	shell(t, append(block, `grep -q '"version":"..*"' "$(dirname "$KUBECONFIG")/manager.log"`)) // the manager says which it is
	for _, line := range []string{"RunInstances: launched v1-", "prod-tg finds v1-", "deregistered v1-"} {
		if !strings.Contains(first.text(), line) {
			t.Errorf("what happened in AWS lacks %q:\n%s", line, first.text())
		}
	}

	for _, c := range []*command{first, second} {
		c.interrupt()
		if status := c.status(); status != 0 {
			t.Errorf("Ctrl-C ended it with %d:\n%s", status, c.text())
		}
		c.leavesNothing(address.FindAllString(c.text(), -1))
	}
}

// testPlan asks for a plan as a person does who pasted the block: without credentials, for there are none in it that AWS would take.
func testPlan(t *testing.T, block []string) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ask := "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL; " + playVariable + "=1 " + quote(program) + " plan web"
	var out string
	eventually(t, "a plan by a whole reading", func() bool { // one that failed on a busy machine is told in the plan
		out = shell(t, append(block, ask))
		return !strings.Contains(out, "could not be read")
	})
	for _, want := range []string{"default/web, version v1: from Live to Complete", "1 call in 1 step", "ec2 CreateTags", "slipway.dev/role=stable",
		"To have it done: kubectl slipway complete web -n default"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
	var p plan.Plan
	if err := json.Unmarshal([]byte(shell(t, append(block, ask+" --to=Deleted -o json"))), &p); err != nil || p.To != plan.Deleted || p.Source.Manager == "" {
		t.Errorf("%v: %+v", err, p)
	}
}

// testDoctor asks for a checkup in the same way: nothing is wrong with the local world.
func testDoctor(t *testing.T, block []string) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := shell(t, append(block, "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL; "+playVariable+"=1 "+quote(program)+" doctor"))
	for _, want := range []string{"ReleaseClass default, account ", "none is needed: the kubeconfig names a manager on this machine",
		"ok    ec2:RunInstances for default/web", "ok    ec2:TerminateInstances", "quota-code L-1216C47A", "Nothing stands in the way"} {
		if !strings.Contains(out, want) {
			t.Errorf("the checkup lacks %q:\n%s", want, out)
		}
	}
	for _, never := range []string{"FAIL", "warn  "} {
		if strings.Contains(out, never) {
			t.Errorf("in the local world there is nothing to mend:\n%s", out)
		}
	}
}

func testCommandLine(t *testing.T, block, lines []string) {
	health := shell(t, append(block, lines[0]))
	var states struct {
		InstanceStates []struct{ State string }
	}
	if err := json.Unmarshal([]byte(health), &states); err != nil || len(states.InstanceStates) != 3 || states.InstanceStates[0].State != "InService" {
		t.Errorf("%s: %v\n%s", lines[0], err, health)
	}
	servers := shell(t, append(block, lines[1]))
	if strings.Count(servers, "\trunning\tami-") != 3 {
		t.Errorf("%s:\n%s", lines[1], servers)
	}
}

// testSDK asks the same of the endpoint, with the keys and the region of the block.
func testSDK(t *testing.T, block []string) {
	values := strings.Fields(shell(t, append(block, `echo "$AWS_ENDPOINT_URL $AWS_REGION $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"`)))
	if len(values) != 4 {
		t.Fatalf("the block sets %q", values)
	}
	cfg := aws.Config{BaseEndpoint: &values[0], Region: values[1], Credentials: credentials.NewStaticCredentialsProvider(values[2], values[3], "")}
	health, err := elb.NewFromConfig(cfg).DescribeInstanceHealth(t.Context(),
		&elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String(playground.ProductionClassic)})
	if err != nil || len(health.InstanceStates) != 3 || aws.ToString(health.InstanceStates[0].State) != "InService" {
		t.Errorf("describe-instance-health: %v %+v", err, health)
	}
	servers, err := ec2.NewFromConfig(cfg).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	if err != nil || len(servers.Reservations) != 2 {
		t.Errorf("describe-instances: %v %+v", err, servers)
	}
}

// kill -9 gives no time to put anything away.
func TestKilled(t *testing.T) {
	c := start(t, "up")
	c.await(ready)
	ports := address.FindAllString(c.text(), -1)
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.status()
	eventually(t, "the guard ended all processes", func() bool { return len(c.processes()) == 0 })
	c.leavesNothing(ports)
}

// kill -9 while the manager starts: it has no lease yet that it could lose.
func TestKilledWhileTheManagerStarts(t *testing.T) {
	manager := filepath.Join(t.TempDir(), "manager")
	if err := os.WriteFile(manager, []byte("#!/bin/sh\ntrap '' HUP INT TERM\nwhile :; do sleep 1; done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := start(t, "up", "--manager", manager)
	c.await("starting the manager")
	runs := func() bool {
		return slices.ContainsFunc(c.processes(), func(p process) bool { return strings.Contains(p.command, "--kubeconfig="+c.temp) })
	}
	eventually(t, "the manager runs", runs)
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.status()
	eventually(t, "the guard ended all processes", func() bool { return len(c.processes()) == 0 })
	c.leavesNothing(address.FindAllString(c.text(), -1))
}

func TestManagerDies(t *testing.T) {
	c := start(t, "up")
	c.await(ready)
	for _, p := range c.processes() {
		if strings.Contains(p.command, "--kubeconfig="+c.temp) {
			if err := syscall.Kill(p.id, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	if status := c.status(); status != cli.ExitFailed || !strings.Contains(c.text(), "the manager ended by itself: signal: killed") {
		t.Errorf("status %d:\n%s", status, c.text())
	}
	c.leavesNothing(address.FindAllString(c.text(), -1))
}

// Ctrl-C at any time: while things start, while servers boot, during a promotion, under traffic.
func TestDemoIsInterrupted(t *testing.T) {
	for _, moment := range []string{"starting kube-apiserver", "starting the manager", "RunInstances", "stage Promoting", "from now on"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			report := filepath.Join(t.TempDir(), "demo.json")
			if err := os.WriteFile(report, []byte(`{"ok":true}`), 0o600); err != nil {
				t.Fatal(err)
			}
			c := start(t, "demo", "--report", report)
			c.await(moment)
			c.interrupt()
			if status := c.status(); status != exitInterrupted || !strings.Contains(c.text(), "interrupt signal received") {
				t.Errorf("status %d:\n%s", status, c.text())
			}
			c.leavesNothing(address.FindAllString(c.text(), -1))
			if _, err := os.Stat(report); !os.IsNotExist(err) {
				t.Errorf("there is a report of a demo that did not end: %v", err)
			}
		})
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"the manager":        {[]string{"local", "up", "--manager", "/nowhere/manager", "--config", "../../config"}, "make build"},
		"the definitions":    {[]string{"local", "up", "--manager", os.Args[0], "--config", "/nowhere/config"}, "--config says where"},
		"an unknown flag":    {[]string{"local", "up", "--port", "80"}, "--port"},
		"an unknown command": {[]string{"local", "down"}, "down"},
		"a word left over":   {[]string{"local", "demo", "now"}, "now"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newRoot()
			root.SetArgs(test.args)
			if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q: error %v, want one with %q", test.args, err, test.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	var out strings.Builder
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs([]string{"version", "--client"})
	if err := root.ExecuteContext(t.Context()); err != nil || strings.TrimSpace(out.String()) == "" || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("version: %v, %q", err, out.String())
	}
}

func TestQuote(t *testing.T) {
	for _, text := range []string{"/home/ann/slipway", "/home/ann o'neil/$HOME `x` \"y\"", "", "a;b", "~/x"} {
		out, err := exec.Command("bash", "-c", "printf %s "+quote(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("bash reads %s as %q (%v), want %q", quote(text), out, err, text)
		}
	}
	if got := quote("/home/ann/slipway"); got != "/home/ann/slipway" {
		t.Errorf("%s: a plain path needs no quotes", got)
	}
}
