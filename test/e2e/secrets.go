package e2e

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// What nobody may be told (law 11): the secret key of the controller, as nothing else is spelt, what is in the user data of a
// scenario, and what a pass panics with in another.
const (
	awsSecret      = "secret-6c1f0e"
	userDataCanary = "canary-3f9a1c"
	panicCanary    = "canary-81b7d2"
)

// SecretIn is the first of them that a text has; "" for none.
func SecretIn(text string) string {
	for _, secret := range []string{awsSecret, userDataCanary, panicCanary} {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}

// overheard is the first line of a log that had a secret.
var overheard atomic.Pointer[string]

// Logger is a log for the controllers of this process, whose lines are looked at for secrets (Lapses) and then written.
func Logger(write func(line string)) logr.Logger {
	return funcr.New(func(prefix, args string) {
		line := strings.TrimSpace(prefix + " " + args)
		if SecretIn(line) != "" {
			overheard.CompareAndSwap(nil, &line)
		}
		write(line)
	}, funcr.Options{Verbosity: 1})
}

// Lapses are what was wrong in this process, of which nobody knows in which of its worlds it was: panics that no scenario asked for, and
// secrets in logs and metrics. It is asked when all worlds are over: the metrics are those of all, and what collects them is theirs.
func Lapses() (all []string) {
	if n := Unprovoked(); n > 0 {
		all = append(all, fmt.Sprintf("panics that were caught and that no scenario asked for: %d", n))
	}
	if line := overheard.Load(); line != nil {
		all = append(all, "broken law: law 11: a line of the log has a secret: "+*line)
	}
	families, err := metrics.Registry.Gather()
	if err != nil {
		all = append(all, fmt.Sprintf("the metrics cannot be read: %v", err))
	}
	for _, family := range families {
		if secret := SecretIn(family.String()); secret != "" {
			all = append(all, fmt.Sprintf("broken law: law 11: the metric %s has %s", family.GetName(), secret))
		}
		for _, m := range family.GetMetric() {
			if n := m.GetCounter().GetValue(); n > 0 && family.GetName() == "controller_runtime_reconcile_panics_total" {
				all = append(all, fmt.Sprintf("panics that controller-runtime caught: %.0f", n))
			}
		}
	}
	return all
}
