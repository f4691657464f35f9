package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"slipway.dev/slipway/internal/playground"
)

// probes is how many requests in a row have to be answered as expected.
const probes = 20

// probe asks the load balancers themselves, with a request on a new connection each. Production has to be right at once:
// the Release says that it is. The test load balancer may take a moment to find all of its servers healthy: in a rollback
// nobody waits for that.
func (d *demo) probe(ctx context.Context, s step) error {
	web := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	listeners := d.listeners()
	for _, name := range []string{playground.ProductionClassic, playground.ProductionALB} {
		if wrong := unlike(ctx, web, listeners[name], s.production); wrong != "" {
			d.report.problem("%s: %s, where %s is due: %s", s.title, name, orNobody(s.production), wrong)
		}
	}
	wrong := ""
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if pool, _ := d.world.AWS.Pool(playground.TestClassic); pool.Healthy < len(pool.Members) {
			wrong = "not all of its servers are healthy"
			return false, nil
		}
		wrong = unlike(ctx, web, listeners[playground.TestClassic], s.test)
		return wrong == "", nil
	})
	if err != nil {
		return fmt.Errorf("%s, where %s is due: %s: %w", playground.TestClassic, orNobody(s.test), wrong, context.Cause(ctx))
	}
	d.say(byDemo, "asked each load balancer %d times: %s answered for %s, %s for %s and %s", probes,
		orNobody(s.test), playground.TestClassic, orNobody(s.production), playground.ProductionClassic, playground.ProductionALB)
	return nil
}

func orNobody(version string) string {
	if version == "" {
		return "nobody"
	}
	return version
}

// unlike says how a URL does not always answer with the version, or, where that is empty, with the load balancer's own 503.
func unlike(ctx context.Context, web *http.Client, url, version string) string {
	for range probes {
		got, err := ask(ctx, web, url)
		switch {
		case err != nil:
			return err.Error()
		case got != version:
			return orNobody(got) + " answered"
		}
	}
	return ""
}

// ask gives the version that answers, empty where the load balancer has nobody to send the request to.
func ask(ctx context.Context, web *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/", nil)
	if err != nil {
		return "", err
	}
	response, err := web.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "", err
	}
	version := response.Header.Get("X-Version")
	if response.StatusCode == http.StatusServiceUnavailable && version == "" {
		return "", nil
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("HTTP %s", response.Status)
	}
	return version, nil
}
