package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// lockRetry is how often a waiting process asks for the lock; flock itself cannot be waited for with a context.
	lockRetry = 250 * time.Millisecond
	// lockReminder is how often it says that it is still waiting.
	lockReminder = 30 * time.Second
)

// lockFile takes the lock at path, making the file where needed, and returns what lets go of it. The kernel holds the lock
// for the open file, so one left by a process that was killed is free at once. The file stays: to remove it
// would let two processes lock two files of one name.
func lockFile(ctx context.Context, path string, progress io.Writer) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of the control plane's cache: %w", err)
	}
	if err := waitForLock(ctx, file, progress); err != nil {
		_ = file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil // closing it lets go
}

func waitForLock(ctx context.Context, file *os.File, progress io.Writer) error {
	started := time.Now()
	var said time.Time
	for {
		locked, err := tryLock(file)
		if err != nil {
			return fmt.Errorf("locking %s: %w", file.Name(), err)
		}
		if locked {
			return nil
		}
		if now := time.Now(); now.Sub(said) >= lockReminder {
			said = now
			fmt.Fprintf(progress, "control plane: another process is building it; waiting for that one (%s so far)\n",
				now.Sub(started).Round(time.Second))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for another process to build the control plane: %w", context.Cause(ctx))
		case <-time.After(lockRetry):
		}
	}
}
