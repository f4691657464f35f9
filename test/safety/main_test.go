package safety

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	ctrl "sigs.k8s.io/controller-runtime"

	"slipway.dev/slipway/test/e2e"
)

var (
	deep       = flag.Bool("safety.deep", false, "all scenarios and phases")
	scenarios  = flag.String("safety.scenarios", "", "of the scenarios play those whose names match this regular expression")
	every      = flag.Int("safety.every", 1, "of each scenario's crash points play each n-th")
	budget     = flag.Duration("safety.budget", 0, "begin nothing new after this time; 0: no end")
	reportFile = flag.String("safety.report", "", "file that the figures are written to")
)

// given are the flags that somebody gave a value.
var given = map[string]bool{}

// What share of the time each kind of run may have used up when it ends.
const (
	pointsShare = 0.5
	kubeShare   = 0.65
	cellsShare  = 0.75
	pairsShare  = 0.85
	livesShare  = 1
)

// late: that share of the time that the run may take is used up.
func late(share float64) bool {
	return *budget > 0 && time.Since(total.began) > time.Duration(share*float64(*budget))
}

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	ctrl.SetLogger(e2e.Logger(func(string) {}))
	utilruntime.ErrorHandlers = nil // one of them waits until a while after the last error of all bubbles, whose times are not one
	if *realAll && *reportFile != "" {
		if err := total.join(*reportFile); err != nil {
			fmt.Fprintln(os.Stderr, "safety: the earlier report cannot be read:", err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if err := realTime.close(); err != nil {
		fmt.Fprintln(os.Stderr, "safety: what worlds in real time were played on does not end:", err)
		code = 1
	}
	for _, lapse := range e2e.Lapses() {
		fmt.Fprintln(os.Stderr, "safety:", lapse)
		code = 1
	}
	if *reportFile != "" {
		if err := total.write(*reportFile); err != nil {
			fmt.Fprintln(os.Stderr, "safety: the report cannot be written:", err)
			code = 1
		}
	}
	os.Exit(code)
}
