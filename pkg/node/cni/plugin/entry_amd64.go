package plugin

// sysSetns is setns(2), which package syscall was frozen too early for (arch/x86/entry/syscalls/syscall_64.tbl).
const sysSetns = 308

// What entry_amd64.s writes: where the kernel left the stack, and the thread's storage, where Go reads the word in front
// of where it points.
//
//lint:ignore U1000 only assembly uses them
var stack, storage = uintptr(0), [2]uintptr{}
