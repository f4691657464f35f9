package awsmodel

import (
	"slices"
	"strings"
)

// Inputs are all parameters of an operation's request as they are spelled on the wire, with N for the index of a list:
// Filter.N.Value.N for EC2, Tags.member.N.Key for the query services. The members of a JSON request are joined by dots in the same
// way, with key for the key of a map. A shape that holds itself is listed once.
func (s *Service) Inputs(operation string) []string {
	op := s.operations[operation]
	if op == nil || op.input == nil {
		return nil
	}
	l := inputLister{protocol: s.protocol}
	l.list(op.input, "")
	slices.Sort(l.names)
	return slices.Compact(l.names)
}

type inputLister struct {
	protocol string
	names    []string
	within   []*shape // the structures around the one that is listed
}

// list adds the names of a shape's scalars; prefix is the name of the shape itself.
func (l *inputLister) list(s *shape, prefix string) {
	switch s.kind {
	case "structure":
		if slices.Contains(l.within, s) {
			return
		}
		l.within = append(l.within, s)
		for _, m := range s.members {
			l.list(m.shape, strings.TrimPrefix(prefix+"."+l.spell(m), "."))
		}
		l.within = l.within[:len(l.within)-1]
	case "list":
		l.list(s.element.shape, l.element(s, prefix))
	case "map":
		if l.protocol == protocolJSON {
			l.list(s.element.shape, prefix+".key")
			return
		}
		l.list(s.key.shape, prefix+".entry.N."+s.key.wire)
		l.list(s.element.shape, prefix+".entry.N."+s.element.wire)
	default:
		l.names = append(l.names, prefix)
	}
}

// spell is the name of a member in a request. EC2's are not those of its answers: an upper-case letter, or a name of their own.
func (l *inputLister) spell(m *member) string {
	if l.protocol != protocolEC2 {
		return m.wire
	}
	if m.query != "" {
		return m.query
	}
	return strings.ToUpper(m.wire[:1]) + m.wire[1:]
}

// element is the name of a list's elements. EC2's and JSON's lists have no element between, the query services' have member.
func (l *inputLister) element(s *shape, prefix string) string {
	if l.protocol == protocolQuery && !s.flat {
		return prefix + "." + s.element.wire + ".N"
	}
	return prefix + ".N"
}
