package localaws

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// callSettings are the words of a fault of calls.
var callSettings = []setting[Fault]{
	textSetting("resource", func(f *Fault) *string { return &f.Resource }),
	{name: "between", read: (*Fault).readWindow, write: (*Fault).writeWindow},
	countSetting("skip", func(f *Fault) *int { return &f.Skip }),
	countSetting("count", func(f *Fault) *int { return &f.Count }),
	{name: "p", read: (*Fault).readProbability, write: (*Fault).writeProbability},
	durationSetting("delay", func(f *Fault) *time.Duration { return &f.Delay }),
	flagSetting("hang", func(f *Fault) *bool { return &f.Hang }),
	errorSetting("before", func(f *Fault) **APIFault { return &f.Before }),
	durationSetting("young", func(f *Fault) *time.Duration { return &f.Young }),
	durationSetting("stale", func(f *Fault) *time.Duration { return &f.Stale }),
	textSetting("missing", func(f *Fault) *string { return &f.Missing }),
	{name: "launch", read: (*Fault).readLaunch, write: func(f *Fault) string { return strings.Join(strings.Fields(f.Launch), ",") }},
	flagSetting("twice", func(f *Fault) *bool { return &f.Twice }),
	errorSetting("after", func(f *Fault) **APIFault { return &f.After }),
	durationSetting("delay-reply", func(f *Fault) *time.Duration { return &f.DelayReply }),
	flagSetting("hang-reply", func(f *Fault) *bool { return &f.HangReply }),
	flagSetting("lose-reply", func(f *Fault) *bool { return &f.LoseReply }),
}

// choosing are those of them that only choose calls.
var choosing = map[string]bool{"resource": true, "between": true, "skip": true, "count": true, "p": true}

// String is the fault as ParseFault reads it; Match has no text.
func (f Fault) String() string {
	return writeCalls(f.Service, f.Action) + writeSettings(&f, callSettings)
}

// writeCalls is the inverse of parseCalls.
func writeCalls(service, action string) string {
	return quoteValue(cmp.Or(service, "*") + ":" + cmp.Or(action, "*"))
}

func parseCallFault(words []string) (*Fault, error) {
	calls, err := parseCalls(words[0])
	if err != nil {
		return nil, err
	}
	f := &Fault{Service: calls.service, Action: calls.action}
	if err := readSettings(f, words[1:], callSettings); err != nil {
		return nil, err
	}
	switch {
	case !f.doesSomething():
		return nil, errors.New("it does not say what happens to the calls, such as delay=2s or before=500:InternalError")
	case f.Stale > maxStale:
		return nil, fmt.Errorf("stale=%s is more than %s, the longest that is remembered", f.Stale, maxStale)
	}
	return f, f.suits(calls, words[0])
}

// suits refuses what cannot happen to any of the calls.
func (f *Fault) suits(calls calls, word string) error {
	switch {
	case !calls.read && (f.Stale > 0 || f.Missing != ""):
		return fmt.Errorf("stale and missing are for calls that read, and %s does not", word)
	case !calls.write && f.Launch != "":
		return fmt.Errorf("launch is for calls that launch, and %s does not", word)
	case f.Twice && !(matches(calls.service, "ec2") && matches(calls.action, "RunInstances")):
		return fmt.Errorf("twice is for ec2:RunInstances, and not for %s", word)
	}
	return nil
}

// doesSomething tells whether there is more in it than the choice of calls.
func (f *Fault) doesSomething() bool {
	return slices.ContainsFunc(callSettings, func(s setting[Fault]) bool { return !choosing[s.name] && s.write(f) != "" })
}

// calls are those that SERVICE:ACTION chooses, and whether some of them read, and some write.
type calls struct {
	service, action string
	read, write     bool
}

