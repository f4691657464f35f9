package awsmodel

import (
	"net/http"
	"testing"
)

// Whatever a body is, the judge says what is wrong with it.
func FuzzJudge(f *testing.F) {
	f.Add(uint8(0), 200, ec2Thing("<colour>red</colour>"))
	f.Add(uint8(0), 400, "<Response><Errors><Error><Code>Odd</Code><Message>m</Message></Error></Errors><RequestID>ID</RequestID></Response>")
	f.Add(uint8(1), 200, queryAnswer("<Counts><entry><key>a</key><value>1</value></entry></Counts>"))
	f.Add(uint8(1), 400, queryError("Sender", "ThingNotFound"))
	f.Add(uint8(2), 200, `{"Counts":{"red":1},"Thing":{"Name":"a","Made":1.5}}`)
	f.Add(uint8(2), 400, `{"__type":"ThingNotFound","message":"m"}`)
	f.Fuzz(func(t *testing.T, which uint8, status int, body string) {
		toys := []struct{ service, operation, kind string }{
			{"toyec2", "DescribeThings", "text/xml"}, {"toyquery", "DescribeThings", "text/xml"}, {"toyjson", "GetThing", "application/x-amz-json-1.1"},
		}
		chosen := toys[int(which)%len(toys)]
		v := toy(t, chosen.service).Judge(Answer{Operation: chosen.operation, Status: status, Body: []byte(body),
			Header: http.Header{"Content-Type": {chosen.kind}, "X-Amzn-Requestid": {"ID"}}})
		if v != nil && (v.Problem == "" || v.Operation != chosen.operation) {
			t.Errorf("judged %+v", v)
		}
	})
}
