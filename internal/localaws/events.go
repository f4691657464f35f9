package localaws

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// EventKnobs are how the events of instances reach queues. EventBridge promises neither order nor a single delivery.
type EventKnobs struct {
	// Delay is the time from the change to the message; each event draws its own, so that they may change places. Assumed;
	// AWS says best effort.
	Delay Span
	// Lost and Doubled are how often, from 0 to 1, an event never comes, and comes twice. Off.
	Lost, Doubled float64
}

// SendEvents lets a queue, which must exist, get every change of state of the realm's instances from now on, as an EventBridge
// rule for EC2 Instance State-change Notification with that queue as its target does.
func (r Realm) SendEvents(queue string) error {
	err := fmt.Errorf("there is no queue %s", queue)
	r.edit(func(r *realm) {
		if b := r.queues[queue]; b != nil {
			b.events, err = true, nil
		}
	})
	return err
}

// PutMessage puts a message into a queue, which must exist, as anybody may who is allowed to send there.
func (r Realm) PutMessage(queue, body string) error {
	err := fmt.Errorf("there is no queue %s", queue)
	r.edit(func(in *realm) {
		if b := in.queues[queue]; b != nil {
			eventArrives{b, "put-" + r.c.newHex(16), body}.run(r.c)
			err = nil
		}
	})
	return err
}

// stateEvent is an event in EventBridge's form (EC2 user guide, monitor instance state changes).
type stateEvent struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     struct {
		InstanceID string `json:"instance-id"`
		State      string `json:"state"`
	} `json:"detail"`
}

// announce sends an event of an instance's new state to the queues that want it. Called with c.mu held.
func (c *Cloud) announce(in *instance, state string) {
	r := in.realm
	for _, name := range slices.Sorted(maps.Keys(r.queues)) {
		if b := r.queues[name]; b.events {
			c.send(b, in, state)
		}
	}
}

// send delivers one event: later, twice or not at all, as the knobs say.
func (c *Cloud) send(b *queue, in *instance, state string) {
	knobs, now := c.knobs.Events, c.now()
	rng := c.source("event", b.name, in.id, state, timestamp(now), fmt.Sprint(len(in.history)))
	e := stateEvent{Version: "0", ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", rng.Uint32(), rng.Uint64()>>16),
		DetailType: "EC2 Instance State-change Notification", Source: "aws.ec2", Account: in.realm.account, Time: now.Format(time.RFC3339),
		Region: in.realm.region, Resources: []string{in.realm.arn("ec2", "instance/"+in.id)}}
	e.Detail.InstanceID, e.Detail.State = in.id, state
	body, _ := json.Marshal(e) // texts always marshal
	copies := 1
	if rng.Float64() < knobs.Doubled {
		copies = 2
	}
	if rng.Float64() < knobs.Lost {
		copies = 0
	}
	for range copies {
		id := fmt.Sprintf("%08x-0000-4000-8000-%012x", rng.Uint32(), rng.Uint64()>>16)
		arrival := eventArrives{b, id, string(body)}
		if d := between(rng, knobs.Delay.Min, knobs.Delay.Max); d > 0 {
			c.after(d, arrival)
		} else {
			arrival.run(c)
		}
	}
}

// eventArrives puts an event into its queue.
type eventArrives struct {
	b        *queue
	id, body string
}

func (j eventArrives) run(c *Cloud) {
	j.b.messages = append(j.b.messages, &message{id: j.id, body: j.body, sent: c.now()})
	j.b.wake()
}
