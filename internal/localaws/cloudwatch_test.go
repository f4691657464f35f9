package localaws

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func (s *sim) watch() *cloudwatch.Client {
	return cloudwatch.NewFromConfig(s.config("AKIDTEST", "us-east-1"))
}

func errorsAlarm(name string) *cloudwatch.PutMetricAlarmInput {
	return &cloudwatch.PutMetricAlarmInput{AlarmName: &name, AlarmDescription: aws.String("5xx"), Namespace: aws.String("AWS/ApplicationELB"),
		MetricName: aws.String("HTTPCode_Target_5XX_Count"), Statistic: "Sum", Period: aws.Int32(60), EvaluationPeriods: aws.Int32(3),
		DatapointsToAlarm: aws.Int32(2), Threshold: aws.Float64(2.5), ComparisonOperator: "GreaterThanThreshold", TreatMissingData: aws.String("notBreaching"),
		Dimensions: []types.Dimension{{Name: aws.String("LoadBalancer"), Value: aws.String("app/web/1")}}}
}

// The SDK speaks Smithy RPC v2 CBOR with CloudWatch.
func TestAlarms(t *testing.T) {
	s := newSim(t)
	watch := s.watch()
	must(watch.PutMetricAlarm(s.ctx, errorsAlarm("errors")))
	read := func() types.MetricAlarm {
		t.Helper()
		out := must(watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"errors", "none"}}))
		if len(out.MetricAlarms) != 1 {
			t.Fatalf("%d alarms; one that does not exist is absent", len(out.MetricAlarms))
		}
		return out.MetricAlarms[0]
	}
	a := read()
	if a.StateValue != "INSUFFICIENT_DATA" || *a.AlarmArn != "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors" || *a.Threshold != 2.5 ||
		*a.Period != 60 || *a.DatapointsToAlarm != 2 || *a.Dimensions[0].Value != "app/web/1" || !*a.ActionsEnabled || !a.StateUpdatedTimestamp.Equal(testStart) {
		t.Errorf("made %+v", a)
	}
	s.clock.Advance(1500 * time.Millisecond)
	must(watch.SetAlarmState(s.ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("errors"), StateValue: "ALARM", StateReason: aws.String("a test")}))
	if a := read(); a.StateValue != "ALARM" || *a.StateReason != "a test" || !a.StateTransitionedTimestamp.Equal(testStart.Add(1500*time.Millisecond)) {
		t.Errorf("set to ALARM %+v", a)
	}
	changed := errorsAlarm("errors")
	changed.Threshold = aws.Float64(10)
	changed.Dimensions = nil
	must(watch.PutMetricAlarm(s.ctx, changed))
	if a := read(); *a.Threshold != 10 || a.StateValue != "ALARM" {
		t.Errorf("other settings: %+v", a)
	}
	_, err := watch.DeleteAlarms(s.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"errors", "none"}})
	wantError(t, err, 404, "ResourceNotFound", "")
	read()
	must(watch.DeleteAlarms(s.ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"errors"}}))
	if out := must(watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{})); len(out.MetricAlarms) != 0 {
		t.Errorf("after the deletion %+v", out.MetricAlarms)
	}
}

func TestAlarmsAreFilteredAndPaged(t *testing.T) {
	s := newSim(t)
	watch := s.watch()
	for i := range 5 {
		must(watch.PutMetricAlarm(s.ctx, errorsAlarm(fmt.Sprintf("web-%d", i))))
	}
	must(watch.SetAlarmState(s.ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("web-3"), StateValue: "OK", StateReason: aws.String("x")}))
	pages, found := 0, 0
	for p := cloudwatch.NewDescribeAlarmsPaginator(watch, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("web-"), MaxRecords: aws.Int32(2)}); p.HasMorePages(); {
		out := must(p.NextPage(s.ctx))
		pages, found = pages+1, found+len(out.MetricAlarms)
	}
	if pages != 3 || found != 5 {
		t.Errorf("%d alarms on %d pages", found, pages)
	}
	for name, tc := range map[string]struct {
		in   cloudwatch.DescribeAlarmsInput
		want int
	}{
		"state":     {cloudwatch.DescribeAlarmsInput{StateValue: "OK"}, 1},
		"composite": {cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"CompositeAlarm"}}, 0},
		"metric":    {cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"CompositeAlarm", "MetricAlarm"}}, 5},
	} {
		if out := must(watch.DescribeAlarms(s.ctx, &tc.in)); len(out.MetricAlarms) != tc.want || len(out.CompositeAlarms) != 0 {
			t.Errorf("%s: %d alarms, want %d", name, len(out.MetricAlarms), tc.want)
		}
	}
	_, err := watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{NextToken: aws.String("x")})
	wantError(t, err, 400, "InvalidNextToken", "")
}

func TestAlarmsThatAreRefused(t *testing.T) {
	s := newSim(t)
	watch := s.watch()
	for name, tc := range map[string]struct {
		change func(*cloudwatch.PutMetricAlarmInput)
		code   string
	}{
		"actions":  {func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions = []string{"arn:aws:sns:x"} }, "ValidationError"},
		"metrics":  {func(in *cloudwatch.PutMetricAlarmInput) { in.MetricName = nil }, "MissingParameter"},
		"period":   {func(in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(61) }, "InvalidParameterValue"},
		"operator": {func(in *cloudwatch.PutMetricAlarmInput) { in.ComparisonOperator = "Above" }, "ValidationError"},
		"both":     {func(in *cloudwatch.PutMetricAlarmInput) { in.ExtendedStatistic = aws.String("p99") }, "InvalidParameterCombination"},
	} {
		in := errorsAlarm("x")
		tc.change(in)
		_, err := watch.PutMetricAlarm(s.ctx, in)
		wantErrorIn(t, name, err, tc.code)
	}
	_, err := watch.SetAlarmState(s.ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("x"), StateValue: "OK", StateReason: aws.String("x")})
	wantError(t, err, 404, "ResourceNotFound", "")
	_, err = watch.ListDashboards(s.ctx, &cloudwatch.ListDashboardsInput{})
	wantError(t, err, 400, "InvalidAction", "")
}

