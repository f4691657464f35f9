// Package awscli drives the local AWS with the aws command line: every operation that is simulated, its wait commands, its paging, and
// errors as it prints them. The command line shares no code with Slipway, nor with the SDK that Slipway uses: what it can read and
// wait for, other clients can.
//
// Its tests need the aws command, and are built with -tags awscli: make test-awscli. To add an operation, add a command to the story of
// its service; the suite fails while an operation in the tables of internal/localaws is not driven, and a story fails that writes and does
// not read again.
package awscli
