package playground

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// script writes a program in the manager's place.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manager")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func startFake(t *testing.T, text string) (*process, error) {
	t.Helper()
	return tryManager(t.Context(), managerOptions{
		path: script(t, text), kubeconfig: "kubeconfig", log: filepath.Join(t.TempDir(), "log"), endpoint: "http://127.0.0.1:1", region: "us-east-1",
	})
}

func TestManagerThatEndsAtOnce(t *testing.T) {
	_, err := startFake(t, `echo "no such flag: $1" >&2; exit 3`)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such flag: --kubeconfig=kubeconfig") {
		t.Errorf("error %v; it has to say how the manager ended and what it said", err)
	}
}

func TestManagerThatCannotBeStarted(t *testing.T) {
	_, err := tryManager(t.Context(), managerOptions{path: filepath.Join(t.TempDir(), "absent"), log: filepath.Join(t.TempDir(), "log")})
	if err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("error %v; it has to name the file", err)
	}
}

// running starts a process that is not ready and never will be.
func running(t *testing.T, text string) *process {
	t.Helper()
	file := script(t, text)
	p, err := launch(managerOptions{path: file, log: filepath.Join(t.TempDir(), "log")}, []string{"127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // where the test failed
	return p
}

func TestStopAsksFirst(t *testing.T) {
	told := filepath.Join(t.TempDir(), "told")
	ready := filepath.Join(t.TempDir(), "ready")
	p := running(t, `trap 'echo bye >`+told+`; exit 0' TERM; : >`+ready+`; while :; do sleep 0.05; done`)
	awaitFile(t, ready)
	for range 2 { // the second call has nothing to do
		if err := p.stop(managerStop); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(told); err != nil {
		t.Errorf("it was not asked to end: %v", err)
	}
}

func TestStopKillsInTheEnd(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	p := running(t, `trap '' TERM; : >`+ready+`; while :; do sleep 0.05; done`)
	awaitFile(t, ready)
	err := p.stop(100 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("error %v; it has to say that the manager was killed", err)
	}
	select {
	case <-p.ended:
	default:
		t.Error("it runs on")
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("after a minute there is no %s", path)
		}
	}
}

// No real account can be meant, whatever the person's shell is set up for.
func TestManagerEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "real", "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_ENDPOINT_URL_EC2": "https://ec2.amazonaws.com",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "SLIPWAY_TEST": "kept",
	} {
		t.Setenv(name, value)
	}
	env := managerEnvironment("http://127.0.0.1:1", "us-east-1")
	var aws []string
	for _, v := range env {
		if strings.HasPrefix(v, "AWS_") {
			aws = append(aws, v)
		}
	}
	slices.Sort(aws)
	want := []string{"AWS_ACCESS_KEY_ID=MANAGER", "AWS_CONFIG_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "AWS_ENDPOINT_URL=http://127.0.0.1:1",
		"AWS_REGION=us-east-1", "AWS_SECRET_ACCESS_KEY=local", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
	if !slices.Equal(aws, want) {
		t.Errorf("got %q, want %q", aws, want)
	}
	if !slices.Contains(env, "SLIPWAY_TEST=kept") {
		t.Error("the rest of the environment is gone")
	}
}
