package awscloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	api     queueAPI
	account string // the queue's owner
	queue   string // its name
	clock   Clock
	known   func(id string) (cloud.Server, bool) // as a sweep showed it last
	watch   cloud.ServerWatch
	said    string // the error that watch.Deaf was told last
}

// run receives until ctx ends.
func (h *hearing) run(ctx context.Context) {
	for url, failed := (*string)(nil), 0; ctx.Err() == nil; {
		err := contained("receiving from the queue "+h.queue, func() (err error) {
			if url == nil {
				url, err = h.find(ctx)
			}
			if err == nil {
				err = h.receive(ctx, url)
			}
			return err
		})
		if ctx.Err() != nil {
			return
		}
		h.tell(err)
		if err == nil {
			failed = 0
			continue
		}
		url = nil // it may have been made again
		h.pause(ctx, min(time.Second<<min(failed, 6), deafMost))
		failed++
	}
}

// find is the queue's URL. Its owner is named, so that credentials for another account find none of that name there.
func (h *hearing) find(ctx context.Context) (*string, error) {
	answer, err := h.api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(h.queue), QueueOwnerAWSAccountId: aws.String(h.account)})
	if err != nil {
		return nil, explain(err, "the events queue "+h.queue, queueMeanings)
	}
	return answer.QueueUrl, nil
}

// receive waits for messages, passes on what they tell, and deletes those. What is no event of a server stays in the queue: it is somebody
// else's, and so perhaps is the queue.
func (h *hearing) receive(ctx context.Context, url *string) error {
	answer, err := h.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: messagesAtOnce, WaitTimeSeconds: int32(longPoll / time.Second),
	})
	if err != nil {
		return explain(err, "the events queue "+h.queue, queueMeanings)
	}
	var failed []error
	for _, message := range answer.Messages {
		failed = append(failed, h.take(ctx, url, message))
	}
	return errors.Join(failed...)
}

// take passes on what one message tells, before it is deleted.
func (h *hearing) take(ctx context.Context, url *string, message types.Message) error {
	server, state, ok := serverEvent(aws.ToString(message.Body))
	if !ok {
		return fmt.Errorf("the events queue %s has a message that is no %q of EventBridge's: it is left there; send nothing else to this queue, "+
			"and let nobody else read it", h.queue, stateChange)
	}
	if h.pass(server, state) {
		h.clock.AfterFunc(trails, func() {
			if ctx.Err() == nil {
				h.pass(server, state)
			}
		})
	}
	_, err := h.api.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: message.ReceiptHandle})
	return explain(err, "the events queue "+h.queue, queueMeanings)
}

// pass tells of a server that is known otherwise.
func (h *hearing) pass(server string, state rollout.ServerState) bool {
	known, is := h.known(server)
	if is = is && known.State != state; is {
		h.watch.Changed(known)
	}
	return is
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

// tell says why nothing is heard, once for each reason, and that something is again.
func (h *hearing) tell(err error) {
	says := ""
	if err != nil {
		says = err.Error()
	}
	if says != h.said {
		h.said = says
		h.watch.Deaf(h.queue, err)
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

// unheardAfter is how long a queue is heard whose class nobody opens any more: each pass does, at rest every few minutes.
const unheardAfter = 15 * time.Minute

// ear is a queue of an account and region.
type ear struct {
	place
	queue string
}

// naming is the queue that a class named last, if any, and when.
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

// hear receives from the queues that classes name, and from no others. A queue that several name is received from once, with the
// credentials of the first. Called with o.mu held.
func (o *Opener) hear(class cloud.Class, api queueAPI, now time.Time) {
	if o.watch == nil {
		return
	}
	o.names[class.Name] = naming{ear{place{class.AccountID, class.Region}, class.EventsQueue}, now}
	wanted := map[ear]bool{}
	for name, is := range o.names {
		if now.Sub(is.at) > unheardAfter {
			delete(o.names, name)
		} else if is.queue != "" {
			wanted[is.ear] = true
		}
	}
	for of, end := range o.ears {
		if !wanted[of] {
			end()
			delete(o.ears, of)
		}
	}
	of := o.names[class.Name].ear
	if _, hears := o.ears[of]; hears || of.queue == "" {
		return
	}
	ctx, end := context.WithCancel(o.watching)
	o.ears[of] = end
	h := &hearing{api: api, account: of.account, queue: of.queue, clock: o.options.Clock, watch: *o.watch,
		known: func(id string) (cloud.Server, bool) { return o.known(of.place, id) }}
	go h.run(cloud.WithLane(ctx, cloud.LaneBackground))
}

// known is a server as any account of a place was shown it last: classes differ in their roles, and share a queue.
func (o *Opener) known(at place, id string) (cloud.Server, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for class, account := range o.accounts {
		if server, is := account.Compute.Known(id); is && at == (place{class.AccountID, class.Region}) {
			return server, true
		}
	}
	return cloud.Server{}, false
}
