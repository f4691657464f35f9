package localaws

import (
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// wantRefused sends a request, and wants it to be refused with that code and text.
func wantRefused(t *testing.T, c *Cloud, r *http.Request, code, text string) {
	t.Helper()
	status, _, body := send(t, c, r)
	if status != 400 || !strings.Contains(body, code) || !strings.Contains(body, text) {
		t.Errorf("answered %d, want %s, %q: %s", status, code, text, body)
	}
}

// An element whose index cannot be read would be lost, and a call without its ids or filters answers with everything.
func TestAnIndexThatCannotBeReadIsRefused(t *testing.T) {
	c := newSim(t).Cloud
	for _, index := range []string{"99999999999999999999", "N"} {
		for name, r := range map[string]*http.Request{
			"InstanceId." + index:               form("Action", "DescribeInstances", "Version", ec2Version, "InstanceId."+index, "i-0a11ce00000000001"),
			"Filter." + index + ".Name":         form("Action", "DescribeInstances", "Version", ec2Version, "Filter."+index+".Name", "vpc-id"),
			"Filter.1.Value." + index:           form("Action", "DescribeInstances", "Version", ec2Version, "Filter.1.Name", "vpc-id", "Filter.1.Value."+index, "x"),
			"Tag." + index + ".Key":             form("Action", "CreateTags", "Version", ec2Version, "ResourceId.1", "i-0a11ce00000000001", "Tag."+index+".Key", "k"),
			"AlarmNames.member." + index:        form("Action", "DescribeAlarms", "Version", "2010-08-01", "AlarmNames.member."+index, "a"),
			"Names.member." + index:             form("Action", "DescribeLoadBalancers", "Version", v2Version, "Names.member."+index, "web"),
			"LoadBalancerNames.member." + index: form("Action", "DescribeLoadBalancers", "Version", classicVersion, "LoadBalancerNames.member."+index, "web"),
		} {
			wantRefused(t, c, r, "<Code>", "The parameter "+name+" is not recognized")
		}
	}
}

func cborCall(t *testing.T, action string, body map[string]any) *http.Request {
	t.Helper()
	raw, err := cborWriter.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := post(string(raw))
	r.URL.Path = cborService + "GraniteServiceVersion20100801/operation/" + action
	r.Header = http.Header{"Content-Type": {cborType}, smithyKey: {smithyRPC}}
	return r
}

// An unknown member is refused also where nothing is in it; a known one is absent then.
func TestUnknownMembersWithoutAValueAreRefused(t *testing.T) {
	c := newSim(t).Cloud
	for body, name := range map[string]string{
		`{"Name":"/a","Value":"1","Type":"String","Bogus":{}}`:                     "Bogus",
		`{"Name":"/a","Value":"1","Type":"String","Tags":[]}`:                      "Tags",
		`{"Name":"/a","Value":"1","Type":"String","Policies":null}`:                "Policies",
		`{"Name":"/a","Value":"1","Type":"String","Bogus":{"Deep":[{}]}}`:          "Bogus.Deep.1",
		`{"Name":"/a","Value":"1","Type":"String","Tags":[],"Bogus":{},"Zoo":"1"}`: "Bogus",
	} {
		wantRefused(t, c, jsonCall("AmazonSSM.PutParameter", body), "ValidationException", "The parameter "+name+" is not recognized")
	}
	for _, nothing := range []any{nil, []any{}, map[string]any{}} {
		wantRefused(t, c, cborCall(t, "DescribeAlarms", map[string]any{"Bogus": nothing}), "ValidationError", "The parameter Bogus is not recognized")
	}
	for _, r := range []*http.Request{
		jsonCall("AmazonSSM.PutParameter", `{"Name":"/a","Value":"1","Type":"String","DataType":null}`),
		jsonCall("AmazonSQS.CreateQueue", `{"QueueName":"q","Attributes":{}}`),
		cborCall(t, "DescribeAlarms", map[string]any{"AlarmNames": []any{}, "StateValue": nil}),
	} {
		if status, _, body := send(t, c, r); status != 200 {
			t.Errorf("a known member with nothing in it: %d, %s", status, body)
		}
	}
	for r, want := range map[*http.Request]string{
		jsonCall("AmazonSSM.GetParameter", `{"Name":"/a"}`):    `"Value":"1"`,
		jsonCall("AmazonSQS.GetQueueUrl", `{"QueueName":"q"}`): "/q",
	} {
		if _, _, body := send(t, c, r); !strings.Contains(body, want) {
			t.Errorf("what was made reads %s, want %s", body, want)
		}
	}
}

// Of two values for one name, the second would be lost.
func TestAParameterGivenTwiceIsRefused(t *testing.T) {
	c := newSim(t).Cloud
	split := form("Action", "DescribeKeyPairs", "Version", ec2Version, "KeyName.1", "none")
	split.URL.RawQuery = "KeyName.1=ops"
	const code, more = "InvalidQueryParameter", " is given more than once"
	wantRefused(t, c, split, code, "The parameter KeyName.1"+more)
	wantRefused(t, c, form("Action", "DescribeKeyPairs", "Version", ec2Version, "KeyName.1", "ops", "KeyName.1", "none"), code, "The parameter KeyName.1"+more)
	wantRefused(t, c, form("Action", "DescribeKeyPairs", "Version", ec2Version, "Action", "DescribeVpcs"), code, "The parameter Action"+more)
	queue := []string{"Action", "CreateQueue", "Version", "2012-11-05", "QueueName", "q", "Attribute.1.Name", "VisibilityTimeout", "Attribute.1.Value", "5"}
	wantRefused(t, c, form(append(queue, "Attribute.2.Name", "VisibilityTimeout", "Attribute.2.Value", "6")...), code, "Attributes.VisibilityTimeout"+more)
	wantRefused(t, c, form(append(queue, "Attribute.2.Name", "VisibilityTimeout")...), "ValidationError", "The parameter Attribute.2.Name is not recognized")
}

// A body that is cut off would be another request than the one that was sent.
func TestABodyThatIsTooLongIsRefused(t *testing.T) {
	c, pad := newSim(t).Cloud, strings.Repeat(" ", maxBody)
	cbor := cborCall(t, "DescribeAlarms", map[string]any{})
	cbor.Body, cbor.GetBody = io.NopCloser(strings.NewReader("\xa0"+pad)), nil
	wantRefused(t, c, post("Action=DescribeInstances&Version="+ec2Version+strings.Repeat("&", maxBody)), "MalformedQueryString", "more than 4194304 bytes")
	wantRefused(t, c, jsonCall("AmazonSSM.GetParameter", `{"Name":"/none"}`+pad), "SerializationException", "more than 4194304 bytes")
	wantRefused(t, c, jsonCall("AmazonSSM.GetParameter", `{"Name":"/none"}{"Bogus":1}`), "SerializationException", "more after its JSON object")
	wantRefused(t, c, cbor, "SerializationException", "more than 4194304 bytes")
}

// A marker that was not given out led to an empty page, as if there were nothing more.
func TestAMarkerThatWasNotGivenOutIsRefused(t *testing.T) {
	s := newBalancerSim(t)
	s.balancer("a", alb)
	s.balancer("b", alb)
	first := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{PageSize: aws.Int32(1)}))
	rest := must(s.v2.DescribeLoadBalancers(s.ctx, &elbv2.DescribeLoadBalancersInput{Marker: first.NextMarker}))
	if len(rest.LoadBalancers) != 1 || *rest.LoadBalancers[0].LoadBalancerName != "b" {
		t.Errorf("the second page is %+v", rest.LoadBalancers)
	}
	for _, marker := range []string{"bogus", "enp6eg==", base64.URLEncoding.EncodeToString([]byte("DescribeLoadBalancers zzz x"))} {
		for _, version := range []string{classicVersion, v2Version} {
			r := form("Action", "DescribeLoadBalancers", "Version", version, "Marker", marker)
			wantRefused(t, s.Cloud, r, "<Code>ValidationError</Code>", "Marker &#39;"+marker+"&#39; is not valid")
		}
	}
	wantRefused(t, s.Cloud, form("Action", "DescribeTargetGroups", "Version", v2Version, "Marker", *first.NextMarker), "ValidationError", "is not valid")
}

