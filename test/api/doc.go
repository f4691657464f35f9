// Package api tests the contract of api/v1alpha1 where it is enforced: by a real API server that has the generated
// CustomResourceDefinitions.
//
// Each rule of the CRDs is one line of a table, with an object that the server takes, one that it refuses, and
// the part of the message that a person needs. A test walks the CRDs and fails for a rule that no line is about, for
// a field without a manual entry, and for a string or list without a maximum.
package api
