//go:build !darwin && !linux

package controlplane

import (
	"errors"
	"os"
	"syscall"
)

// errPlatform is all that the local control plane says elsewhere; the rest of the command line works there.
var errPlatform = errors.New("the local control plane runs on Linux and macOS (on Windows: in WSL)")

func tryLock(*os.File) (bool, error) { return false, errPlatform }

func ownSession() *syscall.SysProcAttr { return nil }

func endWithParent() *syscall.SysProcAttr { return nil }
