package awsmodel

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// scalar judges a value that is written as text: in XML, and strings in JSON.
func (s *shape) scalar(text string) *problem {
	parse, known := scalars[s.kind]
	switch {
	case s.kind == "string" || s.kind == "character":
		if s.enum != nil && !s.enum[text] {
			return problemf("%q is not a value of %s", text, s.name)
		}
	case s.kind == "timestamp":
		if parseTime(s.format, text) != nil {
			return problemf("%q is not a timestamp", text)
		}
	case !known:
		return problemf("the kind %q of %s is not one that is judged", s.kind, s.name)
	case parse(text) != nil:
		return problemf("%q is not a %s", text, s.kind)
	}
	return nil
}

// scalars parse the kinds that are written in one way everywhere.
var scalars = map[string]func(string) error{
	"boolean": func(text string) error {
		if text != "true" && text != "false" { // ParseBool takes more
			return strconv.ErrSyntax
		}
		return nil
	},
	"integer": func(text string) error { _, err := strconv.ParseInt(text, 10, 32); return err },
	"long":    func(text string) error { _, err := strconv.ParseInt(text, 10, 64); return err },
	"float":   func(text string) error { _, err := strconv.ParseFloat(text, 64); return err },
	"double":  func(text string) error { _, err := strconv.ParseFloat(text, 64); return err },
	"blob":    func(text string) error { _, err := base64.StdEncoding.DecodeString(text); return err },
}

// parseTime reads a timestamp as text; without a format of its own it is ISO 8601 in UTC, as XML has it.
func parseTime(format, text string) error {
	var err error
	switch format {
	case "unixTimestamp":
		_, err = strconv.ParseFloat(text, 64)
	case "rfc822":
		_, err = time.Parse(http.TimeFormat, text)
	default:
		_, err = time.Parse("2006-01-02T15:04:05.999999999Z", text)
	}
	return err
}
