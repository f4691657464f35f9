package localaws

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// AdminPath is where the local AWS itself is looked at and changed, beside the services on the same listener. AWS has no path
// like it: all its calls here are to "/".
//
//	GET    state                  all that exists, as State in JSON
//	POST   reset                  back to the world as it was at the start: see Cloud.Reset
//	GET    save                   the world, as Cloud.Save writes it
//	POST   load                   the world that the body has: see Cloud.Load
//	GET    faults                 those in force, one a line
//	POST   faults                 more of them, one a line, as ParseFault reads them
//	DELETE faults                 those that the body has, one a line; without a body all
//	GET    knobs                  all, as lines name=value
//	POST   knobs                  some, as lines name=value: see Cloud.TuneByName
//	GET    ledger                 what happened, an Entry in JSON a line; ?since=N: only after that one; ?follow=true: and all
//	                              that will; ?format=text: for people
//
// What it answers to a mistake is plain text that says what to do. It answers on loopback only, and to no web page, unless
// Options.AdminFromAnywhere is set: whoever reaches it may do anything.
const AdminPath = "/_localaws/"

// askedOutside is the reason of changes that came this way or from Go.
const askedOutside = "asked from outside"

// maxAdminBody bounds a world that is loaded.
const maxAdminBody = 1 << 30

func (c *Cloud) adminHandler() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET state":     c.adminState,
		"POST reset":    func(_ http.ResponseWriter, _ *http.Request) error { return c.Reset() },
		"GET save":      c.adminSave,
		"POST load":     func(_ http.ResponseWriter, r *http.Request) error { return c.Load(r.Body) },
		"GET faults":    c.adminFaults,
		"POST faults":   c.adminInject,
		"DELETE faults": c.adminRemove,
		"GET knobs":     c.adminKnobs,
		"POST knobs":    c.adminTune,
		"GET ledger":    c.adminLedger,
	} {
		method, name, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+AdminPath+name, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
			if err := f(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	mux.HandleFunc(AdminPath, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "there is: GET state, POST reset, GET save, POST load, GET, POST or DELETE faults, GET or POST knobs, GET ledger; all under "+
			AdminPath, http.StatusNotFound)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := c.adminRefusal(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// adminRefusal is why a request may not look at and change the local AWS; empty if it may. A page in somebody's browser could
// reach a listener on loopback too; it sends an Origin, or, by a name that was pointed to loopback, another Host.
func (c *Cloud) adminRefusal(r *http.Request) string {
	if c.options.AdminFromAnywhere {
		return ""
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	switch {
	case err != nil || !isLoopback(from):
		return "the local AWS is managed from its own machine only, by 127.0.0.1"
	case host != "localhost" && !isLoopback(host):
		return "the local AWS is managed by a loopback address only: use http://127.0.0.1 in place of " + r.Host
	case r.Header.Get("Origin") != "":
		return "the local AWS is not managed by web pages"
	}
	return ""
}

func isLoopback(address string) bool {
	ip := net.ParseIP(strings.Trim(address, "[]"))
	return ip != nil && ip.IsLoopback()
}

func (c *Cloud) adminState(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	_ = out.Encode(c.State()) // a caller that has gone away is no concern of ours
	return nil
}

// adminSave tells of a world that cannot be saved before the answer begins.
func (c *Cloud) adminSave(w http.ResponseWriter, _ *http.Request) error {
	saved, err := c.saved()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_ = saved.write(w) // a caller that has gone away is no concern of ours
	return nil
}

func (c *Cloud) adminFaults(w http.ResponseWriter, _ *http.Request) error {
	for _, h := range c.Faults() {
		fmt.Fprintln(w, h)
	}
	return nil
}

func (c *Cloud) adminInject(_ http.ResponseWriter, r *http.Request) error {
	lines, err := bodyLines(r)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return errors.New("the body has no fault: write one a line, such as ec2:RunInstances count=1 before=500:InternalError")
	}
	for _, line := range lines {
		if _, err := ParseFault(line); err != nil {
			return err
		}
	}
	for _, line := range lines {
		h, err := c.InjectText(line)
		if err != nil {
			return err
		}
		c.noteFault(h, "injected")
	}
	return nil
}

func (c *Cloud) noteFault(h *FaultHandle, to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recordChange(c.realm(c.Realm.key), "fault", h.String(), "", to, askedOutside)
}

func (c *Cloud) adminRemove(_ http.ResponseWriter, r *http.Request) error {
	lines, err := bodyLines(r)
	if err != nil {
		return err
	}
	active := c.Faults()
	remove := map[*FaultHandle]bool{}
	for _, line := range lines {
		text := line
		if parsed, err := ParseFault(line); err == nil {
			text = parsed.String() // however it was spelled
		}
		before := len(remove)
		for _, h := range active {
			if h.String() == text {
				remove[h] = true
			}
		}
		if len(remove) == before {
			return fmt.Errorf("the fault %q is not in force: GET %sfaults lists those that are", line, AdminPath)
		}
	}
	for _, h := range active {
		if len(lines) == 0 || remove[h] {
			h.Remove()
			c.noteFault(h, "removed")
		}
	}
	return nil
}

func (c *Cloud) adminKnobs(w http.ResponseWriter, _ *http.Request) error {
	for _, s := range c.Knobs().Settings() {
		fmt.Fprintf(w, "%s=%s\n", s.Name, s.Value)
	}
	return nil
}

func (c *Cloud) adminTune(_ http.ResponseWriter, r *http.Request) error {
	lines, err := bodyLines(r)
	if err != nil {
		return err
	}
	var settings []KnobSetting
	for _, line := range lines {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%q is no knob: write name=value, such as HealthLag=5s", line)
		}
		settings = append(settings, KnobSetting{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	return c.TuneByName(settings...)
}

// bodyLines are the lines of the body that have something on them.
func bodyLines(r *http.Request) (lines []string, err error) {
	in := bufio.NewScanner(r.Body)
	for in.Scan() {
		if line := strings.TrimSpace(in.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, in.Err()
}

func (c *Cloud) adminLedger(w http.ResponseWriter, r *http.Request) error {
	var since uint64
	if text := r.FormValue("since"); text != "" {
		var err error
		if since, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("since=%s is no number of an entry: 0 is the beginning", text)
		}
	}
	write, kind := writeEntryJSON, "application/x-ndjson"
	if r.FormValue("format") == "text" {
		write, kind = writeEntryText, "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	if r.FormValue("follow") != "true" {
		for _, e := range c.LedgerSince(since) {
			if write(w, e) != nil {
				return nil // the caller has gone away
			}
		}
		return nil
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	flush := http.NewResponseController(w)
	_ = flush.Flush()                        // so that the caller knows that it began
	_ = c.Follow(ctx, since, func(e Entry) { // ends with the context's error
		if write(w, e) != nil || flush.Flush() != nil {
			stop()
		}
	})
	return nil
}

func writeEntryJSON(w io.Writer, e Entry) error { return json.NewEncoder(w).Encode(e) }

func writeEntryText(w io.Writer, e Entry) error {
	_, err := fmt.Fprintln(w, e)
	return err
}
