package awsmodel

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"time"
)

// scalar judges a value that is written as text: in XML, and strings in JSON.
func (s *shape) scalar(text string) *problem {
	var err error
	switch s.kind {
	case "string", "character":
		if s.enum != nil && !s.enum[text] {
			return problemf("%q is not a value of %s", text, s.name)
		}
	case "boolean":
		if text != "true" && text != "false" {
			return problemf("%q is neither true nor false", text)
		}
	case "integer":
		_, err = strconv.ParseInt(text, 10, 32)
	case "long":
		_, err = strconv.ParseInt(text, 10, 64)
	case "float", "double":
		_, err = strconv.ParseFloat(text, 64)
	case "timestamp":
		err = parseTime(s.format, text)
	case "blob":
		_, err = base64.StdEncoding.DecodeString(text)
	default:
		return problemf("the kind %q of %s is not one that is judged", s.kind, s.name)
	}
	if err != nil {
		return problemf("%q is not a %s", text, s.kind)
	}
	return nil
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
