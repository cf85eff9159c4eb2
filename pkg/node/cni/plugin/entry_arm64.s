#include "textflag.h"

// Where a process starts that was linked with this as its entry: begin, and when that returns the entry of Go. The register
// of the current goroutine holds a zero, as nothing there may use one.
TEXT terway_entry(SB),NOSPLIT|NOFRAME,$0
	MOVD	RSP, R0
	MOVD	ZR, g
	SUB	$32, RSP
	MOVD	R0, 8(RSP)
	CALL	·begin(SB)
	ADD	$32, RSP
	JMP	_rt0_arm64_linux(SB)
