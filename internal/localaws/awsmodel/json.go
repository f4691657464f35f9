package awsmodel

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// jsonAnswer judges an answer of the JSON protocol.
func jsonAnswer(body []byte, op *operation) *problem {
	object, p := parseObject(body)
	if p != nil {
		return p
	}
	return outputOf(op).jsonValue(object).at(op.name + "Result")
}

// parseObject reads a whole JSON document that is an object.
func parseObject(body []byte) (map[string]any, *problem) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, problemf("is not a JSON object: %s", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, problemf("goes on after its JSON object")
	}
	if object == nil {
		return nil, problemf("is null, not a JSON object")
	}
	return object, nil
}

// jsonError judges an error: an object with __type, and the members of the exception where the operation declares it.
func (s *Service) jsonError(a Answer, op *operation) *problem {
	object, p := parseObject(a.Body)
	if p != nil {
		return p
	}
	full, ok := object["__type"].(string)
	if !ok {
		return problemf("is missing, or no text").at("__type")
	}
	code := full[strings.LastIndex(full, "#")+1:] // some services send com.amazonaws.ssm#ParameterNotFound
	if p := s.code(a, op, code); p != nil {
		return p.at("__type")
	}
	delete(object, "__type")
	if op != nil {
		if e, ok := op.errors[code]; ok && len(e.members) > 0 {
			return exceptionMembers(e.shape, object)
		}
	}
	for name := range object {
		if name != "message" && name != "Message" {
			return problemf("is not a member of an error that is not declared").at(name)
		}
	}
	return nil
}

// exceptionMembers judges the members of a declared exception. Models say now message and now Message, and AWS's clients read both.
func exceptionMembers(s *shape, object map[string]any) *problem {
	object = maps.Clone(object)
	for _, pair := range [][2]string{{"message", "Message"}, {"Message", "message"}} {
		text, given := object[pair[0]]
		if given && s.members[pair[0]] == nil && s.members[pair[1]] != nil {
			delete(object, pair[0])
			object[pair[1]] = text
		}
	}
	return s.jsonValue(object)
}

// jsonValue judges one value by its shape.
func (s *shape) jsonValue(value any) *problem {
	switch v := value.(type) {
	case nil:
		return problemf("is null")
	case map[string]any:
		return s.jsonObject(v)
	case []any:
		if s.kind != "list" {
			return problemf("is a list, and not a %s", s.kind)
		}
		for i, element := range v {
			if p := s.element.jsonValue(element); p != nil {
				return p.at(strconv.Itoa(i))
			}
		}
		return nil
	case bool:
		if s.kind != "boolean" {
			return problemf("is a boolean, and not a %s", s.kind)
		}
		return nil
	case json.Number:
		return s.jsonNumber(v.String())
	case string:
		return s.jsonString(v)
	}
	return problemf("is a %T", value)
}

func (s *shape) jsonObject(object map[string]any) *problem {
	if s.kind != "structure" && s.kind != "map" {
		return problemf("is an object, and not a %s", s.kind)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := s.element
		if s.kind == "structure" {
			value = s.members[name]
		} else if p := s.key.jsonString(name); p != nil {
			return p.at(name)
		}
		if value == nil {
			return problemf("is not a member of %s", s.name).at(name)
		}
		if p := value.jsonValue(object[name]); p != nil {
			return p.at(name)
		}
	}
	for _, name := range s.required {
		if _, given := object[name]; !given {
			return problemf("is missing, and %s requires it", s.name).at(name)
		}
	}
	return nil
}

func (s *shape) jsonNumber(text string) *problem {
	switch s.kind {
	case "integer", "long", "float", "double":
		return s.scalar(text)
	case "timestamp":
		if s.format == "" || s.format == "unixTimestamp" {
			return nil // a number is what JSON's timestamps are
		}
	}
	return problemf("is a number, and not a %s", s.kind)
}

func (s *shape) jsonString(text string) *problem {
	switch s.kind {
	case "string", "character", "blob":
		return s.scalar(text)
	case "timestamp":
		if s.format != "" && s.format != "unixTimestamp" {
			return s.scalar(text)
		}
	}
	return problemf("is a text, and not a %s", s.kind)
}
