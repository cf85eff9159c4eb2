package plugin

import "syscall"

// Every function in this file and those that it calls run without Go's runtime; see the package's comment.

// The variables that a message carries, in its order.
const (
	command = iota
	containerID
	netnsPath
	ifName
	args
	path
	variables
)

var names = [variables]string{"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"}

// patience is a little less than the two minutes after which kubelet gives up, so that its event holds our words.
const patience = 110 // seconds

// headSize is room for the variables: the kernel takes at most 32 pages for each (MAX_ARG_STRLEN).
const headSize = 1 << 20

// maxPath is how long the path of a unix socket can be, its closing zero not counted (unix(7)).
const maxPath = 107

// call is one exchange with the daemon. It is large and lies in memory that costs nothing until it is used.
type call struct {
	vars     [variables]string
	problem  string // why the network namespace could not be opened; "" where it was, or need not be
	begun    bool
	patience int64 // seconds for all the daemon does
	failed   failure

	read       bool // size bytes of config are standard input
	size       int
	fds        [2]int32 // the sandbox: its namespace and a routing socket in it; none when opened is false
	opened     bool
	stats      [2]syscall.Stat_t // of two namespaces; too large for a stack that does not grow
	socket     [maxPath + 1]byte
	socketSize int
	began      int64 // seconds of the monotonic clock

	head     [headSize]byte
	headSize int
	config   [MaxMessage + 1]byte
	answer   [4 + MaxMessage]byte
	got      int // bytes of answer
}

// exchange asks the daemon. failed says how it went; a part that is done already, as reading what can be read only once, is not
// done again. A problem of the sandbox is told to the daemon, once it is in words.
//
//go:nosplit
func (c *call) exchange(in int) {
	c.begun = true
	if c.failed = c.readConfig(in); c.failed.step != done {
		return
	}
	if c.failed = c.findSocket(); c.failed.step != done {
		return
	}
	if c.wantsSandbox() {
		c.failed = c.openSandbox()
		if c.failed.step != done && c.vars[command] != "DEL" { // whose namespace may be gone
			return
		}
	}
	if c.failed = c.writeHead(); c.failed.step != done {
		return
	}
	c.failed = c.ask()
}

//go:nosplit
func (c *call) wantsSandbox() bool {
	return !c.opened && c.problem == "" && (c.vars[command] == "ADD" || c.vars[command] == "CHECK" || c.vars[command] == "DEL")
}

// exitCode and said are the answer: its first byte after the length, and the rest.
//
//go:nosplit
func (c *call) exitCode() int { return int(c.answer[4]) }

//go:nosplit
func (c *call) said() []byte { return c.answer[5:c.got] }

//go:nosplit
func (c *call) readConfig(in int) failure {
	for !c.read {
		if c.size > MaxMessage {
			return failure{step: readingConfig, size: c.size}
		}
		n, errno := transfer(syscall.SYS_READ, in, c.config[c.size:])
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return failure{step: readingConfig, errno: errno}
		case n == 0:
			c.read = true
		}
		c.size += n
	}
	return failure{}
}

// findSocket is the daemon's socket: key "socket" of the plugin's configuration.
//
//go:nosplit
func (c *call) findSocket() failure {
	c.socketSize = findString(c.config[:c.size], "socket", c.socket[:maxPath])
	if c.socketSize == 0 {
		c.socketSize = copy(c.socket[:], DefaultSocket)
	}
	if c.socketSize > maxPath {
		size := c.socketSize
		c.socketSize = maxPath
		return failure{step: measuring, size: size}
	}
	return failure{}
}

//go:nosplit
func (c *call) socketPath() []byte { return c.socket[:c.socketSize] }

// writeHead writes all of the message but the configuration's bytes: what Message.Encode writes, too.
//
//go:nosplit
func (c *call) writeHead() failure {
	c.headSize = 4
	c.head[4], c.headSize = Version, 5
	for i := range c.vars {
		if !c.appendField(c.vars[i]) {
			return failure{step: measuring, size: len(c.vars[i]) + MaxMessage}
		}
	}
	if !c.appendField(c.problem) {
		return failure{step: measuring, size: len(c.problem) + MaxMessage}
	}
	putLength(c.head[c.headSize:], c.size)
	c.headSize += 4
	size := c.headSize - 4 + c.size
	if size > MaxMessage {
		return failure{step: measuring, size: size}
	}
	putLength(c.head[:], size)
	return failure{}
}

// appendField leaves room for one more length.
//
//go:nosplit
func (c *call) appendField(s string) bool {
	if c.headSize+4+len(s)+4 > len(c.head) {
		return false
	}
	putLength(c.head[c.headSize:], len(s))
	c.headSize += 4 + copy(c.head[c.headSize+4:], s)
	return true
}

//go:nosplit
func putLength(b []byte, n int) {
	b[0], b[1], b[2], b[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
}
