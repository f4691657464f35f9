package localaws

import "testing"

// The wildcards of the EC2 Describe filters, from the SDK's documentation of DescribeInstances and the EC2 user guide.
func TestMatches(t *testing.T) {
	tests := map[string]struct {
		pattern, s string
		want       bool
	}{
		"equal":                       {"web", "web", true},
		"case counts":                 {"web", "Web", false},
		"prefix alone is not enough":  {"web", "web-1", false},
		"star":                        {"web-*", "web-1", true},
		"star matches nothing":        {"web*", "web", true},
		"star in the middle":          {"w*b", "w-e-b", true},
		"two stars":                   {"*a*b*", "xaxxbx", true},
		"two stars, wrong order":      {"*a*b*", "xbxxax", false},
		"star must go back":           {"*ab", "aab", true},
		"question mark":               {"web-?", "web-1", true},
		"question mark needs one":     {"web-?", "web-", false},
		"escaped star":                {`web-\*`, "web-*", true},
		"escaped star is no wildcard": {`web-\*`, "web-1", false},
		"escaped backslash":           {`a\\b`, `a\b`, true},
		"trailing backslash":          {`a\`, `a\`, true},
		"empty pattern":               {"", "", true},
		"empty pattern, some text":    {"", "a", false},
		"only stars":                  {"**", "", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := matches(tc.pattern, tc.s); got != tc.want {
				t.Errorf("matches(%q, %q) = %v", tc.pattern, tc.s, got)
			}
		})
	}
}
