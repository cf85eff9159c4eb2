package daemon

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/node/daemon/nodefile"
)

// Cooling keeps on disk when pods gave addresses back, so that a daemon that starts again goes on sparing them. It is one
// line an address, "10.0.16.1 1767225600", appended without syncing: a killed daemon loses nothing of it, and a node that
// loses power has no peers left that talk to its old pods.
type Cooling struct {
	path  string
	keep  time.Duration
	mu    sync.Mutex // guards the rest
	file  *os.File
	lines int
	freed map[netip.Addr]time.Time
}

// coolingLines is how many lines the file may have before it is written anew without what has cooled down.
const coolingLines = 4096

// OpenCooling reads the file at path, one that is not there is empty, and forgets what was given back longer than keep ago.
func OpenCooling(path string, keep time.Duration, now time.Time) (*Cooling, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read cooling addresses: %w; check the state directory", err)
	}
	c := &Cooling{path: path, keep: keep, freed: parseCooling(text)}
	if err := c.rewrite(now); err != nil {
		return nil, err
	}
	return c, nil
}

// parseCooling reads as many lines as can be read; the last one may be torn.
func parseCooling(text []byte) map[netip.Addr]time.Time {
	freed := map[netip.Addr]time.Time{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		ip, seconds, _ := strings.Cut(lines.Text(), " ")
		addr, err := netip.ParseAddr(ip)
		at, errAt := strconv.ParseInt(seconds, 10, 64)
		if err == nil && errAt == nil {
			freed[addr] = time.Unix(at, 0)
		}
	}
	return freed
}

// Freed is when addresses were given back, those of the last while.
func (c *Cooling) Freed() map[netip.Addr]time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	freed := make(map[netip.Addr]time.Time, len(c.freed))
	for ip, at := range c.freed {
		freed[ip] = at
	}
	return freed
}

// Note writes down that ip is given back now.
func (c *Cooling) Note(ip netip.Addr, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freed[ip] = now
	if c.lines >= coolingLines {
		return c.rewrite(now)
	}
	c.lines++
	_, err := c.file.WriteString(coolingLine(ip, now))
	return err
}

// Close closes the file.
func (c *Cooling) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file.Close()
}

func coolingLine(ip netip.Addr, at time.Time) string {
	return fmt.Sprintf("%s %d\n", ip, at.Unix())
}

// rewrite replaces the file by one without what has cooled down, and appends to that from now on. What was given back in
// the future, as a clock that went back shows it, counts as given back now: it would be kept until then otherwise.
func (c *Cooling) rewrite(now time.Time) error {
	var text strings.Builder
	c.lines = 0
	for ip, at := range c.freed {
		if now.Sub(at) > c.keep {
			delete(c.freed, ip)
			continue
		}
		if at.After(now) {
			at = now
			c.freed[ip] = now
		}
		text.WriteString(coolingLine(ip, at))
		c.lines++
	}
	err := nodefile.Write(c.path, []byte(text.String()), 0o600)
	if err != nil {
		return err
	}
	if c.file != nil {
		c.file.Close()
	}
	c.file, err = os.OpenFile(c.path, os.O_APPEND|os.O_WRONLY, 0)
	return err
}
