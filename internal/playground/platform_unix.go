//go:build unix

package playground

import (
	"os"
	"syscall"
)

// ownSession takes a process out of reach of the terminal's Ctrl-C: it is ended in its turn, by us.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// interrupt asks a process to end.
func interrupt(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
