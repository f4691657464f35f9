package localaws

import (
	"maps"
	"strings"
)

// taggable finds the tags of a v2 resource by its ARN.
func (q *call) taggable(arn string) (*map[string]string, *apiError) {
	switch {
	case strings.Contains(arn, ":targetgroup/"):
		tg, err := q.targetGroup(arn)
		if err != nil {
			return nil, err
		}
		return &tg.tags, nil
	case strings.Contains(arn, ":listener-rule/"):
		r, err := q.rule(arn)
		if err != nil {
			return nil, err
		}
		return &r.tags, nil
	case strings.Contains(arn, ":listener/"):
		l, err := q.listener(arn)
		if err != nil {
			return nil, err
		}
		return &l.tags, nil
	}
	lb, err := q.loadBalancer(arn)
	if err != nil {
		return nil, err
	}
	return &lb.tags, nil
}

// taggables are the tags of all resources that the call names, at most 20.
func (q *call) taggables() ([]*map[string]string, *apiError) {
	arns := q.list("ResourceArns")
	if len(arns) > maxTagged {
		return nil, refuse("ValidationError", "Up to %d resources can be named in a single call", maxTagged)
	}
	out := make([]*map[string]string, len(arns))
	for i, arn := range arns {
		tags, err := q.taggable(arn)
		if err != nil {
			return nil, err
		}
		out[i] = tags
	}
	return out, nil
}

func addV2Tags(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.taggables()
	if err != nil {
		return nil, err
	}
	changed := make([]map[string]string, len(found))
	for i, tags := range found {
		if changed[i], err = readBalancerTags(q, *tags); err != nil {
			return nil, err
		}
	}
	for i, tags := range found {
		*tags = changed[i]
	}
	q.effect("tagged %s", strings.Join(q.list("ResourceArns"), ", "))
	return nil, nil
}

func removeV2Tags(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.taggables()
	if err != nil {
		return nil, err
	}
	for _, tags := range found {
		*tags = maps.Clone(*tags)
		for _, key := range q.list("TagKeys") {
			delete(*tags, key)
		}
	}
	q.effect("untagged %s", strings.Join(q.list("ResourceArns"), ", "))
	return nil, nil
}

// repeatsTags refuses a repeated creation with tags that the resource does not have: no page says what AWS makes of them, and here
// they would be lost. One with fewer tags loses nothing.
func (q *call) repeatsTags(present map[string]string, code, exists string, args ...any) *apiError {
	given, err := readBalancerTags(q, nil)
	if err != nil {
		return err
	}
	for key, value := range given {
		if old, has := present[key]; !has || old != value {
			return refuse(code, exists+", but with different tags", args...)
		}
	}
	return nil
}

type tagsOfResource struct {
	ResourceArn string
	Tags        members[keyValue]
}

type tagDescriptions struct {
	TagDescriptions members[tagsOfResource]
}

func describeV2Tags(_ *Cloud, q *call) (any, *apiError) {
	found, err := q.taggables()
	if err != nil {
		return nil, err
	}
	out := tagDescriptions{}
	for i, arn := range q.list("ResourceArns") {
		out.TagDescriptions.Members = append(out.TagDescriptions.Members, tagsOfResource{arn, tagsOnWire(*found[i])})
	}
	return out, nil
}
