// Package awscloud carries out the ports of package cloud on AWS: EC2 servers, classic load balancers, target groups of
// application and network load balancers, machine images and SSM parameters. It is the only package of Slipway that
// imports the AWS SDK; no SDK type, ARN format or error code leaves it.
//
// # How a call travels
//
//	Compute, Balancer, Images, Identity     our verbs: batches, AWS's oddities, answers in our words
//	  └─ shared readings (shared.go)        one sweep or look-up for everybody who asks within its age
//	       └─ the SDK client (sdk.go)       retries within a second (calls.go)
//	            └─ a turn (limiter.go)      every attempt waits for its lane: rollback before promote before launch …
//	                 └─ a deadline          10 s for the attempt, 30 s for RunInstances
//	                      └─ AWS
//
// An error comes back as *cloud.Error where its code is in a table of errors.go. Any other is wrapped, in words that are the
// same each time (unknown.go).
//
// # What AWS does that one would not expect
//
// Each is handled where it is named, and tested:
//
//   - InsufficientInstanceCapacity is an HTTP 500, which the SDK would retry in silence: it is tried once (calls.go).
//   - A launch token that failed or whose servers died stays bound to its parameters (Compute.Launch).
//   - One bad ID spoils a whole TerminateInstances, RegisterTargets or classic register call: such a batch is redone in
//     parts (Compute.Terminate, inParts).
//   - "Not found" of a server that was just launched says nothing (Compute.Terminate, Compute.Tag).
//   - A draining member of a classic load balancer reads InService and is only found by name (classic.go).
//   - Targets of a target group that no listener uses stay "unused" for ever (targetgroup.go).
package awscloud
