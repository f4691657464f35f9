//go:build !race

package safety

// buildFlags make the manager like this test.
var buildFlags []string
