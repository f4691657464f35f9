package localaws

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ParsedFault is one line of text: one of the two is set.
type ParsedFault struct {
	Call  *Fault
	World *WorldFault
}

// String is the line that ParseFault reads as this fault.
func (p ParsedFault) String() string {
	switch {
	case p.Call != nil:
		return p.Call.String()
	case p.World != nil:
		return p.World.String()
	}
	return ""
}

// ParseFault reads a fault from one line. Words are separated by spaces; a value with spaces is written in double quotes,
// as in Go. Durations are written as for time.ParseDuration, patterns with the wildcards * and ?.
//
// Faults of calls begin with the calls:
//
//	SERVICE:ACTION WORD…
//
//	ec2:RunInstances skip=1 count=2 before=500:InternalError
//	elbv2:Describe* p=0.05 delay=2s
//	ec2:DescribeInstances stale=10s between=30s..90s
//
// Services are ec2, elb (classic), elbv2, ssm, sts, cloudwatch and sqs. Both may be patterns; a pattern that no operation matches is
// refused. Which of these calls:
//
//	resource=PATTERN   only those that name it: an id, a name or an ARN
//	between=A..B       only from A until B after the fault was injected; "A.." has no end
//	skip=N             not the first N
//	count=N            N of them
//	p=P                each with that probability, drawn from the cloud's seed
//
// What happens to them, one or several:
//
//	delay=D            an answer takes that much longer, before the effect
//	hang               no effect and no answer
//	before=ERROR       an error, without the effect
//	young=D            what was made less than D ago is not found
//	stale=D            calls that read answer with the world of D ago, at most 10m
//	missing=PATTERN    elements of that id, name or ARN are missing from the answer
//	launch=SETTINGS    of the servers that are launched, as after #localaws in user data, with commas: boot=never,crash=10s
//	twice              a RunInstances launches two for each, and its answer names one
//	after=ERROR        an error, after the effect
//	delay-reply=D      an answer takes that much longer, after the effect
//	hang-reply         the effect and no answer
//	lose-reply         the effect and a broken connection
//
// ERROR is STATUS, CODE, STATUS:CODE, CODE:MESSAGE or STATUS:CODE:MESSAGE.
//
// Faults of the world begin with what they happen to:
//
//	server PATTERN kill                 it is lost: terminated at once; PATTERN is its id or its Name tag
//	server PATTERN shutdown             it powers itself off
//	server PATTERN impair               its status check fails
//	server PATTERN answer=STATUS        its application answers that HTTP status, or: refused, hang, unreachable
//	server PATTERN flap=PERIOD          its application is sick and well in turn, half a period each
//	balancer PATTERN vanish             a load balancer is deleted; PATTERN is its name or ARN
//	pool PATTERN vanish                 a target group or a classic load balancer is deleted
//	balancer PATTERN shift=ZONE         a zonal shift of an Application or Network Load Balancer away from a zone; where it
//	                                    is not enabled nothing happens
//	zone PATTERN out                    a zone of the home region is out
//	zone PATTERN full=TYPES             EC2 has no room in it for servers of the instance types that match
//	key PATTERN expire                  credentials are expired
//	clock skew=D                        AWS's clock is D ahead: Date, and the check of signing times
//
// When it happens, and how long:
//
//	after=D              that long after it was injected; otherwise at once
//	on=SERVICE:ACTION    right after the effect of such a call
//	skip=N               with on: not the first N such calls
//	count=N              servers: N of them, drawn from the cloud's seed
//	room=N               full: that many more of each type, and then none
//	status=STATUS        flap: what the sick application answers, instead of 500
//	back=D               it ends that long after it began: a vanished load balancer or pool is made again with the same
//	                     name, and empty
func ParseFault(line string) (ParsedFault, error) {
	words, err := splitWords(line)
	if err != nil {
		return ParsedFault{}, err
	}
	if len(words) == 0 {
		return ParsedFault{}, fmt.Errorf("an empty line is no fault; it begins with SERVICE:ACTION, or with one of %s", listed(worldParts))
	}
	var p ParsedFault
	if strings.Contains(words[0], ":") {
		p.Call, err = parseCallFault(words)
	} else {
		p.World, err = parseWorldFault(words)
	}
	if err != nil {
		return ParsedFault{}, fmt.Errorf("fault %q: %w", line, err)
	}
	return p, nil
}

