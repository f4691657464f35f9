package localaws

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// policyCondition is one key of one operator of a statement.
type policyCondition struct {
	quantifier string // ForAllValues, ForAnyValue, or empty
	operator   string // the name of one of policyOperators
	ifExists   bool
	null       bool
	key        string
	values     []string
}

// policyOperator compares a value of the request with one of the policy.
type policyOperator struct {
	compare  func(have, want string) bool
	negated  bool // it holds if compare holds for none of the policy's values
	patterns bool // * and ? are wildcards in the policy's values
	valid    func(want string) error
}

// policyOperators are all that are known, without IfExists and the quantifiers.
var policyOperators = map[string]policyOperator{
	"StringEquals":              {compare: equalText},
	"StringNotEquals":           {compare: equalText, negated: true},
	"StringEqualsIgnoreCase":    {compare: strings.EqualFold},
	"StringNotEqualsIgnoreCase": {compare: strings.EqualFold, negated: true},
	"StringLike":                {compare: likeText, patterns: true},
	"StringNotLike":             {compare: likeText, patterns: true, negated: true},
	"ArnEquals":                 {compare: likeARN, patterns: true, valid: validARN},
	"ArnLike":                   {compare: likeARN, patterns: true, valid: validARN},
	"ArnNotEquals":              {compare: likeARN, patterns: true, valid: validARN, negated: true},
	"ArnNotLike":                {compare: likeARN, patterns: true, valid: validARN, negated: true},
	"Bool":                      {compare: strings.EqualFold, valid: validBool},
	"NumericEquals":             ordered(numbers, func(order int) bool { return order == 0 }, false),
	"NumericNotEquals":          ordered(numbers, func(order int) bool { return order == 0 }, true),
	"NumericLessThan":           ordered(numbers, func(order int) bool { return order < 0 }, false),
	"NumericLessThanEquals":     ordered(numbers, func(order int) bool { return order <= 0 }, false),
	"NumericGreaterThan":        ordered(numbers, func(order int) bool { return order > 0 }, false),
	"NumericGreaterThanEquals":  ordered(numbers, func(order int) bool { return order >= 0 }, false),
	"DateEquals":                ordered(dates, func(order int) bool { return order == 0 }, false),
	"DateNotEquals":             ordered(dates, func(order int) bool { return order == 0 }, true),
	"DateLessThan":              ordered(dates, func(order int) bool { return order < 0 }, false),
	"DateLessThanEquals":        ordered(dates, func(order int) bool { return order <= 0 }, false),
	"DateGreaterThan":           ordered(dates, func(order int) bool { return order > 0 }, false),
	"DateGreaterThanEquals":     ordered(dates, func(order int) bool { return order >= 0 }, false),
}

func equalText(have, want string) bool { return have == want }

func likeText(have, want string) bool { return matches(want, have) }

// likeARN compares the six parts of two ARNs one by one: a wildcard does not reach into the next part.
func likeARN(have, want string) bool {
	a, b := strings.SplitN(have, ":", 6), strings.SplitN(want, ":", 6)
	if len(a) != 6 || len(b) != 6 {
		return want == "*"
	}
	for i := range a {
		if !matches(b[i], a[i]) {
			return false
		}
	}
	return true
}

func validARN(want string) error {
	if want != "*" && strings.Count(want, ":") < 5 {
		return fmt.Errorf("%q is no ARN", want)
	}
	return nil
}

func validBool(want string) error {
	if want != "true" && want != "false" {
		return fmt.Errorf("%q is neither true nor false", want)
	}
	return nil
}

// ordered makes an operator of an order.
func ordered(read func(string) (float64, error), holds func(order int) bool, negated bool) policyOperator {
	return policyOperator{negated: negated, valid: func(want string) error { _, err := read(want); return err },
		compare: func(have, want string) bool {
			a, err := read(have)
			b, wrong := read(want)
			if err != nil || wrong != nil {
				return false
			}
			switch {
			case a < b:
				return holds(-1)
			case a > b:
				return holds(1)
			}
			return holds(0)
		}}
}

func numbers(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

// dates reads ISO 8601 and seconds since 1970.
func dates(s string) (float64, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return float64(t.UnixMilli()) / 1000, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return float64(t.Unix()), nil
	}
	return strconv.ParseFloat(s, 64)
}

