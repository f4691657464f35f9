package localaws

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

// queueSim is a world whose instances' events go to a queue.
type queueSim struct {
	*sim
	sqs *sqs.Client
	url *string
}

func newQueueSim(t *testing.T, tune ...func(*Knobs)) *queueSim {
	t.Helper()
	s := newSim(t, tune...)
	q := &queueSim{sim: s, sqs: sqs.NewFromConfig(s.config("AKIDTEST", "us-east-1"))}
	q.url = must(q.sqs.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: aws.String("events")})).QueueUrl
	succeed(t, s.SendEvents("events"))
	return q
}

func (s *queueSim) receive(change ...func(*sqs.ReceiveMessageInput)) []types.Message {
	s.t.Helper()
	in := &sqs.ReceiveMessageInput{QueueUrl: s.url, MaxNumberOfMessages: 10}
	for _, f := range change {
		f(in)
	}
	return must(s.sqs.ReceiveMessage(s.ctx, in)).Messages
}

// told are the states that events tell of, for one instance.
func told(messages []types.Message, id string) (out []string) {
	for _, m := range messages {
		var e stateEvent
		_ = json.Unmarshal([]byte(*m.Body), &e)
		if e.Detail.InstanceID == id {
			out = append(out, e.Detail.State)
		}
	}
	return out
}

func TestQueuesGetTheEventsOfInstances(t *testing.T) {
	s := newQueueSim(t)
	id := s.launch(1)[0]
	s.clock.Advance(time.Minute)
	if err := s.terminate(id); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute)
	messages := s.receive(func(in *sqs.ReceiveMessageInput) {
		in.MessageSystemAttributeNames = []types.MessageSystemAttributeName{"All"}
	})
	if diff := cmp.Diff([]string{"pending", "running", "shutting-down", "terminated"}, told(messages, id)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var body map[string]any
	succeed(t, json.Unmarshal([]byte(*messages[0].Body), &body))
	delete(body, "id")
	want := map[string]any{"version": "0", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "account": "123456789012",
		"time": "2026-11-22T09:00:00Z", "region": "us-east-1", "resources": []any{"arn:aws:ec2:us-east-1:123456789012:instance/" + id},
		"detail": map[string]any{"instance-id": id, "state": "pending"}}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("the body (-want +got):\n%s", diff)
	}
	if a := messages[0].Attributes; a["ApproximateReceiveCount"] != "1" || a["SentTimestamp"] != "1795338000000" {
		t.Errorf("attributes %v", a)
	}
}

// Both lists of names give an attribute that exists, and refuse one that does not.
func TestNamesOfMessageAttributes(t *testing.T) {
	s := newQueueSim(t)
	s.launch(1)
	lists := map[string]func(*sqs.ReceiveMessageInput, string){
		"old": func(in *sqs.ReceiveMessageInput, name string) {
			in.AttributeNames = []types.QueueAttributeName{types.QueueAttributeName(name)} //nolint:staticcheck // old clients ask so
		},
		"new": func(in *sqs.ReceiveMessageInput, name string) {
			in.MessageSystemAttributeNames = []types.MessageSystemAttributeName{types.MessageSystemAttributeName(name)}
		},
	}
	for which, ask := range lists {
		in := &sqs.ReceiveMessageInput{QueueUrl: s.url}
		ask(in, "Nonsense")
		_, err := s.sqs.ReceiveMessage(s.ctx, in)
		wantError(t, err, 400, "ValidationError", "1 validation error detected: Value 'Nonsense' is not an attribute of messages")
		for name, want := range map[string]int{"SenderId": 1, "SequenceNumber": 0, "All": 4} { // only FIFO queues number their messages
			got := s.receive(func(in *sqs.ReceiveMessageInput) { ask(in, name); in.MaxNumberOfMessages = 1 })
			if len(got) != 1 || len(got[0].Attributes) != want || want > 0 && got[0].Attributes["SenderId"] == "" {
				t.Errorf("%s, %s: %+v", which, name, got)
			}
			s.clock.Advance(31 * time.Second)
		}
	}
}