// InjectText injects the fault that a line describes: see ParseFault.
func (c *Cloud) InjectText(line string) (*FaultHandle, error) {
	p, err := ParseFault(line)
	if err != nil {
		return nil, err
	}
	if p.World != nil {
		return c.InjectWorld(*p.World), nil
	}
	return c.Inject(*p.Call), nil
}

// splitWords separates at spaces outside of double quotes, and reads what is in quotes.
func splitWords(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		end := strings.IndexAny(rest, " \t\r\n\"")
		if end < 0 {
			return append(words, rest), nil
		}
		if rest[end] != '"' {
			words, rest = append(words, rest[:end]), rest[end:]
			continue
		}
		quoted, err := strconv.QuotedPrefix(rest[end:])
		if err != nil {
			return nil, fmt.Errorf("fault %q: the quotes in %s are not closed", line, rest)
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("fault %q: %s cannot be read: %w", line, quoted, err)
		}
		words, rest = append(words, rest[:end]+text), rest[end+len(quoted):]
		if rest != "" && !strings.ContainsAny(rest[:1], " \t\r\n") {
			return nil, fmt.Errorf("fault %q: there must be a space after %s", line, quoted)
		}
	}
	return words, nil
}

// quoteValue writes a value so that splitWords reads it again.
func quoteValue(s string) string {
	quoted := strconv.Quote(s)
	if s == "" || quoted[1:len(quoted)-1] != s || strings.ContainsAny(s, " ") {
		return quoted
	}
	return s
}

// setting is one word of a fault: how it is read into it, and how it is written.
type setting[F any] struct {
	name  string
	bare  bool // a word without a value
	read  func(f *F, value string) error
	write func(f *F) string // "" leaves it out
}

// readSettings reads words into a fault.
func readSettings[F any](f *F, words []string, known []setting[F]) error {
	seen := map[string]bool{}
	for _, word := range words {
		name, value, valued := strings.Cut(word, "=")
		i := slices.IndexFunc(known, func(s setting[F]) bool { return s.name == name })
		switch {
		case i < 0:
			return fmt.Errorf("there is no setting %q; known are %s", name, listed(settingNames(known)))
		case seen[name]:
			return fmt.Errorf("%s is there twice", name)
		case known[i].bare && valued:
			return fmt.Errorf("%s takes no value", name)
		case !known[i].bare && value == "":
			return fmt.Errorf("%s needs a value: %s=…", name, name)
		}
		seen[name] = true
		if err := known[i].read(f, value); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	return nil
}

func settingNames[F any](known []setting[F]) []string {
	names := make([]string, len(known))
	for i, s := range known {
		names[i] = s.name
	}
	return names
}

// writeSettings is the inverse of readSettings.
func writeSettings[F any](f *F, known []setting[F]) string {
	var b strings.Builder
	for _, s := range known {
		value := s.write(f)
		if value == "" {
			continue
		}
		b.WriteString(" " + s.name)
		if !s.bare {
			b.WriteString("=" + quoteValue(value))
		}
	}
	return b.String()
}

func listed(names []string) string { return strings.Join(names, ", ") }

// durationSetting is a positive duration; read checks it further.
func durationSetting[F any](name string, at func(*F) *time.Duration) setting[F] {
	return setting[F]{name: name, write: func(f *F) string { return writeDuration(*at(f)) }, read: func(f *F, value string) error {
		d, err := readDuration(value)
		*at(f) = d
		return err
	}}
}

func readDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration such as 30s or 1m30s", value)
	}
	if d <= 0 {
		return 0, fmt.Errorf("the duration must be more than 0")
	}
	return d, nil
}

func writeDuration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// countSetting is a number from 1.
func countSetting[F any](name string, at func(*F) *int) setting[F] {
	return setting[F]{name: name, write: func(f *F) string { return writeCount(*at(f)) }, read: func(f *F, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number from 1", value)
		}
		*at(f) = n
		return nil
	}}
}

func writeCount(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// textSetting is any text.
func textSetting[F any](name string, at func(*F) *string) setting[F] {
	return setting[F]{name: name, write: func(f *F) string { return *at(f) }, read: func(f *F, value string) error {
		*at(f) = value
		return nil
	}}
}

// flagSetting is a word without a value.
func flagSetting[F any](name string, at func(*F) *bool) setting[F] {
	return setting[F]{name: name, bare: true, read: func(f *F, _ string) error {
		*at(f) = true
		return nil
	}, write: func(f *F) string {
		if *at(f) {
			return name
		}
		return ""
	}}
}
