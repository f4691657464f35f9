//go:build darwin || linux

package controlplane

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes an exclusive lock on the open file, or says that somebody else has it.
func tryLock(file *os.File) (bool, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// ownSession takes a process out of reach of what the terminal sends to ours: Ctrl-C, and the end of the session.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
