// Package sight shows the work of a process to the outside: the metrics of its calls to AWS, and traces from a pass over a Release
// down to those calls. It knows nothing of Slipway but the calls' names; what is told of Releases is with the controllers, who know
// them. Nobody's work depends on it: what cannot be shown is lost.
package sight