// A received message is hidden and comes again unless it is deleted.
func TestMessagesAreReceivedUntilTheyAreDeleted(t *testing.T) {
	s := newQueueSim(t)
	s.launch(2)
	first := s.receive()
	if len(first) != 2 || len(s.receive()) != 0 {
		t.Fatalf("received %d, and then some at once", len(first))
	}
	s.clock.Advance(31 * time.Second)
	again := s.receive()
	if n := len(told(again, "")); len(again) != 4 || n != 0 { // the instances are running by now
		t.Fatalf("after the visibility timeout there are %d", len(again))
	}
	entries := []types.DeleteMessageBatchRequestEntry{{Id: aws.String("bad"), ReceiptHandle: aws.String("x")}}
	for i, m := range again[:3] {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(string(rune('a' + i))), ReceiptHandle: m.ReceiptHandle})
	}
	out := must(s.sqs.DeleteMessageBatch(s.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: s.url, Entries: entries}))
	if len(out.Successful) != 3 || len(out.Failed) != 1 || *out.Failed[0].Code != "ReceiptHandleIsInvalid" || !out.Failed[0].SenderFault {
		t.Errorf("%+v", out)
	}
	must(s.sqs.DeleteMessage(s.ctx, &sqs.DeleteMessageInput{QueueUrl: s.url, ReceiptHandle: again[3].ReceiptHandle}))
	s.clock.Advance(time.Minute)
	if left := s.receive(); len(left) != 0 {
		t.Errorf("%d are left", len(left))
	}
}

// A long poll waits for a message, and for no longer than it says.
func TestLongPolls(t *testing.T) {
	s := newQueueSim(t)
	poll := func() chan []types.Message {
		got := make(chan []types.Message, 1)
		timers := s.clock.waiting()
		go func() { got <- s.receive(func(in *sqs.ReceiveMessageInput) { in.WaitTimeSeconds = 20 }) }()
		s.awaitTimers(timers + 1)
		return got
	}
	got := poll()
	s.clock.Advance(20 * time.Second)
	if messages := <-got; len(messages) != 0 {
		t.Errorf("an empty queue gave %d", len(messages))
	}
	got = poll()
	id := s.launch(1)[0]
	if messages := <-got; len(told(messages, id)) != 1 {
		t.Errorf("%d messages", len(messages))
	}
}

func TestEventsMayBeLostDoubledAndLate(t *testing.T) {
	for name, tc := range map[string]struct {
		knobs EventKnobs
		want  int
	}{"lost": {EventKnobs{Lost: 1}, 0}, "doubled": {EventKnobs{Doubled: 1}, 2}, "neither": {EventKnobs{}, 1}} {
		s := newQueueSim(t, func(k *Knobs) { k.Events = tc.knobs })
		id := s.launch(1)[0]
		if got := told(s.receive(), id); len(got) != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	s := newQueueSim(t, func(k *Knobs) { k.Events.Delay = Span{time.Second, 5 * time.Minute} })
	inOrder := 0
	for range 8 {
		ids := s.launch(5, withUserData("#localaws boot=1s"))
		if n := len(s.receive()); n != 0 {
			t.Fatalf("%d came at once", n)
		}
		s.clock.Advance(6 * time.Minute)
		messages := s.receive(func(in *sqs.ReceiveMessageInput) { in.VisibilityTimeout = 12 * 60 * 60 })
		for _, id := range ids {
			if slices.Equal(told(messages, id), []string{"pending", "running"}) {
				inOrder++
			}
		}
	}
	if inOrder == 0 || inOrder == 40 {
		t.Errorf("of 40 pairs of events %d came in order", inOrder)
	}
}

func TestQueuesThatAreRefused(t *testing.T) {
	s := newQueueSim(t)
	_, err := s.sqs.GetQueueUrl(s.ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("none")})
	wantError(t, err, 400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	if again := must(s.sqs.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: aws.String("events")})); *again.QueueUrl != *s.url {
		t.Errorf("equal settings made %s", *again.QueueUrl)
	}
	_, err = s.sqs.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: aws.String("events"), Attributes: map[string]string{"VisibilityTimeout": "9"}})
	wantError(t, err, 400, "QueueAlreadyExists", "")
	if out := must(s.sqs.GetQueueUrl(s.ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("events")})); *out.QueueUrl != *s.url {
		t.Errorf("the URL is %s, want %s", *out.QueueUrl, *s.url)
	}
	_, err = s.sqs.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{QueueUrl: s.url, MaxNumberOfMessages: 11})
	wantError(t, err, 400, "InvalidParameterValue", "")
	_, err = s.sqs.PurgeQueue(s.ctx, &sqs.PurgeQueueInput{QueueUrl: s.url})
	wantError(t, err, 400, "InvalidAction", "")
	if s.SendEvents("none") == nil {
		t.Error("a queue that does not exist gets events")
	}
}

