package localaws

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxBody bounds a request; the largest lawful one (user data of 16 KiB, a thousand ids) is far smaller.
const maxBody = 4 << 20

// signatureParams are the parameters of query-string signatures, version 2 and 4; any signature is accepted.
var signatureParams = []string{
	"AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "Expires", "SecurityToken",
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Security-Token", "X-Amz-Signature",
	"X-Amz-SignedHeaders", regionSet,
}

// regionSet names the regions of a signature of version 4A, as a header or a parameter.
const regionSet = "X-Amz-Region-Set"

// decode turns a request into a call: POST with a form, GET with a query string, or JSON with a target. On an error
// the call still names its service, whose protocol the error is written in.
func (c *Cloud) decode(r *http.Request) (*call, *apiError) {
	q := &call{ctx: r.Context(), service: c.services[0], params: &params{}, base: baseOf(r)}
	if r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != "" { // none means GET, as in net/http
		return q, refuseWith(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not allowed; use GET or POST", r.Method)
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return q, c.decodeJSON(r, q, target)
	}
	if r.Header.Get(smithyKey) == smithyRPC {
		q.form = url.Values{}
		q.who.AccessKey, q.who.region = signer(r, nil)
		q.signed = signedAt(r, nil)
		return q, c.decodeCBOR(r, q)
	}
	return q, c.decodeQuery(r, q)
}

// decodeQuery reads a request of the query protocols.
func (c *Cloud) decodeQuery(r *http.Request, q *call) *apiError {
	form, err := readForm(r)
	if err != nil {
		return refuse("MalformedQueryString", "The request cannot be read: %s", err)
	}
	twice := givenTwice(form)
	action, version := form.Get("Action"), form.Get("Version")
	accessKey, region := signer(r, form)
	q.signed = signedAt(r, form)
	form.Del("Action")
	form.Del("Version")
	for _, name := range signatureParams {
		form.Del(name)
	}
	q.who.AccessKey, q.who.region = accessKey, region
	found := slices.IndexFunc(c.services, func(s *service) bool { return s.speaksQuery(version) })
	if found >= 0 {
		q.service = c.services[found]
	}
	if found >= 0 && q.service.protocol == awsJSON {
		q.wire, form = wireQuery, renamed(form)
		twice = cmp.Or(twice, givenTwice(form))
	}
	q.action, q.form, q.params = action, form, parseParams(form)
	switch {
	case action == "":
		return refuse("MissingAction", "The request must contain the parameter Action")
	case found < 0:
		return refuse("NoSuchVersion", "The requested version (%s) is not one of those that are simulated", version)
	case twice != "":
		return refuse("InvalidQueryParameter", "The parameter %s is given more than once", twice)
	}
	return nil
}

// givenTwice is the first parameter by name with more than one value, of which all but the first would be lost.
func givenTwice(form url.Values) string {
	first := ""
	for name, values := range form {
		if len(values) > 1 && (first == "" || name < first) {
			first = name
		}
	}
	return first
}

// readBody refuses a body that is too long: a part of it would be another request.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if len(body) > maxBody {
		return nil, fmt.Errorf("the body has more than %d bytes", maxBody)
	}
	return body, err
}

// speaksQuery tells whether requests with that version are for the service.
func (s *service) speaksQuery(version string) bool {
	return s.version == version && s.protocol != awsJSON || s.queryVersion == version && version != ""
}

// baseOf is the address that the client knows us by.
func baseOf(r *http.Request) string {
	scheme, host := "http://", cmp.Or(r.Host, r.URL.Host)
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + host
}

func readForm(r *http.Request) (url.Values, error) {
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || r.Method != http.MethodPost || r.Body == nil {
		return form, err
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "" && kind != "application/x-www-form-urlencoded" {
		return nil, fmt.Errorf("the content type %q is neither a form nor JSON with an X-Amz-Target", kind)
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	posted, err := url.ParseQuery(string(body))
	for name, values := range posted {
		form[name] = append(form[name], values...)
	}
	return form, err
}

// decodeJSON reads a JSON request; its members become parameters named like those of query services, so that
// operations of all protocols read them alike.
func (c *Cloud) decodeJSON(r *http.Request, q *call, target string) *apiError {
	prefix, action, _ := strings.Cut(target, ".")
	service, found := c.targeted(prefix)
	q.service, q.action, q.form = service, action, url.Values{}
	q.who.AccessKey, q.who.region = signer(r, nil)
	q.signed = signedAt(r, nil)
	if service.protocol != awsJSON {
		q.wire = wireJSON
	}
	if !found {
		return refuse("UnknownOperationException", "The target %s is not one of those that are simulated", target)
	}
	raw, err := readBody(r)
	if err != nil {
		return refuse("SerializationException", "The request cannot be read: %s", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var body map[string]any
	if err := decoder.Decode(&body); err != nil {
		return refuse("SerializationException", "The request is not a JSON object: %s", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return refuse("SerializationException", "The request has more after its JSON object")
	}
	q.take(body)
	return nil
}

// flatten writes a value of JSON or CBOR as parameters: objects as dotted names, lists as numbers from 1, after the name that
// the service's lists have. Nulls mean absent, as do objects and lists with nothing in them: their names are the answer, so
// that unknown ones can be refused.
func flatten(form url.Values, name, list string, value any) (empty []string) {
	switch v := value.(type) {
	case nil:
		return []string{name}
	case map[string]any:
		for key, element := range v {
			empty = append(empty, flatten(form, name+"."+key, list, element)...)
		}
		if len(v) == 0 {
			return []string{name}
		}
	case []any:
		for i, element := range v {
			empty = append(empty, flatten(form, name+list+"."+strconv.Itoa(i+1), list, element)...)
		}
		if len(v) == 0 {
			return []string{name}
		}
	case float64:
		form.Set(name, strconv.FormatFloat(v, 'f', -1, 64))
	case bool:
		form.Set(name, strconv.FormatBool(v))
	default:
		form.Set(name, fmt.Sprint(v))
	}
	return empty
}

// signer reads who signed the request, and for which region, from the Authorization header or the query string
// (signature version 4), or only who (version 2). Both are empty for an unsigned request.
func signer(r *http.Request, form url.Values) (accessKey, region string) {
	auth := r.Header.Get("Authorization")
	if _, rest, found := strings.Cut(auth, "Credential="); found {
		scope, _, _ := strings.Cut(rest, ",")
		return parseScope(scope, r.Header.Get(regionSet))
	}
	if rest, found := strings.CutPrefix(auth, "AWS "); found {
		accessKey, _, _ = strings.Cut(rest, ":")
		return accessKey, ""
	}
	if scope := form.Get("X-Amz-Credential"); scope != "" {
		return parseScope(scope, form.Get(regionSet))
	}
	return form.Get("AWSAccessKeyId"), ""
}

// parseScope reads key/date/region/service/aws4_request. The scope of version 4A has no region, because such a signature may be for
// several: a set that is one exact region means that one; of a pattern or a list the local AWS takes none, and so its own.
func parseScope(scope, set string) (accessKey, region string) {
	parts := strings.Split(strings.TrimSpace(scope), "/")
	several := len(parts) == 4 && parts[3] == "aws4_request"
	switch {
	case several && !strings.ContainsAny(set, "*,"):
		return parts[0], strings.TrimSpace(set)
	case several || len(parts) < 3:
		return parts[0], ""
	}
	return parts[0], parts[2]
}
