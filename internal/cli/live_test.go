package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// terminalTest is a program on a terminal of 30 rows and 120 columns, and a person who looks at it.
type terminalTest struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	screen vt10x.Terminal

	mu      sync.Mutex
	written bytes.Buffer
	ended   chan struct{}
}

func onTerminal(t *testing.T, environment []string, args ...string) *terminalTest {
	t.Helper()
	x := &terminalTest{t: t, screen: vt10x.New(vt10x.WithSize(120, 30)), ended: make(chan struct{})}
	x.cmd = exec.Command("kubectl-slipway", args...)
	x.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "NO_COLOR="), environment...)
	master, err := pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 30, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	x.master = master
	t.Cleanup(func() {
		_ = x.cmd.Process.Kill() // where the test did not see its end
		<-x.ended
		master.Close()
	})
	go func() {
		defer close(x.ended)
		buffer := make([]byte, 1<<16)
		for {
			n, err := master.Read(buffer)
			x.mu.Lock()
			x.written.Write(buffer[:n])
			_, _ = x.screen.Write(buffer[:n]) // a screen takes everything
			x.mu.Unlock()
			if err != nil { // the program has ended
				return
			}
		}
	}()
	return x
}

// look gives what is on the screen, and what was written since the last look.
func (x *terminalTest) look() (screen, written string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	written = x.written.String()
	x.written.Reset()
	return x.screen.String(), written
}

// until waits for words on the screen, and gives what was written meanwhile.
func (x *terminalTest) until(words ...string) (screen, written string) {
	x.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		now, more := x.look()
		written += more
		all := true
		for _, word := range words {
			all = all && strings.Contains(now, word)
		}
		if all {
			return now, written
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("the screen never had %q:\n%s", words, now)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-x.ended:
			if now, _ := x.look(); !strings.Contains(now, words[0]) {
				x.t.Fatalf("it ended, and the screen never had %q:\n%s", words, now)
			}
		}
	}
}

func (x *terminalTest) end() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(30 * time.Second):
		x.t.Fatal("it does not end")
	}
	_ = x.cmd.Wait() // the status says it
	return x.cmd.ProcessState.ExitCode()
}

// kubeconfigFor writes one whose namespace is the test's.
func kubeconfigFor(t *testing.T, path, namespace string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts[config.CurrentContext].Namespace = namespace
	own := t.TempDir() + "/kubeconfig"
	if err := clientcmd.WriteToFile(*config, own); err != nil {
		t.Fatal(err)
	}
	return "KUBECONFIG=" + own
}

// The live screen draws below what is there, moves with the Release, writes again only what changed, and ends by itself; its last
// frame stays.
func TestLiveScreen(t *testing.T) {
	plane, c := cluster(t, "live-screen")
	web := read(t, "testdata/releases/preview.yaml")
	web.Name = "web"
	if err := place(t.Context(), c, web, "live-screen", "kubectl"); err != nil {
		t.Fatal(err)
	}
	x := onTerminal(t, []string{kubeconfigFor(t, plane.KubeconfigPath, "live-screen")}, "get", "web", "-w", "--for=live")
	x.until("it waits for: kubectl slipway promote web")
	if status := x.end(); status != ExitDecision {
		t.Errorf("at rest in Preview, --for=live ends with %d", status)
	}

	x = onTerminal(t, []string{kubeconfigFor(t, plane.KubeconfigPath, "live-screen")}, "get", "web", "-w")
	first, frame := x.until("ready in Preview, waiting for you", "├─ candidate", "classic edge")
	if strings.Contains(frame, "\x1b[?1049h") || strings.Contains(frame, "\x1b[2J") {
		t.Error("it takes the whole screen, and what was there before is gone")
	}
	if !strings.Contains(frame, "\x1b[33m") && !strings.Contains(frame, ";33m") {
		t.Errorf("no colour in %q", frame)
	}
	web.Status.Message = "somebody has a look at it"
	if err := settle(t.Context(), c, now(t, c, "live-screen"), web.Status); err != nil {
		t.Fatal(err)
	}
	_, change := x.until("somebody has a look at it")
	for _, unchanged := range []string{string(web.Status.Stable.ServerIDs[0]), "classic edge", "├─", "\x1b[2J", "\x1b[?1049h"} {
		if strings.Contains(change, unchanged) {
			t.Errorf("where one line changed %q is written: %q", unchanged, change)
		}
	}
	move(t, c, "live-screen", "promoting")
	x.until("the candidate joins production")
	if err := c.DeleteAllOf(t.Context(), &v1alpha1.Release{}, client.InNamespace("live-screen")); err != nil {
		t.Fatal(err)
	}
	if status := x.end(); status != 0 {
		t.Errorf("it ends with %d when the Release is gone:\n%s", status, first)
	}
}

