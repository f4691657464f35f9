package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// signalWriter tells when something was written for the first time.
type signalWriter struct {
	io.Writer
	once    sync.Once
	written chan struct{}
}

func (w *signalWriter) Write(p []byte) (int, error) {
	defer w.once.Do(func() { close(w.written) })
	return w.Writer.Write(p)
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()

	ctx, cancel := context.WithCancel(t.Context())
	said := &signalWriter{Writer: io.Discard, written: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		_, err := lockFile(ctx, path, said)
		ended <- err
	}()
	<-said.written
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("lockFile = %v, want the context's error", err)
	}
}

func TestUnlockedLockIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		unlock, err := lockFile(t.Context(), path, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	}
}

// A lock whose holder was killed does not block the next one.
func TestLockOfAKilledProcessIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := startHelper(t, "hold-lock", path)
	if line := holder.line(t); line != "locked" {
		t.Fatalf("the helper said %q", line)
	}
	held, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if locked, err := tryLock(held); err != nil || locked {
		t.Fatalf("tryLock = %v, %v while another process holds it", locked, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}

	holder.kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	unlock, err := lockFile(ctx, path, io.Discard)
	if err != nil {
		t.Fatalf("the lock of a killed process still blocks: %v", err)
	}
	unlock()
}

func TestLockThatCannotBeOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "lock")
	_, err := lockFile(t.Context(), path, io.Discard)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(fmt.Sprint(err), path) {
		t.Errorf("lockFile = %v, want an error that names %s", err, path)
	}
}
