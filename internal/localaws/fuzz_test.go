package localaws

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The targets of `make fuzz`. Their corpora are in testdata/fuzz, which go test replays; with LOCALAWS_MODELS every answer is judged too.

// fuzzCloud has one of everything that a request can be about.
func fuzzCloud(t *testing.T) *Cloud {
	c := New(Options{Clock: NewVirtualClock(testStart), Seed: 1})
	t.Cleanup(c.Close)
	site := c.DefaultWorld()
	for _, body := range []string{
		"Action=RunInstances&Version=2016-11-15&MinCount=2&MaxCount=2&ClientToken=t&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=app" +
			"&TagSpecification.1.Tag.1.Value=web&InstanceType=t3.micro&ImageId=" + site.V1 + "&SubnetId=" + site.Subnets[0],
		"Action=CreateLoadBalancer&Version=2012-06-01&LoadBalancerName=web&Subnets.member.1=" + site.Subnets[0] +
			"&Listeners.member.1.Protocol=HTTP&Listeners.member.1.LoadBalancerPort=80&Listeners.member.1.InstancePort=80",
		"Action=CreateTargetGroup&Version=2015-12-01&Name=web&Protocol=HTTP&Port=80&VpcId=" + site.VPC,
		"Action=CreateLoadBalancer&Version=2015-12-01&Name=web&Subnets.member.1=" + site.Subnets[0] + "&Subnets.member.2=" + site.Subnets[1],
	} {
		if status, answer := fuzzSend(t, c, post(body)); status != http.StatusOK {
			t.Fatalf("%s: %s", body, answer)
		}
	}
	fuzzSend(t, c, jsonCall("AmazonSSM.PutParameter", `{"Name":"/a/b","Value":"v","Type":"String"}`))
	fuzzSend(t, c, jsonCall("AmazonSSM.LabelParameterVersion", `{"Name":"/a/b","Labels":["live"]}`))
	return c
}

// fuzzSend makes a request that must be answered or refused: never an error of the server's own, never nothing.
func fuzzSend(t *testing.T, c *Cloud, r *http.Request) (status int, body string) {
	t.Helper()
	response, err := c.Transport().RoundTrip(r.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK && response.StatusCode/100 != 4 {
		t.Errorf("status %d: %s", response.StatusCode, text)
	}
	return response.StatusCode, string(text)
}

func FuzzDecode(f *testing.F) {
	f.Add("POST", "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=x", "", "", "")
	f.Add("POST", "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&TagSpecification.1.Tag.1.Key=a&UserData=%20", "", "", "")
	f.Add("POST", "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=2&ImageId=ami-0a11ce00000000001&InstanceType=t3.micro&ClientToken=t", "", "", "")
	f.Add("POST", `{"Name":"/a","Value":"v","Type":"String"}`, "", "", "AmazonSSM.PutParameter")
	f.Add("GET", "", "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-1", "AWS4-HMAC-SHA256 Credential=a/b/us--east-/d", "")
	f.Add("POST", `{"Name":"a:b:c","Labels":[1,{"a":null}]}`, "", "AWS a:b", "AmazonSSM.GetParameter")
	f.Fuzz(func(t *testing.T, method, body, rawQuery, auth, target string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: "/", RawQuery: rawQuery}, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		r.Header.Set("Authorization", auth)
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		fuzzSend(t, fuzzCloud(t), r)
	})
}

// Each operation with parameters of its own table, in the order and with the values that the fuzzer likes.
func FuzzParameters(f *testing.F) {
	for i, s := range allServices() {
		for j := range Operations()[s.name] {
			f.Add(uint8(i), uint8(j), "1\x002\x00web\x00HTTP\x00true\x0080\x00forward")
		}
	}
	f.Fuzz(func(t *testing.T, which, operation uint8, values string) {
		services := allServices()
		s := services[int(which)%len(services)]
		names := Operations()[s.name]
		action := names[int(operation)%len(names)]
		params, given := s.operations[action].params, strings.Split(values, "\x00")
		form := url.Values{"Action": {action}, "Version": {s.version}}
		object := map[string]any{}
		for i, value := range given {
			if len(params) == 0 {
				break
			}
			name, _, _ := strings.Cut(strings.TrimSuffix(params[i%len(params)], "!"), ":")
			form.Set(strings.ReplaceAll(name+".", ".N.", ".1.")[:len(name)], value)
			object[strings.TrimSuffix(name, ".N")] = value
		}
		if s.protocol != awsJSON {
			fuzzSend(t, fuzzCloud(t), post(form.Encode()))
			return
		}
		body, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		fuzzSend(t, fuzzCloud(t), jsonCall(s.version+"."+action, string(body)))
	})
}

