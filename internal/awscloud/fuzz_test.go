package awscloud_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

// foul answers some operations of AWS with anything; a local AWS answers the others.
type foul struct {
	next   http.RoundTripper
	only   string // the operation; empty for all
	status int
	body   []byte
	left   atomic.Int32 // so many answers, for one that always has another page
}

// RoundTrip implements http.RoundTripper.
func (f *foul) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action") + r.Header.Get("X-Amz-Target")
	if f.only != "" && !strings.HasSuffix(action, f.only) {
		return f.next.RoundTrip(r)
	}
	if f.left.Add(-1) < 0 {
		return nil, errors.New("enough")
	}
	header := http.Header{"Content-Type": {"text/xml"}}
	if r.Header.Get("X-Amz-Target") != "" {
		header.Set("Content-Type", r.Header.Get("Content-Type"))
	}
	return &http.Response{StatusCode: f.status, Header: header, Body: io.NopCloser(bytes.NewReader(f.body)), ContentLength: int64(len(f.body)), Request: r}, nil
}

var operations = []string{
	"", "DescribeInstances", "DescribeInstanceStatus", "DescribeImages", "RunInstances", "TerminateInstances", "CreateTags",
	"DescribeLoadBalancers", "DescribeLoadBalancerAttributes", "DescribeInstanceHealth", "RegisterInstancesWithLoadBalancer",
	"DeregisterInstancesFromLoadBalancer", "DescribeTargetGroups", "DescribeTargetGroupAttributes", "DescribeTargetHealth", "RegisterTargets",
	"DeregisterTargets", "GetParameter", "GetCallerIdentity",
}

