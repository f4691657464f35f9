package localaws

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// The conditions of each field, from the values that its own structure takes.

func hostsAre(values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: values}}
}

func pathsAre(values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: values}}
}

func methodsAre(values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("http-request-method"),
		HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: values}}
}

func headerIs(name string, values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("http-header"),
		HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: &name, Values: values}}
}

func sourcesAre(values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: values}}
}

// queryIs leaves out a key or value that is "-".
func queryIs(key, value string) types.RuleCondition {
	pair := types.QueryStringKeyValuePair{Key: &key, Value: &value}
	if key == "-" {
		pair.Key = nil
	}
	if value == "-" {
		pair.Value = nil
	}
	return types.RuleCondition{Field: aws.String("query-string"),
		QueryStringConfig: &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{pair}}}
}

// also gives the condition Values beside what it has.
func also(c types.RuleCondition, values ...string) types.RuleCondition {
	c.Values = values
	return c
}

// conditionCase is one rule, and with which text it is refused; with none it is made.
type conditionCase struct {
	conditions []types.RuleCondition
	want       string
}

// tryConditions makes the rules one after the other. What was refused must not be there, what was made must read back.
func tryConditions(t *testing.T, cases map[string]conditionCase) {
	t.Helper()
	s := newBalancerSim(t)
	group := s.group("blue", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, group)
	priority, want := int32(0), []string{"default"}
	for name, tc := range cases {
		priority++
		made, err := s.rule(listener, priority, tc.conditions, forward(group))
		switch {
		case tc.want != "":
			wantError(t, err, 400, "ValidationError", tc.want)
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			want = slices.Insert(want, len(want)-1, *made.Priority)
			found := must(s.v2.DescribeRules(s.ctx, &elbv2.DescribeRulesInput{RuleArns: []string{*made.RuleArn}})).Rules
			if len(found[0].Conditions) != len(tc.conditions) {
				t.Errorf("%s reads back as %+v", name, found)
			}
		}
		if got := s.priorities(listener); !slices.Equal(got, want) {
			t.Errorf("%s: the rules are %v, want %v", name, got, want)
		}
	}
}

// Values is another way to write what HostHeaderConfig or PathPatternConfig has, and belongs to no other field.
func TestValuesOfConditionsStandInOnePlace(t *testing.T) {
	tryConditions(t, map[string]conditionCase{
		"host in Values": {[]types.RuleCondition{{Field: aws.String("host-header"), Values: []string{"a.example.com"}}}, ""},
		"path in Values": {[]types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{"/a"}}}, ""},
		"host in both": {[]types.RuleCondition{also(hostsAre("a.example.com"), "b.example.com")},
			"Condition values cannot be specified both in Values and in HostHeaderConfig"},
		"path in both": {[]types.RuleCondition{also(pathsAre("/a"), "/a")}, "Condition values cannot be specified both in Values and in PathPatternConfig"},
		"method":       {[]types.RuleCondition{also(methodsAre("GET"), "PUT")}, "Values cannot be specified with the condition field 'http-request-method'"},
		"header":       {[]types.RuleCondition{also(headerIs("X-A", "1"), "2")}, "Values cannot be specified with the condition field 'http-header'"},
		"query":        {[]types.RuleCondition{also(queryIs("a", "1"), "b")}, "Values cannot be specified with the condition field 'query-string'"},
		"source":       {[]types.RuleCondition{also(sourcesAre("10.0.0.0/8"), "192.168.0.0/16")}, "Values cannot be specified with the condition field 'source-ip'"},
		"source in Values alone": {[]types.RuleCondition{{Field: aws.String("source-ip"), Values: []string{"10.0.0.0/8"}}},
			"Values cannot be specified with the condition field 'source-ip'"},
	})
}

func long(n int) string { return strings.Repeat("a", n) }

func TestBoundsOfConditionValues(t *testing.T) {
	one := func(c types.RuleCondition, want string) conditionCase {
		return conditionCase{[]types.RuleCondition{c}, want}
	}
	size := func(value, most string) string {
		return "Condition value '" + value + "' must have 1 to " + most + " characters"
	}
	chars := func(value, field string) string {
		return "Condition value '" + value + "' has characters that the condition field '" + field + "' does not allow"
	}
	tryConditions(t, map[string]conditionCase{
		"method of 40":     one(methodsAre(strings.Repeat("M", 40)), ""),
		"method of 41":     one(methodsAre(strings.Repeat("M", 41)), size(strings.Repeat("M", 41), "40")),
		"own method":       one(methodsAre("X-MY_OWN"), ""),
		"small method":     one(methodsAre("get"), chars("get", "http-request-method")),
		"any method":       one(methodsAre("*"), chars("*", "http-request-method")),
		"header of 40":     one(headerIs(long(40), "1"), ""),
		"header of 41":     one(headerIs(long(41), "1"), "The header name '"+long(41)+"' must have 1 to 40 characters that RFC 7230 allows"),
		"header of spaces": one(headerIs("X A", "1"), "The header name 'X A' must have 1 to 40 characters that RFC 7230 allows"),
		"header host":      one(headerIs("Host", "a.example.com"), "The header 'Host' needs a condition of the field 'host-header'"),
		"header value 128": one(headerIs("X-A", strings.Repeat("é", 128)), ""),
		"header value 129": one(headerIs("X-A", long(129)), size(long(129), "128")),
		"query of 128":     one(queryIs(long(128), long(128)), ""),
		"query, any key":   one(queryIs("-", "1"), ""),
		"query key 129":    one(queryIs(long(129), "1"), size(long(129), "128")),
		"query value 129":  one(queryIs("a", long(129)), size(long(129), "128")),
		"query, no value":  one(queryIs("a", "-"), size("", "128")),
		"host of 128":      one(hostsAre(long(128)), ""),
		"host of 129":      one(hostsAre(long(129)), size(long(129), "128")),
		"host characters":  one(hostsAre("*.A-z9.ex?mple.com"), ""),
		"host with port":   one(hostsAre("example.com:80"), chars("example.com:80", "host-header")),
		"host with under":  one(also(types.RuleCondition{Field: aws.String("host-header")}, "a_b.com"), chars("a_b.com", "host-header")),
		"path of 128":      one(pathsAre("/"+long(127)), ""),
		"path of 129":      one(pathsAre("/"+long(128)), size("/"+long(128), "128")),
		"path characters":  one(pathsAre(`/aZ9_-.$/~"'@:+&*?`), ""),
		"path with query":  one(pathsAre("/a=b"), chars("/a=b", "path-pattern")),
		"path with spaces": one(pathsAre("/a b"), chars("/a b", "path-pattern")),
	})
}

// The wildcards of all conditions of a rule count together, and one that is escaped is none.
func TestWildcardsOfARule(t *testing.T) {
	const tooMany = "A rule can only have '5' condition wildcards"
	tryConditions(t, map[string]conditionCase{
		"five":            {[]types.RuleCondition{pathsAre("/*/?", "/*"), hostsAre("*.example.com"), headerIs("X-A", "?")}, ""},
		"six in one":      {[]types.RuleCondition{pathsAre("/??????")}, tooMany},
		"six in three":    {[]types.RuleCondition{pathsAre("/*/?"), hostsAre("*.example.*"), headerIs("X-A", "??")}, tooMany},
		"six in a query":  {[]types.RuleCondition{queryIs("***", "???")}, tooMany},
		"five in a query": {[]types.RuleCondition{queryIs("**", `???\*\?`)}, ""},
	})
}