// Wildcards match as AWS describes them, which a regular expression says too.
func FuzzWildcards(f *testing.F) {
	f.Add("web-*", "web-1")
	f.Add(`a\*?**\`, `a*x\`)
	f.Add("?", "ä")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return // a request that is no UTF-8 is none of AWS's
		}
		var b strings.Builder
		escaped := false
		for _, r := range pattern {
			switch {
			case !escaped && r == '\\':
				escaped = true
				continue
			case !escaped && r == '*':
				b.WriteString("(?s:.*)")
			case !escaped && r == '?':
				b.WriteString("(?s:.)")
			default:
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
			escaped = false
		}
		if escaped { // a backslash at the end stands for itself
			b.WriteString(`\\`)
		}
		if want := regexp.MustCompile("^(?:" + b.String() + ")$").MatchString(text); matches(pattern, text) != want {
			t.Errorf("%q matches %q: %v", pattern, text, !want)
		}
	})
}

func FuzzFilters(f *testing.F) {
	f.Add("DescribeInstances", "tag:app", "w*")
	f.Add("DescribeImages", "name", `web\-?`)
	f.Add("DescribeInstanceStatus", "instance-state-code", "16")
	f.Add("DescribeSubnets", "available-ip-address-count", "x")
	f.Add("DescribeTags", "resource-type", "instance")
	f.Fuzz(func(t *testing.T, action, name, value string) {
		fuzzSend(t, fuzzCloud(t), form("Action", action, "Version", ec2Version, "Filter.1.Name", name, "Filter.1.Value.1", value, "Filter.1.Value.2", "x"))
	})
}

// A token that was not given out is refused, and one that was leads on.
func FuzzPaginationTokens(f *testing.F) {
	f.Add("", "i-0a11ce00000000001")
	f.Add("RGVzY3JpYmVUYWdzIGE=", "a b")
	f.Fuzz(func(t *testing.T, token, key string) {
		c := fuzzCloud(t)
		fuzzSend(t, c, form("Action", "DescribeTags", "Version", ec2Version, "MaxResults", "5", "NextToken", token))
		fuzzSend(t, c, form("Action", "DescribeLoadBalancers", "Version", "2012-06-01", "PageSize", "1", "Marker", token))
		fuzzSend(t, c, form("Action", "DescribeTargetGroups", "Version", "2015-12-01", "PageSize", "1", "Marker", token))
		q := &call{action: "DescribeTags"}
		q.params = parseParams(url.Values{"NextToken": {q.nextToken(key)}})
		if after, err := q.after(); err != nil || after != key {
			t.Errorf("the token of %q leads to %q, %v", key, after, err)
		}
	})
}

// ARNs and selectors of every service that takes one.
func FuzzSelectors(f *testing.F) {
	f.Add("/a/b:live")
	f.Add("arn:aws:ssm:us-east-1:123456789012:parameter/a/b:1")
	f.Add("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef")
	f.Add("arn:aws:iam::123456789012:role/path/name")
	f.Add("i-0a11ce00000000001")
	f.Fuzz(func(t *testing.T, name string) {
		c := fuzzCloud(t)
		body, err := json.Marshal(map[string]string{"Name": name})
		if err != nil {
			t.Fatal(err)
		}
		fuzzSend(t, c, jsonCall("AmazonSSM.GetParameter", string(body)))
		fuzzSend(t, c, form("Action", "AssumeRole", "Version", stsVersion, "RoleArn", name, "RoleSessionName", "me"))
		fuzzSend(t, c, form("Action", "DescribeTags", "Version", "2015-12-01", "ResourceArns.member.1", name))
		fuzzSend(t, c, form("Action", "DescribeRules", "Version", "2015-12-01", "RuleArns.member.1", name))
		fuzzSend(t, c, form("Action", "TerminateInstances", "Version", ec2Version, "InstanceId.1", name))
		fuzzSend(t, c, form("Action", "CreateTags", "Version", ec2Version, "ResourceId.1", name, "Tag.1.Key", name, "Tag.1.Value", name))
	})
}

// Settings in user data are read, or refuse the launch; what was read makes sense.
func FuzzUserData(f *testing.F) {
	f.Add("version=v1", "#!/bin/sh\n#localaws boot=2s configure=5s status=204 sick-after=1m crash=1h\n")
	f.Add("", "#localaws boot=never fail=Server.InternalError")
	f.Add("status=99", "#localaws\t")
	f.Fuzz(func(t *testing.T, image, userData string) {
		s, err := parseAppSettings(image, userData)
		if err != nil {
			return
		}
		if s.status < 200 || s.status > 599 {
			t.Errorf("the status is %d", s.status)
		}
		for _, d := range []*time.Duration{s.boot, s.configure, s.sickAfter, s.crash} {
			if d != nil && *d < 0 {
				t.Errorf("a time is %s", d)
			}
		}
	})
}
