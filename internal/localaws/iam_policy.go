package localaws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// policy is an IAM policy document. What it says that is not known here is refused when it is read, and never ignored.
type policy struct{ statements []statement }

// statement is one of its statements. Of action and resource one is set, or its negation; a trust policy has principals in
// place of resources.
type statement struct {
	sid, effect             string
	actions, notActions     []string
	resources, notResources []string
	principals              []string // of AWS: accounts, ARNs or *
	trust                   bool
	conditions              []policyCondition
}

// policyKind is what a policy is for.
type policyKind int

const (
	identityPolicy policyKind = iota // what a principal may do
	trustPolicy                      // who may assume a role
)

// parsePolicy reads a document. Elements that it does not know are refused by name.
func parsePolicy(document string, kind policyKind) (*policy, error) {
	if err := oncePerObject(document); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	elements, err := readObject([]byte(document), "policy", "Version", "Id", "Statement")
	if err != nil {
		return nil, err
	}
	var version string
	if err := json.Unmarshal(elements["Version"], &version); elements["Version"] != nil && err != nil || version != "2012-10-17" {
		return nil, errors.New("policy: Version must be 2012-10-17; older versions know no policy variables")
	}
	p := &policy{}
	sids := map[string]bool{}
	for i, raw := range oneOrMany(elements["Statement"]) {
		where := fmt.Sprintf("policy: statement %d", i+1)
		s, err := parseStatement(raw, where, kind)
		if err != nil {
			return nil, err
		}
		if s.sid != "" && sids[s.sid] {
			return nil, fmt.Errorf("%s: the Sid %s is there twice", where, s.sid)
		}
		sids[s.sid] = true
		p.statements = append(p.statements, s)
	}
	if len(p.statements) == 0 {
		return nil, errors.New("policy: it has no Statement")
	}
	return p, nil
}

// oncePerObject refuses a name that is twice in one object: one of the two would be ignored.
func oncePerObject(document string) error {
	d := json.NewDecoder(strings.NewReader(document))
	var levels nesting
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = levels.enter(token)
		}
		if err != nil {
			return err
		}
	}
}

// nesting are the objects and lists around a token of JSON, from the outermost.
type nesting []*jsonLevel

type jsonLevel struct {
	names map[string]bool // nil in a list
	value bool            // the next token is the value of a name
}

// enter takes the next token.
func (n *nesting) enter(token json.Token) error {
	if len(*n) > 0 {
		top := (*n)[len(*n)-1]
		name, isText := token.(string)
		if isText && top.names != nil && !top.value {
			if top.names[name] {
				return fmt.Errorf("%q is there twice in one object", name)
			}
			top.names[name], top.value = true, true
			return nil
		}
		top.value = false
	}
	switch token {
	case json.Delim('{'):
		*n = append(*n, &jsonLevel{names: map[string]bool{}})
	case json.Delim('['):
		*n = append(*n, &jsonLevel{})
	case json.Delim('}'), json.Delim(']'):
		*n = (*n)[:len(*n)-1]
	}
	return nil
}

// readObject reads an object of which the names are known.
func readObject(raw []byte, where string, known ...string) (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%s: there is no element %q here; known are %s", where, name, listed(known))
		}
	}
	return out, nil
}

// oneOrMany reads what may be a list or one of its elements.
func oneOrMany(raw json.RawMessage) []json.RawMessage {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	return []json.RawMessage{raw}
}

// readTexts reads a text or a list of texts; numbers and booleans count as their text.
func readTexts(raw json.RawMessage, where string) ([]string, error) {
	var out []string
	for _, one := range oneOrMany(raw) {
		d := json.NewDecoder(bytes.NewReader(one))
		d.UseNumber()
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		switch value.(type) {
		case string, json.Number, bool:
			out = append(out, fmt.Sprint(value))
		default:
			return nil, fmt.Errorf("%s: %s is neither a text nor a list of texts", where, one)
		}
	}
	return out, nil
}

func parseStatement(raw json.RawMessage, where string, kind policyKind) (statement, error) {
	known := []string{"Sid", "Effect", "Action", "NotAction", "Condition"}
	if kind == trustPolicy {
		known = append(known, "Principal")
	} else {
		known = append(known, "Resource", "NotResource")
	}
	s := statement{trust: kind == trustPolicy}
	elements, err := readObject(raw, where, known...)
	if err != nil {
		return s, err
	}
	lists := map[string]*[]string{"Action": &s.actions, "NotAction": &s.notActions, "Resource": &s.resources, "NotResource": &s.notResources}
	for name, at := range lists {
		if *at, err = readTexts(elements[name], where+": "+name); err != nil {
			return s, err
		}
	}
	for name, at := range map[string]*string{"Sid": &s.sid, "Effect": &s.effect} {
		texts, err := readTexts(elements[name], where+": "+name)
		if err != nil || len(texts) > 1 {
			return s, fmt.Errorf("%s: %s must be one text", where, name)
		}
		*at = strings.Join(texts, "")
	}
	if s.principals, err = readPrincipals(elements["Principal"], where); err != nil {
		return s, err
	}
	if s.conditions, err = parseConditions(elements["Condition"], where); err != nil {
		return s, err
	}
	return s, s.check(where, elements)
}

// check refuses what AWS calls malformed.
func (s statement) check(where string, elements map[string]json.RawMessage) error {
	switch {
	case s.effect != "Allow" && s.effect != "Deny":
		return fmt.Errorf("%s: Effect must be Allow or Deny, and not %q", where, s.effect)
	case (len(s.actions) == 0) == (len(s.notActions) == 0):
		return fmt.Errorf("%s: it must have either Action or NotAction", where)
	case !s.trust && (len(s.resources) == 0) == (len(s.notResources) == 0):
		return fmt.Errorf("%s: it must have either Resource or NotResource", where)
	case s.trust && elements["Principal"] == nil:
		return fmt.Errorf("%s: a trust policy must have a Principal", where)
	}
	return s.checkNames(where)
}

// checkNames refuses actions and resources that name nothing.
func (s statement) checkNames(where string) error {
	for _, action := range slices.Concat(s.actions, s.notActions) {
		if err := checkAction(action); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	for _, resource := range slices.Concat(s.resources, s.notResources) {
		if err := checkResource(resource); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	return nil
}

func checkAction(action string) error {
	vendor, name, found := strings.Cut(action, ":")
	if action != "*" && (!found || vendor == "" || name == "") {
		return fmt.Errorf("the action %q has no service in front, as in ec2:RunInstances", action)
	}
	return nil
}

func checkResource(resource string) error {
	if resource != "*" && (!strings.HasPrefix(resource, "arn:") || strings.Count(resource, ":") < 5) {
		return fmt.Errorf("the resource %q is neither an ARN nor *", resource)
	}
	return checkVariables(resource)
}

// readPrincipals are those of kind AWS; services and identity providers call nothing here.
func readPrincipals(raw json.RawMessage, where string) ([]string, error) {
	if raw == nil {
		return nil, nil
	}
	if texts, err := readTexts(raw, where); err == nil {
		if len(texts) == 1 && texts[0] == "*" {
			return texts, nil
		}
		return nil, fmt.Errorf("%s: Principal must be * or an object", where)
	}
	kinds, err := readObject(raw, where+": Principal", "AWS", "Service", "Federated", "CanonicalUser")
	if err != nil {
		return nil, err
	}
	return readTexts(kinds["AWS"], where+": Principal")
}
