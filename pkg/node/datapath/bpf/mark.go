// Package bpf has the eBPF programs of the datapath and loads them. Package kernel attaches them, as filters of a link's
// clsact qdisc: that is a netlink request like the others, goes into the same batch, and what is attached stays when
// the daemon ends. Loading needs CAP_BPF and CAP_NET_ADMIN.
//
// The newer hook for the same place, tcx (Linux 6.6), was measured and left: attaching a program to a link waits for an RCU
// grace period while it holds the lock of all network configuration (tcx_entry_sync in net/core), 11 ms for each pod
// where a filter takes 0.2 ms.
package bpf

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// Program is a loaded program.
type Program struct {
	FD  int    // good as long as the Marks it came from is open
	Tag string // the kernel's digest of its instructions, 16 hexadecimal digits: the same whoever loads the same program
}

// Marks is the mark programs, one for each mark whatever the number of links. It may be used concurrently.
type Marks struct {
	mu     sync.Mutex
	loaded map[datapath.Mark]*ebpf.Program
	tags   map[datapath.Mark]string
}

// NewMarks returns a Marks with nothing loaded.
func NewMarks() *Marks {
	return &Marks{loaded: map[datapath.Mark]*ebpf.Program{}, tags: map[datapath.Mark]string{}}
}

// Program returns the program that sets mark on each packet and lets it go on. It loads it if need be.
func (m *Marks) Program(mark datapath.Mark) (Program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	prog, ok := m.loaded[mark]
	if !ok {
		var err error
		if prog, err = m.load(mark); err != nil {
			return Program{}, fmt.Errorf("load program for mark %s: %w", mark, err)
		}
	}
	return Program{FD: prog.FD(), Tag: m.tags[mark]}, nil
}

func (m *Marks) load(mark datapath.Mark) (*ebpf.Program, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "terway_mark",
		Type:         ebpf.SchedCLS,
		Instructions: instructions(mark),
		License:      "Apache-2.0",
	})
	if err != nil {
		return nil, err
	}
	info, err := prog.Info()
	if err != nil {
		return nil, errors.Join(err, prog.Close())
	}
	m.loaded[mark], m.tags[mark] = prog, info.Tag
	return prog, nil
}

// Close unloads the programs that no link uses. Attached ones stay.
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

// markOffset is where struct __sk_buff (include/uapi/linux/bpf.h) has the mark.
const markOffset = 8

// goOn lets the packet go on to the next filter, and then up the stack (TC_ACT_UNSPEC in include/uapi/linux/pkt_cls.h).
const goOn = -1

// instructions is skb->mark = skb->mark &^ Mask | Value. The arithmetic is of 32 bits: 64-bit immediates would be
// sign-extended and set the upper half.
func instructions(mark datapath.Mark) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, markOffset, asm.Word),
		asm.And.Imm32(asm.R2, int32(^mark.Mask)),
		asm.Or.Imm32(asm.R2, int32(mark.Value)),
		asm.StoreMem(asm.R1, markOffset, asm.R2, asm.Word),
		asm.Mov.Imm(asm.R0, goOn),
		asm.Return(),
	}
}