// A page goes on with the same question; with another one it would be empty, or begin in the middle.
func TestATokenOfOtherParametersIsRefused(t *testing.T) {
	s := newBalancerSim(t)
	for _, name := range []string{"a", "b", "c"} {
		s.group(name, "HTTP")
		s.classic(name)
	}
	s.launch(12)
	for _, tc := range []struct {
		name, size, version, token string
		others                     []string // parameters that the token was not given for
		code                       string
	}{
		{"DescribeTargetGroups", "PageSize", v2Version, "Marker", []string{"Names.member.1", "b"}, "ValidationError"},
		{"DescribeLoadBalancers", "PageSize", classicVersion, "Marker", []string{"LoadBalancerNames.member.1", "c"}, "ValidationError"},
		{"DescribeInstances", "MaxResults", ec2Version, "NextToken", []string{"Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "pending"}, "InvalidPaginationToken"},
		{"DescribeVolumes", "MaxResults", ec2Version, "NextToken", []string{"Filter.1.Name", "status", "Filter.1.Value.1", "in-use"}, "InvalidPaginationToken"},
	} {
		call := []string{"Action", tc.name, "Version", tc.version}
		size := map[string]string{"PageSize": "1", "MaxResults": "5"}[tc.size]
		first := tokenIn(send(t, s.Cloud, form(append(slices.Clone(call), tc.size, size)...)))
		if first == "" {
			t.Errorf("%s gave no token", tc.name)
		}
		next := append(slices.Clone(call), tc.token, first)
		wantRefused(t, s.Cloud, form(append(slices.Clone(next), tc.others...)...), "<Code>"+tc.code+"</Code>", "is not valid")
		if status, _, body := send(t, s.Cloud, form(append(slices.Clone(next), tc.size, "7")...)); status != 200 {
			t.Errorf("%s with another size of page: %d, %s", tc.name, status, body)
		}
		if status, _, body := send(t, s.Cloud, form(next...)); status != 200 {
			t.Errorf("%s goes on with %d, %s", tc.name, status, body)
		}
		filtered := append(append(slices.Clone(call), tc.others...), tc.token, first)
		wantRefused(t, s.Cloud, form(filtered...), "<Code>"+tc.code+"</Code>", "is not valid")
	}
	again := append([]string{"Action", "DescribeInstances", "Version", ec2Version, "MaxResults", "5"}, "Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "pending")
	if status, _, body := send(t, s.Cloud, form(append(slices.Clone(again), "NextToken", tokenIn(send(t, s.Cloud, form(again...))))...)); status != 200 {
		t.Errorf("a filtered list goes on with %d, %s", status, body)
	}
}

var givenToken = regexp.MustCompile(`<(?:NextMarker|nextToken)>(.*?)</`)

// tokenIn is the token for the next page in an answer; empty if there is none.
func tokenIn(_ int, _ http.Header, body string) string {
	found := givenToken.FindStringSubmatch(body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

func TestAnUnknownZoneIDIsRefused(t *testing.T) {
	c := newSim(t).Cloud
	wantRefused(t, c, form("Action", "DescribeAvailabilityZones", "Version", ec2Version, "ZoneId.1", "use1-az1", "ZoneId.2", "use1-az99"),
		"<Code>InvalidParameterValue</Code>", "Invalid availability zone-id: [use1-az99]")
}

func TestOtherMethodsAreRefused(t *testing.T) {
	c := newSim(t).Cloud
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodHead} {
		r := query("Action", "DescribeInstances", "Version", ec2Version)
		r.Method, r.URL.Path = method, "/anything"
		if status, _, body := send(t, c, r); status != 405 || !strings.Contains(body, "<Code>MethodNotAllowed</Code>") || !strings.Contains(body, method) {
			t.Errorf("%s: %d, %s", method, status, body)
		}
	}
}
