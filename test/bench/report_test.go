//go:build bench

package bench

import (
	"path/filepath"
	"testing"

	"slipway.dev/slipway/test/figures"
)

// root is the repository's, from here.
const root = "../.."

func measured(t *testing.T) figures.Provenance {
	t.Helper()
	here, err := figures.Here()
	if err != nil {
		t.Fatal(err)
	}
	return here
}

// write keeps a report as out/NAME, and shows it.
func write(t *testing.T, name string, report any) {
	t.Helper()
	text, err := figures.Write(filepath.Join(root, "out", name), report)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("out/%s:\n%s", name, text)
}
