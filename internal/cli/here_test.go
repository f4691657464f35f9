package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// What is advised is about the cluster that this command was about, and says so in words that a shell reads as they were given.
func TestAdviceIsAboutTheSameCluster(t *testing.T) {
	for text, want := range map[string]string{
		"to go on: kubectl slipway promote web -n shop -y":      "to go on: kubectl slipway promote --context=staging --user='a b' web -n shop -y",
		"kubectl -n slipway-system get pods":                    "kubectl --context=staging --user='a b' -n slipway-system get pods",
		"on this machine: kubectl slipway local up":             "on this machine: kubectl slipway local up",
		"there is no Release web (kubectl slipway list -A does": "there is no Release web (kubectl slipway list --context=staging --user='a b' -A does",
		"kubectl.kubernetes.io/last-applied":                    "kubectl.kubernetes.io/last-applied",
		"kubectl describe crd releases.slipway.dev":             "kubectl --context=staging --user='a b' describe crd releases.slipway.dev",
		"  make undeploy   # last":                              `  make undeploy KUBECTL='kubectl --context=staging --user='\''a b'\'''   # last`,
		"nothing to type":                                       "nothing to type",
	} {
		var out strings.Builder
		o := NewOptions(genericiooptions.IOStreams{Out: &out})
		if got := o.here(text); got != text {
			t.Errorf("without flags %q became %q", text, got)
		}
		*o.Flags.Context, *o.Flags.AuthInfoName = "staging", "a b"
		if err := o.tell([]string{text}); err != nil || out.String() != want+"\n" {
			t.Errorf("told is %q (%v), want %q", out.String(), err, want)
		}
		refused := exitf(ExitRefused, "%s", text)
		cmd := o.locate(&cobra.Command{RunE: func(*cobra.Command, []string) error { return refused }})
		if err := cmd.RunE(cmd, nil); err.Error() != want || ExitCode(err) != ExitRefused || !errors.Is(err, refused) {
			t.Errorf("the error is %q with status %d, want %q with %d", err, ExitCode(err), want, ExitRefused)
		}
	}
}
