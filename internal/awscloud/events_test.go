package awscloud_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
)

const events = "slipway-events"

// hearer is a process of its own that watches, with a class that names a queue.
type hearer struct {
	*world
	*watched
	opener *awscloud.Opener
	end    context.CancelFunc

	mu   sync.Mutex
	said []string // what was said of queues: errors, or "well"
}

func (w *world) hearing() *hearer {
	w.t.Helper()
	ctx, end := context.WithCancel(w.t.Context())
	h := &hearer{world: w, watched: &watched{}, opener: w.opener(), end: end}
	h.opener.Watch(ctx, cloud.ServerWatch{Changed: h.tell, Heard: func(_ string, err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		says := "well"
		if err != nil {
			says = err.Error()
		}
		h.said = append(h.said, says)
	}})
	h.name(class(), events)
	return h
}

// name says that a class names a queue, as a pass does.
func (h *hearer) name(of cloud.Class, queue string) {
	h.t.Helper()
	account, err := h.opener.Open(of)
	h.must(err)
	h.Account = account
	account.Hear(of.Name, queue)
}

// another is a class of the same account whose calls are made otherwise.
func another() cloud.Class {
	of := class()
	of.Name, of.ExternalID = "another", "external"
	return of
}

// passes lets time go by in which a class is looked at once a minute.
func (h *hearer) passes(minutes int, of cloud.Class, queue string) {
	h.t.Helper()
	for range minutes {
		h.name(of, queue)
		h.pass(time.Minute)
	}
}

// was gives what was said of queues, and forgets it.
func (h *hearer) was() (said []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	said, h.said = h.said, nil
	return said
}

// makeQueue makes a queue that gets the events of servers.
func (w *world) makeQueue(name string) (url *string) {
	w.t.Helper()
	made, err := sqs.NewFromConfig(w.config()).CreateQueue(w.t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(name)})
	w.must(err)
	w.must(w.SendEvents(name))
	return made.QueueUrl
}

// left are the messages of a queue that can be received now, or within half a minute.
func (w *world) left(url *string) int {
	w.t.Helper()
	w.pass(31 * time.Second)
	answer, err := sqs.NewFromConfig(w.config()).ReceiveMessage(w.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10})
	w.must(err)
	return len(answer.Messages)
}

// A server that dies is told of at once and once more, without a call to EC2; the messages are gone then. What is known already is not told.
func TestEventsTellOfServersThatChange(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		url := w.makeQueue(events)
		ids := w.running("token-1", 2)
		h := w.hearing()
		w.pass(time.Second) // takes what is in the queue already: of servers that nobody has seen yet
		h.servers()
		w.pass(time.Minute)
		w.must(w.PutMessage(events, `{"detail-type": "EC2 Instance State-change Notification", "detail": {"instance-id": "`+ids[0]+`", "state": "running"}}`))
		w.pass(time.Minute)
		if told := h.since(); len(told) > 0 {
			t.Errorf("nothing changed since the sweep, and it told of %v", idsOf(told))
		}
		reads := len(w.calls("DescribeInstances"))
		w.must(w.Kill(ids[1]))
		for _, after := range []time.Duration{time.Second, 11 * time.Second} {
			w.pass(after)
			told := h.since()
			if len(told) == 0 || slices.ContainsFunc(told, func(s cloud.Server) bool { return s.ID != ids[1] || s.Release != "shop/web" }) {
				t.Errorf("%s ended, and after %s it told of %+v", ids[1], after, told)
			}
		}
		w.expectCalls("DescribeInstances", reads)
		h.end()
		if left := w.left(url); left > 0 {
			t.Errorf("%d messages are left that were told of", left)
		}
		if said := h.was(); !slices.Equal(said, []string{"well"}) {
			t.Errorf("said of the queue: %q", said)
		}
	})
}

