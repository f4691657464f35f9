// Command assets prints the folder that holds kube-apiserver, etcd and kubectl, and builds them first where they are
// missing. The Makefile calls it before the tests, so that the minutes of the first build are seen where they are spent:
//
//	export KUBEBUILDER_ASSETS="$(go run ./hack/assets)"
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"slipway.dev/slipway/internal/controlplane"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	dir, err := controlplane.Assets(ctx, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
	fmt.Println(dir)
}