func parseCalls(word string) (calls, error) {
	c := calls{}
	c.service, c.action, _ = strings.Cut(word, ":")
	if c.service == "" || c.action == "" {
		return c, fmt.Errorf("%q is not SERVICE:ACTION; write * for any", word)
	}
	var services []string
	known := false
	for _, s := range allServices() {
		services = append(services, s.name)
		if matches(c.service, s.name) {
			known = true
			c.find(s)
		}
	}
	switch {
	case !known:
		return c, fmt.Errorf("there is no service %q; known are %s", c.service, listed(services))
	case !c.read && !c.write:
		return c, fmt.Errorf("%s has no operation %q here; a pattern such as Describe* finds those that there are", c.service, c.action)
	}
	return c, nil
}

// find looks for the operations of a service.
func (c *calls) find(s *service) {
	for name, op := range s.operations {
		if matches(c.action, name) {
			c.read, c.write = c.read || !op.mutates, c.write || op.mutates
		}
	}
}

// readWindow reads A..B.
func (f *Fault) readWindow(value string) error {
	from, until, ranged := strings.Cut(value, "..")
	if !ranged {
		return fmt.Errorf("%q is not of the form A..B, such as 30s..90s", value)
	}
	var err error
	if f.From, err = time.ParseDuration(from); err != nil || f.From < 0 {
		return fmt.Errorf("%q is no duration such as 0s or 30s", from)
	}
	if until == "" {
		return nil
	}
	if f.Until, err = readDuration(until); err == nil && f.Until <= f.From {
		err = fmt.Errorf("%s is not after %s", until, from)
	}
	return err
}

func (f *Fault) writeWindow() string {
	if f.From == 0 && f.Until == 0 {
		return ""
	}
	return f.From.String() + ".." + writeDuration(f.Until)
}

func (f *Fault) readProbability(value string) error {
	p, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(p) || p <= 0 || p > 1 {
		return fmt.Errorf("%q is no probability, which is more than 0 and at most 1", value)
	}
	f.Probability = p
	return nil
}

func (f *Fault) writeProbability() string {
	if f.Probability == 0 {
		return ""
	}
	return strconv.FormatFloat(f.Probability, 'g', -1, 64)
}

func (f *Fault) readLaunch(value string) error {
	f.Launch = strings.Join(strings.Fields(strings.ReplaceAll(value, ",", " ")), " ")
	if f.Launch == "" {
		return errors.New("it names no setting")
	}
	_, err := parseAppSettings(f.Launch, "")
	return err
}

// errorSetting is an error that is answered.
func errorSetting(name string, at func(*Fault) **APIFault) setting[Fault] {
	return setting[Fault]{name: name, read: func(f *Fault, value string) error {
		e, err := parseAPIFault(value)
		*at(f) = e
		return err
	}, write: func(f *Fault) string {
		if *at(f) == nil {
			return ""
		}
		return (*at(f)).String()
	}}
}

// parseAPIFault reads STATUS, CODE, STATUS:CODE, CODE:MESSAGE or STATUS:CODE:MESSAGE.
func parseAPIFault(value string) (*APIFault, error) {
	e := &APIFault{}
	first, rest, more := strings.Cut(value, ":")
	if n, err := strconv.Atoi(first); err == nil {
		if n < 100 || n > 599 {
			return nil, fmt.Errorf("%d is no HTTP status", n)
		}
		e.Status = n
		if !more {
			return e, nil
		}
		first, rest, _ = strings.Cut(rest, ":")
	}
	if first == "" || strings.ContainsAny(first, " \t\r\n\"=") {
		return nil, fmt.Errorf("%q is no error code; an error is STATUS, CODE, STATUS:CODE or STATUS:CODE:MESSAGE", first)
	}
	e.Code, e.Message = first, rest
	return e, nil
}

// String is the error as parseAPIFault reads it.
func (f *APIFault) String() string {
	var parts []string
	if f.Status != 0 || f.Code == "" {
		parts = append(parts, strconv.Itoa(f.apiError().Status))
	}
	if f.Code != "" {
		parts = append(parts, f.Code)
	}
	if f.Message != "" {
		parts = append(parts, f.Message)
	}
	return strings.Join(parts, ":")
}
