package localaws

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// send makes one request without an SDK and returns status, headers and body, with the request id replaced by ID.
func send(t *testing.T, c *Cloud, r *http.Request) (int, http.Header, string) {
	t.Helper()
	r = r.Clone(t.Context()) // a request of a table can be sent again
	if r.GetBody != nil {
		var err error
		if r.Body, err = r.GetBody(); err != nil {
			t.Fatal(err)
		}
	}
	response, err := c.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	id := response.Header.Get("x-amzn-RequestId")
	if id == "" {
		t.Error("the answer has no x-amzn-RequestId")
	}
	return response.StatusCode, response.Header, strings.ReplaceAll(string(body), id, "ID")
}

func form(pairs ...string) *http.Request {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return post(v.Encode())
}

func post(body string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "http://localaws/", strings.NewReader(body)) // a constant URL is valid
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return r
}

func query(pairs ...string) *http.Request {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	r, _ := http.NewRequest(http.MethodGet, "http://localaws/?"+v.Encode(), nil)
	return r
}

func jsonCall(target, body string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "http://localaws/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	return r
}

const (
	ec2Version = "2016-11-15"
	stsVersion = "2011-06-15"
	xmlHead    = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
)

func ec2ErrorXML(code, message string) string {
	return xmlHead + "<Response><Errors><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error></Errors><RequestID>ID</RequestID></Response>"
}

func stsErrorXML(code, message string) string {
	return xmlHead + `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` + code +
		"</Code><Message>" + message + "</Message></Error><RequestId>ID</RequestId></ErrorResponse>"
}

