package awsmodel

import "strings"

// xmlValue judges one element by its shape.
func (s *shape) xmlValue(n *node) *problem {
	switch {
	case n.space != "" || n.other:
		return problemf("has attributes")
	case len(n.kids) > 0 && strings.TrimSpace(n.text) != "":
		return problemf("has text between its elements")
	}
	switch s.kind {
	case "structure":
		return s.xmlStructure(n)
	case "list":
		return s.xmlList(n)
	case "map":
		return s.xmlMap(n)
	}
	if len(n.kids) > 0 {
		return problemf("has elements, and is a %s", s.kind)
	}
	return s.scalar(n.text)
}

func (s *shape) xmlStructure(n *node) *problem {
	if len(n.kids) == 0 && strings.TrimSpace(n.text) != "" {
		return problemf("has text, and is a structure")
	}
	seen := make(map[string]bool, len(n.kids))
	for _, kid := range n.kids {
		if p := s.xmlMember(kid, seen); p != nil {
			return p.at(kid.name)
		}
	}
	for _, name := range s.required {
		if !seen[name] {
			return problemf("is missing, and %s requires it", s.name).at(name)
		}
	}
	return nil
}

// xmlMember judges one element of a structure; those of a list without an element around it may be many.
func (s *shape) xmlMember(n *node, seen map[string]bool) *problem {
	m := s.members[n.name]
	if m == nil {
		return problemf("is not a member of %s", s.name)
	}
	if m.kind == "list" && (m.flat || m.shape.flat) {
		seen[n.name] = true
		return m.element.xmlValue(n)
	}
	if seen[n.name] {
		return problemf("is there twice")
	}
	seen[n.name] = true
	return m.xmlValue(n)
}

func (s *shape) xmlList(n *node) *problem {
	if len(n.kids) == 0 && strings.TrimSpace(n.text) != "" {
		return problemf("has text, and is a list")
	}
	for _, kid := range n.kids {
		if kid.name != s.element.wire {
			return problemf("the elements of %s are called %s", s.name, s.element.wire).at(kid.name)
		}
		if p := s.element.xmlValue(kid); p != nil {
			return p.at(kid.name)
		}
	}
	return nil
}

func (s *shape) xmlMap(n *node) *problem {
	for _, kid := range n.kids {
		if kid.name != "entry" || !kid.has(s.key.wire, s.element.wire) {
			return problemf("the elements of %s are entry with %s and %s", s.name, s.key.wire, s.element.wire).at(kid.name)
		}
		if p := s.key.xmlValue(kid.kids[0]); p != nil {
			return p.at(s.key.wire).at("entry")
		}
		if p := s.element.xmlValue(kid.kids[1]); p != nil {
			return p.at(s.element.wire).at("entry")
		}
	}
	return nil
}
