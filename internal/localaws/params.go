package localaws

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// params is the tree that a request's dotted names spell: "Filter.1.Value.2" is the node "2" under "Value" under "1"
// under "Filter". The nil tree is empty, so that lookups can be chained. Values were checked against the operation's
// list before it runs (operation.go): reading an int or a bool cannot fail any more.
type params struct {
	value string
	set   bool // a value was given for exactly this name
	kids  map[string]*params
}

// parseParams builds the tree; a request in which a name is given twice was refused before.
func parseParams(form url.Values) *params {
	root := &params{}
	for name, values := range form {
		n := root
		for part := range strings.SplitSeq(name, ".") {
			kid := n.kids[part]
			if kid == nil {
				kid = &params{}
				if n.kids == nil {
					n.kids = map[string]*params{}
				}
				n.kids[part] = kid
			}
			n = kid
		}
		n.value, n.set = values[0], true
	}
	return root
}

// at follows a dotted name; nil when nothing of that name was given.
func (p *params) at(name string) *params {
	for part := range strings.SplitSeq(name, ".") {
		if p == nil {
			return nil
		}
		p = p.kids[part]
	}
	return p
}

// has reports whether a value, or anything below that name, was given.
func (p *params) has(name string) bool { return p.at(name) != nil }

// str is the value of that name, "" when it was not given.
func (p *params) str(name string) string {
	if n := p.at(name); n != nil {
		return n.value
	}
	return ""
}

// int is the value of that name, missing when it was not given.
func (p *params) int(name string, missing int) int {
	if n, err := strconv.Atoi(p.str(name)); err == nil {
		return n
	}
	return missing
}

// float is the value of that name, 0 when it was not given.
func (p *params) float(name string) float64 {
	f, _ := strconv.ParseFloat(p.str(name), 64)
	return f
}

// bool is the value of that name, missing when it was not given.
func (p *params) bool(name string, missing bool) bool {
	if b, err := strconv.ParseBool(p.str(name)); err == nil {
		return b
	}
	return missing
}

// structs are the elements of a list in the order of their numbers, in both spellings: EC2's flat "Tag.1.Key" and the
// other services' "Tags.member.1.Key".
func (p *params) structs(name string) []*params {
	list := p.at(name)
	if m := list.at("member"); m != nil {
		list = m
	}
	if list == nil {
		return nil
	}
	type element struct {
		index int
		node  *params
	}
	elements := make([]element, 0, len(list.kids))
	for key, kid := range list.kids {
		if i, err := strconv.Atoi(key); err == nil {
			elements = append(elements, element{i, kid})
		}
	}
	slices.SortFunc(elements, func(a, b element) int { return cmp.Compare(a.index, b.index) })
	out := make([]*params, len(elements))
	for i, e := range elements {
		out[i] = e.node
	}
	return out
}

// list are the values of a list of scalars, in the order of their numbers: list("InstanceId") reads InstanceId.1,
// InstanceId.2 …; list("LoadBalancerNames") reads LoadBalancerNames.member.1 ….
func (p *params) list(name string) []string {
	elements := p.structs(name)
	if len(elements) == 0 {
		return nil
	}
	out := make([]string, len(elements))
	for i, e := range elements {
		out[i] = e.value
	}
	return out
}

// members is one field of each structure in a list: members("Instances", "InstanceId") reads
// Instances.member.1.InstanceId ….
func (p *params) members(name, field string) []string {
	elements := p.structs(name)
	out := make([]string, len(elements))
	for i, e := range elements {
		out[i] = e.str(field)
	}
	return out
}