// A queue that is not there is told once, and so is that it came; a class that names none any more ends it, and so does one that nobody
// looks at.
func TestQueueThatComesAndGoes(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		ids := w.running("token-1", 1)
		h := w.hearing()
		h.servers()
		h.passes(5, class(), events)
		if said := h.was(); len(said) != 1 || !strings.Contains(said[0], events+" of account "+home+" in "+region) || !strings.Contains(said[0], "spec.eventsQueue") {
			t.Errorf("no such queue, and it says %q", said)
		}
		if tried := len(w.calls("GetQueueUrl")); tried < 5 || tried > 12 {
			t.Errorf("asked for it %d times in five minutes", tried)
		}
		w.makeQueue(events)
		h.passes(2, class(), events)
		if said := h.was(); !slices.Equal(said, []string{"well"}) {
			t.Errorf("there is a queue now, and it says %q", said)
		}
		w.must(w.Kill(ids[0]))
		w.pass(time.Second)
		if told := h.since(); len(told) == 0 {
			t.Error("nobody was told of the server that ended")
		}
		h.name(class(), "")
		h.silent("no class names it")
		h.name(class(), events)
		w.pass(15 * time.Minute)
		h.silent("nobody looked at the class for a quarter of an hour")
		h.name(class(), events)
		h.end()
		h.silent("the watch is over")
	})
}

// silent fails if anything is received from now on.
func (h *hearer) silent(why string) {
	h.t.Helper()
	h.pass(time.Second)
	received := len(h.calls("ReceiveMessage"))
	h.pass(time.Minute)
	if more := len(h.calls("ReceiveMessage")) - received; more > 0 {
		h.t.Errorf("%s, and it is received from %d times a minute", why, more)
	}
}

// Whose credentials a queue is received from with goes by its class as it is now; and classes that differ hear each for itself, of servers
// that the other has seen.
func TestQueueOfSeveralClasses(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		w.makeQueue(events)
		ids := w.running("token-1", 1)
		h := w.hearing()
		h.passes(1, class(), events)
		h.servers()
		edited := another()
		edited.Name = class().Name
		h.passes(1, edited, events)
		w.expectCalls("GetQueueUrl", 2)
		h.since()
		w.must(w.Kill(ids[0]))
		w.pass(time.Second)
		if told := h.since(); len(told) == 0 {
			t.Error("a server that the class saw before it was edited ended, and nobody was told")
		}
		h.name(another(), events) // equal but for the name: the same ear
		h.passes(1, edited, "")
		w.expectCalls("GetQueueUrl", 2)
		if received := len(w.calls("ReceiveMessage")); received < 6 {
			t.Errorf("received %d times in three minutes", received)
		}
		h.name(another(), "")
		h.silent("neither class names it")
	})
}

// A queue of the same name in the account of the credentials is none of the class's, where that is another account.
func TestQueueOfAnotherAccount(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		w.makeQueue(events)
		h := w.hearing()
		elsewhere := class()
		elsewhere.AccountID = "210987654321"
		h.name(class(), "")
		h.was()
		h.passes(1, elsewhere, events)
		h.silent("the class is of another account")
		if said := h.was(); len(said) != 1 || !strings.Contains(said[0], "210987654321") {
			t.Errorf("said of the queue: %q", said)
		}
	})
}

// Credentials that may not receive are told; messages of somebody else are told once, stay where they are, and hold up no event.
func TestMessagesThatAreNoneOfOurs(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		url := w.makeQueue(events)
		allow := w.Deny("sqs:ReceiveMessage")
		h := w.hearing()
		h.passes(1, class(), events)
		if said := h.was(); len(said) != 1 || !strings.Contains(said[0], "sqs:ReceiveMessage") {
			t.Errorf("it may not receive, and says %q", said)
		}
		allow()
		h.passes(2, class(), events)
		if said := h.was(); !slices.Equal(said, []string{"well"}) {
			t.Errorf("it may receive, and says %q", said)
		}
		const strangers = 35
		for range strangers {
			w.must(w.PutMessage(events, `{"detail-type": "Object Created", "detail": {}}`))
		}
		ids := w.running("token-1", 1)
		h.servers()
		h.since()
		h.passes(3, class(), events)
		if said := h.was(); len(said) != 1 || !strings.Contains(said[0], "left there") {
			t.Errorf("some messages are none of ours, and it says %q", said)
		}
		w.must(w.Kill(ids[0]))
		w.pass(5 * time.Second)
		if told := h.since(); len(told) == 0 {
			t.Error("messages of others are in the queue, and the event behind them was not heard")
		}
		h.end()
		if left := w.left(url); left != 10 {
			t.Errorf("%d messages are left of %d that are none of ours, want as many as one call gives", left, strangers)
		}
	})
}

