//go:build race

package main

// buildFlags build the manager as the tests are built, so that what was compiled for them is used again.
var buildFlags = []string{"-race"}
