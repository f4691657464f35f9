package controlplane

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// guardScript ends the processes of the folder $1, and the folder, when its standard input ends.
//
//go:embed scripts/guard.sh
var guardScript string

// recordScript is what envtest starts in the place of each binary: it writes down its process id, which envtest keeps to
// itself, and becomes the binary.
//
//go:embed scripts/record.sh
var recordScript []byte

// guardedScript is the same for a program that is not one of the control plane's.
//
//go:embed scripts/guarded.sh
var guardedScript []byte

// guard is the shell that outlives us by as long as it takes to clean up.
type guard struct {
	dir   string
	stdin io.Closer
	ended chan error
}

// startGuard prepares the folder: the binaries, each behind a script of the same name, and the guard over them.
func startGuard(dir, assetsDir string) (*guard, error) {
	if err := os.Symlink(assetsDir, filepath.Join(dir, "assets")); err != nil {
		return nil, err
	}
	for _, a := range assets {
		if err := os.WriteFile(filepath.Join(dir, a.name), recordScript, 0o700); err != nil {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		g, err := tryGuard(dir)
		if err == nil || attempt == attempts {
			return g, err
		}
	}
}

// tryGuard starts the guard and waits until it says that it stands. Between its fork and its own session it is still in
// reach of the terminal: Ctrl-C at that moment ends it, and what we start then would have nobody to end it. Another one
// comes too late for that Ctrl-C.
func tryGuard(dir string) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript, "slipway-control-plane-guard", dir)
	cmd.SysProcAttr = ownSession()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guard of the control plane's processes: %w", err)
	}
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		return nil, fmt.Errorf("the guard of the control plane's processes ended as it started: %w", errors.Join(cmd.Wait(), stdin.Close()))
	}
	g := &guard{dir: dir, stdin: stdin, ended: make(chan error, 1)}
	go func() { g.ended <- cmd.Wait() }()
	return g, nil
}

// end has the guard do its work now: whatever still runs is killed, the folder is removed. It returns when that is done.
// It is an error, and nothing is done, where somebody killed the guard.
func (g *guard) end() error {
	closed := g.stdin.Close()
	if err := <-g.ended; err != nil {
		return fmt.Errorf("cleaning up the control plane in %s: %w", g.dir, err)
	}
	return closed
}

// forget tells the guard that the processes were stopped: their ids may be somebody else's by now.
func (g *guard) forget() error {
	written, err := filepath.Glob(filepath.Join(g.dir, "*.pid"))
	if err != nil {
		return err
	}
	for _, file := range written {
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// guarded puts a program beside the binaries and gives the path to start it by.
func (g *guard) guarded(name, program string) (string, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return "", err
	}
	path := filepath.Join(g.dir, name)
	if err := os.Symlink(program, path+".program"); err != nil {
		return "", fmt.Errorf("putting %s under the guard of the control plane: %w", program, err)
	}
	return path, os.WriteFile(path, guardedScript, 0o700)
}
