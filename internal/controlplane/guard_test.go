package controlplane

import (
	"bufio"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupts: a race is met by trying often. `go test ./internal/controlplane -run Interrupted -interrupts=100` takes a minute or two.
var interrupts = flag.Int("interrupts", 4, "how often TestInterruptedStartLeavesNothing interrupts a start")

// Ctrl-C goes to every process of the terminal's group, also to one that was forked and has not left the group yet.
func TestInterruptedStartLeavesNothing(t *testing.T) {
	temp := inTemp(t)
	for range *interrupts {
		starting := startHelper(t, "start-until-interrupted")
		starting.line(t)                           // it starts the guard now
		<-time.After(rand.N(4 * time.Millisecond)) // the guard stands after a few milliseconds
		if err := syscall.Kill(-starting.cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if said := starting.line(t); said != "given up" {
			t.Fatalf("it said %q", said)
		}
		wantNothingLeft(t, temp)
		if t.Failed() {
			return
		}
	}
}

// The guard that Ctrl-C met before it stood is replaced by one that stands, before anything is started that it has to end.
func TestGuardThatEndsAsItStarts(t *testing.T) {
	temp := inTemp(t)
	dir, mark := filepath.Join(temp, "plane"), filepath.Join(t.TempDir(), "mark")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	script := guardScript
	t.Cleanup(func() { guardScript = script })

	guardScript = "[ -e " + mark + " ] || { : >" + mark + "; kill -s INT $$; }\n" + script
	g, err := startGuard(dir, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.end(); err != nil {
		t.Errorf("the guard: %v", err)
	}
	wantNothingLeft(t, temp)

	guardScript = "kill -s INT $$"
	if _, err := Start(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "signal: interrupt") {
		t.Errorf("Start = %v, want an error that says how the guard ended", err)
	}
	wantNothingLeft(t, temp)
}

// A program of the caller's ends with the guard, also one that ignores everybody else; one that was stopped is forgotten.
func TestGuardedProgram(t *testing.T) {
	for name, test := range map[string]struct {
		stopped bool
		notes   int // of process ids that the guard finds
	}{
		"it runs":        {false, 1},
		"it was stopped": {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			temp := inTemp(t)
			dir, program := filepath.Join(temp, "plane"), filepath.Join(t.TempDir(), "stubborn")
			stubborn := "#!/bin/sh\ntrap '' HUP INT TERM\necho \"$1\"\nread -r forever\n"
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(program, []byte(stubborn), 0o700)); err != nil {
				t.Fatal(err)
			}
			g, err := startGuard(dir, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			path, err := g.guarded("stubborn", program)
			if err != nil {
				t.Fatal(err)
			}
			cmd, said := startGuarded(t, path, "an argument")
			if said != "an argument\n" {
				t.Errorf("it said %q", said)
			}
			if test.stopped {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				if err := g.forget(); err != nil {
					t.Error(err)
				}
			}
			if notes, err := filepath.Glob(filepath.Join(dir, "*.pid")); err != nil || len(notes) != test.notes {
				t.Errorf("notes of processes: %v, %v; want %d", notes, err, test.notes)
			}
			if err := g.end(); err != nil {
				t.Errorf("the guard: %v", err)
			}
			_ = cmd.Wait() // "signal: killed", or it was waited for before
			wantNothingLeft(t, temp)
		})
	}
}

// startGuarded starts a program as Guarded says and gives its first line. Its standard input stays open until the end.
func startGuarded(t *testing.T, path string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = ownSession()
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
	t.Cleanup(func() { _ = stdin.Close() })
	said, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, said
}

// killGuard ends the guard over the one control plane in the folder.
func killGuard(t *testing.T, temp string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "pgrep", "-f", "slipway-control-plane-guard "+temp).Output()
	if err != nil {
		t.Fatalf("looking for the guard over %s: %v", temp, err)
	}
	id, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
