//go:build !unix

package playground

import (
	"os"
	"syscall"
)

// Where internal/controlplane does not run, nothing of this is reached.
func ownSession() *syscall.SysProcAttr { return nil }

func interrupt(p *os.Process) error { return p.Kill() }
