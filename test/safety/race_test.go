//go:build race

package safety

// buildFlags make the manager like this test: with -race, what it is made of is compiled already.
var buildFlags = []string{"-race"}
