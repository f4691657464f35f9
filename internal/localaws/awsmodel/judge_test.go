package awsmodel

import (
	"compress/gzip"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func toy(t *testing.T, name string) *Service {
	t.Helper()
	models, err := Open("testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	s, err := models.Service(name, "2020-01-01")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judged is what the model says of a body: "" if nothing is wrong.
func judged(s *Service, operation string, status int, body string) string {
	kind := "text/xml;charset=UTF-8"
	if s.protocol == protocolJSON {
		kind = "application/x-amz-json-1.1"
	}
	v := s.Judge(Answer{Operation: operation, Status: status, Body: []byte(body),
		Header: http.Header{"Content-Type": {kind}, "X-Amzn-Requestid": {"ID"}}})
	if v == nil {
		return ""
	}
	return v.Error()
}

// answers are bodies, and the beginning of what is wrong with each; empty where nothing is.
type answers map[string]struct {
	operation string
	status    int
	body      string
	want      string
}

func (table answers) run(t *testing.T, s *Service) {
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			got := judged(s, tc.operation, tc.status, tc.body)
			if tc.want == "" && got != "" || !strings.HasPrefix(got, tc.want) {
				t.Errorf("judged %q, want %q", got, tc.want)
			}
		})
	}
}

func ec2Answer(inner string) string {
	return `<DescribeThingsResponse xmlns="http://toy.amazonaws.com/doc/2020-01-01/"><requestId>ID</requestId>` + inner + `</DescribeThingsResponse>`
}

func ec2Thing(inner string) string {
	return ec2Answer("<thingSet><item><name>a</name>" + inner + "</item></thingSet>")
}

const inThings = "DescribeThings: DescribeThingsResponse/thingSet/"

func TestAnswersOfTheEC2Protocol(t *testing.T) {
	whole := `<colour>red</colour><on>true</on><count>-3</count><size>3000000000</size><share>0.5</share>` +
		`<made>2026-01-02T03:04:05.000Z</made><secret>YQ==</secret><parts><item><name>b</name></item></parts>`
	answers{
		"whole":                 {"DescribeThings", 200, ec2Thing(whole), ""},
		"no elements":           {"DescribeThings", 200, ec2Answer("<thingSet/>"), ""},
		"no output":             {"DropThing", 200, `<DropThingResponse xmlns="http://toy.amazonaws.com/doc/2020-01-01/"><requestId>ID</requestId><return>true</return></DropThingResponse>`, ""},
		"misspelt member":       {"DescribeThings", 200, ec2Thing("<color>red</color>"), inThings + "item/color: is not a member of Thing"},
		"deep misspelt member":  {"DescribeThings", 200, ec2Thing("<parts><item><name>b</name><on>true</on><off/></item></parts>"), inThings + "item/parts/item/off: "},
		"unknown enum value":    {"DescribeThings", 200, ec2Thing("<colour>green</colour>"), inThings + `item/colour: "green" is not a value of Colour`},
		"missing required":      {"DescribeThings", 200, ec2Answer("<thingSet><item><on>true</on></item></thingSet>"), inThings + "item/name: is missing"},
		"not a boolean":         {"DescribeThings", 200, ec2Thing("<on>yes</on>"), inThings + `item/on: "yes" is not a boolean`},
		"not an integer":        {"DescribeThings", 200, ec2Thing("<count>3000000000</count>"), inThings + `item/count: "3000000000" is not a integer`},
		"not a long":            {"DescribeThings", 200, ec2Thing("<size></size>"), inThings + "item/size: "},
		"not a number":          {"DescribeThings", 200, ec2Thing("<share>half</share>"), inThings + "item/share: "},
		"not a timestamp":       {"DescribeThings", 200, ec2Thing("<made>2026-01-02 03:04:05</made>"), inThings + "item/made: "},
		"not base64":            {"DescribeThings", 200, ec2Thing("<secret>*</secret>"), inThings + "item/secret: "},
		"elements in a scalar":  {"DescribeThings", 200, ec2Thing("<count><n>1</n></count>"), inThings + "item/count: has elements"},
		"member there twice":    {"DescribeThings", 200, ec2Thing("<on>true</on><on>true</on>"), inThings + "item/on: is there twice"},
		"wrong element name":    {"DescribeThings", 200, ec2Answer("<thingSet><member><name>a</name></member></thingSet>"), inThings + "member: the elements of ThingList are called item"},
		"text in a list":        {"DescribeThings", 200, ec2Answer("<thingSet>none</thingSet>"), "DescribeThings: DescribeThingsResponse/thingSet: has text"},
		"attributes":            {"DescribeThings", 200, ec2Answer(`<thingSet n="1"/>`), "DescribeThings: DescribeThingsResponse/thingSet: has attributes"},
		"another namespace":     {"DescribeThings", 200, `<DescribeThingsResponse xmlns="http://else/"><requestId>ID</requestId></DescribeThingsResponse>`, "DescribeThings: DescribeThingsResponse: the namespace"},
		"another request id":    {"DescribeThings", 200, strings.Replace(ec2Answer(""), ">ID<", ">other<", 1), "DescribeThings: DescribeThingsResponse/requestId: "},
		"no request id":         {"DescribeThings", 200, `<DescribeThingsResponse xmlns="http://toy.amazonaws.com/doc/2020-01-01/"/>`, "DescribeThings: DescribeThingsResponse: the first element"},
		"another root":          {"DescribeThings", 200, "<Things/>", "DescribeThings: Things: the root element is not DescribeThingsResponse"},
		"torn":                  {"DescribeThings", 200, "<DescribeThingsResponse>", "DescribeThings: : is not well-formed XML"},
		"unknown operation":     {"DanceThing", 200, ec2Answer(""), "DanceThing: : AWS's model has no such operation"},
		"another success":       {"DescribeThings", 202, ec2Answer(""), "DescribeThings: : the HTTP status is 202"},
		"any error code":        {"DescribeThings", 400, "<Response><Errors><Error><Code>Odd</Code><Message>m</Message></Error></Errors><RequestID>ID</RequestID></Response>", ""},
		"empty error code":      {"DescribeThings", 400, "<Response><Errors><Error><Code></Code><Message>m</Message></Error></Errors><RequestID>ID</RequestID></Response>", "DescribeThings: Response/Errors/Error/Code: is empty"},
		"error without message": {"DescribeThings", 400, "<Response><Errors><Error><Code>Odd</Code></Error></Errors><RequestID>ID</RequestID></Response>", "DescribeThings: Response/Errors: "},
		"another id in error":   {"DescribeThings", 400, "<Response><Errors><Error><Code>Odd</Code><Message>m</Message></Error></Errors><RequestID>x</RequestID></Response>", "DescribeThings: Response/RequestID: "},
		"query's error":         {"DescribeThings", 400, queryError("Sender", "Odd"), "DescribeThings: ErrorResponse: is not Response"},
	}.run(t, toy(t, "toyec2"))
}