// FuzzReplies: whatever AWS answers, our adapters come to an end, without falling; an answer that is none tells nothing of the world,
// and what they say of it is short.
func FuzzReplies(f *testing.F) {
	for n, body := range []string{
		`<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-11-22T10:00:00Z</launchTime><tagSet><item><key>slipway.dev/cluster</key><value>c</value></item></tagSet></item></instancesSet></item></reservationSet><nextToken>n</nextToken></DescribeInstancesResponse>`,
		`<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The instance ID 'i-1' does not exist</Message></Error></Errors><RequestID>r</RequestID></Response>`,
		`<ErrorResponse><Error><Type>Sender</Type><Code>InvalidInstance</Code><Message>Could not find EC2 instance i-1.</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
		`<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancerDescriptions><member><LoadBalancerName>prod</LoadBalancerName><Instances><member><InstanceId>i-1</InstanceId></member></Instances></member></LoadBalancerDescriptions></DescribeLoadBalancersResult></DescribeLoadBalancersResponse>`,
		`<DescribeInstanceHealthResponse><DescribeInstanceHealthResult><InstanceStates><member><InstanceId>i-1</InstanceId><State>InService</State><Description>N/A</Description></member></InstanceStates></DescribeInstanceHealthResult></DescribeInstanceHealthResponse>`,
		`<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>i-1</Id><Port>80</Port></Target><TargetHealth><State>healthy</State></TargetHealth></member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>`,
		`<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups><member><TargetGroupArn>arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef</TargetGroupArn><TargetType>instance</TargetType></member></TargetGroups></DescribeTargetGroupsResult></DescribeTargetGroupsResponse>`,
		`{"Parameter":{"Name":"/a","Type":"String","Value":" ami-1 \n"}}`, `{"__type":"ParameterNotFound","message":null}`, `{}`, `<`, ``,
	} {
		for _, status := range []int{200, 400, 503} {
			f.Add(uint8(n), status, []byte(body))
		}
	}
	local := localaws.New(localaws.Options{Account: home, Region: region})
	f.Cleanup(local.Close)
	f.Fuzz(func(t *testing.T, only uint8, status int, body []byte) {
		if status < 200 || status > 599 || len(body) > 1<<16 {
			return
		}
		answers := &foul{next: local.Transport(), only: operations[int(only)%len(operations)], status: status, body: body}
		answers.left.Store(60)
		account, err := awscloud.NewOpener(awscloud.Options{Share: 100000, MaxBackoff: time.Nanosecond, Config: aws.Config{
			Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""), HTTPClient: &http.Client{Transport: answers},
		}}).Open(class())
		if err != nil {
			t.Fatal(err)
		}
		before := cloud.Defects()
		for what, err := range everyVerb(t, account) {
			byName := what == "Resolve classic/"+region+"/prod" // it has its ID in its name
			noMember := strings.HasPrefix(what, "Deregister") && (bytes.Contains(body, []byte("InvalidInstance")) || bytes.Contains(body, []byte("InvalidTarget")))
			if answers.only == "" && status >= 300 && err == nil && !byName && !noMember {
				t.Errorf("%s: HTTP %d, and no error", what, status)
			}
			if err != nil && len(err.Error()) > len(body)+2000 {
				t.Errorf("%s: the error has %d bytes, the answer %d", what, len(err.Error()), len(body))
			}
		}
		if cloud.Defects() != before {
			t.Error("a reading panicked")
		}
	})
}

const groupARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"

// everyVerb uses an account in every way there is.
func everyVerb(t *testing.T, a *cloud.Account) map[string]error {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	errs := map[string]error{}
	_, errs["Servers"] = a.Compute.Servers(ctx, cloud.Query{Cluster: cluster})
	_, errs["AccountID"] = a.Identity.AccountID(ctx)
	for _, id := range []string{"classic/" + region + "/prod", groupARN} {
		pool := rollout.Pool{ID: id, Name: "edge", Use: rollout.UseProduction}
		read, err := a.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, []string{"i-1", "i-2"})
		errs["Read "+id] = err
		for _, m := range read.Members {
			if err == nil && m.State == "" {
				t.Errorf("%s is in no state", m.Server)
			}
		}
		_, errs["Resolve "+id] = a.Balancer.Resolve(ctx, cloud.PoolRef{ID: id}, time.Minute)
		errs["Register "+id] = a.Balancer.Register(ctx, pool, []string{"i-1"})
		errs["Deregister "+id] = a.Balancer.Deregister(ctx, pool, []string{"i-1"})
	}
	_, errs["Resolve by name"] = a.Balancer.Resolve(ctx, cloud.PoolRef{TargetGroupName: "web"}, time.Minute)
	for name, source := range map[string]cloud.ImageSource{
		"id": {ID: "ami-1"}, "parameter": {SSMParameter: "/a"}, "selector": {Selector: &cloud.ImageSelector{Owners: []string{"self"}}},
	} {
		image, err := a.Images.Image(ctx, source)
		if errs["Image by "+name] = err; err != nil && image != (cloud.Image{}) {
			t.Errorf("image by %s: an error, and %+v", name, image)
		}
	}
	_, errs["Launch"] = a.Compute.Launch(ctx, cloud.LaunchRequest{Token: "t", Count: 1, Image: "ami-1", Type: "m5.large", Subnet: "subnet-a"})
	errs["Tag"] = a.Compute.Tag(ctx, []string{"i-1"}, map[string]string{"a": "b"})
	errs["Terminate"] = a.Compute.Terminate(ctx, []string{"i-1"})
	return errs
}

// FuzzReferences: a pool that a person names is either one of this region, or an error names it; no call is made to find out.
func FuzzReferences(f *testing.F) {
	for _, text := range []string{groupARN, "classic/us-east-1/prod", "classic//", "arn:aws:elasticloadbalancing::1:targetgroup/", "arn:::::", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		account, err := awscloud.NewOpener(awscloud.Options{Share: 100000, MaxBackoff: time.Nanosecond, Config: aws.Config{
			Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
			HTTPClient: &http.Client{Transport: &foul{}},
		}}).Open(class())
		if err != nil {
			t.Fatal(err)
		}
		_, err = account.Balancer.Look(t.Context(), []string{text}).Read(t.Context(), rollout.Pool{ID: text}, nil)
		if err == nil {
			t.Fatalf("%q can be read from an AWS that answers nothing", text)
		}
		refused := cloud.KindOf(err) == cloud.Invalid
		classic := strings.HasPrefix(text, "classic/"+region+"/")
		group := strings.HasPrefix(text, "arn:") && strings.Count(text, ":") >= 5 && strings.Split(text, ":")[3] == region &&
			strings.HasPrefix(strings.SplitN(text, ":", 6)[5], "targetgroup/")
		if ours := classic || group; ours == refused && text != "classic/"+region {
			t.Errorf("%q of this region: %t, refused: %v", text, ours, err)
		}
		if refused && !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not named: %v", text, err)
		}
	})
}
