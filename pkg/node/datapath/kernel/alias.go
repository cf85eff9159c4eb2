package kernel

import (
	"fmt"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/datapath/bpf"
)

// aliasFormat is owner, value, mask and program ID.
const aliasFormat = "%s mark=0x%x/0x%x program=%d"

// alias is what a link's alias says in the kernel: the owner and, for a link with a mark, the mark and the number of the
// program that sets it. With it a later process can tell that the program it finds attached is the right one: finding that
// out from the program itself takes CAP_SYS_ADMIN.
func (k *Kernel) alias(l datapath.Link) (string, error) {
	if l.IngressMark.IsZero() {
		return l.Alias, nil
	}
	if k.marksErr != nil {
		return "", fmt.Errorf("mark packets: %w", k.marksErr)
	}
	id, err := k.marks.ID(l.IngressMark)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(aliasFormat, l.Alias, l.IngressMark.Value, l.IngressMark.Mask, id), nil
}

// parseAlias is alias's reverse. Of an alias without a mark the whole is the owner.
func parseAlias(alias string) (owner string, mark datapath.Mark, id bpf.ProgramID) {
	if n, err := fmt.Sscanf(alias, aliasFormat, &owner, &mark.Value, &mark.Mask, &id); n != 4 || err != nil {
		return alias, datapath.Mark{}, 0
	}
	return owner, mark, id
}