// move does what the controller does.
func move(t *testing.T, c client.Client, namespace, kind string) {
	t.Helper()
	if err := settle(t.Context(), c, now(t, c, namespace), read(t, fmt.Sprintf("testdata/releases/%s.yaml", kind)).Status); err != nil {
		t.Fatal(err)
	}
}

// now is the Release as it is.
func now(t *testing.T, c client.Client, namespace string) *v1alpha1.Release {
	t.Helper()
	var r v1alpha1.Release
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "web"}, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// sgr is an escape sequence that changes how text looks (Select Graphic Rendition).
var sgr = regexp.MustCompile(`\x1b\[([0-9;:]*)m`)

// styled are the sequences in what was written that give a colour or another look. A reset alone gives none: the terminal library may begin
// or end with one.
func styled(written string) []string {
	var found []string
	for _, match := range sgr.FindAllStringSubmatch(written, -1) {
		if match[1] != "" && match[1] != "0" {
			found = append(found, strings.Trim(match[0], "\x1b"))
		}
	}
	return found
}

// q ends the screen; NO_COLOR takes every colour and every other look, and leaves the rest.
func TestLiveScreenWithoutColours(t *testing.T) {
	plane, c := cluster(t, "live-plain")
	web := read(t, "testdata/releases/preview.yaml")
	web.Name = "web"
	if err := place(t.Context(), c, web, "live-plain", "kubectl"); err != nil {
		t.Fatal(err)
	}
	kubeconfig := kubeconfigFor(t, plane.KubeconfigPath, "live-plain")
	for _, command := range [][]string{{"list", "-w"}, {"get", "web", "-w"}} {
		x := onTerminal(t, []string{kubeconfig, "NO_COLOR=1"}, command...)
		_, frame := x.until("NAME", "ready in Preview, waiting for you")
		if _, err := x.master.WriteString("q"); err != nil {
			t.Fatal(err)
		}
		if status := x.end(); status != 0 {
			t.Errorf("q ends %v with %d", command, status)
		}
		_, rest := x.look()
		if looks := styled(frame + rest); len(looks) > 0 {
			t.Errorf("%v has %q in %q", command, looks, frame+rest)
		}
	}
}

// What is written once on a terminal has colours, and none with NO_COLOR.
func TestScreenOnATerminal(t *testing.T) {
	plane, c := cluster(t, "once")
	web := read(t, "testdata/releases/live-unhealthy.yaml")
	web.Name = "web"
	if err := place(t.Context(), c, web, "once", "kubectl"); err != nil {
		t.Fatal(err)
	}
	kubeconfig := kubeconfigFor(t, plane.KubeconfigPath, "once")
	for _, command := range [][]string{{"get", "web"}, {"list"}, {"explain", "web"}, {"history", "web"}} {
		for _, environment := range []string{"NO_COLOR=", "NO_COLOR=1"} {
			x := onTerminal(t, []string{kubeconfig, environment}, command...)
			if status := x.end(); status != 0 {
				t.Errorf("%v ends with %d", command, status)
			}
			screen, written := x.look()
			if !strings.Contains(screen, "v2") {
				t.Errorf("%v says nothing:\n%s", command, screen)
			}
			if looks, wanted := styled(written), environment == "NO_COLOR="; len(looks) > 0 != wanted {
				t.Errorf("%s: %v has %q in %q", environment, command, looks, written)
			}
		}
	}
}

