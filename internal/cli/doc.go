// Package cli is Slipway's command line against a cluster: what `kubectl slipway` can do with Releases, beside the local
// mode, which is cmd/kubectl-slipway's own.
//
// It asks the API server and nothing else: it knows the public contract (api/v1alpha1), and neither AWS nor the
// controllers' insides. What a Release may do next it reads from status.allowedPhases, why it does not move from its
// conditions, and who is healthy where from status.pools: the controller decides, the command line tells.
//
//   - [Options] are the streams, the connection flags of kubectl and the client that every command shares (options.go).
//   - [Commands] are the commands. Each is a file of its own: get.go, status.go and so on.
//   - A command that ends with anything but 0 says so with [Exit], which main heeds (exit.go).
//   - Screens are drawn from a Release by pure functions, so that golden files can hold them (screen*.go).
package cli
