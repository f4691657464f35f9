package operator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/plan"
)

// plans answers as told, and keeps what it was asked.
type plans struct {
	err error
	got string
}

func (p *plans) Plan(_ context.Context, name types.NamespacedName, to string) (*plan.Plan, error) {
	p.got = name.String() + " " + to
	return &plan.Plan{Release: name.String(), To: to}, p.err
}

func (p *plans) Checkup(_ context.Context, class string) (*checkup.Checkup, error) {
	p.got = "class " + class
	return &checkup.Checkup{Cluster: "c-1"}, p.err
}

func TestPlansAreServed(t *testing.T) {
	leads, waits := make(chan struct{}), make(chan struct{})
	close(leads)
	for _, row := range []struct {
		name, method, path string
		elected            chan struct{}
		err                error
		status             int
		asked, says        string
	}{
		{"a plan", http.MethodGet, plan.Path("shop", "web") + "?to=Live", leads, nil, 200, "shop/web Live", `"manager":"me"`},
		{"the next phase", http.MethodGet, plan.Path("shop", "web"), leads, nil, 200, "shop/web ", `"release":"shop/web"`},
		{"no such Release", http.MethodGet, plan.Path("shop", "web"), leads, plan.Refuse(404, "there is no Release"), 404, "shop/web ", "there is no Release"},
		{"trouble", http.MethodGet, plan.Path("shop", "web"), leads, errors.New("etcd is gone"), 500, "shop/web ", "etcd is gone"},
		{"somebody else leads", http.MethodGet, plan.Path("shop", "web"), waits, nil, 503, "", "manager me does not lead"},
		{"a checkup", http.MethodGet, checkup.Path("prod"), leads, nil, 200, "class prod", `"manager":"me","managerBuild":"v1","cluster":"c-1"`},
		{"a checkup of the default class", http.MethodGet, checkup.Path(""), leads, nil, 200, "class -", `"checks":null`},
		{"trouble with a checkup", http.MethodGet, checkup.Path("prod"), leads, errors.New("etcd is gone"), 500, "class prod", "etcd is gone"},
		{"a checkup while somebody else leads", http.MethodGet, checkup.Path("prod"), waits, nil, 503, "", "manager me does not lead"},
		{"a write", http.MethodPost, plan.Path("shop", "web"), leads, nil, 405, "", ""},
		{"anything else", http.MethodGet, "/metrics", leads, nil, 404, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &plans{err: row.err}
			mux := http.NewServeMux()
			mux.Handle(plan.Pattern, planHandler(p, "me", row.elected))
			mux.Handle(checkup.Pattern, checkupHandler(p, "me", "v1", row.elected))
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, httptest.NewRequest(row.method, row.path, nil))
			if recorder.Code != row.status || p.got != row.asked || !strings.Contains(recorder.Body.String(), row.says) {
				t.Errorf("%d, asked %q: %s", recorder.Code, p.got, recorder.Body)
			}
			if row.says != "" && !json.Valid(recorder.Body.Bytes()) {
				t.Errorf("not JSON: %s", recorder.Body)
			}
		})
	}
}

// Nothing but the loopback address guards a plan: whoever may forward a port to the pod may read it.
func TestPlansStayOnLoopback(t *testing.T) {
	for address, fine := range map[string]bool{
		"127.0.0.1:8082": true, "localhost:8082": true, "[::1]:8082": true, "127.1.2.3:0": true,
		":8082": false, "0.0.0.0:8082": false, "[::]:8082": false, "10.0.0.1:8082": false, "example.com:8082": false, "8082": false,
	} {
		if err := onLoopback("plans", address); (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := newManager(nil, Options{ProfileAddress: ":6060"}); err == nil || !strings.Contains(err.Error(), "address for profiles: :6060") {
		t.Errorf("profiles for everybody: %v", err)
	}
}
