package localaws

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// wire is how one call was spelled, where its service takes several spellings and this is not the service's own (protocol).
type wire int

const (
	wireOwn wire = iota
	// wireJSON is JSON 1.0 with X-Amz-Target.
	wireJSON
	// wireCBOR is Smithy RPC v2 CBOR: POST /service/<target>/operation/<action>.
	wireCBOR
	// wireQuery is the query protocol that a JSON service had before.
	wireQuery
)

const (
	cborType    = "application/cbor"
	smithyRPC   = "rpc-v2-cbor"
	smithyKey   = "Smithy-Protocol"
	cborService = "/service/"
)

// cborOptions are those of Smithy: times are numbers with tag 1, and maps have text keys.
var (
	cborWriter, _ = cbor.EncOptions{Time: cbor.TimeUnixDynamic, TimeTag: cbor.EncTagRequired, Sort: cbor.SortBytewiseLexical}.EncMode()
	cborReader, _ = cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any]()}.DecMode()
)

// targeted finds the service that a target prefix names; a JSON service where none does, so that the refusal has a form.
func (c *Cloud) targeted(prefix string) (s *service, found bool) {
	for _, s := range c.services {
		if s.target != "" && s.target == prefix || s.protocol == awsJSON && s.version == prefix {
			return s, true
		}
	}
	i := slices.IndexFunc(c.services, func(s *service) bool { return s.protocol == awsJSON })
	return c.services[i], false
}

// decodeCBOR reads a request of Smithy RPC v2; its members become parameters named like those of query services.
func (c *Cloud) decodeCBOR(r *http.Request, q *call) *apiError {
	rest := strings.TrimPrefix(r.URL.Path, cborService)
	target, action, _ := strings.Cut(rest, "/operation/")
	service, found := c.targeted(target)
	q.service, q.action, q.wire = service, action, wireCBOR
	if !found || service.protocol == awsJSON {
		return refuseWith(http.StatusNotFound, "UnknownOperationException", "The service %s is not one of those that are simulated", target)
	}
	raw, err := readBody(r)
	if err != nil {
		return refuse("SerializationException", "The request cannot be read: %s", err)
	}
	var body map[string]any
	if err := cborReader.Unmarshal(raw, &body); len(raw) > 0 && err != nil {
		return refuse("SerializationException", "The request is not a CBOR map: %s", err)
	}
	q.take(body)
	return nil
}

// take makes the members of a JSON or CBOR request the parameters of the call, in the spelling of the service.
func (q *call) take(body map[string]any) {
	list := ""
	if q.service.protocol == awsQuery {
		list = ".member"
	}
	for name, value := range body {
		q.empty = append(q.empty, flatten(q.form, name, list, value)...)
	}
	q.params = parseParams(q.form)
}

// encode writes the answer in the spelling of the call.
func (q *call) encode(result any) (*reply, error) {
	switch q.wire {
	case wireJSON:
		body, err := json.Marshal(plain(reflect.ValueOf(result), func(t time.Time) any { return float64(t.UnixMilli()) / 1000 }))
		return q.typed(http.StatusOK, body), err
	case wireCBOR:
		body, err := cborWriter.Marshal(plain(reflect.ValueOf(result), func(t time.Time) any { return t }))
		return q.typed(http.StatusOK, body), err
	case wireQuery:
		return q.asQuery().encode(q.action, q.requestID, result)
	}
	out, err := q.service.encode(q.action, q.requestID, result)
	if q.service.json10 && out != nil {
		out.header.Set("Content-Type", "application/x-amz-json-1.0")
	}
	return out, err
}

// encodeError writes a refusal in the spelling of the call. Clients of a service that used to be a query service read its old
// codes from a header.
func (q *call) encodeError(e *apiError) *reply {
	who := ";Sender"
	if e.Status >= http.StatusInternalServerError {
		who = ";Receiver"
	}
	if q.wire == wireOwn {
		out := q.service.encodeError(q.requestID, e)
		if q.service.json10 {
			out = jsonReply(e.Status, encodeMap(json.Marshal, e.Message, q.service.shapes+e.Code))
			out.header.Set("Content-Type", "application/x-amz-json-1.0")
			out.header.Set("X-Amzn-Query-Error", q.service.queryCode(e.Code)+who)
		}
		return out
	}
	if q.wire == wireQuery {
		old := *e
		old.Code = q.service.queryCode(e.Code)
		return q.asQuery().encodeError(q.requestID, &old)
	}
	write := json.Marshal
	if q.wire == wireCBOR {
		write = cborWriter.Marshal
	}
	out := q.typed(e.Status, encodeMap(write, e.Message, q.service.shapes+e.Code))
	out.header.Set("X-Amzn-Query-Error", e.Code+who)
	return out
}

// asQuery is the call's service as it was when it spoke query.
func (q *call) asQuery() *service {
	s := *q.service
	s.protocol, s.version = awsQuery, s.queryVersion
	return &s
}

func encodeMap(write func(any) ([]byte, error), message, kind string) []byte {
	body, _ := write(map[string]any{"__type": kind, "message": message}) // texts always marshal
	return body
}

// queryCode is the code that a refusal had when the service spoke query.
func (s *service) queryCode(code string) string {
	if old, ok := s.queryCodes[code]; ok {
		return old
	}
	return code
}

// typed is a reply with the headers of the call's spelling.
func (q *call) typed(status int, body []byte) *reply {
	h := http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
	if q.wire == wireCBOR {
		h = http.Header{"Content-Type": {cborType}, smithyKey: {smithyRPC}}
	}
	return &reply{status: status, header: h, body: body}
}

// instant is a time in an answer that is written in several spellings.
type instant struct{ time.Time }

// MarshalXML writes it as query services do.
func (i instant) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(timestamp(i.Time), start)
}

// elements lets plain see the list in the structure that query services wrap around it.
func (m members[T]) elements() any { return m.Members }

// plain makes the result of an operation maps, lists and scalars. Names are those of the XML; what is left out there is left
// out here.
func plain(v reflect.Value, moment func(time.Time) any) any {
	if !v.IsValid() {
		return map[string]any{}
	}
	switch x := v.Interface().(type) {
	case instant:
		return moment(x.Time)
	case interface{ elements() any }:
		return plain(reflect.ValueOf(x.elements()), moment)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return plain(v.Elem(), moment)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i), moment)
		}
		return list
	case reflect.Struct:
		return plainFields(v, moment)
	}
	return v.Interface()
}

func plainFields(v reflect.Value, moment func(time.Time) any) map[string]any {
	out := map[string]any{}
	for field, at := range v.Fields() {
		name, option, _ := strings.Cut(field.Tag.Get("xml"), ",")
		if name == "" {
			name = field.Name
		}
		if field.Anonymous {
			maps.Copy(out, plainFields(at, moment))
			continue
		}
		absent := at.Kind() == reflect.Pointer && at.IsNil() || option == "omitempty" && at.IsZero()
		if !absent {
			out[name] = plain(at, moment)
		}
	}
	return out
}
