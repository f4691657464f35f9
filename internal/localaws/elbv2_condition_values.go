package localaws

import (
	"cmp"
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// inValues are the fields whose values may also stand in Values (SDK documentation of RuleCondition).
var inValues = map[string]bool{"host-header": true, "path-pattern": true}

// inOnePlace refuses Values where they would be lost, or be mixed with those of the field's own structure.
func (c condition) inOnePlace(p *params, config string) *apiError {
	switch {
	case !p.has("Values"):
		return nil
	case !inValues[c.field]:
		return refuse("ValidationError", "Values cannot be specified with the condition field '%s'", c.field)
	case p.has(config):
		return refuse("ValidationError", "Condition values cannot be specified both in Values and in %s", config)
	}
	return nil
}

// The bounds of what conditions compare with (SDK documentation of RuleCondition and the structures in it).
const (
	maxCondition       = 128
	maxConditionMethod = 40
)

// conditionCharacters are what the values of a field may consist of; the other fields' may be of any characters.
var conditionCharacters = map[string]*regexp.Regexp{
	"host-header":         regexp.MustCompile(`^[A-Za-z0-9.*?-]*$`),
	"path-pattern":        regexp.MustCompile(`^[A-Za-z0-9_.$/~"'@:+&*?-]*$`),
	"http-request-method": regexp.MustCompile(`^[A-Z_-]*$`),
}

// conditionHeader is a header's name (RFC 7230, 3.2.6), and how long it may be.
var conditionHeader = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}$")

func (c condition) validate() *apiError {
	if len(c.values)+len(c.query) == 0 {
		return refuse("ValidationError", "A '%s' condition must have at least one value", c.field)
	}
	if err := c.validateHeader(); err != nil {
		return err
	}
	for _, v := range c.values {
		if err := c.validateValue(v); err != nil {
			return err
		}
	}
	for _, pair := range c.query { // without a key any will do
		if err := firstError(shorter(cmp.Or(pair.Key, "*"), maxCondition), shorter(pair.Value, maxCondition)); err != nil {
			return err
		}
	}
	return nil
}

func (c condition) validateHeader() *apiError {
	switch {
	case c.field != "http-header":
		return nil
	case c.header == "":
		return refuse("ValidationError", "An 'http-header' condition must name the header")
	case !conditionHeader.MatchString(c.header):
		return refuse("ValidationError", "The header name '%s' must have 1 to 40 characters that RFC 7230 allows", c.header)
	case strings.EqualFold(c.header, "host"):
		return refuse("ValidationError", "The header '%s' needs a condition of the field 'host-header'", c.header)
	}
	return nil
}

func (c condition) validateValue(v string) *apiError {
	most := maxCondition
	if c.field == "http-request-method" {
		most = maxConditionMethod
	}
	if err := shorter(v, most); err != nil {
		return err
	}
	if allowed := conditionCharacters[c.field]; allowed != nil && !allowed.MatchString(v) {
		return refuse("ValidationError", "Condition value '%s' has characters that the condition field '%s' does not allow", v, c.field)
	}
	if _, err := netip.ParsePrefix(v); c.field == "source-ip" && err != nil {
		return refuse("ValidationError", "'%s' is not a valid CIDR block", v)
	}
	return nil
}

// shorter refuses a value that is empty or has more than so many characters.
func shorter(v string, most int) *apiError {
	if n := utf8.RuneCountInString(v); n < 1 || n > most {
		return refuse("ValidationError", "Condition value '%s' must have 1 to %d characters", v, most)
	}
	return nil
}

// wildcards counts the wildcards that the condition compares with. One after a backslash stands for itself.
func (c condition) wildcards() int {
	n := 0
	count := func(s string) {
		s = strings.NewReplacer(`\\`, "", `\*`, "", `\?`, "").Replace(s)
		n += strings.Count(s, "*") + strings.Count(s, "?")
	}
	for _, v := range c.values {
		count(v)
	}
	for _, pair := range c.query {
		count(pair.Key)
		count(pair.Value)
	}
	return n
}
