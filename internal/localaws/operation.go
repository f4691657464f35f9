package localaws

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// operation is one API of a service.
type operation struct {
	// params lists what the operation understands; anything else is refused by name. Each entry is a name as on the
	// wire with N for a list index ("Filter.N.Value.N", "Instances.member.N.InstanceId"), then optionally its type
	// (":int", ":float", ":bool", ":time"; text otherwise), then optionally "!" if a request without it is refused. For a
	// required list the entry of its first element counts ("InstanceId.N!").
	params []string
	// mutates says that the operation changes the world.
	mutates bool
	// run does the work, with Cloud.mu held. The result is encoded after the lock was released, so it must not share
	// memory with the world that changes later. A nil result is an answer without members.
	run func(c *Cloud, q *call) (any, *apiError)

	// await is what a call waits for before it runs, without the lock; nil: nothing.
	await func(c *Cloud, q *call) error

	allowed  map[string]paramRule // from params
	required []string
}

// paramRule is one compiled entry of operation.params.
type paramRule struct{ kind string }

// service is one API endpoint, told from the others on the same URL by its version or target.
type service struct {
	name       string // in ledger, faults and hooks: ec2, elb, elbv2, ssm, sts, cloudwatch, sqs
	iam        string // the prefix of its IAM actions
	version    string // the Version parameter; for JSON services the prefix of X-Amz-Target
	target     string // of a query service that speaks JSON and RPC v2 too: the prefix of X-Amz-Target, and the name in the path
	namespace  string // of its XML
	protocol   protocol
	operations map[string]operation
	model      string // the API version of its model, where version is something else

	queryVersion string            // of a JSON service that speaks query too
	json10       bool              // its JSON is version 1.0
	shapes       string            // the namespace of its error types in JSON 1.0 and CBOR
	queryCodes   map[string]string // the codes that its refusals had in its query protocol, where they differ
}

// modelVersion is the API version that the service's model in AWS's files has.
func (s *service) modelVersion() string { return cmp.Or(s.model, s.version) }

// allServices are the compiled tables, which never change: every Cloud of the process shares them.
var allServices = sync.OnceValue(newServices)

