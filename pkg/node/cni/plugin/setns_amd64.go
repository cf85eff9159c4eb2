package plugin

// sysSetns is setns(2), which package syscall was frozen too early for (arch/x86/entry/syscalls/syscall_64.tbl).
const sysSetns = 308