// policyKeys are the condition keys that are known, in lower case; a / at the end stands before the key of a tag.
var policyKeys = []string{
	"aws:currenttime", "aws:epochtime", "aws:principalaccount", "aws:principalarn", "aws:principaltag/", "aws:principaltype",
	"aws:requestedregion", "aws:requesttag/", "aws:resourceaccount", "aws:resourcetag/", "aws:securetransport", "aws:tagkeys",
	"aws:userid", "aws:username", "aws:viaawsservice",
	"ec2:availabilityzone", "ec2:createaction", "ec2:ebsoptimized", "ec2:imageid", "ec2:instanceid", "ec2:instanceprofile", "ec2:instancetype",
	"ec2:metadatahttpendpoint", "ec2:metadatahttpputresponsehoplimit", "ec2:metadatahttptokens", "ec2:owner", "ec2:region", "ec2:resourcetag/",
	"ec2:subnet", "ec2:tenancy", "ec2:vpc",
	"elasticloadbalancing:createaction", "elasticloadbalancing:resourcetag/",
	"iam:passedtoservice", "sts:externalid", "sts:rolesessionname", "sts:transitivetagkeys",
}

// knownKey tells whether a condition key is known, in lower case.
func knownKey(key string) bool {
	return slices.ContainsFunc(policyKeys, func(known string) bool {
		if strings.HasSuffix(known, "/") {
			return len(key) > len(known) && strings.HasPrefix(key, known)
		}
		return key == known
	})
}

func parseConditions(raw json.RawMessage, where string) ([]policyCondition, error) {
	if raw == nil {
		return nil, nil
	}
	var operators map[string]map[string]json.RawMessage
	if err := json.Unmarshal(raw, &operators); err != nil {
		return nil, fmt.Errorf("%s: Condition: %w", where, err)
	}
	var out []policyCondition
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		template, err := parseOperator(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		for _, key := range slices.Sorted(maps.Keys(operators[name])) {
			c := template
			c.key = strings.ToLower(key)
			if !knownKey(c.key) {
				return nil, fmt.Errorf("%s: the condition key %q is not simulated here; known are %s", where, key, listed(policyKeys))
			}
			if c.values, err = readTexts(operators[name][key], where+": "+name+": "+key); err == nil {
				err = c.checkValues()
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %s: %w", where, name, key, err)
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// parseOperator reads a name such as ForAllValues:StringEqualsIfExists.
func parseOperator(name string) (policyCondition, error) {
	c := policyCondition{}
	base := name
	if quantifier, rest, found := strings.Cut(name, ":"); found {
		if quantifier != "ForAllValues" && quantifier != "ForAnyValue" {
			return c, fmt.Errorf("there is no condition operator %q; before a colon stands ForAllValues or ForAnyValue", name)
		}
		c.quantifier, base = quantifier, rest
	}
	if base == "Null" && c.quantifier == "" {
		c.null = true
		return c, nil
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	if _, known := policyOperators[base]; !known {
		return c, fmt.Errorf("the condition operator %q is not simulated here; known are Null, %s", name,
			listed(slices.Sorted(maps.Keys(policyOperators))))
	}
	c.operator = base
	return c, nil
}

func (c policyCondition) compared() policyOperator { return policyOperators[c.operator] }

func (c policyCondition) checkValues() error {
	if len(c.values) == 0 {
		return fmt.Errorf("it has no value")
	}
	for _, value := range c.values {
		if err := checkVariables(value); err != nil {
			return err
		}
		valid := c.compared().valid
		if c.null {
			valid = validBool
		}
		if valid == nil || strings.Contains(value, "${") {
			continue
		}
		if err := valid(value); err != nil {
			return err
		}
	}
	return nil
}

// holds tells whether a request meets the condition.
func (c policyCondition) holds(r *iamRequest) bool {
	have, present := r.keys[c.key]
	if c.null {
		return slices.Contains(c.values, strconv.FormatBool(!present))
	}
	switch {
	case !present && c.ifExists:
		return true
	case c.quantifier == "ForAllValues":
		return !slices.ContainsFunc(have, func(v string) bool { return !c.accepts(v, r) })
	case c.quantifier == "ForAnyValue":
		return slices.ContainsFunc(have, func(v string) bool { return c.accepts(v, r) })
	case !present:
		return c.compared().negated // a key that is not there is not equal to anything
	}
	return slices.ContainsFunc(have, func(v string) bool { return c.accepts(v, r) })
}

// accepts tells whether one value of the request passes: it meets one of the policy's values or, negated, none of them.
func (c policyCondition) accepts(have string, r *iamRequest) bool {
	met := slices.ContainsFunc(c.values, func(want string) bool {
		expanded, ok := expand(want, r, c.compared().patterns)
		return ok && c.compared().compare(have, expanded)
	})
	return met != c.compared().negated
}
