package localaws

import (
	"maps"
	"slices"
)

// condition is one condition of a rule; the values are alternatives.
type condition struct {
	field  string // host-header, path-pattern, http-header, http-request-method, query-string or source-ip
	values []string
	header string     // of http-header
	query  []keyValue // of query-string
}

// conditionConfigs are the structures that carry the values of each field.
var conditionConfigs = map[string]string{
	"host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig", "http-header": "HttpHeaderConfig",
	"http-request-method": "HttpRequestMethodConfig", "query-string": "QueryStringConfig", "source-ip": "SourceIpConfig",
}

func conditionParams() []string {
	fields := []string{
		"Field", "Values.member.N", "HostHeaderConfig.Values.member.N", "PathPatternConfig.Values.member.N",
		"HttpHeaderConfig.HttpHeaderName", "HttpHeaderConfig.Values.member.N", "HttpRequestMethodConfig.Values.member.N",
		"QueryStringConfig.Values.member.N.Key", "QueryStringConfig.Values.member.N.Value", "SourceIpConfig.Values.member.N",
	}
	for i, field := range fields {
		fields[i] = "Conditions.member.N." + field
	}
	return fields
}

// maxConditionValues is how many values all conditions of a rule may have together, and maxWildcards how many wildcards
// (Application Load Balancers guide, quotas). No error of AWS's model is about either.
const (
	maxConditionValues = 5
	maxWildcards       = 5
)

func readConditions(q *call) ([]condition, *apiError) {
	var out []condition
	values, wildcards := 0, 0
	for _, p := range q.structs("Conditions") {
		c, err := readCondition(p)
		if err != nil {
			return nil, err
		}
		single := c.field != "http-header" && c.field != "query-string"
		if single && slices.ContainsFunc(out, func(other condition) bool { return other.field == c.field }) {
			return nil, refuse("ValidationError", "A rule can only have one '%s' condition", c.field)
		}
		values, wildcards = values+len(c.values)+len(c.query), wildcards+c.wildcards()
		out = append(out, c)
	}
	switch {
	case values > maxConditionValues:
		return nil, refuse("ValidationError", "A rule can only have '%d' condition values", maxConditionValues)
	case wildcards > maxWildcards:
		return nil, refuse("ValidationError", "A rule can only have '%d' condition wildcards", maxWildcards)
	case len(out) == 0:
		return nil, refuse("ValidationError", "A rule must have at least one condition")
	}
	return out, nil
}

func readCondition(p *params) (condition, *apiError) {
	c := condition{field: p.str("Field")}
	config, known := conditionConfigs[c.field]
	if !known {
		return c, refuse("ValidationError", "Condition field '%s' must be one of '[path-pattern, host-header, http-header, "+
			"http-request-method, query-string, source-ip]'", c.field)
	}
	for _, other := range slices.Sorted(maps.Values(conditionConfigs)) {
		if other != config && p.has(other) {
			return c, refuse("ValidationError", "%s cannot be specified with the condition field '%s'", other, c.field)
		}
	}
	if err := c.inOnePlace(p, config); err != nil {
		return c, err
	}
	if c.field == "query-string" {
		for _, pair := range p.at(config).structs("Values") {
			c.query = append(c.query, keyValue{pair.str("Key"), pair.str("Value")})
		}
	} else {
		c.values = append(p.list("Values"), p.at(config).list("Values")...)
		c.header = p.str("HttpHeaderConfig.HttpHeaderName")
	}
	return c, c.validate()
}

type conditionValues struct {
	HttpHeaderName string `xml:",omitempty"`
	Values         members[string]
}

type queryValues struct {
	Values members[keyValue]
}

type conditionOnWire struct {
	Field                   string
	Values                  members[string]
	HostHeaderConfig        *conditionValues
	PathPatternConfig       *conditionValues
	HttpHeaderConfig        *conditionValues
	HttpRequestMethodConfig *conditionValues
	QueryStringConfig       *queryValues
	SourceIpConfig          *conditionValues
}

func (c condition) describe() conditionOnWire {
	d := conditionOnWire{Field: c.field}
	values := &conditionValues{c.header, membersOf(slices.Clone(c.values))}
	switch c.field {
	case "host-header":
		d.HostHeaderConfig, d.Values = values, values.Values
	case "path-pattern":
		d.PathPatternConfig, d.Values = values, values.Values
	case "http-header":
		d.HttpHeaderConfig = values
	case "http-request-method":
		d.HttpRequestMethodConfig = values
	case "source-ip":
		d.SourceIpConfig = values
	default:
		d.QueryStringConfig = &queryValues{membersOf(slices.Clone(c.query))}
	}
	return d
}

func describeConditions(conditions []condition) members[conditionOnWire] {
	out := members[conditionOnWire]{}
	for _, c := range conditions {
		out.Members = append(out.Members, c.describe())
	}
	return out
}

func (a action) sameAs(b action) bool {
	return a.kind == b.kind && a.order == b.order && a.sticky == b.sticky && a.redirect == b.redirect && a.fixed == b.fixed &&
		slices.Equal(a.groups, b.groups)
}
