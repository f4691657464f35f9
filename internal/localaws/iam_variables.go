package localaws

import (
	"fmt"
	"strings"
)

// checkVariables refuses policy variables that are not known here.
func checkVariables(text string) error {
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "${")
		if !found {
			return nil
		}
		variable, tail, closed := strings.Cut(after, "}")
		if !closed {
			return fmt.Errorf("the policy variable in %q is not closed", text)
		}
		name, _, _ := parseVariable(variable)
		if name != "*" && name != "?" && name != "$" && !knownKey(name) {
			return fmt.Errorf("the policy variable ${%s} is not simulated here", variable)
		}
		rest = tail
	}
}

// parseVariable reads what stands between the braces: a key, in lower case, and perhaps a default, as in
// aws:PrincipalTag/team, 'none'.
func parseVariable(variable string) (name, fallback string, hasFallback bool) {
	name, fallback, hasFallback = strings.Cut(variable, ",")
	return strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(fallback), "'"), hasFallback
}

// expand replaces the policy variables of a text by what the request has. Without wildcards the result is a plain text;
// with them it is a pattern for matches, in which what came from a variable stands for itself. A variable that the request
// has no value for makes the text match nothing.
func expand(text string, r *iamRequest, wildcards bool) (out string, ok bool) {
	var b strings.Builder
	plain := func(s string) {
		if wildcards {
			s = strings.ReplaceAll(s, `\`, `\\`) // IAM knows no escapes
		}
		b.WriteString(s)
	}
	literal := func(s string) {
		if wildcards {
			s = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`).Replace(s)
		}
		b.WriteString(s)
	}
	rest := text
	for {
		before, after, found := strings.Cut(rest, "${")
		plain(before)
		if !found {
			return b.String(), true
		}
		variable, tail, _ := strings.Cut(after, "}")
		rest = tail
		name, fallback, hasFallback := parseVariable(variable)
		value, known := r.keys[name]
		switch {
		case name == "*" || name == "?" || name == "$":
			literal(name)
		case known && len(value) == 1:
			literal(value[0])
		case hasFallback:
			literal(fallback)
		default:
			return "", false
		}
	}
}
