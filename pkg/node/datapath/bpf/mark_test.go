package bpf

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

func newMarks(t *testing.T) *Marks {
	t.Helper()
	testkit.RequireRoot(t)
	m := NewMarks()
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestProgramChangesItsOwnBitsOnly(t *testing.T) {
	m := newMarks(t)
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
		if _, err := m.Program(test.mark); err != nil {
			t.Fatal(err)
		}
		verdict, got := run(t, m.loaded[test.mark], test.was)
		if int32(verdict) != goOn {
			t.Errorf("%s on 0x%x: verdict %d, want %d", test.mark, test.was, int32(verdict), goOn)
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

func TestTagTellsProgramsApartWhoeverLoadsThem(t *testing.T) {
	tag := func(m *Marks, mark datapath.Mark) string {
		prog, err := m.Program(mark)
		if err != nil {
			t.Fatal(err)
		}
		return prog.Tag
	}
	one, other := datapath.Mark{Value: 0x100, Mask: 0x3f00}, datapath.Mark{Value: 0x200, Mask: 0x3f00}
	first, second := newMarks(t), newMarks(t)
	if a, b := tag(first, one), tag(second, one); a != b || len(a) != 16 {
		t.Errorf("tags %q and %q of the same program, want the same 16 digits", a, b)
	}
	if a, b := tag(first, one), tag(first, other); a == b {
		t.Errorf("tag %q of two programs", a)
	}
}

func TestOneProgramServesEveryLinkWithTheMark(t *testing.T) {
	m := newMarks(t)
	for range 3 {
		if _, err := m.Program(datapath.Mark{Value: 0x100, Mask: 0x3f00}); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.loaded) != 1 {
		t.Errorf("%d programs loaded, want 1", len(m.loaded))
	}
}
