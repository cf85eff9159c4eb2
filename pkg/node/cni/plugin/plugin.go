// Package plugin is the CNI plugin's process. It gathers what the container runtime says (variables and standard input),
// opens the pod's network namespace and a routing socket in it, hands all that to the node daemon in one message, and
// prints what the daemon answers. The daemon judges the request; only VERSION, and that no daemon answers, are said here.
//
// One of these processes is started for each pod that comes or goes, and starting it costs more than what it does. So it
// imports next to nothing: the library of the CNI project, encoding/json, fmt, net and os would each add their start to every call.
// A test keeps it so.
package plugin

import (
	"errors"
	"strconv"
	"syscall"
)

// patience is a little less than the two minutes after which kubelet gives up, so that its event holds our words.
const patience = 110 // seconds

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
// specification wants on standard output, a result or an error, is written there.
func Run(getenv func(key string) string, files Stdio) int {
	command := getenv("CNI_COMMAND")
	switch command {
	case "":
		return put(files.Err, []byte(about), 0)
	case "VERSION":
		return put(files.Out, append(appendQuoted([]byte(`{"cniVersion":`), versionAsked(files.In)), supported...), 0)
	}
	config, err := readAll(files.In)
	if err != nil {
		return put(files.Out, errorJSON(config, codeIO, "read the configuration on standard input: "+err.Error()), 1)
	}
	m := Message{
		Version: Version, Command: command, ContainerID: getenv("CNI_CONTAINERID"), NetNS: getenv("CNI_NETNS"), IfName: getenv("CNI_IFNAME"),
		Args: getenv("CNI_ARGS"), Path: getenv("CNI_PATH"), Config: config,
	}
	var fds []int
	if command == "ADD" || command == "CHECK" {
		if fds, err = OpenSandbox(m.NetNS); err != nil {
			m.Problem = err.Error()
		}
	}
	socket := socketOf(config)
	code, said, err := ask(socket, m, fds)
	if err != nil {
		code, text := Unanswered(command, socket, err.Error())
		return put(files.Out, errorJSON(config, code, text), 1)
	}
	return put(files.Out, said, code)
}

// ask is one exchange with the daemon. Descriptors are left to the end of the process.
func ask(socket string, m Message, fds []int) (code int, said []byte, err error) {
	conn, err := Dial(socket, patience)
	if err != nil {
		return 0, nil, err
	}
	return conn.Ask(m, fds)
}

// Codes of the CNI specification that the plugin itself uses, section "Error".
const (
	codeIO          = 5
	codeTryLater    = 11
	codeUnavailable = 50
)

// Unanswered is the error for a daemon that is not there. The runtime tries again later; kubelet repeats a DEL until it
// succeeds, so nothing leaks while the daemon is down.
func Unanswered(command, socket, cause string) (code uint, text string) {
	code = codeTryLater
	if command == "STATUS" {
		code = codeUnavailable
	}
	return code, "no answer from terwayd on " + socket + ": " + cause + "; look at this node's terway-eniip pod: " +
		"kubectl -n kube-system get pods -l app=terway-eniip -o wide, then kubectl -n kube-system logs POD"
}

// socketOf is the daemon's socket: key "socket" of the plugin's configuration.
func socketOf(config []byte) string {
	if socket := topString(config, "socket"); socket != "" {
		return socket
	}
	return DefaultSocket
}

// versionAsked is what a VERSION's input has under cniVersion, which the specification wants back. Of a device, such as the
// terminal of somebody who asks by hand, nothing is read: it could take for ever.
func versionAsked(in int) string {
	var about syscall.Stat_t
	if syscall.Fstat(in, &about) != nil || about.Mode&syscall.S_IFMT == syscall.S_IFCHR {
		return Highest
	}
	config, _ := readAll(in)
	return versionOf(config)
}

func versionOf(config []byte) string {
	if version := topString(config, "cniVersion"); version != "" {
		return version
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
	for len(b) > 0 {
		n, err := syscall.Write(fd, b)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 1
		}
		b = b[n:]
	}
	return code
}

func readAll(fd int) ([]byte, error) {
	b := make([]byte, 0, 4096)
	for {
		if len(b) > MaxMessage {
			return nil, errors.New("it has more than " + strconv.Itoa(MaxMessage) + " bytes")
		}
		if len(b) == cap(b) {
			b = append(make([]byte, 0, 4*cap(b)), b...)
		}
		n, err := syscall.Read(fd, b[len(b):cap(b)])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return b, nil
		default:
			b = b[:len(b)+n]
		}
	}
}
