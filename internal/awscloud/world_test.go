package awscloud_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

const (
	home    = "123456789012"
	region  = "us-east-1"
	cluster = "5b8b0e0c-cluster"
)

// world is a local AWS and an account of ours in it, on the fake time of a synctest bubble: deadlines, pauses between
// retries, rate limits, health checks and draining all run on it, and cost nothing.
type world struct {
	*localaws.Cloud
	t    *testing.T
	site localaws.Site
	*cloud.Account
}

// inWorld runs a test in a world of its own, with AWS's own timings unless tune changes them.
func inWorld(t *testing.T, tune func(*localaws.Knobs), test func(ctx context.Context, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		knobs := localaws.DefaultKnobs()
		if tune != nil {
			tune(&knobs)
		}
		aws := localaws.New(localaws.Options{Account: home, Region: region, Knobs: knobs})
		defer func() {
			aws.Close()
			time.Sleep(5 * time.Minute) // for readings that go on after their askers left
		}()
		w := &world{Cloud: aws, t: t, site: aws.DefaultWorld()}
		w.Account = w.open(class())
		test(t.Context(), w)
	})
}

func class() cloud.Class {
	return cloud.Class{Name: "default", Region: region, AccountID: home, Cluster: cluster}
}

// config is what an unmodified SDK needs to talk to the local AWS.
func (w *world) config() aws.Config {
	return aws.Config{
		Region:      region,
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		HTTPClient:  &http.Client{Transport: w.Transport()},
	}
}

func (w *world) open(class cloud.Class) *cloud.Account {
	w.t.Helper()
	account, err := w.opener().Open(class)
	w.must(err)
	return account
}

// opener is what a new process would make.
func (w *world) opener() *awscloud.Opener {
	return awscloud.NewOpener(awscloud.Options{Config: w.config()})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// check is must for other goroutines than the test's own.
func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// calls are those of an operation that reached AWS, refused ones included.
func (w *world) calls(action string) []*localaws.CallEntry {
	var found []*localaws.CallEntry
	for _, entry := range w.Ledger() {
		if entry.Call != nil && entry.Call.Action == action {
			found = append(found, entry.Call)
		}
	}
	return found
}

func (w *world) expectCalls(action string, want int) {
	w.t.Helper()
	if got := len(w.calls(action)); got != want {
		w.t.Errorf("%d calls of %s reached AWS, want %d", got, action, want)
	}
}

// alive are the IDs of the servers that are pending or running, sorted.
func (w *world) alive() []string {
	var ids []string
	for _, server := range w.Instances() {
		if server.Alive {
			ids = append(ids, server.ID)
		}
	}
	return ids
}

func (w *world) expectAlive(want []string) {
	w.t.Helper()
	if got := w.alive(); !slices.Equal(got, want) {
		w.t.Errorf("alive are %v, want %v", got, want)
	}
}

// request is a launch that works, in the first subnet.
func (w *world) request(token string, count int) cloud.LaunchRequest {
	return cloud.LaunchRequest{
		Token: token, Count: count, Image: w.site.V1, Type: "m5.large", Subnet: w.site.Subnets[0],
		SecurityGroups: []string{w.site.SecurityGroup}, InstanceProfile: w.site.Profile, KeyName: w.site.KeyPair,
		UserData: []byte("#localaws configure=1s\n"), Metadata: cloud.Metadata{HTTPTokens: "required", HopLimit: 1},
		BlockDevices: []cloud.BlockDevice{{Device: "/dev/xvda", SizeGiB: 20, VolumeType: "gp3"}},
		Tags: map[string]string{cloud.TagRelease: "shop/web", cloud.TagOwner: "uid-1", cloud.TagRevision: "web-6d4f",
			cloud.TagVersion: "1.0", cloud.TagRole: "candidate", cloud.TagName: "web"},
	}
}

// launch starts servers that must start.
func (w *world) launch(request cloud.LaunchRequest) []string {
	w.t.Helper()
	ids, err := w.Compute.Launch(w.t.Context(), request)
	w.must(err)
	return ids
}

// running starts servers and waits until their application answers.
func (w *world) running(token string, count int) []string {
	w.t.Helper()
	ids := w.launch(w.request(token, count))
	w.pass(time.Minute)
	return ids
}

// servers are ours as a fresh reading shows them.
func (w *world) servers() []cloud.Server {
	w.t.Helper()
	servers, err := w.Compute.Servers(w.t.Context(), cloud.Query{Cluster: cluster})
	w.must(err)
	return servers
}

// expectError checks what a caller goes by, and that the message names the thing.
func (w *world) expectError(err error, kind cloud.Kind, reason, thing string) {
	w.t.Helper()
	expectError(w.t, err, kind, reason, thing)
}
