// Package plugin is the CNI plugin's process. It gathers what the container runtime says (variables and standard input),
// opens the pod's network namespace and a routing socket in it, hands all that to the node daemon in one message, and
// prints what the daemon answers. The daemon judges the request; only VERSION, and that no daemon answers, are said here.
//
// One of these processes is started for each pod that comes or goes, and starting it costs more than what it does: an empty Go
// program takes four times as long to start and to end as one without Go's runtime (threads, the heap's page tables). So the
// exchange with the daemon (type call) is written in functions that need no runtime: they do not grow the stack (go:nosplit, which the
// linker checks), allocate nothing, and call the kernel directly. Linked with entry Entry, the program does the exchange before Go's
// runtime starts, and starts it only when there is something else to do or to say. Linked without, it does the same after
// the start. A test runs both.
package plugin

import (
	"runtime"
	"strconv"
	"syscall"

	"github.com/onectl/onectl/pkg/node/cause"
)

// Entry is the symbol to give the linker as the program's entry: -ldflags "-E terway_entry".
const Entry = "terway_entry"

// DefaultSocket is where the daemon listens unless the plugin's configuration has another path under "socket".
const DefaultSocket = "/var/run/eni/terway.sock"

// Highest is the newest version of the CNI specification that the daemon's results can have.
const Highest = "1.1.0"

// supported is the answer to VERSION after its first key.
const supported = `,"supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0","` + Highest + `"]}` + "\n"

const about = `CNI plugin terway: asks the node daemon terwayd
CNI protocol versions supported: 0.3.0, 0.3.1, 0.4.0, 1.0.0, ` + Highest + "\n"

// Stdio is the numbers of a process's standard files.
type Stdio struct{ In, Out, Err int }

// Run serves one call of a container runtime, whose variables getenv reads, and returns the process's exit code. What the
// specification wants on standard output, a result or an error, is written there. A call that was begun before Go's
// runtime started, and did not get its answer, is finished.
func Run(getenv func(key string) string, files Stdio) int {
	switch getenv("CNI_COMMAND") {
	case "":
		return put(files.Err, []byte(about), 0)
	case "VERSION":
		return put(files.Out, append(appendQuoted([]byte(`{"cniVersion":`), versionAsked(files.In)), supported...), 0)
	}
	runtime.LockOSThread() // what opens the sandbox enters another namespace for a moment
	defer runtime.UnlockOSThread()
	c := &early
	if !c.begun {
		c = &call{patience: patience}
		for i, name := range names {
			c.vars[i] = getenv(name)
		}
		c.exchange(files.In)
	}
	if c.failed.inSandbox() {
		c.problem = c.failed.text()
		c.exchange(files.In)
	}
	switch {
	case c.failed.step == done:
		return put(files.Out, c.said(), c.exitCode())
	case c.failed.step == readingConfig:
		return put(files.Out, errorJSON(c.config[:c.size], codeIO, "read the configuration on standard input: "+c.failed.text()), 1)
	}
	code, text := Unanswered(c.vars[command], string(c.socketPath()), c.failed.text())
	return put(files.Out, errorJSON(c.config[:c.size], code, text), 1)
}

// Codes of the CNI specification that the plugin itself uses, section "Error".
const (
	codeIO          = 5
	codeTryLater    = 11
	codeUnavailable = 50
)

// Unanswered is the error for a daemon that is not there, with its cause in front as package cause marks it. The runtime tries again later; kubelet repeats a DEL until it
// succeeds, so nothing leaks while the daemon is down.
func Unanswered(command, socket, why string) (code uint, text string) {
	code = codeTryLater
	if command == "STATUS" {
		code = codeUnavailable
	}
	return code, "[" + string(cause.DaemonUnreachable) + "] no answer from terwayd on " + socket + ": " + why + "; look at this node's terway-eniip pod: " +
		"kubectl -n kube-system get pods -l app=terway-eniip -o wide, then kubectl -n kube-system logs POD"
}

// versionAsked is what a VERSION's input has under cniVersion, which the specification wants back. Of a device, such as the
// terminal of somebody who asks by hand, nothing is read: it could take for ever.
func versionAsked(in int) string {
	var about syscall.Stat_t
	if syscall.Fstat(in, &about) != nil || about.Mode&syscall.S_IFMT == syscall.S_IFCHR {
		return Highest
	}
	c := new(call)
	_ = c.readConfig(in)
	return versionOf(c.config[:c.size])
}

func versionOf(config []byte) string {
	var version [64]byte
	if size := findString(config, "cniVersion", version[:]); size > 0 {
		return string(version[:min(size, len(version))])
	}
	return Highest
}

func errorJSON(config []byte, code uint, text string) []byte {
	b := append(appendQuoted([]byte(`{"cniVersion":`), versionOf(config)), `,"code":`...)
	b = strconv.AppendUint(b, uint64(code), 10)
	b = appendQuoted(append(b, `,"msg":`...), text)
	return append(b, '}')
}

// put writes b and returns code, 1 when b cannot be written.
func put(fd int, b []byte, code int) int {
	if !writeAll(fd, b) {
		return 1
	}
	return code
}

// step is what an exchange was at when it failed.
type step byte

const (
	done step = iota
	readingConfig
	openingSandbox
	openingOwn
	comparing
	ownNamespace
	entering
	makingRouting
	leaving
	measuring // the message, or the path of the socket
	makingSocket
	connecting
	sending
	receiving
	tooSlow
	ended
	longAnswer
)

// failure is why an exchange ended without an answer, in a form that needs no memory. The zero failure is none.
type failure struct {
	step  step
	errno syscall.Errno
	size  int // bytes, where there were too many
}

//go:nosplit
func (f failure) inSandbox() bool { return f.step >= openingSandbox && f.step <= leaving }

// text is the failure in words.
func (f failure) text() string {
	switch f.step {
	case readingConfig, measuring, longAnswer:
		if f.errno == 0 {
			return "it has " + strconv.Itoa(f.size) + " bytes, " + strconv.Itoa(f.limit()) + " are the limit"
		}
		return f.errno.Error()
	case openingSandbox:
		return f.errno.Error()
	case ownNamespace:
		return "it is the plugin's own network namespace, not a pod's"
	case tooSlow:
		return "the daemon took too long"
	case ended:
		return "the daemon ended before it answered"
	}
	return stepNames[f.step] + ": " + f.errno.Error()
}

func (f failure) limit() int {
	if f.step == measuring && f.size <= MaxMessage {
		return maxPath
	}
	return MaxMessage
}

var stepNames = [...]string{
	openingOwn: "open the plugin's own", comparing: "compare with the plugin's own", entering: "enter", makingRouting: "open routing socket",
	leaving: "leave again", makingSocket: "make socket", connecting: "connect", sending: "send request", receiving: "receive answer",
}
