package plugin

// sysSetns is setns(2), which package syscall was frozen too early for (arch/x86/entry/syscalls/syscall_64.tbl).
const sysSetns = 308

var (
	stack   uintptr    // where the kernel left it
	storage [2]uintptr // of the thread; Go reads the word in front of where it points
)
