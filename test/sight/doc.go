// Package sight tests what the whole product shows of its work: traces from a pass over a Release to the calls to AWS, log lines that
// say which Release, revision and stage they are about, and that neither has a secret in it.
package sight
