package controlplane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// progressInterval is how often a line of progress is written: often enough to see that it moves, and rarely enough
	// for a log of CI.
	progressInterval = 10 * time.Second
	// errorLines is how much of the go command's own words an error carries.
	errorLines = 20
)

// compiler builds the packages of one module with the go command.
type compiler struct {
	module, sum []byte // go.mod and go.sum
	flags       string // for the linker
	progress    io.Writer
	// interval is progressInterval where it is zero.
	interval time.Duration
}

// build compiles one package into the file out, in a module laid out beside it.
func (c compiler) build(ctx context.Context, a asset, out string) error {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("the go command is needed once, to build it (https://go.dev/dl, or apt-get install golang): %w", err)
	}
	dir := filepath.Join(filepath.Dir(out), "module")
	tmp := filepath.Join(filepath.Dir(out), "tmp") // go's own scratch files go where ours are cleaned up
	for _, folder := range []string{dir, tmp} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), c.module, 0o600),
		os.WriteFile(filepath.Join(dir, "go.sum"), c.sum, 0o600),
	); err != nil {
		return err
	}
	run := goRun{command: goCommand, dir: dir, env: goEnvironment(tmp), meter: c.meter(a.name)}
	flags := []string{"-trimpath", "-ldflags", c.flags}

	stop := run.meter.report()
	defer stop()
	// What is stale is what the build will compile and print: the measure of its progress. Finding it
	// also downloads the modules.
	stale, err := run.output(ctx, append([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, append(flags, a.pkg)...)...)
	if err != nil {
		return err
	}
	run.meter.total.Store(int64(len(bytes.Fields(stale))))
	if _, err := run.output(ctx, append([]string{"build", "-v", "-o", out}, append(flags, a.pkg)...)...); err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.progress, "%s: built after %s (%d MB)\n", a.name, run.meter.elapsed(), info.Size()/1_000_000)
	return nil
}

func (c compiler) meter(name string) *meter {
	interval := c.interval
	if interval == 0 {
		interval = progressInterval
	}
	return &meter{name: name, out: c.progress, interval: interval, started: time.Now()}
}

// goEnvironment is ours but for the settings that belong to the module that the user works in: flags, a workspace, and
// the target of a cross build.
func goEnvironment(tmp string) []string {
	return append(os.Environ(),
		"CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=on",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "GOTMPDIR="+tmp)
}

// goRun runs the go command and follows what it prints.
type goRun struct {
	command, dir string
	env          []string
	meter        *meter
}

// output returns what the command printed; when it fails, the error carries the end of what it complained of.
func (r goRun) output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.command, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	// An interrupted go command removes its scratch files; a killed one would not.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = endWithParent()
	// A child hears of its parent's end when the thread that started it ends: keep to one until it is done.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said := r.meter.follow(stderr)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("go %s: %w:\n%s", args[0], err, strings.Join(said, "\n"))
	}
	return stdout.Bytes(), nil
}

// meter counts what the go command reports and says at intervals how far it is.
type meter struct {
	name     string
	out      io.Writer
	interval time.Duration
	started  time.Time

	total, compiled, downloaded atomic.Int64
}

// follow reads the go command's standard error to its end and returns the last lines that are not progress.
func (m *meter) follow(stderr io.Reader) []string {
	var said []string
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			m.downloaded.Add(1)
		case isPackage(line):
			m.compiled.Add(1)
		default:
			said = append(said, line)
		}
	}
	return said[max(0, len(said)-errorLines):]
}

// isPackage says whether a line of `go build -v` is the name of a package that was compiled.
func isPackage(line string) bool {
	return line != "" && !strings.ContainsAny(line, " \t:#")
}

// report writes a line of progress at each interval until stop is called.
func (m *meter) report() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(m.interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprintln(m.out, m.line())
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// line is one line of progress: what is built, what is being done, since when.
func (m *meter) line() string {
	total, compiled := m.total.Load(), m.compiled.Load()
	switch {
	case total == 0:
		return fmt.Sprintf("%s: %d modules downloaded, %s", m.name, m.downloaded.Load(), m.elapsed())
	case compiled < total-1: // the program itself is the last one, and what it waits for is the linker
		return fmt.Sprintf("%s: %d of %d packages compiled, %s", m.name, compiled, total, m.elapsed())
	default:
		return fmt.Sprintf("%s: linking, %s", m.name, m.elapsed())
	}
}

func (m *meter) elapsed() time.Duration { return time.Since(m.started).Round(time.Second) }