// Messages that cannot be deleted are passed on all the same, those that came with them too; it is told once, and that it is over once.
func TestMessagesThatCannotBeDeleted(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		url := w.makeQueue(events)
		ids := w.running("token-1", 3)
		allow, receive := w.Deny("sqs:DeleteMessage"), w.Deny("sqs:ReceiveMessage")
		h := w.hearing()
		h.servers()
		h.passes(1, class(), events)
		h.was()
		for _, id := range ids {
			w.must(w.Kill(id))
		}
		receive()
		h.since()
		w.awaitReceive()
		w.pass(2 * time.Second)
		told := idsOf(h.since())
		for _, id := range ids {
			if !slices.Contains(told, id) {
				t.Errorf("%s ended, and it told of %v", id, told)
			}
		}
		h.passes(5, class(), events)
		said := h.was()
		if len(said) == 2 && said[0] == "well" {
			said = said[1:] // that it may receive
		}
		if len(said) != 1 || !strings.Contains(said[0], "sqs:DeleteMessage") {
			t.Errorf("it may not delete, and says %q", said)
		}
		allow()
		h.passes(2, class(), events)
		if said := h.was(); !slices.Equal(said, []string{"well"}) {
			t.Errorf("it may delete, and says %q", said)
		}
		h.end()
		if left := w.left(url); left > 0 {
			t.Errorf("%d messages are left", left)
		}
	})
}

// awaitReceive lets time go by until a queue is received from once more.
func (w *world) awaitReceive() {
	w.t.Helper()
	for before := len(w.calls("ReceiveMessage")); len(w.calls("ReceiveMessage")) == before; w.pass(time.Second) {
	}
}

// Whatever goes wrong with a queue for two minutes, in any of its calls: it is heard again after that, and nothing worse comes of it than to
// hear of a server late.
func TestWhateverGoesWrongWithAQueue(t *testing.T) {
	for _, action := range []string{"GetQueueUrl", "ReceiveMessage", "DeleteMessage"} {
		for name, fault := range map[string]string{
			"throttled": "before=400:ThrottlingException", "fails": "before=500:InternalError", "unavailable": "before=503:ServiceUnavailable",
			"denied": "before=403:AccessDenied", "expired": "before=403:ExpiredToken", "slow": "delay=35s", "hangs": "hang",
			"loses its reply": "after=500:InternalError", "hangs after its effect": "hang-reply",
		} {
			t.Run(action+" "+name, func(t *testing.T) {
				inWorld(t, nil, func(_ context.Context, w *world) {
					w.makeQueue(events)
					ids := w.running("token-1", 2)
					wrong, err := w.InjectText("sqs:" + action + " " + fault)
					w.must(err)
					h := w.hearing()
					h.servers()
					h.passes(1, class(), events)
					w.must(w.Kill(ids[0]))
					h.passes(1, class(), events)
					tries := len(w.calls("GetQueueUrl")) + len(w.calls("ReceiveMessage")) + len(w.calls("DeleteMessage"))
					if tries > 100 {
						t.Errorf("%d calls in two minutes", tries)
					}
					wrong.Remove()
					h.passes(3, class(), events)
					h.servers()
					h.since()
					w.must(w.Kill(ids[1]))
					w.pass(2 * time.Second)
					if told := h.since(); !slices.ContainsFunc(told, func(s cloud.Server) bool { return s.ID == ids[1] }) {
						t.Errorf("nobody was told of %s, after: %q", ids[1], h.was())
					}
				})
			})
		}
	}
}
