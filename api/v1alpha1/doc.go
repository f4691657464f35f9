// Package v1alpha1 is Slipway's public contract: what a person, a Git repository or a pipeline writes to
// ask for a blue/green deploy on plain EC2, and what Slipway answers.
//
// A Release is one application's fleet in one AWS account and region. It is edited for every deploy: a new
// spec.version or spec.image makes a new revision, and spec.phase says how far that revision should go.
//
//	           Preview ──────────▶ Live ──────────▶ Complete
//	candidate on the test     candidate in every     candidate is stable,
//	pools, stable serves      production pool,       the former one is
//	                          stable kept aside      terminated
//	                             │      ▲
//	                             ▼      │
//	                           RolledBack
//	                  stable serves again, the candidate
//	                  is back on the test pools for a look
//
// A ReleaseClass is written by whoever runs the cluster. It names the account, the region and the role, and
// lists what Releases of which namespaces may use there.
//
// The comments of this package are the manual: `kubectl explain release.spec` prints them. Each names the
// unit, the default and an example. Three rules keep the contract stable:
//
//   - Nothing below spec.image and spec.template, and not spec.phase, has a default in the CRD. A default that
//     appeared with an upgrade would change the revision of a fleet that nobody touched.
//   - Every rule that a single object can be checked against is a CEL rule on spec or below, never on the root,
//     so that no write of status is ever refused. Its message names the next legal step.
//   - Every string and list has a maximum, without which those rules would cost too much to be accepted.
//     A message that names an entry of a list finds it with map(x, condition, x.name)[0]: the API server knows how long
//     such a name can be. Of what filter or join give it does not, and refuses the definition.
//
// Verbs are changes of spec. Status only reports; it can be wiped at any time and is written again.
//
// +kubebuilder:object:generate=true
// +groupName=slipway.dev
package v1alpha1
