package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/onectl/onectl/e2e/rig"
)

// evidenceLines is how much of the daemon's log is kept: that of some minutes.
const evidenceLines = 300

// evidence is what a person would look at first when a pod has no network, as it is now: the hour goes on, and the next fault covers it.
func (s *story) evidence(box *sandbox) string {
	var b strings.Builder
	look := func(where string, netns *os.File, line string) {
		cmd := exec.Command("sh", "-c", line)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		err := rig.In(netns, cmd.Start)
		if err == nil {
			err = cmd.Wait()
		}
		fmt.Fprintf(&b, "  in %s: %s (%v)\n%s", where, line, err, out.String())
	}
	for _, line := range []string{"ip address", "ip route", "ip neigh"} {
		look("the pod", box.netns, line)
	}
	links := "for l in $(ip -o link show | sed -n 's/.* \\(cali[^@:]*\\).*/\\1/p'); do ip -d link show $l | head -4; tc filter show dev $l ingress; ip neigh show dev $l; done"
	for _, line := range []string{"ip rule", "ip route show table all", "ip -d link show type veth | grep -B2 -A3 " + box.id, links} {
		look("the node", s.node.Host, line)
	}
	look("the other instance", s.peer, "ip route; ip neigh")
	log, _ := os.ReadFile(s.node.File("terwayd.log"))
	var told []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, box.pod) || !strings.Contains(line, `"level":"DEBUG"`) {
			told = append(told, line)
		}
	}
	fmt.Fprintf(&b, "  of terwayd:\n%s", strings.Join(told[max(0, len(told)-evidenceLines):], ""))
	return b.String()
}
