package localaws

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type classicCheck struct {
	Target                                                  string
	Interval, Timeout, UnhealthyThreshold, HealthyThreshold int
}

type classicCheckResult struct {
	HealthCheck classicCheck
}

func configureClassicCheck(_ *Cloud, q *call) (any, *apiError) {
	lb, err := q.classicNamed(q.str("LoadBalancerName"))
	if err != nil {
		return nil, err
	}
	check, err := readClassicCheck(q.params.at("HealthCheck"))
	if err != nil {
		return nil, err
	}
	lb.pool.check = check
	lb.pool.recheck()
	q.effect("health check of %s: %s every %s", lb.name, check.target(), check.interval)
	return classicCheckResult{check.classic()}, nil
}

// readClassicCheck reads and validates the settings: 5 to 300 s, 2 to 60 s and less than the interval, 2 to 10.
func readClassicCheck(p *params) (healthCheck, *apiError) {
	check, err := readClassicTarget(p.str("Target"))
	if err != nil {
		return check, err
	}
	interval, timeout := p.int("Interval", 0), p.int("Timeout", 0)
	check.healthy, check.unhealthy = p.int("HealthyThreshold", 0), p.int("UnhealthyThreshold", 0)
	for _, bound := range []struct {
		name          string
		value, lo, hi int
	}{
		{"Interval", interval, 5, 300},
		{"Timeout", timeout, 2, 60},
		{"Healthy Threshold", check.healthy, 2, 10},
		{"Unhealthy Threshold", check.unhealthy, 2, 10},
	} {
		if bound.value < bound.lo || bound.value > bound.hi {
			return check, refuse("ValidationError", "HealthCheck %s must be between %d and %d", bound.name, bound.lo, bound.hi)
		}
	}
	if timeout >= interval {
		return check, refuse("ValidationError", "HealthCheck timeout must be less than interval")
	}
	check.interval, check.timeout = time.Duration(interval)*time.Second, time.Duration(timeout)*time.Second
	return check, nil
}

// readClassicTarget reads HTTP:80/path, HTTPS:443/path, TCP:80 or SSL:443. Only 200 passes.
func readClassicTarget(target string) (healthCheck, *apiError) {
	protocol, rest, _ := strings.Cut(target, ":")
	check := healthCheck{protocol: strings.ToUpper(protocol), matcher: "200"}
	port, path, hasPath := strings.Cut(rest, "/")
	switch check.protocol {
	case "HTTP", "HTTPS":
		if !hasPath {
			return check, refuse("ValidationError", "HealthCheck HTTP Target must specify a port followed by a path that begins with a slash. "+
				"e.g. HTTP:80/ping/this/path")
		}
		check.path = "/" + path
	case "TCP", "SSL":
		if hasPath {
			return check, refuse("ValidationError", "HealthCheck %s Target must specify a port and nothing else. e.g. %s:5000",
				check.protocol, check.protocol)
		}
	default:
		return check, refuse("ValidationError", "HealthCheck Target must begin with one of HTTP, TCP, HTTPS, SSL")
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return check, refuse("ValidationError", "HealthCheck Target port '%s' is not in the range 1-65535", port)
	}
	if len(target) > 1024 {
		return check, refuse("ValidationError", "HealthCheck Target must be 1024 characters or less")
	}
	check.port = n
	return check, nil
}

// target is the check's target as classic load balancers write it.
func (h healthCheck) target() string { return fmt.Sprintf("%s:%d%s", h.protocol, h.port, h.path) }

// classic is the check as classic load balancers write it.
func (h healthCheck) classic() classicCheck {
	return classicCheck{Target: h.target(), Interval: seconds(h.interval), Timeout: seconds(h.timeout),
		UnhealthyThreshold: h.unhealthy, HealthyThreshold: h.healthy}
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// badConfiguration is the classic API's InvalidConfigurationRequest, which comes with HTTP 409 (AWS's model of the service).
func badConfiguration(format string, args ...any) *apiError {
	return refuseWith(http.StatusConflict, "InvalidConfigurationRequest", format, args...)
}
