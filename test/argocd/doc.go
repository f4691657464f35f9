// Package argocd tests what GitOps tools make of a Release: config/argocd by the virtual machine and the test format of Argo CD,
// Flux by its own library, and the recipes of docs/gitops.md by the life of an object.
//
// The objects under config/argocd are what the real controller wrote: TestObjectsAreWhatTheControllerWrites brings a Release to each
// stage and compares. With -argocd.update it writes them instead.
package argocd
