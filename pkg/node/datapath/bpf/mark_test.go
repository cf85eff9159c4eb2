package bpf

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

func marks(t *testing.T) *Marks {
	t.Helper()
	testkit.RequireRoot(t)
	m := NewMarks()
	if err := m.Probe(); err != nil {
		t.Skipf("no tcx here: %v", err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestProgramChangesItsOwnBitsOnly(t *testing.T) {
	m := marks(t)
	tests := []struct {
		mark      datapath.Mark
		was, want uint32
	}{
		{datapath.Mark{Value: 0x100, Mask: 0x3f00}, 0, 0x100},
		{datapath.Mark{Value: 0x100, Mask: 0x3f00}, 0xffffffff, 0xffffc1ff},
		{datapath.Mark{Value: 0x3f00, Mask: 0x3f00}, 0x4000, 0x7f00},
		{datapath.Mark{Value: 0x80000000, Mask: 0xc0000000}, 0x4000c000, 0x8000c000},
		{datapath.Mark{Value: 0xf0000000, Mask: 0xf0000000}, 0x0fffffff, 0xffffffff},
	}
	for _, test := range tests {
		prog, err := m.program(test.mark)
		if err != nil {
			t.Fatal(err)
		}
		verdict, got := run(t, prog.Program, test.was)
		if int32(verdict) != next {
			t.Errorf("%s on 0x%x: verdict %d, want %d", test.mark, test.was, int32(verdict), next)
		}
		if got != test.want {
			t.Errorf("%s on 0x%x gives 0x%x, want 0x%x", test.mark, test.was, got, test.want)
		}
	}
}

// run gives the program one packet with that mark, by BPF_PROG_TEST_RUN.
func run(t *testing.T, prog *ebpf.Program, mark uint32) (verdict, after uint32) {
	t.Helper()
	in, out := make([]byte, 192), make([]byte, 192) // struct __sk_buff
	binary.NativeEndian.PutUint32(in[markOffset:], mark)
	opts := ebpf.RunOptions{Data: make([]byte, 64), Context: in, ContextOut: out}
	verdict, err := prog.Run(&opts)
	if err != nil {
		t.Fatal(err)
	}
	return verdict, binary.NativeEndian.Uint32(out[markOffset:])
}

func TestAttachmentOutlivesItsLoader(t *testing.T) {
	m := marks(t)
	ns := testkit.NewNetNS(t)
	mark := datapath.Mark{Value: 0x100, Mask: 0x3f00}
	id, err := m.ID(mark)
	if err != nil {
		t.Fatal(err)
	}
	ns.Do(func() {
		if err := m.Attach(loopback, mark); err != nil {
			t.Fatal(err)
		}
	})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	ns.Do(func() {
		got, err := Ingress(loopback)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]ProgramID{id}, got); diff != "" {
			t.Errorf("programs of the link, -want +got:\n%s", diff)
		}
	})
}

func TestOneProgramServesEveryLinkWithTheMark(t *testing.T) {
	m := marks(t)
	first, err := m.ID(datapath.Mark{Value: 0x100, Mask: 0x3f00})
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.ID(datapath.Mark{Value: 0x100, Mask: 0x3f00})
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.ID(datapath.Mark{Value: 0x200, Mask: 0x3f00})
	if err != nil {
		t.Fatal(err)
	}
	if first != again || first == other {
		t.Errorf("program IDs %d, %d of the same mark and %d of another", first, again, other)
	}
}

func TestAttachToALinkThatIsGoneIsAnError(t *testing.T) {
	m := marks(t)
	testkit.NewNetNS(t).Do(func() {
		if err := m.Attach(4711, datapath.Mark{Value: 1, Mask: 1}); err == nil {
			t.Error("no error")
		}
	})
}
