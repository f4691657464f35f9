package localaws

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// redirect is where a redirect sends clients; what it keeps is written as in unchanged.
type redirect struct {
	Protocol, Port, Host, Path, Query, StatusCode string
}

// unchanged is a redirect that keeps everything: what is not given stays as it was (SDK documentation of RedirectActionConfig).
var unchanged = redirect{Protocol: "#{protocol}", Port: "#{port}", Host: "#{host}", Path: "/#{path}", Query: "#{query}"}

func (a *action) readRedirect(p *params, protocol string) *apiError {
	part := func(name, kept string) string {
		if p.has(name) {
			return p.str(name)
		}
		return kept
	}
	a.redirect = redirect{
		Protocol: part("Protocol", unchanged.Protocol), Port: part("Port", unchanged.Port), Host: part("Host", unchanged.Host),
		Path: part("Path", unchanged.Path), Query: part("Query", unchanged.Query), StatusCode: p.str("StatusCode"),
	}
	return firstError(a.redirect.validate(), a.redirect.leads(protocol))
}

// redirectProtocol is AWS's own pattern, as the sizes in validate are (AWS's model of the service).
var redirectProtocol = regexp.MustCompile(`^(HTTPS?|#\{protocol\})$`)

func (d redirect) validate() *apiError {
	const most = 128
	fits := func(part string, least int) bool {
		n := utf8.RuneCountInString(part)
		return n >= least && n <= most
	}
	switch {
	case d.StatusCode != "HTTP_301" && d.StatusCode != "HTTP_302":
		return refuse("ValidationError", "A redirect action must have the status code HTTP_301 or HTTP_302")
	case !redirectProtocol.MatchString(d.Protocol):
		return refuse("ValidationError", "The protocol '%s' of a redirect must be HTTP, HTTPS or #{protocol}", d.Protocol)
	case !redirectPort(d.Port):
		return refuse("ValidationError", "The port '%s' of a redirect must be in the range 1-65535 or #{port}", d.Port)
	case !fits(d.Host, 1):
		return refuse("ValidationError", "The host of a redirect must have 1 to %d characters", most)
	case !fits(d.Path, 1):
		return refuse("ValidationError", "The path of a redirect must have 1 to %d characters", most)
	case !fits(d.Query, 0):
		return refuse("ValidationError", "The query of a redirect must have at most %d characters", most)
	case !strings.HasPrefix(d.Path, "/"):
		return refuse("InvalidLoadBalancerAction", "The path of a redirect must start with '/'")
	}
	return nil
}

func redirectPort(s string) bool {
	n, err := strconv.Atoi(s)
	return s == unchanged.Port || err == nil && isNumber(s) && n >= 1 && n <= 65535
}

// leads refuses a redirect that sends the clients of a listener of that protocol where they are: another query alone does
// not lead away (SDK documentation of RedirectActionConfig). The text is AWS's (aws-load-balancer-controller issue 487).
func (d redirect) leads(protocol string) *apiError {
	if d.Protocol == protocol {
		d.Protocol = unchanged.Protocol
	}
	d.Query, d.StatusCode = unchanged.Query, ""
	if d == unchanged {
		return refuse("InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop.")
	}
	return nil
}
