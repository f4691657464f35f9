package controlplane

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// buildProgram has the compiler build a module of one package and no requirements, on the real go command.
func buildProgram(ctx context.Context, t *testing.T, source string, interval time.Duration) (string, *buffer, error) {
	t.Helper()
	dir := t.TempDir()
	moduleDir := filepath.Join(dir, "module")
	if err := os.MkdirAll(moduleDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(moduleDir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	progress := &buffer{}
	c := compiler{
		module: []byte("module example.test/program\n\ngo 1.26\n"), flags: "-s -w -X main.version=v9",
		progress: progress, interval: interval,
	}
	out := filepath.Join(dir, "program")
	return out, progress, c.build(ctx, asset{name: "program", pkg: "example.test/program"}, out)
}

func TestCompilerBuildsWithFlagsAndProgress(t *testing.T) {
	// The user's own settings are for other modules.
	t.Setenv("GOFLAGS", "-mod=vendor")
	t.Setenv("GOOS", "plan9")
	const source = "package main\n\nvar version string\n\nfunc main() { print(version) }\n"
	out, progress, err := buildProgram(t.Context(), t, source, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(out).CombinedOutput()
	if err != nil || string(said) != "v9" {
		t.Errorf("the program said %q, %v, want its version", said, err)
	}
	for _, want := range []string{"program: 0 modules downloaded", "program: built after"} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, progress)
		}
	}
}

func TestCompilerErrorHasGosOwnWords(t *testing.T) {
	_, _, err := buildProgram(t.Context(), t, "package main\n\nfunc main() { undefinedName() }\n", 0)
	if err == nil || !strings.Contains(err.Error(), "undefined: undefinedName") {
		t.Errorf("build = %v, want what the compiler said", err)
	}
}

func TestCompilerStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("somebody pressed Ctrl-C")
	cancel(because)
	if _, _, err := buildProgram(ctx, t, "package main\n\nfunc main() {}\n", 0); !errors.Is(err, because) && !errors.Is(err, context.Canceled) {
		t.Errorf("build = %v, want the cause of the context's end", err)
	}
}

func TestCompilerWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, _, err := buildProgram(t.Context(), t, "package main\n", 0)
	if err == nil || !strings.Contains(err.Error(), "go command is needed") {
		t.Errorf("build = %v, want an error that says what to install", err)
	}
}

func TestMeterFollowsTheGoCommand(t *testing.T) {
	m := &meter{name: "etcd", started: time.Now()}
	follow := func(lines ...string) []string { return m.follow(strings.NewReader(strings.Join(lines, "\n"))) }

	follow("go: downloading go.uber.org/zap v1.27.1", "go: downloading golang.org/x/net v0.61.0")
	if got, want := m.line(), "etcd: 2 modules downloaded, 0s"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
	m.total.Store(3)
	said := follow("internal/abi", "# go.uber.org/zap", "zap.go:1:2: undefined: x")
	if got, want := m.line(), "etcd: 1 of 3 packages compiled, 0s"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
	if want := "# go.uber.org/zap\nzap.go:1:2: undefined: x"; strings.Join(said, "\n") != want {
		t.Errorf("said = %q, want %q", said, want)
	}
	follow("go.etcd.io/etcd/server/v3/embed")
	if got, want := m.line(), "etcd: linking, 0s"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
}
