package localaws

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// AWS's limits for tags (EC2 user guide, tag restrictions).
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// tagged is what carries tags: one EC2 resource. Guarded by Cloud.mu.
type tagged struct {
	id   string
	kind string // AWS's resource type: instance, volume, network-interface, image, subnet …
	tags map[string]string

	past []pastTags // by time: what readers saw, or still see
}

// pastTags are the tags that readers see until a moment, for Knobs.TagLag and Fault.Stale.
type pastTags struct {
	until time.Time
	tags  map[string]string
}

// newTagged makes a resource known to the tagging calls. Called with Cloud.mu held.
func (r *realm) newTagged(id, kind string, tags map[string]string) *tagged {
	t := &tagged{id: id, kind: kind, tags: maps.Clone(tags)}
	if t.tags == nil {
		t.tags = map[string]string{}
	}
	r.tagged[id] = t
	return t
}

// visibleTags are the tags as a reader sees them now.
func (t *tagged) visibleTags(now time.Time) map[string]string {
	for _, p := range t.past {
		if now.Before(p.until) {
			return p.tags
		}
	}
	return t.tags
}

// changeTags applies a change, which readers see after the lag.
func (t *tagged) changeTags(now time.Time, lag time.Duration, change func(map[string]string)) {
	t.past = slices.DeleteFunc(t.past, func(p pastTags) bool { return now.Sub(p.until) > maxStale })
	if i := slices.IndexFunc(t.past, func(p pastTags) bool { return now.Before(p.until) }); i >= 0 {
		t.past = t.past[:i+1] // a change that nobody has seen yet is seen with this one
		t.past[i].until = now.Add(lag)
	} else {
		t.past = append(t.past, pastTags{now.Add(lag), maps.Clone(t.tags)})
	}
	change(t.tags)
}

// tagXML is one element of a tagSet.
type tagXML struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func tagSet(tags map[string]string) items[tagXML] {
	set := make([]tagXML, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		set = append(set, tagXML{key, tags[key]})
	}
	return itemsOf(set)
}

// readTags reads and checks a list of tags ("Tag.1.Key", "Tag.1.Value"). reserved is how the calling operation words
// the refusal of keys that begin with aws:.
func readTags(p *params, reserved func(key string) *apiError) (map[string]string, *apiError) {
	tags := map[string]string{}
	for _, t := range p.structs("Tag") {
		key, value := t.str("Key"), t.str("Value")
		switch {
		case key == "":
			return nil, refuse("InvalidParameterValue", "Tag key cannot be empty")
		case reservedTag(key):
			return nil, reserved(key)
		case utf8.RuneCountInString(key) > maxTagKey:
			return nil, refuse("InvalidParameterValue", "Tag key exceeds the maximum length of %d characters", maxTagKey)
		case utf8.RuneCountInString(value) > maxTagValue:
			return nil, refuse("InvalidParameterValue", "Tag value exceeds the maximum length of %d characters", maxTagValue)
		}
		if _, twice := tags[key]; twice {
			return nil, refuse("InvalidParameterValue", "Duplicate tag key '%s' specified.", key)
		}
		tags[key] = value
	}
	if len(tags) > maxTags {
		return nil, tooManyTags()
	}
	return tags, nil
}

// countTags leaves out the tags that AWS made itself (EC2 user guide, tag restrictions).
func (t *tagged) countTags() (n int) {
	for key := range t.tags {
		if !reservedTag(key) {
			n++
		}
	}
	return n
}

func reservedTag(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }

