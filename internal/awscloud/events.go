package awscloud

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// longPoll is how long SQS holds a receive that has nothing to tell, and messagesAtOnce what it tells at once: the most of either.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
	longPoll, messagesAtOnce = 20 * time.Second, 10
	// trails is how much later than its event EC2 may still show a server as it was; then it is told of once more. AWS names no figure.
	trails = 10 * time.Second
	// deafMost is the longest pause after a receive that failed; the first one is a second.
	deafMost = time.Minute

	// stateChange is what EventBridge calls the events that count.
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
	stateChange = "EC2 Instance State-change Notification"
)

var queueMeanings = meanings{}.and(meaning{cloud.NotFound, "",
	"Make it in the class's account and region and let an EventBridge rule send there, or correct spec.eventsQueue of the ReleaseClass (docs/install.md, " +
		"step 6)"},
	setOf("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"))

// hearing receives from a queue what EC2 tells of servers. It is a hint and nothing more: what it says is believed of no server, but the
// Release of one that we know otherwise is looked at now, and not when the next sweep over EC2 comes by. So nothing is lost with a message
// that comes late, twice or never; and it costs EC2 no call.
//
//	EC2 ── i-1 stopped ──▶ EventBridge ──▶ SQS ──▶ hearing ── i-1, which ran when it was swept last ──▶ a fresh look at its Release
type hearing struct {
	ear
	api     queueAPI
	clock   Clock
	wanted  func() bool                          // a class still names the queue
	known   func(id string) (cloud.Server, bool) // as a sweep showed it last
	watch   cloud.ServerWatch
	url     *string // nil: to be found
	said    string  // what watch.Heard was told last: an error, or heardWell
	keeps   bool    // a message that was passed on could not be deleted, and none was since: that is said until one is
	strange bool    // it was told of a message that is no event
}

// heardWell is what was said where there was no error.
const heardWell = "well"

// run receives until ctx ends, or no class names the queue any more.
func (h *hearing) run(ctx context.Context) {
	for failed := 0; h.wanted(); {
		err := contained("receiving from "+h.name(), func() error { return h.once(ctx) })
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failed = 0
			continue
		}
		h.tell(err)
		h.url, h.keeps = nil, false // it may have been made again
		h.pause(ctx, min(time.Second<<min(failed, 6), deafMost))
		failed++
	}
}

// once receives what there is, and waits for it where there is nothing.
func (h *hearing) once(ctx context.Context) error {
	if h.url == nil { // its owner is named: credentials for another account find none of that name there
		answer, err := h.api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &h.queue, QueueOwnerAWSAccountId: &h.class.AccountID})
		if err != nil {
			return explain(err, h.name(), queueMeanings)
		}
		h.url = answer.QueueUrl
	}
	answer, err := h.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: h.url, MaxNumberOfMessages: messagesAtOnce, WaitTimeSeconds: int32(longPoll / time.Second),
	})
	if err != nil {
		return explain(err, h.name(), queueMeanings)
	}
	if h.said != "" && !h.keeps {
		h.tell(nil)
	}
	h.takeAll(ctx, answer.Messages)
	return nil
}

// takeAll passes on what messages tell, and deletes those: all are passed on first, for what is not deleted is not given again for a while.
// What is no event of a server stays in the queue: it is somebody else's, and so perhaps is the queue. A person is told once, and other
// messages go on being heard.
func (h *hearing) takeAll(ctx context.Context, messages []types.Message) {
	var events []types.Message
	for _, message := range messages {
		if server, state, ok := serverEvent(aws.ToString(message.Body)); ok {
			events = append(events, message)
			h.pass(ctx, server, state)
		}
	}
	if len(events) < len(messages) && !h.strange {
		h.strange = true
		h.watch.Heard(h.name(), fmt.Errorf("%s has messages that are no %q of EventBridge's: they are left there; send nothing else to this queue, and let "+
			"nobody else read it", h.name(), stateChange))
	}
	if deleted := h.deleteAll(ctx, events); deleted == 0 && len(messages) > 0 {
		h.pause(ctx, time.Second) // a queue that hides nothing would give them again at once
	}
}

// deleteAll deletes messages that were passed on, and counts those that it could. The others come again, and are heard all the same: it is
// told, and nothing waits for it for longer than for one call.
func (h *hearing) deleteAll(ctx context.Context, events []types.Message) (deleted int) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var failed error
	for _, message := range events {
		_, err := h.api.DeleteMessage(limited, &sqs.DeleteMessageInput{QueueUrl: h.url, ReceiptHandle: message.ReceiptHandle})
		switch {
		case err == nil:
			deleted++
		case failed == nil:
			failed = explain(err, h.name(), queueMeanings)
		}
	}
	if ctx.Err() == nil && len(events) > 0 {
		h.keeps = failed != nil
		h.tell(failed)
	}
	return deleted
}

