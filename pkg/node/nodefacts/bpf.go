package nodefacts

import (
	"compress/gzip"
	"io"
	"io/fs"
	"strings"
)

// clsact reports whether a program can be attached to a link's ingress: clsact since Linux 4.5, tcx since 6.6. The
// kernel's own configuration decides where it is published; else the system call must be there and the kernel new enough.
func (r *reader) clsact() bool {
	if config := r.kernelConfig(); config != "" {
		ingress := hasOption(config, "CONFIG_NET_SCH_INGRESS") || hasOption(config, "CONFIG_NET_XGRESS")
		return ingress && hasOption(config, "CONFIG_BPF_SYSCALL")
	}
	if _, err := fs.Stat(r.kernel, "proc/sys/kernel/unprivileged_bpf_disabled"); err != nil {
		return false // the setting comes with CONFIG_BPF_SYSCALL
	}
	major, minor := version(r.facts.Kernel)
	return major > 4 || major == 4 && minor >= 5
}

// kernelConfig is the configuration that the kernel was built with, "" where no file has it.
func (r *reader) kernelConfig() string {
	if file, err := r.kernel.Open("proc/config.gz"); err == nil {
		defer file.Close()
		if unzipped, err := gzip.NewReader(file); err == nil {
			text, _ := io.ReadAll(unzipped)
			return string(text)
		}
	}
	for _, name := range []string{"boot/config-" + r.facts.Kernel, "usr/lib/modules/" + r.facts.Kernel + "/config"} {
		if text, err := fs.ReadFile(r.files, name); err == nil {
			return string(text)
		}
	}
	return ""
}

func hasOption(config, option string) bool {
	return strings.Contains("\n"+config, "\n"+option+"=y") || strings.Contains("\n"+config, "\n"+option+"=m")
}

// version is the first two numbers of a release, "5.10.134-16.al8" gives 5 and 10.
func version(release string) (major, minor int) {
	numbers := [2]int{}
	at := 0
	for _, c := range release {
		switch {
		case c >= '0' && c <= '9':
			numbers[at] = 10*numbers[at] + int(c-'0')
		case c == '.' && at == 0:
			at = 1
		default:
			return numbers[0], numbers[1]
		}
	}
	return numbers[0], numbers[1]
}
