#include "textflag.h"

// Where a process starts that was linked with this as its entry: begin, and when that returns the entry of Go. begin is
// called as any Go function is called from assembly; on the way the compiler's wrapper reads the current goroutine from
// the thread's storage, so that is made to hold a zero. Go's own entry sets it anew.
TEXT terway_entry(SB),NOSPLIT|NOFRAME,$0
	MOVQ	SP, ·stack(SB)
	MOVQ	$158, AX           // arch_prctl
	MOVQ	$0x1002, DI        // ARCH_SET_FS
	LEAQ	·storage+8(SB), SI
	SYSCALL
	MOVQ	·stack(SB), BX
	SUBQ	$16, SP
	MOVQ	BX, 0(SP)
	CALL	·begin(SB)
	MOVQ	·stack(SB), SP
	JMP	_rt0_amd64_linux(SB)