func tooManyTags() *apiError {
	return refuse("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
}

func reservedKey(key string) *apiError {
	return refuse("InvalidParameterValue",
		"Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", key)
}

var createTags = operation{
	params:  []string{"DryRun:bool", "ResourceId.N!", "Tag.N.Key!", "Tag.N.Value"},
	mutates: true,
	run: func(c *Cloud, q *call) (any, *apiError) {
		tags, err := readTags(q.params, reservedKey)
		if err != nil {
			return nil, err
		}
		resources, err := q.taggedResources()
		if err != nil {
			return nil, err
		}
		for _, t := range resources {
			after := t.countTags()
			for key := range tags {
				if _, has := t.tags[key]; !has {
					after++
				}
			}
			if after > maxTags {
				return nil, tooManyTags()
			}
		}
		if err := q.dryRun(); err != nil {
			return nil, err
		}
		for _, t := range resources {
			t.changeTags(q.at, c.knobs.TagLag, func(m map[string]string) { maps.Copy(m, tags) })
		}
		q.effect("tagged %s", strings.Join(q.list("ResourceId"), ", "))
		return returned{true}, nil
	},
}

var deleteTags = operation{
	params:  []string{"DryRun:bool", "ResourceId.N!", "Tag.N.Key", "Tag.N.Value"},
	mutates: true,
	run: func(c *Cloud, q *call) (any, *apiError) {
		resources, err := q.taggedResources()
		if err != nil {
			return nil, err
		}
		wanted := q.structs("Tag")
		for _, w := range wanted {
			if key := w.str("Key"); reservedTag(key) {
				return nil, reservedKey(key)
			}
		}
		if err := q.dryRun(); err != nil {
			return nil, err
		}
		for _, t := range resources {
			t.changeTags(q.at, c.knobs.TagLag, func(m map[string]string) { removeTags(m, wanted) })
		}
		q.effect("untagged %s", strings.Join(q.list("ResourceId"), ", "))
		return returned{true}, nil
	},
}

// removeTags deletes the named tags; one that is given with a value only if it has that value, and all of them if none
// is named (SDK documentation of DeleteTags).
func removeTags(tags map[string]string, wanted []*params) {
	if len(wanted) == 0 {
		maps.DeleteFunc(tags, func(key, _ string) bool { return !reservedTag(key) })
		return
	}
	for _, w := range wanted {
		key := w.str("Key")
		if !w.has("Value") || tags[key] == w.str("Value") {
			delete(tags, key)
		}
	}
}

// taggedResources finds what CreateTags and DeleteTags name; one unknown id fails the call.
func (q *call) taggedResources() ([]*tagged, *apiError) {
	ids := q.list("ResourceId")
	if len(ids) > maxIDs {
		return nil, tooManyIDs(len(ids), maxIDs)
	}
	out := make([]*tagged, 0, len(ids))
	for _, id := range ids {
		if strings.HasPrefix(id, "i-") {
			if _, err := q.mutableInstances([]string{id}); err != nil {
				return nil, err
			}
		}
		t, ok := q.realm.tagged[id]
		if !ok {
			return nil, unknownResource(id)
		}
		out = append(out, t)
	}
	return out, nil
}

func unknownResource(id string) *apiError {
	if prefix, _, found := strings.Cut(id, "-"); found {
		for _, kind := range idKinds {
			if kind.prefix == prefix {
				return kind.notFound([]string{id})
			}
		}
	}
	return refuse("InvalidID", "The ID '%s' is not valid", id)
}

// tagLine is one tag of one resource, as DescribeTags lists it.
type tagLine struct {
	ResourceID   string `xml:"resourceId"`
	ResourceType string `xml:"resourceType"`
	Key          string `xml:"key"`
	Value        string `xml:"value"`
}

var tagFilters = filterable[tagLine]{fields: map[string]func(tagLine) []string{
	"key":           func(l tagLine) []string { return []string{l.Key} },
	"resource-id":   func(l tagLine) []string { return []string{l.ResourceID} },
	"resource-type": func(l tagLine) []string { return []string{l.ResourceType} },
	"value":         func(l tagLine) []string { return []string{l.Value} },
}, tags: func(l tagLine, _ time.Time) map[string]string { return map[string]string{l.Key: l.Value} }}

var describeTags = operation{
	params: []string{"DryRun:bool", "Filter.N.Name", "Filter.N.Value.N", "MaxResults:int", "NextToken"},
	run: func(_ *Cloud, q *call) (any, *apiError) {
		keep, err := tagFilters.compile(q)
		if err != nil {
			return nil, err
		}
		var lines []tagLine
		for _, id := range slices.Sorted(maps.Keys(q.realm.tagged)) {
			t := q.realm.tagged[id]
			if in, isInstance := q.realm.instances[id]; isInstance && !in.visible(q.at) {
				continue
			}
			tags := t.visibleTags(q.at)
			for _, key := range slices.Sorted(maps.Keys(tags)) {
				if line := (tagLine{id, t.kind, key, tags[key]}); keep(line) {
					lines = append(lines, line)
				}
			}
		}
		lines, next, err := page(q, lines, func(l tagLine) string { return l.ResourceID + "\x00" + l.Key })
		if err != nil {
			return nil, err
		}
		return struct {
			Tags items[tagLine] `xml:"tagSet"`
			Next string         `xml:"nextToken,omitempty"`
		}{itemsOf(lines), next}, nil
	},
}
