//go:build awscli

package awscli

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// stories are what the suite does, each on a local AWS of its own.
var stories = map[string]func(*shell){
	"servers":        servers,
	"images":         images,
	"tags":           tags,
	"network":        network,
	"volumes":        volumes,
	"paging":         paging,
	"ec2's lists":    pagingOf("ec2"),
	"alarms' list":   pagingOf("cloudwatch"),
	"elbv2's lists":  pagingOf("elbv2"),
	"dry runs":       dryRuns,
	"errors":         refusals,
	"classic":        classic,
	"classic zones":  classicZones,
	"load balancers": loadBalancers,
	"target groups":  targetGroups,
	"rules":          rules,
	"templates":      templates,
	"fleets":         fleets,
	"alarms":         alarms,
	"queues":         queues,
	"parameters":     parameters,
	"identity":       identity,
}

func TestCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Fatal("the aws command line is missing: apt-get install -y awscli")
	}
	data := dataPath(t)
	var driven sync.Map
	all := t.Run("stories", func(t *testing.T) {
		for name, story := range stories {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newShell(t, data)
				story(s)
				for _, e := range s.cloud.Ledger() {
					if e.Call != nil && e.Call.Status == 0 {
						driven.Store(e.Call.Service+" "+e.Call.Action, true)
					}
				}
				for _, e := range localaws.Unread(s.cloud.Ledger()) {
					t.Errorf("no command reads the world after the last write to %s: %s", e.Call.Service, e)
				}
			})
		}
	})
	if !all || flag.Lookup("test.run").Value.String() != "" {
		return // what failed drove less, and so do some of the stories
	}
	for service, names := range localaws.Operations() {
		for _, name := range names {
			if _, ok := driven.Load(service + " " + name); !ok {
				t.Errorf("no command drives %s %s", service, name)
			}
		}
	}
}

// dataPath is a folder whose files the command line prefers to its own: the definitions of the wait commands, which poll every 15 s, with
// 0.2 s instead. What they ask and what they wait for stays as AWS wrote it.
func dataPath(t *testing.T) (folder string) {
	t.Helper()
	models := os.Getenv("LOCALAWS_MODELS")
	if models == "" {
		t.Fatal("LOCALAWS_MODELS does not name the folder of AWS's models that hack/aws-models.sh finds")
	}
	folder = t.TempDir()
	for _, service := range []string{"ec2/2016-11-15", "elb/2012-06-01", "elbv2/2015-12-01", "cloudwatch/2010-08-01"} {
		changed(t, models, folder, service+"/waiters-2.json", func(file map[string]any) {
			for _, waiter := range file["waiters"].(map[string]any) {
				waiter.(map[string]any)["delay"] = 0.2
			}
		})
	}
	return folder
}

// changed copies a JSON file, packed or not, with a change.
func changed(t *testing.T, from, to, name string, change func(map[string]any)) {
	t.Helper()
	var in io.Reader
	text, err := os.ReadFile(filepath.Join(from, name))
	if in = bytes.NewReader(text); errors.Is(err, fs.ErrNotExist) {
		if text, err = os.ReadFile(filepath.Join(from, name+".gz")); err == nil {
			in, err = gzip.NewReader(bytes.NewReader(text))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.NewDecoder(in).Decode(&file); err != nil {
		t.Fatal(err)
	}
	change(file)
	if text, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(to, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shell runs aws commands against a local AWS of its own, whose clock runs a hundred times as fast as the wall's.
type shell struct {
	t        *testing.T
	cloud    *localaws.Cloud
	clock    *localaws.VirtualClock
	site     localaws.Site
	endpoint string
	env      []string
}

const (
	account = "123456789012"
	region  = "us-east-1"
)

func newShell(t *testing.T, data string) *shell {
	t.Helper()
	clock := localaws.NewVirtualClock(time.Now())
	s := &shell{t: t, clock: clock, cloud: localaws.New(localaws.Options{Clock: clock, Seed: 1})}
	t.Cleanup(s.cloud.Close)
	s.site = s.cloud.DefaultWorld()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.endpoint = "http://" + l.Addr().String()
	s.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_DEFAULT_REGION=" + region, "AWS_DEFAULT_OUTPUT=text", "AWS_DATA_PATH=" + data, "AWS_PAGER=",
		"AWS_EC2_METADATA_DISABLED=true"}

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.cloud.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	running.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				clock.Advance(500 * time.Millisecond)
			}
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

// run runs one command. Its words are separated by spaces, so none of them contains one.
func (s *shell) run(format string, args ...any) (stdout, stderr string, code int) {
	s.t.Helper()
	words := append([]string{"--endpoint-url", s.endpoint}, strings.Fields(fmt.Sprintf(format, args...))...)
	cmd := exec.CommandContext(s.t.Context(), "aws", words...)
	var out, bad bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &bad
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("aws %s: %v", strings.Join(words, " "), err)
	}
	return strings.TrimSpace(out.String()), strings.TrimSpace(bad.String()), cmd.ProcessState.ExitCode()
}

// text is what a command prints that has to succeed; lists are separated by spaces.
func (s *shell) text(format string, args ...any) string {
	s.t.Helper()
	out, bad, code := s.run(format, args...)
	if code != 0 {
		s.t.Fatalf("aws %s: exit code %d: %s", fmt.Sprintf(format, args...), code, bad)
	}
	return strings.Join(strings.Fields(out), " ")
}

// want runs a command that has to succeed and to print this.
func (s *shell) want(want, format string, args ...any) {
	s.t.Helper()
	if got := s.text(format, args...); got != want {
		s.t.Errorf("aws %s: printed %q, want %q", fmt.Sprintf(format, args...), got, want)
	}
}

// fails runs a command that AWS has to refuse: the exit code, and the text as the command line prints it.
func (s *shell) fails(code, operation, message, format string, args ...any) {
	s.t.Helper()
	_, bad, exit := s.run(format, args...)
	want := fmt.Sprintf("An error occurred (%s) when calling the %s operation", code, operation)
	// 254 is version 2's and today's version 1's, 255 that of older ones.
	if exit != 254 && exit != 255 || !strings.Contains(bad, want) || !strings.Contains(bad, message) {
		s.t.Errorf("aws %s: exit code %d and %q, want %q with %q", fmt.Sprintf(format, args...), exit, bad, want, message)
	}
}

// calls is how often an operation, or any if none is named, was called since the entry of that number.
func (s *shell) calls(since uint64, action string) int {
	entries := s.cloud.LedgerSince(since)
	return len(slices.DeleteFunc(entries, func(e localaws.Entry) bool { return e.Call == nil || action != "" && e.Call.Action != action }))
}

// now is the number of the last entry.
func (s *shell) now() uint64 {
	entries := s.cloud.Ledger()
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].Seq
}