func queryAnswer(inner string) string {
	return `<DescribeThingsResponse xmlns="http://toy.amazonaws.com/doc/2020-01-01/"><DescribeThingsResult>` + inner +
		`</DescribeThingsResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DescribeThingsResponse>`
}

func queryError(kind, code string) string {
	return `<ErrorResponse xmlns="http://toy.amazonaws.com/doc/2020-01-01/"><Error><Type>` + kind + `</Type><Code>` + code +
		`</Code><Message>m</Message></Error><RequestId>ID</RequestId></ErrorResponse>`
}

const inQuery = "DescribeThings: DescribeThingsResponse/DescribeThingsResult/"

func TestAnswersOfTheQueryProtocol(t *testing.T) {
	dropped := func(result string) string {
		return `<DropThingResponse xmlns="http://toy.amazonaws.com/doc/2020-01-01/">` + result +
			`<ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DropThingResponse>`
	}
	answers{
		"whole": {"DescribeThings", 200, queryAnswer("<Things><member><Name>a</Name><Colour>blue</Colour></member></Things>" +
			"<Flat>a</Flat><Flat>b</Flat><Counts><entry><key>a</key><value>1</value></entry></Counts>"), ""},
		"misspelt member":    {"DescribeThings", 200, queryAnswer("<Things><member><Name>a</Name><colour>blue</colour></member></Things>"), inQuery + "Things/member/colour: "},
		"wrong element name": {"DescribeThings", 200, queryAnswer("<Things><item/></Things>"), inQuery + "Things/item: the elements of ThingList are called member"},
		"wrong map entry":    {"DescribeThings", 200, queryAnswer("<Counts><entry><key>a</key></entry></Counts>"), inQuery + "Counts/entry: "},
		"wrong map value":    {"DescribeThings", 200, queryAnswer("<Counts><entry><key>a</key><value>b</value></entry></Counts>"), inQuery + "Counts/entry/value: "},
		"no wrapper":         {"DescribeThings", 200, strings.ReplaceAll(queryAnswer(""), "DescribeThingsResult", "Result"), "DescribeThings: DescribeThingsResponse: the first element is not DescribeThingsResult"},
		"no metadata":        {"DescribeThings", 200, strings.ReplaceAll(queryAnswer(""), "ResponseMetadata", "Metadata"), "DescribeThings: DescribeThingsResponse: ResponseMetadata"},
		"no output":          {"DropThing", 200, dropped(""), ""},
		"empty output":       {"DropThing", 200, dropped("<DropThingResult></DropThingResult>"), ""},
		"output of none":     {"DropThing", 200, dropped("<DropThingResult><Name>a</Name></DropThingResult>"), "DropThing: DropThingResponse/DropThingResult/Name: "},
		"declared error":     {"DescribeThings", 400, queryError("Sender", "ThingNotFound"), ""},
		"common error":       {"DescribeThings", 400, queryError("Sender", "ValidationError"), ""},
		"error of all":       {"Dance", 400, queryError("Sender", "InvalidAction"), ""},
		"undeclared error":   {"DescribeThings", 400, queryError("Sender", "ThingNotFoundException"), "DescribeThings: ErrorResponse/Error/Code: ThingNotFoundException is neither"},
		"wrong error status": {"DescribeThings", 400, queryError("Sender", "ThingBusy"), "DescribeThings: ErrorResponse/Error/Code: ThingBusy came with HTTP status 400, AWS's is 409"},
		"wrong common status": {"DescribeThings", 503, queryError("Receiver", "Throttling"),
			"DescribeThings: ErrorResponse/Error/Code: Throttling came with HTTP status 503, AWS's is 400"},
		"wrong blame":   {"DescribeThings", 503, queryError("Sender", "ServiceUnavailable"), "DescribeThings: ErrorResponse/Error/Type: "},
		"EC2's error":   {"DescribeThings", 400, "<Response/>", "DescribeThings: Response: is not ErrorResponse"},
		"bare error":    {"DescribeThings", 400, "bad gateway", "DescribeThings: : has 0 root elements"},
		"element extra": {"DescribeThings", 400, strings.Replace(queryError("Sender", "ThingNotFound"), "<Message>", "<Detail/><Message>", 1), "DescribeThings: ErrorResponse/Error: "},
	}.run(t, toy(t, "toyquery"))
}