func newServices() []*service {
	services := []*service{
		{name: "ec2", iam: "ec2", version: "2016-11-15", namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
			protocol: ec2Query, operations: ec2Operations()},
		{name: "elb", iam: "elasticloadbalancing", version: "2012-06-01", protocol: awsQuery,
			namespace: "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/", operations: classicOperations()},
		{name: "elbv2", iam: "elasticloadbalancing", version: "2015-12-01", protocol: awsQuery,
			namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", operations: elbv2Operations()},
		{name: "sts", iam: "sts", version: "2011-06-15", namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
			protocol: awsQuery, operations: stsOperations()},
		{name: "ssm", iam: "ssm", version: "AmazonSSM", model: "2014-11-06", protocol: awsJSON, operations: ssmOperations()},
		{name: "cloudwatch", iam: "cloudwatch", version: "2010-08-01", target: "GraniteServiceVersion20100801", protocol: awsQuery,
			namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/", shapes: "com.amazonaws.cloudwatch#", operations: cloudWatchOperations()},
		{name: "sqs", iam: "sqs", version: "AmazonSQS", model: "2012-11-05", queryVersion: "2012-11-05", protocol: awsJSON, json10: true,
			namespace: "http://queue.amazonaws.com/doc/2012-11-05/", shapes: "com.amazonaws.sqs#",
			queryCodes: sqsQueryCodes, operations: sqsOperations()},
	}
	for _, s := range services {
		for name, op := range s.operations {
			op.compile()
			s.operations[name] = op
		}
	}
	return services
}

func (op *operation) compile() {
	op.allowed = make(map[string]paramRule, len(op.params))
	for _, entry := range op.params {
		name, required := strings.CutSuffix(entry, "!")
		name, kind, _ := strings.Cut(name, ":")
		op.allowed[name] = paramRule{kind: kind}
		if required {
			op.required = append(op.required, name)
		}
		// Query clients spell an empty list as the bare name of the list: "Instances=".
		if list, _, found := strings.Cut(name, ".member.N"); found {
			if _, taken := op.allowed[list]; !taken {
				op.allowed[list] = paramRule{kind: "empty"}
			}
		}
	}
}

// call is one decoded request on its way through the operation.
type call struct {
	*params

	ctx        context.Context
	service    *service
	action     string
	wire       wire
	base       string     // the address that the client knows us by
	form       url.Values // every parameter as on the wire, without Action, Version and signature
	empty      []string   // members of a JSON or CBOR request with nothing in them
	who        Caller
	credential credential // of who
	realm      *realm
	signed     time.Time // by the signer's clock; zero for an unsigned request
	requestID  string
	at         time.Time // when the operation ran; for a stale read, the moment that it sees
	date       time.Time // by AWS's clock, for the answer
	past       bool      // it is a stale read
	effects    []string
	fault      string // that happens to it
	settings   string // of the applications on servers that the call launches: see Fault.Launch
	twice      bool   // see Fault.Twice

	template        *launchTemplate // that a launch takes parameters from
	templateVersion *templateVersion
}

// effect notes, for the ledger, what the call did to the world, in words.
func (q *call) effect(format string, args ...any) {
	q.effects = append(q.effects, fmt.Sprintf(format, args...))
}

// check refuses what the operation does not list, what is not of its type, and what is missing.
func (op *operation) check(q *call) *apiError {
	if wrong := op.wrong(q); len(wrong) > 0 {
		return op.complain(q, slices.Min(wrong))
	}
	for _, name := range op.required {
		if !q.given(name) {
			return q.service.protocol.missingParameter(plainName(name))
		}
	}
	return nil
}

// wrong are the parameters that the operation does not list, or that are not of their type.
func (op *operation) wrong(q *call) (names []string) {
	for name, values := range q.form {
		rule, known := op.allowed[pattern(name)]
		bad := !known || rule.kind == "empty" && values[0] != "" || !rule.accepts(values[0])
		if bad {
			names = append(names, name)
		}
	}
	for _, name := range q.empty {
		if !op.knows(name) {
			names = append(names, name)
		}
	}
	return names
}

// knows tells whether the operation lists that name, or anything within it.
func (op *operation) knows(name string) bool {
	name = pattern(name)
	for known := range op.allowed {
		if known == name || strings.HasPrefix(known, name+".") {
			return true
		}
	}
	return false
}

// complain words the refusal of one parameter.
func (op *operation) complain(q *call, name string) *apiError {
	rule, known := op.allowed[pattern(name)]
	if !known || rule.kind == "empty" {
		return q.service.protocol.unknownParameter(name)
	}
	return q.service.protocol.malformedParameter(name, q.str(name), rule.kind)
}

// given reports whether a required entry of params is there, in each element of the lists on its way.
func (p *params) given(name string) bool {
	list, rest, isList := strings.Cut(name+".", ".N.")
	if !isList {
		return p.has(name)
	}
	elements := p.structs(strings.TrimSuffix(list, ".member"))
	for _, e := range elements {
		if rest != "" && !e.given(strings.TrimSuffix(rest, ".")) {
			return false
		}
	}
	return len(elements) > 0
}

func (r paramRule) accepts(value string) bool {
	var err error
	switch r.kind {
	case "int":
		_, err = strconv.ParseInt(value, 10, 32)
	case "float":
		var f float64
		f, err = strconv.ParseFloat(value, 64)
		return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case "bool":
		_, err = strconv.ParseBool(value)
	case "time":
		_, err = time.Parse(time.RFC3339, value)
	}
	return err == nil
}

// pattern writes N for each list index in a parameter's name. What no list can have as an index, a number too big or N
// itself, gives a name that no operation knows: the element would be lost.
func pattern(name string) string {
	if !strings.ContainsAny(name, "0123456789N") {
		return name
	}
	parts := strings.Split(name, ".")
	for i, part := range parts {
		switch {
		case i == 0:
		case part == "N":
			parts[i] = "(N)"
		case isIndex(part):
			parts[i] = "N"
		}
	}
	return strings.Join(parts, ".")
}

// isIndex tells whether structs reads the text as the number of an element.
func isIndex(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil && isNumber(s)
}

// plainName is the name of a parameter in the text of an error, without list indices.
func plainName(name string) string {
	return strings.TrimSuffix(strings.ReplaceAll(strings.ReplaceAll(name+".", ".member.N.", "."), ".N.", "."), ".")
}

func isNumber(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
