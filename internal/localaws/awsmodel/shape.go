package awsmodel

import (
	"fmt"
	"slices"
)

// shape is the compiled form of a value. Shapes refer to one another, also to themselves.
type shape struct {
	name     string
	kind     string // structure, list, map, string, boolean, integer, long, float, double, timestamp, blob
	format   string // of a timestamp, where the model names one
	enum     map[string]bool
	members  map[string]*member // of a structure, by its name on the wire of an answer
	required []string           // wire names
	element  *member            // of a list; of a map the value
	key      *member            // of a map
	flat     bool               // a list without an element around it
}

// member is one use of a shape: in a structure, a list or a map.
type member struct {
	*shape
	wire  string // its name in an answer; for the elements of a list, the name of each
	model string // its name in the model
	query string // its name in a request of the EC2 protocol
	flat  bool
}

// Operation is what a service can be asked.
type operation struct {
	name          string
	input, output *shape
	resultWrapper string
	errors        map[string]declared // by the code on the wire
}

// declared is an error that an operation declares.
type declared struct {
	*shape
	status int
}

// Service is the compiled model of one service. It never changes.
type Service struct {
	protocol    string // ec2, query, json
	namespace   string
	jsonVersion string
	operations  map[string]*operation
	declares    bool     // any errors at all
	codesOf     []string // the protocols whose common errors it may answer
}

// Has reports whether the service has an operation of that name.
func (s *Service) Has(name string) bool { return s.operations[name] != nil }

// SpeaksXML reports whether the model describes answers in XML, those of the EC2 and query protocols.
func (s *Service) SpeaksXML() bool { return s.protocol != protocolJSON }

// compiler turns the shapes of a model into ours.
type compiler struct {
	raw    *rawModel
	shapes map[string]*shape
}

func compile(raw *rawModel) (*Service, error) {
	s := &Service{protocol: raw.Metadata.Protocol, namespace: raw.Metadata.XMLNamespace, jsonVersion: raw.Metadata.JSONVersion,
		operations: map[string]*operation{}}
	judged := []string{protocolEC2, protocolQuery, protocolJSON}
	if i := slices.IndexFunc(raw.Metadata.Protocols, func(p string) bool { return slices.Contains(judged, p) }); i >= 0 && !slices.Contains(judged, s.protocol) {
		s.protocol = raw.Metadata.Protocols[i]
	}
	if !slices.Contains(judged, s.protocol) {
		return nil, fmt.Errorf("the protocol %q is not one that is judged", s.protocol)
	}
	s.codesOf = []string{s.protocol}
	if raw.moved {
		s.codesOf = append(s.codesOf, protocolQuery) // whose codes it keeps
	}
	c := compiler{raw, make(map[string]*shape, len(raw.Shapes))}
	for name := range raw.Shapes {
		c.shapes[name] = &shape{name: name}
	}
	for name, r := range raw.Shapes {
		if err := c.fill(c.shapes[name], r); err != nil {
			return nil, err
		}
	}
	for name, r := range raw.Operations {
		op, err := c.operation(name, r)
		if err != nil {
			return nil, err
		}
		s.operations[name] = op
		s.declares = s.declares || len(op.errors) > 0
	}
	return s, nil
}

func (c compiler) operation(name string, r rawOperation) (*operation, error) {
	op := &operation{name: name, errors: map[string]declared{}}
	if r.Input != nil {
		op.input = c.shapes[r.Input.Shape]
	}
	if r.Output != nil {
		op.output, op.resultWrapper = c.shapes[r.Output.Shape], r.Output.ResultWrapper
	}
	for _, ref := range r.Errors {
		raw := c.raw.Shapes[ref.Shape]
		if raw == nil {
			return nil, fmt.Errorf("%s declares %s, which has no shape", name, ref.Shape)
		}
		code, status := raw.Error.Code, raw.Error.HTTPStatusCode
		if code == "" {
			code = ref.Shape
		}
		if status == 0 {
			status = 400 // what AWS's JSON services answer an exception with that names no status
		}
		op.errors[code] = declared{c.shapes[ref.Shape], status}
	}
	return op, nil
}

func (c compiler) fill(s *shape, r *rawShape) error {
	s.kind, s.format, s.flat = r.Type, r.TimestampFormat, r.Flattened
	if len(r.Enum) > 0 {
		s.enum = make(map[string]bool, len(r.Enum))
		for _, value := range r.Enum {
			s.enum[value] = true
		}
	}
	var err error
	switch r.Type {
	case "structure":
		err = c.fillStructure(s, r)
	case "list":
		s.element, err = c.member("member", r.Member)
	case "map":
		if s.key, err = c.member("key", r.Key); err == nil {
			s.element, err = c.member("value", r.Value)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func (c compiler) fillStructure(s *shape, r *rawShape) error {
	s.members = make(map[string]*member, len(r.Members))
	wire := map[string]string{}
	for name, ref := range r.Members {
		m, err := c.member(name, &ref)
		if err != nil {
			return err
		}
		s.members[m.wire] = m
		wire[name] = m.wire
	}
	for _, name := range r.Required {
		if wire[name] == "" {
			return fmt.Errorf("requires %s, which is not a member", name)
		}
		s.required = append(s.required, wire[name])
	}
	return nil
}

func (c compiler) member(name string, r *rawRef) (*member, error) {
	if r == nil || c.shapes[r.Shape] == nil {
		return nil, fmt.Errorf("%s has no shape", name)
	}
	m := &member{shape: c.shapes[r.Shape], model: name, wire: name, query: r.QueryName, flat: r.Flattened}
	if r.LocationName != "" {
		m.wire = r.LocationName
	}
	if r.TimestampFormat != "" {
		own := *m.shape
		own.format, m.shape = r.TimestampFormat, &own
	}
	return m, nil
}