func TestAnswersOfTheJSONProtocol(t *testing.T) {
	thing := func(inner string) string { return `{"Thing":{"Name":"a"` + inner + `}}` }
	const inThing = "GetThing: GetThingResult/Thing/"
	answers{
		"whole":                     {"GetThing", 200, thing(`,"Colour":"red","On":true,"Count":3,"Size":3000000000,"Share":0.5,"Made":1.5e9,"Secret":"YQ==","Parts":[{"Name":"b"}]`), ""},
		"map":                       {"GetThing", 200, `{"Counts":{"red":1}}`, ""},
		"empty":                     {"GetThing", 200, `{}`, ""},
		"misspelt member":           {"GetThing", 200, thing(`,"colour":"red"`), inThing + "colour: is not a member of Thing"},
		"unknown enum value":        {"GetThing", 200, thing(`,"Colour":"green"`), inThing + "Colour: "},
		"unknown key":               {"GetThing", 200, `{"Counts":{"green":1}}`, "GetThing: GetThingResult/Counts/green: "},
		"missing required":          {"GetThing", 200, thing(`,"Parts":[{}]`), inThing + "Parts/0/Name: is missing"},
		"number as text":            {"GetThing", 200, thing(`,"Count":"3"`), inThing + "Count: is a text"},
		"text as number":            {"GetThing", 200, `{"Thing":{"Name":3}}`, inThing + "Name: is a number"},
		"integer too large":         {"GetThing", 200, thing(`,"Count":3000000000`), inThing + "Count: "},
		"timestamp as text":         {"GetThing", 200, thing(`,"Made":"2026-01-02T03:04:05Z"`), inThing + "Made: "},
		"boolean as text":           {"GetThing", 200, thing(`,"On":"true"`), inThing + "On: "},
		"boolean for text":          {"GetThing", 200, `{"Thing":{"Name":true}}`, inThing + "Name: is a boolean"},
		"null":                      {"GetThing", 200, thing(`,"Colour":null`), inThing + "Colour: is null"},
		"object for a list":         {"GetThing", 200, thing(`,"Parts":{}`), inThing + "Parts: is an object"},
		"list for an object":        {"GetThing", 200, `{"Thing":[]}`, "GetThing: GetThingResult/Thing: is a list"},
		"no JSON":                   {"GetThing", 200, `<Thing/>`, "GetThing: : is not a JSON object"},
		"more than an object":       {"GetThing", 200, `{}{}`, "GetThing: : goes on"},
		"declared error":            {"GetThing", 400, `{"__type":"ThingNotFound","message":"m"}`, ""},
		"in the other case":         {"GetThing", 400, `{"__type":"ThingNotFound","Message":"m"}`, ""},
		"with its namespace":        {"GetThing", 400, `{"__type":"com.amazonaws.toy#ThingBusy","Message":"m"}`, ""},
		"common error":              {"GetThing", 400, `{"__type":"ValidationException","message":"m"}`, ""},
		"error of all":              {"Dance", 404, `{"__type":"UnknownOperationException","message":"m"}`, ""},
		"undeclared error":          {"GetThing", 400, `{"__type":"ThingLost","message":"m"}`, "GetThing: __type: ThingLost is neither"},
		"error without type":        {"GetThing", 400, `{"message":"m"}`, "GetThing: __type: is missing"},
		"member of no error":        {"GetThing", 400, `{"__type":"ThingNotFound","colour":"red"}`, "GetThing: colour: "},
		"member of no common error": {"GetThing", 400, `{"__type":"ValidationException","colour":"red"}`, "GetThing: colour: "},
		"wrong error status":        {"GetThing", 500, `{"__type":"ThingNotFound","message":"m"}`, "GetThing: __type: ThingNotFound came with HTTP status 500"},
	}.run(t, toy(t, "toyjson"))
}