// The exact bodies of answers: wrappers, namespaces, and where the request id goes, as recorded from AWS.
var wireFormats = map[string]struct {
	request *http.Request
	status  int
	body    string
}{
	"ec2 answer": {form("Action", "DescribeKeyPairs", "Version", ec2Version, "KeyName.1", "none"), 400,
		ec2ErrorXML("InvalidKeyPair.NotFound", "The key pair &#39;none&#39; does not exist")},
	"ec2 empty list": {form("Action", "DescribeInstances", "Version", ec2Version), 200,
		xmlHead + `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId>` +
			`<reservationSet></reservationSet></DescribeInstancesResponse>`},
	"ec2 by GET": {query("Action", "DescribeInstances", "Version", ec2Version, "AWSAccessKeyId", "A", "Signature", "s",
		"SignatureMethod", "HmacSHA256", "SignatureVersion", "2", "Timestamp", "2026-11-22T09:00:00Z"), 200,
		xmlHead + `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId>` +
			`<reservationSet></reservationSet></DescribeInstancesResponse>`},
	"ec2 return": {form("Action", "CreateTags", "Version", ec2Version, "ResourceId.1", "subnet-0a11ce000000000a1", "Tag.1.Key", "k", "Tag.1.Value", "v"), 200,
		xmlHead + `<CreateTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId><return>true</return></CreateTagsResponse>`},
	"ec2 unknown action": {form("Action", "Dance", "Version", ec2Version), 400,
		ec2ErrorXML("InvalidAction", "The action Dance is not valid for this web service.")},
	"ec2 unknown parameter": {form("Action", "DescribeSubnets", "Version", ec2Version, "Colour", "blue"), 400,
		ec2ErrorXML("UnknownParameter", "The parameter Colour is not recognized")},
	"ec2 parameter twice": {form("Action", "DescribeInstances", "Version", ec2Version, "InstanceId.1", "i-a", "InstanceId.1", "i-b"), 400,
		ec2ErrorXML("InvalidQueryParameter", "The parameter InstanceId.1 is given more than once")},
	"ec2 number beyond any list": {form("Action", "DescribeInstances", "Version", ec2Version, "Filter.99999999999999999999.Name", "state"), 400,
		ec2ErrorXML("UnknownParameter", "The parameter Filter.99999999999999999999.Name is not recognized")},
	"ec2 body beyond its bound": {post("Action=DescribeInstances&Version=" + ec2Version + "&Pad=" + strings.Repeat("x", maxBody)), 400,
		ec2ErrorXML("MalformedQueryString", "The request cannot be read: the body has more than 4194304 bytes")},
	"ec2 unknown filter": {form("Action", "DescribeSubnets", "Version", ec2Version, "Filter.1.Name", "colour", "Filter.1.Value.1", "blue"), 400,
		ec2ErrorXML("InvalidParameterValue", "The filter &#39;colour&#39; is invalid")},
	"ec2 filter without values": {form("Action", "DescribeSubnets", "Version", ec2Version, "Filter.1.Name", "state"), 400,
		ec2ErrorXML("MissingParameter", "The request must contain the parameter Value of the filter &#39;state&#39;")},
	"ec2 missing parameter": {form("Action", "TerminateInstances", "Version", ec2Version), 400,
		ec2ErrorXML("MissingParameter", "The request must contain the parameter InstanceId")},
	"ec2 malformed number": {form("Action", "DescribeInstances", "Version", ec2Version, "MaxResults", "ten"), 400,
		ec2ErrorXML("InvalidParameterValue", "Value (ten) for parameter MaxResults is invalid. Expected: int.")},
	"unknown version": {form("Action", "DescribeInstances", "Version", "1999-01-01"), 400,
		ec2ErrorXML("NoSuchVersion", "The requested version (1999-01-01) is not one of those that are simulated")},
	"no action": {form("Version", ec2Version), 400, ec2ErrorXML("MissingAction", "The request must contain the parameter Action")},
	"query answer": {form("Action", "GetCallerIdentity", "Version", stsVersion), 200,
		xmlHead + `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>` +
			`<Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId><Account>123456789012</Account></GetCallerIdentityResult>` +
			`<ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetCallerIdentityResponse>`},
	"query unknown action": {form("Action", "Dance", "Version", stsVersion), 400,
		stsErrorXML("InvalidAction", "Could not find operation Dance for version 2011-06-15")},
	"query unknown parameter": {form("Action", "GetCallerIdentity", "Version", stsVersion, "Colour", "blue"), 400,
		stsErrorXML("ValidationError", "The parameter Colour is not recognized")},
	"json answer": {jsonCall("AmazonSSM.PutParameter", `{"Name":"/a","Value":"<1>","Type":"String","Overwrite":null}`), 200,
		`{"Tier":"Standard","Version":1}`},
	"json error": {jsonCall("AmazonSSM.GetParameter", `{"Name":"/none"}`), 400,
		`{"__type":"ParameterNotFound","message":"Parameter /none not found."}`},
	"json unknown member": {jsonCall("AmazonSSM.GetParameter", `{"Name":"/a","Colour":"blue"}`), 400,
		`{"__type":"ValidationException","message":"The parameter Colour is not recognized"}`},
	"json unknown action": {jsonCall("AmazonSSM.Dance", `{}`), 400,
		`{"__type":"UnknownOperationException","message":"The operation Dance is not known."}`},
	"json that is none": {jsonCall("AmazonSSM.GetParameter", `[`), 400,
		`{"__type":"SerializationException","message":"The request is not a JSON object: unexpected EOF"}`},
}

func TestWireFormats(t *testing.T) {
	for name, tc := range wireFormats {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			status, _, body := send(t, s.Cloud, tc.request)
			if status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			if diff := cmp.Diff(tc.body, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			for _, e := range s.Ledger() {
				if c := e.Call; c != nil && c.Mutates && c.Status == 0 && len(c.Effects) == 0 {
					t.Errorf("it says that it succeeded and did nothing: %s", e)
				}
			}
		})
	}
}

func TestAnswersCarryTheWorldsDate(t *testing.T) {
	_, header, _ := send(t, newSim(t).Cloud, form("Action", "DescribeInstances", "Version", ec2Version))
	if got := header.Get("Date"); got != "Sun, 22 Nov 2026 09:00:00 GMT" {
		t.Errorf("Date is %q", got)
	}
	if got := header.Get("Content-Type"); got != "text/xml;charset=UTF-8" {
		t.Errorf("Content-Type is %q", got)
	}
}

func TestListsAreReadInTheOrderOfTheirNumbers(t *testing.T) {
	p := parseParams(url.Values{"X.10": {"c"}, "X.2": {"b"}, "X.1": {"a"}, "Y.member.2.Id": {"2"}, "Y.member.1.Id": {"1"}, "Z": {""}})
	if diff := cmp.Diff([]string{"a", "b", "c"}, p.list("X")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"1", "2"}, p.members("Y", "Id")); diff != "" {
		t.Error(diff)
	}
	if got := p.list("Z"); got != nil {
		t.Errorf("an empty list is %v", got)
	}
}