// SQS spoke query before it spoke JSON, and older command lines still do.
func TestQueuesOverQuery(t *testing.T) {
	s := newQueueSim(t)
	id := s.launch(1)[0]
	ask := func(action string, more url.Values) (int, string) {
		form := url.Values{"Action": {action}, "Version": {"2012-11-05"}}
		maps.Copy(form, more)
		r, _ := http.NewRequestWithContext(s.ctx, http.MethodPost, *s.url, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := must(s.Transport().RoundTrip(r))
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode, string(must(io.ReadAll(answer.Body)))
	}
	status, body := ask("ReceiveMessage", url.Values{"QueueUrl": {*s.url}, "AttributeName.1": {"ApproximateReceiveCount"}})
	var got struct {
		Message struct {
			Body, ReceiptHandle string
			Attribute           struct{ Name, Value string }
		} `xml:"ReceiveMessageResult>Message"`
	}
	succeed(t, xml.Unmarshal([]byte(body), &got))
	if status != 200 || !strings.Contains(got.Message.Body, id) || got.Message.Attribute.Name != "ApproximateReceiveCount" || got.Message.Attribute.Value != "1" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := ask("DeleteMessageBatch", url.Values{"QueueUrl": {*s.url}, "DeleteMessageBatchRequestEntry.1.Id": {"a"},
		"DeleteMessageBatchRequestEntry.1.ReceiptHandle": {got.Message.ReceiptHandle}}); status != 200 ||
		!strings.Contains(body, "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>") {
		t.Errorf("%d %s", status, body)
	}
	s.clock.Advance(31 * time.Second)
	if got := told(s.receive(), id); slices.Contains(got, "pending") {
		t.Errorf("after the deletion: %v", got)
	}
	if status, body := ask("CreateQueue", url.Values{"QueueName": {"events"}, "Attribute.1.Name": {"VisibilityTimeout"}, "Attribute.1.Value": {"9"}}); status != 400 ||
		!strings.Contains(body, "<Code>QueueAlreadyExists</Code>") {
		t.Errorf("%d %s", status, body)
	}
}

func TestQueuesSpeakJSON10(t *testing.T) {
	s := newQueueSim(t)
	for body, want := range map[string]struct {
		status int
		answer string
	}{
		`{"QueueName":"events"}`: {200, `{"QueueUrl":"http://localaws/123456789012/events"}`},
		`{"QueueName":"none"}`:   {400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`},
	} {
		r := jsonCall("AmazonSQS.GetQueueUrl", body)
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		status, header, answer := send(t, s.Cloud, r)
		if status != want.status || answer != want.answer || header.Get("Content-Type") != "application/x-amz-json-1.0" {
			t.Errorf("%s: %d %s %s", body, status, header.Get("Content-Type"), answer)
		}
	}
}
