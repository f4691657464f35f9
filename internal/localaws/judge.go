package localaws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"slipway.dev/slipway/internal/localaws/awsmodel"
)

// modelsVariable names the folder of AWS's own service models. Where it is set, every answer of every Cloud of the process is
// judged by them, and one that AWS's model of the operation does not allow ends the process.
const modelsVariable = "LOCALAWS_MODELS"

// judge holds answers to AWS's models; the nil judge finds nothing wrong.
type judge struct {
	models *awsmodel.Models
	fail   func(message string)

	seed   maphash.Seed
	mu     sync.Mutex
	passed map[uint64]bool // hashes of answers that were found good: most answers of a run are the same but for their id
}

// maxPassed bounds what is remembered of answers.
const maxPassed = 1 << 16

// processJudge is shared by every Cloud of the process, so that models are read once.
var processJudge = sync.OnceValue(func() *judge {
	folder := os.Getenv(modelsVariable)
	if folder == "" {
		return nil
	}
	models, err := awsmodel.Open(folder)
	if err != nil {
		crash(modelsVariable + "=" + folder + ": " + err.Error())
	}
	return newJudge(models, crash)
})

func newJudge(models *awsmodel.Models, fail func(string)) *judge {
	return &judge{models: models, fail: fail, seed: maphash.MakeSeed(), passed: map[uint64]bool{}}
}

// crash ends the process, whoever called: a panic in the caller's goroutine would be caught by an HTTP server, and the test that
// asked would only see a lost connection.
func crash(message string) {
	go panic(message)
	select {}
}

// check judges the answer to a call. An answer that a Fault made up is judged for its envelope, and not at all where it is none of
// AWS's: a bare HTTP error.
func (j *judge) check(q *call, failed *apiError, out *reply) {
	if j == nil || failed != nil && failed.Code == "" {
		return
	}
	hash := j.hash(q, failed, out)
	j.mu.Lock()
	good := j.passed[hash]
	j.mu.Unlock()
	if good {
		return
	}
	model, err := j.model(q)
	if err != nil {
		j.fail(err.Error())
	}
	if model == nil {
		return
	}
	answer := awsmodel.Answer{Operation: q.action, Status: out.status, Header: out.header, Body: out.body, EnvelopeOnly: failed != nil && failed.injected}
	if q.wire == wireCBOR {
		if answer.Header, answer.Body, err = cborAsJSON(out); err != nil {
			j.fail(fmt.Sprintf("%s answered %s with what is not CBOR: %s", q.service.name, q.action, err))
			return
		}
	}
	violation := model.Judge(answer)
	if violation != nil {
		j.fail(fmt.Sprintf("%s answered what AWS's model does not allow: %s\nHTTP status %d\n%s", q.service.name, violation, out.status, out.body))
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.passed) < maxPassed {
		j.passed[hash] = true
	}
}

// model is the model of the call's service in the spelling of the call. There is none for the query protocol of a service whose model
// has forgotten it: SQS in newer ones.
func (j *judge) model(q *call) (*awsmodel.Service, error) {
	if q.wire == wireJSON || q.wire == wireCBOR || q.wire == wireOwn && q.service.json10 {
		return j.models.JSONService(q.service.name, q.service.modelVersion())
	}
	model, err := j.models.Service(q.service.name, q.service.modelVersion())
	if err != nil || q.wire == wireQuery && !model.SpeaksXML() {
		return nil, err
	}
	return model, nil
}

// cborAsJSON writes an answer of Smithy RPC v2 as the JSON that says the same, which is what the models can judge.
func cborAsJSON(out *reply) (http.Header, []byte, error) {
	if out.header.Get("Content-Type") != cborType || out.header.Get(smithyKey) != smithyRPC {
		return nil, nil, fmt.Errorf("the headers are %v", out.header)
	}
	var value map[string]any
	if err := cborReader.Unmarshal(out.body, &value); err != nil {
		return nil, nil, err
	}
	body, err := json.Marshal(numbered(value))
	header := out.header.Clone()
	header.Set("Content-Type", "application/x-amz-json-1.0")
	return header, body, err
}

// numbered writes the times in a decoded value as JSON does.
func numbered(value any) any {
	switch v := value.(type) {
	case time.Time:
		return float64(v.UnixMilli()) / 1000
	case map[string]any:
		for name, inner := range v {
			v[name] = numbered(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = numbered(inner)
		}
	}
	return value
}

// hash is of all that is judged, without the request id where it is equal in header and body.
func (j *judge) hash(q *call, failed *apiError, out *reply) uint64 {
	var h maphash.Hash
	h.SetSeed(j.seed)
	injected := failed != nil && failed.injected
	for _, part := range []string{q.service.name, q.action, strconv.Itoa(int(q.wire)), strconv.Itoa(out.status), strconv.FormatBool(injected), out.header.Get("Content-Type")} {
		_, _ = h.WriteString(part + "\x00") // a hash never fails
	}
	_, _ = h.Write(bytes.ReplaceAll(out.body, []byte(q.requestID), nil))
	return h.Sum64()
}