// The toy of the query protocol as it would answer in JSON 1.0: its errors are called by their shapes.
func TestAnswersOfAServiceThatHasComeToSpeakJSON(t *testing.T) {
	models, err := Open("testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	s, err := models.JSONService("toyquery", "2020-01-01")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"Things":[{"Name":"a"}],"Flat":["b"]}`: "",
		`{"Thing":[]}`:                           "Thing",
		`{"__type":"com.amazonaws.toy#ThingNotFoundException","message":"m"}`: "",
		`{"__type":"ThingNotFound","message":"m"}`:                            "__type",
	} {
		status := 200
		if strings.Contains(body, "__type") {
			status = 400
		}
		v := s.Judge(Answer{Operation: "DescribeThings", Status: status, Body: []byte(body),
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {"ID"}}})
		if got := ""; v != nil || want != "" {
			if v != nil {
				got = v.Path
			}
			if want == "" || !strings.HasSuffix(got, want) {
				t.Errorf("%s: judged %v, want %q", body, v, want)
			}
		}
	}
}

func TestHeadersAreJudged(t *testing.T) {
	s := toy(t, "toyquery")
	for name, header := range map[string]http.Header{
		"Content-Type":     {"Content-Type": {"application/xml"}, "X-Amzn-Requestid": {"ID"}},
		"X-Amzn-Requestid": {"Content-Type": {"text/xml"}},
	} {
		v := s.Judge(Answer{Operation: "DescribeThings", Status: 200, Header: header, Body: []byte(queryAnswer(""))})
		if v == nil || v.Path != name {
			t.Errorf("without a good %s: %v", name, v)
		}
	}
}

func TestOfAMadeUpErrorOnlyTheEnvelopeIsJudged(t *testing.T) {
	s := toy(t, "toyquery")
	a := Answer{Operation: "DescribeThings", Status: 400, EnvelopeOnly: true, Body: []byte(queryError("Sender", "MadeUp")),
		Header: http.Header{"Content-Type": {"text/xml"}, "X-Amzn-Requestid": {"ID"}}}
	if v := s.Judge(a); v != nil {
		t.Errorf("judged %v", v)
	}
	a.Body = []byte(queryError("Receiver", "MadeUp"))
	if v := s.Judge(a); v == nil || v.Path != "ErrorResponse/Error/Type" {
		t.Errorf("judged %v", v)
	}
}

func TestAPackedModelIsRead(t *testing.T) {
	plain, err := os.ReadFile("testdata/models/toyec2/2020-01-01/service-2.json")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "toy/v1"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, "toy/v1/service-2.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	models, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := models.Service("toy", "v1"); err != nil || !s.Has("DescribeThings") {
		t.Errorf("read %v, %v", s, err)
	}
	if _, err := models.Service("toy", "v2"); err == nil {
		t.Error("a model that is not there was read")
	}
}

func TestWhatAWSHasAddedSinceIsKnown(t *testing.T) {
	raw := &rawModel{Shapes: map[string]*rawShape{
		"InstanceStatus": {Type: "structure", Members: map[string]rawRef{"InstanceId": {Shape: "String"}}},
		"String":         {Type: "string"}, "InstanceType": {Type: "string", Enum: []string{"t3.micro"}},
	}}
	if err := addNewer("ec2", raw); err != nil {
		t.Fatal(err)
	}
	got := raw.Shapes["InstanceStatus"].Members
	if got["AttachedEbsStatus"].LocationName != "attachedEbsStatus" || got["InstanceId"].Shape != "String" {
		t.Errorf("the members are %v", got)
	}
	if types := raw.Shapes["InstanceType"].Enum; !slices.Contains(types, "t3.micro") || !slices.Contains(types, "c7i.large") {
		t.Errorf("the instance types are %v", types)
	}
	raw.Metadata.Protocol = protocolEC2
	if _, err := compile(raw); err != nil {
		t.Error(err)
	}
}

func TestOpenNeedsAFolder(t *testing.T) {
	for _, folder := range []string{"testdata/none", "testdata/models/toyec2/2020-01-01/service-2.json"} {
		if _, err := Open(folder); err == nil {
			t.Errorf("%s was opened", folder)
		}
	}
}
