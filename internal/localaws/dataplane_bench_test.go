package localaws

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// BenchmarkDataPlane measures requests through an Application Load Balancer, a classic one, and, for comparison, a bare
// reverse proxy and a server without any.
func BenchmarkDataPlane(b *testing.B) {
	s := newPlaneSim(b)
	kinds := s.allKinds()
	ids := s.servers(4, "v1")
	urls := map[string]string{"server": s.ServerURL(ids[0])}
	for _, name := range []string{"application", "classic"} {
		kinds[name].enter(ids...)
		s.healthy(kinds[name].pool, 4)
		urls[name] = kinds[name].url
	}
	target, err := url.Parse(urls["server"])
	succeed(b, err)
	bare := httputil.NewSingleHostReverseProxy(target)
	bare.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	proxy := httptest.NewServer(bare)
	defer proxy.Close()
	urls["proxy"] = proxy.URL
	for _, name := range []string{"server", "proxy", "classic", "application"} {
		b.Run(name, func(b *testing.B) {
			transport := &http.Transport{MaxIdleConnsPerHost: 256}
			defer transport.CloseIdleConnections()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, _ := http.NewRequest(http.MethodGet, urls[name], nil)
					answer, err := transport.RoundTrip(r)
					if err != nil || answer.StatusCode != http.StatusOK {
						b.Errorf("%v, %v", answer, err)
						return
					}
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
