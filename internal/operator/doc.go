// Package operator is Slipway's process without its command line: a manager with the caches, probes, metrics, leader election and
// controllers that main starts. It is a package of its own so that tests kill and start the very thing that runs in production.
package operator
