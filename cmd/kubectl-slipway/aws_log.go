package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/localaws"
)

// awsLogger prints a ledger's entries, one a line.
type awsLogger struct {
	out     io.Writer
	colours bool
}

// newAWSLogger uses colours on a terminal, unless NO_COLOR is set (no-color.org).
func newAWSLogger(out io.Writer) awsLogger {
	return awsLogger{out: out, colours: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// The codes of the colours.
const (
	red   = "31"
	green = "32"
	bold  = "1"
	dim   = "2"
)

func (l awsLogger) paint(code, text string) string {
	if !l.colours || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (l awsLogger) print(e localaws.Entry) {
	at := e.Time.Local().Format("15:04:05.000")
	if e.Call == nil {
		if !toldElsewhere(e.Change) {
			fmt.Fprintf(l.out, "%s  %s\n", at, l.paint(dim, changeText(e.Change)))
		}
		return
	}
	c := e.Call
	fmt.Fprintf(l.out, "%s  %-12s %-5s %s", at, who(c), c.Service, l.paint(bold, c.Action))
	if params := paramsText(c.Params); params != "" {
		fmt.Fprint(l.out, "  ", params)
	}
	if len(c.Effects) > 0 {
		fmt.Fprint(l.out, "  ", l.paint(green, "→ "+strings.Join(c.Effects, "; ")))
	}
	if failure := failureText(c); failure != "" {
		fmt.Fprint(l.out, "  ", l.paint(red, "✗ "+failure))
	}
	fmt.Fprintln(l.out)
}

// toldElsewhere tells whether other lines say the same: a call's own changes are among its effects, and volumes come and go with
// their instances.
func toldElsewhere(c *localaws.ChangeEntry) bool {
	return strings.HasPrefix(c.Why, "by ") || c.Kind == "volume"
}

func changeText(c *localaws.ChangeEntry) string {
	from := ""
	if c.From != "" {
		from = c.From + " → "
	}
	return fmt.Sprintf("%-12s %-5s %s %s: %s%s (%s)", "", "", c.Kind, c.Resource, from, c.To, c.Why)
}

func failureText(c *localaws.CallEntry) string {
	var parts []string
	if c.Status != 0 {
		text := strconv.Itoa(c.Status)
		if c.Code != "" {
			text += " " + c.Code
		}
		if c.Message != "" {
			text += ": " + c.Message
		}
		parts = append(parts, text)
	}
	switch {
	case c.Abandoned:
		parts = append(parts, "the caller gave up before it took effect")
	case c.ReplyLost:
		parts = append(parts, "the answer was lost")
	}
	return strings.Join(parts, "; ")
}

// who is the end of the caller's ARN where there is more than the account in it, such as the name of a session.
func who(c *localaws.CallEntry) string {
	name := c.Who.AccessKey
	if i := strings.LastIndex(c.Who.ARN, "/"); i >= 0 {
		name = c.Who.ARN[i+1:]
	}
	return cmp.Or(name, "unsigned")
}

// maxParams is how long the parameters of a line may be.
const maxParams = 160

var (
	listIndex   = regexp.MustCompile(`\.(?:member\.)?[0-9]+`)
	filterParam = regexp.MustCompile(`^(Filter\.[0-9]+)\.(Name|Value\.[0-9]+)$`)
)

// paramsText are the parameters of a call on a line: lists under one name, filters as name=value.
func paramsText(params url.Values) string {
	keys := slices.SortedFunc(maps.Keys(params), compareNaturally)
	values, names := map[string][]string{}, []string(nil)
	for _, key := range keys {
		name, value := listIndex.ReplaceAllString(key, ""), params.Get(key)
		if filter := filterParam.FindStringSubmatch(key); filter != nil {
			if filter[2] == "Name" {
				continue
			}
			name = params.Get(filter[1] + ".Name")
		}
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], value)
	}
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = name + "=" + shellWord(strings.Join(values[name], ","))
	}
	text := strings.Join(words, " ")
	if short := []rune(text); len(short) > maxParams {
		text = string(short[:maxParams-1]) + "…"
	}
	return text
}

// shellWord puts what has spaces in quotes, and what has lines on one.
func shellWord(text string) string {
	if strings.ContainsAny(text, " \t\n\r") {
		return strconv.Quote(text)
	}
	return text
}

var digits = regexp.MustCompile(`[0-9]+`)

// compareNaturally puts Instance.2 before Instance.10.
func compareNaturally(a, b string) int {
	pad := func(s string) string {
		return digits.ReplaceAllStringFunc(s, func(n string) string { return fmt.Sprintf("%8s", n) })
	}
	return cmp.Compare(pad(a), pad(b))
}
