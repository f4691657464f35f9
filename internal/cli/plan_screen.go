package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/plan"
)

// planScreen is a plan for people.
type planScreen struct {
	painter
	*plan.Plan
}

func (s planScreen) lines() []string {
	all := s.head()
	all = append(all, columns(s.pools())...)
	all = append(all, "")
	all = append(all, columns(s.fleets())...)
	all = append(all, "")
	all = append(all, s.calls()...)
	return append(all, s.end()...)
}

// head says what the plan is about, and where it comes from.
func (s planScreen) head() []string {
	from := s.Phase
	if from == "" {
		from = "no phase"
	}
	age := duration.HumanDuration(max(time.Duration(s.Source.Age), 0))
	lines := []string{
		fmt.Sprintf("%s, version %s: from %s to %s", s.Release, s.Version, from, s.To),
		fmt.Sprintf("As manager %s read it %s ago, at %s, under generation %d.",
			s.Source.Manager, age, s.Source.ReadAt.UTC().Format(time.RFC3339), s.Source.Generation),
	}
	if s.Effective != s.To && s.To != plan.Deleted && s.Effective != "" {
		lines = append(lines, s.in(bad, fmt.Sprintf("The phase that counts would be %s: %s", s.Effective, s.Why)))
	}
	return append(lines, "")
}

func (s planScreen) pools() [][]string {
	rows := append(make([][]string, 0, 1+len(s.Pools)), []string{"POOL", "USE", "NOW", "THEN"})
	for _, p := range s.Pools {
		now, then := shares(p.Before), shares(p.After)
		if p.Unread != "" {
			now, then = "not known", "not known"
		}
		rows = append(rows, []string{p.Name, p.Use, now, then})
	}
	return rows
}

// shares are who is in a pool: "2 × v1, 1 × v2 (none healthy), 1 of others".
func shares(in []plan.Share) string {
	var words []string
	for _, share := range in {
		n := len(share.Servers)
		switch {
		case share.Version == "":
			words = append(words, fmt.Sprintf("%d of others", n))
		case share.Healthy == n:
			words = append(words, fmt.Sprintf("%d × %s", n, share.Version))
		default:
			words = append(words, fmt.Sprintf("%d × %s (%d healthy)", n, share.Version, share.Healthy))
		}
	}
	if len(words) == 0 {
		return "nobody"
	}
	return strings.Join(words, ", ")
}

func (s planScreen) fleets() [][]string {
	rows := append(make([][]string, 0, 1+len(s.Fleets)), []string{"VERSION", "REVISION", "NOW", "THEN"})
	for _, f := range s.Fleets {
		rows = append(rows, []string{f.Version, f.Revision, fleetWords(f.Before), fleetWords(f.After)})
	}
	return rows
}

func fleetWords(f plan.FleetState) string {
	if len(f.Servers) == 0 {
		return "no servers"
	}
	return many(len(f.Servers), "server") + ", " + f.Role
}

// calls are the steps with their calls.
func (s planScreen) calls() []string {
	if len(s.Steps) == 0 {
		return []string{"No AWS call would be made."}
	}
	lines := []string{fmt.Sprintf("%s in %s; those of one step are made at once:", many(len(s.Calls()), "call"), many(len(s.Steps), "step"))}
	for n, step := range s.Steps {
		head := fmt.Sprintf("%d. %s", n+1, step.Stage)
		if n > 0 {
			head += fmt.Sprintf(", %s after the beginning at the earliest", time.Duration(step.NotBefore).Round(100*time.Millisecond))
		}
		lines = append(lines, "", head)
		reason := ""
		for _, call := range step.Calls {
			if call.Reason != reason {
				reason = call.Reason
				lines = append(lines, "   "+reason)
			}
			lines = append(lines, "     "+call.Service+" "+call.Operation)
			for _, key := range slices.Sorted(maps.Keys(call.Parameters)) {
				lines = append(lines, "       "+key+": "+parameter(call.Parameters[key]))
			}
		}
	}
	return lines
}

// parameter is a value as it is read most easily: ids in a row, tags as key=value, the rest as JSON.
func parameter(value any) string {
	list, is := value.([]any)
	if !is {
		return jsonOf(value)
	}
	words := make([]string, 0, len(list))
	for _, entry := range list {
		words = append(words, item(entry))
	}
	return strings.Join(words, " ")
}

// shape is how an object with these fields is read most easily.
type shape struct {
	fields []string
	text   func(map[string]any) string
}

// shapes are those of what lists hold; a function, because lists hold lists.
func shapes() []shape {
	return []shape{
		{[]string{"InstanceId"}, func(f map[string]any) string { return jsonOf(f["InstanceId"]) }},
		{[]string{"Id"}, func(f map[string]any) string { return jsonOf(f["Id"]) }},
		{[]string{"Id", "Port"}, func(f map[string]any) string { return jsonOf(f["Id"]) + ":" + jsonOf(f["Port"]) }},
		{[]string{"Key", "Value"}, func(f map[string]any) string { return jsonOf(f["Key"]) + "=" + jsonOf(f["Value"]) }},
		{[]string{"ResourceType", "Tags"}, func(f map[string]any) string { return jsonOf(f["ResourceType"]) + "{" + parameter(f["Tags"]) + "}" }},
	}
}

// item is one of a list.
func item(value any) string {
	fields, _ := value.(map[string]any)
	for _, shape := range shapes() {
		if slices.Equal(slices.Sorted(maps.Keys(fields)), shape.fields) {
			return shape.text(fields)
		}
	}
	return jsonOf(value)
}

// jsonOf is a text as it is, and anything else as JSON.
func jsonOf(value any) string {
	if text, is := value.(string); is {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// end says where that leads, what was taken for granted, and what to type.
func (s planScreen) end() []string {
	lines := []string{""}
	if s.Reached {
		lines = append(lines, "At the end: "+s.Outcome)
	} else {
		lines = append(lines, s.in(bad, "It goes no further by itself than: "+s.Outcome))
	}
	if len(s.Unforeseen) > 0 {
		lines = append(lines, "", "Taken for granted, or not foreseen:")
		for _, what := range s.Unforeseen {
			lines = append(lines, "  - "+what)
		}
	}
	return append(lines, "", "Nothing was changed."+s.command())
}

// command is what to type to have it done.
func (s planScreen) command() string {
	namespace, name, _ := strings.Cut(s.Release, "/")
	if !slices.Contains(s.Allowed, s.To) || s.Phase == s.To {
		return ""
	}
	for _, v := range verbs {
		if v.phase == v1alpha1.Phase(s.To) {
			return fmt.Sprintf(" To have it done: kubectl slipway %s %s -n %s", v.name, name, namespace)
		}
	}
	return " To have it done, set spec.phase to " + s.To + "."
}

// many is a number of things: "1 call", "2 calls".
func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
