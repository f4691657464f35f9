// Package demo deploys two versions of an application with Slipway, rolls the second one back and deploys it again, under
// traffic, and says what it saw: the main job of the product, told in a minute or two.
//
// It runs on a [playground.World]: a real API server, the manager as a process of its own, and the local AWS whose servers
// and load balancers are real. What it asks for it asks of the API server, with kubectl and the manifests of config/samples
// and with the patches that a person would make (script.go). What came of it, it reads where the product cannot have a
// hand in it:
//
//   - from the answers to a steady stream of requests to both production load balancers (traffic.go), each of which is
//     held against the versions that may serve at that moment (timetable.go);
//   - from the ledger of the local AWS: when which call took effect, when which server became healthy, and how many calls
//     there were (package swap).
//
// The two figures that matter are how long a promotion and a rollback take above the bound that AWS sets (package swap), counted from
// just before the edit is sent, so that the way to the API server is not a present.
//
// The demo fails if a request failed, if a version answered that must not, if a listener was sent fewer requests than it
// should have been, if a step made a call that changes AWS and was not due, if a figure missed its goal, if all of it took
// longer than two minutes and a half, or if the world could not be put away in order.
package demo
