package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/controlplane"
	"slipway.dev/slipway/internal/operator"
)

func init() {
	flag.Int64Var(&Seed, "e2e.seed", 0, "other delays in every scenario; a failure is repeated by the same number")
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(Logger(func(line string) {
		if kube != nil { // the scenarios on the API server are being played
			_, _ = fmt.Fprintln(GinkgoWriter, line) // best effort: it is shown with a scenario that fails
		}
	}))
	code := m.Run()
	for _, lapse := range Lapses() {
		fmt.Fprintln(os.Stderr, "e2e:", lapse)
		code = 1
	}
	os.Exit(code)
}

func TestScenarios(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "everyday life of a Release")
}

var kube client.Client

var _ = BeforeSuite(func(ctx context.Context) {
	plane, err := controlplane.Start(ctx, controlplane.Options{CRDPaths: []string{"../../config/crd/bases"}, Progress: os.Stderr})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
	config := plane.Config()
	config.QPS, config.Burst = -1, -1
	watching, err := client.NewWithWatch(config, client.Options{Scheme: operator.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	kube = taped(watching)
})

var _ = Describe("Scenarios", func() {
	It("have a name each, and no two the same", func() {
		seen := map[string]bool{}
		for _, s := range All() {
			Expect(s.Name).NotTo(BeEmpty())
			Expect(seen[s.Name]).To(BeFalse(), "two scenarios are called %q", s.Name)
			seen[s.Name] = true
		}
	})
})

// The race detector makes scenarios several times as slow, and all take the same ways through the code. So with it some are played:
// each ninth on the real API server, each third in memory on a harsh AWS. `make nightly` plays all.
const ninths, thirds = 9, 3

var everyOne = flag.Bool("e2e.all", false, "with the race detector, play all scenarios, not each ninth on the real API server and each third in memory")

// leftOut says that the race detector does not play scenario i, of which it plays one in so many.
func leftOut(i, of int) bool { return raced && !*everyOne && i%of != 0 }

var _ = Describe("Scenario", func() {
	for i, s := range All() {
		if leftOut(i, ninths) {
			continue
		}
		It(s.Name, func() { s.Run(NewWorld(GinkgoT(), kube)) })
	}
})
