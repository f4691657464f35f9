package localaws

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// worldParts are the words that faults of the world begin with.
var worldParts = []string{"server", "balancer", "pool", "zone", "key", "clock"}

// worldVerbs are what can happen to each part.
var worldVerbs = map[WorldPart][]string{
	PartServer:   {"kill", "shutdown", "impair", "answer=STATUS", "flap=PERIOD"},
	PartBalancer: {"vanish", "shift=ZONE"},
	PartPool:     {"vanish"},
	PartZone:     {"out", "full=TYPES"},
	PartKey:      {"expire"},
	PartClock:    {"skew=DURATION"},
}

// worldSettings are the words after the event.
var worldSettings = []setting[WorldFault]{
	durationSetting("after", func(f *WorldFault) *time.Duration { return &f.When.After }),
	{name: "on", read: (*WorldFault).readCall, write: (*WorldFault).writeCall},
	countSetting("skip", func(f *WorldFault) *int { return &f.When.Skip }),
	countSetting("count", func(f *WorldFault) *int { return &f.Count }),
	{name: "status", read: (*WorldFault).readFlapStatus, write: (*WorldFault).writeFlapStatus},
	countSetting("room", func(f *WorldFault) *int { return &f.Room }),
	durationSetting("back", func(f *WorldFault) *time.Duration { return &f.Back }),
}

// appAnswers are the words for what is no HTTP status.
var appAnswers = map[string]int{"refused": AppRefuses, "hang": AppHangs, "unreachable": AppUnreachable}

// String is the fault as ParseFault reads it.
func (f WorldFault) String() string {
	words := []string{string(f.What)}
	if f.What != PartClock {
		words = append(words, quoteValue(f.Name))
	}
	event := string(f.Do)
	switch f.Do {
	case EventAnswer:
		event += "=" + writeStatus(f.Status)
	case EventFlap:
		event += "=" + f.Period.String()
	case EventSkew:
		event += "=" + f.Skew.String()
	case EventFull:
		event += "=" + quoteValue(f.Types)
	case EventShift:
		event += "=" + quoteValue(f.From)
	}
	return strings.Join(append(words, event), " ") + writeSettings(&f, worldSettings)
}

func parseWorldFault(words []string) (*WorldFault, error) {
	f := &WorldFault{What: WorldPart(words[0])}
	verbs, known := worldVerbs[f.What]
	if !known {
		return nil, fmt.Errorf("it begins with %q, which is neither SERVICE:ACTION nor one of %s", words[0], listed(worldParts))
	}
	rest := words[1:]
	if f.What != PartClock {
		if len(rest) == 0 || rest[0] == "" {
			return nil, fmt.Errorf("%s needs a name or a pattern", f.What)
		}
		f.Name, rest = rest[0], rest[1:]
	}
	if len(rest) == 0 {
		return nil, fmt.Errorf("it does not say what happens to the %s: %s", f.What, strings.Join(verbs, " or "))
	}
	if err := f.readEvent(rest[0], verbs); err != nil {
		return nil, err
	}
	if err := readSettings(f, rest[1:], worldSettings); err != nil {
		return nil, err
	}
	return f, f.check()
}

// readEvent reads what happens.
func (f *WorldFault) readEvent(word string, verbs []string) error {
	name, value, valued := strings.Cut(word, "=")
	i := slices.IndexFunc(verbs, func(v string) bool { known, _, _ := strings.Cut(v, "="); return known == name })
	if i < 0 || strings.Contains(verbs[i], "=") != valued {
		return fmt.Errorf("%q cannot happen to a %s; known is %s", word, f.What, strings.Join(verbs, ", "))
	}
	f.Do = WorldEvent(name)
	if err := f.readValue(value); err != nil {
		return fmt.Errorf("%s: %w", word, err)
	}
	return nil
}

// readValue reads what is behind the event's "=".
func (f *WorldFault) readValue(value string) (err error) {
	switch f.Do {
	case EventFull:
		if f.Types = value; !slices.ContainsFunc(slices.Collect(maps.Keys(instanceTypes)), func(t string) bool { return matches(value, t) }) {
			err = fmt.Errorf("there is no instance type %q here, such as t3.micro", value)
		}
	case EventShift:
		if f.From = value; value == "" {
			err = errors.New("it needs a zone such as us-east-1a")
		}
	case EventAnswer:
		err = f.readStatus(value)
	case EventFlap:
		if f.Period, err = readDuration(value); err == nil && f.Period < time.Second {
			err = errors.New("a period is at least 1s")
		}
	case EventSkew:
		if f.Skew, err = time.ParseDuration(value); err != nil {
			err = fmt.Errorf("%q is no duration such as 10m or -10m", value)
		}
	}
	return err
}

// check refuses settings that would do nothing.
func (f *WorldFault) check() error {
	switch {
	case f.When.After > 0 && f.When.onCall():
		return errors.New("after and on are both moments; it can have one")
	case f.When.Skip > 0 && !f.When.onCall():
		return errors.New("skip is for on=SERVICE:ACTION")
	}
	return f.checkEvent()
}

func (f *WorldFault) checkEvent() error {
	switch {
	case f.Room > 0 && f.Do != EventFull:
		return errors.New("room is for full=TYPES")
	case f.Count > 0 && f.What != PartServer:
		return errors.New("count is for servers")
	case f.Back > 0 && (f.Do == EventKill || f.Do == EventShutDown):
		return fmt.Errorf("back: a server does not come back from %s", f.Do)
	}
	return nil
}

func (f *WorldFault) readCall(value string) error {
	calls, err := parseCalls(value)
	f.When.Service, f.When.Action = calls.service, calls.action
	return err
}

func (f *WorldFault) writeCall() string {
	if !f.When.onCall() {
		return ""
	}
	return cmp.Or(f.When.Service, "*") + ":" + cmp.Or(f.When.Action, "*")
}

func (f *WorldFault) readStatus(value string) error {
	if n, known := appAnswers[value]; known {
		f.Status = n
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 200 || n > 599 {
		return fmt.Errorf("%q is neither an HTTP status from 200 to 599 nor refused, hang or unreachable", value)
	}
	f.Status = n
	return nil
}

// readFlapStatus: for Flap a status of 0 means 500, so that it cannot say that connections are refused.
func (f *WorldFault) readFlapStatus(value string) error {
	if f.Do != EventFlap {
		return errors.New("status is for flap")
	}
	if value == "refused" {
		return errors.New("an application that flaps cannot refuse connections; write hang, unreachable or an HTTP status")
	}
	return f.readStatus(value)
}

func (f *WorldFault) writeFlapStatus() string {
	if f.Do != EventFlap || f.Status == 0 {
		return ""
	}
	return writeStatus(f.Status)
}

func writeStatus(status int) string {
	for word, n := range appAnswers {
		if n == status {
			return word
		}
	}
	return strconv.Itoa(status)
}
