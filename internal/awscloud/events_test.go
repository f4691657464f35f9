package awscloud_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
)

const (
	events = "slipway-events"
	// unheard is for how long at most a queue is heard that nobody names.
	unheard = 15 * time.Minute
)

// hearer is a process of its own that watches, with a class that names a queue.
type hearer struct {
	*world
	*watched
	opener *awscloud.Opener
	end    context.CancelFunc

	mu   sync.Mutex
	deaf []string // why it was deaf; "again" for when it was no more
}

func (w *world) hearing() *hearer {
	w.t.Helper()
	ctx, end := context.WithCancel(w.t.Context())
	h := &hearer{world: w, watched: &watched{}, opener: w.opener(), end: end}
	h.opener.Watch(ctx, cloud.ServerWatch{Changed: h.tell, Deaf: func(queue string, err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		says := queue + ": again"
		if err != nil {
			says = queue + ": " + err.Error()
		}
		h.deaf = append(h.deaf, says)
	}})
	h.name(events)
	return h
}

// name opens the class with a queue, as a pass does.
func (h *hearer) name(queue string) {
	h.t.Helper()
	named := class()
	named.EventsQueue = queue
	account, err := h.opener.Open(named)
	h.must(err)
	h.Account = account
}

// was gives what was said of the queue, and forgets it.
func (h *hearer) was() (said []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	said, h.deaf = h.deaf, nil
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

// A server that dies is told of at once, without a call to EC2; the messages are gone then.
func TestEventsTellOfServersThatChange(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		url := w.makeQueue(events)
		ids := w.running("token-1", 2)
		h := w.hearing()
		w.pass(time.Second) // takes what is in the queue already: of servers that nobody has seen yet
		h.servers()
		w.pass(time.Minute)
		if told := h.since(); len(told) > 0 {
			t.Errorf("nothing changed since the sweep, and it told of %v", idsOf(told))
		}
		reads := len(w.calls("DescribeInstances"))
		w.must(w.Kill(ids[1]))
		w.pass(time.Second)
		if told := h.since(); len(told) == 0 || slices.ContainsFunc(told, func(s cloud.Server) bool { return s.ID != ids[1] || s.Release != "shop/web" }) {
			t.Errorf("%s ended, and it told of %+v", ids[1], told)
		}
		w.expectCalls("DescribeInstances", reads)
		h.end()
		if left := w.left(url); left > 0 {
			t.Errorf("%d messages are left that were told of", left)
		}
		if said := h.was(); len(said) > 0 {
			t.Errorf("it was deaf: %q", said)
		}
	})
}

// A queue that is not there is told once, and so is that it came; a class that names none any more ends it.
func TestQueueThatComesAndGoes(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		ids := w.running("token-1", 1)
		h := w.hearing()
		h.servers()
		w.pass(5 * time.Minute)
		if said := h.was(); len(said) != 1 || !strings.HasPrefix(said[0], events+": ") || !strings.Contains(said[0], "spec.eventsQueue") {
			t.Errorf("no such queue, and it says %q", said)
		}
		if tried := len(w.calls("GetQueueUrl")); tried < 5 || tried > 12 {
			t.Errorf("asked for it %d times in five minutes", tried)
		}
		w.makeQueue(events)
		w.pass(2 * time.Minute)
		if said := h.was(); !slices.Equal(said, []string{events + ": again"}) {
			t.Errorf("there is a queue now, and it says %q", said)
		}
		w.must(w.Kill(ids[0]))
		w.pass(time.Second)
		if told := h.since(); len(told) == 0 {
			t.Error("nobody was told of the server that ended")
		}
		h.name("")
		w.pass(time.Second)
		received := len(w.calls("ReceiveMessage"))
		w.pass(10 * time.Minute)
		w.expectCalls("ReceiveMessage", received)
	})
}

// Two classes that share a queue receive from it once, whoever's server it is; and none receives after the watch has ended.
func TestOneHearsForAll(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		w.makeQueue(events)
		h := w.hearing()
		second := class()
		second.Name, second.EventsQueue, second.ExternalID = "second", events, "another account object"
		_, err := h.opener.Open(second)
		w.must(err)
		w.pass(time.Second)
		w.expectCalls("GetQueueUrl", 1)
		h.name("") // the second one still names it
		w.pass(time.Minute)
		if received := len(w.calls("ReceiveMessage")); received < 3 {
			t.Errorf("received %d times in a minute", received)
		}
		w.pass(2 * unheard) // and is not opened any more
		h.name("")
		w.pass(time.Second)
		received := len(w.calls("ReceiveMessage"))
		w.pass(time.Minute)
		w.expectCalls("ReceiveMessage", received)
		h.name(events)
		w.pass(time.Minute)
		h.end()
		synctest.Wait()
		w.pass(time.Minute)
		received = len(w.calls("ReceiveMessage"))
		h.name(events)
		w.pass(time.Minute)
		w.expectCalls("ReceiveMessage", received)
	})
}

// Credentials that may not receive, and messages of somebody else, are told; those stay where they are.
func TestMessagesThatAreNoneOfOurs(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		url := w.makeQueue(events)
		allow := w.Deny("sqs:ReceiveMessage")
		h := w.hearing()
		w.pass(time.Minute)
		if said := h.was(); len(said) != 1 || !strings.Contains(said[0], "sqs:ReceiveMessage") {
			t.Errorf("it may not receive, and says %q", said)
		}
		allow()
		w.pass(2 * time.Minute)
		if said := h.was(); !slices.Equal(said, []string{events + ": again"}) {
			t.Errorf("it may receive, and says %q", said)
		}
		w.must(w.PutMessage(events, `{"detail-type": "Object Created", "detail": {}}`))
		w.pass(3 * time.Minute)
		if said := h.was(); len(said) == 0 || !strings.Contains(said[0], "left there") {
			t.Errorf("a message is none of ours, and it says %q", said)
		}
		h.end()
		if left := w.left(url); left != 1 {
			t.Errorf("%d messages are left, want the one that is none of ours", left)
		}
	})
}
