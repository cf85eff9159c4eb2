package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// LinkByMAC waits until the host has a link with that MAC, and returns its name, index and MTU. It waits for the kernel's
// link events, not by asking again and again, until ctx ends. Any type of link will do, but never one of our veths. Of several
// it is the one with the lowest index: a VLAN or macvlan device repeats the MAC of the device it was made on.
func (k *Kernel) LinkByMAC(ctx context.Context, mac string) (name string, index, mtu int, err error) {
	events, err := k.linkEvents()
	if err != nil {
		return "", 0, 0, fmt.Errorf("wait for link with MAC %s: %w", mac, err)
	}
	defer func() { _ = events.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 1<<16)
	for {
		found, err := k.linkWithMAC(ctx, mac)
		if err != nil {
			return "", 0, 0, fmt.Errorf("wait for link with MAC %s: %w", mac, err)
		}
		if found != nil {
			return found.Name, found.index, found.MTU, nil
		}
		for seen := false; !seen; {
			n, err := events.Read(buf)
			switch {
			case ctx.Err() != nil:
				return "", 0, 0, fmt.Errorf("wait for link with MAC %s: %w; see whether the ENI is attached, and whether \"ip link\" shows it", mac, context.Cause(ctx))
			case errors.Is(err, unix.ENOBUFS): // events were lost: look again
				seen = true
			case err != nil:
				return "", 0, 0, fmt.Errorf("wait for link with MAC %s: %w", mac, err)
			default:
				seen = mentions(buf[:n], mac)
			}
		}
	}
}

// HasLink reports whether the host has a link with that MAC now.
func (k *Kernel) HasLink(ctx context.Context, mac string) (bool, error) {
	found, err := k.linkWithMAC(ctx, mac)
	if err != nil {
		return false, fmt.Errorf("look for link with MAC %s: %w", mac, err)
	}
	return found != nil, nil
}

// linkWithMAC looks through all links. It is asked again after an event for the MAC, and not the event believed, so that
// of several links the same one wins whichever comes first.
func (k *Kernel) linkWithMAC(ctx context.Context, mac string) (best *link, err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	links, err := allLinks(ctx, s)
	for _, l := range links {
		if strings.EqualFold(l.MAC, mac) && !l.ours() && (best == nil || l.index < best.index) {
			best = l
		}
	}
	return best, err
}

// linkEvents hears of link events in the host's namespace. Subscribing comes before looking, so no link can appear in between
// unseen.
func (k *Kernel) linkEvents() (events *os.File, err error) {
	err = k.inside(func() (err error) { events, err = subscribeTo(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK); return err })
	return events, err
}

// mentions reports whether one of the messages in b is about a link with that MAC.
func mentions(b []byte, mac string) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		header, payload, rest := split(b)
		if header.Type == unix.RTM_NEWLINK && len(payload) >= unix.SizeofIfInfomsg && strings.EqualFold(parseLink(payload).MAC, mac) {
			return true
		}
		if payload == nil {
			return true // cut short: look again rather than miss it
		}
		b = rest
	}
	return false
}
