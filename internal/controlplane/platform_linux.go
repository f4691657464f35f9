package controlplane

import "syscall"

// endWithParent interrupts a compiler whose parent was killed, so that it does not go on for minutes and for nobody.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT} }
