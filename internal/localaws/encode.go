package localaws

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"sync"
	"time"
)

// protocol is one of AWS's ways to spell requests and answers.
type protocol int

const (
	// ec2Query: flat lists, lowerCamel names, item elements; EC2 alone.
	ec2Query protocol = iota
	// awsQuery: member lists, UpperCamel names, a Result element; both ELBs, STS.
	awsQuery
	// awsJSON: JSON 1.1 with X-Amz-Target; SSM.
	awsJSON
)

// items is a list as EC2 writes it: <name><item>…</item></name>, present even when empty (botocore shows a missing
// list as null). Use a pointer with omitempty where AWS leaves the element out.
type items[T any] struct {
	Items []T `xml:"item"`
}

func itemsOf[T any](list []T) items[T] { return items[T]{list} }

// members is a list as the query services write it: <Name><member>…</member></Name>, present even when empty.
type members[T any] struct {
	Members []T `xml:"member"`
}

func membersOf[T any](list []T) members[T] { return members[T]{list} }

// timestamp is the form of all times in XML answers: 2026-01-02T03:04:05.000Z; empty for the zero time.
func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// returned is the answer of operations that only say that they were done.
type returned struct {
	Return bool `xml:"return"`
}

// reply is an encoded answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// encode writes a result in the protocol of its service: a struct with xml tags (json tags for JSON services), or nil.
func (s *service) encode(action, requestID string, result any) (*reply, error) {
	if s.protocol == awsJSON {
		if result == nil {
			result = struct{}{}
		}
		body, err := json.Marshal(result)
		return jsonReply(http.StatusOK, body), err
	}
	w := xmlWriters.Get().(*xmlWriter)
	defer xmlWriters.Put(w)
	inner, err := w.inner(result)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(inner) + 512)
	b.WriteString(xml.Header + "<" + action + `Response xmlns="` + s.namespace + `">`)
	if s.protocol == ec2Query {
		b.WriteString("<requestId>" + requestID + "</requestId>")
		b.Write(inner)
	} else {
		b.WriteString("<" + action + "Result>")
		b.Write(inner)
		b.WriteString("</" + action + "Result><ResponseMetadata><RequestId>" + requestID + "</RequestId></ResponseMetadata>")
	}
	b.WriteString("</" + action + "Response>")
	return xmlReply(http.StatusOK, b.Bytes()), nil
}

// xmlWriter is what an answer is written with. A call is answered so often, and with so little, that making these would take
// longer than writing.
type xmlWriter struct {
	text     bytes.Buffer
	buffered *bufio.Writer // an Encoder on something else would make one of its own
}

var xmlWriters = sync.Pool{New: func() any {
	w := &xmlWriter{}
	w.buffered = bufio.NewWriter(&w.text)
	return w
}}

// inner is the XML of a struct's fields without an element around them, valid until the writer is used again.
func (w *xmlWriter) inner(result any) ([]byte, error) {
	w.text.Reset()
	w.buffered.Reset(&w.text)
	if result == nil {
		return nil, nil
	}
	e := xml.NewEncoder(w.buffered)
	if err := e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: "x"}}); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(w.text.Bytes(), []byte("<x>")), []byte("</x>")), nil
}

// encodeError writes a refusal in the exact form of the protocol.
func (s *service) encodeError(requestID string, e *apiError) *reply {
	switch s.protocol {
	case awsJSON:
		body, _ := json.Marshal(map[string]string{"__type": e.Code, "message": e.Message}) // strings always marshal
		r := jsonReply(e.Status, body)
		r.header.Set("X-Amzn-Errortype", e.Code)
		return r
	case awsQuery:
		kind := "Sender"
		if e.Status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		return xmlReply(e.Status, []byte(xml.Header+`<ErrorResponse xmlns="`+s.namespace+`"><Error><Type>`+kind+"</Type><Code>"+
			escape(e.Code)+"</Code><Message>"+escape(e.Message)+"</Message></Error><RequestId>"+requestID+"</RequestId></ErrorResponse>"))
	default:
		return xmlReply(e.Status, []byte(xml.Header+"<Response><Errors><Error><Code>"+escape(e.Code)+"</Code><Message>"+
			escape(e.Message)+"</Message></Error></Errors><RequestID>"+requestID+"</RequestID></Response>"))
	}
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
	return b.String()
}

func xmlReply(status int, body []byte) *reply {
	return &reply{status: status, body: body, header: http.Header{"Content-Type": {"text/xml;charset=UTF-8"}}}
}

func jsonReply(status int, body []byte) *reply {
	return &reply{status: status, body: body, header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}}
}

// unknownAction is how each service answers a name that is not (here) one of its operations.
func (s *service) unknownAction(action string) *apiError {
	switch s.protocol {
	case awsJSON:
		return refuse("UnknownOperationException", "The operation %s is not known.", action)
	case awsQuery:
		return refuse("InvalidAction", "Could not find operation %s for version %s", action, s.version)
	default:
		return refuse("InvalidAction", "The action %s is not valid for this web service.", action)
	}
}

func (p protocol) unknownParameter(name string) *apiError {
	switch p {
	case awsJSON:
		return refuse("ValidationException", "The parameter %s is not recognized", name)
	case awsQuery:
		return refuse("ValidationError", "The parameter %s is not recognized", name)
	default:
		return refuse("UnknownParameter", "The parameter %s is not recognized", name)
	}
}

func (p protocol) malformedParameter(name, value, kind string) *apiError {
	switch p {
	case awsJSON:
		return refuse("SerializationException", "Value (%s) for parameter %s is not of type %s", value, name, kind)
	case awsQuery:
		return refuse("MalformedInput", "Value (%s) for parameter %s is not of type %s", value, name, kind)
	default:
		return refuse("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expected: %s.", value, name, kind)
	}
}

func (p protocol) missingParameter(name string) *apiError {
	switch p {
	case awsJSON:
		return refuse("ValidationException", "1 validation error detected: Value null at '%s' failed to satisfy constraint: "+
			"Member must not be null", name)
	case awsQuery:
		return refuse("ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: "+
			"Member must not be null", name)
	default:
		return refuse("MissingParameter", "The request must contain the parameter %s", name)
	}
}
