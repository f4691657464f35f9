package localaws

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBalancerTags is how many tags a load balancer or target group may have.
const maxBalancerTags = 50

// tagCharacters are what keys and values of tags consist of (AWS's models of both generations).
var tagCharacters = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// withoutDuplicateKeys are the operations that take tags and, by AWS's models, have no error of their own for a key given twice.
var withoutDuplicateKeys = []string{"CreateTargetGroup", "CreateListener", "CreateRule"}

// readBalancerTags adds the call's tags (Tags.member.N) to the present ones, which it does not change.
func readBalancerTags(q *call, present map[string]string) (map[string]string, *apiError) {
	out := maps.Clone(present)
	if out == nil {
		out = map[string]string{}
	}
	seen := map[string]bool{}
	for _, p := range q.structs("Tags") {
		key, value := p.str("Key"), p.str("Value")
		switch {
		case seen[key]:
			code := "DuplicateTagKeys"
			if slices.Contains(withoutDuplicateKeys, q.action) {
				code = "ValidationError"
			}
			return nil, refuse(code, "Tag key was specified more than once: %s", key)
		case key == "" || utf8.RuneCountInString(key) > 128 || utf8.RuneCountInString(value) > 256:
			return nil, refuse("ValidationError", "Tag keys have 1 to 128 characters and tag values at most 256: '%s'", key)
		case !tagCharacters.MatchString(key + value):
			return nil, refuse("ValidationError", "Tag keys and values have letters, digits, spaces and _.:/=+-@ alone: '%s'", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, refuse("ValidationError", "aws: prefixed tag key names are not allowed for external use.")
		}
		seen[key] = true
		out[key] = value
	}
	if len(out) > maxBalancerTags {
		return nil, refuse("TooManyTags", "The quota for the number of tags that can be assigned to a load balancer has been reached")
	}
	return out, nil
}

// tagsOnWire lists tags by key.
func tagsOnWire(tags map[string]string) members[keyValue] {
	out := members[keyValue]{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Members = append(out.Members, keyValue{key, tags[key]})
	}
	return out
}

// maxTagged is how many resources one tag call may name (API reference; both generations).
const maxTagged = 20

func (q *call) taggedClassics() ([]*classicBalancer, *apiError) {
	names := q.list("LoadBalancerNames")
	if len(names) > maxTagged {
		return nil, refuse("ValidationError", "Only %d load balancers can be named in one call", maxTagged)
	}
	return q.classicsNamed(names)
}

func addClassicTags(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.taggedClassics()
	if err != nil {
		return nil, err
	}
	changed := make([]map[string]string, len(found))
	for i, lb := range found {
		if changed[i], err = readBalancerTags(q, lb.tags); err != nil {
			return nil, err
		}
	}
	for i, lb := range found {
		lb.tags = changed[i]
		q.effect("tagged %s", lb.name)
	}
	return nil, nil
}

func removeClassicTags(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.taggedClassics()
	if err != nil {
		return nil, err
	}
	for _, lb := range found {
		lb.tags = maps.Clone(lb.tags)
		for _, key := range q.members("Tags", "Key") {
			delete(lb.tags, key)
		}
		q.effect("untagged %s", lb.name)
	}
	return nil, nil
}

type classicTags struct {
	LoadBalancerName string
	Tags             members[keyValue]
}

type classicTagDescriptions struct {
	TagDescriptions members[classicTags]
}

func describeClassicTags(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.taggedClassics()
	if err != nil {
		return nil, err
	}
	out := classicTagDescriptions{}
	for _, lb := range found {
		out.TagDescriptions.Members = append(out.TagDescriptions.Members, classicTags{lb.name, tagsOnWire(lb.tags)})
	}
	return out, nil
}
