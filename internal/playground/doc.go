// Package playground is the whole of Slipway on one machine, with nothing else needed: for the demo, and for a person who
// wants to try it.
//
//	kubectl ──▶ kube-apiserver + etcd (internal/controlplane) ◀── the manager, a process of its own, as on a cluster
//	                                                                   │ the AWS SDK, unmodified
//	                                                                   ▼
//	aws ─────▶ local AWS (internal/localaws) on loopback: EC2, load balancers; its servers and listeners are real
//	curl ────▶ three load balancers, each with a node in two zones
//
// The world that [Start] makes has the network and the images of localaws.DefaultWorld, the three pools that
// config/samples names, and the class of config/samples applied. The pools are made by calls to the local AWS's endpoint,
// as a person would make them with the aws command line, with settings that AWS accepts too ([Settings]).
//
// Everything listens on loopback, on ports that were free, and all files are in the control plane's temporary folder: worlds
// side by side do not disturb each other, and [World.Stop] leaves nothing. If this process is killed instead, the control
// plane's guard ends the API server and the manager, and removes the folder.
//
// Nothing here reads the user's AWS configuration: the manager gets an environment without it, and keys that mean nothing to AWS.
package playground
