package plugin

import (
	"syscall"
	"unsafe"
)

// early is the call that was begun before Go's runtime started, if one was.
var early call

// begin is called by Entry with the stack as the kernel made it: the number of arguments, the arguments, a zero, the
// environment, a zero (the System V ABI, "Process Initialization"). When the daemon has answered it ends the process; when it
// returns, Go's runtime starts, and Run goes on from where this ended.
//
//lint:ignore U1000 only assembly calls it
//go:nosplit
func begin(stack unsafe.Pointer) {
	arguments := *(*int)(stack)
	early.readEnvironment(unsafe.Add(stack, word*(arguments+2)))
	if what := early.vars[command]; what != "ADD" && what != "DEL" && what != "CHECK" {
		return
	}
	early.patience = patience
	early.exchange(0)
	if early.failed.step != done {
		return
	}
	code := early.exitCode()
	if !writeAll(1, early.said()) {
		code = 1
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, uintptr(code), 0, 0)
}

const word = int(unsafe.Sizeof(uintptr(0)))

// readEnvironment takes the variables that are wanted, the first of a name as getenv(3) does. They stay where they are.
//
//go:nosplit
func (c *call) readEnvironment(at unsafe.Pointer) {
	var found [variables]bool
	for ; *(*unsafe.Pointer)(at) != nil; at = unsafe.Add(at, word) {
		entry := cString(*(*unsafe.Pointer)(at))
		for i := range names {
			if n := len(names[i]); !found[i] && len(entry) > n && entry[n] == '=' && entry[:n] == names[i] {
				c.vars[i], found[i] = entry[n+1:], true
			}
		}
	}
}

//go:nosplit
func cString(p unsafe.Pointer) string {
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return unsafe.String((*byte)(p), n)
}
