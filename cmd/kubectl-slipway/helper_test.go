package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/cli"
	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/playground"
)

// playVariable makes the test binary the command line itself, in a process of its own that can be interrupted.
const playVariable = "SLIPWAY_TEST_PLAYS_THE_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(playVariable) != "" {
		begun = watchLaws
		os.Exit(run(arguments(os.Args)))
	}
	status := m.Run()
	_ = os.RemoveAll(built) // temporary
	os.Exit(status)
}

// watchLaws holds what the manager does in a world of `local up` to the laws; the command fails at its end where one was broken.
func watchLaws(world *playground.World) (end func() error, err error) {
	kube, err := client.New(world.Plane.Config(), client.Options{Scheme: cli.Scheme()})
	if err != nil {
		return nil, err
	}
	watch := laws.New(laws.Options{
		AWS: world.AWS, Kube: kube, Now: time.Now, Lately: 3 * time.Second,
		Judged: func(who localaws.Caller) bool { return who.AccessKey == playground.ManagerKey },
	})
	return func() error {
		watch.Stop()
		if trace := watch.Trace(); trace != "" {
			return errors.New(trace)
		}
		return nil
	}, nil
}

// built is the folder that manager builds into, if it was called.
var built string

// manager gives the path of the manager's binary, which it builds once.
var manager = sync.OnceValues(func() (path string, err error) {
	if built, err = os.MkdirTemp("", "slipway-test-manager-"); err != nil {
		return "", err
	}
	path = filepath.Join(built, "manager")
	build := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", path, "slipway.dev/slipway")...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the manager: %w\n%s", err, out)
	}
	return path, nil
})

// command is a running command line.
type command struct {
	t     *testing.T
	cmd   *exec.Cmd
	temp  string // its folder for temporary files, the test's own
	ended chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

// Write takes what it prints.
func (c *command) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

// text is what it printed so far.
func (c *command) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// start runs `kubectl slipway local` with the arguments in a process group of its own, as an interactive shell does.
func start(t *testing.T, args ...string) *command {
	t.Helper()
	config, err := filepath.Abs(filepath.Join("..", "..", "config"))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := manager()
	if err != nil {
		t.Fatal(err)
	}
	return startLocal(t, append([]string{args[0], "--manager", binary, "--config", config}, args[1:]...)...)
}

// startLocal is start without a manager.
func startLocal(t *testing.T, args ...string) *command {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"local"}, args...)
	c := &command{t: t, cmd: exec.Command(program, args...), temp: t.TempDir(), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), playVariable+"=1", "TMPDIR="+c.temp)
	c.cmd.Stdout, c.cmd.Stderr = c, c
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait() // the status is in ProcessState
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // nothing, where it ended
		<-c.ended
	})
	return c
}

// await waits until it has printed something that matches.
func (c *command) await(pattern string) {
	c.t.Helper()
	want := regexp.MustCompile(pattern)
	eventually(c.t, "printed "+pattern, func() bool {
		select {
		case <-c.ended:
			if !want.MatchString(c.text()) {
				c.t.Fatalf("it ended, %s, without %q:\n%s", c.cmd.ProcessState, pattern, c.text())
			}
		default:
		}
		return want.MatchString(c.text())
	})
}

// interrupt is Ctrl-C: the terminal sends it to the whole group.
func (c *command) interrupt() {
	c.t.Helper()
	if err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGINT); err != nil {
		c.t.Fatal(err)
	}
}

// status waits for the end and gives the exit status.
func (c *command) status() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(2 * time.Minute):
		c.t.Fatalf("it runs on:\n%s", c.text())
	}
	return c.cmd.ProcessState.ExitCode()
}

// process is a line of the process table.
type process struct {
	id      int
	command string
}

// processes lists the processes that have the command's temporary folder in their command line: etcd, kube-apiserver,
// their guard, and the manager, which is told where the kubeconfig is.
func (c *command) processes() []process {
	c.t.Helper()
	out, err := exec.Command("ps", "-axww", "-o", "pid=,command=").Output()
	if err != nil {
		c.t.Fatalf("ps: %v", err)
	}
	var found []process
	for line := range strings.Lines(string(out)) {
		id, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.Contains(command, c.temp) {
			continue
		}
		number, err := strconv.Atoi(id)
		if err != nil {
			c.t.Fatalf("ps: %q: %v", line, err)
		}
		found = append(found, process{number, command})
	}
	return found
}

// leavesNothing checks that neither process nor file nor open port is left.
func (c *command) leavesNothing(ports []string) {
	c.t.Helper()
	left := func() (all []string) {
		for _, p := range c.processes() {
			all = append(all, p.command)
		}
		entries, err := os.ReadDir(c.temp)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, filepath.Join(c.temp, e.Name()))
		}
		for _, address := range ports {
			if answers(address) {
				all = append(all, address)
			}
		}
		return all
	}
	if all := left(); len(all) > 0 {
		c.t.Errorf("left behind:\n%s", strings.Join(all, "\n"))
	}
}

// eventually waits for a condition that other processes bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(4 * time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("after 4 minutes still not: %s", what)
		}
	}
}
