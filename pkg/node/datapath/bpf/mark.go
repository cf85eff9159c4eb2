// Package bpf has the eBPF programs of the datapath and what loads and attaches them. Programs are attached to a link's tcx
// hook (Linux 6.6) by BPF_PROG_ATTACH, not by a link object: the attachment needs no file descriptor to live on, so it
// outlives the daemon and goes with the network interface.
//
// Loading needs CAP_BPF and CAP_NET_ADMIN, attaching and asking CAP_NET_ADMIN. All calls find the interface in the network
// namespace of the calling thread.
package bpf

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// ProgramID is the kernel's number of a loaded program. It is not given again while the system runs (the kernel counts
// up to 2^31 before it starts over).
type ProgramID uint32

// loopback's index is 1 in every network namespace (LOOPBACK_IFINDEX in the kernel).
const loopback = 1

// markOffset is where struct __sk_buff (include/uapi/linux/bpf.h) has the mark.
const markOffset = 8

// next lets the packet go on to the hook's next program, and then up the stack (TCX_NEXT in include/uapi/linux/bpf.h).
const next = -1

// Marks is the loaded mark programs, one for each mark whatever the number of links. It may be used concurrently.
type Marks struct {
	mu     sync.Mutex
	loaded map[datapath.Mark]program
}

type program struct {
	*ebpf.Program
	id ProgramID
}

// NewMarks returns a Marks with nothing loaded.
func NewMarks() *Marks { return &Marks{loaded: map[datapath.Mark]program{}} }

// Probe reports, as an error, why programs cannot be attached to links here: a kernel before 6.6, or a missing capability.
// It asks for loopback's programs and loads one, and changes nothing.
func (m *Marks) Probe() error {
	if _, err := Ingress(loopback); err != nil {
		return err
	}
	prog, err := load(datapath.Mark{Value: 1, Mask: 1})
	if err != nil {
		return err
	}
	return prog.Close()
}

// Attach makes the link with that index set mark on what comes in: after the programs that are there already, so that its
// bits are the last word. An attached program stays until the end of the link.
func (m *Marks) Attach(index int, mark datapath.Mark) error {
	prog, err := m.program(mark)
	if err != nil {
		return err
	}
	err = link.RawAttachProgram(link.RawAttachProgramOptions{Target: index, Program: prog.Program, Attach: ebpf.AttachTCXIngress, Anchor: link.Tail()})
	if err != nil {
		return fmt.Errorf("attach mark program to link %d: %w", index, err)
	}
	return nil
}

// ID is the number of mark's program, which it loads if need be.
func (m *Marks) ID(mark datapath.Mark) (ProgramID, error) {
	prog, err := m.program(mark)
	return prog.id, err
}

// Close unloads the programs that no link uses any more. Attached ones stay attached.
func (m *Marks) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, prog := range m.loaded {
		errs = append(errs, prog.Close())
	}
	clear(m.loaded)
	return errors.Join(errs...)
}

func (m *Marks) program(mark datapath.Mark) (program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if prog, ok := m.loaded[mark]; ok {
		return prog, nil
	}
	prog, err := load(mark)
	if err != nil {
		return program{}, err
	}
	m.loaded[mark] = prog
	return prog, nil
}

func load(mark datapath.Mark) (program, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "terway_mark",
		Type:         ebpf.SchedCLS,
		AttachType:   ebpf.AttachTCXIngress,
		Instructions: markInstructions(mark),
		License:      "Apache-2.0",
	})
	if err != nil {
		return program{}, fmt.Errorf("load mark program %s: %w", mark, err)
	}
	info, err := prog.Info()
	if err != nil {
		_ = prog.Close()
		return program{}, fmt.Errorf("ask for mark program %s: %w", mark, err)
	}
	id, _ := info.ID() // every kernel with tcx numbers its programs
	return program{Program: prog, id: ProgramID(id)}, nil
}

// markInstructions is skb->mark = skb->mark &^ Mask | Value. The arithmetic is of 32 bits: 64-bit immediates would be
// sign-extended and set the upper half.
func markInstructions(mark datapath.Mark) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, markOffset, asm.Word),
		asm.And.Imm32(asm.R2, int32(^mark.Mask)),
		asm.Or.Imm32(asm.R2, int32(mark.Value)),
		asm.StoreMem(asm.R1, markOffset, asm.R2, asm.Word),
		asm.Mov.Imm(asm.R0, next),
		asm.Return(),
	}
}

// Ingress lists the programs at the tcx ingress hook of the link with that index, in the order they run.
func Ingress(index int) ([]ProgramID, error) {
	result, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return nil, fmt.Errorf("list programs of link %d (its hook needs Linux 6.6 or later): %w", index, err)
	}
	ids := make([]ProgramID, 0, len(result.Programs))
	for _, p := range result.Programs {
		ids = append(ids, ProgramID(p.ID))
	}
	return ids, nil
}
