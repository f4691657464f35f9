package localaws

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What an application answers that is no HTTP status.
const (
	// AppRefuses: nothing listens, the connection is refused.
	AppRefuses = 0
	// AppHangs: the connection is accepted and nothing is ever answered.
	AppHangs = -1
	// AppUnreachable: nothing is ever answered, not even the connection. It is what servers of a zone that is out do.
	AppUnreachable = -2
)

// app is what runs on a server: one web application that answers with its version. Guarded by Cloud.mu.
type app struct {
	settings appSettings
	serving  bool // the server runs and the application was configured
	status   int  // what it answers while it serves
	forced   bool // SetAppStatus decided the status
}

// appSettings are what a launch says of its application; the package documentation lists them.
type appSettings struct {
	version   string
	boot      *time.Duration
	stuck     bool
	configure *time.Duration
	status    int
	sickAfter *time.Duration
	crash     *time.Duration
	fail      string
}

// settingsMark begins a line of settings.
const settingsMark = "#localaws"

// parseAppSettings reads the settings of an image (without the mark) and of the user data.
func parseAppSettings(image, userData string) (appSettings, error) {
	s := appSettings{status: 200}
	lines := []string{image}
	for line := range strings.Lines(userData) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), settingsMark); ok && (rest == "" || rest[0] == ' ' || rest[0] == '\t') {
			lines = append(lines, rest)
		}
	}
	for _, line := range lines {
		for field := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(field, "=")
			if err := s.set(name, value); err != nil {
				return s, fmt.Errorf("%s %s: %w", settingsMark, field, err)
			}
		}
	}
	return s, nil
}

func (s *appSettings) set(name, value string) error {
	switch name {
	case "version":
		s.version = value
	case "fail":
		s.fail = value
	case "status":
		return s.setStatus(value)
	case "boot":
		if s.stuck = value == "never"; s.stuck {
			return nil
		}
		return setDuration(&s.boot, value)
	case "configure":
		return setDuration(&s.configure, value)
	case "sick-after":
		return setDuration(&s.sickAfter, value)
	case "crash":
		return setDuration(&s.crash, value)
	default:
		return errors.New("there is no such setting")
	}
	return nil
}

func (s *appSettings) setStatus(value string) (err error) {
	s.status, err = strconv.Atoi(value)
	if err == nil && (s.status < 200 || s.status > 599) {
		err = fmt.Errorf("%d is no HTTP status that an application answers with", s.status)
	}
	return err
}

func setDuration(at **time.Duration, value string) error {
	d, err := time.ParseDuration(value)
	if err == nil && d < 0 {
		err = errors.New("a time cannot be negative")
	}
	*at = &d
	return err
}

// startApp begins what happens on a server that has just booted. Called with c.mu held.
func (c *Cloud) startApp(in *instance) {
	s := in.app.settings
	configure := c.knobs.Configure
	if s.configure != nil {
		configure = *s.configure
	}
	c.inState(in, configure, configureEnds{in})
	if s.crash != nil {
		c.inState(in, *s.crash, crashes{in})
	}
}

// What startApp schedules: the application's first answer, and its end and the server's, as the settings say.
type (
	configureEnds struct{ in *instance }
	sickens       struct{ in *instance }
	crashes       struct{ in *instance }
)

func (j configureEnds) run(c *Cloud) {
	in, s := j.in, j.in.app.settings
	in.app.serving = true
	if !in.app.forced {
		in.app.status = s.status
	}
	c.recordChange(in.realm, "app", in.id, "", "serving", "configured, version "+s.version)
	c.balancersInstanceChanged(in)
	if s.sickAfter != nil {
		c.inState(in, *s.sickAfter, sickens{in})
	}
}

func (j sickens) run(c *Cloud) { c.setAppStatus(j.in, 500, false, "sick-after") }
func (j crashes) run(c *Cloud) { c.shutDownItself(j.in) }

// shutDownItself is what a server does on poweroff: it stops or is terminated, as its shutdown behavior says.
func (c *Cloud) shutDownItself(in *instance) {
	if in.shutdownBehavior == "terminate" {
		c.shutDown(in, reasonInstance, "", "shut itself down")
		return
	}
	c.stop(in, reasonInstance, "", "shut itself down")
}

// answer is what a request to the server's application gets now: an HTTP status, AppRefuses, AppHangs or AppUnreachable.
// Called with Cloud.mu held.
func (in *instance) answer() int {
	if in.state == stateRunning && in.realm.out[in.az] {
		return AppUnreachable
	}
	if in.state != stateRunning || !in.app.serving {
		return AppRefuses
	}
	return in.app.status
}

func (c *Cloud) setAppStatus(in *instance, status int, forced bool, why string) {
	if in.app.forced && !forced {
		return
	}
	before := in.answer()
	in.app.status, in.app.forced = status, in.app.forced || forced
	if after := in.answer(); before != after {
		c.recordChange(in.realm, "app", in.id, strconv.Itoa(before), strconv.Itoa(after), why)
		c.balancersInstanceChanged(in)
	}
}

// releaseApp lets the application answer as it was launched to again, after SetAppStatus or a fault.
func (c *Cloud) releaseApp(in *instance, why string) {
	in.app.forced = false
	c.setAppStatus(in, in.app.settings.status, false, why)
}

// withInstance runs f on an instance, of any account, with the world locked.
func (c *Cloud) withInstance(id string, f func(*instance)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	in, ok := c.instances[id]
	if !ok {
		return fmt.Errorf("there is no instance %s", id)
	}
	c.event(func() { f(in) })
	return nil
}

// SetAppStatus decides what the application on a server answers from now on, whatever its settings say: an HTTP status,
// AppRefuses, AppHangs or AppUnreachable. Before it is configured it still does not answer. It fails for an unknown instance.
func (c *Cloud) SetAppStatus(id string, httpStatus int) error {
	return c.withInstance(id, func(in *instance) { c.setAppStatus(in, httpStatus, true, "set from outside") })
}

// Kill ends an instance at once and from outside, as a loss of its hardware does: it is terminated with the state reason
// Server.InternalError. It fails for an unknown instance.
func (c *Cloud) Kill(id string) error {
	return c.withInstance(id, func(in *instance) {
		if in.state != stateTerminated {
			c.terminated(in, reasonHardware, "killed from outside")
		}
	})
}

// ShutDown powers a server off from inside, as its own poweroff command does. It fails for an unknown instance, and
// changes nothing if it does not run.
func (c *Cloud) ShutDown(id string) error {
	return c.withInstance(id, func(in *instance) {
		if in.state == stateRunning {
			c.shutDownItself(in)
		}
	})
}

// Impair makes the instance's status check fail (impaired), and Repair makes it pass again. The application is not
// touched: see SetAppStatus. They fail for an unknown instance.
func (c *Cloud) Impair(id string) error {
	return c.withInstance(id, c.impair)
}

func (c *Cloud) impair(in *instance) {
	if !in.impairedSince.IsZero() && !in.impairedByZone {
		return
	}
	in.impairedSince, in.impairedByZone = c.now(), false
	c.recordChange(in.realm, "check", in.id, "passed", "failed", "impaired from outside")
}

func (c *Cloud) repair(in *instance) {
	if in.impairedSince.IsZero() {
		return
	}
	in.impairedSince = time.Time{}
	c.recordChange(in.realm, "check", in.id, "failed", "passed", "repaired from outside")
}

// Repair ends what Impair began.
func (c *Cloud) Repair(id string) error {
	return c.withInstance(id, c.repair)
}