// pass tells of a server that is known otherwise, and once more when EC2 shows what became of it.
func (h *hearing) pass(ctx context.Context, server string, state rollout.ServerState) {
	differs := func() bool {
		known, is := h.known(server)
		if is = is && known.State != state && ctx.Err() == nil; is {
			h.watch.Changed(known)
		}
		return is
	}
	if differs() {
		h.clock.AfterFunc(trails, func() { differs() })
	}
}

// serverEvent is the server that an event is about, and what became of it; false where it is another kind of event, or none.
func serverEvent(body string) (server string, state rollout.ServerState, ok bool) {
	var event struct {
		DetailType string `json:"detail-type"`
		Detail     struct {
			InstanceID string `json:"instance-id"`
			State      string `json:"state"`
		} `json:"detail"`
	}
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		return "", "", false
	}
	ok = event.DetailType == stateChange && event.Detail.InstanceID != "" && event.Detail.State != ""
	return event.Detail.InstanceID, rollout.ServerState(event.Detail.State), ok
}

// tell says why nothing is heard, once for each reason, and that something is.
func (h *hearing) tell(err error) {
	says := heardWell
	if err != nil {
		says = err.Error()
	}
	if says != h.said {
		h.said = says
		h.watch.Heard(h.name(), err)
	}
}

func (h *hearing) pause(ctx context.Context, d time.Duration) {
	over := make(chan struct{})
	stop := h.clock.AfterFunc(d, func() { close(over) })
	defer stop()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// unheardAfter is how long a queue is heard whose class was not looked at: its Releases are, at rest every few minutes.
const unheardAfter = 7 * time.Minute

// ear is a queue, and the class, without its name, whose credentials it is received from with.
type ear struct {
	class cloud.Class
	queue string
}

// name is what people look for.
func (e ear) name() string {
	return fmt.Sprintf("the events queue %s of account %s in %s", e.queue, e.class.AccountID, e.class.Region)
}

// naming is the ear that a class asked for last, which may be of no queue, and when.
type naming struct {
	ear
	at time.Time
}

// Watch implements cloud.Opener.
func (o *Opener) Watch(ctx context.Context, watch cloud.ServerWatch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, end := range o.ears {
		end()
	}
	o.watch, o.watching, o.ears = &watch, ctx, map[ear]context.CancelFunc{}
}

// tell passes on that a sweep shows a server otherwise.
func (o *Opener) tell(server cloud.Server) {
	o.mu.Lock()
	watch := o.watch
	o.mu.Unlock()
	if watch != nil {
		watch.Changed(server)
	}
}

// hear receives from the queue that a class names, and from none any more that no class names. Classes that share a queue and nothing else
// each receive from it: whoever gets a message passes it on.
func (o *Opener) hear(class string, of ear) {
	o.mu.Lock()
	defer o.mu.Unlock()
	account := o.accounts[of.class]
	if o.watch == nil || account == nil {
		return
	}
	o.names[class] = naming{of, o.options.Clock.Now()}
	for other := range o.ears {
		o.hears(other)
	}
	if _, hears := o.ears[of]; hears || of.queue == "" {
		return
	}
	ctx, end := context.WithCancel(o.watching)
	o.ears[of] = end
	h := &hearing{ear: of, api: account.queues, clock: o.options.Clock, watch: *o.watch,
		known: func(id string) (cloud.Server, bool) { return o.known(of.class, id) },
		wanted: func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			return ctx.Err() == nil && o.hears(of)
		}}
	go h.run(ctx)
}

// hears reports whether a class names the ear's queue, and ends the ear where none does. Called with o.mu held.
func (o *Opener) hears(of ear) bool {
	now := o.options.Clock.Now()
	maps.DeleteFunc(o.names, func(_ string, is naming) bool { return now.Sub(is.at) > unheardAfter })
	for _, is := range o.names {
		if is.ear == of {
			return true
		}
	}
	if end := o.ears[of]; end != nil {
		end()
		delete(o.ears, of)
	}
	return false
}

// known is a server as any account of a class's place was shown it, the one asked last first: classes differ in their roles.
func (o *Opener) known(in cloud.Class, id string) (known cloud.Server, is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var asked time.Time
	for class, account := range o.accounts {
		if class.AccountID != in.AccountID || class.Region != in.Region || account.asked.Before(asked) {
			continue
		}
		if server, shown := account.Compute.Known(id); shown {
			known, is, asked = server, true, account.asked
		}
	}
	return known, is
}
