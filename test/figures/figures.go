// Package figures writes what was measured: JSON files with the commit and the date, which the documents quote.
package figures

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Provenance says what was measured, when, and on what. Reports embed it.
type Provenance struct {
	// Commit is the short hash, with -dirty where the tree had changes.
	Commit string `json:"commit"`
	// Date is in RFC 3339, UTC.
	Date  string `json:"date"`
	Go    string `json:"go"`
	Cores int    `json:"cores"`
}

// Here is the provenance of what this process measures now. It fails outside of a git checkout.
func Here() (Provenance, error) {
	commit, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return Provenance{}, fmt.Errorf("which commit this is: %w", err)
	}
	return Provenance{strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.RFC3339), runtime.Version(), runtime.NumCPU()}, nil
}

// Write keeps a report as a file, whose folder is made, and gives its text.
func Write(file string, report any) (string, error) {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	return string(text), os.WriteFile(file, append(text, '\n'), 0o644)
}

// Add puts members into the report that is kept as a file; parts of it are measured side by side. Where there is none, or one of another
// commit, it begins one. It takes no more than a moment, and two that take it at once are not looked after.
func Add(file string, members any) error {
	here, err := Here()
	if err != nil {
		return err
	}
	report := map[string]any{}
	if text, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(text, &report); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if report["commit"] != here.Commit {
		report = map[string]any{}
	}
	for _, more := range []any{here, members} {
		text, err := json.Marshal(more)
		if err == nil {
			err = json.Unmarshal(text, &report)
		}
		if err != nil {
			return err
		}
	}
	_, err = Write(file, report)
	return err
}
