// Package cloud holds the ports through which Slipway reads and changes the outside world: servers (Compute), pools
// (Balancer), machine images (Images) and the account itself (Identity). It names no SDK type, no ARN format and no error
// code of a provider; what it says about the world it says in the words of package rollout.
//
// Rules that hold for every verb:
//
//   - A verb does not block longer than its context allows, and does not wait for an effect: Register returns when the
//     call was accepted, health is read later.
//   - Reads change nothing. Writes are idempotent: carried out twice they have the effect of once.
//   - An error is returned as *Error where it could be understood. Where it could not, it names the thing in words that are
//     the same each time, and wraps the error as it came. An error never means "empty": a caller that gets one has learnt
//     nothing about the world.
package cloud
