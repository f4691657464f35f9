package localaws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The cookies by which Application Load Balancers know their clients again (Application Load Balancers guide, sticky
// sessions).
const (
	memberCookie = "AWSALB"
	groupCookie  = "AWSALBTG"
)

// ServeHTTP carries one request: it finds the rule, the group and the member in the node's present table.
func (s *socket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.plane.running.Add(1)
	defer s.plane.running.Done()
	n := s.nodeOf(r)
	if n == nil || n.deaf.Load() {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	for {
		t := n.table.Load()
		f := t.fronts[s.key.port]
		if f == nil {
			unavailable(w, t.lb.kind)
			return
		}
		route := f.match(r)
		if route.action.kind != forwardAction {
			route.action.answer(w, r)
			return
		}
		share := route.shareFor(r, &n.turn)
		if share == nil {
			unavailable(w, t.lb.kind)
			return
		}
		if b := share.memberFor(r); b != nil {
			route.remember(w, share, b)
			s.carry(w, r, b, f.patience)
			return
		}
		// Members that left since the table was made may have hidden one that came: look once more if there is news.
		if n.table.Load() == t {
			unavailable(w, t.lb.kind)
			return
		}
	}
}

// carry sends the request to the member; it ends early if the member's connections are cut, or if nothing moves for as long
// as the load balancer is patient.
func (s *socket) carry(w http.ResponseWriter, r *http.Request, b *backend, patience time.Duration) {
	defer b.release()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(b.ctx, func() { cancel(nil) })()
	watch := watchIdle(s.plane.c.clock, patience, cancel)
	defer watch.end()
	r = r.WithContext(ctx)
	if r.ContentLength != 0 {
		r.Body = idleReader{r.Body, watch}
	}
	b.proxy.ServeHTTP(idleWriter{w, watch}, r)
}

// shareFor is the group that the client stays with, or one by weight.
func (t *routeTable) shareFor(r *http.Request, turn *turn) *share {
	if t.action.sticky.on {
		if c, err := r.Cookie(groupCookie); err == nil {
			for i := range t.shares {
				if t.shares[i].cookie == c.Value && !t.shares[i].away {
					return &t.shares[i]
				}
			}
		}
	}
	return t.choose(turn.next())
}

// memberFor is the member that the client stays with, or the next in turn; reserved.
func (s *share) memberFor(r *http.Request) *backend {
	if s.sticky > 0 {
		if c, err := r.Cookie(memberCookie); err == nil {
			if b := s.named(c.Value); b != nil {
				return b
			}
		}
	}
	return s.take()
}

// remember tells the client whom it talked to, where it is to stay.
func (t *routeTable) remember(w http.ResponseWriter, s *share, b *backend) {
	if t.action.sticky.on {
		http.SetCookie(w, &http.Cookie{Name: groupCookie, Value: s.cookie, Path: "/", MaxAge: t.action.sticky.seconds})
	}
	if s.sticky > 0 {
		http.SetCookie(w, &http.Cookie{Name: memberCookie, Value: b.cookie, Path: "/", MaxAge: int(s.sticky / time.Second)})
	}
}

// unavailable is the answer when nobody can take the request.
func unavailable(w http.ResponseWriter, kind balancerKind) {
	errorPage(w, kind, http.StatusServiceUnavailable)
}

// badGateway is the answer when the member could not be reached or broke off: 502 from an Application Load Balancer,
// 504 from a classic one, whose guide lists closed connections under 504. A member that does not answer within the idle
// timeout is 504 for both (both guides, error messages).
func badGateway(kind PoolKind) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, _ error) {
		switch {
		case kind == ClassicPool:
			errorPage(w, classic, http.StatusGatewayTimeout)
		case errors.Is(context.Cause(r.Context()), errIdle):
			errorPage(w, application, http.StatusGatewayTimeout)
		default:
			errorPage(w, application, http.StatusBadGateway)
		}
	}
}

// errorPage writes an error of the load balancer's own.
func errorPage(w http.ResponseWriter, kind balancerKind, status int) {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	h := w.Header()
	h.Set("Content-Type", "text/html")
	if kind == application {
		h.Set("Server", "awselb/2.0")
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<html>\n<head><title>" + title + "</title></head>\n<body>\n<center><h1>" + title + "</h1></center>\n</body>\n</html>\n"))
}

// answer is what a redirect or a fixed response sends.
func (a *action) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "awselb/2.0")
	if a.kind == fixedAction {
		status, _ := strconv.Atoi(a.fixed.StatusCode) // validated when it was set
		if a.fixed.ContentType != "" {
			w.Header().Set("Content-Type", a.fixed.ContentType)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(a.fixed.MessageBody))
		return
	}
	w.Header().Set("Location", a.redirect.location(r))
	status := http.StatusMovedPermanently
	if a.redirect.StatusCode == "HTTP_302" {
		status = http.StatusFound
	}
	w.WriteHeader(status)
}

// location fills in the parts of the request that the redirect keeps.
func (d redirect) location(r *http.Request) string {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, "80"
	}
	fill := strings.NewReplacer("#{protocol}", "http", "#{host}", host, "#{port}", port,
		"#{path}", strings.TrimPrefix(r.URL.Path, "/"), "#{query}", r.URL.RawQuery)
	out := strings.ToLower(fill.Replace(d.Protocol)) + "://" + net.JoinHostPort(fill.Replace(d.Host), fill.Replace(d.Port)) + fill.Replace(d.Path)
	if query := fill.Replace(d.Query); query != "" {
		out += "?" + query
	}
	return out
}
