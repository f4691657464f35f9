package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/plan"
)

const (
	// planLimit bounds the making of one plan: a look-up of the image, and some milliseconds of thinking.
	planLimit = 20 * time.Second
	// checkupLimit bounds a checkup: some calls to AWS for each pool and subnet, one after the other, under the account's rate limits.
	checkupLimit = 40 * time.Second
)

// answerer knows the answers: the controller of Releases.
type answerer interface {
	Plan(ctx context.Context, name types.NamespacedName, to string) (*plan.Plan, error)
	Checkup(ctx context.Context, class string) (*checkup.Checkup, error)
}

// serveAnswers answers questions for plans and checkups on a loopback address, which only who may forward a port to this pod reaches; so
// that address has to be one. It has an answer for everybody from the beginning, and these while this process leads.
func serveAnswers(mgr ctrl.Manager, address, build string, of answerer) error {
	if address == "0" {
		return nil
	}
	if err := onLoopback("plans", address); err != nil {
		return err
	}
	who, err := os.Hostname() // in a pod, its name
	if err != nil {
		return fmt.Errorf("finding this manager's own name: %w", err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil { // deploys go on without plans
		mgr.GetLogger().Error(err, "Plans are not served: kubectl slipway plan and doctor do not work until this process is started with another --plan-bind-address")
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle(plan.Pattern, planHandler(of, who, mgr.Elected()))
	mux.Handle(checkup.Pattern, checkupHandler(of, who, build, mgr.Elected()))
	return mgr.Add(&manager.Server{
		Name: "plans", Listener: listener,
		Server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: checkupLimit + planLimit, MaxHeaderBytes: 1 << 16},
	})
}

// onLoopback refuses an address that others can reach: of plans, and of profiles, there is no other guard than that.
func onLoopback(what, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address for %s: %w", what, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("address for %s: %s is not a loopback address, and nothing else guards it: 127.0.0.1, ::1 or localhost (or 0 for none)", what, address)
	}
	return nil
}

// planHandler answers with plan.Plan or plan.Refusal as JSON.
func planHandler(of answerer, who string, elected <-chan struct{}) http.Handler {
	return handler(who, elected, planLimit, func(ctx context.Context, r *http.Request) (any, error) {
		p, err := of.Plan(ctx, types.NamespacedName{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}, r.URL.Query().Get("to"))
		if err == nil {
			p.Source.Manager = who
		}
		return p, err
	})
}

// checkupHandler answers with checkup.Checkup or plan.Refusal as JSON.
func checkupHandler(of answerer, who, build string, elected <-chan struct{}) http.Handler {
	return handler(who, elected, checkupLimit, func(ctx context.Context, r *http.Request) (any, error) {
		c, err := of.Checkup(ctx, r.PathValue("class"))
		if err == nil {
			c.Manager, c.Build = who, build
		}
		return c, err
	})
}

// handler answers while this process leads, within a limit.
func handler(who string, elected <-chan struct{}, limit time.Duration, of func(context.Context, *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		select {
		case <-elected:
		default:
			answer(w, http.StatusServiceUnavailable, plan.Refuse(http.StatusServiceUnavailable, "manager %s does not lead, so it has read nothing", who))
			return
		}
		found, err := of(ctx, r)
		if refusal, is := errors.AsType[*plan.Refusal](err); is {
			answer(w, refusal.Status, refusal)
			return
		}
		if err != nil {
			answer(w, http.StatusInternalServerError, &plan.Refusal{Status: http.StatusInternalServerError, Message: err.Error()})
			return
		}
		answer(w, http.StatusOK, found)
	})
}

func answer(w http.ResponseWriter, status int, with any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(with) // who went away needs no answer
}
