package localaws

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// queue is one standard queue. Guarded by Cloud.mu.
type queue struct {
	name     string
	hidden   time.Duration // how long a received message is hidden (VisibilityTimeout)
	wait     time.Duration // how long a receive waits (ReceiveMessageWaitTimeSeconds)
	messages []*message    // by arrival
	grown    chan struct{} // closed when there may be more to receive; nil while nobody waits
	events   bool          // it gets the state changes of the realm's instances
}

// message waits in a queue until it is deleted.
type message struct {
	id, body    string
	sent        time.Time
	first       time.Time // received first; zero: never
	received    int
	handle      string // of the last receive
	visibleFrom time.Time
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

const (
	maxReceive = 10 // messages in one receive, and entries in a batch
	maxWait    = 20 * time.Second
	maxHidden  = 12 * time.Hour
)

func sqsOperations() map[string]operation {
	return map[string]operation{
		"CreateQueue": writing(createQueue, "QueueName!", "Attributes.VisibilityTimeout:int", "Attributes.ReceiveMessageWaitTimeSeconds:int"),
		"GetQueueUrl": reading(getQueueURL, "QueueName!", "QueueOwnerAWSAccountId"),
		"ReceiveMessage": {run: receiveMessage, await: awaitMessages, mutates: true, params: []string{"QueueUrl!", "MaxNumberOfMessages:int",
			"VisibilityTimeout:int", "WaitTimeSeconds:int", "AttributeNames.N", "MessageSystemAttributeNames.N", "MessageAttributeNames.N"}},
		"DeleteMessage":      writing(deleteMessage, "QueueUrl!", "ReceiptHandle!"),
		"DeleteMessageBatch": writing(deleteMessageBatch, "QueueUrl!", "Entries.N.Id!", "Entries.N.ReceiptHandle!"),
	}
}

// sqsQueryCodes are the codes that SQS had as a query service; its clients still compare with them.
var sqsQueryCodes = map[string]string{
	"QueueDoesNotExist":            "AWS.SimpleQueueService.NonExistentQueue",
	"QueueNameExists":              "QueueAlreadyExists",
	"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
	"BatchEntryIdsNotDistinct":     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
	"EmptyBatchRequest":            "AWS.SimpleQueueService.EmptyBatchRequest",

	"UnknownOperationException": "InvalidAction",
	"ValidationException":       "ValidationError",
	"SerializationException":    "MalformedInput",
}

// sqsQueryNames are the lists that have another name in the query protocol.
var sqsQueryNames = map[string]string{"AttributeName": "AttributeNames", "MessageAttributeName": "MessageAttributeNames",
	"MessageSystemAttributeName": "MessageSystemAttributeNames", "DeleteMessageBatchRequestEntry": "Entries"}

// renamed gives the parameters of a query request the names that JSON requests have. Attributes are pairs of name and value there;
// half a pair keeps its name, which no operation knows. Two values for one name stay, to be refused.
func renamed(form url.Values) url.Values {
	out := url.Values{}
	for name, values := range form {
		first, rest, _ := strings.Cut(name, ".")
		number, field, _ := strings.Cut(rest, ".")
		switch list, known := sqsQueryNames[first]; {
		case first == "Attribute" && field == "Value" && form.Has("Attribute."+number+".Name"):
			name = "Attributes." + form.Get("Attribute."+number+".Name")
		case first == "Attribute" && field == "Name" && form.Has("Attribute."+number+".Value"):
			continue
		case known:
			name = list + "." + rest
		}
		out[name] = append(out[name], values...)
	}
	return out
}

type queueAnswer struct{ QueueUrl string }

// createQueue is idempotent for equal attributes.
func createQueue(_ *Cloud, q *call) (any, *apiError) {
	name := q.str("QueueName")
	if !queueName.MatchString(name) {
		return nil, refuse("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	made := &queue{name: name}
	var err [2]*apiError
	made.hidden, err[0] = q.seconds("Attributes.VisibilityTimeout", 30*time.Second, maxHidden)
	made.wait, err[1] = q.seconds("Attributes.ReceiveMessageWaitTimeSeconds", 0, maxWait)
	if bad := firstError(err[:]...); bad != nil {
		return nil, bad
	}
	if old := q.realm.queues[name]; old != nil {
		if old.hidden != made.hidden || old.wait != made.wait {
			return nil, refuse("QueueNameExists", "A queue already exists with the same name and a different value for attribute VisibilityTimeout or "+
				"ReceiveMessageWaitTimeSeconds")
		}
		return q.queueAnswer(old), nil
	}
	q.realm.queues[name] = made
	q.effect("created the queue %s", name)
	return q.queueAnswer(made), nil
}

// queueAnswer names a queue by its URL, which begins with the endpoint that the client called: some clients send there what is
// about the queue.
func (q *call) queueAnswer(b *queue) queueAnswer {
	return queueAnswer{q.base + "/" + q.realm.account + "/" + b.name}
}

// seconds reads a number of seconds up to a limit.
func (q *call) seconds(name string, missing, limit time.Duration) (time.Duration, *apiError) {
	d := time.Duration(q.int(name, seconds(missing))) * time.Second
	if d < 0 || d > limit {
		short := name[strings.LastIndexByte(name, '.')+1:]
		return 0, refuse("InvalidParameterValue", "Value %s for parameter %s is invalid. Reason: Must be between 0 and %d.", q.str(name), short, seconds(limit))
	}
	return d, nil
}

func getQueueURL(_ *Cloud, q *call) (any, *apiError) {
	owner := q.str("QueueOwnerAWSAccountId")
	found := q.realm.queues[q.str("QueueName")]
	if found == nil || owner != "" && owner != q.realm.account {
		return nil, noQueue()
	}
	return q.queueAnswer(found), nil
}

func noQueue() *apiError { return refuse("QueueDoesNotExist", "The specified queue does not exist.") }

// queue finds the one whose URL the call names; only the path counts, because clients put the endpoint before it.
func (q *call) queue() (*queue, *apiError) {
	parts := strings.Split(q.str("QueueUrl"), "/")
	if n := len(parts); n >= 2 && parts[n-2] == q.realm.account {
		if found := q.realm.queues[parts[n-1]]; found != nil {
			return found, nil
		}
	}
	return nil, noQueue()
}

// awaitMessages is the wait of a long poll: until there is something to receive, or as long as the call or the queue says.
func awaitMessages(c *Cloud, q *call) error {
	c.mu.Lock()
	_, _ = c.identify(q) // perform asks again, and refuses
	found, missing := q.queue()
	if missing != nil {
		c.mu.Unlock()
		return nil
	}
	wait, bad := q.seconds("WaitTimeSeconds", found.wait, maxWait)
	over, done := false, make(chan struct{})
	if bad == nil && wait > 0 {
		defer c.clock.AfterFunc(wait, func() { close(done) })()
	} else {
		over = true
	}
	for !over && !found.ready(c.now()) {
		if found.grown == nil {
			found.grown = make(chan struct{})
		}
		grown := found.grown
		c.mu.Unlock()
		select {
		case <-grown:
		case <-done:
			over = true
		case <-q.ctx.Done():
			return q.ctx.Err()
		}
		c.mu.Lock()
	}
	c.mu.Unlock()
	return nil
}

// ready tells whether a message can be received.
func (b *queue) ready(now time.Time) bool {
	return slices.ContainsFunc(b.messages, func(m *message) bool { return !now.Before(m.visibleFrom) })
}

// wake lets those look again that wait.
func (b *queue) wake() {
	if b.grown != nil {
		close(b.grown)
		b.grown = nil
	}
}

// messagesShow lets those look again that wait, when messages are not hidden any more.
type messagesShow struct{ b *queue }

func (j messagesShow) run(*Cloud) { j.b.wake() }

type messageAnswer struct {
	MessageId     string
	ReceiptHandle string
	MD5OfBody     string
	Body          string
	Attributes    messageAttributes `json:",omitempty" xml:"Attribute"`
}

// messageAttributes are an object in JSON and pairs in XML.
type messageAttributes map[string]string

// MarshalXML writes an element for each pair.
func (a messageAttributes) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		pair := struct{ Name, Value string }{name, a[name]}
		if err := e.EncodeElement(pair, start); err != nil {
			return err
		}
	}
	return nil
}

// receiveMessage hides what it hands out until it is deleted or its time is over.
func receiveMessage(c *Cloud, q *call) (any, *apiError) {
	b, err := q.queue()
	if err != nil {
		return nil, err
	}
	most := q.int("MaxNumberOfMessages", 1)
	if most < 1 || most > maxReceive {
		return nil, refuse("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and %d, if provided.",
			most, maxReceive)
	}
	hidden, err := q.seconds("VisibilityTimeout", b.hidden, maxHidden)
	if err != nil {
		return nil, err
	}
	if _, err := q.seconds("WaitTimeSeconds", b.wait, maxWait); err != nil {
		return nil, err
	}
	if err := q.knowsAttributes(); err != nil {
		return nil, err
	}
	var list []messageAnswer
	for _, m := range b.messages {
		if len(list) == most || q.at.Before(m.visibleFrom) {
			continue
		}
		m.receive(c, q.at, hidden)
		if hidden > 0 {
			c.after(hidden, messagesShow{b})
		}
		sum := md5.Sum([]byte(m.body))
		list = append(list, messageAnswer{m.id, m.handle, hex.EncodeToString(sum[:]), m.body, m.attributes(q)})
	}
	return struct {
		Messages []messageAnswer `json:",omitempty" xml:"Message"`
	}{list}, nil
}

func (m *message) receive(c *Cloud, now time.Time, hidden time.Duration) {
	if m.first.IsZero() {
		m.first = now
	}
	m.received++
	m.handle = m.id + "#" + strconv.Itoa(m.received) + "#" + c.newHex(16)
	m.visibleFrom = now.Add(hidden)
}

// messageAttributeNames are those that a call may ask for. Messages here have no more than attributes gives: the others are of FIFO
// queues, of traces and of dead-letter queues (SDK documentation of ReceiveMessage).
var messageAttributeNames = []string{"All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn"}

// eventSender is the id of who sends the events: an AWS service. Its form is AWS's, the id itself made up.
const eventSender = "AIDALOCALAWSEVENTS000"

// wantedAttributes come in an old and a new parameter.
func (q *call) wantedAttributes() []string {
	return append(q.list("AttributeNames"), q.list("MessageSystemAttributeNames")...)
}

func (q *call) knowsAttributes() *apiError {
	for _, name := range q.wantedAttributes() {
		if !slices.Contains(messageAttributeNames, name) {
			return refuse("ValidationException", "1 validation error detected: Value '%s' is not an attribute of messages", name)
		}
	}
	return nil
}

// attributes are those that the call asks for.
func (m *message) attributes(q *call) messageAttributes {
	all := map[string]string{
		"SenderId":                         eventSender,
		"ApproximateReceiveCount":          strconv.Itoa(m.received),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
	}
	wanted, out := q.wantedAttributes(), messageAttributes{}
	for name, value := range all {
		if slices.Contains(wanted, "All") || slices.Contains(wanted, name) {
			out[name] = value
		}
	}
	return out
}

func deleteMessage(_ *Cloud, q *call) (any, *apiError) {
	b, err := q.queue()
	if err != nil {
		return nil, err
	}
	return nil, b.delete(q.str("ReceiptHandle"))
}

// delete takes a message out by the handle of one of its receives. One that is gone already is no error.
func (b *queue) delete(handle string) *apiError {
	id, _, found := strings.Cut(handle, "#")
	if !found {
		return refuse("ReceiptHandleIsInvalid", `The input receipt handle "%s" is not a valid receipt handle.`, handle)
	}
	b.messages = slices.DeleteFunc(b.messages, func(m *message) bool { return m.id == id && m.handle == handle })
	return nil
}

type batchEntry struct{ Id string }

type batchFailure struct {
	Id, Code, Message string
	SenderFault       bool
}

// deleteMessageBatch tells of each entry by itself.
func deleteMessageBatch(_ *Cloud, q *call) (any, *apiError) {
	b, err := q.queue()
	if err != nil {
		return nil, err
	}
	entries, seen := q.structs("Entries"), map[string]bool{}
	if len(entries) > maxReceive {
		return nil, refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxReceive, len(entries))
	}
	out := struct {
		Successful []batchEntry   `xml:"DeleteMessageBatchResultEntry"`
		Failed     []batchFailure `xml:"BatchResultErrorEntry"`
	}{[]batchEntry{}, []batchFailure{}}
	for _, e := range entries {
		if id := e.str("Id"); seen[id] {
			return nil, refuse("BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[e.str("Id")] = true
	}
	for _, e := range entries {
		id := e.str("Id")
		if bad := b.delete(e.str("ReceiptHandle")); bad != nil {
			out.Failed = append(out.Failed, batchFailure{id, bad.Code, bad.Message, true})
		} else {
			out.Successful = append(out.Successful, batchEntry{id})
		}
	}
	return out, nil
}
