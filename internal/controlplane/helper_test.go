package controlplane

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// helperVariable makes the test binary play a part in a process of its own, for tests that kill a process.
const helperVariable = "SLIPWAY_CONTROLPLANE_HELPER"

func TestMain(m *testing.M) {
	part, playing := os.LookupEnv(helperVariable)
	if !playing {
		os.Exit(m.Run())
	}
	if err := play(strings.Fields(part)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play does what the part says, says that it is done, and stays until it is killed or its standard input ends.
func play(part []string) error {
	switch part[0] {
	case "hold-lock":
		unlock, err := lockFile(context.Background(), part[1], io.Discard)
		if err != nil {
			return err
		}
		defer unlock()
		fmt.Println("locked")
	case "run-control-plane":
		cp, err := Start(context.Background(), Options{Progress: os.Stderr})
		if err != nil {
			return err
		}
		fmt.Println(cp.guard.dir)
	case "start-until-interrupted":
		return startUntilInterrupted()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startUntilInterrupted starts a control plane as the command line does.
func startUntilInterrupted() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Println("starting")
	cp, err := Start(ctx, Options{Progress: os.Stderr})
	if err == nil {
		<-ctx.Done()
		return cp.Stop()
	}
	if !errors.Is(err, context.Canceled) {
		return err
	}
	fmt.Println("given up")
	return nil
}

type helper struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
}

func startHelper(t *testing.T, part ...string) *helper {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), helperVariable+"="+strings.Join(part, " "))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a test can send it what a terminal sends
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &helper{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return h
}

// line is the next line that the helper says.
func (h *helper) line(t *testing.T) string {
	t.Helper()
	line, err := h.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("waiting for the helper: %v", err)
	}
	return strings.TrimSpace(line)
}

// kill ends it as kill -9 does, and returns when it is gone.
func (h *helper) kill(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait() // "signal: killed"
}

// eventually waits for a condition that the operating system brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("after a minute still not: %s", what)
		}
	}
}
