package localaws

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// match finds the first route whose conditions the request meets.
func (f *frontTable) match(r *http.Request) *routeTable {
	for _, route := range f.routes {
		if route.meets(r) {
			return route
		}
	}
	return nil
}

func (t *routeTable) meets(r *http.Request) bool {
	for _, c := range t.conditions {
		if !c.meets(r) {
			return false
		}
	}
	return true
}

// meets compares as the SDK documentation of RuleCondition says: paths and methods with case, the rest without.
func (c condition) meets(r *http.Request) bool {
	switch c.field {
	case "host-header":
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		return c.matchesFolded(host)
	case "path-pattern":
		return matchesAny(c.values, r.URL.Path)
	case "http-request-method":
		return matchesAny(c.values, r.Method)
	case "http-header":
		return slices.ContainsFunc(r.Header.Values(c.header), c.matchesFolded)
	case "source-ip":
		return c.contains(r.RemoteAddr)
	}
	return c.matchesQuery(r)
}

func (c condition) matchesFolded(s string) bool {
	for _, pattern := range c.values {
		if matches(strings.ToLower(pattern), strings.ToLower(s)) {
			return true
		}
	}
	return false
}

func (c condition) contains(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, value := range c.values {
		if prefix, err := netip.ParsePrefix(value); err == nil && prefix.Contains(addr.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func (c condition) matchesQuery(r *http.Request) bool {
	for key, values := range r.URL.Query() {
		for _, value := range values {
			for _, want := range c.query {
				keyFits := want.Key == "" || matches(strings.ToLower(want.Key), strings.ToLower(key))
				if keyFits && matches(strings.ToLower(want.Value), strings.ToLower(value)) {
					return true
				}
			}
		}
	}
	return false
}