func wantErrorIn(t *testing.T, name string, err error, code string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: accepted", name)
		return
	}
	wantError(t, err, 400, code, "")
}

// The aws command line speaks query or JSON with the same API.
func TestAlarmsOverQueryAndJSON(t *testing.T) {
	s := newSim(t)
	must(s.watch().PutMetricAlarm(s.ctx, errorsAlarm("errors")))
	post := func(target, kind, body string) (int, string) {
		r, _ := http.NewRequestWithContext(s.ctx, http.MethodPost, "http://localaws/", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		answer := must(s.Transport().RoundTrip(r))
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode, string(must(io.ReadAll(answer.Body)))
	}
	form := url.Values{"Action": {"DescribeAlarms"}, "Version": {"2010-08-01"}, "AlarmNames.member.1": {"errors"}}
	for name, tc := range map[string]struct{ target, kind, body, want string }{
		"query": {"", "application/x-www-form-urlencoded", form.Encode(),
			"<StateUpdatedTimestamp>2026-11-22T09:00:00.000Z</StateUpdatedTimestamp>"},
		"json": {"GraniteServiceVersion20100801.DescribeAlarms", "application/x-amz-json-1.0", `{"AlarmNames":["errors"]}`,
			`"StateUpdatedTimestamp":1795338000`},
	} {
		status, body := post(tc.target, tc.kind, tc.body)
		if status != 200 || !strings.Contains(body, tc.want) || !strings.Contains(body, "HTTPCode_Target_5XX_Count") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, body := post("GraniteServiceVersion20100801.DeleteAlarms", "application/x-amz-json-1.0", `{"AlarmNames":["none"]}`); status != 404 ||
		!strings.Contains(body, `"__type":"com.amazonaws.cloudwatch#ResourceNotFound"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnAlarmNeedsNoDimensions(t *testing.T) {
	s := newSim(t)
	in := errorsAlarm("all")
	in.Dimensions = nil
	must(s.watch().PutMetricAlarm(s.ctx, in))
	out := must(s.watch().DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{}))
	if len(out.MetricAlarms) != 1 || len(out.MetricAlarms[0].Dimensions) != 0 {
		t.Errorf("read %+v", out.MetricAlarms)
	}
}

// Alarms of the log kind can be asked for, like composite ones; there are none of either here.
func TestAlarmTypes(t *testing.T) {
	s := newSim(t)
	watch := s.watch()
	must(watch.PutMetricAlarm(s.ctx, errorsAlarm("errors")))
	for _, tc := range []struct {
		types []types.AlarmType
		want  int
	}{{nil, 1}, {[]types.AlarmType{"MetricAlarm"}, 1}, {[]types.AlarmType{"CompositeAlarm"}, 0}, {[]types.AlarmType{"LogAlarm"}, 0},
		{[]types.AlarmType{"LogAlarm", "MetricAlarm"}, 1}} {
		if out := must(watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{AlarmTypes: tc.types})); len(out.MetricAlarms) != tc.want {
			t.Errorf("%v: %d metric alarms, want %d", tc.types, len(out.MetricAlarms), tc.want)
		}
	}
	_, err := watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"FireAlarm"}})
	wantError(t, err, 400, "ValidationError", "")
}

// The answers of Smithy RPC v2 name their protocol; refusals have the code for clients of the query protocol in a header.
func TestAlarmsOverCBOR(t *testing.T) {
	s := newSim(t)
	body := must(cborWriter.Marshal(map[string]any{"AlarmName": "none", "StateValue": "OK", "StateReason": "a test"}))
	r, _ := http.NewRequest(http.MethodPost, "http://localaws/service/GraniteServiceVersion20100801/operation/SetAlarmState", bytes.NewReader(body))
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	r.Header.Set("Content-Type", "application/cbor")
	status, header, answer := send(t, s.Cloud, r)
	if status != 404 || header.Get("Smithy-Protocol") != "rpc-v2-cbor" || header.Get("Content-Type") != "application/cbor" ||
		header.Get("X-Amzn-Query-Error") != "ResourceNotFound;Sender" {
		t.Errorf("%d %v", status, header)
	}
	var said map[string]string
	succeed(t, cborReader.Unmarshal([]byte(answer), &said))
	if want := (map[string]string{"__type": "com.amazonaws.cloudwatch#ResourceNotFound", "message": "Unknown alarm"}); !maps.Equal(said, want) {
		t.Errorf("the refusal says %v, want %v", said, want)
	}
}

func TestAlarmsComeInPagesOf100(t *testing.T) {
	s := newSim(t)
	watch := s.watch()
	names := make([]string, 101)
	for i := range names {
		names[i] = fmt.Sprintf("web-%03d", i)
		must(watch.PutMetricAlarm(s.ctx, errorsAlarm(names[i])))
	}
	first := must(watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{}))
	if n := len(first.MetricAlarms); n != 100 || first.NextToken == nil {
		t.Fatalf("the first page has %d", n)
	}
	if rest := must(watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{NextToken: first.NextToken})); len(rest.MetricAlarms) != 1 {
		t.Errorf("the second page has %d", len(rest.MetricAlarms))
	}
	_, err := watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{MaxRecords: aws.Int32(101)})
	wantError(t, err, 400, "ValidationError", "")
	_, err = watch.DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: names})
	wantError(t, err, 400, "ValidationError", "")
}