// On a terminal a change asks, and does nothing without a yes.
func TestAsks(t *testing.T) {
	plane, c := cluster(t, "asks")
	web := read(t, "testdata/releases/preview.yaml")
	web.Name = "web"
	if err := place(t.Context(), c, web, "asks", "kubectl"); err != nil {
		t.Fatal(err)
	}
	kubeconfig := kubeconfigFor(t, plane.KubeconfigPath, "asks")
	for _, answer := range []struct {
		typed  string
		status int
		phase  v1alpha1.Phase
	}{{"\n", ExitRefused, v1alpha1.PhasePreview}, {"no\n", ExitRefused, v1alpha1.PhasePreview}, {"y\n", 0, v1alpha1.PhaseLive}} {
		x := onTerminal(t, []string{kubeconfig}, "promote", "web")
		x.until("registers 2 servers of v2 in production pool edge", "Go on? [y/N]")
		if _, err := x.master.WriteString(answer.typed); err != nil {
			t.Fatal(err)
		}
		status := x.end()
		if phase := now(t, c, "asks").Spec.Phase; status != answer.status || phase != answer.phase {
			t.Errorf("%q: status %d, phase %s; want %d, %s", answer.typed, status, phase, answer.status, answer.phase)
		}
	}
}

// lines gives each line that is written to it.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}

func (l lines) want(t *testing.T, words string) {
	t.Helper()
	select {
	case line := <-l:
		if !strings.Contains(line, words) {
			t.Fatalf("%q, want %q", line, words)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("no line with %q", words)
	}
}

// Where there is no terminal, -w writes a line for each change and none for a look that shows nothing new; it ends when the
// Release is gone.
func TestWatchWritesLines(t *testing.T) {
	plane, c := cluster(t, "watch-lines")
	web := read(t, "testdata/releases/preview.yaml")
	web.Name = "web"
	if err := place(t.Context(), c, web, "watch-lines", "kubectl"); err != nil {
		t.Fatal(err)
	}
	out := make(lines, 100)
	o := NewOptions(genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: os.Stderr})
	path := strings.TrimPrefix(kubeconfigFor(t, plane.KubeconfigPath, "watch-lines"), "KUBECONFIG=")
	o.Flags.KubeConfig = &path
	cmd := newGet(o)
	cmd.SetArgs([]string{"web", "-w"})
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(t.Context()) }()
	out.want(t, "ready in Preview, waiting for you; production has v1, the candidate is v2; candidate v2 2 of 2 running, 2 healthy")
	move(t, c, "watch-lines", "preview") // nothing new
	move(t, c, "watch-lines", "promoting")
	out.want(t, "the candidate joins production")
	move(t, c, "watch-lines", "live")
	out.want(t, "Live; production has v2")
	if err := c.DeleteAllOf(t.Context(), &v1alpha1.Release{}, client.InNamespace("watch-lines")); err != nil {
		t.Fatal(err)
	}
	out.want(t, "watch-lines/web: gone")
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// A wait ends with a status of its own when another version is declared meanwhile, or the Release is deleted.
func TestWaits(t *testing.T) {
	plane, c := cluster(t, "waits")
	path := strings.TrimPrefix(kubeconfigFor(t, plane.KubeconfigPath, "waits"), "KUBECONFIG=")
	for _, test := range []struct {
		name   string
		change func(r *v1alpha1.Release) error
		status int
		says   string
	}{
		{"superseded", func(r *v1alpha1.Release) error {
			r.Spec.Version = "v3"
			return c.Update(t.Context(), r)
		}, ExitSuperseded, "version v2 was waited for, and v3 is declared now"},
		{"deleted", func(r *v1alpha1.Release) error { return c.Delete(t.Context(), r) }, ExitNotFound, "it is gone"},
	} {
		web := read(t, "testdata/releases/preparing.yaml")
		web.Name = "web"
		if err := place(t.Context(), c, web, "waits", "kubectl"); err != nil {
			t.Fatal(err)
		}
		out := make(lines, 100)
		o := NewOptions(genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: os.Stderr})
		o.Flags.KubeConfig = &path
		cmd := newStatus(o)
		cmd.SetArgs([]string{"web", "--for=preview"})
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		ended := make(chan error, 1)
		go func() { ended <- cmd.ExecuteContext(t.Context()) }()
		out.want(t, "waits/web: preparing the candidate; v2: ")
		if err := test.change(now(t, c, "waits")); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; ExitCode(err) != test.status || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: exit %d, %v; want %d and %q", test.name, ExitCode(err), err, test.status, test.says)
		}
		if err := c.DeleteAllOf(t.Context(), &v1alpha1.Release{}, client.InNamespace("waits")); err != nil {
			t.Fatal(err)
		}
	}
}
