// Package controlplane runs a real Kubernetes control plane on this machine: kube-apiserver and etcd, with kubectl
// beside them, and nothing else. There are no nodes, no scheduler, no controller manager and no containers; Slipway needs
// none of them, because its servers live in EC2. Tests, `kubectl slipway local` and the demo all use it.
//
// # Where the binaries come from
//
// [Assets] takes KUBEBUILDER_ASSETS where it is set. Else it builds the three binaries once, from their own Go modules,
// into the user's cache:
//
//	$XDG_CACHE_HOME/slipway/controlplane/     ($HOME/.cache where XDG_CACHE_HOME is not set)
//	    v1.37.2-4f0c…/                        kube-apiserver, etcd, kubectl; complete, or it does not exist
//	    v1.37.2-4f0c….partial/                a build under way, or one that was interrupted: it is taken up again
//	    v1.37.2-4f0c….lock                    held (flock) by whoever builds; the kernel lets go of it however they end
//
// The name is the Kubernetes version and a hash of everything that the binaries are made from. The module that pins their
// versions is hack/controlplane. Go does not embed files of another module, so that module's go.mod and go.sum are
// copied into module/ by `go generate`; a test and `make verify` hold the copies equal. Embedded, they also serve
// a binary that runs far from the source tree.
//
// # What is started, and how it ends
//
// [Start] keeps everything of one control plane in one temporary folder: etcd's data, certificates, logs, the kubeconfig.
// envtest starts the two processes, and [ControlPlane.Stop] stops them and removes the folder.
//
// A process that is killed cannot stop anything, and envtest has no setting for children that die with their parent.
// Therefore each control plane has a guard beside it: a shell that waits for the end of its standard input,
// which the kernel closes when our process is gone, be it by Ctrl-C, by a panic or by kill -9. It then kills
// what is left and removes the folder. Nothing else is started before the guard says that it stands. It also ends
// programs of the caller's that were started by way of [ControlPlane.Guarded]. (The port
// reservations that envtest keeps in kubebuilder-envtest under the same cache are its own; it removes them after two
// minutes.)
package controlplane

//go:generate cp ../../hack/controlplane/go.mod module/go.mod.txt
//go:generate cp ../../hack/controlplane/go.sum module/go.sum.txt
